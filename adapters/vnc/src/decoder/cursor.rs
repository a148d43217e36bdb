//! The shapes of pointers.

use passerelle_desktop::{Cursor, Pointer, Rect, Size, Tally};
use passerelle_rfb::Encoding;

use super::effort::Effort;
use super::part::Part;
use super::pixels::Pixels;
use super::rectangle::{Drawing, Head, Streams};
use super::rows::Memory;
use super::surface::Sprite;

const OPAQUE: u32 = 0xff00_0000;

/// A Cursor rectangle (RFC 6143, section 7.8.1): pixels, and a bit for each that says whether it is there.
pub(super) fn masked(area: Rect, body: &[u8], pixels: &Pixels) -> Result<Pointer, Part> {
    checked(area)?;
    let layout = &pixels.whole;
    let (bytes, mask) = body.split_at_checked(area.pixels() * layout.len()).ok_or(Part::Undecodable)?;
    let mut colours = Vec::new();
    layout.extend(bytes, &mut colours);
    let shown = bits(mask, area.width);
    shape(area, colours.into_iter().zip(shown).map(|(colour, shown)| if shown { OPAQUE | colour } else { 0 }))
}

/// An XCursor rectangle: two colours, a bit for each pixel that says which, and one that says whether it is there.
pub(super) fn two_coloured(area: Rect, body: &[u8]) -> Result<Pointer, Part> {
    checked(area)?;
    if area.is_empty() {
        return Ok(Pointer::Hidden);
    }
    let ([r, g, b, r2, g2, b2], bitmaps) = body.split_first_chunk().ok_or(Part::Undecodable)?;
    let (primary, secondary) =
        (u32::from_be_bytes([0xff, *r, *g, *b]), u32::from_be_bytes([0xff, *r2, *g2, *b2]));
    let (bitmap, mask) = bitmaps.split_at_checked(bitmaps.len() / 2).ok_or(Part::Undecodable)?;
    let pixels = bits(bitmap, area.width).zip(bits(mask, area.width));
    shape(
        area,
        pixels.map(|(first, shown)| {
            if !shown {
                0
            } else if first {
                primary
            } else {
                secondary
            }
        }),
    )
}

/// A CursorWithAlpha rectangle: pixels with alpha in an encoding of their own.
pub(super) fn alpha(
    area: Rect,
    body: &[u8],
    streams: &mut Streams,
    effort: &mut Effort,
    memory: &mut Memory,
    tally: &mut Tally,
) -> Result<Pointer, Part> {
    let (encoding, body) = body.split_first_chunk().ok_or(Part::Undecodable)?;
    let encoding = Encoding(i32::from_be_bytes(*encoding));
    if let Err(part) = checked(area) {
        streams.lose(encoding);
        return Err(part);
    }
    let mut sprite = Sprite::new(area.width, area.height);
    let head = Head { area: Rect { x: 0, y: 0, ..area }, encoding };
    let pixels = Pixels::rgba();
    Drawing { surface: &mut sprite, pixels: &pixels, streams, effort, memory, tally }.draw(head, body)?;
    shape(area, sprite.pixels)
}

fn checked(area: Rect) -> Result<(), Part> {
    let fits = area.width <= Cursor::MAX_SIDE && area.height <= Cursor::MAX_SIDE;
    if fits { Ok(()) } else { Err(Part::PointerShape) }
}

/// A bit for each pixel of rows that are `width` wide and begin in a byte of their own.
fn bits(bytes: &[u8], width: u16) -> impl Iterator<Item = bool> {
    let width = usize::from(width);
    let rows = bytes.chunks_exact(width.div_ceil(8).max(1));
    rows.flat_map(move |row| {
        row.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).take(width)
    })
}

/// The pointer whose place in a rectangle is its hot spot; without pixels it is hidden.
fn shape(area: Rect, pixels: impl IntoIterator<Item = u32>) -> Result<Pointer, Part> {
    if area.is_empty() {
        return Ok(Pointer::Hidden);
    }
    // Targets may point with a place beside the picture; the nearest pixel will do.
    let hotspot = (area.x.min(area.width - 1), area.y.min(area.height - 1));
    let size = Size { width: area.width, height: area.height };
    let cursor = Cursor::new(size, hotspot, pixels.into_iter().collect());
    cursor.map(Pointer::Shape).map_err(|_| Part::Undecodable)
}
