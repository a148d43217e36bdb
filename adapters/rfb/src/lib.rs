//! The Remote Framebuffer protocol (RFC 6143 and its extensions) without I/O.
//!
//! Every function here is pure: bytes go in, messages or lengths come out. Nothing reads a clock, a socket
//! or the system's randomness; nothing panics or allocates without bound on what a peer sent.

mod init;
mod limits;
mod pixel_format;
pub mod security;
mod wire;

pub use init::{ServerInit, ServerInitError};
pub use limits::Limits;
pub use pixel_format::{PixelFormat, PixelFormatError};
pub use wire::Parsed;
