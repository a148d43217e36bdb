//! What passes beside the picture: clipboard and drives.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::harness::Outcome;
use crate::harness::clients::Viewer;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clipboard::{copy, paste, wait_pasted};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::process::read;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;

const LINE: &str = "beside the picture";

/// What technicians may always do in these tests.
const BASE: &str = "view,pointer,keyboard";

/// A session on xrdp with these permissions besides, in which a line has been typed.
fn session(lab: &Lab, client: Rdp, permissions: &str) -> Outcome<(Target, Gateway, Viewer)> {
    let target = Target::start(lab, Server::Xrdp)?;
    let more = "limits: { clipboard: { to_target: 64KiB, from_target: 64KiB } }\n";
    let gateway = Gateway::start_with(lab, &["nla", "tls"], &target, Trust::Pin, more)?;
    let ticket = gateway.ticket_with(&["--permissions", &format!("{BASE}{permissions}")])?;
    let viewer = client.connect(lab, &gateway.long_login(&ticket), LINE)?;
    target.wait_typed(LINE)?;
    Ok((target, gateway, viewer))
}

#[test]
fn text_is_copied_both_ways() {
    Lab::run(|lab| {
        let (target, gateway, viewer) =
            session(lab, Rdp::XfreerdpNla(&[]), ",clipboard.to_target,clipboard.from_target")?;
        let there = target.display()?;
        let _copied = copy(lab, viewer.display()?, "für den Empfang, 3 €")?;
        wait_pasted(&there, "für den Empfang, 3 €")?;
        let _copied = copy(lab, &there, "vom Empfang")?;
        wait_pasted(viewer.display()?, "vom Empfang")?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("clipboard.transferred", &[("from", json!("viewer"))])?;
        gateway.expect_event("clipboard.transferred", &[("from", json!("target"))])
    });
}

/// One way is permitted: the other one fails, and the session goes on.
#[test]
fn text_that_may_not_be_copied_does_not_arrive() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Rdp::XfreerdpNla(&[]), ",clipboard.to_target")?;
        let there = target.display()?;
        let copied = copy(lab, &there, "a secret of the target")?;
        sleep(Duration::from_secs(2));
        if paste(viewer.display()?).is_some_and(|text| text.contains("secret")) {
            return Err("the text came to the technician".into());
        }
        drop(copied);
        let _copied = copy(lab, viewer.display()?, "a word of the technician's")?;
        wait_pasted(&there, "a word of the technician's")?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("permission.denied", &[("permission", json!("clipboard.from_target"))])
    });
}

#[test]
fn text_that_is_too_long_does_not_arrive() {
    Lab::run(|lab| {
        let (target, gateway, viewer) =
            session(lab, Rdp::XfreerdpNla(&[]), ",clipboard.to_target,clipboard.from_target")?;
        let there = target.display()?;
        let _long = copy(lab, viewer.display()?, &"too long ".repeat(20_000))?;
        sleep(Duration::from_secs(2));
        for short in ["short enough", "and another"] {
            if paste(&there).is_some_and(|text| text.contains("too long")) {
                return Err("the text came to the target".into());
            }
            let _short = copy(lab, viewer.display()?, short)?;
            // FreeRDP stops listening when what it is just reading is replaced.
            sleep(Duration::from_millis(500));
            wait_pasted(&there, short)?;
        }
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("permission.denied", &[("permission", json!("clipboard.to_target"))])
    });
}

#[test]
fn files_on_a_drive_are_read_written_and_audited() {
    Lab::run(|lab| {
        let folder = lab.subfolder("drive")?;
        lab.write("drive/report.txt", "from the technician's drive\n".repeat(1000))?;
        let (target, gateway, viewer) =
            session(lab, Rdp::drive(&folder), ",drives,files.to_target,files.from_target")?;
        let there = wait_for("the drive on the target", Duration::from_secs(10), || {
            target.run("cat thinclient_drives/share/report.txt").ok()
        })?;
        if there != "from the technician's drive\n".repeat(1000) {
            return Err(format!("{} bytes were read on the target", there.len()));
        }
        target.run("echo from the target >thinclient_drives/share/answer.txt")?;
        wait_for("the file on the technician's drive", Duration::from_secs(10), || {
            let written = fs::read_to_string(folder.join("answer.txt")).ok()?;
            (written == "from the target\n").then_some(())
        })?;
        drop(viewer);
        gateway.wait_idle()?;
        for (name, from, file) in [("report", "viewer", "report.txt"), ("answer", "target", "answer.txt")] {
            let sum = read(Command::new("sha256sum").arg(folder.join(file)))?;
            let sum = String::from_utf8_lossy(&sum).split(' ').next().unwrap_or_default().to_owned();
            let name = format!("share/{name}.txt");
            let details = [
                ("from", json!(from)),
                ("by", json!("drive")),
                ("name", json!(name)),
                ("sha256", json!(sum)),
            ];
            gateway.expect_event("file.transferred", &details)?;
        }
        Ok(())
    });
}

#[test]
fn a_drive_that_is_not_permitted_is_not_there() {
    Lab::run(|lab| {
        let folder = lab.subfolder("drive")?;
        lab.write("drive/report.txt", "from the technician's drive")?;
        let (target, gateway, viewer) = session(lab, Rdp::drive(&folder), "")?;
        sleep(Duration::from_secs(2));
        let there = target.run("ls -R thinclient_drives")?;
        if there.contains("share") || there.contains("report") {
            return Err(format!("the drive is on the target: {there}"));
        }
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("channel.refused", &[("channel", json!("rdpdr"))])
    });
}
