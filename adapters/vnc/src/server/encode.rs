//! FramebufferUpdate messages (RFC 6143, section 7.6.1) of a framebuffer's areas.

use passerelle_desktop::{Cursor, Framebuffer, Rect, Size};
use passerelle_rfb::{Encoding, PixelFormat, Rectangle, rectangle_header};

use super::pixels::Translator;
use super::zrle::Zrle;

/// How pixels are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PixelEncoding {
    /// As they are. Every viewer understands it.
    Raw,
    /// Tiles, run lengths, zlib.
    Zrle,
}

impl PixelEncoding {
    /// The one with this number, if it is served.
    pub(super) fn for_encoding(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::RAW => Some(Self::Raw),
            Encoding::ZRLE => Some(Self::Zrle),
            _ => None,
        }
    }
}

/// Everything that makes up the pixels of one viewer's updates.
pub(super) struct Encoder {
    translator: Translator,
    pub(super) encoding: PixelEncoding,
    zrle: Zrle,
}

impl Encoder {
    /// An encoder for [`PixelFormat::BGRX`] and [`PixelEncoding::Raw`], which every session starts with.
    pub(super) fn new() -> Self {
        Self { translator: Translator::bgrx(), encoding: PixelEncoding::Raw, zrle: Zrle::new() }
    }

    /// Changes the pixel format. Answers `false`, and changes nothing, for one that is not served.
    pub(super) fn set_format(&mut self, format: &PixelFormat) -> bool {
        match Translator::new(format) {
            Some(translator) => {
                self.translator = translator;
                true
            }
            None => false,
        }
    }

    /// Appends a rectangle with the pixels of `area`, which lies within the framebuffer.
    pub(super) fn pixels(&mut self, framebuffer: &Framebuffer, area: Rect, out: &mut Vec<u8>) {
        match self.encoding {
            PixelEncoding::Raw => {
                push_rectangle(area, Encoding::RAW, out);
                out.reserve(area.pixels() * self.translator.pixel_len());
                for pixel in framebuffer.rows(area).flatten() {
                    self.translator.push(self.translator.value(*pixel), out);
                }
            }
            PixelEncoding::Zrle => {
                push_rectangle(area, Encoding::ZRLE, out);
                self.zrle.encode(framebuffer, area, &self.translator, out);
            }
        }
    }

    /// Appends a Cursor rectangle (section 7.8.1). It knows no half-transparent pixels: those that are
    /// more than half opaque are shown.
    pub(super) fn cursor(&self, cursor: &Cursor, out: &mut Vec<u8>) {
        let (x, y) = cursor.hotspot();
        let Size { width, height } = cursor.size();
        push_rectangle(Rect { x, y, width, height }, Encoding::CURSOR, out);
        for pixel in cursor.pixels() {
            self.translator.push(self.translator.value(*pixel), out);
        }
        for row in cursor.pixels().chunks(usize::from(width).max(1)) {
            for group in row.chunks(8) {
                let bits = group.iter().fold(0, |bits, pixel| bits << 1 | u8::from(pixel >> 24 > 127));
                out.push(bits << (8 - group.len()));
            }
        }
    }
}

/// Appends the head of a rectangle.
fn push_rectangle(area: Rect, encoding: Encoding, out: &mut Vec<u8>) {
    let Rect { x, y, width, height } = area;
    out.extend(rectangle_header(Rectangle { x, y, width, height }, encoding));
}
