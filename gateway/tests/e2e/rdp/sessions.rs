//! What happens to RDP sessions that run: limits on what may be done, and the ways in which they end.

use std::time::Duration;

use passerelle_rdp::decoder::RdpDecoder;

use crate::harness::Outcome;
use crate::harness::clients::Viewer;
use crate::harness::clients::rdp::{Rdp, connect_file};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::SOON;
use crate::rendering::draw;

const LINE: &str = "typed over rdp";

/// A session in which a line has been typed.
fn session(lab: &Lab, client: Rdp, server: Server, more: &str) -> Outcome<(Target, Gateway, Viewer)> {
    let target = Target::start(lab, server)?;
    let gateway = Gateway::start_with(lab, &[client.security()], &target, Trust::Pin, more)?;
    let viewer = client.connect(lab, &gateway.long_login(&gateway.ticket()?), LINE)?;
    target.wait_typed(LINE)?;
    Ok((target, gateway, viewer))
}

fn wait_client(viewer: &mut Viewer, limit: Duration) -> Outcome {
    viewer.client().ok_or("the client has no process")?.wait(limit).map(drop)
}

#[test]
fn a_file_for_an_rdp_client_lets_it_in() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::ShadowNla)?;
        let gateway = Gateway::start(lab, &["nla", "tls"], &target, Trust::Pin)?;
        let address = format!("localhost:{}", gateway.port);
        let file = lab.path("desk.rdp");
        let path = file.to_string_lossy();
        // Without a microphone: FreeRDP gives up where the machine has none.
        let permissions = "view,pointer,keyboard,clipboard.to_target,audio.out,resize";
        let options = ["--address", &address, "--permissions", permissions, "--output", &path];
        gateway.cli(&[&["rdp-file", "alice", "desk"], &options[..]].concat())?;
        let viewer = connect_file(lab, &file, gateway.authority(), LINE)?;
        target.wait_typed(LINE)?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["ticket.issued", "login.accepted", "session.started", "session.ended"])
    });
}

/// Keys that are not permitted do not arrive, the denial is audited, and the picture still comes.
#[test]
fn a_viewer_without_the_keyboard_only_watches() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::Xrdp)?;
        let gateway = Gateway::start(lab, &["nla"], &target, Trust::Pin)?;
        let ticket = gateway.ticket_with(&["--permissions", "view"])?;
        let viewer = Rdp::XfreerdpNla(&[]).connect(lab, &gateway.long_login(&ticket), LINE)?;
        wait_for("the same picture at both ends", Duration::from_secs(10), || {
            (viewer.picture().ok()?.difference(&target.picture().ok()?) < 1.0).then_some(())
        })?;
        drop(viewer);
        gateway.wait_idle()?;
        if !target.typed().is_empty() {
            return Err(format!("{:?} arrived on the target", target.typed()));
        }
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "permission.denied", "session.ended"])
    });
}

#[test]
fn a_killed_session_ends_within_a_second() {
    Lab::run(|lab| {
        let (_target, gateway, mut viewer) =
            session(lab, Rdp::XfreerdpNla(&["/gfx"]), Server::ShadowNla, "")?;
        let session = gateway.wait_session()?;
        gateway.cli(&["sessions", "kill", &session, "--reason", "the wrong machine"])?;
        wait_client(&mut viewer, SOON)?;
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.killed", "session.ended"])
    });
}

#[test]
fn a_target_that_dies_ends_the_session_and_seals_the_recording() {
    Lab::run(|lab| {
        let (mut target, gateway, mut viewer) = session(lab, Rdp::XfreerdpTls(&[]), Server::Weston, "")?;
        target.server().ok_or("Weston has no process")?.signal("KILL")?;
        wait_client(&mut viewer, SOON)?;
        let said = lab.log_of("xfreerdp")?;
        if !said.contains("ERRINFO_CB_DESTINATION_NOT_FOUND") {
            return Err(format!("the technician is not told that the target is gone: {said}"));
        }
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.ended"])
    });
}

/// Told to stop, the gateway lets the session go on for the drain time, then seals what it recorded.
#[test]
fn a_gateway_that_is_told_to_stop_seals_everything() {
    Lab::run(|lab| {
        let (_target, mut gateway, mut viewer) =
            session(lab, Rdp::Rdesktop(&[]), Server::Xrdp, "limits: { drain: 1s }\n")?;
        gateway.process().signal("TERM")?;
        let status = gateway.process().wait(Duration::from_secs(10))?;
        if !status.success() {
            return Err(format!("the gateway ended with {status}"));
        }
        wait_client(&mut viewer, SOON)?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.ended", "gateway.stopped"])
    });
}

/// What a gateway recorded before it was killed can be drawn.
#[test]
fn a_killed_gateway_leaves_a_recording_that_can_be_drawn() {
    Lab::run(|lab| {
        let (_target, mut gateway, mut viewer) = session(lab, Rdp::XfreerdpNla(&["/gfx"]), Server::Grd, "")?;
        // Longer than what a crash may lose.
        std::thread::sleep(Duration::from_millis(500));
        let seen = viewer.picture()?;
        gateway.process().signal("KILL")?;
        wait_client(&mut viewer, SOON)?;
        let recording = gateway.interrupted_recording()?;
        let (drawn, skipped) = draw(&gateway, &recording, &mut RdpDecoder::new())?;
        match drawn.difference(&seen) {
            near if near < 1.0 => Ok(()),
            far => Err(format!("{far:.2} % of the pixels differ; not drawn: {skipped}")),
        }
    });
}
