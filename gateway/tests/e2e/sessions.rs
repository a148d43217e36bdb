//! What happens to sessions that run: limits on what may be done, and the ways in which they end.

use std::time::Duration;

use crate::harness::clients::Client;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::SOON;

const LINE: &str = "typed in a session";

/// Keys that are not permitted do not arrive, the denial is audited, and the picture still comes.
#[test]
fn a_viewer_without_the_keyboard_only_watches() {
    Lab::run(|lab| {
        let client = Client::GtkvncVncAuth;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let ticket = gateway.ticket_with(&["--permissions", "view"])?;
        let viewer = client.connect(lab, &gateway.login(client, &ticket), LINE)?;
        wait_for("the same picture at both ends", Duration::from_secs(10), || {
            (viewer.picture().ok()?.difference_within(&target.picture().ok()?) < 1.0).then_some(())
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

/// What was typed cannot be found in the recording.
#[test]
fn a_recording_does_not_keep_the_keys() {
    Lab::run(|lab| {
        let client = Client::VncdotoolVncAuth;
        let target = Target::start(lab, Server::XvncNone)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        drop(client.connect(lab, &gateway.login(client, &gateway.ticket()?), LINE)?);
        target.wait_typed(LINE)?;
        gateway.wait_idle()?;
        let wire = gateway.recorded(&gateway.verify_recording()?, "viewer")?;
        // A key event is: 4, pressed, two bytes of padding, the key in four bytes.
        let key = |key: u8| [4, 1, 0, 0, 0, 0, 0, key];
        let has = |event: [u8; 8]| wire.windows(8).any(|bytes| bytes == event);
        match (u8::MIN..=u8::MAX).find(|byte| has(key(*byte))) {
            Some(byte) => Err(format!("the key {:?} stands in the recording", char::from(byte))),
            None if wire.is_empty() => Err("the recording keeps nothing of the viewer".into()),
            None => Ok(()),
        }
    });
}

#[test]
fn a_killed_session_ends() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let mut viewer = client.connect(lab, &gateway.login(client, &gateway.ticket()?), LINE)?;
        target.wait_typed(LINE)?;
        let session = gateway.wait_session()?;
        gateway.cli(&["sessions", "kill", &session, "--reason", "the wrong machine"])?;
        viewer.client().ok_or("the viewer has no process")?.wait(SOON)?;
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.killed", "session.ended"])
    });
}

#[test]
fn a_target_that_dies_ends_the_session_and_seals_the_recording() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let mut target = Target::start(lab, Server::X11vnc)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let mut viewer = client.connect(lab, &gateway.login(client, &gateway.ticket()?), LINE)?;
        target.wait_typed(LINE)?;
        target.server().ok_or("x11vnc has no process")?.signal("KILL")?;
        viewer.client().ok_or("the viewer has no process")?.wait(SOON)?;
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.ended"])
    });
}

/// Told to stop, the gateway lets the session go on for the drain time, then seals what it recorded.
#[test]
fn a_gateway_that_is_told_to_stop_seals_everything() {
    Lab::run(|lab| {
        let client = Client::TigervncX509Plain;
        let target = Target::start(lab, Server::XvncVncAuth)?;
        let more = "limits: { drain: 1s }\n";
        let mut gateway = Gateway::start_with(lab, &[client.security()], &target, Trust::Pin, more)?;
        let mut viewer = client.connect(lab, &gateway.login(client, &gateway.ticket()?), LINE)?;
        target.wait_typed(LINE)?;
        gateway.process().signal("TERM")?;
        let status = gateway.process().wait(Duration::from_secs(10))?;
        if !status.success() {
            return Err(format!("the gateway ended with {status}"));
        }
        viewer.client().ok_or("the viewer has no process")?.wait(SOON)?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["session.started", "session.ended", "gateway.stopped"])
    });
}
