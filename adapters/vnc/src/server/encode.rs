//! FramebufferUpdate messages (RFC 6143, section 7.6.1) of a framebuffer's areas.

use passerelle_desktop::{Cursor, Framebuffer, Rect, Size};
use passerelle_rfb::PixelFormat;

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

pub(super) const RAW: i32 = 0;
pub(super) const ZRLE: i32 = 16;
pub(super) const DESKTOP_SIZE: i32 = -223;
pub(super) const CURSOR: i32 = -239;
pub(super) const QEMU_EXTENDED_KEY: i32 = -258;
pub(super) const EXTENDED_DESKTOP_SIZE: i32 = -308;

/// Why a viewer is told the desktop's size, and whether its own request was met: the fields that an
/// ExtendedDesktopSize rectangle carries in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SizeReason {
    /// The server changed it, or tells it for the first time.
    Server,
    /// This viewer asked for it, with the result.
    ThisViewer(ResizeResult),
    /// Another viewer asked for it.
    OtherViewer,
}

/// The status codes of ExtendedDesktopSize that occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResizeResult {
    /// Done.
    Done = 0,
    /// Resizing is not allowed.
    Prohibited = 1,
    /// The layout makes no sense or is not supported.
    InvalidLayout = 3,
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
                push_rectangle(area, RAW, out);
                out.reserve(area.pixels() * self.translator.pixel_len());
                for pixel in framebuffer.rows(area).flatten() {
                    self.translator.push(self.translator.value(*pixel), out);
                }
            }
            PixelEncoding::Zrle => {
                push_rectangle(area, ZRLE, out);
                self.zrle.encode(framebuffer, area, &self.translator, out);
            }
        }
    }

    /// Appends a Cursor rectangle (section 7.8.1). It knows no half-transparent pixels: those that are
    /// more than half opaque are shown.
    pub(super) fn cursor(&self, cursor: &Cursor, out: &mut Vec<u8>) {
        let (x, y) = cursor.hotspot();
        let Size { width, height } = cursor.size();
        push_rectangle(Rect { x, y, width, height }, CURSOR, out);
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

/// Appends an ExtendedDesktopSize rectangle: one screen that fills the desktop.
pub(super) fn push_extended_size(size: Size, reason: SizeReason, out: &mut Vec<u8>) {
    let (x, y) = match reason {
        SizeReason::Server => (0, 0),
        SizeReason::ThisViewer(result) => (1, result as u16),
        SizeReason::OtherViewer => (2, 0),
    };
    let Size { width, height } = size;
    push_rectangle(Rect { x, y, width, height }, EXTENDED_DESKTOP_SIZE, out);
    out.extend([1, 0, 0, 0]);
    out.extend(0_u32.to_be_bytes());
    out.extend(0_u32.to_be_bytes());
    out.extend(width.to_be_bytes());
    out.extend(height.to_be_bytes());
    out.extend(0_u32.to_be_bytes());
}

/// Appends a rectangle without content: DesktopSize (section 7.8.2) or QEMU's acknowledgement.
pub(super) fn push_empty(size: Size, encoding: i32, out: &mut Vec<u8>) {
    push_rectangle(Rect::of(size), encoding, out);
}

/// Appends the head of an update of `count` rectangles.
pub(super) fn push_update_head(count: u16, out: &mut Vec<u8>) {
    out.extend([0, 0]);
    out.extend(count.to_be_bytes());
}

fn push_rectangle(place: Rect, encoding: i32, out: &mut Vec<u8>) {
    for field in [place.x, place.y, place.width, place.height] {
        out.extend(field.to_be_bytes());
    }
    out.extend(encoding.to_be_bytes());
}
