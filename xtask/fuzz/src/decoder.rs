//! What draws recorded VNC sessions.

use passerelle_desktop::Decoder as _;
use passerelle_vnc::decoder::VncDecoder;
use passerelle_vnc::{MarkedFormat, Marker};

use super::drawn::{Drawn, check_damage};
use super::rfb::desktop;

/// So small that each piece may be one byte.
const SLOW: usize = 16 * 1024;

/// The picture does not depend on how the recording is read, nor does what is counted as missing from it, and what
/// changes is said.
///
/// The input is a list of turns: an entry of the `state` lane, or bytes of the `target` lane, behind a byte that says
/// which and two with the length, the high one first.
pub(crate) fn decoder(data: &[u8]) {
    let whole = draw(data, usize::MAX);
    if data.len() <= SLOW && whole.pixels.len() <= 1 << 20 {
        assert_eq!(whole, draw(data, 1));
    }
}

fn draw(mut turns: &[u8], piece: usize) -> Drawn {
    let mut decoder = VncDecoder::new();
    let mut result = decoder.target(&desktop().encode());
    while let Some(([what, high, low], rest)) = turns.split_first_chunk()
        && result.is_ok()
    {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, rest) = rest.split_at(len.min(rest.len()));
        turns = rest;
        result = match what & 3 {
            0 => decoder.state(bytes),
            1 => decoder.state(&marker(bytes)),
            _ => bytes.chunks(piece).try_for_each(|piece| decoder.target(piece)),
        };
        check_damage(&mut decoder);
    }
    Drawn::end(&decoder, result)
}

/// A change of the pixel format in few bytes: its fields one after the other, and what is missing is zero.
fn marker(bytes: &[u8]) -> Vec<u8> {
    let field = |at: usize| bytes.get(at).copied().unwrap_or_default();
    // One less than a power of two, as most are.
    let max = |at: usize| 1u16.checked_shl(field(at).into()).unwrap_or_default().wrapping_sub(1);
    Marker::PixelFormat(MarkedFormat {
        bits_per_pixel: field(0),
        depth: field(1),
        big_endian: field(2) & 1 != 0,
        true_colour: field(2) & 2 != 0,
        red_max: max(3),
        green_max: max(4),
        blue_max: max(5),
        red_shift: field(6),
        green_shift: field(7),
        blue_shift: field(8),
    })
    .encode()
}
