//! Tickets that are used up, too old or made up.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use passerelle_rfb::security::TargetSecurity;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// Expects a refusal and returns what was said and after how long.
fn refused(attempt: impl FnOnce() -> Outcome<Viewer>) -> Outcome<(String, Duration)> {
    let start = now();
    match attempt() {
        Ok(_) => Err("the viewer was let in".into()),
        Err(said) => Ok((said, start.elapsed())),
    }
}

#[test]
fn used_expired_and_wrong_tickets_are_refused_alike() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target).with("tickets: { life: 3s }"))?;
        let expired = site.ticket()?;
        let used = site.ticket()?;
        drop(Viewer::login(&site, &used)?);
        site.expect_end(1, "viewer_closed")?;
        thread::sleep(Duration::from_millis(3500));
        let port = site.port;
        let with = |security, username: &str, password: &str| {
            refused(|| Viewer::login_with(port, security, username, password))
        };

        let refusals = [
            ("used", refused(|| Viewer::login(&site, &used))?),
            ("used with a name", refused(|| Viewer::login_ard(&site, &used))?),
            ("expired", refused(|| Viewer::login(&site, &expired))?),
            ("expired with a name", refused(|| Viewer::login_ard(&site, &expired))?),
            ("wrong", with(TargetSecurity::VncAuth, "", "00000000")?),
            ("wrong with a name", with(TargetSecurity::Ard, &used.username, "0000000000000000")?),
            ("another's name", with(TargetSecurity::Ard, "bob:desk", &site.ticket()?.ticket)?),
            ("no name at all", with(TargetSecurity::Ard, "nobody", &site.ticket()?.ticket)?),
        ];
        for (what, (said, after)) in &refusals {
            if *said != refusals[0].1.0 || !said.contains("not valid") {
                return Err(format!("{what}: {said:?} is not what others are told"));
            }
            // A second for all of them; the rest is what a busy machine adds.
            if !(Duration::from_secs(1)..SOON).contains(after) {
                return Err(format!("{what}: refused after {after:?}"));
            }
        }
        // The audit log knows the difference.
        let events = site.audit_of("login.refused")?;
        let codes: Vec<_> =
            events.iter().map(|event| event["detail"]["code"].as_str().unwrap_or_default()).collect();
        for code in ["used_ticket", "expired_ticket", "unknown_ticket", "other_login", "malformed_login"] {
            if !codes.contains(&code) {
                return Err(format!("the audit log has no {code}: {codes:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn too_many_failures_lock_for_a_while() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let setup =
            Setup::new(&target).with("lockout: { address: { free: 2, first: 5s, longest: 6s, forget: 1h } }");
        let site = Site::start(lab, setup)?;
        for _ in 0..3 {
            refused(|| Viewer::login_with(site.port, TargetSecurity::VncAuth, "", "00000000"))?;
        }
        let valid = site.ticket()?;
        let (said, _) = refused(|| Viewer::login(&site, &valid))?;
        if !said.contains("not valid") {
            return Err(format!("a locked address is told {said:?}"));
        }
        if site.audit_of("login.locked")?.is_empty() {
            return Err("the audit log has no login.locked".into());
        }
        // Being turned away while it is locked has not used up the ticket.
        thread::sleep(Duration::from_secs(6));
        Viewer::login(&site, &valid)?.refresh()
    });
}

/// A hundred viewers present the same ticket at the same time.
#[test]
fn a_ticket_opens_one_session_however_many_try() {
    const VIEWERS: usize = 100;
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        let ticket = site.ticket()?;
        let (port, start) = (site.port, Barrier::new(VIEWERS));
        let outcomes: Vec<Outcome<Viewer>> = thread::scope(|scope| {
            let viewers: Vec<_> = (0..VIEWERS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        Viewer::login_with(port, TargetSecurity::VncAuth, "", &ticket.vnc_password)
                    })
                })
                .collect();
            viewers
                .into_iter()
                .map(|viewer| viewer.join().unwrap_or_else(|_| Err("the viewer panicked".into())))
                .collect()
        });
        if let Some(Err(other)) =
            outcomes.iter().find(|outcome| outcome.as_ref().is_err_and(|said| !said.contains("not valid")))
        {
            return Err(format!("a viewer failed otherwise: {other}"));
        }
        let lucky = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let started = site.audit_of("session.started")?.len();
        match (lucky, started, target.connections()) {
            (1, 1, 1) => Ok(()),
            _ => Err(format!(
                "{lucky} viewers were let in, {started} sessions started, {} reached the target",
                target.connections()
            )),
        }
    });
}
