//! How long sessions last and how many there are.

use std::time::Duration;

use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;
use crate::peers::wire;

#[test]
fn a_killed_session_is_over_at_once() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        let mut killed = Viewer::login(&site, &site.ticket()?)?;
        let mut spared = Viewer::login(&site, &site.ticket_for("bob", "desk")?)?;
        let sessions = site.wait_sessions(2)?;
        site.cli(&["sessions", "kill", &sessions[0], "--reason", "the wrong machine"])?;
        killed.until_closed(SOON)?;
        let end = site.expect_end(1, "killed")?;
        let named = end["technician"] == "alice" && end["message"].to_string().contains("the wrong machine");
        if !named || site.audit_of("session.killed")?.len() != 1 {
            return Err(format!("the audit log does not say who was killed and why: {end}"));
        }
        spared.refresh()?;
        if site.run(&["sessions", "kill", &sessions[0]])?.success {
            return Err("a session that is over was killed again".into());
        }
        Ok(())
    });
}

#[test]
fn idle_and_long_sessions_end() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target).with("limits: { idle: 2s, session: 5s }"))?;

        // Updates alone are no activity of the technician's.
        let mut idle = Viewer::login(&site, &site.ticket()?)?;
        let start = now();
        while start.elapsed() < Duration::from_millis(1000) {
            idle.refresh()?;
        }
        idle.until_closed(SOON)?;
        site.expect_end(1, "idle")?;
        if start.elapsed() < Duration::from_millis(1800) {
            return Err(format!("the idle session ended after {:?}", start.elapsed()));
        }

        let mut busy = Viewer::login(&site, &site.ticket()?)?;
        let start = now();
        while busy.send(&wire::pointer(0, 1, 1)).is_ok() && start.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(100));
        }
        site.expect_end(2, "too_long")?;
        if !(Duration::from_millis(4800)..SOON).contains(&start.elapsed()) {
            return Err(format!("the long session ended after {:?}", start.elapsed()));
        }
        site.expect_sealed()
    });
}

#[test]
fn one_session_more_than_allowed_is_refused_with_a_sentence() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup = Setup::new(&target)
            .target("spare", target.port, "")
            .with("limits: { per_target: 1, per_technician: 2, sessions: 3 }");
        let site = Site::start(lab, setup)?;
        let mut first = Viewer::login(&site, &site.ticket()?)?;
        expect_refusal(Viewer::login(&site, &site.ticket_for("bob", "desk")?), "There are already 1 ")?;
        let second = Viewer::login(&site, &site.ticket_for("alice", "spare")?)?;
        let codes = site.audit_of("login.refused")?;
        if codes.len() != 1 || codes[0]["detail"]["code"] != "session_limit" {
            return Err(format!("the audit log does not name the limit: {codes:?}"));
        }
        first.refresh()?;
        // The place is free again as soon as the session is over.
        drop(second);
        site.wait_sessions(1)?;
        Viewer::login(&site, &site.ticket_for("bob", "spare")?)?.refresh()
    });
}
