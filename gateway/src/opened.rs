//! Recordings that somebody opened without a gateway, to look at.
//!
//! What is made of them on the way (links to their directories, an index, views) is in a directory of its own that
//! nobody else may enter, and goes away with this. All content in it is sealed under keys that are only in memory, so
//! that nobody can read what a crash leaves. It is not kept in memory as a whole: a view may be larger.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::{BoxFuture, ready};
use passerelle_auth::Pepper;
use passerelle_config::Views as ViewSettings;
use passerelle_recorder::audit::{AuditError, AuditEvent};
use passerelle_recorder::view::ViewError;
use passerelle_recorder::{Identity, PublicKey, VerifyError};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::ambient;
use crate::collection::{CheckError, Checked, Collection, is_name, verified};
use crate::files;
use crate::index::{self, Index, IndexError};
use crate::remote::FetchError;
use crate::viewings::Viewings;
use crate::views::Views;

const RECORDINGS: &str = "recordings";
const VIEWS: &str = "views";
const INDEX: &str = "index.sqlite";

/// Recordings cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenedError {
    #[error("what is made of the recordings cannot be kept in {}: {error}", path.display())]
    Room { path: PathBuf, error: io::Error },
    #[error("two of the recordings are the same, {0}")]
    Twice(String),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Views(#[from] ViewError),
}

/// A recording to be opened.
pub(crate) struct Copy {
    /// Its name, a harmless one.
    id: String,
    directory: PathBuf,
    /// Whose signatures it has to have.
    signer: PublicKey,
    /// That is only whom the recording itself names.
    unproven: bool,
    /// Audit log of the gateway that wrote it, where that is here.
    log: Option<PathBuf>,
}

impl Copy {
    /// The recording in `directory`, whose header names it `id`. It has to be signed by `signer` if that is known, or else
    /// by `named`, the one in its header. Nothing: this is no name of a recording.
    pub(crate) fn new(
        id: &str,
        directory: &Path,
        signer: Option<PublicKey>,
        named: PublicKey,
        log: Option<PathBuf>,
    ) -> Option<Self> {
        is_name(id).then(|| Self {
            id: id.to_owned(),
            directory: directory.to_owned(),
            signer: signer.unwrap_or(named),
            unproven: signer.is_none(),
            log,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Verifies it. Reads all of it.
    ///
    /// # Errors
    /// Something cannot be read.
    pub(crate) fn verify(&self) -> Result<Checked, CheckError> {
        let verification = verified(&self.id, &self.directory, &self.signer, self.log.as_deref())?;
        Ok(Checked { verification, unproven: self.unproven })
    }
}

/// Opened recordings.
pub(crate) struct Opened {
    copies: BTreeMap<String, Copy>,
    identity: Identity,
    settings: ViewSettings,
    index: Index,
    views: Views,
    viewings: Viewings,
    stopped: AtomicBool,
    room: TempDir,
}

impl Opened {
    /// Opens these copies with `identity`, each with what its verification found.
    ///
    /// # Errors
    /// There is no room for what is made of them, or one is there twice.
    pub(crate) fn new(
        copies: Vec<(Copy, Checked)>,
        identity: Identity,
        settings: ViewSettings,
    ) -> Result<Self, OpenedError> {
        let unusable = |path: &Path, error| OpenedError::Room { path: path.to_owned(), error };
        // It is for its owner only (0700).
        let room = tempfile::Builder::new().prefix("passerelle-").tempdir();
        let room = room.map_err(|error| unusable(&std::env::temp_dir(), error))?;
        let links = room.path().join(RECORDINGS);
        files::private_directory(&links).map_err(|error| unusable(&links, error))?;
        let mut secret = Zeroizing::new([0; 32]);
        ambient::random(secret.as_mut_slice());
        let pepper = Pepper::from_bytes(*secret);
        let index = Index::open(&room.path().join(INDEX), &pepper)?.of_links();
        let mut found = BTreeMap::new();
        for (copy, checked) in copies {
            let link = links.join(&copy.id);
            symlink(&copy.directory, &link).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => OpenedError::Twice(copy.id.clone()),
                _ => unusable(&link, error),
            })?;
            let stamp = index::stamp(&link).map_err(|error| unusable(&copy.directory, error))?;
            index.verified(&links, &copy.id, &stamp, &checked.kept())?;
            found.insert(copy.id.clone(), copy);
        }
        Ok(Self {
            copies: found,
            identity,
            settings,
            index,
            views: Views::for_now(room.path().join(VIEWS))?,
            viewings: Viewings::new(&pepper),
            stopped: AtomicBool::new(false),
            room,
        })
    }

    /// Makes what was said and done searchable. Blocks.
    pub(crate) fn learn(&self) -> Result<(), IndexError> {
        self.index.learn(self, &|| self.stopped.load(Relaxed))
    }

    /// Ends what goes on.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.views.stop();
    }

    /// The directory of what is made of them.
    pub(crate) fn room(&self) -> &Path {
        self.room.path()
    }
}

impl Collection for Opened {
    fn recordings(&self) -> PathBuf {
        self.room.path().join(RECORDINGS)
    }

    fn identity(&self) -> Option<Identity> {
        Some(self.identity.clone())
    }

    fn index(&self) -> &Index {
        &self.index
    }

    fn views(&self) -> &Views {
        &self.views
    }

    fn viewings(&self) -> &Viewings {
        &self.viewings
    }

    fn is_written(&self, _: &str) -> bool {
        false
    }

    fn is_running(&self, _: &str) -> bool {
        false
    }

    fn whole<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<PathBuf>, FetchError>> {
        Box::pin(ready(Ok(self.directory(id))))
    }

    fn verify(&self, id: &str, directory: &Path) -> Result<Checked, CheckError> {
        match self.copies.get(id) {
            Some(copy) => copy.verify(),
            None => Err(VerifyError::NotARecording(directory.to_owned()).into()),
        }
    }

    fn view_settings(&self) -> ViewSettings {
        self.settings.clone()
    }

    fn rendered(&self, _: Option<(u64, u64)>) {}

    /// There is no log here. That recordings of this machine's gateway were opened is in its own.
    fn audit(&self, _: AuditEvent) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(ready(Ok(())))
    }

    fn note(&self, _: AuditEvent) {}

    fn directory(&self, id: &str) -> Option<PathBuf> {
        self.copies.contains_key(id).then(|| self.recordings().join(id))
    }
}
