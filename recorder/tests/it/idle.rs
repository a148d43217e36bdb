//! What recordings cost while nothing happens, and how soon things are where they belong.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use passerelle_recorder::{Clock, Lane, LocalDisk, Segment, SegmentSink};
use serde_json::json;

use crate::support::{House, RealClock, block_on};

/// Counts what reaches the disk.
#[derive(Clone, Default)]
struct Counting(Arc<Counts>);

#[derive(Default)]
struct Counts {
    appends: AtomicU64,
    syncs: AtomicU64,
}

struct CountingSegment(Arc<dyn Segment>, Arc<Counts>);

impl SegmentSink for Counting {
    fn create(&self, path: &Path) -> std::io::Result<Arc<dyn Segment>> {
        Ok(Arc::new(CountingSegment(LocalDisk.create(path)?, Arc::clone(&self.0))))
    }
}

impl Segment for CountingSegment {
    fn append(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.1.appends.fetch_add(1, Ordering::Relaxed);
        self.0.append(bytes)
    }

    fn truncate(&self, len: u64) -> std::io::Result<()> {
        self.0.truncate(len)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        self.0.sync()
    }
}

/// Processor time of this process's recorder threads.
fn writer_ticks() -> u64 {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if let Some((name, rest)) = stat.rsplit_once(')')
            && name.contains("(recorder-")
        {
            let fields: Vec<&str> = rest.split_whitespace().collect();
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    ticks
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn small_messages_are_written_in_batches_and_idle_recordings_cost_nothing() {
    let house = House::new();
    let sink = Counting::default();
    let clock = RealClock::new();
    let recorder = house.recorder_with(clock.clone(), Arc::new(sink.clone()));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);

    let recording = recorder.open("a", &json!(null)).unwrap();
    for _ in 0..500 {
        recording.append(Lane::Target, &[1; 10]).unwrap();
        recording.append(Lane::Viewer, &[1; 10]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = clock.monotonic();
    std::thread::sleep(Duration::from_millis(1200));
    let appends = count(&sink.0.appends);
    // Two classes every 50 ms, and the checkpoints.
    let most = u64::try_from(elapsed.as_millis()).unwrap() / 50 * 2 + 10;
    assert!((10..=most).contains(&appends), "1,000 messages in {elapsed:?} made {appends} writes");

    let syncs = count(&sink.0.syncs);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((count(&sink.0.appends), count(&sink.0.syncs)), (appends, syncs), "idle, but writes");
    block_on(recording.close("done")).unwrap();
}

#[test]
fn an_idle_recording_takes_little_memory_and_no_time() {
    let house = House::new();
    let recorder = house.recorder(RealClock::new());
    let warm = recorder.open("warm", &json!(null)).unwrap();
    let before = resident();
    let many: Vec<_> = (0..400)
        .map(|number| {
            let recording = recorder.open(&format!("r{number}"), &json!({"number": number})).unwrap();
            recording.append(Lane::Target, &[1; 3000]).unwrap();
            recording
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1500));
    let each = resident().saturating_sub(before) / 400;
    // Other tests share the process, so that the bound is looser than what is seen alone (about 6 KiB).
    assert!(each < 64 * 1024, "{each} bytes for each idle recording");

    let ticks = writer_ticks();
    std::thread::sleep(Duration::from_secs(1));
    let spent = writer_ticks() - ticks;
    assert!(spent < 80, "400 idle recordings took {spent} hundredths of a second in a second");
    for recording in many {
        block_on(recording.close("done")).unwrap();
    }
    drop(warm);
}

#[test]
fn an_append_is_in_the_file_within_100_ms_and_synced_within_a_second() {
    let house = House::new();
    let clock = RealClock::new();
    let sink = Counting::default();
    let recorder = house.recorder_with(clock.clone(), Arc::new(sink.clone()));
    let recording = recorder.open("a", &json!(null)).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let path = house.recording("a").join("000001.seg");
    let before = std::fs::metadata(&path).unwrap().len();
    let syncs = sink.0.syncs.load(Ordering::Relaxed);
    recording.append(Lane::Target, b"x").unwrap();
    let start = clock.monotonic();
    while std::fs::metadata(&path).unwrap().len() == before {
        assert!(clock.monotonic() - start < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(1));
    }
    // The promise is 100 ms; a busy test machine gets some grace.
    let written = clock.monotonic() - start;
    assert!(written < Duration::from_millis(300), "written after {written:?}");
    while sink.0.syncs.load(Ordering::Relaxed) == syncs {
        assert!(clock.monotonic() - start < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(1));
    }
    let synced = clock.monotonic() - start;
    assert!(synced < Duration::from_millis(1300), "synced after {synced:?}");
}
