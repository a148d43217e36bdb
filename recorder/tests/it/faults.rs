//! A disk that fails or is slow.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use passerelle_recorder::{Lag, Lane, LocalDisk, OpenError, RecordingFailed, Segment, SegmentSink, Verdict};
use serde_json::json;

use crate::support::{House, RealClock, block_on, noise};

/// A disk with a given number of bytes left.
#[derive(Clone, Default)]
struct SmallDisk(Arc<Small>);

#[derive(Default)]
struct Small {
    left: AtomicU64,
    broken_sync: AtomicBool,
}

struct SmallSegment {
    inner: Arc<dyn Segment>,
    len: Mutex<u64>,
    disk: Arc<Small>,
}

impl SegmentSink for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Segment>> {
        let inner = LocalDisk.create(path)?;
        Ok(Arc::new(SmallSegment { inner, len: Mutex::new(0), disk: Arc::clone(&self.0) }))
    }
}

impl Segment for SmallSegment {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let left = self.disk.left.load(Ordering::Relaxed);
        let fits = usize::try_from(left).unwrap().min(bytes.len());
        self.inner.append(&bytes[..fits])?;
        *self.len.lock().unwrap() += fits as u64;
        self.disk.left.fetch_sub(fits as u64, Ordering::Relaxed);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut old = self.len.lock().unwrap();
        self.inner.truncate(len)?;
        self.disk.left.fetch_add(*old - len, Ordering::Relaxed);
        *old = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.broken_sync.load(Ordering::Relaxed) {
            return Err(io::Error::other("the cable is out"));
        }
        self.inner.sync()
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_keeps_what_was_written() {
    for left in [500, 5_000, 300_000, 300_111] {
        let house = House::new();
        let disk = SmallDisk::default();
        let small = Arc::clone(&disk.0);
        small.left.store(left, Ordering::Relaxed);
        let recorder = house.recorder_with(RealClock::new(), Arc::new(disk));
        let recording = recorder.open("a", &json!(null)).unwrap();
        let error = block_on(async {
            let fill = async {
                for number in 0.. {
                    if let Err(error) = recording.append(Lane::Target, &noise(number, 1000)) {
                        return error;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    if let Err(error) = recording.ready().await {
                        return error;
                    }
                }
                unreachable!("the disk is full")
            };
            let (error, noticed) = tokio::join!(fill, recording.failed());
            assert_eq!(error, noticed);
            assert_eq!(recording.close("done").await, Err(error.clone()));
            error
        });
        let path = house.recording("a").join("000001.seg");
        assert_eq!(
            error.to_string(),
            format!("the recording a cannot go on: no space left on {}", path.display())
        );
        let verification = house.verify("a");
        assert!(verification.is_intact(), "with {left} bytes: {verification}");
        let entries = house.entries("a");
        assert!(entries.iter().zip(0..).all(|(entry, number)| entry.bytes == noise(number, 1000)));
        if left >= 300_000 {
            assert!(!entries.is_empty());
        }
        // Cutting the unfinished record off makes room for the end, nearly always.
        let room = small.left.load(Ordering::Relaxed);
        let ended =
            matches!(&verification.verdict, Verdict::Sealed { end, .. } if end.starts_with("failed: "));
        assert!(ended || room < 400, "{room} bytes are free, but: {verification}");
    }
}

#[test]
fn a_recording_that_cannot_begin_leaves_nothing() {
    let house = House::new();
    let recorder = house.recorder_with(RealClock::new(), Arc::new(SmallDisk::default()));
    let error = recorder.open("a", &json!(null)).unwrap_err();
    assert!(matches!(&error, OpenError::Begin(RecordingFailed::NoSpace { .. })), "{error}");
    assert!(!house.recording("a").exists());
}

#[test]
fn a_sync_that_fails_fails_the_recording() {
    let house = House::new();
    let disk = SmallDisk::default();
    disk.0.left.store(u64::MAX / 2, Ordering::Relaxed);
    let recorder = house.recorder_with(RealClock::new(), Arc::new(disk.clone()));
    let recording = recorder.open("a", &json!(null)).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    disk.0.broken_sync.store(true, Ordering::Relaxed);
    recording.append(Lane::Target, b"x").unwrap();
    let error = block_on(async {
        tokio::time::timeout(Duration::from_secs(5), recording.failed())
            .await
            .expect("noticed within a second")
    });
    assert!(error.to_string().ends_with("the cable is out"), "{error}");
    assert_eq!(block_on(recording.close("done")), Err(error));
    assert!(house.verify("a").is_intact());
}

/// A disk that stands still until it is released.
#[derive(Clone, Default)]
struct StuckDisk(Arc<(Mutex<bool>, Condvar)>);

struct StuckSegment(Arc<dyn Segment>, StuckDisk);

impl StuckDisk {
    fn set(&self, stuck: bool) {
        *self.0.0.lock().unwrap() = stuck;
        self.0.1.notify_all();
    }
}

impl SegmentSink for StuckDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Segment>> {
        Ok(Arc::new(StuckSegment(LocalDisk.create(path)?, self.clone())))
    }
}

impl Segment for StuckSegment {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let stuck = self.1.0.0.lock().unwrap();
        drop(self.1.0.1.wait_while(stuck, |stuck| *stuck).unwrap());
        self.0.append(bytes)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_slow_disk_holds_the_session_back_and_loses_nothing() {
    let house = House::new();
    let disk = StuckDisk::default();
    let recorder = house.recorder_with(RealClock::new(), Arc::new(disk.clone()));
    let recording = recorder.open("a", &json!(null)).unwrap();
    disk.set(true);
    let mut appended = 0;
    block_on(async {
        loop {
            let ready = tokio::time::timeout(Duration::from_millis(100), recording.ready()).await;
            if ready.is_err() {
                break;
            }
            recording.append(Lane::Target, &[appended as u8; 10_000]).unwrap();
            appended += 1;
            assert!(appended < 200, "`ready` never waited");
        }
        assert!(appended * 10_000 > 512 * 1024, "it waited after {appended} entries already");
        assert!(appended * 10_000 < 900 * 1024, "{appended} entries are in memory");
        let lag = recording.lag();
        assert!(lag.bytes >= appended * 10_000 && lag.oldest >= Duration::from_millis(100), "{lag:?}");
        let released = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            disk.set(false);
        };
        let (ready, ()) = tokio::join!(recording.ready(), released);
        ready.unwrap();
        recording.close("done").await.unwrap();
    });
    assert_eq!(recording.lag(), Lag::default());
    let entries = house.entries("a");
    assert_eq!(entries.len(), appended);
    assert!(entries.iter().enumerate().all(|(index, entry)| entry.bytes == [index as u8; 10_000]));
}

#[test]
fn who_does_not_wait_for_a_stuck_disk_fails_before_memory_does() {
    let house = House::new();
    let disk = StuckDisk::default();
    let recorder = house.recorder_with(RealClock::new(), Arc::new(disk.clone()));
    let recording = recorder.open("a", &json!(null)).unwrap();
    disk.set(true);
    let chunk = vec![1; 1 << 20];
    let error = (0..80).find_map(|_| recording.append(Lane::Target, &chunk).err()).unwrap();
    assert!(matches!(error, RecordingFailed::TooSlow { .. }), "{error}");
    assert_eq!(recording.lag(), Lag::default());
    disk.set(false);
    assert_eq!(block_on(recording.close("done")), Err(error));
    assert!(house.verify("a").is_intact());
}
