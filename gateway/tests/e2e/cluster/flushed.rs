//! A Redis that loses its memory.

use serde_json::json;

use super::Cluster;
use crate::harness::clients::{Client, Login};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target as Desktop};
use crate::harness::wait::wait_for;
use crate::logins::Issuer;
use crate::peers::redis::{Redis, Variant};
use crate::peers::site::{Setup, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

use super::PATIENCE;

/// No ticket of before is good, used or not; sessions go on under new leases and can be ended from anywhere.
#[test]
fn no_ticket_from_before_a_flush_is_good() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let lenient = "lockout: { address: { free: 100 }, technician: { free: 100 } }";
        let setup = Setup::new(&target).with(lenient);
        let Cluster { redis, a, b } = Cluster::start(lab, Variant::default(), &setup)?;
        let (used, unused) = (a.site.ticket()?, a.site.ticket_for("bob", "desk")?);
        let mut alice = Viewer::login(&b.site, &used)?;
        redis.command(&["FLUSHALL"])?;
        for node in [&a, &b] {
            for ticket in [&used, &unused] {
                expect_refusal(Viewer::login(&node.site, ticket), "not valid")?;
                expect_refusal(Viewer::login_ard(&node.site, ticket), "not valid")?;
            }
            let emptied = node.wait_event("store.emptied")?;
            if emptied["detail"]["since"].as_str().is_none() {
                return Err(format!("the audit log does not say since when: {emptied}"));
            }
            node.wait_listed(&[("alice", "b")])?;
        }
        alice.refresh()?;
        let mut bob = Viewer::login(&a.site, &b.site.ticket_for("bob", "desk")?)?;
        bob.refresh()?;
        a.site.cli(&["sessions", "kill", &a.session_of("alice")?])?;
        alice.until_closed(PATIENCE)?;
        b.site.expect_end(1, "killed")?;
        bob.refresh()
    });
}

/// The same for a Redis that keeps nothing on disk and is started again.
#[test]
fn a_redis_without_a_memory_lets_nothing_in_again() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let forgetful = Variant { forgetful: true, ..Variant::default() };
        let Cluster { mut redis, a, b } = Cluster::start(lab, forgetful, &Setup::new(&target))?;
        let used = a.site.ticket()?;
        let mut alice = Viewer::login(&a.site, &used)?;
        redis.kill()?;
        redis.restart()?;
        for node in [&a, &b] {
            node.wait_event("store.emptied")?;
            node.wait_listed(&[("alice", "a")])?;
            expect_refusal(Viewer::login(&node.site, &used), "not valid")?;
        }
        alice.refresh()?;
        Viewer::login(&b.site, &a.site.ticket_for("bob", "desk")?)?.refresh()
    });
}

/// A token that was used before a flush is not good again, while the provider's next one is.
#[test]
fn no_token_from_before_a_flush_is_good() {
    Lab::run(|lab| {
        let client = Client::TigervncX509Plain;
        let issuer = Issuer::start(lab)?;
        let redis = Redis::start(lab, Variant::default())?;
        let desktop = Desktop::start(lab, Server::XvncNone)?;
        let more = format!("{}    leeway: 1s\n{}", issuer.section(), redis.section());
        let gateway = Gateway::start_with(lab, &[client.security()], &desktop, Trust::Pin, &more)?;
        let carol = |password| Login {
            port: gateway.port,
            username: Some("carol:desk".to_owned()),
            password,
            authority: gateway.authority().to_owned(),
        };
        // The store remembers from the gateway's start on, and clocks may differ by the leeway.
        let token = wait_for("a token that is younger than the store", PATIENCE, || {
            let token = issuer.token("EdDSA", &json!({})).ok()?;
            let viewer = client.connect(lab, &carol(token.clone()), "with a token").ok()?;
            drop(viewer);
            Some(token)
        })?;
        desktop.wait_typed("with a token")?;
        gateway.wait_idle()?;
        redis.command(&["FLUSHALL"])?;
        for _ in 0..2 {
            if client.connect(lab, &carol(token.clone()), "again").is_ok() {
                return Err("a token that was used before the flush was good again".into());
            }
        }
        gateway.expect_event("login.refused", &[("code", json!("expired_token"))])?;
        gateway.expect_event("login.refused", &[("code", json!("used_token"))])
    });
}
