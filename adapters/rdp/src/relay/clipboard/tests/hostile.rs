//! Messages that make no sense, and chunks of every size.

use proptest::prelude::*;

use super::*;
use crate::relay::rig::{Played, Session, mistreatment};

#[test]
fn everything_else_is_withheld_and_told_or_passes() {
    let directory =
        encode(ClipboardPdu::TemporaryDirectory(ClientTemporaryDirectory::new("C:\\tmp").unwrap()));
    let ready = encode(ClipboardPdu::MonitorReady);
    let unknown = vec![0x0c, 0, 0, 0, 0, 0, 0, 0];
    let caps = capabilities(ClipboardGeneralCapabilityFlags::all());
    for (from, message, passes, told) in [
        (Side::Viewer, &directory, true, false),
        (Side::Target, &directory, false, true),
        (Side::Target, &ready, true, false),
        (Side::Viewer, &ready, false, true),
        (Side::Target, &unknown, false, true),
        (Side::Viewer, &unknown, false, true),
        (Side::Viewer, &caps, true, false),
        (Side::Target, &caps, true, false),
    ] {
        let mut rig = Rig::new();
        let arrived = rig.send(from, message);
        assert_eq!(arrived, if passes { &message[..] } else { &[] });
        let by_what: Vec<_> = rig.denials().into_iter().map(|(by, permission, _)| (by, permission)).collect();
        let expected = told.then_some((from, Permission::OtherChannels));
        assert_eq!(by_what, expected.into_iter().collect::<Vec<_>>());
    }
    let mut rig = Rig::new();
    rig.permissions = rig.permissions.without(Permission::FilesFromTarget);
    assert_eq!(rig.send(Side::Viewer, &directory), NOTHING);
    assert_eq!(rig.notices, []);
}

#[test]
fn lengths_that_lie_end_the_session() {
    let with_len = |mut message: Vec<u8>, len: u32| {
        message[4..8].copy_from_slice(&len.to_le_bytes());
        message
    };
    let ready = encode(ClipboardPdu::MonitorReady);
    for (message, why) in [
        (vec![], "no header"),
        (ready[..7].to_vec(), "no whole header"),
        (with_len(ready.clone(), 1), "one byte too few"),
        (with_len(ready.clone(), u32::MAX), "an overflow"),
        ([ready.clone(), vec![0; 17]].concat(), "more than padding"),
        ([&with_len(ready.clone(), 2000)[..], &[0; 2000]].concat(), "a long one that carries nothing"),
        (with_len(request(13)[..10].to_vec(), 2), "no format number"),
        (vec![7, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0], "a capability is missing"),
        (vec![7, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 3, 0], "a capability shorter than its head"),
        (vec![9, 0, 1, 0, 2, 0, 0, 0, 1, 2], "no stream number"),
        (vec![8, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4], "no range"),
        (vec![10, 0, 0, 0, 0, 0, 0, 0], "no lock number"),
    ] {
        assert!(Rig::new().try_send(Side::Target, &message, CHUNK).is_err(), "{why}");
    }
    // A few bytes of padding are what some peers send.
    let padded = [ready, vec![0; 4]].concat();
    assert_eq!(Rig::new().send(Side::Target, &padded), padded);
}

#[test]
fn a_message_that_ends_early_ends_the_session() {
    let list = long_list(&[(13, "")]);
    let text = response(&[0; 3000]);
    let mut rig = Rig::with_long_names();
    assert!(rig.try_send_chunks(Side::Viewer, list.len(), &[&list[..9], &list[9..12]]).is_err());
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &[(13, "")]);
    rig.send(Side::Target, &request(13));
    assert!(rig.try_send_chunks(Side::Viewer, text.len(), &[&text[..1600], &text[1600..2000]]).is_err());
}

/// A session in which every kind of message occurs.
fn session() -> Session {
    use Side::{Target, Viewer};
    let files = PackedFileList { files: vec![FileDescriptor::new("a.txt").with_file_size(3000); 3] };
    let ask = |stream_id, flags| FileContentsRequest {
        stream_id,
        index: 1,
        flags,
        position: 0,
        requested_size: 3000,
        data_id: Some(1),
    };
    let contents = FileContentsResponse::new_data_response(7, vec![9; 3000]);
    let size = FileContentsResponse::new_size_response(8, 3000);
    let list = [(13, ""), (8, ""), (0xc020, "FileGroupDescriptorW"), (0xc0de, "Secret")];
    vec![
        (Target, capabilities(ClipboardGeneralCapabilityFlags::all())),
        (Target, encode(ClipboardPdu::MonitorReady)),
        (Viewer, capabilities(ClipboardGeneralCapabilityFlags::all())),
        (Viewer, long_list(&list)),
        (Target, encode(ClipboardPdu::FormatListResponse(FormatListResponse::Ok))),
        (Target, encode(ClipboardPdu::LockData(LockDataId(1)))),
        (Target, request(13)),
        (Viewer, response(b"hello")),
        (Target, request(8)),
        (Target, request(0xc0de)),
        (Viewer, response(&[1; 4000])),
        (Target, request(13)),
        (Viewer, response(&[2; 20_000])),
        (Target, request(0xc020)),
        (
            Viewer,
            encode(ClipboardPdu::FormatDataResponse(FormatDataResponse::new_file_list(&files).unwrap())),
        ),
        (Target, encode(ClipboardPdu::FileContentsRequest(ask(7, FileContentsFlags::RANGE)))),
        (Target, encode(ClipboardPdu::FileContentsRequest(ask(8, FileContentsFlags::SIZE)))),
        (Viewer, encode(ClipboardPdu::FileContentsResponse(contents))),
        (Viewer, encode(ClipboardPdu::FileContentsResponse(size))),
        (Target, encode(ClipboardPdu::UnlockData(LockDataId(1)))),
        (Target, long_list(&[(13, "")])),
    ]
}

/// What becomes of the session when each message is cut at `cut`, and then every `len` bytes.
fn play(cut: usize, len: usize) -> Result<Played, RelayViolation> {
    let mut rig = Rig::new();
    rig.permissions = rig.permissions.without(Permission::OtherChannels);
    rig.store = true;
    rig.play(session(), cut, len)
}

#[test]
fn chunks_do_not_matter() {
    let expected = play(usize::MAX, usize::MAX).unwrap();
    assert_eq!(expected.1.iter().filter(|notice| matches!(notice, Notice::File { .. })).count(), 1);
    assert_eq!(expected.1.iter().filter(|notice| matches!(notice, Notice::Clipboard { .. })).count(), 3);
    assert_eq!(expected.1.iter().filter(|notice| matches!(notice, Notice::Denied(_))).count(), 3);
    for cut in 12..2000 {
        assert!(play(cut, 1600).unwrap() == expected, "cut at {cut}");
    }
    for len in 1..100 {
        assert!(play(12, len).unwrap() == expected, "in pieces of {len}");
    }
    // A header that is cut in two is nothing that a peer sends.
    for cut in 0..12 {
        assert!(play(cut, 1600).is_err());
    }
}

proptest! {
    #[test]
    fn nothing_panics(mistreatment in mistreatment()) {
        Rig::new().mistreat(session(), mistreatment);
    }

    #[test]
    fn nothing_passes_without_permission(
        messages in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..60),
    ) {
        let session = session();
        let mut rig = Rig::new();
        rig.permissions = Permissions::NONE;
        for (swap, which) in messages {
            let (from, message) = which.get(&session);
            let from = if swap { from.other() } else { *from };
            let arrived = rig.send(from, message);
            prop_assert!(arrived.len() < 100);
        }
        prop_assert!(!rig.notices.iter().any(|notice| !matches!(notice, Notice::Denied(_))));
    }
}
