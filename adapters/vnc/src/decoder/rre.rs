//! RRE (RFC 6143, section 7.7.3) and CoRRE: a background, and rectangles on it.

use passerelle_desktop::Rect;

use super::inflate::Source as _;
use super::part::Part;
use super::rectangle::Drawing;

/// How a subrectangle says where it is.
#[derive(Clone, Copy)]
pub(super) enum Numbers {
    /// Two bytes each.
    Long,
    /// One byte each.
    Short,
}

pub(super) fn draw(drawing: &mut Drawing<'_>, area: Rect, body: &[u8], numbers: Numbers) -> Result<(), Part> {
    let layout = &drawing.pixels.whole;
    let mut rest = body;
    let count = rest.take(4)?.first_chunk().map_or(0, |count| u32::from_be_bytes(*count));
    let background = layout.colour(rest.take(layout.len())?);
    drawing.surface.fill(area, background);
    for _ in 0..count {
        let colour = layout.colour(rest.take(layout.len())?);
        let [x, y, width, height] = match numbers {
            Numbers::Long => {
                let numbers = rest.take(8)?.as_chunks::<2>().0;
                numbers.first_chunk().ok_or(Part::Undecodable)?.map(u16::from_be_bytes)
            }
            Numbers::Short => rest.take(4)?.first_chunk().ok_or(Part::Undecodable)?.map(u16::from),
        };
        let place = Rect { x: area.x.saturating_add(x), y: area.y.saturating_add(y), width, height };
        if let Some(visible) = place.intersection(area) {
            drawing.effort.spend(visible)?;
            drawing.surface.fill(visible, colour);
        }
    }
    Ok(())
}
