//! An index of the recordings, for lists that stay fast and for searching.
//!
//! All of it is derived from the recordings and made anew when it is missing, damaged or of another key. What a
//! recording's header says stands in it in clear, as in the header itself. What was said and done in a session, and
//! each word of that, is sealed under a key derived from the pepper; of the words only how often they occur together
//! can be seen. What the gateway cannot open is not in it.

mod rows;
mod text;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use passerelle_auth::{Pepper, Seal, Timestamp};
use passerelle_recorder::{Identity, State, Summary};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use utoipa::ToSchema;

use self::rows::Rows;
use crate::ambient;
use crate::collection::Collection;
use crate::gateway::Gateway;

pub(crate) use rows::{Item, Wanted};
pub(crate) use words::{Found, Query};

/// How long the index waits before it looks for recordings that it was not told of.
const LOOKED: Duration = Duration::from_secs(60);

/// How long after a change of a directory its time may be that of another change, too.
const COARSE: Duration = Duration::from_secs(2);

/// The index does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("the index of the recordings does not answer: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the recordings cannot be listed: {0}")]
    Directory(#[from] io::Error),
    #[error("the list changed; begin again without cursor")]
    Cursor,
    #[error("{0} different words begin like this; write more of them")]
    Vague(usize),
}

/// What the last verification of a recording found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LastVerification)]
pub(crate) struct Verified {
    /// Whether nothing was changed, as far as the recording goes.
    pub(crate) intact: bool,
    /// `sealed`, `interrupted`, `intact_up_to`, `tampered`, `segment_missing` or `other_signer`.
    pub(crate) verdict: String,
    /// The same in a sentence.
    pub(crate) message: String,
    /// Whether the signer is only the one that the recording itself names, so that anybody may have made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unproven: bool,
    /// When.
    #[schema(format = DateTime)]
    pub(crate) at: String,
}

/// The index of the recordings in a directory.
pub(crate) struct Index {
    rows: Mutex<Rows>,
    /// When the directory of the recordings had last changed when it was looked at.
    looked: Mutex<Option<SystemTime>>,
    /// Whether it was looked at.
    built: AtomicBool,
    /// Whether something was forgotten since that may still be there.
    stale: AtomicBool,
    /// Whether recordings may be links to their directories.
    links: bool,
    /// There may be something to index.
    changed: Notify,
}

impl Index {
    /// The index in the file at `path`, made anew if what is there cannot be used.
    ///
    /// # Errors
    /// No file can be made.
    pub(crate) fn open(path: &Path, pepper: &Pepper) -> Result<Self, IndexError> {
        let seal = Arc::new(Seal::new(pepper, "recordings index"));
        let rows = Rows::open(path, seal.clone()).or_else(|error| {
            tracing::info!(%error, "the index of the recordings is made anew");
            Rows::remove(path)?;
            Rows::open(path, seal)
        })?;
        Ok(Self {
            rows: Mutex::new(rows),
            looked: Mutex::default(),
            built: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            links: false,
            changed: Notify::new(),
        })
    }

    /// The same, of recordings of which only links to their directories are there.
    pub(crate) fn of_links(self) -> Self {
        Self { links: true, ..self }
    }

    /// The recordings in `recordings` that are wanted, except that what is `running` is not looked at for whether it has
    /// ended. Reads files.
    ///
    /// # Errors
    /// See [`IndexError`].
    pub(crate) fn list(
        &self,
        recordings: &Path,
        running: &dyn Fn(&str) -> bool,
        wanted: &Wanted,
    ) -> Result<Vec<Item>, IndexError> {
        self.look(recordings, running)?;
        let mut items = self.rows().list(wanted)?;
        for item in &mut items {
            let directory = recordings.join(&item.summary.header.id);
            if item.summary.state == State::Open
                && let Ok(summary) = passerelle_recorder::summary(&directory)
            {
                item.summary = summary;
            }
            item.summary.offloaded = passerelle_recorder::is_offloaded(&directory);
            item.verified =
                item.verified.take().filter(|(_, of)| stamp(&directory).is_ok_and(|now| now == *of));
        }
        Ok(items)
    }

    /// What the last verification of this recording found, if nothing in its directory changed since.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) fn verification(&self, id: &str, directory: &Path) -> Result<Option<Verified>, IndexError> {
        let kept = self.rows().verified(id)?;
        Ok(kept.filter(|(_, of)| stamp(directory).is_ok_and(|now| now == *of)).map(|(verified, _)| verified))
    }

    /// Keeps what a verification found that began when the directory's [stamp](stamp()) was `before`.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) fn verified(
        &self,
        recordings: &Path,
        id: &str,
        before: &str,
        verified: &Verified,
    ) -> Result<(), IndexError> {
        // What changed meanwhile was not verified.
        if stamp(&recordings.join(id)).is_ok_and(|now| now == before) {
            self.look(recordings, &|_: &str| true)?;
            self.rows().verify(id, before, verified)?;
        }
        Ok(())
    }

    /// Forgets all that it has of a recording, because that was removed, or a part of it was erased. What is left of
    /// it is indexed again.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) fn forget(&self, id: &str) -> Result<(), IndexError> {
        self.rows().remove_recording(id)?;
        self.stale.store(true, Relaxed);
        self.changed.notify_one();
        Ok(())
    }

    /// Tells that a recording was closed.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// Takes in what was added to the directory and forgets what is no longer there. While that is done for the first
    /// time, which may take long, others go on with what there is.
    fn look(&self, recordings: &Path, running: &dyn Fn(&str) -> bool) -> Result<(), IndexError> {
        let mut looked = match self.looked.try_lock() {
            Ok(looked) => looked,
            Err(_) if !self.built.load(Relaxed) => return Ok(()),
            Err(_) => self.looked.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let modified = match fs::metadata(recordings).and_then(|metadata| metadata.modified()) {
            // The gateway makes the directory with the first recording.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            modified => modified?,
        };
        if self.stale.swap(false, Relaxed) || *looked != Some(modified) {
            // Times of directories are coarse: what is added in the same moment is not to be missed.
            let settled = ambient::wall().duration_since(modified).is_ok_and(|age| age > COARSE);
            let whole = self.compare(recordings)?;
            *looked = (whole && settled).then_some(modified);
            self.built.store(true, Relaxed);
        }
        let open = self.rows().open_ones()?;
        for open in open.into_iter().filter(|open| !running(open)) {
            if let Ok(summary) = passerelle_recorder::summary(&recordings.join(&open))
                && summary.state != State::Open
            {
                self.rows().put(&summary)?;
            }
        }
        Ok(())
    }

    /// Compares what is known with what there is. Tells whether all of it could be read.
    fn compare(&self, recordings: &Path) -> Result<bool, IndexError> {
        let known = self.rows().names()?;
        let mut there = BTreeSet::new();
        for entry in fs::read_dir(recordings)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && !passerelle_recorder::is_hidden(&name)
                && (entry.file_type()?.is_dir() || self.links && entry.path().is_dir())
            {
                there.insert(name);
            }
        }
        for gone in known.difference(&there) {
            self.rows().remove_recording(gone)?;
        }
        let mut whole = true;
        for new in there.difference(&known) {
            match passerelle_recorder::summary(&recordings.join(new)) {
                // A copy under another name would be found twice.
                Ok(summary) if summary.header.id == *new => self.rows().put(&summary)?,
                Ok(_) => {}
                // It may be just beginning.
                Err(_) => whole = false,
            }
        }
        Ok(whole)
    }

    /// Forgets the text of recordings of which something was erased since it was read.
    fn recheck(&self, recordings: &Path) -> Result<(), IndexError> {
        let read = self.rows().read()?;
        for (id, keys) in read {
            if keys_stamp(&recordings.join(&id)) != keys {
                self.rows().unlearn(&id)?;
            }
        }
        Ok(())
    }

    /// Reads the text of one closed recording that was not read yet. Tells whether there was one.
    fn learn_one(&self, recordings: &Path, identity: Option<&Identity>) -> Result<bool, IndexError> {
        let Some(id) = self.rows().unread()? else { return Ok(false) };
        let directory = recordings.join(&id);
        let keys = keys_stamp(&directory);
        let texts = match passerelle_recorder::summary(&directory) {
            Ok(summary) => text::read(identity, &directory, &summary.header),
            Err(_) => Vec::new(),
        };
        let mut rows = self.rows();
        // What was erased while it was read is not kept: whoever erases makes the index forget afterwards.
        if keys_stamp(&directory) == keys {
            rows.learn(&id, &keys, &texts)?;
        }
        Ok(true)
    }

    /// Takes everything of `collection` in that is not in it yet, until told to stop.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) fn learn(
        &self,
        collection: &dyn Collection,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), IndexError> {
        let recordings = collection.recordings();
        self.look(&recordings, &|id: &str| collection.is_written(id))?;
        let identity = collection.identity();
        while !is_stopped() && self.learn_one(&recordings, identity.as_ref())? {}
        Ok(())
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the index up to date, away from the tasks that wait for the network.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    let mut first = true;
    loop {
        let worker = gateway.clone();
        let recheck = std::mem::take(&mut first);
        let worked = tokio::task::spawn_blocking(move || worker.keep_index(recheck)).await;
        if let Ok(Err(error)) = worked {
            tracing::error!(%error, "the recordings cannot be indexed");
        }
        tokio::time::timeout(LOOKED, gateway.index.changed.notified()).await.ok();
    }
}

impl Gateway {
    /// Makes the index forget a recording that was removed, or of which something was erased.
    pub(crate) fn index_forgets(&self, id: &str) {
        if let Err(error) = self.index.forget(id) {
            tracing::error!(%error, recording = id, "the index of the recordings still has what was erased");
        }
    }

    /// Takes everything into the index that is not in it yet.
    ///
    /// # Errors
    /// The index does not answer.
    pub(crate) fn keep_index(&self, recheck: bool) -> Result<(), IndexError> {
        if recheck {
            self.index.recheck(&self.policy().config.recordings_dir())?;
        }
        self.index.learn(self, &|| self.stopping.is_cancelled())
    }
}

/// What changes whenever a file does that a verification of the recording in `directory` reads. The time of a file's
/// last change cannot be set back, unlike that of its content.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn stamp(directory: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        // Holds come and go.
        let bytes = name.as_encoded_bytes();
        if name != "header.json" && !bytes.starts_with(b"keys") && !bytes.ends_with(b".seg") {
            continue;
        }
        let metadata = entry.metadata()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        files.insert(name, format!("{} {} {changed:?}", metadata.ino(), metadata.len()));
    }
    Ok(crate::api::hash(&format!("{files:?}")))
}

/// What changes when a key of the recording in `directory` is destroyed.
fn keys_stamp(directory: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(directory.join("keys.json"));
    metadata.map_or_else(
        |_| String::new(),
        |file| format!("{} {} {} {}", file.ino(), file.len(), file.ctime(), file.ctime_nsec()),
    )
}

/// When a recording started, in milliseconds since 1970; 0 if that cannot be read.
fn started(summary: &Summary) -> i64 {
    summary.header.started.parse::<Timestamp>().map_or(0, Timestamp::as_millis)
}

#[cfg(test)]
mod tests;
