//! Viewers that were let in and then attack.

use passerelle_rfb::{ClientMessage, PixelFormat};

use crate::harness::lab::Lab;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// Names, bytes, and what the end of the session says.
fn attacks() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let format = |change: fn(&mut PixelFormat)| {
        let mut format = PixelFormat::BGRX;
        change(&mut format);
        ClientMessage::SetPixelFormat(format).encode()
    };
    let extended = |content: &[u8]| {
        let len = i32::try_from(content.len()).expect("a short message");
        [&[6, 0, 0, 0][..], &(-len).to_be_bytes(), content].concat()
    };
    vec![
        ("unknown message", vec![0xee; 16], "message type 238"),
        ("24 bits per pixel", format(|format| format.bits_per_pixel = 24), "bits per pixel"),
        ("depth of 200", format(|format| format.depth = 200), "depth"),
        ("colour beyond the pixel", format(|format| format.red_shift = 200), "pixel format"),
        ("65535 encodings", vec![2, 0, 0xff, 0xff], "65535 encodings"),
        ("fence of 65 bytes", [&[248, 0, 0, 0, 0, 0, 0, 0, 65][..], &[0; 65]].concat(), "fence"),
        ("unknown QEMU message", vec![255, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "QEMU"),
        ("extended clipboard without flags", extended(&[0; 2]), "malformed"),
        ("extended clipboard without an action", extended(&[0; 4]), "malformed"),
    ]
}

#[test]
fn whatever_a_viewer_sends_ends_its_own_session_only() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target))?;
        let mut bystander = Viewer::login(&site, &site.ticket_for("bob", "desk")?)?;
        let attacks = attacks();
        for (number, (name, bytes, says)) in attacks.iter().enumerate() {
            let attack = || {
                let mut viewer = Viewer::login(&site, &site.ticket()?)?;
                viewer.refresh()?;
                viewer.send(bytes)?;
                viewer.until_closed(SOON)?;
                let end = site.expect_end(number + 1, "viewer_violation")?;
                match end["message"].as_str() {
                    Some(message) if message.contains(says) => Ok(()),
                    _ => Err(format!("the end does not say {says:?}: {end}")),
                }
            };
            attack().map_err(|error: String| format!("{name}: {error}"))?;
        }
        let violations = site.audit_of("protocol.violation")?.len();
        if violations != attacks.len() {
            return Err(format!("{violations} times protocol.violation for {} attacks", attacks.len()));
        }
        bystander.refresh()?;
        drop(bystander);
        site.wait_ends(attacks.len() + 1)?;
        site.expect_sealed()
    });
}

/// Lengths that are announced and never come do not make the gateway reserve memory; content over the
/// limit is passed over, and the session goes on.
#[test]
fn announced_lengths_reserve_nothing() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        let mut viewers = Vec::new();
        for _ in 0..4 {
            viewers.push(Viewer::login(&site, &site.ticket()?)?);
        }
        let before = site.memory()?;
        for (viewer, len) in viewers.iter_mut().zip([0x7fff_ffff_u32, 0x8000_0000, 0x8000_0001, 60_000]) {
            viewer.refresh()?;
            viewer.send(&[&[6, 0, 0, 0][..], &len.to_be_bytes(), &[b'x'; 30_000]].concat())?;
        }
        site.wait_sessions(4)?;
        let after = site.memory()?;
        if after > before + 8 * 1024 {
            return Err(format!("the gateway grew from {before} to {after} KiB"));
        }
        // The one whose content comes after all goes on: its remaining bytes, then a request.
        let last = viewers.last_mut().ok_or("four viewers")?;
        last.send(&[b'x'; 30_000])?;
        last.send(&wire::request())?;
        last.receive(wire::raw_screen().len()).map(drop)
    });
}
