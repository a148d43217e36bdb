//! Files: their list, their contents, and what is told of them.

use sha2::{Digest, Sha256};

use super::*;

const LIST: u32 = 0xc020;

fn file(name: &str, size: Option<usize>) -> FileDescriptor {
    let file = FileDescriptor::new(name);
    match size {
        Some(size) => file.with_file_size(size as u64),
        None => file,
    }
}

fn list(files: &[FileDescriptor]) -> Vec<u8> {
    let list = PackedFileList { files: files.to_vec() };
    encode(ClipboardPdu::FormatDataResponse(FormatDataResponse::new_file_list(&list).unwrap()))
}

fn range(stream: u32, index: i32, position: u64, len: u32, lock: Option<u32>) -> Vec<u8> {
    encode(ClipboardPdu::FileContentsRequest(FileContentsRequest {
        stream_id: stream,
        index,
        flags: FileContentsFlags::RANGE,
        position,
        requested_size: len,
        data_id: lock,
    }))
}

fn size(stream: u32, index: i32) -> Vec<u8> {
    encode(ClipboardPdu::FileContentsRequest(FileContentsRequest {
        stream_id: stream,
        index,
        flags: FileContentsFlags::SIZE,
        position: 0,
        requested_size: 8,
        data_id: None,
    }))
}

fn contents(stream: u32, data: &[u8]) -> Vec<u8> {
    encode(ClipboardPdu::FileContentsResponse(FileContentsResponse::new_data_response(stream, data)))
}

fn no_contents(stream: u32) -> Vec<u8> {
    encode(ClipboardPdu::FileContentsResponse(FileContentsResponse::new_error(stream)))
}

fn passed(from: Side, name: &str, bytes: usize, content: Option<&[u8]>) -> Notice {
    let sha256 = content.map(|content| Sha256::digest(content).into());
    Notice::File { from, by: "clipboard", name: name.into(), bytes: bytes as u64, sha256 }
}

impl Rig {
    /// A session in which `from` has these files on its clipboard.
    fn with_files(from: Side, files: &[FileDescriptor]) -> Self {
        let mut rig = Self::with_long_names();
        rig.offer_files(from, files);
        rig.take_notices();
        rig.recorded.clear();
        rig
    }

    fn offer_files(&mut self, from: Side, files: &[FileDescriptor]) {
        self.offer(from, &[(LIST, "FileGroupDescriptorW"), (0xc021, "FileContents")]);
        self.send(from.other(), &request(LIST));
        assert_eq!(self.send(from, &list(files)), list(files));
    }

    /// The other side reads `data` at `position` of the file `index`.
    fn read(&mut self, from: Side, index: i32, position: usize, data: &[u8], lock: Option<u32>) {
        let len = u32::try_from(data.len()).unwrap();
        let request = range(77, index, position as u64, len, lock);
        assert_eq!(self.send(from.other(), &request), request);
        assert_eq!(self.send(from, &contents(77, data)), contents(77, data));
    }

    fn files(&mut self) -> Vec<Notice> {
        self.take_notices().into_iter().filter(|notice| matches!(notice, Notice::File { .. })).collect()
    }
}

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn a_file_list_passes_and_is_told() {
    for from in SIDES {
        for count in [1, 2, 30] {
            let mut rig = Rig::with_long_names();
            let files = vec![file("a\\b.txt", Some(3)); count];
            rig.offer_files(from, &files);
            let bytes = (4 + 592 * count) as u64;
            let notice = rig.take_notices().pop();
            let expected = Notice::Clipboard { from, kind: "files", bytes, complete: true, message: vec![] };
            assert_eq!(notice, Some(expected));
        }
    }
}

#[test]
fn a_file_that_passes_whole_is_told_with_its_hash() {
    for from in SIDES {
        let data = sample(100_000);
        let mut rig = Rig::with_files(from, &[file("dir", None), file("dir\\a\u{1}.bin", Some(data.len()))]);
        for (number, piece) in data.chunks(7001).enumerate() {
            assert_eq!(rig.files(), []);
            rig.read(from, 1, number * 7001, piece, None);
        }
        assert_eq!(rig.files(), [passed(from, "dir\\a.bin", data.len(), Some(&data))]);
        // Reading at the end is no new file.
        rig.read(from, 1, data.len(), &[], None);
        assert_eq!(rig.files(), []);
        assert!(rig.recorded.len() < 1000, "only requests are in the wire log");
    }
}

#[test]
fn an_empty_file_is_a_file() {
    let mut rig = Rig::with_files(Side::Target, &[file("empty", Some(0))]);
    rig.read(Side::Target, 0, 0, &[], None);
    assert_eq!(rig.files(), [passed(Side::Target, "empty", 0, Some(b""))]);
}

#[test]
fn ranges_that_were_asked_for_together_may_be_answered_together() {
    let data = sample(30_000);
    let mut rig = Rig::with_files(Side::Viewer, &[file("a", Some(20_000)), file("b", Some(10_000))]);
    for request in
        [range(1, 0, 0, 10_000, None), range(2, 0, 10_000, 10_000, None), range(3, 1, 0, 10_000, None)]
    {
        assert_eq!(rig.send(Side::Target, &request), request);
    }
    for (stream, range) in [(3, 20_000..30_000), (1, 0..10_000), (2, 10_000..20_000)] {
        let answer = contents(stream, &data[range]);
        assert_eq!(rig.send(Side::Viewer, &answer), answer);
    }
    let (a, b) = (&data[..20_000], &data[20_000..]);
    let expected = [passed(Side::Viewer, "b", 10_000, Some(b)), passed(Side::Viewer, "a", 20_000, Some(a))];
    assert_eq!(rig.files(), expected);
}

#[test]
fn a_size_that_the_list_leaves_out_is_learnt() {
    let mut rig = Rig::with_files(Side::Target, &[file("a", None)]);
    let answer = encode(ClipboardPdu::FileContentsResponse(FileContentsResponse::new_size_response(5, 4)));
    assert_eq!(rig.send(Side::Viewer, &size(5, 0)), size(5, 0));
    assert_eq!(rig.send(Side::Target, &answer), answer);
    rig.read(Side::Target, 0, 0, b"abcd", None);
    assert_eq!(rig.files(), [passed(Side::Target, "a", 4, Some(b"abcd"))]);
    // An answer about the size has no room for anything else.
    rig.send(Side::Viewer, &size(5, 0));
    assert_eq!(rig.send(Side::Target, &contents(5, &[0; 3000])), no_contents(5));
    assert_eq!(rig.denials().len(), 1);
}

#[test]
fn a_file_out_of_order_has_no_hash() {
    let data = sample(100);
    let mut rig = Rig::with_files(Side::Target, &[file("a", Some(100))]);
    rig.read(Side::Target, 0, 50, &data[50..], None);
    assert_eq!(rig.files(), []);
    rig.read(Side::Target, 0, 10, &data[10..60], None);
    assert_eq!(rig.files(), [passed(Side::Target, "a", 100, None)]);
    // One that is looked into first and then read from its beginning has one.
    rig.read(Side::Target, 0, 0, &data[..10], None);
    rig.read(Side::Target, 0, 90, &data[90..], None);
    rig.read(Side::Target, 0, 0, &data[..60], None);
    rig.read(Side::Target, 0, 60, &data[60..], None);
    assert_eq!(rig.files(), [passed(Side::Target, "a", 100, Some(&data))]);
}

#[test]
fn an_abandoned_file_is_told_without_hash() {
    type Abandon = fn(&mut Rig);
    let abandon: [(&str, Abandon); 3] = [
        ("a new list", |rig| drop(rig.offer(Side::Target, &[(13, "")]))),
        ("a permission", |rig| rig.allow(rig.permissions.without(Permission::FilesFromTarget))),
        ("a new beginning", |rig| {
            rig.send(Side::Target, &encode(ClipboardPdu::MonitorReady));
        }),
    ];
    for (why, abandon) in abandon {
        let mut rig = Rig::with_files(Side::Target, &[file("a", Some(100)), file("b", Some(100))]);
        rig.read(Side::Target, 0, 0, &[1; 60], None);
        assert_eq!(rig.files(), []);
        abandon(&mut rig);
        assert_eq!(rig.files(), [passed(Side::Target, "a", 60, None)], "{why}");
        // It is not told twice.
        rig.send(Side::Target, &long_list(&[(13, "")]));
        assert_eq!(rig.files(), []);
    }
}

#[test]
fn files_under_way_are_told_when_the_session_ends() {
    let mut rig = Rig::with_files(Side::Target, &[file("a", Some(100)), file("b", Some(100))]);
    rig.read(Side::Target, 0, 0, &[1; 60], None);
    rig.offer_files(Side::Viewer, &[file("c", Some(3000)), file("d", Some(10))]);
    rig.read(Side::Viewer, 1, 0, &[2; 10], None);
    rig.files();
    // It breaks off in the middle of an answer.
    rig.send(Side::Target, &range(5, 0, 0, 3000, None));
    let answer = contents(5, &[3; 3000]);
    let total = u32::try_from(answer.len()).unwrap();
    let chunk = Chunk { total, first: true, last: false, data: &answer[..1012] };
    assert_eq!(rig.chunk(Side::Viewer, chunk).unwrap(), Verdict::ForwardUnrecorded);
    assert_eq!(rig.files(), []);
    rig.finish();
    assert_eq!(rig.files(), [passed(Side::Viewer, "c", 1000, None), passed(Side::Target, "a", 60, None)]);
}

#[test]
fn a_locked_list_stays_readable_until_it_is_unlocked() {
    let from = Side::Target;
    let lock = |id| encode(ClipboardPdu::LockData(LockDataId(id)));
    let unlock = |id| encode(ClipboardPdu::UnlockData(LockDataId(id)));
    let mut rig = Rig::with_long_names();
    rig.offer(from, &[(LIST, "FileGroupDescriptorW")]);
    assert_eq!(rig.send(Side::Viewer, &lock(9)), lock(9));
    rig.send(Side::Viewer, &request(LIST));
    rig.send(from, &list(&[file("old", Some(10))]));
    rig.offer_files(from, &[file("new", Some(20))]);
    rig.read(from, 0, 0, &[1; 10], Some(9));
    assert_eq!(rig.files(), [passed(from, "old", 10, Some(&[1; 10]))]);
    rig.read(from, 0, 0, &[2; 20], None);
    assert_eq!(rig.files(), [passed(from, "new", 20, Some(&[2; 20]))]);
    rig.read(from, 0, 0, &[1; 7], Some(9));
    assert_eq!(rig.send(Side::Viewer, &unlock(9)), unlock(9));
    assert_eq!(rig.files(), [passed(from, "old", 7, None)]);
}

#[test]
fn without_permission_neither_list_nor_contents_pass() {
    for from in SIDES {
        let needed = files_permission(from);
        let mut rig = Rig::with_files(from, &[file("a", Some(10))]);
        // Asked for while it was permitted.
        rig.send(from.other(), &range(1, 0, 0, 10, None));
        rig.send(from.other(), &request(LIST));
        rig.allow(rig.permissions.without(needed));
        rig.take_injections();
        assert_eq!(rig.send(from, &contents(1, &[1; 10])), no_contents(1));
        assert_eq!(rig.send(from, &list(&[file("a", Some(10))])), refusal());
        assert_eq!(rig.denials(), [(from, needed, None), (from, needed, None)]);
        // Asked for afterwards.
        assert_eq!(rig.send(from.other(), &range(2, 0, 0, 10, None)), NOTHING);
        assert_eq!(rig.send(from.other(), &size(3, 0)), NOTHING);
        assert_eq!(rig.send(from.other(), &request(LIST)), NOTHING);
        let expected = [no_contents(2), no_contents(3), refusal()].map(|answer| (from.other(), answer));
        assert_eq!(rig.take_injections(), expected);
        let action = "ask for contents of the file a".into();
        let denied = Denied { by: from.other(), permission: needed, action, reason: None };
        assert_eq!(rig.take_notices().first(), Some(&Notice::Denied(denied)));
        // The other direction does not help.
        assert!(rig.permissions.allows(files_permission(from.other())));
    }
}

#[test]
fn contents_of_a_file_that_no_list_names_are_withheld() {
    let mut rig = Rig::with_files(Side::Target, &[file("a", Some(10))]);
    for request in
        [range(1, 1, 0, 10, None), range(1, i32::MAX, 0, 10, None), range(1, 0, 0, (64 << 20) + 1, None)]
    {
        assert_eq!(rig.send(Side::Viewer, &request), NOTHING);
        assert_eq!(rig.take_injections(), [(Side::Viewer, no_contents(1))]);
    }
    let reasons: Vec<Option<String>> = rig.denials().into_iter().map(|(.., reason)| reason).collect();
    let reason = |reason: &str| Some(reason.to_owned());
    let expected =
        ["it is in no file list that passed", "it asks for more than 67108864 bytes at a time"].map(reason);
    assert_eq!(reasons, expected);
    // Nor a request for neither size nor range.
    let mut both = range(4, 0, 0, 10, None);
    both[16] = 3;
    assert_eq!(rig.send(Side::Viewer, &both), NOTHING);
    assert_eq!(rig.take_injections(), [(Side::Viewer, no_contents(4))]);
}

#[test]
fn contents_beyond_what_was_asked_for_are_withheld() {
    let mut rig = Rig::with_files(Side::Target, &[file("a", Some(10))]);
    rig.send(Side::Viewer, &range(1, 0, 0, 10, None));
    assert_eq!(rig.send(Side::Target, &contents(1, &[0; 11])), no_contents(1));
    assert_eq!(rig.send(Side::Target, &contents(1, &[0; 10])), NOTHING, "nobody waits for it any more");
    let reasons: Vec<Option<String>> = rig.denials().into_iter().map(|(.., reason)| reason).collect();
    let reason = |reason: &str| Some(reason.to_owned());
    assert_eq!(reasons, [reason("longer than 10 bytes"), reason("nobody asked for it")]);
}

#[test]
fn a_failing_answer_about_a_file_carries_nothing() {
    let mut rig = Rig::with_files(Side::Target, &[file("a", Some(10))]);
    rig.send(Side::Viewer, &range(1, 0, 0, 10, None));
    let mut smuggled = contents(1, &[0; 10]);
    smuggled[2] = 2;
    assert_eq!(rig.send(Side::Target, &smuggled), no_contents(1));
    assert_eq!(rig.files(), []);
}

#[test]
fn what_comes_after_a_permission_was_withdrawn_is_told_too() {
    let from = Side::Target;
    let mut rig = Rig::with_files(from, &[file("a", Some(5000))]);
    rig.send(Side::Viewer, &range(1, 0, 0, 5000, None));
    let answer = contents(1, &[3; 5000]);
    let (head, rest) = answer.split_at(1600);
    let mut arrived = 0;
    for (first, data) in [(true, head), (false, rest)] {
        let chunk = Chunk { total: 5012, first, last: !first, data };
        assert_eq!(rig.chunk(from, chunk).unwrap(), Verdict::ForwardUnrecorded);
        arrived += data.len();
        rig.allow(rig.permissions.without(Permission::FilesFromTarget));
    }
    assert_eq!(arrived, answer.len());
    assert_eq!(rig.files(), [passed(from, "a", 1588, None), passed(from, "a", 3412, None)]);
}

#[test]
fn file_lists_are_bounded() {
    let many = vec![file("x", Some(1)); 7100];
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &[(LIST, "FileGroupDescriptorW")]);
    rig.send(Side::Target, &request(LIST));
    assert_eq!(rig.send(Side::Viewer, &list(&many)), refusal());
    let reason = Some("longer than 4194304 bytes".to_owned());
    assert_eq!(rig.denials(), [(Side::Viewer, Permission::FilesToTarget, reason)]);
    // The clipboard's limit is not for lists.
    rig.send(Side::Target, &request(LIST));
    assert_eq!(rig.send(Side::Viewer, &list(&many[..7000])), list(&many[..7000]));
}

#[test]
fn requests_and_transfers_are_bounded() {
    let files: Vec<_> = (0..300).map(|number| file(&format!("f{number}"), Some(10))).collect();
    let mut rig = Rig::with_files(Side::Target, &files);
    for index in 0..300 {
        rig.read(Side::Target, index, 0, b"x", None);
    }
    // The ones that gave way were told.
    assert_eq!(rig.files().len(), 300 - 256);
    for stream in 0..1025 {
        assert_ne!(rig.send(Side::Viewer, &range(stream, 0, 0, 10, None)), NOTHING);
    }
    assert_eq!(rig.send(Side::Target, &contents(0, b"x")), NOTHING, "this one gave way");
    assert_eq!(rig.send(Side::Target, &contents(1, b"x")), contents(1, b"x"));
}
