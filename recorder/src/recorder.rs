//! The recorder: settings, the directory of recordings, opening one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Clock, IdentityError, Random, Recording, Recovered, SigningKey};

/// Where and for whom recordings are written.
#[derive(Clone, Debug)]
pub struct RecorderSettings {
    /// Directory of all recordings; created when it is missing.
    pub directory: PathBuf,
    /// Who can open recordings, as `age1…` texts, besides the owner of `identity_file`.
    pub recipients: Vec<String>,
    /// The gateway's own age identity, made on the first start. `None`: the gateway cannot read what it
    /// writes, and `recipients` must not be empty.
    pub identity_file: Option<PathBuf>,
    /// A recording is refused when the disk has fewer free bytes.
    pub min_free_bytes: u64,
    /// Threads that seal and write; 0 means one for each core.
    pub writers: usize,
}

/// The recorder could not start.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// A text is no age recipient.
    #[error("`{0}` is not an age recipient; it should begin with `age1`")]
    Recipient(String),
    /// Nobody could open the recordings.
    #[error("recordings need at least one recipient or an identity file")]
    NoRecipient,
    /// The identity file is unusable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The directory cannot be created or locked.
    #[error("cannot use {path} for recordings: {error}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process writes recordings there.
    #[error("another gateway already records into {0}")]
    InUse(PathBuf),
    /// A thread cannot be started.
    #[error("cannot start a thread of the recorder: {0}")]
    Thread(io::Error),
}

/// A recording could not be opened; its session must not start when it has to be recorded.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The id cannot be the name of a directory.
    #[error("`{0}` cannot name a recording; use 1 to 64 letters, digits, `-` and `_`")]
    Id(String),
    /// A recording of that name exists.
    #[error("a recording {0} already exists")]
    Exists(String),
    /// The disk has too little space.
    #[error("no recording can start: {path} has {free} bytes free, the configuration demands {needed}")]
    NoSpace {
        /// The directory of recordings.
        path: PathBuf,
        /// Free bytes.
        free: u64,
        /// What `min_free_bytes` demands.
        needed: u64,
    },
    /// A file cannot be created.
    #[error("no recording can start: cannot create {path}: {error}")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The data keys could not be wrapped.
    #[error("no recording can start: cannot wrap its keys: {0}")]
    Wrap(io::Error),
}

/// Writes recordings. Cheap to clone; its threads end with the last clone and the last recording.
#[derive(Clone)]
pub struct Recorder {}

impl Recorder {
    /// Prepares the directory and the identity, takes the directory's lock, starts the threads.
    ///
    /// # Errors
    /// The settings are unusable, or another process records into the directory.
    pub fn start(
        settings: RecorderSettings,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
        random: Random,
    ) -> Result<Self, RecorderError> {
        let _ = (settings, signer, clock, random);
        panic!("not yet here")
    }

    /// Seals what a killed gateway left open. Call once, before the first [`open`](Self::open). Blocks.
    #[must_use]
    pub fn recover(&self) -> Vec<Recovered> {
        panic!("not yet here")
    }

    /// Starts a recording in the directory `id`. Blocks for about a millisecond.
    ///
    /// `facts` is what is known of the session and stays in clear: no secrets.
    ///
    /// # Errors
    /// The recording cannot be kept; the sentence says why.
    pub fn open(&self, id: &str, facts: &serde_json::Value) -> Result<Recording, OpenError> {
        let _ = (id, facts);
        panic!("not yet here")
    }
}
