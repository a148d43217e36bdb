//! The picture that a recording shows.

use data_encoding::BASE64;
use passerelle_desktop::{Decoder, Rect};
use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::gateway::Gateway;
use crate::harness::picture::Picture;

/// Draws a recording to its end. The second value names what could not be drawn.
pub(crate) fn draw(
    gateway: &Gateway,
    recording: &str,
    decoder: &mut dyn Decoder,
) -> Outcome<(Picture, String)> {
    let entries = gateway.cli(&["recordings", "cat", recording, "--lane", "state", "--lane", "target"])?;
    for line in entries.lines() {
        let entry: Value =
            serde_json::from_str(line).map_err(|error| format!("an entry: {error}: {line}"))?;
        let data = entry["data"].as_str().ok_or("an entry without data")?;
        let bytes = BASE64.decode(data.as_bytes()).map_err(|error| format!("an entry: {error}"))?;
        let drawn = if entry["lane"] == "state" { decoder.state(&bytes) } else { decoder.target(&bytes) };
        drawn.map_err(|error| error.to_string())?;
    }
    let framebuffer = decoder.framebuffer();
    let size = framebuffer.size();
    let pixels = framebuffer.rows(Rect::of(size)).flatten().copied();
    let skipped: Vec<String> = decoder.skipped().iter().map(|skipped| format!("{skipped:?}")).collect();
    Ok((Picture::from_pixels(size.width.into(), pixels), skipped.join(", ")))
}
