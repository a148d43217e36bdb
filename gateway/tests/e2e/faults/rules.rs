//! Rules that ask for something, and targets that come from files.

use std::fs;

use serde_json::json;

use crate::harness::lab::Lab;
use crate::harness::wait::wait_for;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// Permissions of the one rule, with what it requires.
const STRICT: &str = "view]\n    require: [{ ticket_id: \"INC-[0-9]{6}\" }";

#[test]
fn who_has_no_ticket_id_is_told_so() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        // Issued before the rule asked for anything.
        let early = site.ticket()?;
        site.reload(|site| site.set_permissions(STRICT))?;
        site.wait_logged("the configuration was reloaded")?;

        let missing = "a ticket id of the form `INC-[0-9]{6}` is missing";
        let refusal = format!("You may not connect to desk: {missing}.");
        expect_refusal(Viewer::login(&site, &early), &refusal)?;
        for wrong in [&[][..], &["--ticket-id", "INC-12345"], &["--reason", "INC-123456"]] {
            let done = site.run(&[&["ticket", "alice", "desk"], wrong].concat())?;
            if done.success || !done.stderr.contains(missing) {
                return Err(format!("{wrong:?}: {}", done.stderr));
            }
        }
        let explained = site.run(&["explain", "alice", "desk", "--from", "127.0.0.1"])?;
        if explained.success || !String::from_utf8_lossy(&explained.stdout).contains(missing) {
            return Err(format!("explain knows better: {}", String::from_utf8_lossy(&explained.stdout)));
        }
        site.cli(&["explain", "alice", "desk", "--from", "127.0.0.1", "--ticket-id", "INC-123456"])?;

        let options = ["--ticket-id", "INC-123456", "--reason", "the printer is stuck"];
        let ticket = site.ticket_with("alice", "desk", &options)?;
        drop(Viewer::login(&site, &ticket)?);
        site.expect_end(1, "viewer_closed")?;

        let expected = json!({ "ticket_id": "INC-[0-9]{6}" });
        for kind in ["login.refused", "ticket.refused"] {
            let events = site.audit_of(kind)?;
            if events.is_empty() || events.iter().any(|event| event["detail"]["missing"] != json!([expected]))
            {
                return Err(format!("{kind} does not say what was missing: {events:?}"));
            }
        }
        for kind in ["ticket.issued", "session.started"] {
            let events = site.audit_of(kind)?;
            let detail = events.last().map(|event| &event["detail"]).ok_or_else(|| format!("no {kind}"))?;
            if detail["ticket_id"] != "INC-123456" || detail["reason"] != "the printer is stuck" {
                return Err(format!("{kind} does not say why: {detail}"));
            }
        }
        Ok(())
    });
}

#[test]
fn targets_come_and_go_with_their_files() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let directory = lab.subfolder("targets.d")?;
        let write = |name: &str, text: &str| {
            fs::write(directory.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        let site = Site::start(lab, Setup::new(&target).with("targets_dir: targets.d"))?;
        let reloads = |kind: &str| site.audit_of(kind).map_or(0, |events| events.len());
        let wait = |kind: &str, count| wait_for(kind, SOON, || (reloads(kind) >= count).then_some(()));
        let till = format!("- {{ name: till, protocol: vnc, address: '127.0.0.1:{}' }}", target.port);
        write("shop.yaml", &till)?;
        wait("config.reloaded", 1)?;
        drop(Viewer::login(&site, &site.ticket_for("alice", "till")?)?);
        site.expect_end(1, "viewer_closed")?;

        // A mistake anywhere leaves everything as it was, although the first file is right.
        write("shop.yaml", "[]")?;
        write("office.yaml", &format!("{till}\n- {{ name: printer, protocl: vnc }}"))?;
        wait("config.rejected", 1)?;
        site.ticket_for("alice", "till")?;
        let rejected = site.audit_of("config.rejected")?;
        let message = rejected[0]["message"].as_str().unwrap_or_default();
        if !message.contains("targets.d/office.yaml:2:") || rejected[0]["detail"]["cause"] != "targets_dir" {
            return Err(format!("the audit log does not say what is wrong: {rejected:?}"));
        }

        fs::remove_file(directory.join("office.yaml")).map_err(|error| error.to_string())?;
        wait("config.reloaded", 2)?;
        expect_refusal(site.ticket_for("alice", "till"), "there is no target `till`")?;
        site.ticket().map(drop)
    });
}
