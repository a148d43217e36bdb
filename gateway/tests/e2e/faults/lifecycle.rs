//! Reloading and stopping.

use std::time::Duration;

use crate::harness::lab::Lab;
use crate::harness::wait::{now, wait_for};
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::{Viewer, connect};

#[test]
fn a_reload_takes_over_what_is_new_and_touches_no_session() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        let mut running = Viewer::login(&site, &site.ticket()?)?;
        running.refresh()?;

        expect_refusal(site.ticket_for("alice", "new"), "there is no target `new`")?;
        site.reload(|site| site.add_target("new", target.port))?;
        wait_for("a ticket for the new target", SOON, || site.ticket_for("alice", "new").ok())?;
        Viewer::login(&site, &site.ticket_for("alice", "new")?)?.refresh()?;
        running.refresh()?;

        // Permissions of a running session are those it began with; the next one has the new ones.
        site.reload(|site| site.set_permissions("view"))?;
        wait_for("the second reload in the audit log", SOON, || {
            site.audit_of("config.reloaded").ok().filter(|events| events.len() == 2)
        })?;
        let next = Viewer::login(&site, &site.ticket()?)?;
        let sessions = site.sessions()?;
        let may = |index: usize| sessions.get(index).map(|session| session["permissions"].to_string());
        let (old, new) = (may(0).unwrap_or_default(), may(1).unwrap_or_default());
        if !old.contains("keyboard") || new.contains("keyboard") || !new.contains("view") {
            return Err(format!("the running session may {old}, the next one {new}"));
        }
        drop(next);
        running.refresh()
    });
}

#[test]
fn a_broken_file_keeps_the_old_configuration_and_the_log_says_why() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        let mut running = Viewer::login(&site, &site.ticket()?)?;
        let ticket = site.ticket_for("bob", "desk")?;
        site.reload(|site| site.append("recroding: { policy: off }\n"))?;
        site.wait_logged("the configuration was not reloaded")?;
        site.wait_logged("recroding")?;
        let rejected = site.audit_of("config.rejected")?;
        if rejected.len() != 1 || !rejected[0]["message"].to_string().contains("recroding") {
            return Err(format!("the audit log does not say what is wrong: {rejected:?}"));
        }
        running.refresh()?;
        Viewer::login(&site, &ticket)?.refresh()
    });
}

#[test]
fn sigterm_lets_sessions_go_on_for_the_drain_time() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target).with("limits: { drain: 3s }"))?;
        let mut running = Viewer::login(&site, &site.ticket()?)?;
        let start = now();
        site.process()?.signal("TERM")?;
        site.wait_logged("no more connections are accepted")?;
        running.refresh()?;
        wait_for("that no connection is accepted", SOON, || connect(site.port).is_err().then_some(()))?;
        let status = site.process()?.wait(SOON)?;
        let lasted = start.elapsed();
        running.until_closed(SOON)?;
        if !status.success() || !(Duration::from_millis(2800)..SOON).contains(&lasted) {
            return Err(format!("the gateway ended with {status} after {lasted:?}"));
        }
        site.expect_end(1, "shutdown")?;
        site.expect_sealed()?;
        match site.audit_of("gateway.stopped")?.len() {
            1 => Ok(()),
            other => Err(format!("{other} times gateway.stopped")),
        }
    });
}

#[test]
fn a_second_sigterm_ends_sessions_at_once() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target).with("limits: { drain: 60s }"))?;
        let mut running = Viewer::login(&site, &site.ticket()?)?;
        running.refresh()?;
        site.process()?.signal("TERM")?;
        site.wait_logged("no more connections are accepted")?;
        let start = now();
        site.process()?.signal("TERM")?;
        running.until_closed(SOON)?;
        let status = site.process()?.wait(SOON)?;
        if !status.success() || start.elapsed() > SOON {
            return Err(format!("the gateway ended with {status} after {:?}", start.elapsed()));
        }
        site.expect_end(1, "shutdown")?;
        site.expect_sealed()
    });
}
