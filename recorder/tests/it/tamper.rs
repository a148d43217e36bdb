//! Whatever is changed in a sealed recording is found, without any decryption key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_recorder::audit::{AuditEvent, AuditKind, AuditLog, sealed_roots};
use passerelle_recorder::{Entry, Lane, PublicKey, Reader, SigningKey, Verdict, Verification, verify};
use serde_json::json;

use crate::support::{House, SetClock, block_on, copy_dir};

/// A sealed recording of several small segments.
fn sealed(house: &House, id: &str, segments: usize) -> PathBuf {
    let clock = Arc::new(SetClock::default());
    let recorder = house.recorder(clock.clone());
    let recording = recorder.open(id, &json!({"technician": id})).unwrap();
    for segment in 1..=segments {
        recording.append(Lane::Target, format!("screen {segment}").as_bytes()).unwrap();
        recording.append(Lane::Viewer, b"key").unwrap();
        // A lone checkpoint is not enough.
        let written = |entry: &Entry| entry.bytes == format!("screen {segment}").as_bytes();
        while !house.entries(id).iter().any(written) {
            clock.advance(Duration::from_millis(10));
            std::thread::sleep(Duration::from_millis(10));
        }
        if segment < segments {
            let next = house.recording(id).join(format!("{:06}.seg", segment + 1));
            // Each batch that finds its segment too old makes the next one.
            for _ in 0..100 {
                clock.advance(Duration::from_secs(16));
                std::thread::sleep(Duration::from_millis(20));
                recording.append(Lane::Events, b"{}").unwrap();
                if next.exists() {
                    break;
                }
            }
        }
    }
    block_on(recording.close("logged out")).unwrap();
    house.recording(id)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn segment(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{number:06}.seg"))
}

/// Heads and bodies of a segment's records.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while !rest.is_empty() {
        let len = 9 + u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        records.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    records
}

fn is_sealed(verification: &Verification) -> bool {
    matches!(verification.verdict, Verdict::Sealed { .. })
}

#[test]
fn every_flipped_bit_is_found() {
    let house = House::new();
    let dir = sealed(&house, "a", 2);
    assert!(is_sealed(&house.verify_dir(&dir)));
    let mut flips = 0;
    for file in files(&dir) {
        let original = std::fs::read(&file).unwrap();
        for at in 0..original.len() {
            for bit in [0, 3, 7] {
                let mut changed = original.clone();
                changed[at] ^= 1 << bit;
                std::fs::write(&file, &changed).unwrap();
                let verification = house.verify_dir(&dir);
                assert!(!is_sealed(&verification), "bit {bit} of byte {at} in {}", file.display());
                flips += 1;
            }
        }
        std::fs::write(&file, &original).unwrap();
    }
    assert!(is_sealed(&house.verify_dir(&dir)));
    assert!(flips > 5000, "only {flips} flips were tried");
}

#[test]
fn a_flip_is_placed_between_two_signatures_and_the_reader_names_the_record() {
    let house = House::new();
    let dir = sealed(&house, "a", 2);
    let path = segment(&dir, 2);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let before = records(&segment(&dir, 1)).len() as u64;
    match house.verify_dir(&dir).verdict {
        Verdict::Tampered { segment: 2, first_record, last_record, .. } => {
            assert_eq!(first_record, before, "the first segment ends with a signature");
            assert!(last_record > first_record);
        }
        verdict => panic!("{verdict}"),
    }
    let error = Reader::open(&dir, &house.identity()).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.to_string(), format!("record {before} in segment 2 is not what was written"));
}

#[test]
fn removed_reordered_and_inserted_records_are_found() {
    let house = House::new();
    let dir = sealed(&house, "a", 2);
    let path = segment(&dir, 1);
    let original = records(&path);
    assert!(original.len() >= 4);
    let other = records(&segment(&sealed(&house, "b", 2), 1));
    let mut changes: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for at in 0..original.len() {
        let mut removed = original.clone();
        removed.remove(at);
        changes.push((format!("removed {at}"), removed));
        let mut doubled = original.clone();
        doubled.insert(at, original[at].clone());
        changes.push((format!("doubled {at}"), doubled));
        if at > 0 {
            let mut swapped = original.clone();
            swapped.swap(at - 1, at);
            changes.push((format!("swapped {at}"), swapped));
        }
        // How many records a batch makes depends on the machine's load: the other may have fewer.
        if let Some(foreign) = other.get(at) {
            let mut spliced = original.clone();
            spliced[at] = foreign.clone();
            changes.push((format!("spliced {at}"), spliced));
        }
    }
    for (name, records) in changes {
        std::fs::write(&path, records.concat()).unwrap();
        let verdict = house.verify_dir(&dir).verdict;
        assert!(matches!(verdict, Verdict::Tampered { segment: 1 | 2, .. }), "{name}: {verdict}");
    }
}

#[test]
fn removed_and_exchanged_segments_are_found() {
    let house = House::new();
    let dir = sealed(&house, "a", 4);
    let copy = house.dir.path().join("copy");
    let fresh = || {
        let _ = std::fs::remove_dir_all(&copy);
        copy_dir(&dir, &copy);
    };
    let last = files(&dir).len() - 2;
    assert!(last >= 4);
    for number in 1..=last {
        fresh();
        std::fs::remove_file(segment(&copy, number)).unwrap();
        let verdict = house.verify_dir(&copy).verdict;
        if number < last {
            assert_eq!(verdict, Verdict::SegmentMissing { number: number as u32 });
        } else {
            assert!(matches!(verdict, Verdict::IntactUpTo { torn_bytes: 0, .. }), "{verdict}");
        }
    }
    fresh();
    std::fs::rename(segment(&copy, 2), copy.join("x")).unwrap();
    std::fs::rename(segment(&copy, 3), segment(&copy, 2)).unwrap();
    std::fs::rename(copy.join("x"), segment(&copy, 3)).unwrap();
    assert!(matches!(house.verify_dir(&copy).verdict, Verdict::Tampered { segment: 2, .. }));
    fresh();
    std::fs::rename(segment(&copy, last), segment(&copy, last - 1)).unwrap();
    assert!(matches!(house.verify_dir(&copy).verdict, Verdict::Tampered { .. }));
}

#[test]
fn the_end_can_be_cut_off_but_then_nothing_is_sealed() {
    let house = House::new();
    let dir = sealed(&house, "a", 1);
    let path = segment(&dir, 1);
    let mut records = records(&path);
    let end = records.pop().unwrap();
    std::fs::write(&path, records.concat()).unwrap();
    let verdict = house.verify_dir(&dir).verdict;
    assert!(matches!(verdict, Verdict::IntactUpTo { .. }), "{verdict}");
    assert!(verdict.to_string().starts_with("not sealed, intact up to 0:00:00"), "{verdict}");

    let all = [records.concat(), end].concat();
    for more in [vec![0], vec![0; 9], all.clone()] {
        std::fs::write(&path, [all.clone(), more].concat()).unwrap();
        assert!(matches!(house.verify_dir(&dir).verdict, Verdict::Tampered { .. }));
    }
}

#[test]
fn headers_keys_and_signers_cannot_be_exchanged() {
    let house = House::new();
    let (a, b) = (sealed(&house, "a", 1), sealed(&house, "b", 1));
    let copy = house.dir.path().join("copy");
    for file in ["header.json", "keys.json", "000001.seg"] {
        let _ = std::fs::remove_dir_all(&copy);
        copy_dir(&a, &copy);
        std::fs::copy(b.join(file), copy.join(file)).unwrap();
        let verdict = house.verify_dir(&copy).verdict;
        assert!(matches!(verdict, Verdict::Tampered { .. }), "{file}: {verdict}");
        std::fs::remove_file(copy.join(file)).unwrap();
        let verdict = house.verify_dir(&copy).verdict;
        assert!(!matches!(verdict, Verdict::Sealed { .. }), "{file}: {verdict}");
    }
    let stranger = SigningKey::from_seed(&[1; 32]).unwrap().public_key();
    let signer: PublicKey = house.signer.public_key();
    assert_eq!(verify(&a, &stranger).unwrap().verdict, Verdict::OtherSigner { signer });
    assert!(verify(&house.dir.path().join("nowhere"), &signer).is_err());
}

/// A way to change a recording: what it is called, what does it, what verification then says of it.
type Row = (&'static str, fn(&Path, &Path), &'static str);

/// Flips a bit of the byte `at` behind the start of the record `record` of a segment.
fn flip(dir: &Path, number: usize, record: usize, at: usize) {
    let path = segment(dir, number);
    let mut records = records(&path);
    records[record][at] ^= 1;
    std::fs::write(path, records.concat()).unwrap();
}

/// The last record of a segment is a checkpoint: a head of 9 bytes, `mark u8 | wall_ms u64 | end_len u16 | end |
/// signature`.
fn flip_checkpoint(dir: &Path, number: usize, at: usize) {
    let last = records(&segment(dir, number)).len() - 1;
    flip(dir, number, last, 9 + at);
}

fn rearrange(dir: &Path, number: usize, change: fn(&mut Vec<Vec<u8>>)) {
    let path = segment(dir, number);
    let mut records = records(&path);
    change(&mut records);
    std::fs::write(path, records.concat()).unwrap();
}

fn cut(dir: &Path, number: usize, bytes: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(segment(dir, number)).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - bytes).unwrap();
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Each class of bytes and each way to rearrange a recording of three segments, given with another such recording.
/// How many records there are depends on the machine's load, so the sentences have `*` in the place of numbers.
const MATRIX: &[Row] = &[
    (
        "payload",
        |dir, _| flip(dir, 2, 0, 12),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "payload's authentication tag",
        |dir, _| {
            let len = records(&segment(dir, 2))[0].len();
            flip(dir, 2, 0, len - 1);
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    ("record's length, by one", |dir, _| flip(dir, 2, 0, 3), "tampered with * (segment 2): *"),
    (
        "record's length, by much",
        |dir, _| flip(dir, 2, 0, 0),
        "tampered with at record * (segment 2): a record's length field is *, which no record has",
    ),
    (
        "record's class, to none",
        |dir, _| {
            rearrange(dir, 2, |records| records[0][4] = 0x7f);
        },
        "tampered with at record * (segment 2): a record's class field is 127, which means nothing",
    ),
    (
        "record's class, to another",
        |dir, _| {
            rearrange(dir, 2, |records| records[0][4] ^= 0x80);
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "record's time",
        |dir, _| flip(dir, 2, 0, 8),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint's mark",
        |dir, _| flip_checkpoint(dir, 2, 0),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint's time of day",
        |dir, _| flip_checkpoint(dir, 2, 8),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint's length of the reason",
        |dir, _| flip_checkpoint(dir, 2, 10),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint's signature",
        |dir, _| flip_checkpoint(dir, 2, 11),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint's time",
        |dir, _| {
            rearrange(dir, 2, |records| records.last_mut().unwrap()[8] ^= 1);
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "last checkpoint's reason",
        |dir, _| flip_checkpoint(dir, 3, 12),
        "tampered with * (segment 3): the signature does not cover what precedes it",
    ),
    (
        "last checkpoint's signature",
        |dir, _| {
            rearrange(dir, 3, |records| *records.last_mut().unwrap().last_mut().unwrap() ^= 1);
        },
        "tampered with * (segment 3): the signature does not cover what precedes it",
    ),
    (
        "two records swapped",
        |dir, _| rearrange(dir, 2, |records| records.swap(0, 1)),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "record doubled",
        |dir, _| rearrange(dir, 2, |records| records.insert(0, records[0].clone())),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "record removed",
        |dir, _| rearrange(dir, 2, |records| _ = records.remove(0)),
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "checkpoint removed",
        |dir, _| rearrange(dir, 2, |records| _ = records.pop()),
        "tampered with * (segment 3): the signature does not cover what precedes it",
    ),
    (
        "cut within the last record",
        |dir, _| cut(dir, 3, 1),
        "not sealed, intact up to *, ends within a record",
    ),
    (
        "cut at the last record",
        |dir, _| rearrange(dir, 3, |records| _ = records.pop()),
        "not sealed, intact up to *",
    ),
    (
        "cut within a segment before the last",
        |dir, _| cut(dir, 2, 1),
        "tampered with * (segment 2): it ends within a record although there is a later segment",
    ),
    (
        "bytes behind the end",
        |dir, _| {
            let path = segment(dir, 3);
            std::fs::write(&path, [std::fs::read(&path).unwrap(), vec![0]].concat()).unwrap();
        },
        "tampered with at record * (segment 3): there are bytes behind the end",
    ),
    (
        "first segment removed",
        |dir, _| std::fs::remove_file(segment(dir, 1)).unwrap(),
        "segment 1 is missing",
    ),
    ("segment removed", |dir, _| std::fs::remove_file(segment(dir, 2)).unwrap(), "segment 2 is missing"),
    (
        "last segment removed",
        |dir, _| std::fs::remove_file(segment(dir, 3)).unwrap(),
        "not sealed, intact up to *",
    ),
    (
        "segment emptied",
        |dir, _| std::fs::write(segment(dir, 2), "").unwrap(),
        "tampered with * (segment 3): the signature does not cover what precedes it",
    ),
    (
        "segments swapped",
        |dir, _| {
            let (two, three) =
                (std::fs::read(segment(dir, 2)).unwrap(), std::fs::read(segment(dir, 3)).unwrap());
            std::fs::write(segment(dir, 2), three).unwrap();
            std::fs::write(segment(dir, 3), two).unwrap();
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "segment doubled",
        |dir, _| _ = std::fs::copy(segment(dir, 2), segment(dir, 4)).unwrap(),
        "tampered with at record * (segment 4): there are records behind the end",
    ),
    (
        "record of another recording",
        |dir, other| {
            let (path, theirs) = (segment(dir, 2), records(&segment(other, 2)));
            let mut records = records(&path);
            records[0].clone_from(&theirs[0]);
            std::fs::write(path, records.concat()).unwrap();
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "segment of another recording",
        |dir, other| {
            std::fs::copy(segment(other, 2), segment(dir, 2)).unwrap();
        },
        "tampered with * (segment 2): the signature does not cover what precedes it",
    ),
    (
        "end of another recording",
        |dir, other| {
            std::fs::copy(segment(other, 3), segment(dir, 3)).unwrap();
        },
        "tampered with * (segment 3): the signature does not cover what precedes it",
    ),
    (
        "all segments of another recording",
        |dir, other| {
            for number in 1..=3 {
                std::fs::copy(segment(other, number), segment(dir, number)).unwrap();
            }
        },
        "tampered with at record 0 (segment 1): the signature does not cover what precedes it",
    ),
    (
        "header's facts",
        |dir, _| edit(&dir.join("header.json"), "\"technician\": \"a\"", "\"technician\": \"z\""),
        "tampered with at record 0 (segment 1): the signature does not cover what precedes it",
    ),
    (
        "header's name",
        |dir, _| edit(&dir.join("header.json"), "\"id\": \"a\"", "\"id\": \"z\""),
        "tampered with at record 0 (segment 1): the signature does not cover what precedes it",
    ),
    (
        "header's form",
        |dir, _| edit(&dir.join("header.json"), "{", "["),
        "tampered with: *header.json is malformed: *",
    ),
    (
        "header's version",
        |dir, _| edit(&dir.join("header.json"), "\"version\": 1", "\"version\": 2"),
        "tampered with: *header.json is malformed: version 2 is not known",
    ),
    (
        "header removed",
        |dir, _| std::fs::remove_file(dir.join("header.json")).unwrap(),
        "tampered with: the header is missing",
    ),
    (
        "header of another recording",
        |dir, other| {
            std::fs::copy(other.join("header.json"), dir.join("header.json")).unwrap();
        },
        "tampered with at record 0 (segment 1): the signature does not cover what precedes it",
    ),
    (
        "a key's text",
        |dir, _| edit(&dir.join("keys.json"), "BEGIN AGE", "BEGIN AGF"),
        "tampered with: *keys.json is malformed: the screen key is not the one that the header names",
    ),
    (
        "keys' form",
        |dir, _| edit(&dir.join("keys.json"), "{", "["),
        "tampered with: *keys.json is malformed: *",
    ),
    (
        "keys removed",
        |dir, _| std::fs::remove_file(dir.join("keys.json")).unwrap(),
        "tampered with: cannot read *keys.json: *",
    ),
    (
        "keys of another recording",
        |dir, other| {
            std::fs::copy(other.join("keys.json"), dir.join("keys.json")).unwrap();
        },
        "tampered with: *keys.json is malformed: the screen key is not the one that the header names",
    ),
];

#[test]
fn every_class_of_change_is_named() {
    let house = House::new();
    let (ours, other) = (sealed(&house, "a", 3), sealed(&house, "b", 3));
    let copy = house.dir.path().join("copy");
    for (name, change, sentence) in MATRIX {
        let _ = std::fs::remove_dir_all(&copy);
        copy_dir(&ours, &copy);
        assert!(is_sealed(&house.verify_dir(&copy)));
        change(&copy, &other);
        let verdict = house.verify_dir(&copy).verdict;
        assert!(
            !matches!(verdict, Verdict::Sealed { .. } | Verdict::Interrupted { .. }),
            "{name}: {verdict}"
        );
        assert!(says(&verdict.to_string(), sentence), "{name}: {verdict}\ninstead of: {sentence}");
    }
}

/// Compares with a text in which `*` stands for anything.
fn says(said: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('*');
    let Some(mut rest) = parts.next().and_then(|start| said.strip_prefix(start)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || wanted.ends_with('*')
}

/// The end can be cut off so that the rest verifies, and whoever has the key can seal it anew. The audit log tells.
#[test]
fn what_the_audit_log_says_of_a_recording_is_compared() {
    let house = House::new();
    let dir = sealed(&house, "a", 1);
    let Verdict::Sealed { root, .. } = house.verify_dir(&dir).verdict else { panic!("not sealed") };
    let log_dir = house.dir.path().join("audit");
    let log = AuditLog::open(&log_dir, house.signer.clone(), Arc::new(SetClock::default())).unwrap();
    let opened = AuditEvent::new(AuditKind::RecordingOpened).session("b").detail("root", "none");
    block_on(log.append(opened)).unwrap();
    for (id, root) in [("a", &*root), ("b", "00")] {
        let event = AuditEvent::new(AuditKind::RecordingSealed).session(id).detail("root", root);
        block_on(log.append(event)).unwrap();
    }
    let roots = sealed_roots(&log_dir, |id| id == "a").unwrap();
    assert_eq!(roots.into_iter().collect::<Vec<_>>(), [("a".to_owned(), root.clone())]);

    let compared = |logged| house.verify_dir(&dir).compared(logged);
    assert!(is_sealed(&compared(None)) && is_sealed(&compared(Some(&root))));
    let other = compared(Some("00"));
    assert_eq!(other.verdict, Verdict::OtherRoot { root: root.clone(), logged: "00".into() });
    assert!(!other.is_intact());
    rearrange(&dir, 1, |records| _ = records.pop());
    let cut = compared(Some(&root));
    assert!(matches!(&cut.verdict, Verdict::CutOff { root: logged, .. } if *logged == root), "{cut}");
    assert!(!cut.is_intact() && compared(None).is_intact());
    flip(&dir, 1, 0, 12);
    assert!(matches!(compared(Some(&root)).verdict, Verdict::Tampered { .. }));
}
