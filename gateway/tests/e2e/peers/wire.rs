//! Messages as bytes.

use passerelle_rfb::{
    ClientMessage, CutText, Encoding, EncodingList, PixelFormat, Rectangle, ServerInit, ServerMessage,
    rectangle_header, update_header,
};

/// Width and height of the desktops that targets announce.
pub(crate) const SIZE: (u16, u16) = (64, 48);

/// What targets say of their desktop.
pub(crate) fn init() -> ServerInit {
    ServerInit { width: SIZE.0, height: SIZE.1, pixel_format: PixelFormat::BGRX, name: "simulated".into() }
}

/// An update of one Raw rectangle, one pixel high, with these pixels of four bytes each.
pub(crate) fn raw_row(y: u16, pixels: &[u8]) -> Vec<u8> {
    let width = u16::try_from(pixels.len() / 4).expect("a row fits into a framebuffer");
    let area = Rectangle { x: 0, y, width, height: 1 };
    [&update_header(1)[..], &rectangle_header(area, Encoding::RAW), pixels].concat()
}

/// An update of one rectangle with this encoding and content.
pub(crate) fn update(area: Rectangle, encoding: Encoding, content: &[u8]) -> Vec<u8> {
    [&update_header(1)[..], &rectangle_header(area, encoding), content].concat()
}

/// An update of the whole desktop in Raw.
pub(crate) fn raw_screen() -> Vec<u8> {
    let area = Rectangle::of_size(SIZE.0, SIZE.1);
    update(area, Encoding::RAW, &vec![0x5a; usize::from(SIZE.0) * usize::from(SIZE.1) * 4])
}

/// Updates of the whole desktop that a recording cannot make shorter, for none is like one before it.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new() -> Self {
        Self(1)
    }

    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }

    /// The next ones.
    pub(crate) fn updates(&mut self, count: usize) -> Vec<u8> {
        let area = Rectangle::of_size(SIZE.0, SIZE.1);
        let len = usize::from(SIZE.0) * usize::from(SIZE.1) * 4;
        let mut pixels = || std::iter::repeat_with(|| self.next()).take(len).collect::<Vec<u8>>();
        (0..count).flat_map(|_| update(area, Encoding::RAW, &pixels())).collect()
    }
}

/// A request for an update of the whole desktop.
pub(crate) fn request() -> Vec<u8> {
    ClientMessage::UpdateRequest { incremental: true, area: Rectangle::of_size(SIZE.0, SIZE.1) }.encode()
}

/// A key.
pub(crate) fn key(down: bool, keysym: u32) -> Vec<u8> {
    ClientMessage::Key { down, keysym }.encode()
}

/// A pointer event.
pub(crate) fn pointer(buttons: u16, x: u16, y: u16) -> Vec<u8> {
    ClientMessage::Pointer { buttons, x, y }.encode()
}

/// What the viewer understands.
pub(crate) fn encodings(list: &[Encoding]) -> Vec<u8> {
    EncodingList::encode_message(list)
}

/// Clipboard content from the viewer.
pub(crate) fn viewer_text(text: &[u8]) -> Vec<u8> {
    ClientMessage::CutText(CutText::Plain(text)).encode()
}

/// Clipboard content from the target.
pub(crate) fn target_text(text: &[u8]) -> Vec<u8> {
    ServerMessage::CutText(CutText::Plain(text)).encode()
}
