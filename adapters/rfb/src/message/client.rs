//! What a viewer sends after ClientInit.

use super::{CutText, Fence, Rectangle, ScreenList};
use crate::{Encoding, PixelFormat};

/// Message types of the viewer.
pub(crate) mod kind {
    pub(crate) const SET_PIXEL_FORMAT: u8 = 0;
    pub(crate) const SET_ENCODINGS: u8 = 2;
    pub(crate) const UPDATE_REQUEST: u8 = 3;
    pub(crate) const KEY: u8 = 4;
    pub(crate) const POINTER: u8 = 5;
    pub(crate) const CUT_TEXT: u8 = 6;
    pub(crate) const FILE_TRANSFER: u8 = 7;
    pub(crate) const TEXT_CHAT: u8 = 11;
    pub(crate) const ENABLE_CONTINUOUS_UPDATES: u8 = 150;
    pub(crate) const FENCE: u8 = 248;
    pub(crate) const XVP: u8 = 250;
    pub(crate) const SET_DESKTOP_SIZE: u8 = 251;
    pub(crate) const GII: u8 = 253;
    pub(crate) const QEMU: u8 = 255;
    pub(crate) const QEMU_KEY: u8 = 0;
    pub(crate) const QEMU_AUDIO: u8 = 1;
}

/// A message from a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// How the server shall send pixels from now on (RFC 6143, section 7.5.1).
    SetPixelFormat(PixelFormat),
    /// What the viewer understands, most wanted first (section 7.5.2).
    SetEncodings(EncodingList<'a>),
    /// Asks for an update (section 7.5.3).
    UpdateRequest {
        /// Whether only changes are wanted.
        incremental: bool,
        /// The part of interest.
        area: Rectangle,
    },
    /// A key was pressed or released (section 7.5.4).
    Key {
        /// Whether it was pressed.
        down: bool,
        /// The X11 key symbol.
        keysym: u32,
    },
    /// The pointer moved or a button changed (section 7.5.5).
    Pointer {
        /// Pressed buttons, button 1 in bit 0. Bits 7 and 8 take the extended form.
        buttons: u16,
        /// Where it is.
        x: u16,
        /// Where it is.
        y: u16,
    },
    /// Clipboard (section 7.5.6).
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
    /// Switches updates without requests on or off (ContinuousUpdates).
    EnableContinuousUpdates {
        /// On or off.
        enable: bool,
        /// The part of interest.
        area: Rectangle,
    },
    /// A synchronization mark, or the answer to one.
    Fence(Fence<'a>),
    /// Asks the machine to shut down, restart or reset (xvp).
    Xvp {
        /// Version of the extension.
        version: u8,
        /// 2 shut down, 3 restart, 4 reset.
        code: u8,
    },
    /// Asks for another desktop size (ExtendedDesktopSize).
    SetDesktopSize {
        /// Wanted width.
        width: u16,
        /// Wanted height.
        height: u16,
        /// Wanted screens.
        screens: ScreenList<'a>,
    },
    /// The head of a General Input Interface message: another way for input. Its content follows as
    /// [`Span::Body`](crate::Span).
    Gii {
        /// How many bytes follow.
        len: u16,
    },
    /// A key with its scan code (QEMU Extended Key Event).
    QemuKey {
        /// Whether it was pressed.
        down: bool,
        /// The X11 key symbol.
        keysym: u32,
        /// The XT scan code.
        keycode: u32,
    },
    /// About sound (QEMU Audio).
    QemuAudio(QemuAudioRequest),
}

/// What a viewer wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QemuAudioRequest {
    /// Sound shall be sent.
    Enable,
    /// Sound shall not be sent.
    Disable,
    /// How samples shall look.
    Format {
        /// Sample format, by QEMU's numbers.
        format: u8,
        /// Channels.
        channels: u8,
        /// Samples per second.
        frequency: u32,
    },
}

/// The encodings of a SetEncodings message as they lie on the wire, most wanted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingList<'a>(&'a [[u8; 4]]);

impl<'a> EncodingList<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.as_chunks().0)
    }

    /// The encodings in order.
    pub fn iter(self) -> impl Iterator<Item = Encoding> + 'a {
        self.0.iter().map(|bytes| Encoding(i32::from_be_bytes(*bytes)))
    }

    /// The SetEncodings message with these encodings. More than 65,535 cannot be expressed and are left out.
    pub fn encode_message(encodings: &[Encoding]) -> Vec<u8> {
        let count = u16::try_from(encodings.len()).unwrap_or(u16::MAX);
        let mut message = vec![kind::SET_ENCODINGS, 0];
        message.extend_from_slice(&count.to_be_bytes());
        for encoding in encodings.iter().take(usize::from(count)) {
            message.extend_from_slice(&encoding.0.to_be_bytes());
        }
        message
    }
}

impl ClientMessage<'_> {
    /// The message as it is sent; of the messages with a body, their head.
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::SetPixelFormat(format) => {
                let mut message = vec![kind::SET_PIXEL_FORMAT, 0, 0, 0];
                message.extend_from_slice(&format.encode());
                message
            }
            Self::SetEncodings(encodings) => {
                EncodingList::encode_message(&encodings.iter().collect::<Vec<_>>())
            }
            Self::UpdateRequest { incremental, area } => {
                let mut message = vec![kind::UPDATE_REQUEST, u8::from(incremental)];
                area.write(&mut message);
                message
            }
            Self::Key { down, keysym } => {
                let mut message = vec![kind::KEY, u8::from(down), 0, 0];
                message.extend_from_slice(&keysym.to_be_bytes());
                message
            }
            Self::Pointer { buttons, x, y } => encode_pointer(buttons, x, y),
            Self::CutText(text) => text.encode(kind::CUT_TEXT),
            Self::CutTextTooLong { len } => with_u32([kind::CUT_TEXT, 0, 0, 0], len),
            Self::FileTransfer { content, len } => {
                let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
                let [a, b, c, d] = len;
                vec![kind::FILE_TRANSFER, content, 0, 0, 0, 0, 0, 0, a, b, c, d]
            }
            Self::TextChat { len } => with_u32([kind::TEXT_CHAT, 0, 0, 0], len),
            Self::EnableContinuousUpdates { enable, area } => {
                let mut message = vec![kind::ENABLE_CONTINUOUS_UPDATES, u8::from(enable)];
                area.write(&mut message);
                message
            }
            Self::Fence(fence) => fence.encode(),
            Self::Xvp { version, code } => vec![kind::XVP, 0, version, code],
            Self::SetDesktopSize { width, height, screens } => {
                let mut message = vec![kind::SET_DESKTOP_SIZE, 0];
                message.extend_from_slice(&width.to_be_bytes());
                message.extend_from_slice(&height.to_be_bytes());
                message.extend_from_slice(&[screens.count(), 0]);
                message.extend_from_slice(screens.bytes());
                message
            }
            Self::Gii { len } => {
                let [high, low] = len.to_be_bytes();
                vec![kind::GII, 0x80, high, low]
            }
            Self::QemuKey { down, keysym, keycode } => {
                let mut message = vec![kind::QEMU, kind::QEMU_KEY, 0, u8::from(down)];
                message.extend_from_slice(&keysym.to_be_bytes());
                message.extend_from_slice(&keycode.to_be_bytes());
                message
            }
            Self::QemuAudio(QemuAudioRequest::Enable) => vec![kind::QEMU, kind::QEMU_AUDIO, 0, 0],
            Self::QemuAudio(QemuAudioRequest::Disable) => vec![kind::QEMU, kind::QEMU_AUDIO, 0, 1],
            Self::QemuAudio(QemuAudioRequest::Format { format, channels, frequency }) => {
                let mut message = vec![kind::QEMU, kind::QEMU_AUDIO, 0, 2, format, channels];
                message.extend_from_slice(&frequency.to_be_bytes());
                message
            }
        }
    }
}

fn with_u32(head: [u8; 4], value: u32) -> Vec<u8> {
    let mut message = head.to_vec();
    message.extend_from_slice(&value.to_be_bytes());
    message
}

/// Buttons beyond the seventh travel in a byte of their own, which bit 7 of the first mask announces.
fn encode_pointer(buttons: u16, x: u16, y: u16) -> Vec<u8> {
    let [_, low] = (buttons & 0x7f).to_be_bytes();
    let [_, high] = (buttons >> 7 & 0xff).to_be_bytes();
    let mut message = vec![kind::POINTER, if high == 0 { low } else { low | 0x80 }];
    message.extend_from_slice(&x.to_be_bytes());
    message.extend_from_slice(&y.to_be_bytes());
    if high != 0 {
        message.push(high);
    }
    message
}
