//! What the target plays reaches the client.
//!
//! xrdp takes sound from a module of PulseAudio's that Debian 12 does not have, over a socket; here a file goes there.
//! FreeRDP plays to nobody, and confirms what it has played.

use serde_json::json;

use crate::harness::Outcome;
use crate::harness::clients::Viewer;
use crate::harness::clients::rdp::Rdp;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};

/// How many bytes xrdp sends at a time.
const PIECE: usize = 8192;

/// How many of them are played.
const PIECES: usize = 8;

/// Noise that does not repeat: 16-bit samples for two ears, 44,100 a second.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let mut sample = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 18).to_le_bytes()[..2].to_vec()
    };
    (0..PIECES * PIECE / 2).flat_map(|_| sample()).collect()
}

/// The noise as xrdp's sound server takes it: pieces, and word that the sound has ended.
fn played(noise: &[u8]) -> Vec<u8> {
    const DATA: u32 = 0;
    const CLOSE: u32 = 1;
    let message = |kind: u32, data: &[u8]| {
        let len = u32::try_from(data.len() + 8).unwrap_or(u32::MAX);
        [&kind.to_le_bytes()[..], &len.to_le_bytes(), data].concat()
    };
    let pieces = noise.chunks(PIECE).flat_map(|piece| message(DATA, piece));
    pieces.chain(message(CLOSE, &[0; 4])).collect()
}

/// A session on xrdp with these permissions besides.
fn session(lab: &Lab, permissions: &str) -> Outcome<(Target, Gateway, Viewer)> {
    let target = Target::start(lab, Server::Xrdp)?;
    let gateway = Gateway::start(lab, &["nla"], &target, Trust::Pin)?;
    let ticket = gateway.ticket_with(&["--permissions", &format!("view,pointer,keyboard{permissions}")])?;
    let client = Rdp::XfreerdpNla(&["/sound:sys:fake,format:1,rate:44100,channel:2"]);
    let viewer = client.connect(lab, &gateway.long_login(&ticket), "before")?;
    target.wait_typed("before")?;
    Ok((target, gateway, viewer))
}

/// Plays it on the target.
fn play(lab: &Lab, target: &Target, noise: &[u8]) -> Outcome {
    let file = lab.write("played", played(noise))?;
    target.run(&format!(
        "socat -u 'OPEN:{},rdonly' \"UNIX-CONNECT:$(ls /run/xrdp/sockdir/xrdp_chansrv_audio_out_socket_*)\"",
        file.display()
    ))?;
    Ok(())
}

/// The sound of a recorded session: how many of the pieces that were played reached the client, and how many it
/// confirmed (MS-RDPEA 2.2.3.8).
fn passed(gateway: &Gateway, noise: &[u8]) -> Outcome<(usize, usize)> {
    const CONFIRMATION: [u8; 12] = [8, 0, 0, 0, 3, 0, 0, 0, 5, 0, 4, 0];
    let recording = gateway.verify_recording()?;
    let (wire, answers) = (gateway.recorded(&recording, "target")?, gateway.recorded(&recording, "viewer")?);
    let find = |wire: &[u8], part: &[u8]| wire.windows(part.len()).any(|window| window == part);
    // Channels are sent in parts, so only the beginning of a piece is sure to be in one.
    let pieces = noise.chunks(PIECE).filter(|piece| find(&wire, &piece[4..1000])).count();
    let confirmed = answers.windows(CONFIRMATION.len()).filter(|window| *window == CONFIRMATION).count();
    Ok((pieces, confirmed))
}

/// A session with these permissions, in which the target plays: what [`passed`], after `event` told of the channel.
fn played_with(lab: &Lab, permissions: &str, event: &str) -> Outcome<(usize, usize)> {
    let (target, gateway, viewer) = session(lab, permissions)?;
    let noise = noise();
    play(lab, &target, &noise)?;
    viewer.type_line("after")?;
    target.wait_typed("after")?;
    drop(viewer);
    gateway.wait_idle()?;
    gateway.expect_event(event, &[("channel", json!("rdpsnd"))])?;
    passed(&gateway, &noise)
}

#[test]
fn what_the_target_plays_reaches_a_client_that_may_hear_it() {
    Lab::run(|lab| match played_with(lab, ",audio.out", "channel.opened")? {
        (PIECES, 1..) => Ok(()),
        (pieces, confirmed) => Err(format!("{pieces} pieces came, {confirmed} were confirmed")),
    });
}

/// The target plays, nothing passes, and the session goes on.
#[test]
fn what_the_target_plays_does_not_reach_a_client_that_may_not() {
    Lab::run(|lab| match played_with(lab, "", "channel.refused")? {
        (0, 0) => Ok(()),
        (pieces, confirmed) => Err(format!("{pieces} pieces came, {confirmed} were confirmed")),
    });
}
