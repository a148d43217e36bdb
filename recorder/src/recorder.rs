//! The recorder: settings, the directory of recordings, opening one.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use zeroize::Zeroizing;

use crate::core::Core;
use crate::format::chain_start;
use crate::header::{self, HEADER_FILE, Header, KEYS_FILE, VERSION, WrappedKeys, key_hash};
use crate::identity::Recipients;
use crate::packing::Packer;
use crate::pool::{Pool, SyncJob, Then, Threads};
use crate::recover::recover_all;
use crate::sink::{LocalDisk, SegmentSink};
use crate::writer::{Tools, Writer};
use crate::{
    Class, Clock, Identity, IdentityError, Random, Recording, RecordingFailed, Recovered, RewrapError,
    SigningKey, Space, files,
};

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
    /// The first segment cannot be written.
    #[error("no recording can start: {0}")]
    Begin(RecordingFailed),
    /// The data keys could not be wrapped.
    #[error("no recording can start: cannot wrap its keys: {0}")]
    Wrap(io::Error),
}

/// Writes recordings. Cheap to clone; its threads end with the last clone and the last recording.
///
/// Dropping the last of them waits until the recordings that it leaves behind are sealed.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// Declared last: dropping the last reference waits for the threads.
    threads: Arc<Threads>,
}

struct Shared {
    directory: PathBuf,
    recipients: Recipients,
    min_free_bytes: AtomicU64,
    random: Random,
    pool: Arc<Pool>,
    /// Holds the directory's lock.
    _lock: File,
}

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
        Self::start_with_sink(settings, signer, clock, random, Arc::new(LocalDisk))
    }

    /// As [`start`](Self::start), with segments written to `sink`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_sink(
        settings: RecorderSettings,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
        random: Random,
        sink: Arc<dyn SegmentSink>,
    ) -> Result<Self, RecorderError> {
        let RecorderSettings { directory, mut recipients, identity_file, min_free_bytes, writers } = settings;
        if let Some(file) = identity_file {
            recipients.extend(Identity::load_or_create(&file)?.recipients());
        }
        let recipients =
            Recipients::parse(recipients.iter().map(String::as_str)).map_err(RecorderError::Recipient)?;
        if recipients.is_empty() {
            return Err(RecorderError::NoRecipient);
        }
        let unusable = |error| RecorderError::Directory { path: directory.clone(), error };
        files::create_dirs(&directory).map_err(unusable)?;
        let lock = files::lock(&directory.join(".lock")).map_err(unusable)?;
        let lock = lock.ok_or_else(|| RecorderError::InUse(directory.clone()))?;
        let writers = match writers {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            writers => writers,
        };
        let pool = Arc::new(Pool::new(Tools { sink, signer, clock, packer: Some(Packer::default()) }));
        let threads = Threads::start(Arc::clone(&pool), writers).map_err(RecorderError::Thread)?;
        let min_free_bytes = AtomicU64::new(min_free_bytes);
        let shared = Shared { directory, recipients, min_free_bytes, random, pool, _lock: lock };
        Ok(Self { shared: Arc::new(shared), threads: Arc::new(threads) })
    }

    /// Seals what a killed gateway left open. Call once, before the first [`open`](Self::open). Blocks:
    /// what was left open is read whole.
    #[must_use]
    pub fn recover(&self) -> Vec<Recovered> {
        let Shared { directory, pool, .. } = &*self.shared;
        recover_all(directory, &pool.tools, &|id| pool.is_active(id))
    }

    /// How much room there is for recordings.
    ///
    /// # Errors
    /// The system does not say.
    pub fn space(&self) -> io::Result<Space> {
        files::space(&self.shared.directory)
    }

    /// From now on a recording is refused when the disk has fewer free bytes.
    pub fn set_min_free_bytes(&self, bytes: u64) {
        self.shared.min_free_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Wraps the data keys of the recording `id` anew, signed by this gateway; see [`rewrap`](crate::rewrap()).
    ///
    /// # Errors
    /// `identity` does not open the keys, or they cannot be written.
    pub fn rewrap(
        &self,
        id: &str,
        identity: &Identity,
        add: &[String],
        remove: &[String],
    ) -> Result<Vec<String>, RewrapError> {
        let Shared { directory, pool, .. } = &*self.shared;
        let at = humantime::format_rfc3339_millis(pool.tools.clock.wall()).to_string();
        crate::rewrap(&directory.join(id), identity, add, remove, &pool.tools.signer, &at)
    }

    /// Whether the recording `id` is being written.
    #[must_use]
    pub fn is_active(&self, id: &str) -> bool {
        self.shared.pool.is_active(id)
    }

    /// Starts a recording in the directory `id`. Blocks for about a millisecond.
    ///
    /// `facts` is what is known of the session and stays in clear: no secrets.
    ///
    /// # Errors
    /// The recording cannot be kept; the sentence says why.
    pub fn open(&self, id: &str, facts: &serde_json::Value) -> Result<Recording, OpenError> {
        let Shared { directory, min_free_bytes, pool, .. } = &*self.shared;
        if !is_id(id) {
            return Err(OpenError::Id(id.to_owned()));
        }
        let Space { free, .. } =
            files::space(directory).map_err(|error| OpenError::Create { path: directory.clone(), error })?;
        let needed = min_free_bytes.load(Ordering::Relaxed);
        if free < needed {
            return Err(OpenError::NoSpace { path: directory.clone(), free, needed });
        }
        if !pool.enter(id) {
            return Err(OpenError::Exists(id.to_owned()));
        }
        let core = self.create(id, facts).inspect_err(|_| pool.leave(id))?;
        Ok(Recording::new(core, Arc::clone(&self.threads)))
    }

    /// Creates the recording's files and signs its header.
    fn create(&self, id: &str, facts: &serde_json::Value) -> Result<Arc<Core>, OpenError> {
        let Shared { directory, recipients, random, pool, .. } = &*self.shared;
        let started = pool.tools.clock.monotonic();
        let mut sealing = Vec::with_capacity(Class::ALL.len());
        let mut wrapped = WrappedKeys::new();
        for class in Class::ALL {
            let mut key = Zeroizing::new([0; 32]);
            random(key.as_mut_slice());
            wrapped.insert(class, recipients.wrap(&key).map_err(OpenError::Wrap)?);
            let key = UnboundKey::new(&AES_256_GCM, key.as_slice())
                .map_err(|_| OpenError::Wrap(io::Error::other("the key is unusable")))?;
            sealing.push(LessSafeKey::new(key));
        }
        let keys = <[LessSafeKey; 3]>::try_from(sealing)
            .map_err(|_| OpenError::Wrap(io::Error::other("a key is missing")))?;
        let header = Header {
            version: VERSION,
            id: id.to_owned(),
            started: humantime::format_rfc3339_millis(pool.tools.clock.wall()).to_string(),
            signer: pool.tools.signer.public_key(),
            recipients: recipients.texts(),
            keys: wrapped.iter().map(|(class, wrapped)| (*class, key_hash(wrapped))).collect(),
            facts: facts.clone(),
        };
        let header = header::encode(&header);

        let dir = directory.join(id);
        files::create_new_dir(&dir).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenError::Exists(id.to_owned()),
            _ => OpenError::Create { path: dir.clone(), error },
        })?;
        let begun = (|| {
            for (name, content) in [(KEYS_FILE, header::encode(&wrapped)), (HEADER_FILE, header.clone())] {
                let path = dir.join(name);
                files::create_new(&path)
                    .and_then(|mut file| file.write_all(&content))
                    .map_err(|error| OpenError::Create { path, error })?;
            }
            let chain = chain_start(&header);
            let tools = Arc::clone(&pool.tools);
            let mut writer = Writer::new(tools, dir.clone(), id.to_owned(), keys, started, chain);
            let first = writer.begin().map_err(OpenError::Begin)?;
            Ok((writer, first))
        })();
        let (writer, what) = begun.inspect_err(|_| {
            if let Err(error) = std::fs::remove_dir_all(&dir) {
                tracing::warn!(path = %dir.display(), %error, "cannot remove a recording that never began");
            }
        })?;
        let core = Core::new(id.to_owned(), Arc::clone(pool), started, writer);
        core.begin(SyncJob { core: Arc::clone(&core), what, then: Then::Nothing });
        Ok(core)
    }
}

/// Whether `id` may name a recording.
fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}
