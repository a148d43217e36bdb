//! The ways in which a peer can break the protocol so that nothing after it is understood.

use crate::{Encoding, PixelFormatError, Rectangle};

/// How a server broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerViolation {
    /// A message type that is not known or not framed.
    #[error("message type {0} from the server is unknown")]
    UnknownMessage(u8),
    /// A message of an extension that the viewer never offered.
    #[error("message type {message} from the server belongs to {extension}, which was never offered")]
    ExtensionNotOffered {
        /// Its type.
        message: u8,
        /// What would have had to be offered.
        extension: Encoding,
    },
    /// A rectangle whose encoding the viewer never offered.
    #[error("the server sent a rectangle in {0}, which was never offered")]
    EncodingNotOffered(Encoding),
    /// A rectangle that reaches beyond the framebuffer.
    #[error("the server sent rectangle {area:?} outside the framebuffer of {width}x{height} pixels")]
    OutsideFramebuffer {
        /// The rectangle.
        area: Rectangle,
        /// The framebuffer's width.
        width: u16,
        /// The framebuffer's height.
        height: u16,
    },
    /// A CopyRect whose source reaches beyond the framebuffer.
    #[error("the server copied from {source_area:?} outside the framebuffer of {width}x{height} pixels")]
    CopySourceOutsideFramebuffer {
        /// What was to be copied.
        source_area: Rectangle,
        /// The framebuffer's width.
        width: u16,
        /// The framebuffer's height.
        height: u16,
    },
    /// A desktop with no pixels, or with more than [`Limits::pixels`](crate::Limits::pixels).
    #[error("the server resized the desktop to {width}x{height} pixels")]
    DesktopSize {
        /// Announced width.
        width: u16,
        /// Announced height.
        height: u16,
    },
    /// A cursor with a side over [`Limits::cursor_side`](crate::Limits::cursor_side).
    #[error("the server sent a cursor of {width}x{height} pixels")]
    CursorSize {
        /// Announced width.
        width: u16,
        /// Announced height.
        height: u16,
    },
    /// A CursorWithAlpha whose pixels come in an encoding that is not accepted there.
    #[error("the server sent an alpha cursor in {0}")]
    CursorEncoding(Encoding),
    /// A name over [`Limits::name`](crate::Limits::name).
    #[error("the server sent a desktop name of {0} bytes")]
    NameTooLong(u32),
    /// A Fence payload over [`Limits::fence`](crate::Limits::fence).
    #[error("the server sent a fence with {0} bytes of payload")]
    FenceTooLong(u8),
    /// An ExtendedClipboard message that names no action or is shorter than it promises.
    #[error("the server sent a malformed extended clipboard message")]
    MalformedClipboard,
    /// A rectangle with more compressed bytes than its pixels can need.
    #[error("the server announced {len} bytes of {encoding} for a rectangle that needs at most {most}")]
    ImplausibleLength {
        /// The encoding.
        encoding: Encoding,
        /// The announced length.
        len: u32,
        /// The most that is accepted.
        most: u64,
    },
    /// RRE or CoRRE with more subrectangles than pixels.
    #[error("the server announced {count} subrectangles in a rectangle of {pixels} pixels")]
    TooManySubrectangles {
        /// How many.
        count: u32,
        /// In how many pixels.
        pixels: u64,
    },
    /// A Hextile tile whose mask has bits that mean nothing.
    #[error("the server sent a Hextile tile with subencoding mask {0:#04x}")]
    HextileMask(u8),
    /// A TRLE tile whose subencoding is unused.
    #[error("the server sent a TRLE tile with subencoding {0}")]
    TrleSubencoding(u8),
    /// A TRLE tile that reuses a palette when there is none.
    #[error("the server sent a TRLE tile that reuses a palette which is not there")]
    TrlePaletteMissing,
    /// A TRLE run that goes on beyond its tile.
    #[error("the server sent a TRLE run beyond the end of its tile")]
    TrleRunTooLong,
    /// A TRLE run with a colour that its palette lacks.
    #[error("the server sent TRLE palette index {index} of a palette with {palette} colours")]
    TrlePaletteIndex {
        /// The index.
        index: u8,
        /// How many colours there are.
        palette: u8,
    },
    /// A Tight rectangle whose control byte means nothing, or PNG outside TightPNG.
    #[error("the server sent a Tight rectangle with control byte {0:#04x}")]
    TightControl(u8),
    /// A Tight filter that is not known, or the gradient filter on pixels without colours.
    #[error("the server sent a Tight rectangle with filter {0}")]
    TightFilter(u8),
    /// A Tight palette of one colour, whose indices implementations pack differently.
    #[error("the server sent a Tight palette of a single colour")]
    TightPaletteOfOne,
    /// Samples over [`Limits::audio`](crate::Limits::audio).
    #[error("the server sent {0} bytes of sound in one message")]
    AudioTooLong(u32),
    /// A QEMU message or operation that is not known.
    #[error("the server sent QEMU message {message} with operation {operation}")]
    QemuMessage {
        /// Its subtype.
        message: u8,
        /// Its operation, 0 if the subtype is already unknown.
        operation: u16,
    },
}

/// How a viewer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientViolation {
    /// A message type that is not known or not framed.
    #[error("message type {0} from the viewer is unknown")]
    UnknownMessage(u8),
    /// A pixel format that makes no sense.
    #[error("the viewer asked for a senseless pixel format: {0}")]
    PixelFormat(#[from] PixelFormatError),
    /// More encodings than [`Limits::encodings`](crate::Limits::encodings).
    #[error("the viewer sent a list of {0} encodings")]
    TooManyEncodings(u16),
    /// A Fence payload over [`Limits::fence`](crate::Limits::fence).
    #[error("the viewer sent a fence with {0} bytes of payload")]
    FenceTooLong(u8),
    /// An ExtendedClipboard message that names no action or is shorter than it promises.
    #[error("the viewer sent a malformed extended clipboard message")]
    MalformedClipboard,
    /// A QEMU message or operation that is not known.
    #[error("the viewer sent QEMU message {message} with operation {operation}")]
    QemuMessage {
        /// Its subtype.
        message: u8,
        /// Its operation, 0 if the subtype is already unknown.
        operation: u16,
    },
}
