//! Hextile (RFC 6143, section 7.7.4).

use super::{Advance, Tiles};
use crate::Rectangle;
use crate::framer::ServerViolation;

const RAW: u8 = 1;
const BACKGROUND: u8 = 1 << 1;
const FOREGROUND: u8 = 1 << 2;
const SUBRECTANGLES: u8 = 1 << 3;
const COLOURED: u8 = 1 << 4;
const KNOWN: u8 = RAW | BACKGROUND | FOREGROUND | SUBRECTANGLES | COLOURED;

/// The tiles that are left of a Hextile rectangle.
#[derive(Clone, Debug)]
pub(in crate::framer) struct Hextile {
    tiles: Tiles,
    bytes_per_pixel: usize,
}

impl Hextile {
    pub(super) fn new(area: Rectangle, bytes_per_pixel: usize) -> Self {
        Self { tiles: Tiles::new(area), bytes_per_pixel }
    }

    pub(super) fn is_done(&self) -> bool {
        self.tiles.is_done()
    }

    pub(super) fn advance(&mut self, rest: &[u8]) -> Result<Advance, ServerViolation> {
        let Some(&mask) = rest.first() else { return Ok(Advance::Need(1)) };
        if mask & !KNOWN != 0 {
            return Err(ServerViolation::HextileMask(mask));
        }
        let pixel = self.bytes_per_pixel;
        let mut len = 1;
        if mask & RAW != 0 {
            let (width, height) = self.tiles.size();
            len += width * height * pixel;
        } else {
            for flag in [BACKGROUND, FOREGROUND] {
                if mask & flag != 0 {
                    len += pixel;
                }
            }
            if mask & SUBRECTANGLES != 0 {
                let Some(&count) = rest.get(len) else { return Ok(Advance::Need(len + 1)) };
                let subrectangle = if mask & COLOURED != 0 { 2 + pixel } else { 2 };
                len += 1 + usize::from(count) * subrectangle;
            }
        }
        self.tiles.next();
        Ok(Advance::Over(len as u64))
    }
}
