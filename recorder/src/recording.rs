//! The handle of one recording while its session runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::oneshot;

use crate::Lane;
use crate::core::Core;
use crate::pool::Threads;

/// One recording being written. Cheap to clone and to share.
///
/// When the last clone is dropped without [`close`](Self::close), the recording is sealed with the end
/// `abandoned`.
#[derive(Clone)]
pub struct Recording(Arc<Handle>);

struct Handle {
    core: Arc<Core>,
    /// Declared last: dropping the last reference waits for the recording to be closed.
    _threads: Arc<Threads>,
}

/// What is appended to a recording and not written to its file yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// How much it is, in bytes.
    pub bytes: usize,
    /// For how long the oldest of it has been waiting; up to 100 ms are no cause for worry.
    pub oldest: Duration,
}

/// What a sealed recording amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// The recording's root: SHA-256 of the whole chain, in hex. Proves the recording's content.
    pub root: String,
    /// Why it ended, as given to [`Recording::close`].
    pub end: String,
    /// Size of all segments in bytes.
    pub bytes: u64,
    /// Number of segments.
    pub segments: u32,
    /// Number of entries.
    pub entries: u64,
    /// Time from the recording's start to its end.
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
}

/// A recording cannot go on. What was durable before stays intact and verifiable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingFailed {
    /// The disk is full.
    #[error("the recording {id} cannot go on: no space left on {path}")]
    NoSpace {
        /// The recording.
        id: String,
        /// The file that could not be extended.
        path: PathBuf,
    },
    /// A file cannot be written or synced.
    #[error("the recording {id} cannot go on: cannot write {path}: {error}")]
    Write {
        /// The recording.
        id: String,
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// More was appended than can be kept in memory while the disk does not keep up.
    #[error("the recording {id} cannot go on: the disk is too slow, {waiting} bytes wait for it")]
    TooSlow {
        /// The recording.
        id: String,
        /// Bytes that wait.
        waiting: usize,
    },
    /// The disk has less room than is to stay free.
    #[error(
        "the recording {id} cannot go on: the disk has {free} bytes free, the configuration demands {needed}"
    )]
    LittleSpace {
        /// The recording.
        id: String,
        /// Free bytes.
        free: u64,
        /// What the configuration demands.
        needed: u64,
    },
    /// The recording is closed.
    #[error("the recording {id} is closed")]
    Closed {
        /// The recording.
        id: String,
    },
}

impl Recording {
    pub(crate) fn new(core: Arc<Core>, threads: Arc<Threads>) -> Self {
        Self(Arc::new(Handle { core, _threads: threads }))
    }

    /// The recording's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.core.id
    }

    /// Adds `bytes` to `lane`. Never blocks: the bytes are copied, and reach the file within 100 ms.
    ///
    /// Call [`ready`](Self::ready) before appending on behalf of a peer, so that a slow disk slows the
    /// peer instead of filling memory.
    ///
    /// # Errors
    /// The recording failed or is closed; nothing more will be recorded.
    pub fn append(&self, lane: Lane, bytes: &[u8]) -> Result<(), RecordingFailed> {
        self.0.core.append(lane, bytes)
    }

    /// Adds an event: the JSON object `{"kind": kind, "detail": detail}` in [`Lane::Events`].
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn event(&self, kind: &str, detail: serde_json::Value) -> Result<(), RecordingFailed> {
        let event = serde_json::json!({ "kind": kind, "detail": detail });
        self.append(Lane::Events, event.to_string().as_bytes())
    }

    /// What waits to be written.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.0.core.lag()
    }

    /// Waits while more bytes wait for the disk than the recording may hold (512 KiB). Costs an atomic
    /// load when there is nothing to wait for. Cancel safe.
    ///
    /// # Errors
    /// The recording failed.
    pub async fn ready(&self) -> Result<(), RecordingFailed> {
        self.0.core.ready().await
    }

    /// Resolves when the recording has failed, and never otherwise. Cancel safe.
    pub async fn failed(&self) -> RecordingFailed {
        self.0.core.failed().await
    }

    /// Ends the recording as one that failed, because the disk has `free` bytes where `needed` are demanded.
    /// What waits to be written is lost; there is room to seal the rest.
    pub fn stop_for_space(&self, free: u64, needed: u64) {
        self.0.core.stop(RecordingFailed::LittleSpace { id: self.id().to_owned(), free, needed });
    }

    /// Ends the recording: writes what waits, signs the end with the reason `end` (of which 1,024 bytes
    /// are kept), and syncs.
    ///
    /// Nothing can be appended from the call on. Cancelling the wait does not cancel the sealing.
    ///
    /// # Errors
    /// The recording failed or was closed before.
    pub async fn close(&self, end: &str) -> Result<Sealed, RecordingFailed> {
        let (reply, outcome) = oneshot::channel();
        self.0.core.close(end, Some(reply))?;
        outcome.await.unwrap_or_else(|_| Err(RecordingFailed::Closed { id: self.id().to_owned() }))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // An error means that it was closed or has failed, and is known to whoever saw that.
        let _ = self.core.close("abandoned", None);
    }
}

/// Writes a duration as whole milliseconds.
pub(crate) fn as_millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
