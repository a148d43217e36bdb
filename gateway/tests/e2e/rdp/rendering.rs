//! The picture that a recording shows.

use passerelle_desktop::{Decoder as _, Rect};
use passerelle_rdp::decoder::RdpDecoder;
use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::gateway::Gateway;
use crate::harness::picture::Picture;

/// Draws a recording to its end. The second value names what could not be drawn.
pub(super) fn draw(gateway: &Gateway, recording: &str) -> Outcome<(Picture, String)> {
    let state = gateway.recorded(recording, "state")?;
    // Other entries may follow the first.
    let start = serde_json::Deserializer::from_slice(&state).into_iter::<Value>().next();
    let start = start.ok_or("the recording does not say what it starts from")?;
    let start = start.map_err(|error| format!("what the recording starts from: {error}"))?;
    let mut decoder = RdpDecoder::new();
    decoder.state(start.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let wire = gateway.recorded(recording, "target")?;
    decoder.target(&wire).map_err(|error| error.to_string())?;

    let framebuffer = decoder.framebuffer();
    let size = framebuffer.size();
    let all = Rect { x: 0, y: 0, width: size.width, height: size.height };
    let pixels = framebuffer.rows(all).flatten().copied();
    let skipped: Vec<String> = decoder.skipped().iter().map(|skipped| format!("{skipped:?}")).collect();
    Ok((Picture::from_pixels(size.width.into(), pixels), skipped.join(", ")))
}
