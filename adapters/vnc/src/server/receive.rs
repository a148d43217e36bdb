//! What a viewer sends once it is let in (RFC 6143, section 7.5), with the values in it.

use passerelle_desktop::{Rect, Size};
use passerelle_rfb::{Parsed, PixelFormat, PixelFormatError};

/// The most entries of a SetEncodings message. Viewers send some dozen.
const MOST_ENCODINGS: u16 = 1024;
/// The longest cut text that is taken, in bytes as they are sent.
pub(super) const LONGEST_CUT_TEXT: usize = 1 << 20;

/// A message from a viewer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    SetPixelFormat(PixelFormat),
    /// The encodings that the viewer understands, the one that it likes best first.
    SetEncodings(Vec<i32>),
    UpdateRequest {
        incremental: bool,
        area: Rect,
    },
    Key {
        pressed: bool,
        keysym: u32,
        scancode: Option<u32>,
    },
    Pointer {
        buttons: u8,
        x: u16,
        y: u16,
    },
    /// Text in Latin-1.
    CutText(&'a [u8]),
    /// Flags and data of the extended clipboard.
    ExtendedClipboard(&'a [u8]),
    /// A cut text that is too long to be taken. Its content follows and is to be skipped.
    OverlongCutText {
        content: usize,
    },
    SetDesktopSize {
        size: Size,
        screens: u8,
    },
}

/// A viewer sent what this server does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewerMessageError {
    /// A message that it was not told of.
    #[error("the viewer sent a message of type {0}, which this server does not know")]
    UnknownType(u8),
    /// A QEMU message other than the extended key event.
    #[error("the viewer sent a QEMU message of type {0}, which this server does not know")]
    UnknownQemuType(u8),
    /// A pixel format that makes no sense.
    #[error(transparent)]
    PixelFormat(#[from] PixelFormatError),
    /// A pixel format with a colour map.
    #[error("the viewer wants a colour map; only true colour is served")]
    ColourMap,
    /// A SetEncodings message that is much too long.
    #[error("the viewer listed {0} encodings")]
    TooManyEncodings(u16),
}

/// Parses the message at the front of `bytes`, as far as it has been received.
///
/// # Errors
/// The viewer sent what cannot be understood.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<Message<'_>>, ViewerMessageError> {
    let Some(&kind) = bytes.first() else { return Ok(Parsed::NeedMore { total: 1 }) };
    match kind {
        0 => Ok(parse_pixel_format(bytes)?),
        2 => parse_encodings(bytes),
        3 => Ok(fixed(bytes, |[_, incremental, x0, x1, y0, y1, w0, w1, h0, h1]: [u8; 10]| {
            Message::UpdateRequest {
                incremental: incremental != 0,
                area: Rect {
                    x: u16::from_be_bytes([x0, x1]),
                    y: u16::from_be_bytes([y0, y1]),
                    width: u16::from_be_bytes([w0, w1]),
                    height: u16::from_be_bytes([h0, h1]),
                },
            }
        })),
        4 => Ok(fixed(bytes, |[_, down, _, _, keysym @ ..]: [u8; 8]| Message::Key {
            pressed: down != 0,
            keysym: u32::from_be_bytes(keysym),
            scancode: None,
        })),
        5 => Ok(fixed(bytes, |[_, buttons, x0, x1, y0, y1]: [u8; 6]| Message::Pointer {
            buttons,
            x: u16::from_be_bytes([x0, x1]),
            y: u16::from_be_bytes([y0, y1]),
        })),
        6 => Ok(parse_cut_text(bytes)),
        251 => Ok(parse_desktop_size(bytes)),
        255 => parse_qemu(bytes),
        unknown => Err(ViewerMessageError::UnknownType(unknown)),
    }
}

/// Parses a message whose length is always the same.
fn fixed<const N: usize>(bytes: &[u8], message: impl Fn([u8; N]) -> Message<'static>) -> Parsed<Message<'_>> {
    match bytes.first_chunk() {
        None => Parsed::NeedMore { total: N },
        Some(head) => Parsed::Done { value: message(*head), len: N },
    }
}

fn parse_pixel_format(bytes: &[u8]) -> Result<Parsed<Message<'_>>, PixelFormatError> {
    const TOTAL: usize = 4 + PixelFormat::LEN;
    let Some(format) = bytes.get(4..).and_then(<[u8]>::first_chunk) else {
        return Ok(Parsed::NeedMore { total: TOTAL });
    };
    let format = PixelFormat::parse(format)?;
    Ok(Parsed::Done { value: Message::SetPixelFormat(format), len: TOTAL })
}

fn parse_encodings(bytes: &[u8]) -> Result<Parsed<Message<'_>>, ViewerMessageError> {
    let Some(&[_, _, n0, n1]) = bytes.first_chunk() else { return Ok(Parsed::NeedMore { total: 4 }) };
    let count = u16::from_be_bytes([n0, n1]);
    if count > MOST_ENCODINGS {
        return Err(ViewerMessageError::TooManyEncodings(count));
    }
    let total = 4 + 4 * usize::from(count);
    Ok(match bytes.get(4..total) {
        None => Parsed::NeedMore { total },
        Some(list) => {
            let encodings = list.as_chunks().0.iter().map(|number| i32::from_be_bytes(*number));
            Parsed::Done { value: Message::SetEncodings(encodings.collect()), len: total }
        }
    })
}

fn parse_cut_text(bytes: &[u8]) -> Parsed<Message<'_>> {
    const HEAD: usize = 8;
    let Some(&[_, _, _, _, length @ ..]) = bytes.first_chunk::<HEAD>() else {
        return Parsed::NeedMore { total: HEAD };
    };
    // Negative: the extended clipboard, with as many bytes.
    let length = i32::from_be_bytes(length);
    let content = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if content > LONGEST_CUT_TEXT {
        return Parsed::Done { value: Message::OverlongCutText { content }, len: HEAD };
    }
    let total = HEAD + content;
    match bytes.get(HEAD..total) {
        None => Parsed::NeedMore { total },
        Some(text) if length < 0 => Parsed::Done { value: Message::ExtendedClipboard(text), len: total },
        Some(text) => Parsed::Done { value: Message::CutText(text), len: total },
    }
}

fn parse_desktop_size(bytes: &[u8]) -> Parsed<Message<'_>> {
    const HEAD: usize = 8;
    let Some(&[_, _, w0, w1, h0, h1, screens, _]) = bytes.first_chunk::<HEAD>() else {
        return Parsed::NeedMore { total: HEAD };
    };
    let total = HEAD + 16 * usize::from(screens);
    if bytes.len() < total {
        return Parsed::NeedMore { total };
    }
    let size = Size { width: u16::from_be_bytes([w0, w1]), height: u16::from_be_bytes([h0, h1]) };
    Parsed::Done { value: Message::SetDesktopSize { size, screens }, len: total }
}

fn parse_qemu(bytes: &[u8]) -> Result<Parsed<Message<'_>>, ViewerMessageError> {
    match bytes.get(1) {
        None => return Ok(Parsed::NeedMore { total: 2 }),
        Some(0) => {}
        Some(unknown) => return Err(ViewerMessageError::UnknownQemuType(*unknown)),
    }
    Ok(fixed(bytes, |[_, _, d0, d1, s0, s1, s2, s3, scancode @ ..]: [u8; 12]| Message::Key {
        pressed: [d0, d1] != [0, 0],
        keysym: u32::from_be_bytes([s0, s1, s2, s3]),
        scancode: Some(u32::from_be_bytes(scancode)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message here, whole and cut short everywhere.
    #[test]
    fn messages_table() {
        let bgrx = [&[0, 0, 0, 0][..], &PixelFormat::BGRX.encode()].concat();
        let table: &[(&[u8], Message<'_>)] = &[
            (&bgrx, Message::SetPixelFormat(PixelFormat::BGRX)),
            (&[2, 0, 0, 2, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0x11], Message::SetEncodings(vec![16, -239])),
            (
                &[3, 1, 0, 1, 0, 2, 1, 0, 2, 0],
                Message::UpdateRequest {
                    incremental: true,
                    area: Rect { x: 1, y: 2, width: 256, height: 512 },
                },
            ),
            (&[4, 1, 0, 0, 0, 0, 0xff, 0x0d], Message::Key { pressed: true, keysym: 0xff0d, scancode: None }),
            (&[5, 0x81, 1, 2, 3, 4], Message::Pointer { buttons: 0x81, x: 0x102, y: 0x304 }),
            (&[6, 0, 0, 0, 0, 0, 0, 2, b'h', b'i'], Message::CutText(b"hi")),
            (&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 1, 0, 0, 1], Message::ExtendedClipboard(&[1, 0, 0, 1])),
            (
                &[251, 0, 2, 0, 1, 0, 1, 0, 9, 9, 9, 9, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0],
                Message::SetDesktopSize { size: Size { width: 512, height: 256 }, screens: 1 },
            ),
            (
                &[255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30],
                Message::Key { pressed: true, keysym: 0x61, scancode: Some(30) },
            ),
        ];
        for (bytes, message) in table {
            let followed = [bytes, &b"next"[..]].concat();
            match parse(&followed) {
                Ok(Parsed::Done { value, len }) => assert_eq!((&value, len), (message, bytes.len())),
                other => panic!("{other:?} instead of {message:?}"),
            }
            for end in 0..bytes.len() {
                let Ok(Parsed::NeedMore { total }) = parse(&bytes[..end]) else { panic!("{message:?} cut") };
                assert!(total > end && total <= bytes.len(), "{message:?} cut at {end} wants {total}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        use ViewerMessageError as E;
        let indexed = PixelFormat { bits_per_pixel: 24, ..PixelFormat::BGRX };
        let senseless = [&[0, 0, 0, 0][..], &indexed.encode()].concat();
        for (bytes, error) in [
            (&[1][..], E::UnknownType(1)),
            (&[248, 0, 0, 0], E::UnknownType(248)),
            (&[255, 1], E::UnknownQemuType(1)),
            (&[2, 0, 0xff, 0xff], E::TooManyEncodings(0xffff)),
            (&senseless, E::PixelFormat(PixelFormatError::BitsPerPixel(24))),
        ] {
            assert_eq!(parse(bytes), Err(error));
        }
    }

    #[test]
    fn overlong_text_is_skipped_rather_than_held() {
        for length in [(1 << 20) + 1_i32, i32::MAX, i32::MIN, -(1 << 20) - 1] {
            let bytes = [&[6, 0, 0, 0][..], &length.to_be_bytes(), b"start of it"].concat();
            let content = length.unsigned_abs() as usize;
            let value = Message::OverlongCutText { content };
            assert_eq!(parse(&bytes), Ok(Parsed::Done { value, len: 8 }));
        }
    }
}
