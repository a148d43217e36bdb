//! Gateways that are stopped in good order while others go on.

use std::fmt::Write as _;
use std::process::Command;

use passerelle_rfb::security::TargetSecurity;

use super::{Cluster, Node, PATIENCE};
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::Process;
use crate::harness::wait::wait_for;
use crate::peers::redis::Variant;
use crate::peers::site::{Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::{Viewer, connect};

fn expect_good_end(site: &mut Site<'_>) -> Outcome {
    let status = site.process()?.wait(PATIENCE)?;
    if !status.success() {
        return Err(format!("the gateway ended with {status}"));
    }
    match site.audit_of("gateway.stopped")?.len() {
        0 => Err("the audit log does not say that the gateway stopped".into()),
        _ => site.expect_sealed(),
    }
}

/// A load balancer that asks `/readyz` has time to learn of the stop; a second signal ends that time too.
#[test]
fn a_gateway_that_is_not_ready_still_accepts() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { drain_delay: 1h, drain: 1h }");
        let Cluster { redis: _redis, mut a, b } = Cluster::start(lab, Variant::default(), &setup)?;
        let mut early = Viewer::login(&a.site, &a.site.ticket()?)?;
        a.site.process()?.signal("TERM")?;
        a.wait_ready("503")?;
        let mut late = Viewer::login(&a.site, &b.site.ticket_for("bob", "desk")?)?;
        late.refresh()?;
        early.refresh()?;
        if b.status("/readyz")? != "200" || a.status("/healthz")? != "200" {
            return Err("the gateways do not say which of them takes sessions".into());
        }
        a.site.process()?.signal("TERM")?;
        early.until_closed(PATIENCE)?;
        late.until_closed(PATIENCE)?;
        a.site.expect_end(2, "shutdown")?;
        expect_good_end(&mut a.site)
    });
}

/// After the delay nothing is accepted, and sessions go on as if nothing had happened.
#[test]
fn sessions_of_a_gateway_that_drains_are_still_looked_after() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { drain_delay: 1s, drain: 1h }");
        let Cluster { redis: _redis, mut a, b } = Cluster::start(lab, Variant::default(), &setup)?;
        let mut alice = Viewer::login(&a.site, &a.site.ticket()?)?;
        let mut bob = Viewer::login(&a.site, &b.site.ticket_for("bob", "desk")?)?;
        a.site.process()?.signal("TERM")?;
        wait_for("that no connection is accepted", PATIENCE, || connect(a.site.port).is_err().then_some(()))?;
        if a.status("/readyz")? != "503" || a.status("/healthz")? != "200" {
            return Err("a gateway that drains does not say so".into());
        }
        b.wait_listed(&[("alice", "a"), ("bob", "a")])?;
        b.site.cli(&["sessions", "kill", &b.session_of("alice")?])?;
        alice.until_closed(PATIENCE)?;
        bob.refresh()?;
        drop(bob);
        expect_good_end(&mut a.site)?;
        b.wait_listed(&[])
    });
}

/// One gateway after the other is stopped and started again; each session ends when its technician says so.
#[test]
fn a_rolling_restart_loses_no_session() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { drain_delay: 1s, drain: 1h, per_target: 100 }");
        let Cluster { redis: _redis, mut a, mut b } = Cluster::start(lab, Variant::default(), &setup)?;
        let mut on_leaving = vec![Viewer::login(&a.site, &a.site.ticket()?)?];
        let mut on_staying = vec![Viewer::login(&b.site, &a.site.ticket_for("bob", "desk")?)?];
        for round in 0..2 {
            let (leaving, staying) = if round == 0 { (&mut a, &b) } else { (&mut b, &a) };
            // Issued by the one that leaves, used on the one that stays.
            let ticket = leaving.site.ticket()?;
            leaving.site.process()?.signal("TERM")?;
            leaving.site.wait_logged("no more connections are accepted")?;
            on_staying.push(Viewer::login(&staying.site, &ticket)?);
            for viewer in on_leaving.iter_mut().chain(&mut on_staying) {
                viewer.refresh()?;
            }
            // The technicians on the one that leaves are done, and begin their next sessions on the other.
            for viewer in std::mem::take(&mut on_leaving) {
                drop(viewer);
                on_staying.push(Viewer::login(&staying.site, &staying.site.ticket_for("bob", "desk")?)?);
            }
            expect_good_end(&mut leaving.site)?;
            leaving.site.restart()?;
            leaving.wait_ready("200")?;
            for viewer in &mut on_staying {
                viewer.refresh()?;
            }
            std::mem::swap(&mut on_leaving, &mut on_staying);
        }
        for node in [&a, &b] {
            for end in node.site.audit_of("session.ended")? {
                if end["detail"]["reason"] != "viewer_closed" {
                    return Err(format!("a session was lost: {end}"));
                }
            }
        }
        Ok(())
    });
}

/// HAProxy in front of both, which asks whether they are ready.
fn balancer(lab: &Lab, nodes: [(&str, &Node<'_>); 2]) -> Outcome<(Process, u16)> {
    let port = free_port()?;
    let mut text = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  retries 3\n  \
         option redispatch\nfrontend viewers\n  bind 127.0.0.1:{port}\n  default_backend gateways\n\
         backend gateways\n  balance roundrobin\n  option httpchk GET /readyz\n"
    );
    for (name, Node { site, metrics }) in nodes {
        let check = format!("check port {metrics} inter 200ms fall 1 rise 1");
        let _ = writeln!(text, "  server {name} 127.0.0.1:{} {check}", site.port);
    }
    let file = lab.write("haproxy.cfg", text)?;
    let mut process = lab.start("haproxy", Command::new("haproxy").arg("-db").arg("-f").arg(file))?;
    wait_listening(&mut process, port)?;
    Ok((process, port))
}

/// Behind a load balancer nobody notices that gateways are restarted: every login succeeds.
#[test]
fn no_login_fails_behind_a_load_balancer_while_gateways_are_restarted() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { drain_delay: 5s, drain: 1h }");
        let Cluster { redis: _redis, mut a, mut b } = Cluster::start(lab, Variant::default(), &setup)?;
        let (_balancer, port) = balancer(lab, [("a", &a), ("b", &b)])?;
        let log_in = |issuer: &Node<'_>| {
            let ticket = issuer.site.ticket()?;
            Viewer::login_with(port, TargetSecurity::VncAuth, "", &ticket.vnc_password)?.refresh()
        };
        for round in 0..2 {
            let (leaving, staying) = if round == 0 { (&mut a, &b) } else { (&mut b, &a) };
            let sessions = |node: &Node<'_>| Ok::<_, String>(node.site.audit_of("session.started")?.len());
            leaving.site.process()?.signal("TERM")?;
            let before = sessions(staying)?;
            while leaving.site.process()?.ended().is_none() {
                log_in(staying)?;
            }
            if sessions(staying)? == before {
                return Err("nobody was sent to the gateway that stays".into());
            }
            expect_good_end(&mut leaving.site)?;
            leaving.site.restart()?;
            let before = sessions(leaving)?;
            wait_for("that somebody is sent to the gateway that is back", PATIENCE, || {
                log_in(staying)
                    .err()
                    .map(Err)
                    .or_else(|| (sessions(leaving).ok()? > before).then_some(Ok(())))
            })??;
        }
        Ok(())
    });
}
