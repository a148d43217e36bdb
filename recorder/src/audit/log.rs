//! The handle of the audit log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::AuditEvent;
use crate::{Clock, SigningKey};

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
#[derive(Clone)]
pub struct AuditLog {}

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
        let _ = (directory, signer, clock);
        panic!("not yet here")
    }

    /// Writes `event` and returns when it is on disk, and with it every event noted before.
    ///
    /// # Errors
    /// The event is not on disk.
    pub async fn append(&self, event: AuditEvent) -> Result<(), AuditError> {
        let _ = event;
        panic!("not yet here")
    }

    /// Writes `event` soon, without waiting. What cannot be written is tried again with the next event,
    /// whose [`append`](Self::append) then reports the error.
    pub fn note(&self, event: AuditEvent) {
        let _ = event;
        panic!("not yet here")
    }

    /// The sessions that had no end when the log was opened.
    #[must_use]
    pub fn sessions_without_end(&self) -> &[UnfinishedSession] {
        &[]
    }

    /// When the gateway before this one did not stop in order: the time of its last event, RFC 3339.
    #[must_use]
    pub fn interrupted_at(&self) -> Option<&str> {
        None
    }

    /// Writes what waits and a last checkpoint, syncs, and ends the writer.
    ///
    /// # Errors
    /// Something that was noted is not on disk.
    pub async fn close(&self) -> Result<(), AuditError> {
        panic!("not yet here")
    }
}
