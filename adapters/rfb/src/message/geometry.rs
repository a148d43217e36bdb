//! Rectangles, screens and desktop layouts.

use crate::Encoding;
use crate::wire::Reader;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rectangle {
    /// Distance from the left edge.
    pub x: u16,
    /// Distance from the top edge.
    pub y: u16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

impl Rectangle {
    /// The rectangle at the origin with this size.
    pub const fn of_size(width: u16, height: u16) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// The number of pixels.
    pub const fn pixels(&self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// Whether it lies within a framebuffer of the given size.
    pub const fn is_within(&self, width: u16, height: u16) -> bool {
        self.x as u32 + self.width as u32 <= width as u32
            && self.y as u32 + self.height as u32 <= height as u32
    }

    /// Whether the pixel at `x`, `y` is in it.
    pub const fn contains(&self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.width && y - self.y < self.height
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { x: reader.u16()?, y: reader.u16()?, width: reader.u16()?, height: reader.u16()? })
    }

    pub(crate) fn write(&self, message: &mut Vec<u8>) {
        for field in [self.x, self.y, self.width, self.height] {
            message.extend_from_slice(&field.to_be_bytes());
        }
    }
}

/// One screen of a desktop that may have several (ExtendedDesktopSize).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// What the server calls it.
    pub id: u32,
    /// The part of the framebuffer that it shows.
    pub area: Rectangle,
    /// Reserved.
    pub flags: u32,
}

impl Screen {
    /// Bytes that a screen takes on the wire.
    pub const LEN: usize = 16;

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self { id: reader.u32()?, area: Rectangle::read(&mut reader)?, flags: reader.u32()? })
    }

    /// Screens as they are sent. More than 255 cannot be expressed and are left out.
    pub fn encode_all(screens: &[Screen]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(screens.len() * Self::LEN);
        for screen in screens.iter().take(usize::from(u8::MAX)) {
            bytes.extend_from_slice(&screen.id.to_be_bytes());
            screen.area.write(&mut bytes);
            bytes.extend_from_slice(&screen.flags.to_be_bytes());
        }
        bytes
    }
}

/// Screens as they lie on the wire: at most 255, 16 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenList<'a>(&'a [u8]);

impl<'a> ScreenList<'a> {
    /// The screens encoded in `bytes`, as by [`Screen::encode_all`]. What is beyond 255 or incomplete is
    /// left out.
    pub fn new(bytes: &'a [u8]) -> Self {
        let count = (bytes.len() / Screen::LEN).min(usize::from(u8::MAX));
        Self(bytes.get(..count * Screen::LEN).unwrap_or_default())
    }

    /// The screens in order.
    pub fn iter(self) -> impl Iterator<Item = Screen> + 'a {
        self.0.chunks_exact(Screen::LEN).filter_map(Screen::read)
    }

    /// How many there are.
    pub fn count(self) -> u8 {
        u8::try_from(self.0.len() / Screen::LEN).unwrap_or(u8::MAX)
    }

    /// The screens as they lie on the wire.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Why a server sends a desktop layout: the `x` field of an ExtendedDesktopSize rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeReason(pub u16);

impl ResizeReason {
    /// The server itself, or a mere announcement.
    pub const SERVER: Self = Self(0);
    /// The answer to this viewer's own SetDesktopSize.
    pub const THIS_VIEWER: Self = Self(1);
    /// Another viewer resized the desktop.
    pub const OTHER_VIEWER: Self = Self(2);
}

/// What became of the viewer's wish: the `y` field of an ExtendedDesktopSize rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeStatus(pub u16);

impl ResizeStatus {
    /// It was done.
    pub const DONE: Self = Self(0);
    /// It is administratively prohibited.
    pub const PROHIBITED: Self = Self(1);
}

/// The content of an ExtendedDesktopSize rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DesktopLayout<'a> {
    /// Why it is sent.
    pub reason: ResizeReason,
    /// What became of the viewer's wish. Meaningless unless the reason is the viewer's wish.
    pub status: ResizeStatus,
    /// Width of the framebuffer in pixels.
    pub width: u16,
    /// Height of the framebuffer in pixels.
    pub height: u16,
    /// The screens.
    pub screens: ScreenList<'a>,
}

impl DesktopLayout<'_> {
    /// Whether the framebuffer has this size from here on. A refused wish changes nothing.
    pub fn takes_effect(&self) -> bool {
        self.reason != ResizeReason::THIS_VIEWER || self.status == ResizeStatus::DONE
    }

    /// The rectangle as it is sent within an update.
    pub fn encode(&self) -> Vec<u8> {
        let header = Rectangle { x: self.reason.0, y: self.status.0, width: self.width, height: self.height };
        let mut rectangle = super::rectangle_header(header, Encoding::EXTENDED_DESKTOP_SIZE).to_vec();
        rectangle.extend_from_slice(&[self.screens.count(), 0, 0, 0]);
        rectangle.extend_from_slice(self.screens.bytes());
        rectangle
    }
}
