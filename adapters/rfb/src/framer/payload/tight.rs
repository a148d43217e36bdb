//! Tight and TightPNG (community specification, Tight encoding).

use super::Advance;
use crate::framer::ServerViolation;
use crate::{PixelFormat, Rectangle};

/// Below this size, filtered pixels are sent as they are.
const LEAST_COMPRESSED: u64 = 12;

/// What is left of a Tight rectangle.
#[derive(Clone, Debug)]
pub(in crate::framer) struct Tight {
    width: u64,
    height: u64,
    tpixel: u64,
    /// Whether the gradient filter makes sense: pixels have colours of more than a byte.
    gradient: bool,
    png: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Control,
    /// A compact length and as many bytes.
    Compact,
    Done,
}

impl Tight {
    pub(super) fn new(area: Rectangle, format: &PixelFormat, png: bool) -> Self {
        Self {
            width: u64::from(area.width),
            height: u64::from(area.height),
            tpixel: format.tpixel_len() as u64,
            gradient: format.true_colour && format.bits_per_pixel > 8,
            png,
            stage: Stage::Control,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn advance(&mut self, rest: &[u8]) -> Result<Advance, ServerViolation> {
        let (advance, stage) = match self.stage {
            Stage::Control => self.control(rest)?,
            Stage::Compact => compact(rest),
            Stage::Done => (Advance::Over(0), Stage::Done),
        };
        if matches!(advance, Advance::Over(_)) {
            self.stage = stage;
        }
        Ok(advance)
    }

    fn control(&self, rest: &[u8]) -> Result<(Advance, Stage), ServerViolation> {
        let Some(&control) = rest.first() else { return Ok((Advance::Need(1), Stage::Control)) };
        // The lower half only resets zlib streams.
        match control >> 4 {
            0b1000 => Ok((Advance::Over(1 + self.tpixel), Stage::Done)),
            0b1001 => Ok((Advance::Over(1), Stage::Compact)),
            0b1010 if self.png => Ok((Advance::Over(1), Stage::Compact)),
            0..=0b0011 => Ok(filtered(1, self.width * self.tpixel * self.height)),
            0b0100..=0b0111 => self.filter(rest),
            _ => Err(ServerViolation::TightControl(control)),
        }
    }

    fn filter(&self, rest: &[u8]) -> Result<(Advance, Stage), ServerViolation> {
        const COPY: u8 = 0;
        const PALETTE: u8 = 1;
        const GRADIENT: u8 = 2;
        let Some(&filter) = rest.get(1) else { return Ok((Advance::Need(2), Stage::Control)) };
        let unfiltered = self.width * self.tpixel * self.height;
        match filter {
            COPY => Ok(filtered(2, unfiltered)),
            GRADIENT if self.gradient => Ok(filtered(2, unfiltered)),
            PALETTE => {
                let Some(&last) = rest.get(2) else { return Ok((Advance::Need(3), Stage::Control)) };
                let colours = u64::from(last) + 1;
                let row = match colours {
                    1 => return Err(ServerViolation::TightPaletteOfOne),
                    2 => self.width.div_ceil(8),
                    _ => self.width,
                };
                Ok(filtered(3 + colours * self.tpixel, row * self.height))
            }
            _ => Err(ServerViolation::TightFilter(filter)),
        }
    }
}

/// What follows `head` bytes of control, filter and palette.
fn filtered(head: u64, data: u64) -> (Advance, Stage) {
    if data < LEAST_COMPRESSED {
        (Advance::Over(head + data), Stage::Done)
    } else {
        (Advance::Over(head), Stage::Compact)
    }
}

/// One to three bytes, seven bits in each but the last, which has eight.
fn compact(rest: &[u8]) -> (Advance, Stage) {
    let mut len = 0u64;
    for (index, shift) in [0, 7, 14].into_iter().enumerate() {
        let Some(&byte) = rest.get(index) else { return (Advance::Need(index + 1), Stage::Compact) };
        let last = index == 2 || byte & 0x80 == 0;
        let bits = if index == 2 { byte } else { byte & 0x7f };
        len |= u64::from(bits) << shift;
        if last {
            return (Advance::Over(index as u64 + 1 + len), Stage::Done);
        }
    }
    (Advance::Over(3 + len), Stage::Done)
}
