//! Hextile (RFC 6143, section 7.7.4).

use passerelle_desktop::Rect;

use super::inflate::Source as _;
use super::part::Part;
use super::rectangle::Drawing;

const SIDE: u16 = 16;

const RAW: u8 = 1;
const BACKGROUND: u8 = 1 << 1;
const FOREGROUND: u8 = 1 << 2;
const SUBRECTANGLES: u8 = 1 << 3;
const COLOURED: u8 = 1 << 4;

pub(super) fn draw(drawing: &mut Drawing<'_>, area: Rect, body: &[u8]) -> Result<(), Part> {
    let layout = &drawing.pixels.whole;
    let tile = &mut drawing.memory.colours;
    let mut rest = body;
    // Both hold until a tile says otherwise.
    let (mut background, mut foreground) = (0, 0);
    for place in tiles(area, SIDE) {
        let kind = rest.byte()?;
        tile.clear();
        if kind & RAW != 0 {
            layout.extend(rest.take(place.pixels() * layout.len())?, tile);
            drawing.surface.blit(place, tile);
            continue;
        }
        if kind & BACKGROUND != 0 {
            background = layout.colour(rest.take(layout.len())?);
        }
        if kind & FOREGROUND != 0 {
            foreground = layout.colour(rest.take(layout.len())?);
        }
        if kind & SUBRECTANGLES == 0 {
            drawing.surface.fill(place, background);
            continue;
        }
        tile.resize(place.pixels(), background);
        let width = usize::from(place.width);
        for _ in 0..rest.byte()? {
            let colour =
                if kind & COLOURED != 0 { layout.colour(rest.take(layout.len())?) } else { foreground };
            let (at, size) = (rest.byte()?, rest.byte()?);
            let (x, y) = (usize::from(at >> 4), usize::from(at & 0xf));
            let (columns, rows) = (usize::from(size >> 4) + 1, usize::from(size & 0xf) + 1);
            for row in tile.chunks_exact_mut(width).skip(y).take(rows) {
                let end = width.min(x + columns);
                row.get_mut(x..end).unwrap_or_default().fill(colour);
            }
        }
        drawing.surface.blit(place, tile);
    }
    Ok(())
}

/// The tiles of `area`, row by row. Those at the right and at the bottom may be smaller.
pub(super) fn tiles(area: Rect, side: u16) -> impl Iterator<Item = Rect> {
    let along = move |length: u16| (0..length).step_by(side.into());
    along(area.height).flat_map(move |y| {
        along(area.width).map(move |x| Rect {
            x: area.x + x,
            y: area.y + y,
            width: side.min(area.width - x),
            height: side.min(area.height - y),
        })
    })
}
