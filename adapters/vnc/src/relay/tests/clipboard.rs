//! Clipboards: permissions, limits and formats, in both directions.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use passerelle_rfb::{ClipboardAction, ClipboardFormats, ExtendedClipboard};

use super::*;

const TEXT: ClipboardFormats = ClipboardFormats::TEXT;

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(content).unwrap();
    zlib.finish().unwrap()
}

fn sized(contents: &[&[u8]]) -> Vec<u8> {
    let one = |content: &&[u8]| [&u32::try_from(content.len()).unwrap().to_be_bytes(), *content].concat();
    contents.iter().flat_map(one).collect()
}

fn extended(side: Side, action: ClipboardAction, formats: u16, body: &[u8]) -> Vec<u8> {
    cut_text(side, CutText::Extended(ExtendedClipboard::new(action, ClipboardFormats(formats), body)))
}

/// Sends from `side`; says what arrived on the other side and what the recording has.
fn send(pair: &mut Pair, side: Side, message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match side {
        Side::Viewer => {
            pair.viewer_sends(message).unwrap();
            (pair.take_to_target(), std::mem::take(&mut pair.viewer_lane))
        }
        Side::Target => {
            pair.target_sends(message).unwrap();
            (pair.take_to_viewer(), std::mem::take(&mut pair.target_lane))
        }
    }
}

fn permission(side: Side) -> Permission {
    match side {
        Side::Viewer => Permission::ClipboardToTarget,
        Side::Target => Permission::ClipboardFromTarget,
    }
}

#[test]
fn content_passes_with_permission_up_to_the_limit_and_is_not_recorded() {
    for (side, limit) in [(Side::Viewer, 100), (Side::Target, 50)] {
        let provide = |contents: &[&[u8]], formats| {
            extended(side, ClipboardAction::Provide, formats, &deflate(&sized(contents)))
        };
        let most = vec![b'x'; limit];
        let over = vec![b'x'; limit + 1];
        for (message, kind, bytes) in [
            (plain(side, &most), "text", Some(limit)),
            (plain(side, b""), "text", Some(0)),
            (plain(side, &over), "text", None),
            (plain(side, &vec![b'x'; 10_000]), "text", None),
            (provide(&[&most], 1), "text", Some(limit)),
            (provide(&[&over], 1), "text", None),
            (provide(&[b"a", b"<b>"], 0b101), "several formats", Some(4)),
            (provide(&[b"<b>"], 0b100), "html", Some(3)),
            (provide(&[&most, b"b"], 0b101), "several formats", None),
        ] {
            let mut pair = Pair::new();
            let (arrived, recorded) = send(&mut pair, side, &message);
            let Some(bytes) = bytes else {
                assert_eq!((arrived, recorded), (vec![], vec![]));
                assert_eq!(pair.denials(), [(side, permission(side))]);
                continue;
            };
            assert_eq!((arrived, recorded), (message.clone(), plain(side, b"")));
            let notice = Notice::Clipboard {
                from: side,
                kind,
                bytes: bytes as u64,
                complete: true,
                message: message.clone(),
            };
            assert_eq!(pair.take_notices().pop(), Some(notice));

            let mut pair = Pair::with(RelaySettings { store_clipboard: true, ..settings() });
            assert_eq!(send(&mut pair, side, &message), (message.clone(), message.clone()));

            pair.set_permissions(without(permission(side)));
            assert_eq!(send(&mut pair, side, &message), (vec![], vec![]));
            assert_eq!(pair.denials(), [(side, permission(side))]);
        }
    }
}

#[test]
fn a_direction_without_permission_can_neither_offer_nor_be_asked() {
    for side in [Side::Viewer, Side::Target] {
        for (action, needed) in [
            (ClipboardAction::Notify, side),
            (ClipboardAction::Request, side.other()),
            (ClipboardAction::Peek, side.other()),
        ] {
            let message = extended(side, action, 1, &[]);
            let mut pair = Pair::with(RelaySettings {
                permissions: Permissions::NONE.with(permission(needed)),
                ..settings()
            });
            assert_eq!(send(&mut pair, side, &message), (message.clone(), message.clone()));
            pair.set_permissions(without(permission(needed)));
            assert_eq!(send(&mut pair, side, &message), (vec![], vec![]));
            assert_eq!(pair.denials(), [(side, permission(needed))]);
        }
    }
}

#[test]
fn pictures_and_text_have_permissions_of_their_own() {
    const DIB: u16 = ClipboardFormats::DIB.0;
    for side in [Side::Viewer, Side::Target] {
        let images = match side {
            Side::Viewer => Permission::ImagesToTarget,
            Side::Target => Permission::ImagesFromTarget,
        };
        let text = permission(side);
        for (granted, withheld, passes, denied) in [(images, text, DIB, 1), (text, images, 1, DIB)] {
            let mut pair =
                Pair::with(RelaySettings { permissions: Permissions::NONE.with(granted), ..settings() });
            let provide = |formats, contents: &[&[u8]]| {
                extended(side, ClipboardAction::Provide, formats, &deflate(&sized(contents)))
            };
            let content = provide(passes, &[b"abc"]);
            assert_eq!(send(&mut pair, side, &content).0, content);
            let kind = if passes == DIB { "dib" } else { "text" };
            let notice = Notice::Clipboard { from: side, kind, bytes: 3, complete: true, message: content };
            assert_eq!(pair.take_notices().pop(), Some(notice));

            for message in [provide(denied, &[b"abc"]), provide(1 | DIB, &[b"a", b"b"])] {
                assert_eq!(send(&mut pair, side, &message).0, NOTHING);
                assert_eq!(pair.denials(), [(side, withheld)]);
            }
            // Offers and requests lose what is not permitted.
            for (action, by) in [
                (ClipboardAction::Notify, side),
                (ClipboardAction::Request, side.other()),
                (ClipboardAction::Peek, side.other()),
            ] {
                let both = extended(by, action, 1 | DIB, &[]);
                assert_eq!(send(&mut pair, by, &both).0, extended(by, action, passes, &[]));
                assert_eq!(pair.take_notices(), []);
                assert_eq!(send(&mut pair, by, &extended(by, action, denied, &[])).0, NOTHING);
                assert_eq!(pair.denials(), [(by, withheld)]);
                let none = extended(by, action, 0, &[]);
                assert_eq!(send(&mut pair, by, &none).0, none);
            }
        }
        // A picture that is too large is told as one.
        let large = deflate(&sized(&[&[0; 200]]));
        let large = extended(side, ClipboardAction::Provide, DIB, &large);
        let mut pair = Pair::new();
        assert_eq!(send(&mut pair, side, &large).0, NOTHING);
        assert_eq!(pair.denials(), [(side, images)]);
    }
}

#[test]
fn files_never_pass() {
    for side in [Side::Viewer, Side::Target] {
        let mut pair = Pair::new();
        let body = deflate(&sized(&[b"text", b"file"]));
        let provide = extended(side, ClipboardAction::Provide, 0b1_0001, &body);
        let files = match side {
            Side::Viewer => Permission::FilesToTarget,
            Side::Target => Permission::FilesFromTarget,
        };
        assert_eq!(send(&mut pair, side, &provide), (vec![], vec![]));
        assert_eq!(pair.denials(), [(side, files)]);

        let sizes = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        let caps = extended(side, ClipboardAction::Caps, 0b1_0101, &sizes);
        let shorter = extended(side, ClipboardAction::Caps, 0b0_0101, &sizes[..8]);
        assert_eq!(send(&mut pair, side, &caps).0, shorter);
        for action in [ClipboardAction::Notify, ClipboardAction::Request, ClipboardAction::Peek] {
            let (arrived, _) = send(&mut pair, side, &extended(side, action, 0b11_0001, &[]));
            assert_eq!(arrived, extended(side, action, 1, &[]));
        }
        assert_eq!(pair.take_notices(), []);
    }
}

#[test]
fn malformed_and_explosive_content_is_withheld() {
    let bomb = deflate(&sized(&[&vec![0; 60_000]]));
    let liar = deflate(&[&5u32.to_be_bytes()[..], &[0; 60_000]].concat());
    let huge = deflate(&u32::MAX.to_be_bytes());
    let short = deflate(&[&5u32.to_be_bytes()[..], b"abc"].concat());
    let trailing = [deflate(&sized(&[b"abc"])), b"more".to_vec()].concat();
    assert!(bomb.len() < 100 && liar.len() < 100);
    for body in [bomb, liar, huge, short, trailing, vec![], vec![0; 20], deflate(&[])] {
        let mut pair = Pair::new();
        let message = extended(Side::Viewer, ClipboardAction::Provide, TEXT.0, &body);
        assert_eq!(send(&mut pair, Side::Viewer, &message).0, NOTHING, "{body:?}");
        assert_eq!(pair.denials(), [(Side::Viewer, Permission::ClipboardToTarget)]);
    }
    // A stream that is flushed but not ended is what many senders send.
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&sized(&[b"abc"])).unwrap();
    zlib.flush().unwrap();
    let message = extended(Side::Viewer, ClipboardAction::Provide, TEXT.0, zlib.get_ref());
    assert_eq!(send(&mut Pair::new(), Side::Viewer, &message).0, message);
}

#[test]
fn an_endless_cut_text_is_skipped_without_being_held() {
    let mut pair = Pair::new();
    pair.target_sends(&ServerMessage::CutTextTooLong { len: 0x8000_0000 }.encode()).unwrap();
    for _ in 0..100 {
        pair.target_sends(&[b'x'; 1000]).unwrap();
        assert_eq!(pair.from_target, NOTHING);
    }
    assert_eq!(pair.take_to_viewer(), NOTHING);
    assert_eq!(pair.denials(), [(Side::Target, Permission::ClipboardFromTarget)]);
    // The viewer's stream is at a boundary all the while, so that it can still be told something.
    let screens = passerelle_rfb::ScreenList::new(&[]);
    pair.set_permissions(without(Permission::Resize));
    let resize = ClientMessage::SetDesktopSize { width: 9, height: 9, screens };
    pair.viewer_sends(&resize.encode()).unwrap();
    assert!(!pair.take_to_viewer().is_empty());
}
