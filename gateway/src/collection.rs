//! Recordings that people look at: those of a gateway, or copies that `passerelle recordings open` shows. The API's
//! handlers of recordings, and what renders them, know no more than this.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::FromRef;
use futures_util::future::BoxFuture;
use passerelle_auth::SessionId;
use passerelle_config::Views as ViewSettings;
use passerelle_recorder::audit::{self as log, AuditError, AuditEvent};
use passerelle_recorder::{Identity, PublicKey, Verification, VerifyError};

use crate::ambient;
use crate::gateway::{Gateway, data};
use crate::index::{Index, Verified};
use crate::remote::FetchError;
use crate::viewings::Viewings;
use crate::views::Views;

/// A collection of recordings, with what is known and made of them.
pub(crate) trait Collection: Send + Sync {
    /// The directory in which each recording has the directory of its name.
    fn recordings(&self) -> PathBuf;

    /// The keys that open them; nothing if all are for others.
    fn identity(&self) -> Option<Identity>;

    /// What is known of them, for lists and searches.
    fn index(&self) -> &Index;

    /// What is rendered of them.
    fn views(&self) -> &Views;

    /// Who views them.
    fn viewings(&self) -> &Viewings;

    /// Whether this one is being written.
    fn is_written(&self, id: &str) -> bool;

    /// Whether the session of this one runs here.
    fn is_running(&self, id: &str) -> bool;

    /// Where the recording of this name is with all that was recorded, if there is one.
    fn whole<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<PathBuf>, FetchError>>;

    /// Verifies the recording of this name, whose contents are in `directory`. Reads all of it.
    ///
    /// # Errors
    /// Something cannot be read, so that nothing can be said.
    fn verify(&self, id: &str, directory: &Path) -> Result<Checked, CheckError>;

    /// How they are rendered.
    fn view_settings(&self) -> ViewSettings;

    /// A view was rendered: so many seconds and bytes; or not.
    fn rendered(&self, size: Option<(u64, u64)>);

    /// Writes down what is about to be shown; it is not to be shown before that.
    ///
    /// # Errors
    /// It is not written down.
    fn audit(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), AuditError>>;

    /// Writes down what need not be waited for.
    fn note(&self, event: AuditEvent);

    /// Where the recording of this name is, if there is one.
    fn directory(&self, id: &str) -> Option<PathBuf> {
        let directory = self.recordings().join(id);
        (is_name(id) && directory.is_dir()).then_some(directory)
    }
}

/// Whether this can be the name of a recording. Nothing that could lead out of the directory is.
pub(crate) fn is_name(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What a verification found, and against whose key.
pub(crate) struct Checked {
    pub(crate) verification: Verification,
    /// The key is only the one that the recording itself names: whoever made it may be anybody.
    pub(crate) unproven: bool,
}

impl Checked {
    /// The verdict's name.
    pub(crate) fn name(&self) -> String {
        let verdict = serde_json::to_value(&self.verification.verdict).unwrap_or_default();
        verdict["verdict"].as_str().unwrap_or_default().to_owned()
    }

    /// What lists tell of it later.
    pub(crate) fn kept(&self) -> Verified {
        Verified {
            intact: self.verification.is_intact(),
            verdict: self.name(),
            message: self.verification.to_string(),
            unproven: self.unproven,
            at: ambient::now().to_string(),
        }
    }
}

/// Verifies the recording in `directory` against its signer's key, and against the root that the audit log in `audit` has
/// of it, if that is there. Reads all of it.
///
/// # Errors
/// Something cannot be read.
pub(crate) fn verified(
    id: &str,
    directory: &Path,
    signer: &PublicKey,
    audit: Option<&Path>,
) -> Result<Verification, CheckError> {
    // Before the recording is read: it may be sealed meanwhile.
    let root = match audit {
        Some(audit) => log::sealed_roots(audit, |recording| recording == id)?.remove(id),
        None => None,
    };
    Ok(passerelle_recorder::verify(directory, signer)?.compared(root.as_deref()))
}

/// Nothing can be said about a recording.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("the audit log cannot be read: {0}")]
    Log(#[from] io::Error),
    #[error(transparent)]
    Recording(#[from] VerifyError),
}

/// The collection that is served, as handlers get it.
#[derive(Clone)]
pub(crate) struct Recordings(pub(crate) Arc<dyn Collection>);

impl Deref for Recordings {
    type Target = dyn Collection;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl FromRef<Arc<Gateway>> for Recordings {
    fn from_ref(gateway: &Arc<Gateway>) -> Self {
        Self(gateway.clone())
    }
}

impl Collection for Gateway {
    fn recordings(&self) -> PathBuf {
        self.policy().config.recordings_dir()
    }

    fn identity(&self) -> Option<Identity> {
        // A gateway that records for others only has no key, and that is all there is to say.
        Identity::load(&self.policy().config.data_dir.join(data::IDENTITY)).ok()
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

    fn is_written(&self, id: &str) -> bool {
        self.recorder.is_active(id)
    }

    fn is_running(&self, id: &str) -> bool {
        id.parse::<SessionId>()
            .is_ok_and(|id| self.registry.find(id).is_some_and(|entry| entry.facts.recorded))
    }

    fn whole<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<PathBuf>, FetchError>> {
        Box::pin(self.whole_recording(id))
    }

    fn verify(&self, id: &str, directory: &Path) -> Result<Checked, CheckError> {
        let audit = self.policy().config.data_dir.join(data::AUDIT);
        let verification = verified(id, directory, &self.signer, Some(&audit))?;
        Ok(Checked { verification, unproven: false })
    }

    fn view_settings(&self) -> ViewSettings {
        self.policy().config.recording.views.clone()
    }

    fn rendered(&self, size: Option<(u64, u64)>) {
        match size {
            Some((seconds, bytes)) => self.metrics.rendered(seconds, bytes),
            None => self.metrics.render_failed(),
        }
    }

    fn audit(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), AuditError>> {
        Box::pin(async move { self.audit.append(event).await.map(drop) })
    }

    fn note(&self, event: AuditEvent) {
        self.audit.note(event);
    }
}
