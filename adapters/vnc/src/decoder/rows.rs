//! Pixels row by row, plain or out of a zlib stream.

use passerelle_desktop::Rect;

use super::inflate::Inflated;
use super::part::Part;
use super::pixels::Layout;
use super::surface::Surface;

/// About how many bytes are looked at together.
const BAND: usize = 64 << 10;

/// Memory that every rectangle uses again.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) colours: Vec<u32>,
}

/// Where rows come from.
pub(super) trait Rows {
    /// Fills `bytes` with the next ones.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Part>;
}

impl Rows for &[u8] {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Part> {
        let (filled, rest) = self.split_at_checked(bytes.len()).ok_or(Part::Undecodable)?;
        bytes.copy_from_slice(filled);
        *self = rest;
        Ok(())
    }
}

impl Rows for Inflated<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Part> {
        Inflated::fill(self, bytes)
    }
}

/// Draws whole pixels.
pub(super) fn draw(
    surface: &mut dyn Surface,
    area: Rect,
    layout: &Layout,
    memory: &mut Memory,
    rows: &mut impl Rows,
) -> Result<(), Part> {
    let row = usize::from(area.width) * layout.len();
    bands(surface, area, row, memory, rows, |bytes, colours| {
        layout.extend(bytes, colours);
        Ok(())
    })
}

/// Draws `area`, whose rows take `row` bytes each, as many rows at a time as are good to handle. `decode` appends the
/// colours of some rows.
pub(super) fn bands(
    surface: &mut dyn Surface,
    area: Rect,
    row: usize,
    memory: &mut Memory,
    rows: &mut impl Rows,
    mut decode: impl FnMut(&[u8], &mut Vec<u32>) -> Result<(), Part>,
) -> Result<(), Part> {
    if area.is_empty() {
        return Ok(());
    }
    let most = u16::try_from(BAND / row.max(1)).unwrap_or(u16::MAX).max(1);
    let mut done = 0;
    while done < area.height {
        let height = most.min(area.height - done);
        memory.bytes.resize(row * usize::from(height), 0);
        rows.fill(&mut memory.bytes)?;
        memory.colours.clear();
        decode(&memory.bytes, &mut memory.colours)?;
        surface.blit(Rect { y: area.y + done, height, ..area }, &memory.colours);
        done += height;
    }
    Ok(())
}
