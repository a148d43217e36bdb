//! What the tests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use passerelle_recorder::{
    Clock, Entry, Identity, LocalDisk, Random, Reader, Recorder, RecorderSettings, SegmentSink, SigningKey,
    Verification, verify,
};
use tempfile::TempDir;

/// The real clocks.
pub(crate) struct RealClock(Instant);

impl RealClock {
    #[expect(clippy::disallowed_methods, reason = "tests of timing need real time")]
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "tests of timing need real time")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that tests move.
#[derive(Default)]
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Bytes that do not become shorter when they are compressed, others for each `seed`.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Distinct bytes for each key; good enough for tests.
pub(crate) fn random() -> Random {
    let state = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    Arc::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            let next = state
                .load(Ordering::Relaxed)
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.store(next, Ordering::Relaxed);
            *byte = (next >> 56) as u8;
        }
    })
}

/// A recorder in a directory of its own.
pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) signer: Arc<SigningKey>,
}

impl House {
    pub(crate) fn new() -> Self {
        let signer = SigningKey::from_seed(&[42; 32]).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), signer: Arc::new(signer) }
    }

    pub(crate) fn settings(&self) -> RecorderSettings {
        RecorderSettings {
            directory: self.recordings(),
            recipients: Vec::new(),
            identity_file: Some(self.dir.path().join("identity")),
            min_free_bytes: 0,
            writers: 2,
        }
    }

    pub(crate) fn recorder(&self, clock: Arc<dyn Clock>) -> Recorder {
        self.recorder_with(clock, Arc::new(LocalDisk))
    }

    pub(crate) fn recorder_with(&self, clock: Arc<dyn Clock>, sink: Arc<dyn SegmentSink>) -> Recorder {
        let signer = Arc::clone(&self.signer);
        Recorder::start_with_sink(self.settings(), signer, clock, random(), sink).unwrap()
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    pub(crate) fn recording(&self, id: &str) -> PathBuf {
        self.recordings().join(id)
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::load(&self.dir.path().join("identity")).unwrap()
    }

    pub(crate) fn verify(&self, id: &str) -> Verification {
        self.verify_dir(&self.recording(id))
    }

    pub(crate) fn verify_dir(&self, dir: &Path) -> Verification {
        verify(dir, &self.signer.public_key()).unwrap()
    }

    pub(crate) fn entries(&self, id: &str) -> Vec<Entry> {
        let reader = Reader::open(&self.recording(id), &self.identity()).unwrap();
        reader.map(Result::unwrap).collect()
    }
}

/// Copies the files of a recording.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A runtime for one thread with real time.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
