//! Whatever is changed in a sealed recording is found, without any decryption key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
