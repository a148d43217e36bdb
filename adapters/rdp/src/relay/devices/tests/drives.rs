//! Files on drives: what is permitted, and what is told.

use sha2::{Digest, Sha256};

use super::*;

const FILE: u32 = 77;

fn told(from: Side, name: &str, bytes: usize, content: Option<&[u8]>) -> Notice {
    let sha256 = content.map(|content| Sha256::digest(content).into());
    Notice::File { from, by: "drive", name: name.into(), bytes: bytes as u64, sha256 }
}

impl Rig {
    /// The file `\dir\a.txt` on the drive is open.
    fn with_file(disposition: CreateDisposition) -> Self {
        let mut rig = Self::with_devices();
        rig.open(disposition);
        rig
    }

    fn open(&mut self, disposition: CreateDisposition) {
        self.done(&create(DRIVE, 1, disposition, "\\dir\\a\u{8}.txt"), &created(DRIVE, 1, FILE));
    }

    fn read(&mut self, offset: usize, len: usize, data: &[u8]) {
        let len = u32::try_from(len).unwrap();
        self.done(&read(DRIVE, FILE, 2, offset as u64, len), &content(DRIVE, 2, data));
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        self.done(&write(DRIVE, FILE, 3, offset, data), &written(DRIVE, 3, data.len()));
    }

    fn set_size(&mut self, size: i64) {
        let size = FileInformationClass::EndOfFile(FileEndOfFileInformation { end_of_file: size });
        self.done(&set(DRIVE, FILE, 4, size), &plain(DRIVE, 4, NtStatus::SUCCESS));
    }

    fn close(&mut self) {
        self.done(&close(DRIVE, FILE, 5), &closed(DRIVE, 5));
    }
}

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

const NAME: &str = "home\\dir\\a.txt";

#[test]
fn requests_need_the_permission_of_their_direction() {
    use Permission::{Drives, FilesFromTarget, FilesToTarget, OtherChannels};
    let rename = FileInformationClass::Rename(FileRenameInformation {
        replace_if_exists: Boolean::True,
        file_name: "\\b".into(),
    });
    let delete = FileInformationClass::Disposition(FileDispositionInformation { delete_pending: 1 });
    let end = FileInformationClass::EndOfFile(FileEndOfFileInformation { end_of_file: 5 });
    let delete_on_close = CreateOptions::from_bits_retain(0x1000);
    let open = CreateDisposition::FILE_OPEN;
    let requests: Vec<(Vec<u8>, &[Permission])> = vec![
        (create(DRIVE, 9, open, "\\a"), &[]),
        (create_with(DRIVE, 9, open, delete_on_close, "\\a"), &[FilesFromTarget]),
        (create(DRIVE, 9, CreateDisposition::FILE_CREATE, "\\a"), &[FilesFromTarget]),
        (create(DRIVE, 9, CreateDisposition::FILE_OPEN_IF, "\\a"), &[FilesFromTarget]),
        (create(DRIVE, 9, CreateDisposition::FILE_OVERWRITE, "\\a"), &[FilesFromTarget]),
        (create(DRIVE, 9, CreateDisposition::FILE_OVERWRITE_IF, "\\a"), &[FilesFromTarget]),
        (create(DRIVE, 9, CreateDisposition::FILE_SUPERSEDE, "\\a"), &[FilesFromTarget]),
        (read(DRIVE, FILE, 9, 0, 100), &[FilesToTarget]),
        (write(DRIVE, FILE, 9, 0, &[1; 4000]), &[FilesFromTarget]),
        (set(DRIVE, FILE, 9, rename), &[FilesFromTarget]),
        (set(DRIVE, FILE, 9, delete), &[FilesFromTarget]),
        (set(DRIVE, FILE, 9, end), &[FilesFromTarget]),
        (close(DRIVE, FILE, 9), &[]),
        (request(DRIVE, FILE, 9, 0x05), &[]),
        (request(DRIVE, FILE, 9, 0x09), &[]),
        (request(DRIVE, FILE, 9, 0x0a), &[]),
        (request(DRIVE, FILE, 9, 0x0b), &[FilesFromTarget]),
        (request(DRIVE, FILE, 9, 0x0c), &[]),
        (request(DRIVE, FILE, 9, 0x0e), &[FilesToTarget, FilesFromTarget]),
        (request(DRIVE, FILE, 9, 0x11), &[]),
        (request(DRIVE, FILE, 9, 0x12), &[]),
        (request(DRIVE, FILE, 9, 0x14), &[]),
        (request(DRIVE, FILE, 9, 0x15), &[FilesFromTarget]),
        (request(DRIVE, FILE, 9, 0x16), &[OtherChannels]),
    ];
    for (request, needs) in requests {
        let mut rig = Rig::with_file(open);
        let all = rig.permissions;
        rig.allow(needs.iter().fold(Permissions::NONE.with(Drives), |set, need| set.with(*need)));
        rig.take_injections();
        rig.recorded.clear();
        assert_eq!(rig.send(Side::Target, &request), request);
        assert_eq!(rig.recorded, NOTHING, "no request is in the wire log");
        for need in needs.iter().chain(&[Drives]) {
            // Where the drive cannot go away.
            let mut rig = Rig::with(super::super::Devices::new());
            rig.send(Side::Viewer, &announcement(&[DRIVE]));
            rig.open(open);
            rig.allow(all.without(*need));
            rig.take_injections();
            rig.refused(&request, 9);
            assert_eq!(rig.denials(), [(Side::Target, *need, None)]);
        }
    }
}

#[test]
fn denials_name_the_file() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
    let files = [Permission::FilesFromTarget, Permission::FilesToTarget];
    rig.allow(files.iter().fold(rig.permissions, |set, files| set.without(*files)));
    rig.refused(&read(DRIVE, FILE, 9, 0, 100), 9);
    rig.refused(&create(DRIVE, 9, CreateDisposition::FILE_CREATE, "\\new"), 9);
    rig.refused(&write(DRIVE, FILE, 9, 0, b"x"), 9);
    let actions = rig.denied_actions();
    assert_eq!(actions, ["read home\\dir\\a.txt", "create or change home\\new", "write home\\dir\\a.txt"]);
}

#[test]
fn a_file_that_is_read_whole_is_told_with_its_hash() {
    let data = sample(100_000);
    for end in ["short", "end of file", "size"] {
        let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
        rig.recorded.clear();
        if end == "size" {
            let class = FileInformationClassLevel::FILE_STANDARD_INFORMATION;
            let device_io_request = header(DRIVE, FILE, 6, MajorFunction::QueryInformation);
            let query = ServerDriveQueryInformationRequest { device_io_request, file_info_class_lvl: class };
            let information = FileStandardInformation {
                allocation_size: 102_400,
                end_of_file: 100_000,
                number_of_links: 1,
                delete_pending: Boolean::False,
                directory: Boolean::False,
            };
            let answer = RdpdrPdu::ClientDriveQueryInformationResponse(ClientDriveQueryInformationResponse {
                device_io_response: status(DRIVE, 6, NtStatus::SUCCESS),
                buffer: Some(FileInformationClass::Standard(information)),
            });
            let query = message(PacketId::CoreDeviceIoRequest, query.size(), |dst| query.encode(dst));
            rig.done(&query, &pdu(answer));
        }
        for (number, piece) in data.chunks(10_000).enumerate() {
            assert_eq!(rig.files(), []);
            rig.read(number * 10_000, 10_000, piece);
        }
        match end {
            "short" => rig.read(100_000, 10_000, &[]),
            "end of file" => {
                let end = content_with(DRIVE, 2, NtStatus::END_OF_FILE, &[]);
                rig.done(&read(DRIVE, FILE, 2, 100_000, 10_000), &end);
            }
            _ => {}
        }
        assert_eq!(rig.files(), [told(Side::Viewer, NAME, 100_000, Some(&data))], "{end}");
        rig.close();
        assert_eq!(rig.files(), []);
        assert_eq!(rig.recorded, NOTHING, "no content is in the wire log");
    }
}

#[test]
fn a_file_that_is_read_in_part_is_told_when_it_is_closed() {
    let data = sample(1000);
    let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
    rig.read(0, 100, &data[..100]);
    rig.read(500, 100, &data[500..600]);
    assert_eq!(rig.files(), []);
    rig.close();
    assert_eq!(rig.files(), [told(Side::Viewer, NAME, 200, None)]);
    // One that is looked into and then read whole has a hash.
    rig.open(CreateDisposition::FILE_OPEN);
    rig.read(900, 100, &data[900..]);
    rig.read(0, 10, &data[..10]);
    rig.read(0, 600, &data[..600]);
    rig.read(600, 600, &data[600..]);
    assert_eq!(rig.files(), [told(Side::Viewer, NAME, 1000, Some(&data))]);
}

#[test]
fn a_file_that_is_written_whole_is_told_with_its_hash() {
    let data = sample(50_000);
    for disposition in [
        CreateDisposition::FILE_CREATE,
        CreateDisposition::FILE_SUPERSEDE,
        CreateDisposition::FILE_OVERWRITE,
        CreateDisposition::FILE_OVERWRITE_IF,
    ] {
        for room in [false, true] {
            let mut rig = Rig::with_file(disposition);
            rig.recorded.clear();
            if room {
                rig.set_size(50_000);
            }
            for (number, piece) in data.chunks(7000).enumerate() {
                rig.write(number as u64 * 7000, piece);
            }
            assert_eq!(rig.files(), []);
            rig.close();
            assert_eq!(rig.files(), [told(Side::Target, NAME, 50_000, Some(&data))]);
            assert_eq!(rig.recorded, NOTHING, "no content is in the wire log");
        }
    }
}

#[test]
fn what_is_written_but_not_a_whole_file_has_no_hash() {
    let data = sample(100);
    type Act = fn(&mut Rig, &[u8]);
    let acts: [(&str, CreateDisposition, Act); 8] = [
        ("into an old file", CreateDisposition::FILE_OPEN, |_, _| {}),
        ("into one that may be old", CreateDisposition::FILE_OPEN_IF, |_, _| {}),
        ("again at the front", CreateDisposition::FILE_CREATE, |rig, _| rig.write(0, b"")),
        ("behind a gap", CreateDisposition::FILE_CREATE, |rig, _| rig.write(200, b"")),
        ("then cut off", CreateDisposition::FILE_CREATE, |rig, _| rig.set_size(50)),
        ("then made longer", CreateDisposition::FILE_CREATE, |rig, _| rig.set_size(150)),
        ("cut off and made longer", CreateDisposition::FILE_CREATE, |rig, _| {
            rig.set_size(50);
            rig.set_size(100);
        }),
        ("and not taken", CreateDisposition::FILE_CREATE, |rig, _| {
            rig.done(&write(DRIVE, FILE, 3, 100, b""), &plain(DRIVE, 3, NtStatus::DISK_FULL));
        }),
    ];
    for (what, disposition, act) in acts {
        let mut rig = Rig::with_file(disposition);
        rig.write(0, &data);
        act(&mut rig, &data);
        rig.close();
        assert_eq!(rig.files(), [told(Side::Target, NAME, 100, None)], "{what}");
    }
}

#[test]
fn content_that_is_thrown_away_again_is_told() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
    rig.write(0, b"secret");
    rig.set_size(0);
    assert_eq!(rig.files(), [told(Side::Target, NAME, 6, None)]);
    rig.write(0, b"public");
    rig.close();
    assert_eq!(rig.files(), [told(Side::Target, NAME, 6, Some(b"public"))]);
}

#[test]
fn what_is_appended_follows_what_is_there() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_CREATE);
    rig.write(u64::MAX, b"ab");
    rig.write(u64::MAX, b"cd");
    rig.close();
    assert_eq!(rig.files(), [told(Side::Target, NAME, 4, Some(b"abcd"))]);
}

#[test]
fn a_file_has_the_name_that_it_got_last() {
    let rename = |name: &str| {
        let replace_if_exists = Boolean::False;
        FileInformationClass::Rename(FileRenameInformation { replace_if_exists, file_name: name.into() })
    };
    let mut rig = Rig::with_file(CreateDisposition::FILE_CREATE);
    rig.write(0, b"x");
    rig.done(&set(DRIVE, FILE, 4, rename("\\b.txt")), &plain(DRIVE, 4, NtStatus::SUCCESS));
    rig.done(&set(DRIVE, FILE, 4, rename("\\c.txt")), &plain(DRIVE, 4, NtStatus::ACCESS_DENIED));
    rig.close();
    assert_eq!(rig.files(), [told(Side::Target, "home\\b.txt", 1, Some(b"x"))]);
}

#[test]
fn a_permission_that_is_withdrawn_before_the_answer_stops_the_content() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
    rig.read(0, 10, b"0123456789");
    let request = read(DRIVE, FILE, 9, 10, 4000);
    assert_eq!(rig.send(Side::Target, &request), request);
    rig.allow(rig.permissions.without(Permission::FilesToTarget));
    assert_eq!(rig.files(), [told(Side::Viewer, NAME, 10, None)]);
    assert_eq!(rig.send(Side::Viewer, &content(DRIVE, 9, &[1; 4000])), denied(DRIVE, 9));
    assert_eq!(rig.denials(), [(Side::Viewer, Permission::FilesToTarget, None)]);
    assert_eq!(rig.take_injections(), []);
    // The drive itself stays.
    rig.close();
    assert_eq!(rig.files(), []);
}

#[test]
fn files_under_way_are_told_when_the_drive_goes_away() {
    type Leave = fn(&mut Rig);
    let leave: [(&str, Leave); 3] = [
        ("unplugged", |rig| drop(rig.send(Side::Viewer, &removal(&[DRIVE])))),
        ("withdrawn", |rig| rig.allow(rig.permissions.without(Permission::Drives))),
        ("announced anew", |rig| drop(rig.send(Side::Viewer, &announcement(&[DRIVE])))),
    ];
    for (why, leave) in leave {
        let mut rig = Rig::with_file(CreateDisposition::FILE_CREATE);
        rig.write(0, b"abc");
        rig.read(0, 2, b"ab");
        leave(&mut rig);
        let expected = [told(Side::Viewer, NAME, 2, None), told(Side::Target, NAME, 3, None)];
        assert_eq!(rig.files(), expected, "{why}");
    }
}

#[test]
fn files_under_way_are_told_when_the_session_ends() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_CREATE);
    rig.write(0, b"abc");
    rig.read(0, 2, b"ab");
    rig.done(&create(PRINTER, 6, CreateDisposition::FILE_OPEN_IF, ""), &created(PRINTER, 6, FILE + 1));
    // The viewer takes no more of the print job.
    let piece = write(PRINTER, FILE + 1, 7, 0, &[1; 2000]);
    assert_eq!(rig.send(Side::Target, &piece), piece);
    assert_eq!(rig.files(), []);
    rig.finish();
    let name = "Laser jet".to_owned();
    let job = Notice::File { from: Side::Target, by: "printer", name, bytes: 2000, sha256: None };
    let expected = [job, told(Side::Viewer, NAME, 2, None), told(Side::Target, NAME, 3, None)];
    assert_eq!(rig.files(), expected);
}

#[test]
fn content_needs_an_open_file() {
    let mut rig = Rig::with_devices();
    rig.refused(&read(DRIVE, FILE, 9, 0, 10), 9);
    rig.refused(&write(DRIVE, FILE, 9, 0, b"x"), 9);
    rig.refused(&write(PRINTER, FILE, 9, 0, b"x"), 9);
    let reasons: Vec<_> = rig.denials().into_iter().map(|(.., reason)| reason.unwrap()).collect();
    assert_eq!(reasons, vec!["the file is not open"; 3]);
}

#[test]
fn answers_that_do_not_fit_are_withheld() {
    let mut rig = Rig::with_file(CreateDisposition::FILE_OPEN);
    // Nobody asked.
    assert_eq!(rig.send(Side::Viewer, &content(DRIVE, 2, b"abc")), NOTHING);
    // More than was asked for.
    rig.send(Side::Target, &read(DRIVE, FILE, 2, 0, 10));
    assert_eq!(rig.send(Side::Viewer, &content(DRIVE, 2, &[1; 11])), denied(DRIVE, 2));
    assert_eq!(rig.denials().len(), 1);
    // A failure with content.
    rig.send(Side::Target, &read(DRIVE, FILE, 2, 0, 4000));
    let smuggled = content_with(DRIVE, 2, NtStatus::UNSUCCESSFUL, &[1; 4000]);
    let mut expected = denied(DRIVE, 2);
    expected[12..16].copy_from_slice(&u32::from(NtStatus::UNSUCCESSFUL).to_le_bytes());
    assert_eq!(rig.send(Side::Viewer, &smuggled), expected);
    // The same request twice, and more at a time than can be taken back.
    let request = read(DRIVE, FILE, 2, 0, 10);
    assert_eq!(rig.send(Side::Target, &request), request);
    rig.refused(&request, 2);
    rig.refused(&read(DRIVE, FILE, 3, 0, (64 << 20) + 1), 3);
    rig.close();
    assert_eq!(rig.files(), []);
}

#[test]
fn open_files_and_requests_are_bounded() {
    let mut rig = Rig::with_devices();
    for file in 0..1024 {
        rig.done(&create(DRIVE, 1, CreateDisposition::FILE_OPEN, "\\a"), &created(DRIVE, 1, file));
    }
    rig.refused(&create(DRIVE, 1, CreateDisposition::FILE_OPEN, "\\a"), 1);
    for number in 0..1024 {
        assert_ne!(rig.send(Side::Target, &request(DRIVE, 0, number, 0x0c)), NOTHING);
    }
    rig.refused(&request(DRIVE, 0, 5000, 0x0c), 5000);
    let path = "x".repeat(70_000);
    rig.refused(&create(DRIVE, 1, CreateDisposition::FILE_OPEN, &path), 1);
}

#[test]
fn requests_that_are_never_answered_do_not_fill_the_table() {
    let mut rig = Rig::with_devices();
    for number in 0..3000 {
        rig.open(CreateDisposition::FILE_OPEN);
        let notify = request(DRIVE, FILE, 1000 + number, 0x0c);
        assert_eq!(rig.send(Side::Target, &notify), notify);
        rig.close();
    }
    // Their numbers may be used again, at once too.
    for _ in 0..3 {
        let notify = request(DRIVE, FILE, 1000, 0x0c);
        assert_eq!(rig.send(Side::Target, &notify), notify);
    }
    assert_eq!(rig.notices, []);
}
