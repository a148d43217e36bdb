//! A gateway that is killed, and a Redis that stops.

use super::Cluster;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::wait_for;
use crate::peers::redis::Variant;
use crate::peers::site::{Setup, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

use super::PATIENCE;

/// What a killed gateway leaves in the store ends by itself: the list becomes right, and the limits have room again.
#[test]
fn a_killed_gateway_leaves_leases_that_end() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).target("spare", target.port, "").with("limits: { per_target: 1 }");
        let Cluster { redis: _redis, mut a, b } = Cluster::start(lab, Variant::default(), &setup)?;
        let mut lost = Viewer::login(&a.site, &b.site.ticket()?)?;
        let mut spared = Viewer::login(&b.site, &a.site.ticket_for("bob", "spare")?)?;
        b.wait_listed(&[("alice", "a"), ("bob", "b")])?;
        let ticket = b.site.ticket()?;
        a.site.kill()?;
        // Nobody can know yet that the session is gone, so it counts for as long as it is listed.
        let attempt = Viewer::login(&b.site, &ticket);
        if b.site.sessions()?.iter().any(|session| session["node"] == "a") {
            expect_refusal(attempt, "There are already 1 ")?;
        } else {
            drop(attempt);
        }
        lost.until_closed(PATIENCE)?;
        b.wait_listed(&[("bob", "b")])?;
        Viewer::login(&b.site, &b.site.ticket()?)?.refresh()?;
        spared.refresh()?;

        // It comes back as a gateway with nothing running, and says how its session ended.
        a.site.restart()?;
        a.site.expect_end(1, "interrupted")?;
        a.wait_listed(&[("bob", "b")])?;
        Viewer::login(&a.site, &b.site.ticket()?)?.refresh()
    });
}

/// While Redis is away, sessions go on and none begin; when it is back, everything is as before.
#[test]
fn sessions_go_on_while_redis_is_away() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("tickets: { life: 1h }");
        let Cluster { mut redis, a, b } = Cluster::start(lab, Variant::default(), &setup)?;
        let (used, unused) = (a.site.ticket()?, a.site.ticket_for("bob", "desk")?);
        let mut alice = Viewer::login(&a.site, &used)?;
        for node in [&a, &b] {
            node.wait_ready("200")?;
            node.wait_metric("passerelle_store_up 1")?;
        }

        redis.kill()?;
        for node in [&a, &b] {
            node.wait_ready("503")?;
            node.wait_metric("passerelle_store_up 0")?;
            node.site.wait_logged("the store does not answer")?;
            node.wait_event("store.unavailable")?;
            if node.status("/healthz")? != "200" {
                return Err("a gateway without its store is not alive".into());
            }
        }
        alice.refresh()?;
        expect_refusal(Viewer::login(&b.site, &unused), "cannot check tickets at the moment")?;
        expect_refusal(b.site.ticket(), "the store is unavailable: Redis at 127.0.0.1:")?;
        // Each gateway knows its own sessions, and that it does not know the others.
        let listed = b.site.run(&["sessions", "list"])?;
        if !listed.stderr.contains("sessions of other nodes are not known") {
            return Err(format!("the list does not say that it is incomplete: {}", listed.stderr));
        }
        let id = a.session_of("alice")?;
        a.site.cli(&["sessions", "permit", &id, "view"])?;
        alice.refresh()?;

        redis.restart()?;
        for node in [&a, &b] {
            node.wait_ready("200")?;
            node.wait_metric("passerelle_store_up 1")?;
            node.wait_event("store.recovered")?;
        }
        let mut bob = Viewer::login(&b.site, &unused)?;
        for node in [&a, &b] {
            node.wait_listed(&[("alice", "a"), ("bob", "b")])?;
        }
        expect_refusal(Viewer::login(&b.site, &used), "not valid")?;
        alice.refresh()?;
        bob.refresh()?;
        b.site.cli(&["sessions", "kill", &id])?;
        alice.until_closed(PATIENCE)?;
        bob.refresh()
    });
}

/// Nobody can end a session through a store that is away, so it ends by itself.
#[test]
fn sessions_end_when_redis_is_away_for_too_long() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target).with("limits: { store_grace: 3s }");
        let Cluster { mut redis, a, b: _b } = Cluster::start(lab, Variant::default(), &setup)?;
        let mut alice = Viewer::login(&a.site, &a.site.ticket()?)?;
        redis.kill()?;
        alice.until_closed(PATIENCE)?;
        a.site.expect_end(1, "lease_lost")?;
        a.site.expect_sealed()?;
        redis.restart()?;
        wait_for("a new session", PATIENCE, || {
            let login = || -> Outcome { Viewer::login(&a.site, &a.site.ticket()?)?.refresh() };
            login().ok()
        })
    });
}

/// A gateway does not start without its store, and says why.
#[test]
fn a_gateway_needs_its_store_to_start() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let Cluster { mut redis, mut a, b: _b } =
            Cluster::start(lab, Variant::default(), &Setup::new(&target))?;
        a.site.kill()?;
        redis.kill()?;
        expect_refusal(a.site.restart(), "ended with")?;
        a.site.wait_logged("the store is unavailable: Redis at 127.0.0.1:")?;
        redis.restart()?;
        a.site.restart()
    });
}
