//! What changed on a desktop since somebody last looked.

use crate::Rect;

/// How many rectangles are kept apart. More would cost a viewer more than the pixels they save.
const MAX_RECTS: usize = 32;

/// A region of changed pixels, as a bounded list of rectangles that do not overlap.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    rects: Vec<Rect>,
}

impl Damage {
    /// Nothing changed.
    pub const fn new() -> Self {
        Self { rects: Vec::new() }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    /// The changed rectangles.
    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// Adds a rectangle. Rectangles that overlap, or fill one together, become that one, so the region may grow
    /// beyond what was added, never lose a pixel of it.
    pub fn add(&mut self, rect: Rect) {
        if rect.is_empty() {
            return;
        }
        let mut merged = rect;
        loop {
            let together = self.rects.iter().position(|held| {
                held.intersection(merged).is_some()
                    || held.hull(merged).pixels() == held.pixels() + merged.pixels()
            });
            let Some(index) = together.or_else(|| self.nearest(merged)) else { break };
            merged = merged.hull(self.rects.swap_remove(index));
        }
        self.rects.push(merged);
    }

    /// With which rectangle `rect` has to be put together when there is no place for it, so that few pixels are added.
    fn nearest(&self, rect: Rect) -> Option<usize> {
        if self.rects.len() < MAX_RECTS {
            return None;
        }
        let added = |held: &Rect| held.hull(rect).pixels().saturating_sub(held.pixels());
        let (index, _) = self.rects.iter().enumerate().min_by_key(|(_, held)| added(held))?;
        Some(index)
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for rect in &other.rects {
            self.add(*rect);
        }
    }

    /// Takes what lies within `area` and leaves the rest.
    pub fn take_within(&mut self, area: Rect) -> Vec<Rect> {
        let mut taken = Vec::new();
        let mut left = Self::new();
        for rect in self.rects.drain(..) {
            let Some(common) = rect.intersection(area) else {
                left.rects.push(rect);
                continue;
            };
            taken.push(common);
            for rest in surrounding(rect, common) {
                left.add(rest);
            }
        }
        *self = left;
        taken
    }
}

/// The up to four rectangles that `inner` leaves of `outer`, which holds it.
fn surrounding(outer: Rect, inner: Rect) -> impl Iterator<Item = Rect> {
    let below = inner.y + inner.height;
    let beside = inner.x + inner.width;
    let extent = |end: u32, start: u16| u16::try_from(end.saturating_sub(start.into())).unwrap_or(u16::MAX);
    [
        Rect { height: inner.y - outer.y, ..outer },
        Rect { y: below, height: extent(outer.bottom(), below), ..outer },
        Rect { y: inner.y, height: inner.height, width: inner.x - outer.x, ..outer },
        Rect { x: beside, width: extent(outer.right(), beside), ..inner },
    ]
    .into_iter()
    .filter(|rect| !rect.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rect(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    fn covers(rects: &[Rect], x: u16, y: u16) -> bool {
        rects.iter().any(|rect| rect.contains(x, y))
    }

    #[test]
    fn overlapping_rectangles_become_one() {
        let mut damage = Damage::new();
        damage.add(rect(0, 0, 10, 10));
        damage.add(rect(20, 0, 10, 10));
        assert_eq!(damage.rects().len(), 2);
        damage.add(rect(5, 5, 20, 2));
        assert_eq!(damage.rects(), [rect(0, 0, 30, 10)]);
    }

    #[test]
    fn tiles_become_the_area_that_they_fill() {
        let mut damage = Damage::new();
        for tile in 0..60 {
            damage.add(rect(100 + tile % 10 * 16, 200 + tile / 10 * 16, 16, 16));
        }
        assert_eq!(damage.rects(), [rect(100, 200, 160, 96)]);
    }

    #[test]
    fn without_a_place_the_nearest_takes_it() {
        let mut damage = Damage::new();
        for column in 0..32 {
            damage.add(rect(column * 100, 0, 10, 10));
        }
        damage.add(rect(3115, 0, 5, 10));
        assert_eq!(damage.rects().len(), 32);
        assert!(damage.rects().contains(&rect(3100, 0, 20, 10)), "{damage:?}");
    }

    #[test]
    fn the_list_stays_short_and_loses_nothing() {
        let mut damage = Damage::new();
        let spots: Vec<_> = (0..500).map(|i| rect(i % 25 * 40, i / 25 * 40, 3, 3)).collect();
        for spot in &spots {
            damage.add(*spot);
            assert!(damage.rects().len() <= MAX_RECTS);
        }
        for spot in &spots {
            assert!(covers(damage.rects(), spot.x + 2, spot.y + 2));
        }
    }

    #[test]
    fn taking_a_part_leaves_the_rest() {
        let mut damage = Damage::new();
        damage.add(rect(10, 10, 30, 30));
        damage.add(rect(100, 0, 5, 5));
        assert_eq!(damage.take_within(rect(20, 20, 10, 10)), [rect(20, 20, 10, 10)]);
        for (x, y, left) in [(10, 10, true), (39, 39, true), (19, 25, true), (20, 20, false), (29, 29, false)]
        {
            assert_eq!(covers(damage.rects(), x, y), left, "{x},{y}");
        }
        assert!(covers(damage.rects(), 104, 4));
        let rest: usize = damage.rects().iter().map(|rect| rect.pixels()).sum();
        assert_eq!(rest, 30 * 30 - 100 + 25);
    }
}
