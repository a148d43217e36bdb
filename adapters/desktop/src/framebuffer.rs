//! The picture of a desktop.

use crate::{Damage, Rect, Size};

/// A picture of 32-bit pixels, `0x00RRGGBB`, that remembers which of them changed.
pub struct Framebuffer {
    size: Size,
    pixels: Vec<u32>,
    damage: Damage,
}

/// A framebuffer that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramebufferError {
    /// Without width or height.
    #[error("a desktop of {width}x{height} pixels has no pixel", width = .0.width, height = .0.height)]
    Empty(Size),
    /// More than [`Framebuffer::MAX_PIXELS`].
    #[error(
        "a desktop of {width}x{height} pixels is larger than the {limit} pixels that are supported",
        width = .0.width, height = .0.height, limit = Framebuffer::MAX_PIXELS
    )]
    TooLarge(Size),
}

/// One black pixel: the desktop whose size is not known yet.
impl Default for Framebuffer {
    fn default() -> Self {
        let size = Size { width: 1, height: 1 };
        let mut damage = Damage::new();
        damage.add(Rect::of(size));
        Self { size, pixels: vec![0], damage }
    }
}

impl Framebuffer {
    /// The most pixels that a framebuffer holds: 64 Mpx, which take 256 MiB.
    pub const MAX_PIXELS: usize = 64 << 20;

    /// A black picture, all of it damaged.
    ///
    /// # Errors
    /// The size is empty or too large.
    pub fn new(size: Size) -> Result<Self, FramebufferError> {
        if size.pixels() == 0 {
            return Err(FramebufferError::Empty(size));
        }
        if size.pixels() > Self::MAX_PIXELS {
            return Err(FramebufferError::TooLarge(size));
        }
        let mut damage = Damage::new();
        damage.add(Rect::of(size));
        Ok(Self { size, pixels: vec![0; size.pixels()], damage })
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The rows of `area`, from top to bottom, of what lies within the picture.
    pub fn rows(&self, area: Rect) -> impl Iterator<Item = &[u32]> {
        let area = area.intersection(Rect::of(self.size));
        let stride = usize::from(self.size.width);
        area.into_iter().flat_map(move |area| {
            let (x, y) = (usize::from(area.x), usize::from(area.y));
            (y..y + usize::from(area.height)).filter_map(move |row| {
                let start = row * stride + x;
                self.pixels.get(start..start + usize::from(area.width))
            })
        })
    }

    /// Puts `source`, the rows of `area` one after the other, into the picture.
    ///
    /// What lies outside the picture is left out. Damaged is the smallest rectangle that holds all
    /// pixels that really changed.
    pub fn write(&mut self, area: Rect, source: impl IntoIterator<Item = u32>) {
        let stride = usize::from(self.size.width);
        let visible = area.right().min(self.size.width.into()).saturating_sub(area.x.into()) as usize;
        let mut source = source.into_iter();
        let mut changed: Option<Rect> = None;
        for y in area.y..self.size.height.min(area.y.saturating_add(area.height)) {
            let start = usize::from(y) * stride + usize::from(area.x);
            let mut columns: Option<(u16, u16)> = None;
            for column in 0..area.width {
                let Some(new) = source.next() else { break };
                if usize::from(column) >= visible {
                    continue;
                }
                let Some(pixel) = self.pixels.get_mut(start + usize::from(column)) else { continue };
                if *pixel != new & 0x00ff_ffff {
                    *pixel = new & 0x00ff_ffff;
                    columns = Some((columns.map_or(column, |(first, _)| first), column));
                }
            }
            if let Some((first, last)) = columns {
                let row = Rect { x: area.x + first, y, width: last - first + 1, height: 1 };
                changed = Some(changed.map_or(row, |changed| changed.hull(row)));
            }
        }
        if let Some(changed) = changed {
            self.damage.add(changed);
        }
    }

    /// What changed since the last call.
    pub fn take_damage(&mut self) -> Damage {
        std::mem::take(&mut self.damage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u16, height: u16) -> Size {
        Size { width, height }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert_eq!(Framebuffer::new(size(0, 9)).err(), Some(FramebufferError::Empty(size(0, 9))));
        let huge = size(65_535, 65_535);
        assert_eq!(Framebuffer::new(huge).err(), Some(FramebufferError::TooLarge(huge)));
    }

    #[test]
    fn only_pixels_that_change_are_damaged() {
        let mut framebuffer = Framebuffer::new(size(10, 8)).unwrap();
        assert_eq!(framebuffer.take_damage().rects(), [Rect::of(size(10, 8))]);
        let area = Rect { x: 2, y: 2, width: 4, height: 3 };
        let mut pixels = [0u32; 12];
        pixels[5] = 0xff12_3456;
        pixels[10] = 0x0065_4321;
        framebuffer.write(area, pixels);
        assert_eq!(framebuffer.take_damage().rects(), [Rect { x: 3, y: 3, width: 2, height: 2 }]);
        framebuffer.write(area, pixels);
        assert!(framebuffer.take_damage().is_empty());
        let rows: Vec<_> = framebuffer.rows(area).flatten().copied().collect();
        assert_eq!((rows[5], rows[10], rows.len()), (0x12_3456, 0x65_4321, 12));
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut framebuffer = Framebuffer::new(size(4, 4)).unwrap();
        framebuffer.take_damage();
        framebuffer.write(Rect { x: 2, y: 3, width: 5, height: 5 }, (1..26).collect::<Vec<_>>());
        assert_eq!(framebuffer.take_damage().rects(), [Rect { x: 2, y: 3, width: 2, height: 1 }]);
        framebuffer.write(Rect { x: 900, y: 900, width: 5, height: 5 }, [7; 25]);
        assert!(framebuffer.take_damage().is_empty());
        let all = Rect { x: 0, y: 0, width: 900, height: 900 };
        assert_eq!(framebuffer.rows(all).flatten().copied().sum::<u32>(), 1 + 2);
    }
}
