//! The viewer's messages.

use super::record;
use crate::framer::{ClientFramer, ClientViolation, Span};
use crate::message::*;
use crate::{Encoding, Limits, PixelFormat, PixelFormatError};

fn next(bytes: &[u8]) -> Result<Span<ClientMessage<'_>>, ClientViolation> {
    ClientFramer::new(Limits::default()).next(bytes)
}

#[test]
fn messages_come_out_as_they_were_encoded() {
    let encodings: Vec<u8> = [7, 16, -239].iter().flat_map(|number: &i32| number.to_be_bytes()).collect();
    let area = Rectangle { x: 1, y: 2, width: 3, height: 4 };
    let screens = Screen::encode_all(&[Screen { id: 1, area, flags: 0 }; 2]);
    let request = ExtendedClipboard::new(ClipboardAction::Request, ClipboardFormats::TEXT, &[]);
    let format = QemuAudioRequest::Format { format: 3, channels: 2, frequency: 44_100 };
    for expected in [
        ClientMessage::SetPixelFormat(PixelFormat::BGRX),
        ClientMessage::SetEncodings(EncodingList::new(&encodings)),
        ClientMessage::UpdateRequest { incremental: true, area },
        ClientMessage::Key { down: true, keysym: 0xffe1 },
        ClientMessage::Pointer { buttons: 0b101, x: 700, y: 3 },
        ClientMessage::CutText(CutText::Plain(b"caf\xe9")),
        ClientMessage::CutText(CutText::Extended(request)),
        ClientMessage::EnableContinuousUpdates { enable: true, area },
        ClientMessage::Fence(Fence { flags: 7, payload: b"abc" }),
        ClientMessage::Xvp { version: 1, code: 2 },
        ClientMessage::SetDesktopSize { width: 1, height: 2, screens: ScreenList::new(&screens) },
        ClientMessage::QemuKey { down: false, keysym: 0x41, keycode: 0x1e },
        ClientMessage::QemuAudio(QemuAudioRequest::Enable),
        ClientMessage::QemuAudio(QemuAudioRequest::Disable),
        ClientMessage::QemuAudio(format),
    ] {
        let bytes = expected.encode();
        assert_eq!(next(&bytes), Ok(Span::Message { len: bytes.len(), message: expected }));
        for end in 0..bytes.len() {
            match next(&bytes[..end]) {
                Ok(Span::NeedMore { total }) => assert!(total > end && total <= bytes.len()),
                other => panic!("{expected:?} cut at {end}: {other:?}"),
            }
        }
    }
}

#[test]
fn more_buttons_take_a_byte_only_when_that_was_negotiated() {
    let extended = ClientMessage::Pointer { buttons: 0b1_1000_0001, x: 5, y: 6 };
    let bytes = extended.encode();
    assert_eq!(bytes, [5, 0x81, 0, 5, 0, 6, 3]);
    let mut framer = ClientFramer::new(Limits::default());
    let plain = ClientMessage::Pointer { buttons: 0x81, x: 5, y: 6 };
    assert_eq!(framer.next(&bytes), Ok(Span::Message { len: 6, message: plain }));
    framer.set_extended_pointer(true);
    assert_eq!(framer.next(&bytes), Ok(Span::Message { len: 7, message: extended }));
    assert_eq!(framer.next(&bytes[..6]), Ok(Span::NeedMore { total: 7 }));
    let few = ClientMessage::Pointer { buttons: 1, x: 5, y: 6 };
    assert_eq!(framer.next(&[5, 1, 0, 5, 0, 6]), Ok(Span::Message { len: 6, message: few }));
}

#[test]
fn bodies_are_counted_and_not_held() {
    let long = [6, 0, 0, 0, 0x80, 0, 0, 0, 1, 2, 3];
    let mut framer = ClientFramer::new(Limits::default());
    let mut pieces = Vec::new();
    let head = framer.next(&long).unwrap();
    assert_eq!(head, Span::Message { len: 8, message: ClientMessage::CutTextTooLong { len: 1 << 31 } });
    record(&mut pieces, head, long.len());
    assert_eq!(framer.next(&long[8..]), Ok(Span::Body { len: 3 }));

    // A chat that is opened has no text; a file offer has four bytes more than it says.
    for (bytes, len, body) in [
        (&[11, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..], 8, 0),
        (&[11, 0, 0, 0, 0, 0, 0, 3], 8, 3),
        (&[7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 12, 6),
        (&[7, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 12, 2),
        (&[253, 1, 2, 0], 4, 2),
        (&[253, 0x81, 0, 2], 4, 2),
    ] {
        let mut framer = ClientFramer::new(Limits::default());
        assert!(matches!(framer.next(bytes), Ok(Span::Message { len: head, .. }) if head == len));
        let key = ClientMessage::Key { down: true, keysym: 1 }.encode();
        let rest = [&vec![0; body][..], &key].concat();
        if body > 0 {
            assert_eq!(framer.next(&rest), Ok(Span::Body { len: body }));
        }
        assert!(matches!(framer.next(&rest[body..]), Ok(Span::Message { len: 8, .. })));
    }
}

#[test]
fn malformed_messages_are_refused() {
    use ClientViolation as V;
    let mut senseless = ClientMessage::SetPixelFormat(PixelFormat::BGRX).encode();
    senseless[4] = 24;
    for (bytes, violation) in [
        (&[1][..], V::UnknownMessage(1)),
        (&[8], V::UnknownMessage(8)),
        (&senseless, V::PixelFormat(PixelFormatError::BitsPerPixel(24))),
        (&[2, 0, 4, 1], V::TooManyEncodings(1025)),
        (&[248, 0, 0, 0, 0, 0, 0, 0, 65], V::FenceTooLong(65)),
        (&[6, 0, 0, 0, 255, 255, 255, 253, 1, 0, 0], V::MalformedClipboard),
        (&[255, 2], V::QemuMessage { message: 2, operation: 0 }),
        (&[255, 1, 0, 3], V::QemuMessage { message: 1, operation: 3 }),
    ] {
        assert_eq!(next(bytes), Err(violation));
    }
}

#[test]
fn a_list_of_encodings_is_read_in_order() {
    let wanted = [Encoding::ZRLE, Encoding(21), Encoding::CURSOR];
    let bytes = EncodingList::encode_message(&wanted);
    let Ok(Span::Message { message: ClientMessage::SetEncodings(list), .. }) = next(&bytes) else {
        panic!("the list was not framed");
    };
    assert_eq!(list.iter().collect::<Vec<_>>(), wanted);
}
