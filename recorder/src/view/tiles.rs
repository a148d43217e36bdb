//! What really changed in a picture, tile by tile.

use passerelle_desktop::{Damage, Framebuffer, Rect, Size};

/// Side of a tile in pixels.
pub(crate) const TILE: u16 = 64;

/// The picture as it was last shown, to which the next one is compared.
pub(crate) struct Shown {
    size: Size,
    columns: usize,
    pixels: Vec<u32>,
    /// For each tile the smallest rectangle that holds what changed in it since [`take`](Self::take).
    changed: Vec<Option<Rect>>,
}

/// A tile and what changed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) tile: usize,
    pub(crate) area: Rect,
}

impl Shown {
    /// A picture that is shown whole.
    pub(crate) fn new(picture: &Framebuffer) -> Self {
        let size = picture.size();
        let columns = usize::from(size.width.div_ceil(TILE));
        let tiles = columns * usize::from(size.height.div_ceil(TILE));
        let mut pixels = Vec::with_capacity(size.pixels());
        for row in picture.rows(Rect::of(size)) {
            pixels.extend_from_slice(row);
        }
        Self { size, columns, pixels, changed: vec![None; tiles] }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// How many tiles there are in a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// How many tiles there are.
    pub(crate) fn tiles(&self) -> usize {
        self.changed.len()
    }

    /// Compares what may have changed, and takes over what did.
    pub(crate) fn compare(&mut self, picture: &Framebuffer, damage: &Damage) {
        for rect in damage.rects() {
            let Some(area) = rect.intersection(Rect::of(self.size)) else { continue };
            for (y, row) in (area.y..).zip(picture.rows(area)) {
                self.compare_row(area.x, y, row);
            }
        }
    }

    fn compare_row(&mut self, x: u16, y: u16, mut row: &[u32]) {
        let start = usize::from(y) * usize::from(self.size.width) + usize::from(x);
        let Some(shown) = self.pixels.get_mut(start..start + row.len()) else { return };
        if *shown == *row {
            return;
        }
        let mut shown = shown;
        let mut x = x;
        while !row.is_empty() {
            let len = usize::from(TILE - x % TILE).min(row.len());
            let (piece, rest) = row.split_at(len);
            let (old, others) = shown.split_at_mut(len);
            let differs = |(old, new): (&u32, &u32)| old != new;
            let first = old.iter().zip(piece).position(differs);
            let last = old.iter().zip(piece).rposition(differs);
            if let (Some(first), Some(last)) = (first, last) {
                old.copy_from_slice(piece);
                // Both are less than a tile's side.
                let (left, width) = (x + first as u16, (last - first + 1) as u16);
                let changed = Rect { x: left, y, width, height: 1 };
                let tile = usize::from(y / TILE) * self.columns + usize::from(x / TILE);
                if let Some(area) = self.changed.get_mut(tile) {
                    *area = Some(area.map_or(changed, |area| area.hull(changed)));
                }
            }
            x = x.saturating_add(len as u16);
            (row, shown) = (rest, others);
        }
    }

    /// What changed since the last call, in rows of tiles.
    pub(crate) fn take(&mut self) -> Vec<Changed> {
        let changed = self.changed.iter_mut().enumerate();
        changed.filter_map(|(tile, area)| area.take().map(|area| Changed { tile, area })).collect()
    }
}

/// Joins what changed in neighbouring tiles to fewer rectangles, which do not overlap. `changed` is in rows of tiles.
pub(crate) fn join(changed: impl IntoIterator<Item = Changed>, columns: usize) -> Vec<Rect> {
    let mut done: Vec<Rect> = Vec::new();
    // Rectangles that the next row of tiles may prolong.
    let mut above: Vec<Rect> = Vec::new();
    let mut row: Vec<Rect> = Vec::new();
    let mut last: Option<usize> = None;
    let finish = |row: &mut Vec<Rect>, above: &mut Vec<Rect>, done: &mut Vec<Rect>| {
        for rect in row.iter_mut() {
            let fits = |over: &Rect| {
                (over.x, over.width) == (rect.x, rect.width) && over.bottom() == u32::from(rect.y)
            };
            if let Some(index) = above.iter().position(fits) {
                *rect = above.swap_remove(index).hull(*rect);
            }
        }
        done.append(above);
        std::mem::swap(row, above);
    };
    for Changed { tile, area } in changed {
        match last {
            Some(last) if last / columns != tile / columns => {
                finish(&mut row, &mut above, &mut done);
                row.push(area);
            }
            Some(last) if last + 1 == tile => match row.last_mut() {
                Some(run) => *run = run.hull(area),
                None => row.push(area),
            },
            _ => row.push(area),
        }
        last = Some(tile);
    }
    finish(&mut row, &mut above, &mut done);
    done.append(&mut above);
    done
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u16, height: u16) -> Framebuffer {
        let mut picture = Framebuffer::new(Size { width, height }).unwrap();
        picture.take_damage();
        picture
    }

    fn rect(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn only_what_differs_is_found_and_neighbours_are_joined() {
        let mut framebuffer = picture(300, 200);
        let mut shown = Shown::new(&framebuffer);
        // Across two tiles, and one in a corner of its own.
        framebuffer.write(rect(60, 10, 8, 4), [5; 32]);
        framebuffer.write(rect(299, 199, 1, 1), [5]);
        let mut damage = framebuffer.take_damage();
        damage.add(rect(0, 0, 300, 200));
        shown.compare(&framebuffer, &damage);
        let columns = shown.columns();
        assert_eq!(join(shown.take(), columns), [rect(60, 10, 8, 4), rect(299, 199, 1, 1)]);
        shown.compare(&framebuffer, &damage);
        assert!(shown.take().is_empty());
        // A block over four tiles is one rectangle.
        framebuffer.write(rect(40, 40, 60, 60), [9; 3600]);
        shown.compare(&framebuffer, &everything(&framebuffer));
        assert_eq!(join(shown.take(), columns), [rect(40, 40, 60, 60)]);
    }

    fn everything(framebuffer: &Framebuffer) -> Damage {
        let mut damage = Damage::new();
        damage.add(Rect::of(framebuffer.size()));
        damage
    }

    proptest! {
        #[test]
        fn drawing_the_rectangles_gives_the_new_picture(
            writes in proptest::collection::vec((0u16..200, 0u16..150, 1u16..150, 1u16..150, 1u32..4), 1..12),
        ) {
            let mut framebuffer = picture(200, 150);
            let mut shown = Shown::new(&framebuffer);
            let mut drawn = picture(200, 150);
            for (x, y, width, height, pixel) in writes {
                let area = rect(x, y, width, height);
                framebuffer.write(area, vec![pixel; area.pixels()]);
                shown.compare(&framebuffer, &everything(&framebuffer));
                let rects = join(shown.take(), shown.columns());
                for (index, one) in rects.iter().enumerate() {
                    for other in &rects[index + 1..] {
                        prop_assert!(one.intersection(*other).is_none());
                    }
                    let pixels: Vec<u32> = framebuffer.rows(*one).flatten().copied().collect();
                    drawn.write(*one, pixels);
                }
                let all = Rect::of(framebuffer.size());
                prop_assert!(framebuffer.rows(all).eq(drawn.rows(all)));
            }
        }
    }
}
