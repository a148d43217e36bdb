//! Whatever a killed gateway leaves behind is an intact prefix, and is sealed at the next start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_recorder::{Lane, Reader, RecoveryOutcome, Verdict};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{House, RealClock, block_on, copy_dir};

/// A recording that was copied while it was being written.
fn left_open(house: &House) -> PathBuf {
    let recorder = house.recorder(RealClock::new());
    let recording = recorder.open("a", &json!({"technician": "alice"})).unwrap();
    for number in 0..4u8 {
        recording.append(Lane::Target, &[number; 20]).unwrap();
        recording.append(Lane::Viewer, &[number]).unwrap();
        std::thread::sleep(Duration::from_millis(if number == 2 { 900 } else { 70 }));
    }
    let copy = house.dir.path().join("left");
    copy_dir(&house.recording("a"), &copy);
    block_on(recording.close("done")).unwrap();
    copy
}

fn put(house: &House, from: &Path) {
    std::fs::remove_dir_all(house.recording("a")).unwrap();
    copy_dir(from, &house.recording("a"));
}

#[test]
fn truncated_anywhere_a_recording_is_an_intact_prefix_and_can_be_sealed() {
    let house = House::new();
    let left = left_open(&house);
    let whole = std::fs::read(left.join("000001.seg")).unwrap();
    put(&house, &left);
    let all = house.entries("a");
    assert_eq!(all.len(), 8, "everything older than 100 ms is in the file");
    assert!(matches!(house.verify("a").verdict, Verdict::IntactUpTo { unsigned_records: 1.., .. }));

    let recorder = house.recorder(RealClock::new());
    let mut most = 0;
    for len in 0..=whole.len() {
        put(&house, &left);
        std::fs::write(house.recording("a").join("000001.seg"), &whole[..len]).unwrap();
        let torn = match house.verify("a").verdict {
            Verdict::IntactUpTo { torn_bytes, .. } => torn_bytes,
            verdict => panic!("at {len}: {verdict}"),
        };
        let before = house.entries("a");
        assert!(all.starts_with(&before), "at {len}");

        let recovered = recorder.recover();
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].facts, json!({"technician": "alice"}));
        let RecoveryOutcome::Sealed { root, until, torn_bytes } = &recovered[0].outcome else {
            panic!("at {len}: {:?}", recovered[0]);
        };
        assert_eq!(*torn_bytes, torn, "at {len}");
        let verification = house.verify("a");
        assert_eq!(verification.verdict, Verdict::Interrupted { root: root.clone(), until: *until });
        assert_eq!(house.entries("a"), before, "at {len}");
        assert!(recorder.recover().is_empty(), "sealed once");
        most = most.max(before.len());
    }
    assert_eq!(most, all.len());
}

#[test]
fn what_was_changed_before_the_start_is_left_and_told() {
    let house = House::new();
    let left = left_open(&house);
    put(&house, &left);
    let path = house.recording("a").join("000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let recovered = house.recorder(RealClock::new()).recover();
    assert!(
        matches!(&recovered[0].outcome, RecoveryOutcome::Left { why } if why.starts_with("tampered with")),
        "{recovered:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_recording_that_never_began_is_removed_and_strangers_are_not() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    let running = recorder.open("running", &json!(null)).unwrap();
    std::fs::create_dir(house.recording("begun")).unwrap();
    std::fs::write(house.recording("begun").join("keys.json"), "{").unwrap();
    std::fs::create_dir(house.recording("stranger")).unwrap();
    std::fs::write(house.recording("stranger").join("thesis.txt"), "dear").unwrap();
    let recovered = recorder.recover();
    let outcomes: Vec<_> = recovered
        .iter()
        .map(|found| (found.id.as_str(), found.outcome == RecoveryOutcome::Removed))
        .collect();
    assert_eq!(outcomes, [("begun", true), ("stranger", false)]);
    assert!(!house.recording("begun").exists() && house.recording("stranger").exists());
    block_on(running.close("done")).unwrap();
    assert!(matches!(house.verify("running").verdict, Verdict::Sealed { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_in_a_segment_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        classes in prop::collection::vec((0u8..4, 16u8..60), 0..6),
    ) {
        let house = shared_house();
        let dir = house.0.recording("a");
        // Heads that make sense in front of bytes that do not reach further than bytes alone.
        let mut content = Vec::new();
        for (class, len) in classes {
            content.extend([0, 0, 0, len, class, 0, 0, 0, 1]);
            content.extend(bytes.iter().cycle().take(if bytes.is_empty() { 0 } else { len.into() }));
        }
        content.extend(&bytes);
        std::fs::write(dir.join("000001.seg"), content).unwrap();
        let verification = house.0.verify("a");
        let over = matches!(verification.verdict, Verdict::Sealed { .. } | Verdict::Interrupted { .. });
        prop_assert!(!over);
        let _ = Reader::open(&dir, &house.0.identity()).unwrap().count();
        let _ = passerelle_recorder::summary(&dir);
    }
}

struct SharedHouse(House);

/// One recording for all cases of a property; each case overwrites its segment.
fn shared_house() -> &'static SharedHouse {
    static HOUSE: std::sync::OnceLock<SharedHouse> = std::sync::OnceLock::new();
    HOUSE.get_or_init(|| {
        let house = House::new();
        let recording = house.recorder(RealClock::new()).open("a", &json!(null)).unwrap();
        block_on(recording.close("done")).unwrap();
        SharedHouse(house)
    })
}
