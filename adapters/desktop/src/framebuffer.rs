//! The picture of a desktop.

use std::ops::Range;

use crate::{Damage, Rect, Size};

/// The bits of a pixel that mean something.
const COLOUR: u32 = 0x00ff_ffff;

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
                if *pixel != new & COLOUR {
                    *pixel = new & COLOUR;
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

    /// What [`write`](Self::write) does, for pixels that lie in memory; much faster.
    pub fn blit(&mut self, area: Rect, source: &[u32]) {
        let width = usize::from(area.width).max(1);
        let mut rows = source.chunks(width);
        self.draw(area, |row, _| put(row, rows.next().unwrap_or_default()));
    }

    /// Gives all of `area` that lies within the picture one colour.
    pub fn fill(&mut self, area: Rect, colour: u32) {
        let colour = colour & COLOUR;
        self.draw(area, |row, _| {
            let first = row.iter().position(|pixel| *pixel != colour)?;
            let last = row.iter().rposition(|pixel| *pixel != colour)?;
            row.fill(colour);
            Some(first..last + 1)
        });
    }

    /// Copies to `to` what the picture has in an area of the same size that begins at column `x` and row `y`. What
    /// lies outside the picture, there or here, is left out. The two may overlap.
    pub fn copy(&mut self, (x, y): (u16, u16), to: Rect) {
        let Size { width, height } = self.size;
        let fits = |side: u16, from: u16, to: u16, whole: u16| side.min(whole.saturating_sub(from.max(to)));
        let to =
            Rect { width: fits(to.width, x, to.x, width), height: fits(to.height, y, to.y, height), ..to };
        let stride = usize::from(width);
        let len = usize::from(to.width);
        let start = |x: u16, y: u16, row: u16| (usize::from(y) + usize::from(row)) * stride + usize::from(x);
        // A row that is still to be copied may not be written before.
        let upwards = y < to.y;
        let mut source = vec![0; len];
        let mut changed = Changed::default();
        for row in 0..to.height {
            let row = if upwards { to.height - 1 - row } else { row };
            let (from, onto) = (start(x, y, row), start(to.x, to.y, row));
            let Some(pixels) = self.pixels.get(from..from + len) else { continue };
            source.copy_from_slice(pixels);
            let Some(pixels) = self.pixels.get_mut(onto..onto + len) else { continue };
            changed.add(to.x, to.y + row, put(pixels, &source));
        }
        self.damage.add(changed.0);
    }

    /// The same picture with another size: cut off, or black where it grew. All of it is damaged.
    ///
    /// # Errors
    /// The size is empty or too large.
    pub fn resized(&self, size: Size) -> Result<Self, FramebufferError> {
        let mut resized = Self::new(size)?;
        let common = Rect {
            x: 0,
            y: 0,
            width: size.width.min(self.size.width),
            height: size.height.min(self.size.height),
        };
        let stride = usize::from(size.width);
        for (onto, row) in resized.pixels.chunks_exact_mut(stride).zip(self.rows(common)) {
            onto.iter_mut().zip(row).for_each(|(onto, pixel)| *onto = *pixel);
        }
        Ok(resized)
    }

    /// Has the rows of what lies of `area` within the picture drawn, from top to bottom. Told is the row and its
    /// number in `area`; the answer is which of its pixels changed.
    fn draw(&mut self, area: Rect, mut row: impl FnMut(&mut [u32], u16) -> Option<Range<usize>>) {
        let Some(visible) = area.intersection(Rect::of(self.size)) else { return };
        let stride = usize::from(self.size.width);
        let (x, y) = (usize::from(visible.x), usize::from(visible.y));
        let mut changed = Changed::default();
        let rows = self.pixels.chunks_exact_mut(stride).skip(y).zip(0..visible.height);
        for (pixels, number) in rows {
            let Some(pixels) = pixels.get_mut(x..x + usize::from(visible.width)) else { continue };
            changed.add(visible.x, visible.y + number, row(pixels, number));
        }
        self.damage.add(changed.0);
    }

    /// What changed since the last call.
    pub fn take_damage(&mut self) -> Damage {
        std::mem::take(&mut self.damage)
    }
}

/// The smallest rectangle that holds the pixels that changed.
#[derive(Default)]
struct Changed(Rect);

impl Changed {
    /// Adds the `columns`, counted from `x`, of the row `y`.
    fn add(&mut self, x: u16, y: u16, columns: Option<Range<usize>>) {
        let Some(columns) = columns else { return };
        // Columns of a picture are less than 65,536.
        let number = |column: usize| u16::try_from(column).unwrap_or(u16::MAX);
        let row = Rect { x: x + number(columns.start), y, width: number(columns.len()), height: 1 };
        self.0 = self.0.hull(row);
    }
}

/// Puts `new` in the place of `old`, as far as there is as much of both, and says what changed.
fn put(old: &mut [u32], new: &[u32]) -> Option<Range<usize>> {
    let len = old.len().min(new.len());
    let (old, new) = (old.get_mut(..len)?, new.get(..len)?);
    let first = first_change(old, new)?;
    let differs = |(old, new): (&u32, &u32)| *old != *new & COLOUR;
    let last = old.iter().zip(new).rposition(differs)?;
    let changed = first..last + 1;
    for (old, new) in old.get_mut(changed.clone())?.iter_mut().zip(new.get(changed.clone())?) {
        *old = *new & COLOUR;
    }
    Some(changed)
}

/// Where `old` and `new`, which are equally long, begin to differ. Most of what targets send is what was there
/// already, so this looks at several pixels at once.
fn first_change(old: &[u32], new: &[u32]) -> Option<usize> {
    const AT_ONCE: usize = 16;
    let blocks = old.as_chunks::<AT_ONCE>().0.iter().zip(new.as_chunks::<AT_ONCE>().0);
    let same = blocks
        .take_while(|(old, new)| {
            old.iter().zip(*new).fold(0, |all, (old, new)| all | ((old ^ new) & COLOUR)) == 0
        })
        .count();
    let start = same * AT_ONCE;
    let differs = |(old, new): (&u32, &u32)| *old != *new & COLOUR;
    let at = old.get(start..)?.iter().zip(new.get(start..)?).position(differs)?;
    Some(start + at)
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

    /// A picture in which every pixel has a colour of its own.
    fn numbered(size: Size) -> Framebuffer {
        let mut framebuffer = Framebuffer::new(size).unwrap();
        framebuffer.write(Rect::of(size), 1..);
        framebuffer.take_damage();
        framebuffer
    }

    fn all(framebuffer: &Framebuffer) -> Vec<u32> {
        framebuffer.rows(Rect::of(framebuffer.size())).flatten().copied().collect()
    }

    #[test]
    fn blit_is_a_fast_write() {
        let pixels: Vec<u32> = (0..60 * 40).map(|i| 0x1500_0000 | (i % 50 * i)).collect();
        for area in
            [(0, 0, 60, 40), (3, 5, 41, 7), (50, 30, 17, 30), (59, 39, 60, 40), (60, 0, 5, 5), (1, 1, 0, 9)]
        {
            let area = Rect { x: area.0, y: area.1, width: area.2, height: area.3 };
            // All of it, and less than the area has.
            for source in [&pixels[..], &pixels[..90]] {
                let source = &source[..source.len().min(area.pixels())];
                let (mut slow, mut fast) = (numbered(size(60, 40)), numbered(size(60, 40)));
                for _ in 0..2 {
                    slow.write(area, source.iter().copied());
                    fast.blit(area, source);
                    assert!(all(&slow) == all(&fast), "{area:?}");
                    assert_eq!(slow.take_damage().rects(), fast.take_damage().rects(), "{area:?}");
                }
            }
        }
    }

    #[test]
    fn areas_are_filled() {
        let mut framebuffer = numbered(size(10, 8));
        framebuffer.fill(Rect { x: 8, y: 6, width: 9, height: 9 }, 0xff00_0007);
        assert_eq!(framebuffer.take_damage().rects(), [Rect { x: 8, y: 6, width: 2, height: 2 }]);
        assert_eq!(all(&framebuffer).iter().filter(|pixel| **pixel == 7).count(), 1 + 4);
        // The pixel in the middle has this colour already, as have those at the edge.
        framebuffer.fill(Rect { x: 0, y: 0, width: 3, height: 1 }, 2);
        framebuffer.fill(Rect { x: 1, y: 0, width: 3, height: 1 }, 2);
        assert_eq!(framebuffer.take_damage().rects(), [Rect { x: 0, y: 0, width: 4, height: 1 }]);
    }

    #[test]
    fn areas_are_copied_as_they_were() {
        for (x, y, to) in [
            (0, 0, (5, 4, 3, 3)),
            (2, 2, (1, 1, 6, 5)),
            (1, 1, (2, 2, 6, 5)),
            (2, 1, (1, 1, 7, 5)),
            (1, 1, (2, 1, 7, 5)),
            (0, 5, (0, 0, 10, 9)),
            (7, 0, (0, 6, 9, 9)),
            (0, 0, (12, 0, 3, 3)),
        ] {
            let to = Rect { x: to.0, y: to.1, width: to.2, height: to.3 };
            let mut framebuffer = numbered(size(10, 8));
            let before = all(&framebuffer);
            framebuffer.copy((x, y), to);
            let mut expected = before.clone();
            for (row, column) in (0..to.height).flat_map(|row| (0..to.width).map(move |column| (row, column)))
            {
                let at = |x: u16, y: u16| {
                    let (x, y) = (usize::from(x + column), usize::from(y + row));
                    (x < 10 && y < 8).then_some(y * 10 + x)
                };
                if let (Some(from), Some(to)) = (at(x, y), at(to.x, to.y)) {
                    expected[to] = before[from];
                }
            }
            assert_eq!(all(&framebuffer), expected, "{to:?}");
            let damage = framebuffer.take_damage();
            for (at, (before, after)) in before.iter().zip(&expected).enumerate() {
                let held =
                    damage.rects().iter().any(|rect| rect.contains((at % 10) as u16, (at / 10) as u16));
                assert!(held || before == after, "{to:?}");
            }
        }
    }

    #[test]
    fn what_fits_survives_another_size() {
        let framebuffer = numbered(size(3, 2));
        for (to, expected) in [(size(2, 3), vec![1, 2, 4, 5, 0, 0]), (size(4, 1), vec![1, 2, 3, 0])] {
            let mut resized = framebuffer.resized(to).unwrap();
            assert_eq!((resized.size(), all(&resized)), (to, expected));
            assert_eq!(resized.take_damage().rects(), [Rect::of(to)]);
        }
        assert_eq!(framebuffer.resized(size(0, 1)).err(), Some(FramebufferError::Empty(size(0, 1))));
    }
}
