//! Messages that make no sense, and chunks of every size.

use proptest::prelude::*;

use super::*;
use crate::relay::rig::{Played, Session, mistreatment};

fn cut(message: &[u8], len: usize) -> Vec<u8> {
    message[..len].to_vec()
}

#[test]
fn lengths_that_lie_end_the_session() {
    let with = |mut message: Vec<u8>, at: usize, value: u32| {
        message[at..at + 4].copy_from_slice(&value.to_le_bytes());
        message
    };
    let open = CreateDisposition::FILE_OPEN;
    let rename = FileInformationClass::Rename(FileRenameInformation {
        replace_if_exists: Boolean::True,
        file_name: "\\b".into(),
    });
    let rename = set(DRIVE, 1, 9, rename);
    for (from, message) in [
        (Side::Viewer, vec![0x72, 0x44, 0x41]),
        (Side::Viewer, cut(&announcement(&[DRIVE]), 6)),
        (Side::Viewer, cut(&announcement(&[DRIVE]), 30)),
        (Side::Viewer, with(announcement(&[DRIVE]), 4, u32::MAX)),
        (Side::Viewer, with(announcement(&[DRIVE]), 24, u32::MAX)),
        (Side::Viewer, with(removal(&[DRIVE]), 4, u32::MAX)),
        (Side::Viewer, cut(&capabilities(CoreCapabilityKind::ClientCoreCapabilityResponse), 30)),
        (Side::Viewer, cut(&content(DRIVE, 1, b"x"), 15)),
        (Side::Viewer, cut(&content(DRIVE, 8, b"x"), 19)),
        (Side::Viewer, with(content(DRIVE, 8, b"x"), 16, 2)),
        (Side::Viewer, [content(DRIVE, 8, b"x"), vec![0; 17]].concat()),
        (Side::Viewer, cut(&created(DRIVE, 7, 1), 19)),
        (Side::Target, cut(&request(DRIVE, 1, 9, 0), 23)),
        (Side::Target, cut(&create(DRIVE, 9, open, "\\a"), 57)),
        (Side::Target, with(create(DRIVE, 9, open, "\\a"), 52, u32::MAX)),
        (Side::Target, cut(&read(DRIVE, 1, 9, 0, 1), 35)),
        (Side::Target, cut(&write(DRIVE, 1, 9, 0, b"x"), 35)),
        (Side::Target, with(write(DRIVE, 1, 9, 0, b"x"), 24, u32::MAX)),
        (Side::Target, [write(DRIVE, 1, 9, 0, b"x"), vec![0; 17]].concat()),
        (Side::Target, with(rename, 58, 1000)),
    ] {
        let mut rig = Rig::with_devices();
        rig.done(&create(DRIVE, 1, CreateDisposition::FILE_OPEN, "\\a"), &created(DRIVE, 1, 1));
        rig.send(Side::Target, &create(DRIVE, 7, CreateDisposition::FILE_OPEN, "\\b"));
        rig.send(Side::Target, &read(DRIVE, 1, 8, 0, 100));
        assert!(rig.try_send(from, &message, CHUNK).is_err(), "{from} {message:02x?}");
    }
}

/// A session in which every kind of message occurs.
fn session() -> Session {
    use Side::{Target, Viewer};
    let size = FileInformationClass::EndOfFile(FileEndOfFileInformation { end_of_file: 3000 });
    vec![
        (Target, capabilities(CoreCapabilityKind::ServerCoreCapabilityRequest)),
        (Viewer, capabilities(CoreCapabilityKind::ClientCoreCapabilityResponse)),
        (Viewer, announcement(&DEVICES.map(|(device, _)| device))),
        (Target, create(DRIVE, 1, CreateDisposition::FILE_OVERWRITE_IF, "\\a.txt")),
        (Viewer, created(DRIVE, 1, 1)),
        (Target, set(DRIVE, 1, 2, size)),
        (Viewer, plain(DRIVE, 2, NtStatus::SUCCESS)),
        (Target, write(DRIVE, 1, 3, 0, &[7; 3000])),
        (Viewer, written(DRIVE, 3, 3000)),
        (Target, read(DRIVE, 1, 4, 0, 4000)),
        (Viewer, content(DRIVE, 4, &[7; 3000])),
        (Target, close(DRIVE, 1, 5)),
        (Viewer, closed(DRIVE, 5)),
        (Target, create(PRINTER, 1, CreateDisposition::FILE_OPEN_IF, "")),
        (Viewer, created(PRINTER, 1, 1)),
        (Target, write(PRINTER, 1, 2, 0, &[9; 2000])),
        (Viewer, written(PRINTER, 2, 2000)),
        (Target, request(SMART_CARD, 1, 1, 0x0e)),
        (Target, request(SERIAL, 1, 1, 0x04)),
        (Viewer, plain(SERIAL, 1, NtStatus::SUCCESS)),
        (Viewer, removal(&[PRINTER, SERIAL])),
    ]
}

/// What becomes of the session when each message is cut at `cut`, and then every `len` bytes.
fn play(cut: usize, len: usize) -> Result<Played, RelayViolation> {
    let mut rig = Rig::with(super::super::Devices::new());
    rig.permissions = rig.permissions.without(Permission::SmartCards);
    rig.play(session(), cut, len)
}

#[test]
fn chunks_do_not_matter() {
    let expected = play(usize::MAX, usize::MAX).unwrap();
    let files = expected.1.iter().filter(|notice| matches!(notice, Notice::File { .. })).count();
    assert_eq!((files, expected.1.len(), expected.2.len()), (3, 5, 1));
    for cut in 36..2000 {
        assert!(play(cut, 1600).unwrap() == expected, "cut at {cut}");
    }
    for len in 1..100 {
        assert!(play(36, len).unwrap() == expected, "in pieces of {len}");
    }
    // A head that is cut in two is nothing that a peer sends.
    for cut in 0..36 {
        assert!(play(cut, 1600).is_err());
    }
}

#[test]
fn a_message_that_ends_early_ends_the_session() {
    let mut rig = Rig::with_devices();
    let list = announcement(&[DRIVE]);
    assert!(rig.try_send_chunks(Side::Viewer, list.len(), &[&list[..20], &list[20..30]]).is_err());
    let mut rig = Rig::with_devices();
    rig.done(&create(DRIVE, 1, CreateDisposition::FILE_OPEN, "\\a"), &created(DRIVE, 1, 1));
    let long = write(DRIVE, 1, 2, 0, &[1; 4000]);
    let chunk = Chunk { total: long.len() as u32, first: true, last: false, data: &long[..1600] };
    assert_eq!(rig.chunk(Side::Target, chunk).unwrap(), Verdict::ForwardUnrecorded);
    let chunk = Chunk { first: false, last: true, data: &long[1600..3000], ..chunk };
    assert!(rig.chunk(Side::Target, chunk).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(mistreatment in mistreatment()) {
        Rig::with(super::super::Devices::new()).mistreat(session(), mistreatment);
    }

    #[test]
    fn no_request_passes_without_permission(
        messages in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let session = session();
        let mut rig = Rig::with(super::super::Devices::new());
        rig.permissions = Permissions::NONE;
        for which in messages {
            let (from, message) = which.get(&session);
            let arrived = rig.send(*from, message);
            prop_assert!(arrived.is_empty() || message.get(2..4) == Some(&b"PS"[..]) || message.get(2..4) == Some(&b"PC"[..]));
        }
        prop_assert!(rig.files().is_empty());
    }
}
