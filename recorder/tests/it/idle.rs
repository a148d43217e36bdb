//! What recordings cost while nothing happens, and how soon things are where they belong.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use passerelle_recorder::{Clock, Lane, LocalDisk, Segment, SegmentSink};
use serde_json::json;

use crate::support::{House, RealClock, SetClock, block_on};

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
    let mut counts = (0, 0);
    wait_until("rest", || {
        let before = std::mem::replace(&mut counts, (count(&sink.0.appends), count(&sink.0.syncs)));
        std::thread::sleep(Duration::from_millis(1500));
        before == counts
    });
    // Two classes every 50 ms, and the checkpoints.
    let most = u64::try_from(elapsed.as_millis()).unwrap() / 50 * 2 + 10;
    assert!((10..=most).contains(&counts.0), "1,000 messages in {elapsed:?} made {} writes", counts.0);
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

/// Waits until `so`; the time is for a machine that does something else meanwhile.
fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = RealClock::new();
    while !so() {
        assert!(waiting.monotonic() < Duration::from_secs(60), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_append_is_written_after_50_ms_and_synced_unasked() {
    let house = House::new();
    let clock = Arc::new(SetClock::default());
    let sink = Counting::default();
    let recorder = house.recorder_with(Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(sink.clone()));
    let syncs = || sink.0.syncs.load(Ordering::Relaxed);
    let recording = recorder.open("a", &json!(null)).unwrap();
    let path = house.recording("a").join("000001.seg");
    let len = || std::fs::metadata(&path).unwrap().len();
    wait_until("the sync of the header", || syncs() > 0);

    let (before, synced) = (len(), syncs());
    recording.append(Lane::Target, b"x").unwrap();
    clock.advance(Duration::from_millis(49));
    // Whatever would write too early has these wakings for it.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(len(), before, "written before it was due");
    clock.advance(Duration::from_millis(1));
    wait_until("the write", || len() > before);
    assert_eq!(syncs(), synced, "synced before it was due");
    // The checkpoint's time runs from a moment that this test does not see.
    wait_until("the sync", || {
        clock.advance(Duration::from_millis(1));
        syncs() > synced
    });
}
