//! The server's description of the desktop.

use crate::wire::{Parsed, Reader};
use crate::{Limits, PixelFormat, PixelFormatError};

/// `ServerInit` (RFC 6143, section 7.3.2): what the viewer learns about the desktop once it is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInit {
    /// Width of the framebuffer in pixels.
    pub width: u16,
    /// Height of the framebuffer in pixels.
    pub height: u16,
    /// The server's natural pixel format, which is in force until the viewer sets another.
    pub pixel_format: PixelFormat,
    /// The desktop's name. Bytes that are not UTF-8 are replaced when it is parsed.
    pub name: String,
}

/// A `ServerInit` that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerInitError {
    /// Nothing to see, or more pixels than [`Limits::pixels`].
    #[error("the server announced a desktop of {width}x{height} pixels")]
    DesktopSize {
        /// Announced width.
        width: u16,
        /// Announced height.
        height: u16,
    },
    /// The pixel format makes no sense.
    #[error(transparent)]
    PixelFormat(#[from] PixelFormatError),
    /// A name longer than [`Limits::name`].
    #[error("the server announced a desktop name of {len} bytes")]
    NameTooLong {
        /// Announced length.
        len: u32,
    },
}

impl ServerInit {
    /// Bytes before the name.
    const HEAD: usize = 24;

    /// Parses the message at the front of `bytes`, as far as it has been received.
    ///
    /// # Errors
    /// The desktop, its pixel format or its name is beyond the limits or senseless.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed<Self>, ServerInitError> {
        let mut reader = Reader::new(bytes);
        let (Some(width), Some(height), Some(pixel_format), Some(name_len)) =
            (reader.u16(), reader.u16(), PixelFormat::read(&mut reader), reader.u32())
        else {
            return Ok(Parsed::NeedMore { total: Self::HEAD });
        };
        if !limits.allows_desktop(width, height) {
            return Err(ServerInitError::DesktopSize { width, height });
        }
        let pixel_format = pixel_format?;
        if name_len > limits.name {
            return Err(ServerInitError::NameTooLong { len: name_len });
        }
        let name_len = name_len as usize;
        let len = Self::HEAD.saturating_add(name_len);
        let Some(name) = reader.bytes(name_len) else {
            return Ok(Parsed::NeedMore { total: len });
        };
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Parsed::Done { value: Self { width, height, pixel_format, name }, len })
    }

    /// The message as it is sent. A name of more than 4 GiB is cut.
    pub fn encode(&self) -> Vec<u8> {
        let name = self.name.as_bytes();
        let name_len = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let mut message = Vec::with_capacity(Self::HEAD + name.len());
        message.extend_from_slice(&self.width.to_be_bytes());
        message.extend_from_slice(&self.height.to_be_bytes());
        message.extend_from_slice(&self.pixel_format.encode());
        message.extend_from_slice(&name_len.to_be_bytes());
        message.extend(name.iter().take(name_len as usize));
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desktop(width: u16, height: u16, name: &str) -> ServerInit {
        ServerInit { width, height, pixel_format: PixelFormat::BGRX, name: name.into() }
    }

    #[test]
    fn parses_at_whatever_point_the_bytes_end() {
        let init = desktop(1280, 720, "front désk");
        let bytes = init.encode();
        for end in 0..bytes.len() {
            let total = if end < 24 { 24 } else { bytes.len() };
            let parsed = ServerInit::parse(&bytes[..end], &Limits::default());
            assert_eq!(parsed, Ok(Parsed::NeedMore { total }));
        }
        let followed = [&bytes[..], b"more"].concat();
        let parsed = ServerInit::parse(&followed, &Limits::default());
        assert_eq!(parsed, Ok(Parsed::Done { value: init, len: bytes.len() }));
    }

    #[test]
    fn oversized_and_empty_desktops_are_refused() {
        for (width, height) in [(0, 0), (0, 720), (1280, 0), (65535, 65535), (8192, 8193)] {
            let parsed = ServerInit::parse(&desktop(width, height, "").encode(), &Limits::default());
            assert_eq!(parsed, Err(ServerInitError::DesktopSize { width, height }));
        }
        assert!(ServerInit::parse(&desktop(8192, 8192, "").encode(), &Limits::default()).is_ok());
    }

    #[test]
    fn a_name_is_refused_before_it_is_received() {
        for len in [4097u32, 0x8000_0000, u32::MAX] {
            let mut bytes = desktop(1, 1, "").encode();
            bytes[20..24].copy_from_slice(&len.to_be_bytes());
            let parsed = ServerInit::parse(&bytes, &Limits::default());
            assert_eq!(parsed, Err(ServerInitError::NameTooLong { len }));
        }
    }
}
