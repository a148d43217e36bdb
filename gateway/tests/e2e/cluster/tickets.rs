//! A ticket is good wherever it is shown, once.

use std::sync::Barrier;
use std::thread;

use passerelle_rfb::security::TargetSecurity;

use super::Cluster;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::redis::Variant;
use crate::peers::site::Setup;
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

const VIEWERS: usize = 100;

/// A hundred viewers present the same ticket at the same time, half of them to each gateway and each half with both
/// of its secrets.
#[test]
fn a_ticket_opens_one_session_on_whichever_gateway() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let Cluster { redis: _redis, a, b } = Cluster::start(lab, Variant::default(), &Setup::new(&target))?;
        for issuer in [&a, &b] {
            let ticket = issuer.site.ticket()?;
            let before = target.connections();
            let start = Barrier::new(VIEWERS);
            let outcomes: Vec<Outcome<Viewer>> = thread::scope(|scope| {
                let viewer = |index: usize| {
                    let port = [a.site.port, b.site.port][index % 2];
                    let (start, ticket) = (&start, &ticket);
                    scope.spawn(move || {
                        start.wait();
                        if index % 4 < 2 {
                            Viewer::login_with(port, TargetSecurity::VncAuth, "", &ticket.vnc_password)
                        } else {
                            Viewer::login_with(port, TargetSecurity::Ard, &ticket.username, &ticket.ticket)
                        }
                    })
                };
                let viewers: Vec<_> = (0..VIEWERS).map(viewer).collect();
                let joined = viewers.into_iter().map(|viewer| viewer.join());
                joined.map(|outcome| outcome.unwrap_or_else(|_| Err("the viewer panicked".into()))).collect()
            });
            let unexpected =
                |outcome: &&Outcome<Viewer>| matches!(outcome, Err(said) if !said.contains("not valid"));
            if let Some(Err(other)) = outcomes.iter().find(unexpected) {
                return Err(format!("a viewer failed otherwise: {other}"));
            }
            let lucky = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let reached = target.connections() - before;
            if (lucky, reached) != (1, 1) {
                return Err(format!("{lucky} viewers were let in, {reached} reached the target"));
            }
        }
        // All others were refused because the ticket was used, and not because of many failures.
        let (mut started, mut used) = (0, 0);
        for node in [&a, &b] {
            started += node.site.audit_of("session.started")?.len();
            let refused = node.site.audit_of("login.refused")?;
            used += refused.iter().filter(|event| event["detail"]["code"] == "used_ticket").count();
        }
        match (started, used) {
            (2, 198) => Ok(()),
            _ => Err(format!("{started} sessions started, {used} viewers came too late")),
        }
    });
}
