//! What is appended comes back, in order, for those who may read it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use passerelle_recorder::{
    Class, Identity, Lane, OpenError, ReadError, Reader, Recorder, RecorderError, RecordingFailed, State,
    Verdict, erase, list,
};
use serde_json::json;

use crate::support::{House, RealClock, SetClock, block_on, noise};

#[test]
fn entries_come_back_in_the_order_of_all_lanes() {
    let house = House::new();
    let clock = Arc::new(SetClock::default());
    let recorder = house.recorder(clock.clone());
    let recording = recorder.open("a", &json!({"technician": "alice"})).unwrap();
    let mut expected = Vec::new();
    for index in 0..3000u32 {
        let lane = Lane::ALL[index as usize * 7 % 5];
        let bytes = vec![index as u8; (index * 37 % 700) as usize];
        recording.append(lane, &bytes).unwrap();
        expected.push((index, lane, bytes));
        clock.advance(Duration::from_millis(1));
    }
    let large: Vec<u8> = (0..1_000_000u32).map(|value| (value % 251) as u8).collect();
    recording.append(Lane::Clipboard, &large).unwrap();
    expected.push((3000, Lane::Clipboard, large));
    recording.append(Lane::State, b"").unwrap();
    expected.push((3000, Lane::State, Vec::new()));
    let sealed = block_on(recording.close("logged out")).unwrap();

    let entries = house.entries("a");
    assert!(entries.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let read: Vec<_> = entries.into_iter().map(|entry| (entry.t_ms, entry.lane, entry.bytes)).collect();
    assert!(read == expected, "{} of {} entries came back", read.len(), expected.len());
    assert_eq!(sealed.entries, expected.len() as u64);
    assert_eq!(sealed.duration, Duration::from_secs(3));

    let verification = house.verify("a");
    assert_eq!(verification.verdict, Verdict::Sealed { end: "logged out".into(), root: sealed.root.clone() });
    assert_eq!((verification.bytes, verification.segments), (sealed.bytes, sealed.segments));
    assert_eq!(verification.duration, sealed.duration);
    assert_eq!(
        verification.to_string(),
        format!("a: sealed and unchanged (logged out), root {}", sealed.root)
    );

    let listed = list(&house.recordings()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].header.facts, json!({"technician": "alice"}));
    assert_eq!(listed[0].header.started, "2023-11-14T22:13:20.000Z");
    assert_eq!(listed[0].state, State::Sealed { end: "logged out".into() });
    assert_eq!((listed[0].bytes, listed[0].duration), (sealed.bytes, sealed.duration));
}

#[test]
fn lanes_can_be_chosen_and_a_destroyed_key_takes_its_lanes_only() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    let recording = recorder.open("a", &json!(null)).unwrap();
    for lane in Lane::ALL {
        recording.append(lane, lane.to_string().as_bytes()).unwrap();
    }
    recording.event("consent", json!({"by": "bob"})).unwrap();
    let sealed = block_on(recording.close("done")).unwrap();
    let dir = house.recording("a");
    let lanes = |reader: Reader| reader.map(|entry| entry.unwrap().lane).collect::<Vec<_>>();

    let open = || Reader::open(&dir, &house.identity()).unwrap();
    assert_eq!(lanes(open().only(&[Lane::Viewer, Lane::State])), [Lane::State, Lane::Viewer]);
    let event = open().only(&[Lane::Events]).last().unwrap().unwrap();
    assert_eq!(event.bytes, br#"{"detail":{"by":"bob"},"kind":"consent"}"#);

    assert!(erase(&dir, Class::Input).unwrap());
    assert!(!erase(&dir, Class::Input).unwrap());
    assert_eq!(open().missing(), [Class::Input]);
    assert_eq!(lanes(open()), [Lane::Target, Lane::State, Lane::Events, Lane::Events]);
    let verification = house.verify("a");
    assert_eq!(verification.verdict, Verdict::Sealed { end: "done".into(), root: sealed.root });
    assert_eq!(verification.erased, [Class::Input]);
}

#[test]
fn with_outside_recipients_only_the_gateway_cannot_read_what_it_writes() {
    let house = House::new();
    let auditor = Identity::load_or_create(&house.dir.path().join("auditor")).unwrap();
    let own = Identity::load_or_create(&house.dir.path().join("identity")).unwrap();
    let mut settings = house.settings();
    settings.identity_file = None;
    let start = |settings| {
        Recorder::start(settings, house.signer.clone(), RealClock::new(), crate::support::random())
    };
    assert!(matches!(start(settings.clone()).err(), Some(RecorderError::NoRecipient)));
    settings.recipients = vec!["age1x".into()];
    assert!(matches!(start(settings.clone()).err(), Some(RecorderError::Recipient(text)) if text == "age1x"));
    settings.recipients = auditor.recipients();
    let recorder = start(settings).unwrap();
    let recording = recorder.open("a", &json!(null)).unwrap();
    recording.append(Lane::Target, b"secret screen").unwrap();
    block_on(recording.close("done")).unwrap();

    let dir = house.recording("a");
    let read = |identity: &Identity| Reader::open(&dir, identity).unwrap().count();
    assert_eq!(read(&auditor), 1);
    assert_eq!(read(&own), 0);
    assert_eq!(Reader::open(&dir, &own).unwrap().missing(), Class::ALL);
    for file in std::fs::read_dir(&dir).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!content.windows(6).any(|window| window == b"secret"), "stored in clear");
    }
}

#[test]
fn recordings_are_private_and_are_not_mixed_up() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    for id in ["", "../a", "a/b", "ä", &"x".repeat(65)] {
        assert!(matches!(recorder.open(id, &json!(null)), Err(OpenError::Id(_))), "{id}");
    }
    let recording = recorder.open("a", &json!(null)).unwrap();
    assert!(matches!(recorder.open("a", &json!(null)), Err(OpenError::Exists(_))));
    block_on(recording.close("done")).unwrap();
    assert!(matches!(recorder.open("a", &json!(null)), Err(OpenError::Exists(_))));

    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(house.recordings()), 0o700);
    assert_eq!(mode(house.recording("a")), 0o700);
    for file in std::fs::read_dir(house.recording("a")).unwrap() {
        assert_eq!(mode(file.unwrap().path()), 0o600);
    }

    let second =
        Recorder::start(house.settings(), house.signer.clone(), RealClock::new(), crate::support::random());
    assert!(matches!(second.err(), Some(RecorderError::InUse(_))));
}

#[test]
fn a_full_disk_refuses_recordings_in_a_sentence() {
    let house = House::new();
    let settings = passerelle_recorder::RecorderSettings { min_free_bytes: u64::MAX, ..house.settings() };
    let recorder =
        Recorder::start(settings, house.signer.clone(), RealClock::new(), crate::support::random()).unwrap();
    let error = recorder.open("a", &json!(null)).unwrap_err();
    assert!(matches!(error, OpenError::NoSpace { .. }));
    assert!(error.to_string().starts_with("no recording can start: "), "{error}");
    assert!(!house.recording("a").exists());
}

#[test]
fn many_threads_and_recordings_keep_their_order() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    std::thread::scope(|scope| {
        for number in 0..6 {
            let recorder = recorder.clone();
            scope.spawn(move || {
                let recording = recorder.open(&format!("r{number}"), &json!(number)).unwrap();
                std::thread::scope(|scope| {
                    for (thread, lane) in [Lane::Target, Lane::Viewer, Lane::Events].into_iter().enumerate() {
                        let recording = recording.clone();
                        scope.spawn(move || {
                            for index in 0..2000u32 {
                                let mut bytes = index.to_be_bytes().to_vec();
                                bytes.resize(4 + (index as usize * 31 + thread) % 900, 7);
                                recording.append(lane, &bytes).unwrap();
                            }
                        });
                    }
                });
                block_on(recording.close("done")).unwrap();
            });
        }
    });
    for number in 0..6 {
        let id = format!("r{number}");
        assert!(matches!(house.verify(&id).verdict, Verdict::Sealed { .. }));
        let entries = house.entries(&id);
        assert_eq!(entries.len(), 6000);
        assert!(entries.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert!(entries.windows(2).all(|pair| pair[0].t_ms <= pair[1].t_ms));
        let mut next = BTreeMap::new();
        for entry in entries {
            let expected = next.entry(entry.lane).or_insert(0u32);
            assert_eq!(entry.bytes[..4], expected.to_be_bytes());
            *expected += 1;
        }
    }
}

#[test]
fn segments_roll_by_size_and_by_age() {
    let house = House::new();
    let clock = Arc::new(SetClock::default());
    let recorder = house.recorder(clock.clone());
    let recording = recorder.open("size", &json!(null)).unwrap();
    block_on(async {
        for second in 0..5u64 {
            for number in 0..12 {
                recording.ready().await.unwrap();
                recording.append(Lane::Target, &noise(100 * second + number, 100_000)).unwrap();
            }
            // The writers sleep in real time and look at the clock when they wake.
            tokio::time::sleep(Duration::from_millis(120)).await;
            clock.advance(Duration::from_millis(1100));
        }
    });
    let sealed = block_on(recording.close("done")).unwrap();
    assert!((3..=6).contains(&sealed.segments), "{} segments for 6 MB in 5 seconds", sealed.segments);
    assert!(matches!(house.verify("size").verdict, Verdict::Sealed { .. }));
    assert_eq!(house.entries("size").len(), 60);

    let recording = recorder.open("age", &json!(null)).unwrap();
    for _ in 0..3 {
        recording.append(Lane::Target, b"small").unwrap();
        clock.advance(Duration::from_secs(16));
        std::thread::sleep(Duration::from_millis(200));
    }
    let sealed = block_on(recording.close("done")).unwrap();
    assert!(sealed.segments >= 3, "{} segments in 48 seconds", sealed.segments);
    assert_eq!(house.entries("age").len(), 3);
}

#[test]
fn what_is_closed_takes_nothing_more_and_what_is_dropped_is_sealed() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    let recording = recorder.open("closed", &json!(null)).unwrap();
    let clone = recording.clone();
    block_on(recording.close("done")).unwrap();
    let closed = Err(RecordingFailed::Closed { id: "closed".into() });
    assert_eq!(clone.append(Lane::Target, b"late"), closed);
    assert_eq!(block_on(clone.close("again")).map(drop), closed);

    let dropped = recorder.open("dropped", &json!(null)).unwrap();
    dropped.append(Lane::Target, b"last words").unwrap();
    drop((recording, clone, dropped, recorder));
    // The last handle waited for the threads, so the file is complete now.
    let verdict = house.verify("dropped").verdict;
    assert!(matches!(&verdict, Verdict::Sealed { end, .. } if end == "abandoned"), "{verdict}");
    assert_eq!(house.entries("dropped")[0].bytes, b"last words");
}

#[test]
fn reading_stops_when_nobody_waits_for_it() {
    let house = House::new();
    let recording = house.recorder(RealClock::new()).open("a", &json!(null)).unwrap();
    for number in 0..20 {
        recording.append(Lane::Target, &noise(number, 200_000)).unwrap();
    }
    block_on(recording.close("logged out")).unwrap();
    // Nothing is in the lane that is read, so that all of it would be passed over.
    let (asked, count) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    for (until, counter) in [(u32::MAX, &count), (2, &asked)] {
        let counter = Arc::clone(counter);
        let stop = move || counter.fetch_add(1, Ordering::Relaxed) >= until;
        let reader = Reader::open(&house.recording("a"), &house.identity()).unwrap();
        let mut reader = reader.only(&[Lane::Clipboard]).stop_when(stop);
        assert_eq!(matches!(reader.next(), Some(Err(ReadError::Stopped))), until == 2);
        assert!(reader.next().is_none());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert!(count.load(Ordering::Relaxed) > 10);
}

#[test]
fn a_running_recording_can_be_followed() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    let recording = recorder.open("a", &json!(null)).unwrap();
    let mut reader = Reader::open(&house.recording("a"), &house.identity()).unwrap();
    assert!(reader.next().is_none());
    for number in 0..3u8 {
        recording.append(Lane::Target, &[number]).unwrap();
        let mut waited = Duration::ZERO;
        let entry = loop {
            if let Some(entry) = reader.next() {
                break entry.unwrap();
            }
            assert!(waited < Duration::from_secs(5), "nothing reached the file");
            std::thread::sleep(Duration::from_millis(5));
            waited += Duration::from_millis(5);
        };
        assert_eq!(entry.bytes, [number]);
    }
    assert!(matches!(house.verify("a").verdict, Verdict::IntactUpTo { torn_bytes: 0, .. }));
}
