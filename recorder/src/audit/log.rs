//! The handle of the audit log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::open::survey;
use super::writer::{LogWriter, Queue};
use super::{AuditEvent, AuditKind, Outcome};
use crate::{Clock, SigningKey, files};

/// The audit log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditOpenError {
    /// The directory or a file in it cannot be used.
    #[error("cannot use the audit log {path}: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process writes the log.
    #[error("another gateway already writes the audit log in {0}")]
    InUse(PathBuf),
}

/// An event is not in the log. What it would have allowed must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The disk is full.
    #[error("cannot write the audit log: no space left on {0}")]
    NoSpace(PathBuf),
    /// The file cannot be written or synced.
    #[error("cannot write the audit log {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// The log is closed.
    #[error("the audit log is closed")]
    Closed,
}

/// A session that the log saw start and not end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnfinishedSession {
    /// The session.
    pub session: String,
    /// Its technician.
    pub technician: Option<String>,
    /// Its target.
    pub target: Option<String>,
    /// Its viewer's address.
    pub address: Option<String>,
    /// When it started, RFC 3339.
    pub started: String,
}

/// Writes the audit log. Cheap to clone.
///
/// Dropping the last clone closes the log as [`close`](Self::close) does and waits for it.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    unfinished: Vec<UnfinishedSession>,
    interrupted_at: Option<String>,
    written: watch::Receiver<u64>,
    /// Holds the directory's lock.
    _lock: File,
}

/// A new file begins when the last one is this long.
const MAX_FILE: u64 = 64 << 20;

impl AuditLog {
    /// Opens the log in `directory` (created when missing), puts a torn last line aside, and looks for
    /// sessions that have no end. Reads the whole log once.
    ///
    /// # Errors
    /// The directory cannot be used, or another process writes the log.
    pub fn open(
        directory: &Path,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditOpenError> {
        Self::open_with(directory, signer, clock, MAX_FILE)
    }

    /// As [`open`](Self::open), with files of `max_file` bytes instead of 64 MiB.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        directory: &Path,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
        max_file: u64,
    ) -> Result<Self, AuditOpenError> {
        let io = |(path, error)| AuditOpenError::Io { path, error };
        let own = |error| AuditOpenError::Io { path: directory.to_owned(), error };
        files::create_dirs(directory).map_err(own)?;
        let lock = files::lock(&directory.join(".audit.lock")).map_err(own)?;
        let lock = lock.ok_or_else(|| AuditOpenError::InUse(directory.to_owned()))?;
        let found = survey(directory, &signer.public_key()).map_err(io)?;
        let writer = LogWriter::open(directory.to_owned(), &found, max_file, signer, clock).map_err(io)?;
        let queue = Arc::new(Queue::default());
        if let Some((path, bytes)) = &found.torn {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            queue.note(
                AuditEvent::new(AuditKind::AuditRecovered)
                    .message(format!("the last line was not whole; its {bytes} bytes are in {file}"))
                    .detail("bytes", *bytes)
                    .detail("file", file),
            );
        }
        if let Some((path, wrong)) = &found.mismatch {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            tracing::error!(path = %path.display(), "{wrong}");
            queue.note(
                AuditEvent::new(AuditKind::AuditMismatch)
                    .outcome(Outcome::Failed)
                    .message(wrong)
                    .detail("file", file),
            );
        }
        let written = writer.written();
        let thread = std::thread::Builder::new().name("audit".into());
        let thread = thread
            .spawn({
                let queue = Arc::clone(&queue);
                move || writer.run(&queue)
            })
            .map_err(own)?;
        Ok(Self(Arc::new(Inner {
            queue,
            thread: Some(thread),
            unfinished: found.unfinished,
            interrupted_at: found.interrupted_at,
            written,
            _lock: lock,
        })))
    }

    /// Writes `event` and returns when it is on disk, and with it every event noted before. Cancelling
    /// the wait does not take the event back.
    ///
    /// # Errors
    /// The event is not on disk.
    pub async fn append(&self, event: AuditEvent) -> Result<(), AuditError> {
        let (reply, outcome) = oneshot::channel();
        self.0.queue.append(event, reply)?;
        outcome.await.unwrap_or(Err(AuditError::Closed))
    }

    /// Writes `event` soon, without waiting. What cannot be written is tried again with the next event,
    /// whose [`append`](Self::append) then reports the error. When 10,000 events wait, further ones are
    /// lost, and the log says how many.
    pub fn note(&self, event: AuditEvent) {
        let kind = event.kind;
        if !self.0.queue.note(event) {
            tracing::error!(%kind, "an audit event is lost");
        }
    }

    /// The number of the last line that is on disk, now and as it grows. What a [`Cursor`](super::Cursor) reads up to
    /// it stays in the log. It is closed when the log's writer has ended.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<u64> {
        self.0.written.clone()
    }

    /// The sessions that had no end when the log was opened, the oldest first.
    #[must_use]
    pub fn sessions_without_end(&self) -> &[UnfinishedSession] {
        &self.0.unfinished
    }

    /// When the gateway before this one did not stop in order: the time of its last event, RFC 3339.
    #[must_use]
    pub fn interrupted_at(&self) -> Option<&str> {
        self.0.interrupted_at.as_deref()
    }

    /// Writes what waits and a last checkpoint, syncs, and ends the writer. Closing again does nothing.
    ///
    /// # Errors
    /// Something that was noted is not on disk.
    pub async fn close(&self) -> Result<(), AuditError> {
        let (reply, outcome) = oneshot::channel();
        self.0.queue.close(Some(reply));
        outcome.await.unwrap_or(Ok(()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close(None);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the audit log panicked");
        }
    }
}
