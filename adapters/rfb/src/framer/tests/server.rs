//! Messages, updates and the state that follows from them.

use super::*;
use crate::message::{
    ClipboardAction, ClipboardFormats, CutText, DesktopLayout, ExtendedClipboard, Fence, QemuAudioOperation,
    ResizeReason, ResizeStatus, Screen, ScreenList,
};

fn raw(area: Rectangle) -> Vec<u8> {
    rectangle(area, Encoding::RAW, &vec![0; usize::try_from(area.pixels()).unwrap() * 4])
}

#[test]
fn one_call_gets_over_everything_that_nobody_needs_to_look_at() {
    let updates: Vec<u8> =
        (0..100).flat_map(|_| update(&[raw(at(0, 0, 4, 4)), raw(at(9, 9, 2, 2))])).collect();
    let mut framer = framer();
    assert_eq!(framer.next(&updates, Reach::Buffer), Ok(Span::Pass { len: updates.len() }));
    assert_eq!(framer.updates(), 100);
    let mut framer = super::framer();
    let first = Span::Pass { len: updates.len() / 100 };
    assert_eq!(framer.next(&updates, Reach::Message), Ok(first));
    assert_eq!(framer.updates(), 1);
}

#[test]
fn a_large_rectangle_goes_on_as_it_arrives() {
    let bytes = update(&[raw(at(0, 0, WIDTH, HEIGHT))]);
    let mut framer = framer();
    assert_eq!(framer.next(&bytes[..100], Reach::Message), Ok(Span::Pass { len: 100 }));
    assert!(!framer.at_message());
    assert_eq!(framer.next(&bytes[100..], Reach::Message), Ok(Span::Pass { len: bytes.len() - 100 }));
    assert!(framer.at_message());
}

#[test]
fn updates_end_with_their_count_or_with_last_rect() {
    let last = rectangle(at(0, 0, 0, 0), Encoding::LAST_RECT, &[]);
    let open = [&update_header(u16::MAX)[..], &raw(at(0, 0, 1, 1)), &last, &[2]].concat();
    let bell = message(ServerMessage::Bell);
    assert_eq!(whole(&open), (vec![Piece::Passed(open.len() - 1), bell], Ok(0)));

    let most = update(&vec![raw(at(0, 0, 1, 1)); usize::from(u16::MAX)]);
    let mut framer = framer();
    let (pieces, rest) = frame(&mut framer, most.chunks(65_521), Reach::Buffer);
    assert_eq!((pieces, rest), (vec![Piece::Passed(most.len())], Ok(0)));
    assert!(framer.at_message());

    let empty = [&update_header(0)[..], &[2]].concat();
    assert_eq!(whole(&empty).1, Ok(0));
}

#[test]
fn nothing_is_accepted_that_was_not_offered() {
    for (message, extension) in [
        (&[150][..], Encoding::CONTINUOUS_UPDATES),
        (&[248, 0, 0, 0, 0, 0, 0, 0, 0], Encoding::FENCE),
        (&[250, 0, 1, 1], Encoding::XVP),
        (&[255, 1, 0, 1], Encoding::QEMU_AUDIO),
        (&[3, 0, 0, 0, 255, 255, 255, 252, 1, 0, 0, 0], Encoding::EXTENDED_CLIPBOARD),
    ] {
        let mut framer = ServerFramer::new(&init(), Limits::default());
        let refused = ServerViolation::ExtensionNotOffered { message: message[0], extension };
        assert_eq!(framer.next(message, Reach::Buffer), Err(refused));
        framer.offer(extension);
        assert!(framer.was_offered(extension));
        assert!(matches!(framer.next(message, Reach::Buffer), Ok(Span::Message { .. })));
    }
    for encoding in Encoding::FRAMED.iter().filter(|encoding| **encoding != Encoding::RAW) {
        let mut framer = ServerFramer::new(&init(), Limits::default());
        let bytes = update(&[rectangle(at(0, 0, 1, 1), *encoding, &[0; 64])]);
        let refused = ServerViolation::EncodingNotOffered(*encoding);
        assert_eq!(frame(&mut framer, [&bytes[..]], Reach::Buffer).1, Err(refused));
    }
    let plain = update(&[raw(at(0, 0, 1, 1))]);
    let mut framer = ServerFramer::new(&init(), Limits::default());
    assert_eq!(frame(&mut framer, [&plain[..]], Reach::Buffer).1, Ok(0));
}

#[test]
fn the_framebuffer_follows_both_kinds_of_resizing() {
    let resized = ServerMessage::DesktopSize { width: 1000, height: 700 };
    let bytes = update(&[resized.encode(), raw(at(990, 690, 10, 10))]);
    let mut framer = framer();
    let (pieces, rest) = frame(&mut framer, [&bytes[..]], Reach::Buffer);
    assert_eq!((&pieces[1], rest), (&message(resized), Ok(0)));
    assert_eq!(framer.desktop_size(), (1000, 700));

    let screens = Screen::encode_all(&[Screen { id: 7, area: at(0, 0, 200, 100), flags: 0 }]);
    let screens = ScreenList::new(&screens);
    let layout = |reason, status| DesktopLayout { reason, status, width: 200, height: 100, screens };
    for (reason, status, size) in [
        (ResizeReason::SERVER, ResizeStatus(9), (200, 100)),
        (ResizeReason::THIS_VIEWER, ResizeStatus::DONE, (200, 100)),
        (ResizeReason::THIS_VIEWER, ResizeStatus::PROHIBITED, (WIDTH, HEIGHT)),
    ] {
        let mut framer = super::framer();
        let message = ServerMessage::Layout(layout(reason, status));
        let bytes = update(&[message.encode()]);
        let (pieces, rest) = frame(&mut framer, bytes.chunks(3), Reach::Buffer);
        assert_eq!((pieces, rest), (vec![Piece::Passed(4), super::message(message)], Ok(0)));
        assert_eq!(framer.desktop_size(), size);
        assert!(framer.at_message());
    }
    let beyond = DesktopLayout { width: 65535, height: 65535, ..layout(ResizeReason(0), ResizeStatus(0)) };
    let violation = ServerViolation::DesktopSize { width: 65535, height: 65535 };
    assert_eq!(whole(&update(&[beyond.encode()])).1, Err(violation));
}

#[test]
fn messages_come_out_as_they_were_encoded() {
    let text = ExtendedClipboard::new(ClipboardAction::Notify, ClipboardFormats::TEXT, &[]);
    let caps =
        ExtendedClipboard::new(ClipboardAction::Caps, ClipboardFormats(0b101), &[0, 0, 0, 9, 0, 1, 0, 0]);
    assert_eq!(
        caps.sizes().collect::<Vec<_>>(),
        [(ClipboardFormats::TEXT, 9), (ClipboardFormats::HTML, 65536)]
    );
    for expected in [
        ServerMessage::Bell,
        ServerMessage::CutText(CutText::Plain(b"caf\xe9")),
        ServerMessage::CutText(CutText::Plain(b"")),
        ServerMessage::CutText(CutText::Extended(text)),
        ServerMessage::CutText(CutText::Extended(caps)),
        ServerMessage::Fence(Fence { flags: Fence::REQUEST | Fence::SYNC_NEXT, payload: &[5; 64] }),
        ServerMessage::EndOfContinuousUpdates,
        ServerMessage::Xvp { version: 1, code: 1 },
        ServerMessage::QemuAudio { operation: QemuAudioOperation::Begin, len: 0 },
        ServerMessage::TextChat { len: 0 },
    ] {
        let bytes = expected.encode();
        let found = framer().next(&bytes, Reach::Buffer);
        assert_eq!(found, Ok(Span::Message { len: bytes.len(), message: expected }));
    }
}

#[test]
fn bodies_are_counted_and_not_held() {
    let too_long = [&ServerMessage::CutTextTooLong { len: 0x8000_0000 }.encode()[..], &[1; 100]].concat();
    let (pieces, rest) = whole(&too_long);
    let head = message(ServerMessage::CutTextTooLong { len: 0x8000_0000 });
    assert_eq!((pieces, rest), (vec![head, Piece::Body(100)], Ok(0)));

    let len = (1 << 20) + 1;
    let mut framer = framer();
    let bytes = [&ServerMessage::CutTextTooLong { len }.encode()[..], &vec![1; len as usize], &[2]].concat();
    let (pieces, rest) = frame(&mut framer, bytes.chunks(100_000), Reach::Buffer);
    let head = message(ServerMessage::CutTextTooLong { len });
    let expected = vec![head, Piece::Body(len as usize), message(ServerMessage::Bell)];
    assert_eq!((pieces, rest), (expected, Ok(0)));

    for (head, len) in [
        (ServerMessage::TextChat { len: 5 }, 5),
        (ServerMessage::FileTransfer { content: 5, len: 7 }, 7),
        (ServerMessage::QemuAudio { operation: QemuAudioOperation::Data, len: 4 }, 4),
    ] {
        let bytes = [&head.encode()[..], &vec![0; len], &[2]].concat();
        let expected = vec![message(head), Piece::Body(len), message(ServerMessage::Bell)];
        assert_eq!(whole(&bytes), (expected, Ok(0)));
    }
}

#[test]
fn malformed_messages_are_refused() {
    use ServerViolation as V;
    for (bytes, violation) in [
        (&[4][..], V::UnknownMessage(4)),
        (&[253, 0, 0, 0], V::UnknownMessage(253)),
        (&[248, 0, 0, 0, 0, 0, 0, 0, 65], V::FenceTooLong(65)),
        (&[3, 0, 0, 0, 255, 255, 255, 255, 0], V::MalformedClipboard),
        (&[3, 0, 0, 0, 255, 255, 255, 252, 0, 0, 0, 1], V::MalformedClipboard),
        (&[3, 0, 0, 0, 255, 255, 255, 252, 0x18, 0, 0, 1], V::MalformedClipboard),
        (&[3, 0, 0, 0, 255, 255, 255, 252, 1, 0, 0, 1], V::MalformedClipboard),
        (&[255, 2], V::QemuMessage { message: 2, operation: 0 }),
        (&[255, 1, 0, 3], V::QemuMessage { message: 1, operation: 3 }),
        (&[255, 1, 0, 2, 128, 0, 0, 0], V::AudioTooLong(1 << 31)),
    ] {
        assert_eq!(framer().next(bytes, Reach::Buffer), Err(violation));
    }
}

#[test]
fn a_watched_pixel_is_seen_once_an_update_covers_it() {
    let mut framer = framer();
    framer.watch_pixel(9, 9);
    for (area, arrived) in [(at(0, 0, 9, 10), false), (at(10, 9, 1, 1), false), (at(9, 9, 1, 1), true)] {
        assert!(frame(&mut framer, [&update(&[raw(area)])[..]], Reach::Message).1.is_ok());
        assert_eq!(framer.pixel_arrived(), arrived);
    }
    framer.watch_pixel(0, 0);
    assert!(!framer.pixel_arrived());
}
