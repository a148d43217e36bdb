//! What rectangles are drawn on.

use passerelle_desktop::{Framebuffer, Rect};

/// A picture, or the shape of a pointer.
pub(super) trait Surface {
    /// Puts `pixels`, the rows of `area` one after the other, in their place.
    fn blit(&mut self, area: Rect, pixels: &[u32]);

    /// Gives all of `area` one colour.
    fn fill(&mut self, area: Rect, colour: u32);
}

impl Surface for Framebuffer {
    fn blit(&mut self, area: Rect, pixels: &[u32]) {
        Framebuffer::blit(self, area, pixels);
    }

    fn fill(&mut self, area: Rect, colour: u32) {
        Framebuffer::fill(self, area, colour);
    }
}

/// A small picture whose pixels have alpha, `0xAARRGGBB`.
pub(super) struct Sprite {
    width: usize,
    pub(super) pixels: Vec<u32>,
}

impl Sprite {
    /// A transparent one.
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self { width: width.into(), pixels: vec![0; usize::from(width) * usize::from(height)] }
    }

    fn rows(&mut self, area: Rect) -> impl Iterator<Item = &mut [u32]> {
        let (left, right) = (usize::from(area.x), area.right() as usize);
        let rows = self.pixels.chunks_mut(self.width.max(1)).skip(area.y.into()).take(area.height.into());
        rows.filter_map(move |row| {
            let right = right.min(row.len());
            row.get_mut(left..right)
        })
    }
}

impl Surface for Sprite {
    fn blit(&mut self, area: Rect, pixels: &[u32]) {
        for (row, pixels) in self.rows(area).zip(pixels.chunks(usize::from(area.width).max(1))) {
            row.iter_mut().zip(pixels).for_each(|(pixel, new)| *pixel = *new);
        }
    }

    fn fill(&mut self, area: Rect, colour: u32) {
        self.rows(area).for_each(|row| row.fill(colour));
    }
}
