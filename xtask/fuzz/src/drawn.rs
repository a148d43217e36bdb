//! What must hold for every decoder of recordings.

use passerelle_desktop::{DecodeError, Decoder, Pointer, Rect, Skipped};

/// What a recording ends with.
#[derive(Debug, PartialEq)]
pub(crate) struct Drawn {
    result: Result<(), DecodeError>,
    pub(crate) pixels: Vec<u32>,
    width: u16,
    pointer: String,
    position: Option<(u16, u16)>,
    skipped: Vec<Skipped>,
}

impl Drawn {
    /// What `decoder`, whose last answer was `result`, ended with.
    pub(crate) fn end(decoder: &dyn Decoder, result: Result<(), DecodeError>) -> Self {
        let framebuffer = decoder.framebuffer();
        let size = framebuffer.size();
        Self {
            result,
            pixels: framebuffer.rows(Rect::of(size)).flatten().copied().collect(),
            width: size.width,
            pointer: match decoder.pointer() {
                Pointer::Shape(cursor) => format!("{:?} {:?}", cursor.hotspot(), cursor.pixels()),
                Pointer::Default => "default".into(),
                Pointer::Hidden => "hidden".into(),
            },
            position: decoder.pointer_position(),
            skipped: decoder.skipped().to_vec(),
        }
    }

    /// Whether all of it was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.result.is_ok()
    }
}

/// Only what is in the picture changes.
pub(crate) fn check_damage(decoder: &mut dyn Decoder) {
    let all = Rect::of(decoder.framebuffer().size());
    let damage = decoder.take_damage();
    let within = |rect: &Rect| rect.intersection(all) == Some(*rect);
    assert!(damage.rects().iter().all(within), "{damage:?} of {all:?}");
}
