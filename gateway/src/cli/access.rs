//! Where the gateway's things are, and the audit of who looks at them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Method;
use passerelle_config::{Config, Places};
use passerelle_recorder::audit::AuditLog;
use passerelle_recorder::{PublicKey, SigningKey, is_offloaded};

use super::CliError;
use crate::ambient::{self, SystemClock};
use crate::api::RecordingAccess;
use crate::control::{self, ClientError};
use crate::gateway::data;
use crate::remote::{self, FetchError, Remote, RemoteError};
use crate::tls;

/// The key that this gateway signs with.
pub(crate) fn signing_key(places: &Places) -> Result<SigningKey, CliError> {
    let path = places.data_dir.join(data::SIGNING_KEY);
    // Only the gateway makes a key: one that is made for a look at recordings would fit none of them.
    if let Err(error) = std::fs::metadata(&path) {
        let error = CliError::new(format_args!(
            "this gateway's signing key {} cannot be read: {error}",
            path.display()
        ));
        return Err(error.hint("Run this as the gateway's user, or give the public key with --signer."));
    }
    SigningKey::load_or_create(&path, &ambient::random).map_err(CliError::new)
}

/// The public key to verify with: the given one, or else this gateway's.
pub(crate) fn signer(given: Option<PublicKey>, config: &Path) -> Result<PublicKey, CliError> {
    match given {
        Some(key) => Ok(key),
        None => Ok(signing_key(&Places::load(config)?)?.public_key()),
    }
}

/// A recording that somebody named.
pub(crate) struct Named {
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// Its name and the gateway that it belongs to; `None` for a copy that lies elsewhere.
    pub(crate) ours: Option<(String, Places)>,
}

/// Finds the recording that `name` means: a name in the list, or a path.
pub(crate) fn find(name: &str, config: &Path) -> Result<Named, CliError> {
    if !name.contains('/') {
        let places = Places::load(config)?;
        let directory = places.recordings.join(name);
        let named =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !named || !directory.is_dir() {
            let error = CliError::new(format_args!(
                "there is no recording {} in {}",
                super::output::harmless(name),
                places.recordings.display()
            ));
            return Err(error
                .hint("`passerelle recordings list` shows those that there are; ./NAME means a directory."));
        }
        return Ok(Named { directory, ours: Some((name.to_owned(), places)) });
    }
    let directory = Path::new(name).canonicalize().map_err(|error| {
        CliError::new(format_args!("the recording {} cannot be read: {error}", super::output::harmless(name)))
    })?;
    // A copy can be looked at where there is no gateway and no configuration.
    let ours = Places::load(config).ok().and_then(|places| {
        let recordings = places.recordings.canonicalize().ok()?;
        let id = directory.strip_prefix(&recordings).ok()?.to_str()?.to_owned();
        Some((id, places))
    });
    Ok(Named { directory, ours })
}

/// As [`find`], with all that was recorded: what only the object store has is fetched first.
pub(crate) async fn locate(name: &str, config: &Path) -> Result<Named, CliError> {
    let found = find(name, config);
    let id = match &found {
        Ok(Named { ours: Some((id, _)), directory }) if is_offloaded(directory) => Some(id.clone()),
        Err(_) if !name.contains('/') => Some(name.to_owned()),
        _ => None,
    };
    let Some(id) = id else { return found };
    // Secrets are needed here, which are not for anything on this disk.
    let Some((remote, config)) = remote(config)? else { return found };
    let local = config.recordings_dir().join(&id);
    match remote.fetch(&id, &local, &remote::cache(&config.data_dir)).await {
        Ok(directory) => {
            let places = Places {
                control: config.control_socket(),
                recordings: config.recordings_dir(),
                data_dir: config.data_dir,
            };
            Ok(Named { directory, ours: Some((id, places)) })
        }
        Err(FetchError::Remote(RemoteError::Missing(_))) if found.is_err() => found,
        Err(error) => Err(CliError::new(error)),
    }
}

/// The object store that the configuration names, if it does.
pub(crate) fn remote(config: &Path) -> Result<Option<(Remote, Config)>, CliError> {
    let config = Config::load(config)?.config;
    let Some(store) = &config.recording.object_store else { return Ok(None) };
    let roots = match &store.ca_file {
        Some(file) => tls::roots_from_pem(file.pem.as_bytes()),
        None => tls::system_roots(),
    };
    let remote = Remote::new(store, roots).map_err(CliError::new)?;
    Ok(Some((remote, config)))
}

/// Enters in the audit log that a recording is about to be read: through the running gateway, or else into the
/// log itself.
///
/// # Errors
/// It is not in the log; the recording must not be read.
pub(crate) async fn audit_reading(recording: &str, places: &Places, what: String) -> Result<(), CliError> {
    let access = RecordingAccess { verified: false, what };
    match ask_gateway(recording, &access, places).await {
        Ok(()) => return Ok(()),
        Err(ClientError::NotRunning { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
        Err(error) => return Err(not_audited(error)),
    }
    let signer = Arc::new(signing_key(places)?);
    let log = AuditLog::open(&places.data_dir.join(data::AUDIT), signer, Arc::new(SystemClock::new()))
        .map_err(not_audited)?;
    let by = format!("uid {}", rustix::process::geteuid().as_raw());
    log.append(access.event(recording, &by)).await.map_err(not_audited)?;
    log.close().await.map_err(not_audited)
}

/// Asks the running gateway to enter that a recording was verified. Verifying shows nothing of what was recorded,
/// so it does not depend on this.
pub(crate) async fn note_verification(recording: &str, places: &Places, answer: String) {
    let access = RecordingAccess { verified: true, what: answer };
    if let Err(error) = ask_gateway(recording, &access, places).await {
        tracing::debug!(%error, "the verification is not in the audit log");
    }
}

async fn ask_gateway(recording: &str, access: &RecordingAccess, places: &Places) -> Result<(), ClientError> {
    let path = format!("/recordings/{recording}/accesses");
    control::send(&places.control, Method::POST, &path, Some(access)).await.map(drop)
}

fn not_audited(error: impl std::fmt::Display) -> CliError {
    CliError::new(format_args!(
        "the recording is not shown, because that could not be entered in the audit log: {error}"
    ))
}
