//! Blackouts: nothing of what the screen shows in a span is in the recording, and what follows is whole.

use std::process::Command;
use std::time::Duration;

use data_encoding::BASE64;
use passerelle_desktop::{Decoder, Framebuffer, Rect};
use passerelle_rdp::decoder::RdpDecoder;
use passerelle_recorder::view::{Messages, ViewPicture};
use passerelle_vnc::decoder::VncDecoder;
use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clients::{Client, Viewer};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::picture::Picture;
use crate::harness::process::read;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::views::Recording;

/// The desktop's ground before and in the span, at its end, and after it.
const BEFORE: [u8; 3] = [0x20, 0x80, 0x40];
const SECRET: [u8; 3] = [0xc0, 0x18, 0x90];
const END: [u8; 3] = [0xd0, 0x90, 0x10];
const AFTER: [u8; 3] = [0x10, 0x60, 0xd0];

const REASON: &str = "a private letter";
const LINE: &str = "seen by all";
const LONG: Duration = Duration::from_secs(60);
/// What of the desktop its ground is at least, in per cent.
const GROUND: f64 = 10.0;
/// In how many per cent of its pixels the last picture may differ from what the technician saw.
const DIFFERENCE: f64 = 1.0;

/// Gives the target's desktop this ground, and waits until the technician sees it.
fn show(target: &Target, viewer: &Viewer, colour: [u8; 3]) -> Outcome {
    let hex: String = colour.iter().map(|part| format!("{part:02x}")).collect();
    let mut xsetroot = Command::new("xsetroot");
    read(xsetroot.args(["-display", &target.display()?, "-solid", &format!("#{hex}")]))?;
    wait_for("the technician seeing the ground", LONG, || {
        (viewer.picture().ok()?.share(colour) > GROUND).then_some(())
    })
}

fn picture(framebuffer: &Framebuffer) -> Picture {
    let size = framebuffer.size();
    Picture::from_pixels(size.width.into(), framebuffer.rows(Rect::of(size)).flatten().copied())
}

/// Checks that no picture of the recording's log shows the secret, and that the last one is what the technician saw.
fn check_log(gateway: &Gateway, id: &str, decoder: &mut dyn Decoder, seen: &Picture) -> Outcome {
    let entries = gateway.cli(&["recordings", "cat", id, "--lane", "state", "--lane", "target"])?;
    let (mut dark, mut black) = (0, false);
    for line in entries.lines() {
        let entry: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let data = entry["data"].as_str().ok_or("an entry without data")?;
        let bytes = BASE64.decode(data.as_bytes()).map_err(|error| error.to_string())?;
        let drawn = if entry["lane"] == "state" { decoder.state(&bytes) } else { decoder.target(&bytes) };
        drawn.map_err(|error| error.to_string())?;
        if decoder.take_damage().is_empty() {
            continue;
        }
        let shown = picture(decoder.framebuffer());
        if shown.share(SECRET) > 0.0 {
            return Err("the log shows what was to be left out".into());
        }
        if decoder.blackout().is_some() && !black {
            dark += 1;
            if shown.share([0, 0, 0]) < 100.0 {
                return Err("the picture is not black when the span begins".into());
            }
        }
        black = decoder.blackout().is_some();
    }
    let last = picture(decoder.framebuffer());
    let difference = last.difference(seen);
    if dark != 1 || black || difference >= DIFFERENCE || !decoder.skipped().is_empty() {
        return Err(format!(
            "{dark} spans, the last picture differs in {difference:.2} %, not drawn: {:?}",
            decoder.skipped()
        ));
    }
    Ok(())
}

/// The same of what people look at.
fn check_view(lab: &Lab, gateway: &Gateway, id: &str) -> Outcome {
    gateway.cli(&["recordings", "render", id])?;
    let recording = Recording::view(lab, id.to_owned())?;
    let manifest = recording.wait("ready")?;
    let span = &manifest["blackouts"][0];
    if (&span["for"], &span["reason"]) != (&json!("user"), &json!(REASON)) || span["by"].is_null() {
        return Err(format!("the view does not tell of the span: {manifest}"));
    }
    let (from, until) = (span["from_ms"].as_u64().unwrap_or(0), span["until_ms"].as_u64().unwrap_or(0));
    if from == 0 || until <= from {
        return Err(format!("the span is {from} to {until} ms"));
    }
    let mut shown = ViewPicture::new().map_err(|error| error.to_string())?;
    let mut after = 0.0;
    for (_, bytes) in recording.chunks(&manifest)? {
        let mut messages = Messages::new(&bytes[..]).map_err(|error| error.to_string())?;
        while let Some((_, message)) = messages.next_message().map_err(|error| error.to_string())? {
            shown.apply(&message).map_err(|error| error.to_string())?;
            if message == passerelle_recorder::view::Message::Frame {
                let shown = picture(shown.framebuffer());
                if shown.share(SECRET) > 0.0 {
                    return Err("the view shows what was to be left out".into());
                }
                after = shown.share(AFTER);
            }
        }
    }
    if after > GROUND { Ok(()) } else { Err(format!("{after} % of the view's last picture are the ground")) }
}

/// What a session with a blackout is made of.
struct Scene<'a> {
    lab: &'a Lab,
    target: &'a Target,
    gateway: &'a Gateway,
    decoder: fn() -> Box<dyn Decoder>,
}

const ALLOWED: &str = "recording: { blackout: true, blackout_max: 10m, keystrokes: all }\n";

impl Scene<'_> {
    /// Has a span of what `viewer` shows left out, and looks for it.
    fn play(&self, viewer: Viewer) -> Outcome {
        let Self { lab, target, gateway, decoder } = *self;
        let id = gateway.wait_session()?;
        target.wait_typed(LINE)?;
        show(target, &viewer, BEFORE)?;

        gateway.cli(&["sessions", "blackout", &id, "--reason", REASON, "--for", "user"])?;
        let session = &gateway.sessions()?[0];
        if session["blackout"]["state"] != "on" {
            return Err(format!("the session does not tell of the blackout: {session}"));
        }
        show(target, &viewer, SECRET)?;
        show(target, &viewer, END)?;
        gateway.cli(&["sessions", "blackout", &id, "--end"])?;
        if let Ok(said) = gateway.cli(&["sessions", "blackout", &id, "--end"]) {
            return Err(format!("it ended twice: {said}"));
        }
        show(target, &viewer, AFTER)?;
        // With the whole picture that the gateway has asked for.
        let mut checked = Ok(());
        wait_for("the recording having the picture after the span", LONG, || {
            checked = check_log(gateway, &id, &mut *decoder(), &viewer.picture().ok()?);
            checked.is_ok().then_some(())
        })
        .map_err(|error| format!("{error}: {checked:?}"))?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.verify_recording()?;
        check_view(lab, gateway, &id)?;
        let events = String::from_utf8_lossy(&gateway.recorded(&id, "events")?).into_owned();
        if !(events.contains("blackout.began")
            && events.contains("blackout.ended")
            && events.contains(REASON))
        {
            return Err(format!("the recording's events do not tell: {events}"));
        }
        gateway.expect_event("blackout.began", &[("for", json!("user"))])?;
        gateway.expect_event("blackout.ended", &[("because", json!("asked"))])?;
        gateway.expect_audit(&["blackout.asked", "blackout.began", "blackout.ended", "recording.sealed"])
    }
}

#[test]
fn a_vnc_span_is_not_in_the_recording() {
    Lab::run(|lab| {
        let target = &Target::start(lab, Server::XvncNone)?;
        let client = Client::TigervncVncAuth;
        let gateway = &Gateway::start_with(lab, &[client.security()], target, Trust::Pin, ALLOWED)?;
        let viewer = client.connect(lab, &gateway.login(client, &gateway.ticket()?), LINE)?;
        let decoder = || -> Box<dyn Decoder> { Box::new(VncDecoder::new()) };
        Scene { lab, target, gateway, decoder }.play(viewer)
    });
}

fn rdp_span(client: Rdp, server: Server) {
    Lab::run(|lab| {
        let target = &Target::start(lab, server)?;
        let gateway = &Gateway::start_with(lab, &[client.security()], target, Trust::Pin, ALLOWED)?;
        let viewer = client.connect(lab, &gateway.long_login(&gateway.ticket()?), LINE)?;
        let decoder = || -> Box<dyn Decoder> { Box::new(RdpDecoder::new()) };
        Scene { lab, target, gateway, decoder }.play(viewer)
    });
}

#[test]
fn an_xrdp_span_is_not_in_the_recording() {
    rdp_span(Rdp::XfreerdpNla(&["/rfx", "/gfx"]), Server::Xrdp);
}

#[test]
fn a_shadow_span_is_not_in_the_recording() {
    rdp_span(Rdp::XfreerdpTls(&["/gfx"]), Server::ShadowTls);
}
