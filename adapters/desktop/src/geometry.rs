//! Sizes and rectangles on a desktop, in pixels from its top left corner.

/// A width and a height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

impl Size {
    /// How many pixels there are.
    pub const fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// A rectangle: the columns `x..x + width` of the rows `y..y + height`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Leftmost column.
    pub x: u16,
    /// Topmost row.
    pub y: u16,
    /// Number of columns.
    pub width: u16,
    /// Number of rows.
    pub height: u16,
}

impl Rect {
    /// The rectangle that a desktop of `size` fills.
    pub const fn of(size: Size) -> Self {
        Self { x: 0, y: 0, width: size.width, height: size.height }
    }

    /// Whether it holds no pixel.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// How many pixels it holds.
    pub const fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// First column right of it.
    pub const fn right(self) -> u32 {
        self.x as u32 + self.width as u32
    }

    /// First row below it.
    pub const fn bottom(self) -> u32 {
        self.y as u32 + self.height as u32
    }

    /// Whether the pixel at `x`, `y` belongs to it.
    pub const fn contains(self, x: u16, y: u16) -> bool {
        x >= self.x && (x as u32) < self.right() && y >= self.y && (y as u32) < self.bottom()
    }

    /// What both have in common, if that is anything.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = self.right().min(other.right());
        let bottom = self.bottom().min(other.bottom());
        let width = u16::try_from(right.checked_sub(x.into())?).ok()?;
        let height = u16::try_from(bottom.checked_sub(y.into())?).ok()?;
        let common = Self { x, y, width, height };
        (!common.is_empty()).then_some(common)
    }

    /// The smallest rectangle that holds both.
    ///
    /// An edge beyond 65,535 pixels is cut off there; no desktop reaches so far.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let extent = |end: u32, start: u16| u16::try_from(end - u32::from(start)).unwrap_or(u16::MAX);
        Self {
            x,
            y,
            width: extent(self.right().max(other.right()), x),
            height: extent(self.bottom().max(other.bottom()), y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rect(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn intersections_and_hulls() {
        for (a, b, common, hull) in [
            (rect(0, 0, 10, 10), rect(5, 6, 10, 10), Some(rect(5, 6, 5, 4)), rect(0, 0, 15, 16)),
            (rect(0, 0, 10, 10), rect(10, 0, 10, 10), None, rect(0, 0, 20, 10)),
            (rect(0, 0, 10, 10), rect(40, 40, 0, 5), None, rect(0, 0, 10, 10)),
            (
                rect(60_000, 60_000, 10_000, 10_000),
                rect(65_000, 65_000, 9, 9),
                Some(rect(65_000, 65_000, 9, 9)),
                rect(60_000, 60_000, 10_000, 10_000),
            ),
        ] {
            assert_eq!(a.intersection(b), common);
            assert_eq!(b.intersection(a), common);
            assert_eq!(a.hull(b), hull);
            assert_eq!(b.hull(a), hull);
        }
    }

    #[test]
    fn edges_belong_to_one_rectangle_only() {
        let rect = rect(2, 3, 4, 5);
        assert!(rect.contains(2, 3) && rect.contains(5, 7));
        assert!(!rect.contains(6, 7) && !rect.contains(5, 8) && !rect.contains(1, 3));
    }
}
