//! TRLE (RFC 6143, section 7.7.5).

use super::{Advance, Tiles};
use crate::Rectangle;
use crate::framer::ServerViolation;

/// The tiles that are left of a TRLE rectangle.
#[derive(Clone, Debug)]
pub(in crate::framer) struct Trle {
    tiles: Tiles,
    cpixel: usize,
    /// Colours in the palette that the next tile may reuse; 0 if there is none.
    palette: u8,
    /// The runs of the current tile, if it has any.
    runs: Option<Runs>,
}

#[derive(Clone, Copy, Debug)]
struct Runs {
    /// Pixels that no run has covered yet.
    left: usize,
    kind: RunKind,
}

#[derive(Clone, Copy, Debug)]
enum RunKind {
    /// A compact pixel and a length.
    Plain,
    /// An index and, if its top bit is set, a length.
    Palette,
}

impl Trle {
    pub(super) fn new(area: Rectangle, cpixel: usize) -> Self {
        Self { tiles: Tiles::new(area), cpixel, palette: 0, runs: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.tiles.is_done() && self.runs.is_none()
    }

    pub(super) fn advance(&mut self, rest: &[u8]) -> Result<Advance, ServerViolation> {
        match self.runs {
            Some(runs) => self.run(runs, rest),
            None => self.tile(rest),
        }
    }

    fn tile(&mut self, rest: &[u8]) -> Result<Advance, ServerViolation> {
        let Some(&subencoding) = rest.first() else { return Ok(Advance::Need(1)) };
        let (width, height) = self.tiles.size();
        let left = width * height;
        let len = match subencoding {
            0 => left * self.cpixel,
            1 => self.cpixel,
            2..=16 => {
                self.palette = subencoding;
                usize::from(subencoding) * self.cpixel + packed_len(subencoding, width, height)
            }
            127 => match self.palette {
                2..=16 => packed_len(self.palette, width, height),
                _ => return Err(ServerViolation::TrlePaletteMissing),
            },
            128 => {
                self.runs = Some(Runs { left, kind: RunKind::Plain });
                0
            }
            129 => {
                if self.palette == 0 {
                    return Err(ServerViolation::TrlePaletteMissing);
                }
                self.runs = Some(Runs { left, kind: RunKind::Palette });
                0
            }
            130..=255 => {
                self.palette = subencoding - 128;
                self.runs = Some(Runs { left, kind: RunKind::Palette });
                usize::from(self.palette) * self.cpixel
            }
            17..=126 => return Err(ServerViolation::TrleSubencoding(subencoding)),
        };
        self.tiles.next();
        Ok(Advance::Over(1 + len as u64))
    }

    fn run(&mut self, runs: Runs, rest: &[u8]) -> Result<Advance, ServerViolation> {
        let (value, has_length) = match runs.kind {
            RunKind::Plain => (self.cpixel, true),
            RunKind::Palette => {
                let Some(&byte) = rest.first() else { return Ok(Advance::Need(1)) };
                let index = byte & 0x7f;
                if index >= self.palette {
                    return Err(ServerViolation::TrlePaletteIndex { index, palette: self.palette });
                }
                (1, byte & 0x80 != 0)
            }
        };
        let mut len = value;
        let mut pixels = 1;
        if has_length {
            loop {
                let Some(&byte) = rest.get(len) else { return Ok(Advance::Need(len + 1)) };
                len += 1;
                pixels += usize::from(byte);
                if pixels > runs.left {
                    return Err(ServerViolation::TrleRunTooLong);
                }
                if byte < 255 {
                    break;
                }
            }
        }
        let left = runs.left.checked_sub(pixels).ok_or(ServerViolation::TrleRunTooLong)?;
        self.runs = (left > 0).then_some(Runs { left, ..runs });
        Ok(Advance::Over(len as u64))
    }
}

/// Bytes of packed palette indices. Each row starts in a byte of its own.
fn packed_len(palette: u8, width: usize, height: usize) -> usize {
    let bits = match palette {
        ..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    (width * bits).div_ceil(8) * height
}
