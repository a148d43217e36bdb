//! A view's picture, as a player has it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use passerelle_desktop::{Framebuffer, Rect, Size};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::message::{MalformedView, Message};

/// What the pointer looks like in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPointer {
    /// Column and row of the pixel that points.
    pub hotspot: (u16, u16),
    /// Its size; without columns it is hidden.
    pub size: Size,
    /// Red, green, blue and alpha (not premultiplied) of each pixel, row by row.
    pub pixels: Vec<u8>,
}

/// A view's picture, drawn message by message. It is what is shown whenever a [`Message::Frame`] came last.
pub struct ViewPicture {
    framebuffer: Framebuffer,
    pointer: ViewPointer,
    position: Option<(u16, u16)>,
}

impl ViewPicture {
    /// One black pixel, until the first chunk says how large the picture is.
    ///
    /// # Errors
    /// [`MalformedView::Size`], which cannot be here.
    pub fn new() -> Result<Self, MalformedView> {
        let framebuffer = framebuffer(Size { width: 1, height: 1 })?;
        let hidden = Size { width: 0, height: 0 };
        let pointer = ViewPointer { hotspot: (0, 0), size: hidden, pixels: Vec::new() };
        Ok(Self { framebuffer, pointer, position: None })
    }

    /// Draws a message.
    ///
    /// # Errors
    /// It does not fit the picture; the view is damaged.
    pub fn apply(&mut self, message: &Message<'_>) -> Result<(), MalformedView> {
        match *message {
            Message::Size(size) => {
                self.framebuffer = framebuffer(size)?;
                self.position = None;
            }
            Message::Raw { area, pixels } => {
                self.within(area)?;
                let pixels = pixels.as_chunks::<4>().0.iter();
                self.framebuffer.write(area, pixels.map(|[r, g, b, _]| u32::from_be_bytes([0, *r, *g, *b])));
            }
            Message::Jpeg { area, file } => {
                self.within(area)?;
                let pixels = decode(area, file)?;
                let pixels = pixels.as_chunks::<3>().0.iter();
                self.framebuffer.write(area, pixels.map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])));
            }
            Message::Copy { area, from } => {
                self.within(area)?;
                let source = Rect { x: from.0, y: from.1, ..area };
                self.within(source)?;
                let pixels: Vec<u32> = self.framebuffer.rows(source).flatten().copied().collect();
                self.framebuffer.write(area, pixels);
            }
            Message::Shape { hotspot, size, pixels } => {
                self.pointer = ViewPointer { hotspot, size, pixels: pixels.to_vec() };
            }
            Message::Position(x, y) => self.position = Some((x, y)),
            Message::Frame | Message::Unknown => {}
        }
        Ok(())
    }

    /// The picture, without the pointer.
    pub fn framebuffer(&self) -> &Framebuffer {
        &self.framebuffer
    }

    /// The pointer.
    pub fn pointer(&self) -> &ViewPointer {
        &self.pointer
    }

    /// Where the target last put the pointer.
    pub fn pointer_position(&self) -> Option<(u16, u16)> {
        self.position
    }

    fn within(&self, area: Rect) -> Result<(), MalformedView> {
        let size = self.framebuffer.size();
        let within = area.right() <= u32::from(size.width) && area.bottom() <= u32::from(size.height);
        within.then_some(()).ok_or(MalformedView::Outside)
    }
}

fn framebuffer(size: Size) -> Result<Framebuffer, MalformedView> {
    Framebuffer::new(size).map_err(|_| MalformedView::Size)
}

/// Red, green and blue of each pixel.
fn decode(area: Rect, file: &[u8]) -> Result<Vec<u8>, MalformedView> {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(width)
        .set_max_height(height);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    // What the library thinks cannot be is a damaged view, too.
    let decoded = catch_unwind(AssertUnwindSafe(|| decoder.decode()));
    let pixels = decoded.ok().and_then(Result::ok).ok_or(MalformedView::Jpeg)?;
    let fits = decoder.dimensions() == Some((width, height)) && pixels.len() == area.pixels() * 3;
    fits.then_some(pixels).ok_or(MalformedView::Jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_views_are_refused() {
        let area = Rect { x: 3, y: 3, width: 2, height: 2 };
        let size = |width, height| Message::Size(Size { width, height });
        for (messages, error) in [
            (vec![size(0, 5)], MalformedView::Size),
            (vec![size(65_535, 65_535)], MalformedView::Size),
            (vec![size(4, 4), Message::Raw { area, pixels: &[0; 16] }], MalformedView::Outside),
            (vec![size(9, 9), Message::Copy { area, from: (8, 0) }], MalformedView::Outside),
            (vec![size(9, 9), Message::Jpeg { area, file: b"GIF89a" }], MalformedView::Jpeg),
        ] {
            let mut picture = ViewPicture::new().unwrap();
            let applied = messages.iter().try_for_each(|message| picture.apply(message));
            assert_eq!(applied, Err(error));
        }
    }

    #[test]
    fn copies_may_overlap() {
        let mut picture = ViewPicture::new().unwrap();
        picture.apply(&Message::Size(Size { width: 4, height: 1 })).unwrap();
        let row = Rect { x: 0, y: 0, width: 4, height: 1 };
        let pixels: Vec<u8> = (1..5).flat_map(|blue| [0, 0, blue, 255]).collect();
        picture.apply(&Message::Raw { area: row, pixels: &pixels }).unwrap();
        picture.apply(&Message::Copy { area: Rect { x: 1, width: 3, ..row }, from: (0, 0) }).unwrap();
        assert!(picture.framebuffer().rows(row).flatten().eq(&[1, 1, 2, 3]));
    }
}
