//! Recordings whose segments are not on this disk.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use passerelle_recorder::{Stored, is_offloaded, parts};

use crate::collection::is_name;
use crate::files;
use crate::gateway::Gateway;
use crate::remote::{self, FetchError, Remote, RemoteError};

impl Gateway {
    /// The object store of the configuration in force, if it names one.
    pub(crate) fn remote(&self) -> Option<Result<Remote, RemoteError>> {
        let policy = self.policy();
        let wanted = policy.config.recording.object_store.as_ref()?;
        let mut known = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, remote)) = known.as_ref().filter(|(config, _)| config == wanted) {
            return Some(Ok(remote.clone()));
        }
        let made = Remote::new(wanted, policy.object_store_roots(wanted));
        *known = made.as_ref().ok().map(|remote| (wanted.clone(), remote.clone()));
        Some(made)
    }

    /// Where the recording `id` is as a whole: on this disk, or in a copy that is fetched first. Nothing when there is
    /// no such recording.
    ///
    /// # Errors
    /// It is in the object store and cannot be fetched.
    pub(crate) async fn whole_recording(&self, id: &str) -> Result<Option<PathBuf>, FetchError> {
        if !is_name(id) {
            return Ok(None);
        }
        let config = &self.policy().config;
        let local = config.recordings_dir().join(id);
        if local.is_dir() && !is_offloaded(&local) {
            return Ok(Some(local));
        }
        let Some(remote) = self.remote() else { return Ok(local.is_dir().then_some(local)) };
        let cache = remote::cache(&config.data_dir);
        if let Some(copy) = fetched(&local, &cache.join(id)) {
            return Ok(Some(copy));
        }
        // One at a time, so that nobody reads what somebody else is writing.
        let _turn = self.fetching.lock().await;
        match remote?.fetch(id, &local, &cache).await {
            Ok(copy) => Ok(Some(copy)),
            Err(FetchError::Remote(RemoteError::Missing(_))) if !local.is_dir() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The copy of the recording in `local`, if it has been fetched as a whole. Its keys are those of the recording, of which
/// some may have been destroyed since.
fn fetched(local: &Path, copy: &Path) -> Option<PathBuf> {
    let stored = Stored::load(local).ok().filter(|stored| stored.complete.is_some())?;
    let (there, here) = (parts(copy).ok()?, parts(local).ok()?);
    let bytes: u64 = there.segments.iter().map(|(_, bytes)| bytes).sum();
    if there.segments.len() != stored.segments as usize || bytes != stored.bytes {
        return None;
    }
    if there.clear != here.clear {
        for (name, _) in there.clear.iter().filter(|known| !here.clear.contains(known)) {
            std::fs::remove_file(copy.join(name)).ok()?;
        }
        for (name, content) in &here.clear {
            files::write_private(&copy.join(name), content).ok()?;
        }
    }
    Some(copy.to_owned())
}
