//! What a server sends after ServerInit, as far as somebody looks at it.

use super::{CutText, DesktopLayout, Fence, Rectangle};
use crate::Encoding;

/// Message types of the server.
pub(crate) mod kind {
    pub(crate) const UPDATE: u8 = 0;
    pub(crate) const COLOUR_MAP: u8 = 1;
    pub(crate) const BELL: u8 = 2;
    pub(crate) const CUT_TEXT: u8 = 3;
    pub(crate) const FILE_TRANSFER: u8 = 7;
    pub(crate) const TEXT_CHAT: u8 = 11;
    pub(crate) const END_OF_CONTINUOUS_UPDATES: u8 = 150;
    pub(crate) const FENCE: u8 = 248;
    pub(crate) const XVP: u8 = 250;
    pub(crate) const QEMU: u8 = 255;
    pub(crate) const QEMU_AUDIO: u8 = 1;
}

/// A message from a server, or a rectangle within an update that changes the state of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// A rectangle that resizes the framebuffer (DesktopSize).
    DesktopSize {
        /// New width.
        width: u16,
        /// New height.
        height: u16,
    },
    /// A rectangle that resizes or describes the framebuffer (ExtendedDesktopSize).
    Layout(DesktopLayout<'a>),
    /// A rectangle that renames the desktop, in UTF-8 (DesktopName).
    DesktopName(&'a [u8]),
    /// A rectangle that confirms that the pointer may have more than seven buttons.
    ExtendedMouseButtons,
    /// An audible signal (RFC 6143, section 7.6.3).
    Bell,
    /// Clipboard (section 7.6.4).
    CutText(CutText<'a>),
    /// The first 8 bytes of a cut text over the limit. Its content follows as [`Span::Body`](crate::Span).
    CutTextTooLong {
        /// How many bytes follow.
        len: u32,
    },
    /// The head of an UltraVNC file-transfer message. Its content follows as [`Span::Body`](crate::Span).
    FileTransfer {
        /// What it is about, by UltraVNC's numbers.
        content: u8,
        /// How many bytes follow.
        len: u64,
    },
    /// The head of an UltraVNC chat message. Its text follows as [`Span::Body`](crate::Span).
    TextChat {
        /// How many bytes follow; 0 when the chat is opened or closed.
        len: u32,
    },
    /// No more updates without requests from here on; also says that they are supported at all.
    EndOfContinuousUpdates,
    /// A synchronization mark, or the answer to one.
    Fence(Fence<'a>),
    /// About shutting the machine down (xvp).
    Xvp {
        /// Version of the extension.
        version: u8,
        /// 0 the last request failed, 1 the extension is supported.
        code: u8,
    },
    /// The head of a QEMU Audio message. Samples follow as [`Span::Body`](crate::Span).
    QemuAudio {
        /// What it is for.
        operation: QemuAudioOperation,
        /// How many bytes follow.
        len: u32,
    },
}

/// What a server says about sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QemuAudioOperation {
    /// The stream stops.
    End,
    /// The stream starts.
    Begin,
    /// Samples.
    Data,
}

impl ServerMessage<'_> {
    /// The message or rectangle as it is sent; of the messages with a body, their head.
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::DesktopSize { width, height } => {
                rectangle_header(Rectangle::of_size(width, height), Encoding::DESKTOP_SIZE).to_vec()
            }
            Self::Layout(layout) => layout.encode(),
            Self::DesktopName(name) => {
                let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
                let mut rectangle = rectangle_header(Rectangle::default(), Encoding::DESKTOP_NAME).to_vec();
                rectangle.extend_from_slice(&len.to_be_bytes());
                rectangle.extend(name.iter().take(len as usize));
                rectangle
            }
            Self::ExtendedMouseButtons => {
                rectangle_header(Rectangle::default(), Encoding::EXTENDED_MOUSE_BUTTONS).to_vec()
            }
            Self::Bell => vec![kind::BELL],
            Self::CutText(text) => text.encode(kind::CUT_TEXT),
            Self::CutTextTooLong { len } => with_u32([kind::CUT_TEXT, 0, 0, 0], len),
            Self::FileTransfer { content, len } => {
                let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
                let [a, b, c, d] = len;
                vec![kind::FILE_TRANSFER, content, 0, 0, 0, 0, 0, 0, a, b, c, d]
            }
            Self::TextChat { len } => with_u32([kind::TEXT_CHAT, 0, 0, 0], len),
            Self::EndOfContinuousUpdates => vec![kind::END_OF_CONTINUOUS_UPDATES],
            Self::Fence(fence) => fence.encode(),
            Self::Xvp { version, code } => vec![kind::XVP, 0, version, code],
            Self::QemuAudio { operation, len } => {
                let head = |number| [kind::QEMU, kind::QEMU_AUDIO, 0, number];
                match operation {
                    QemuAudioOperation::End => head(0).to_vec(),
                    QemuAudioOperation::Begin => head(1).to_vec(),
                    QemuAudioOperation::Data => with_u32(head(2), len),
                }
            }
        }
    }
}

fn with_u32(head: [u8; 4], value: u32) -> Vec<u8> {
    let mut message = head.to_vec();
    message.extend_from_slice(&value.to_be_bytes());
    message
}

/// The head of a FramebufferUpdate with `rectangles` rectangles (RFC 6143, section 7.6.1).
pub fn update_header(rectangles: u16) -> [u8; 4] {
    let [high, low] = rectangles.to_be_bytes();
    [kind::UPDATE, 0, high, low]
}

/// The head of a rectangle within an update (RFC 6143, section 7.6.1).
pub fn rectangle_header(area: Rectangle, encoding: Encoding) -> [u8; 12] {
    let [x0, x1] = area.x.to_be_bytes();
    let [y0, y1] = area.y.to_be_bytes();
    let [w0, w1] = area.width.to_be_bytes();
    let [h0, h1] = area.height.to_be_bytes();
    let [e0, e1, e2, e3] = encoding.0.to_be_bytes();
    [x0, x1, y0, y1, w0, w1, h0, h1, e0, e1, e2, e3]
}
