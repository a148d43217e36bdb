//! TRLE (RFC 6143, section 7.7.5) and ZRLE (7.7.6).

use passerelle_desktop::Rect;

use super::hextile::tiles;
use super::inflate::Source;
use super::part::Part;
use super::pixels::Layout;
use super::surface::Surface;

/// The two differ in the size of their tiles, and in whether a tile may use the palette of the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Trle,
    Zrle,
}

/// Draws all tiles of `area`. `tile` is memory for one.
pub(super) fn draw(
    surface: &mut dyn Surface,
    area: Rect,
    layout: &Layout,
    tile: &mut Vec<u32>,
    source: &mut impl Source,
    kind: Kind,
) -> Result<(), Part> {
    let reuse = kind == Kind::Trle;
    let mut palette = Vec::new();
    for place in tiles(area, if kind == Kind::Trle { 16 } else { 64 }) {
        tile.clear();
        match source.byte()? {
            0 => layout.extend(source.take(place.pixels() * layout.len())?, tile),
            1 => {
                surface.fill(place, layout.colour(source.take(layout.len())?));
                continue;
            }
            colours @ 2..=16 => {
                read_palette(source, layout, colours, &mut palette)?;
                packed(source, place, &palette, tile)?;
            }
            127 if reuse && (2..=16).contains(&palette.len()) => packed(source, place, &palette, tile)?,
            128 => plain_runs(source, place.pixels(), layout, tile)?,
            129 if reuse => palette_runs(source, place.pixels(), &palette, tile)?,
            colours @ 130..=255 => {
                read_palette(source, layout, colours - 128, &mut palette)?;
                palette_runs(source, place.pixels(), &palette, tile)?;
            }
            _ => return Err(Part::Undecodable),
        }
        surface.blit(place, tile);
    }
    Ok(())
}

fn read_palette(
    source: &mut impl Source,
    layout: &Layout,
    colours: u8,
    palette: &mut Vec<u32>,
) -> Result<(), Part> {
    palette.clear();
    layout.extend(source.take(usize::from(colours) * layout.len())?, palette);
    Ok(())
}

/// Indices of one, two or four bits. Each row begins in a byte of its own.
fn packed(source: &mut impl Source, place: Rect, palette: &[u32], tile: &mut Vec<u32>) -> Result<(), Part> {
    let bits = match palette.len() {
        ..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    let width = usize::from(place.width);
    let row = (width * bits).div_ceil(8);
    // An index beyond the palette has no colour.
    let mut table = [None; 16];
    for (entry, colour) in table.iter_mut().zip(palette) {
        *entry = Some(*colour);
    }
    let mask = (1u8 << bits) - 1;
    for bytes in source.take(row * usize::from(place.height))?.chunks_exact(row) {
        let mut left = width;
        for byte in bytes {
            for shift in (0..8 / bits).rev().take(left) {
                let index = byte >> (shift * bits) & mask;
                let colour = table.get(usize::from(index)).copied().flatten();
                tile.push(colour.ok_or(Part::Undecodable)?);
            }
            left = left.saturating_sub(8 / bits);
        }
    }
    Ok(())
}

fn plain_runs(
    source: &mut impl Source,
    pixels: usize,
    layout: &Layout,
    tile: &mut Vec<u32>,
) -> Result<(), Part> {
    while tile.len() < pixels {
        let colour = layout.colour(source.take(layout.len())?);
        run(source, pixels, colour, tile)?;
    }
    Ok(())
}

fn palette_runs(
    source: &mut impl Source,
    pixels: usize,
    palette: &[u32],
    tile: &mut Vec<u32>,
) -> Result<(), Part> {
    while tile.len() < pixels {
        let index = source.byte()?;
        let colour = *palette.get(usize::from(index & 0x7f)).ok_or(Part::Undecodable)?;
        if index & 0x80 == 0 {
            tile.push(colour);
        } else {
            run(source, pixels, colour, tile)?;
        }
    }
    Ok(())
}

/// One pixel and as many more as the following bytes, of which the last is not 255, add up to.
fn run(source: &mut impl Source, pixels: usize, colour: u32, tile: &mut Vec<u32>) -> Result<(), Part> {
    let mut end = tile.len() + 1;
    loop {
        let more = source.byte()?;
        end += usize::from(more);
        if end > pixels {
            return Err(Part::Undecodable);
        }
        if more < 255 {
            break;
        }
    }
    tile.resize(end, colour);
    Ok(())
}
