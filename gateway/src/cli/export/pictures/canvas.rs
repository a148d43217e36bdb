//! The picture that leaves the gateway: the desktop, the pointer, and lines of text below.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use passerelle_desktop::{Framebuffer, Rect, Size};
use passerelle_recorder::view::ViewPointer;

use super::matroska::Dimensions;

const FONT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;
/// Height of a line of text with what is around it.
const LINE: usize = 22;
const MARGIN: usize = 4;
/// Bytes of a pixel: blue, green, red, nothing.
const PIXEL: usize = 4;
/// The most pixels of a canvas; ffmpeg takes no longer frames.
const MOST: usize = 60 << 20;

/// A canvas for desktops up to a size. A smaller one stands in its upper left corner.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// Rows above the text.
    desktop: usize,
    pixels: Vec<u8>,
    drawn: Size,
}

impl Canvas {
    /// A black one, for desktops up to `largest` with so many lines of text below. With `even`, width and height are even
    /// numbers, as videos need it. Nothing: it would be too large.
    pub(super) fn new(largest: Size, lines: usize, even: bool) -> Option<Self> {
        let step = if even { 2 } else { 1 };
        let desktop = usize::from(largest.height.max(1));
        let width = usize::from(largest.width.max(1)).next_multiple_of(step);
        let height = (desktop + lines * LINE).next_multiple_of(step);
        let fits = width * height <= MOST;
        let drawn = Size { width: 0, height: 0 };
        fits.then(|| Self { width, height, desktop, pixels: vec![0; width * height * PIXEL], drawn })
    }

    /// Width and height in pixels.
    pub(super) fn dimensions(&self) -> Dimensions {
        // Both come from numbers of 16 bits.
        (self.width as u32, self.height as u32)
    }

    /// Blue, green, red and 0 of each pixel, row by row.
    pub(super) fn bgr0(&self) -> &[u8] {
        &self.pixels
    }

    /// Red, green and blue of each pixel, row by row.
    pub(super) fn rgb(&self) -> Vec<u8> {
        let pixels = self.pixels.as_chunks::<PIXEL>().0.iter();
        pixels.flat_map(|[blue, green, red, _]| [*red, *green, *blue]).collect()
    }

    /// Draws everything anew: the desktop, the pointer with the pixel that points at a place, and lines of text.
    pub(super) fn draw<'a>(
        &mut self,
        picture: &Framebuffer,
        pointer: Option<(&ViewPointer, (u16, u16))>,
        lines: impl Iterator<Item = &'a str>,
    ) {
        let size = picture.size();
        if size != self.drawn {
            // Nothing of the larger desktop before stays beside a smaller one.
            self.pixels.fill(0);
            self.drawn = size;
        }
        let (stride, rows) = (self.width * PIXEL, self.desktop);
        for (row, pixels) in self.pixels.chunks_exact_mut(stride).take(rows).zip(picture.rows(Rect::of(size)))
        {
            for (place, pixel) in row.as_chunks_mut::<PIXEL>().0.iter_mut().zip(pixels) {
                *place = pixel.to_le_bytes();
            }
        }
        if let Some((shape, (x, y))) = pointer {
            self.pointer(shape, i32::from(x), i32::from(y));
        }
        for pixel in self.pixels.get_mut(stride * rows..).unwrap_or_default() {
            *pixel = 0;
        }
        for (number, line) in lines.enumerate() {
            self.text(rows + number * LINE + (LINE - HEIGHT.val()) / 2, line);
        }
    }

    fn pointer(&mut self, shape: &ViewPointer, x: i32, y: i32) {
        let columns = usize::from(shape.size.width);
        if columns == 0 {
            return;
        }
        let (left, top) = (x - i32::from(shape.hotspot.0), y - i32::from(shape.hotspot.1));
        for (row, pixels) in (0i32..).zip(shape.pixels.chunks_exact(columns * PIXEL)) {
            for (column, [red, green, blue, alpha]) in (0i32..).zip(pixels.as_chunks::<PIXEL>().0) {
                self.blend(left + column, top + row, [*blue, *green, *red], *alpha);
            }
        }
    }

    /// Lays a colour over a pixel of the desktop's part, if it is there.
    fn blend(&mut self, x: i32, y: i32, colour: [u8; 3], alpha: u8) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= usize::from(self.drawn.width) || y >= usize::from(self.drawn.height).min(self.desktop) {
            return;
        }
        let at = (y * self.width + x) * PIXEL;
        let place = self.pixels.get_mut(at..at + 3).unwrap_or_default();
        for (below, above) in place.iter_mut().zip(colour) {
            let (over, under) =
                (u16::from(above) * u16::from(alpha), u16::from(*below) * u16::from(255 - alpha));
            // The mean of two bytes is one.
            *below = ((over + under + 127) / 255) as u8;
        }
    }

    /// Writes a line, as much of it as there is room for.
    fn text(&mut self, top: usize, line: &str) {
        let advance = get_raster_width(FONT, HEIGHT);
        let room = self.width.saturating_sub(2 * MARGIN) / advance;
        for (number, char) in line.chars().take(room).enumerate() {
            let known = get_raster(char, FONT, HEIGHT).or_else(|| get_raster('\u{fffd}', FONT, HEIGHT));
            let Some(glyph) = known else { continue };
            let left = MARGIN + number * advance;
            for (row, values) in glyph.rows().enumerate() {
                for (column, value) in values.iter().enumerate() {
                    let at = ((top + row) * self.width + left + column) * PIXEL;
                    if let Some(place) = self.pixels.get_mut(at..at + 3) {
                        place.fill(*value);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u16, height: u16, colour: u32) -> Framebuffer {
        let size = Size { width, height };
        let mut picture = Framebuffer::new(size).unwrap();
        picture.fill(Rect::of(size), colour);
        picture
    }

    fn pixel(canvas: &Canvas, x: usize, y: usize) -> [u8; 4] {
        canvas.pixels.as_chunks::<PIXEL>().0[y * canvas.width + x]
    }

    #[test]
    fn desktops_of_all_sizes_have_their_place() {
        let mut canvas = Canvas::new(Size { width: 5, height: 3 }, 0, true).unwrap();
        assert_eq!(canvas.dimensions(), (6, 4));
        canvas.draw(&picture(5, 3, 0x0001_0203), None, [].into_iter());
        assert_eq!(
            (pixel(&canvas, 4, 2), pixel(&canvas, 5, 2), pixel(&canvas, 4, 3)),
            ([3, 2, 1, 0], [0; 4], [0; 4])
        );
        canvas.draw(&picture(2, 2, 0x0004_0506), None, [].into_iter());
        assert_eq!((pixel(&canvas, 1, 1), pixel(&canvas, 4, 2)), ([6, 5, 4, 0], [0; 4]));
        assert_eq!(canvas.rgb()[..3], [4, 5, 6]);
        assert_eq!(Canvas::new(Size { width: 5, height: 3 }, 0, false).unwrap().dimensions(), (5, 3));
        assert!(Canvas::new(Size { width: 65_535, height: 65_535 }, 0, true).is_none());
    }

    #[test]
    fn the_pointer_is_laid_over_the_desktop_and_nothing_else() {
        let shape = ViewPointer {
            hotspot: (1, 0),
            size: Size { width: 3, height: 2 },
            pixels: [[255, 0, 0, 255], [0, 255, 0, 128], [9, 9, 9, 0]].concat().repeat(2),
        };
        let mut canvas = Canvas::new(Size { width: 4, height: 4 }, 1, true).unwrap();
        canvas.draw(&picture(4, 4, 0x0000_0000), Some((&shape, (1, 3))), [].into_iter());
        assert_eq!((pixel(&canvas, 0, 3), pixel(&canvas, 1, 3)), ([0, 0, 255, 0], [0, 128, 0, 0]));
        assert_eq!((pixel(&canvas, 2, 3), pixel(&canvas, 0, 4)), ([0; 4], [0; 4]));
        // At the edges the rest of it is not drawn.
        canvas.draw(&picture(4, 4, 0), Some((&shape, (0, 0))), [].into_iter());
        assert_eq!(pixel(&canvas, 0, 0), [0, 128, 0, 0]);
        canvas.draw(&picture(4, 4, 0), Some((&shape, (65_535, 65_535))), [].into_iter());
        assert!(canvas.pixels.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn text_stands_below_the_desktop() {
        let mut canvas = Canvas::new(Size { width: 64, height: 8 }, 2, true).unwrap();
        let white = picture(64, 8, 0x00ff_ffff);
        let bright = |canvas: &Canvas, rows: std::ops::Range<usize>| {
            let lit = |y: usize| (0..64).any(|x| pixel(canvas, x, y)[0] > 128);
            rows.filter(|y| lit(*y)).count()
        };
        canvas.draw(&white, None, ["", "Zoë 東 and much more than fits"].into_iter());
        assert_eq!((bright(&canvas, 0..8), bright(&canvas, 8..8 + LINE)), (8, 0));
        assert!(bright(&canvas, 8 + LINE..8 + 2 * LINE) > 6);
        canvas.draw(&white, None, ["", ""].into_iter());
        assert_eq!(bright(&canvas, 8..8 + 2 * LINE), 0);
    }
}
