//! Files on the clipboard, and files that are under way when a session ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::clients::Viewer;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clipboard::{copy, copy_files, paste_files, wait_pasted};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::process::{Process, read};
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::SOON;

const LINE: &str = "beside the picture";

/// A session on xrdp with these permissions besides, in which a line has been typed.
fn session(lab: &Lab, client: Rdp, permissions: &str) -> Outcome<(Target, Gateway, Viewer)> {
    let target = Target::start(lab, Server::Xrdp)?;
    let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
    let ticket = gateway.ticket_with(&["--permissions", &format!("view,pointer,keyboard{permissions}")])?;
    let viewer = client.connect(lab, &gateway.long_login(&ticket), LINE)?;
    target.wait_typed(LINE)?;
    Ok((target, gateway, viewer))
}

/// Text that does not repeat, so that a piece which comes twice or in the wrong place shows.
fn text(len: usize) -> String {
    let mut text: String = (0..).map(|number| format!("{number} bottles\n")).take(len / 9).collect();
    text.truncate(len);
    text
}

fn sha256(file: &Path) -> Outcome<String> {
    let sum = read(Command::new("sha256sum").arg(file))?;
    Ok(String::from_utf8_lossy(&sum).split(' ').next().unwrap_or_default().to_owned())
}

/// Copies files in the client and waits until the target's clipboard says where they are. The files can be had as
/// long as the process runs.
///
/// A target that asked before the client told of files keeps the refusal for its answer; as a person would, this
/// copies once more then.
fn copy_over(lab: &Lab, from: &str, to: &str, files: &[&Path]) -> Outcome<(Process, Vec<String>)> {
    wait_for("copied files arriving at the other end", SOON, || {
        let copied = copy_files(lab, from, files).ok()?;
        let there = (0..4).find_map(|_| {
            sleep(Duration::from_secs(2));
            paste_files(to).filter(|there| there.len() == files.len())
        })?;
        Some((copied, there))
    })
}

#[test]
fn files_are_copied_to_the_target_and_audited() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Rdp::XfreerdpNla(&[]), ",files.to_target")?;
        let short = lab.write("für den Empfang.txt", "a few words\n")?;
        let long = lab.write("report.txt", text(300_000))?;
        let (_copied, there) = copy_over(lab, viewer.display()?, &target.display()?, &[&short, &long])?;
        for (path, file) in there.iter().zip([&short, &long]) {
            let read = target.run(&format!("cat '{path}'"))?;
            let wanted = fs::read_to_string(file).map_err(|error| error.to_string())?;
            if read != wanted {
                return Err(format!("{path}: {} of {} bytes are right", same(&read, &wanted), wanted.len()));
            }
        }
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event(
            "clipboard.transferred",
            &[("from", json!("viewer")), ("format", json!("files"))],
        )?;
        for file in [&short, &long] {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let details = [
                ("from", json!("viewer")),
                ("by", json!("clipboard")),
                ("name", json!(name)),
                ("bytes", json!(fs::metadata(file).map_err(|error| error.to_string())?.len())),
                ("sha256", json!(sha256(file)?)),
            ];
            gateway.expect_event("file.transferred", &details)?;
        }
        // By its name the session is found again.
        wait_for("the session to be found by a file's name", SOON, || {
            let found = gateway.cli(&["recordings", "list", "--search", "für empfang", "--json"]).ok()?;
            let found: Value = serde_json::from_str(&found).ok()?;
            (found[0]["matches"][0]["kind"] == "file.transferred").then_some(())
        })
    });
}

/// How many bytes at the beginning are the same.
fn same(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// Only text is permitted: the copied file is not even on the target's clipboard, and the session goes on.
#[test]
fn files_that_may_not_be_copied_do_not_arrive() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Rdp::XfreerdpNla(&[]), ",clipboard.to_target")?;
        let there = target.display()?;
        let secret = lab.write("secret.txt", "not for the target\n")?;
        let copied = copy_files(lab, viewer.display()?, &[&secret])?;
        sleep(Duration::from_secs(2));
        match paste_files(&there) {
            Some(files) if !files.is_empty() => return Err(format!("the target was told of {files:?}")),
            Some(_) | None => {}
        }
        drop(copied);
        let _copied = copy(lab, viewer.display()?, "a word")?;
        wait_pasted(&there, "a word")?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("permission.denied", &[("permission", json!("files.to_target"))])
    });
}

/// Files of the target's are offered with permission and held back without it.
#[test]
fn files_of_the_target_are_offered_with_permission_only() {
    Lab::run(|lab| {
        let (target, gateway, viewer) = session(lab, Rdp::XfreerdpNla(&[]), ",files.to_target")?;
        let file = lab.write("of-the-target.txt", "not for the technician\n")?;
        let _copied = copy_files(lab, &target.display()?, &[&file])?;
        wait_for("the denial in the audit log", Duration::from_secs(10), || {
            gateway.expect_event("permission.denied", &[("permission", json!("files.from_target"))]).ok()
        })?;
        drop(viewer);
        gateway.wait_idle()
    });
}

/// A session that is killed while the target reads a file: how much went through, and that it was not all.
fn kill_while_reading(
    target: &Target,
    gateway: &Gateway,
    viewer: &mut Viewer,
    path: &str,
    details: &[(&str, Value)],
) -> Outcome {
    // It stays open, so that the client is not told that this was all.
    target.run(&format!(
        "sh -c 'exec 3<\"$0\"; head -c 100000 <&3 >part; exec sleep 60' '{path}' >/dev/null 2>&1 & true"
    ))?;
    wait_for("the first part of the file on the target", Duration::from_secs(10), || {
        target.run("test $(stat -c %s part) = 100000").ok()
    })?;
    let session = gateway.wait_session()?;
    gateway.cli(&["sessions", "kill", &session])?;
    viewer.client().ok_or("the client has no process")?.wait(SOON)?;
    gateway.wait_idle()?;
    gateway.expect_event("file.transferred", details)?;
    gateway.verify_recording().map(drop)
}

#[test]
fn a_file_on_a_drive_that_is_under_way_when_the_session_is_killed_has_no_hash() {
    Lab::run(|lab| {
        let folder = lab.subfolder("drive")?;
        lab.write("drive/long.txt", text(8 << 20))?;
        let (target, gateway, mut viewer) = session(lab, Rdp::drive(&folder), ",drives,files.to_target")?;
        let path = "thinclient_drives/share/long.txt";
        wait_for("the drive on the target", Duration::from_secs(10), || {
            target.run(&format!("test -f {path}")).ok()
        })?;
        let details = [("by", json!("drive")), ("name", json!("share/long.txt")), ("sha256", Value::Null)];
        kill_while_reading(&target, &gateway, &mut viewer, path, &details)
    });
}

#[test]
fn a_copied_file_that_is_under_way_when_the_session_is_killed_has_no_hash() {
    Lab::run(|lab| {
        let (target, gateway, mut viewer) = session(lab, Rdp::XfreerdpNla(&[]), ",files.to_target")?;
        let long = lab.write("long.txt", text(8 << 20))?;
        let (_copied, there) = copy_over(lab, viewer.display()?, &target.display()?, &[&long])?;
        let details = [("by", json!("clipboard")), ("name", json!("long.txt")), ("sha256", Value::Null)];
        kill_while_reading(&target, &gateway, &mut viewer, &there[0], &details)
    });
}
