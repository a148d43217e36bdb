//! The Remote Framebuffer protocol (RFC 6143 and its extensions) without I/O.
//!
//! Every function here is pure: bytes go in, messages or lengths come out. Nothing reads a clock, a socket
//! or the system's randomness; nothing panics or allocates without bound on what a peer sent.

mod encoding;
mod framer;
mod init;
mod limits;
mod message;
mod pixel_format;
pub mod security;
mod wire;

pub use encoding::{Encoding, allowed_encodings};
pub use framer::{ClientFramer, ClientViolation, Reach, ServerFramer, ServerViolation, Span};
pub use init::{ServerInit, ServerInitError};
pub use limits::Limits;
pub use message::{
    ClientMessage, ClipboardAction, ClipboardFormats, CutText, DesktopLayout, EncodingList,
    ExtendedClipboard, Fence, QemuAudioOperation, QemuAudioRequest, Rectangle, ResizeReason, ResizeStatus,
    Screen, ScreenList, ServerMessage, rectangle_header, update_header,
};
pub use pixel_format::{PixelFormat, PixelFormatError};
pub use wire::Parsed;
