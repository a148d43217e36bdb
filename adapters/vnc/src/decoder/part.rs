//! What could not be drawn.

use std::borrow::Cow;

/// A kind of thing that is not in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A rectangle whose pixels could not be decoded.
    Undecodable,
    /// A rectangle in a zlib stream of which something was lost before.
    History,
    /// A rectangle that takes more bytes than any honest one.
    TooLong,
    /// A rectangle of an update whose rectangles write many times more than a desktop.
    Excessive,
    /// H.264, for which there is no decoder. A recorded session does not offer it.
    H264,
    /// ZYWRLE, whose wavelets are not undone. A recorded session does not offer it.
    Zywrle,
    /// The shape of a pointer that is larger than [`passerelle_desktop::Cursor::MAX_SIDE`].
    PointerShape,
}

/// As what it is counted.
impl From<Part> for Cow<'static, str> {
    fn from(part: Part) -> Self {
        Cow::Borrowed(match part {
            Part::Undecodable => "undecodable rectangles",
            Part::History => "compressed rectangles whose history is lost",
            Part::TooLong => "rectangles that are too long",
            Part::Excessive => "rectangles of updates that write too much",
            Part::H264 => "H.264 rectangles",
            Part::Zywrle => "ZYWRLE rectangles",
            Part::PointerShape => "pointer shapes",
        })
    }
}
