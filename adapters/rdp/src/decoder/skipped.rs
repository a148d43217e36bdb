//! What could not be drawn.

use std::borrow::Cow;

/// A kind of thing that is not in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A PDU or message whose form is broken, or that belongs to nothing known.
    Malformed,
    /// An update whose pixels could not be decoded, or lie outside of the desktop.
    Undecodable,
    /// Bulk-compressed data whose history is lost.
    History,
    /// A message that is longer than what is put together, 64 MiB.
    TooLong,
    /// A command of the graphics pipeline in a message whose commands write many times more than a desktop.
    Excessive,
    /// Drawing orders (MS-RDPEGDI).
    Orders,
    /// A surface command with the codec of this number (MS-RDPBCGR 2.2.9.2.1.1, `codecID`).
    SurfaceCodec(u8),
    /// H.264 in the graphics pipeline, when there is no decoder for it.
    H264,
    /// A surface of the graphics pipeline that is shown in a RemoteApp window.
    Window,
    /// Pixels that the target took from the cache which the viewer kept of an earlier session.
    CacheImport,
    /// The shape of a pointer that is broken or larger than [`passerelle_desktop::Cursor::MAX_SIDE`].
    PointerShape,
}

/// As what it is counted.
impl From<Part> for Cow<'static, str> {
    fn from(part: Part) -> Self {
        Cow::Borrowed(match part {
            Part::Malformed => "malformed PDUs",
            Part::Undecodable => "undecodable updates",
            Part::History => "compressed data whose history is lost",
            Part::TooLong => "messages that are too long",
            Part::Excessive => "commands that write too much",
            Part::Orders => "drawing orders",
            Part::SurfaceCodec(codec) => {
                return Cow::Owned(format!("surface commands with the codec {codec}"));
            }
            Part::H264 => "H.264 updates",
            Part::Window => "RemoteApp windows",
            Part::CacheImport => "pixels from the viewer's persistent cache",
            Part::PointerShape => "pointer shapes",
        })
    }
}
