//! How much an update may write.

use passerelle_desktop::{Rect, Size};

use super::part::Part;

/// How often an update may write the whole desktop. A copy of a few bytes writes all of it, an update holds 65,535 of
/// them, and one of a real target writes each pixel once or twice.
const TIMES: usize = 8;
/// What it may write in any case.
const LEAST: usize = 1 << 20;

/// The pixels that an update may still write.
#[derive(Default)]
pub(super) struct Effort(usize);

impl Effort {
    /// An update of a desktop of this size begins.
    pub(super) fn begin(&mut self, desktop: Size) {
        self.0 = TIMES * desktop.pixels() + LEAST;
    }

    /// Writes all of `area`.
    pub(super) fn spend(&mut self, area: Rect) -> Result<(), Part> {
        self.0 = self.0.checked_sub(area.pixels()).ok_or(Part::Excessive)?;
        Ok(())
    }
}
