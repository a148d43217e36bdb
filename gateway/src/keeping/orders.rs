//! What people order about recordings: holds, and erasure.

use std::io;
use std::path::Path;
use std::sync::PoisonError;

use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use passerelle_recorder::{Class, EraseError, Hold, Identity, IdentityError, RewrapError};

use crate::ambient;
use crate::api::RewrapRequest;
use crate::collection::Collection as _;
use crate::gateway::{Gateway, data};

/// Why an order about a recording was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("there is no such recording")]
    Unknown,
    #[error("the recording is being written; wait until its session has ended")]
    Running,
    #[error("{} holds the recording since {}: {}; release it first", .0.by, .0.since, .0.reason)]
    Held(Hold),
    #[error("the recording is not held")]
    NotHeld,
    #[error("whether the recording is held cannot be read, so it is not erased: {0}")]
    HoldUnreadable(io::Error),
    #[error("the hold cannot be written: {0}")]
    Hold(io::Error),
    #[error("what was made of the recording to look at cannot be removed: {0}")]
    Views(io::Error),
    #[error(transparent)]
    Erase(#[from] EraseError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("it could not be done: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Classes of a recording that somebody wants erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classes {
    One(Class),
    All,
}

impl Classes {
    /// By its name: a class's, or `all`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == "all" {
            return Some(Self::All);
        }
        Class::ALL.into_iter().find(|class| class.to_string() == name).map(Self::One)
    }

    fn each(self) -> Vec<Class> {
        match self {
            Self::One(class) => vec![class],
            Self::All => Class::ALL.to_vec(),
        }
    }
}

impl Gateway {
    /// Holds a recording on behalf of `by`: it is neither deleted nor erased until it is released.
    ///
    /// # Errors
    /// There is none, or the hold cannot be kept.
    pub(crate) async fn hold_recording(&self, id: &str, reason: &str, by: &str) -> Result<Hold, KeepError> {
        let dir = self.directory(id).ok_or(KeepError::Unknown)?;
        let hold = Hold { reason: reason.to_owned(), by: by.to_owned(), since: ambient::now().to_string() };
        let kept = hold.clone();
        let _turn = self.keeping.lock().await;
        blocking(move || passerelle_recorder::set_hold(&dir, &kept).map_err(KeepError::Hold)).await?;
        let event = AuditEvent::new(AuditKind::RecordingHeld).session(id).outcome(Outcome::Success);
        self.audit.append(event.message(reason).detail("by", by)).await?;
        Ok(hold)
    }

    /// Ends the hold on a recording, on behalf of `by`.
    ///
    /// # Errors
    /// There is no such recording or no hold, or it cannot be ended.
    pub(crate) async fn release_recording(&self, id: &str, reason: &str, by: &str) -> Result<(), KeepError> {
        let dir = self.directory(id).ok_or(KeepError::Unknown)?;
        let _turn = self.keeping.lock().await;
        let held = dir.clone();
        if blocking(move || passerelle_recorder::hold(&held).map_err(KeepError::Hold)).await?.is_none() {
            return Err(KeepError::NotHeld);
        }
        // What comes of it may be that the recording is deleted.
        let event = AuditEvent::new(AuditKind::RecordingReleased).session(id).outcome(Outcome::Success);
        self.audit.append(event.message(reason).detail("by", by)).await?;
        blocking(move || passerelle_recorder::release(&dir).map_err(KeepError::Hold)).await?;
        Ok(())
    }

    /// Destroys the keys of `classes` of a recording that is over and not held, on behalf of `by`. Tells which classes
    /// had a key.
    ///
    /// # Errors
    /// It cannot be done, or not yet.
    pub(crate) async fn erase_recording(
        &self,
        id: &str,
        classes: Classes,
        reason: &str,
        by: &str,
    ) -> Result<Vec<Class>, KeepError> {
        let dir = self.directory(id).ok_or(KeepError::Unknown)?;
        if self.recorder.is_active(id) {
            return Err(KeepError::Running);
        }
        let _turn = self.keeping.lock().await;
        let held = dir.clone();
        let hold =
            blocking(move || passerelle_recorder::hold(&held).map_err(KeepError::HoldUnreadable)).await?;
        if let Some(hold) = hold {
            return Err(KeepError::Held(hold));
        }
        // Before, so that nothing is erased that nobody knows of.
        let names: Vec<String> = classes.each().iter().map(ToString::to_string).collect();
        let event = AuditEvent::new(AuditKind::RecordingErased).session(id).outcome(Outcome::Success);
        self.audit.append(event.message(reason).detail("by", by).detail("classes", names)).await?;
        let erased = blocking(move || erase(&dir, classes)).await;
        self.keys_changed(id);
        self.index_forgets(id);
        self.views.remove(id).map_err(|error| KeepError::Views(io::Error::other(error)))?;
        erased
    }

    /// Wraps the keys of a recording that is over anew, on behalf of `by`: for whom they are wrapped and for `add`, not for
    /// `remove`. Whoever may open them now does it with `identity`, or the gateway with its own. Tells who can open it then.
    ///
    /// # Errors
    /// Nobody here opens the keys, or it cannot be done yet.
    pub(crate) async fn rewrap_recording(
        &self,
        id: &str,
        wanted: RewrapRequest,
        by: &str,
    ) -> Result<Vec<String>, KeepError> {
        self.directory(id).ok_or(KeepError::Unknown)?;
        if self.recorder.is_active(id) {
            return Err(KeepError::Running);
        }
        let own = || self.policy().config.data_dir.join(data::IDENTITY);
        let file = wanted.identity.unwrap_or_else(own);
        let _turn = self.keeping.lock().await;
        let (recorder, named) = (self.recorder.clone(), id.to_owned());
        let (add, remove) = (wanted.add.clone(), wanted.remove.clone());
        let recipients = blocking(move || {
            let identity = Identity::load(&file)?;
            Ok(recorder.rewrap(&named, &identity, &add, &remove)?)
        });
        let recipients = recipients.await?;
        self.keys_changed(id);
        let event = AuditEvent::new(AuditKind::RecordingRewrapped).session(id).outcome(Outcome::Success);
        let event = event.detail("by", by).detail("recipients", recipients.clone());
        self.audit.append(event.detail("added", wanted.add).detail("removed", wanted.remove)).await?;
        Ok(recipients)
    }

    /// The object store is to hear of it.
    fn keys_changed(&self, id: &str) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
    }
}

fn erase(dir: &Path, classes: Classes) -> Result<Vec<Class>, KeepError> {
    let mut erased = Vec::new();
    for class in classes.each() {
        if passerelle_recorder::erase(dir, class)? {
            erased.push(class);
        }
    }
    passerelle_recorder::remove_views(dir).map_err(KeepError::Views)?;
    Ok(erased)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeepError> + Send + 'static,
) -> Result<T, KeepError> {
    tokio::task::spawn_blocking(work).await?
}
