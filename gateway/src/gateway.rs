//! What all connections of a gateway share, and what can be asked of it.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use passerelle_auth::{Passwords, Pepper, Seal, Store, StoreError, TicketContext};
use passerelle_config::{Config, FragmentFile, ObjectStore, Recipient, RecordingPolicy};
use passerelle_desktop::{Permissions, UnknownPermission};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, AuditLog, AuditOpenError, Outcome};
use passerelle_recorder::view::ViewError;
use passerelle_recorder::{
    KeyError, PublicKey, Recorder, RecorderError, RecorderSettings, Recovered, RecoveryOutcome, SigningKey,
};
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::ambient::{self, SystemClock};
use crate::api::Rates;
use crate::index::{Index, IndexError};
use crate::metrics::Metrics;
use crate::policy::access::NotAdmitted;
use crate::policy::{self, Policy, PolicyError};
use crate::preauth::WaitingRoom;
use crate::remote::Remote;
use crate::session::{CloseReason, Registry};
use crate::store::{self, Opened};
use crate::throttle::Throttle;
use crate::viewings::Viewings;
use crate::views::Views;
use crate::webhooks::Webhooks;
use crate::{descriptors, files, targets};

/// How often the audit log tells of people who did not log in.
const STRANGERS: Duration = Duration::from_secs(1);

/// Names of what the gateway keeps in its data directory.
pub(crate) mod data {
    /// Tickets, counters, sessions, trusted certificates.
    pub(crate) const STORE: &str = "store.sqlite";
    /// The key under which the store's secrets are hashed and sealed.
    pub(crate) const PEPPER: &str = "pepper.key";
    /// The key that signs recordings and the audit log.
    pub(crate) const SIGNING_KEY: &str = "signing.key";
    /// The age identity with which the gateway reads its own recordings.
    pub(crate) const IDENTITY: &str = "recordings.age";
    /// Directory of the audit log.
    pub(crate) const AUDIT: &str = "audit";
    /// Directory of the views of recordings.
    pub(crate) const VIEWS: &str = "views";
    /// What lists of recordings show and searches find, derived from them.
    pub(crate) const INDEX: &str = "recordings-index.sqlite";
    /// How far each webhook has come in the audit log.
    pub(crate) const WEBHOOKS: &str = "webhooks.json";
    /// How far the syslog server has come in it.
    pub(crate) const SYSLOG: &str = "syslog.json";
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("data_dir: {} cannot be made: {source}", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Store(#[from] passerelle_auth::OpenError),
    #[error(transparent)]
    StoreUse(#[from] StoreError),
    #[error(transparent)]
    SharedStore(#[from] passerelle_auth::RedisSettingsError),
    #[error(transparent)]
    Pepper(#[from] passerelle_auth::PepperError),
    #[error("pepper: the secret is not 64 hexadecimal digits; make one with `openssl rand -hex 32`")]
    PepperDigits,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("recording: {0}")]
    Recorder(#[from] RecorderError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Audit(#[from] AuditOpenError),
    #[error(transparent)]
    AuditWrite(#[from] AuditError),
    #[error(transparent)]
    Views(#[from] ViewError),
}

/// Why a changed configuration or target is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnforceError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A gateway that is ready to serve.
pub(crate) struct Gateway {
    policy: RwLock<Arc<Policy>>,
    /// The configuration as the file has it.
    file: RwLock<Config>,
    /// Seals targets that are kept in the store, which may have passwords.
    pub(crate) target_seal: Seal,
    /// Seals answers that are kept for those who ask again.
    pub(crate) answer_seal: Seal,
    /// Held by whoever changes targets or the configuration, up to the new policy.
    pub(crate) changes: Mutex<()>,
    pepper: Arc<Pepper>,
    /// Bounds how many passwords are checked at a time.
    passwords: Passwords,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) recorder: Recorder,
    /// The object store, and the section of the configuration that describes it.
    pub(crate) remote: std::sync::Mutex<Option<(ObjectStore, Remote)>>,
    /// Recordings whose keys were destroyed or replaced, which it does not know yet.
    pub(crate) changed: std::sync::Mutex<Vec<String>>,
    /// Held by whoever fetches a recording from it.
    pub(crate) fetching: Mutex<()>,
    /// Held by whoever holds, releases, erases or deletes recordings.
    pub(crate) keeping: Mutex<()>,
    /// What people look at of recordings.
    pub(crate) views: Views,
    pub(crate) audit: AuditLog,
    pub(crate) registry: Arc<Registry>,
    pub(crate) room: WaitingRoom,
    /// The key that recordings and the audit log are verified with.
    pub(crate) signer: PublicKey,
    pub(crate) metrics: Metrics,
    /// Programs that are told of events.
    pub(crate) webhooks: Webhooks,
    /// What is known of recordings, for lists and searches.
    pub(crate) index: Index,
    /// Who views recordings.
    pub(crate) viewings: Viewings,
    /// Who calls the API how often.
    pub(crate) rates: Rates,
    /// Is cancelled when the gateway is about to stop.
    pub(crate) stopping: CancellationToken,
    /// Before the audit log, for what needs no login to cause.
    pub(crate) strangers: Throttle,
    /// This gateway's name among those that share a store.
    pub(crate) node: String,
}

impl Gateway {
    /// Opens everything that `config` names, makes what is missing, and puts in order what a killed
    /// gateway left behind.
    ///
    /// # Errors
    /// Something is unusable. Nothing was changed that would keep another start from succeeding.
    pub(crate) async fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        descriptors::raise();
        let dir = config.data_dir.clone();
        files::private_directory(&dir).map_err(|source| OpenError::DataDir { path: dir.clone(), source })?;
        let clock = Arc::new(SystemClock::new());
        let first_start = !dir.join(data::SIGNING_KEY).exists();
        let signer = Arc::new(SigningKey::load_or_create(&dir.join(data::SIGNING_KEY), &ambient::random)?);
        // The audit log's lock also tells that no other gateway uses the directory.
        let audit = AuditLog::open(&dir.join(data::AUDIT), signer.clone(), clock.clone())?;
        let metrics = Metrics::new();
        let Opened { store, pepper, node } = store::open(&config, &metrics)?;
        let pepper = Arc::new(pepper);
        if first_start && matches!(config.store, passerelle_config::Store::Embedded) {
            // A gateway that never ran has nothing to forget, so what is older than it may be used.
            store.since(passerelle_auth::Timestamp::MIN).await?;
        }
        let recorder =
            Recorder::start(recorder_settings(&config), signer.clone(), clock, Arc::new(ambient::random))?;
        if let Ok(space) = recorder.space() {
            let [_, refuse, _] = config.recording.disk.marks(space.total);
            recorder.set_min_free_bytes(refuse);
        }
        // After the recorder, which makes the key that opens recordings.
        let views = Views::open(&config, signer.clone())?;
        let passwords = Passwords::new(std::thread::available_parallelism().map_or(1, NonZero::get));
        let target_seal = Seal::new(&pepper, "target");
        let kept = targets::kept(store.as_ref(), &target_seal).await?;
        let policy = Policy::new(config.clone(), kept, store.clone(), pepper.clone(), &passwords)?;
        let gateway = Arc::new(Self {
            room: WaitingRoom::new(waiting(&policy.config)),
            signer: signer.public_key(),
            metrics,
            webhooks: Webhooks::new(&dir.join(data::WEBHOOKS)),
            index: Index::open(&dir.join(data::INDEX), &pepper)?,
            viewings: Viewings::new(&pepper),
            rates: Rates::default(),
            stopping: CancellationToken::new(),
            strangers: Throttle::new(STRANGERS),
            policy: RwLock::new(Arc::new(policy)),
            file: RwLock::new(config),
            target_seal,
            answer_seal: Seal::new(&pepper, "answer"),
            changes: Mutex::default(),
            pepper,
            passwords,
            store,
            recorder,
            remote: std::sync::Mutex::default(),
            changed: std::sync::Mutex::default(),
            fetching: Mutex::default(),
            keeping: Mutex::default(),
            views,
            audit,
            registry: Arc::default(),
            node,
        });
        gateway.recover().await?;
        Ok(gateway)
    }

    /// Closes what a killed gateway left open, in the recordings, the audit log and the store.
    async fn recover(&self) -> Result<(), OpenError> {
        if let Some(at) = self.audit.interrupted_at() {
            tracing::warn!(last_event = at, "the gateway before this one was killed");
            let message = format!("the gateway was killed or crashed; its last event is of {at}");
            self.audit.note(
                AuditEvent::new(AuditKind::GatewayInterrupted).outcome(Outcome::Failed).message(message),
            );
        }
        let recorder = self.recorder.clone();
        let recovered = tokio::task::spawn_blocking(move || recorder.recover()).await.unwrap_or_default();
        for recording in &recovered {
            self.audit.note(recovery_event(recording));
        }
        for session in self.audit.sessions_without_end() {
            let mut event = AuditEvent::new(AuditKind::SessionEnded)
                .session(&session.session)
                .outcome(Outcome::Failed)
                .message("the gateway was killed during the session")
                .detail("reason", "interrupted");
            event.technician.clone_from(&session.technician);
            event.target.clone_from(&session.target);
            event.address.clone_from(&session.address);
            self.audit.append(event).await?;
        }
        // Settles from when on the store remembers, before anybody presents anything.
        self.store.since(ambient::now()).await?;
        self.store.abandon(&self.node, ambient::now()).await?;
        Ok(())
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration again, because of `cause`. Running sessions keep what they began with; a
    /// configuration with errors changes nothing.
    ///
    /// Comes back with the files of targets that are in force now, if the configuration is.
    pub(crate) async fn reload(&self, path: &Path, cause: &str) -> Option<Vec<FragmentFile>> {
        let loaded = match Config::load(path) {
            Ok(loaded) => loaded,
            Err(errors) => return self.reload_rejected(&errors.to_string(), cause),
        };
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let ignored = policy::needs_restart(&self.policy().config, &loaded.config);
        let _turn = self.changes.lock().await;
        if let Err(error) = self.enforce(loaded.config).await {
            return self.reload_rejected(&error.to_string(), cause);
        }
        if !ignored.is_empty() {
            tracing::warn!(keys = ignored.join(", "), "changes of these keys take effect at the next start");
        }
        tracing::info!("the configuration was reloaded");
        self.audit.note(
            AuditEvent::new(AuditKind::ConfigReloaded)
                .outcome(Outcome::Success)
                .detail("cause", cause)
                .detail("needs_restart", ignored),
        );
        Some(loaded.fragments)
    }

    /// Puts the targets of the store as they are now into force. The caller holds [`changes`](Self::changes).
    ///
    /// # Errors
    /// The store or the certificate cannot be read; the old ones stay in force.
    pub(crate) async fn refresh_targets(&self) -> Result<(), EnforceError> {
        let config = self.file.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.enforce(config).await
    }

    async fn enforce(&self, config: Config) -> Result<(), EnforceError> {
        let kept = targets::kept(self.store.as_ref(), &self.target_seal).await?;
        let (store, pepper) = (self.store.clone(), self.pepper.clone());
        let policy = Policy::new(config.clone(), kept, store, pepper, &self.passwords)?;
        self.room.set_capacity(waiting(&policy.config));
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = config;
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        self.webhooks.changed.notify_one();
        Ok(())
    }

    fn reload_rejected<T>(&self, why: &str, cause: &str) -> Option<T> {
        tracing::error!("the configuration was not reloaded, the old one stays in force:\n{why}");
        self.audit.note(
            AuditEvent::new(AuditKind::ConfigRejected)
                .outcome(Outcome::Failed)
                .message(why)
                .detail("cause", cause),
        );
        None
    }

    /// Ends every session for `reason`.
    pub(crate) fn stop_all(&self, reason: &CloseReason) {
        for entry in self.registry.all() {
            entry.stop(reason.clone());
        }
    }
}

/// Adds what rules may ask for and somebody gave.
pub(crate) fn with_context(mut event: AuditEvent, context: &TicketContext) -> AuditEvent {
    for (name, value) in [
        ("reason", &context.reason),
        ("ticket_id", &context.ticket_id),
        ("approved_by", &context.approved_by),
    ] {
        if let Some(value) = value {
            event = event.detail(name, value.as_str());
        }
    }
    if context.second_factor { event.detail("second_factor", true) } else { event }
}

/// Adds what is missing, if that is why.
pub(crate) fn with_missing(event: AuditEvent, why: &NotAdmitted) -> AuditEvent {
    match why.missing() {
        [] => event,
        missing => event.detail("missing", json!(missing)),
    }
}

pub(crate) fn parse_permissions(names: &[String]) -> Result<Permissions, UnknownPermission> {
    names.iter().map(|name| name.parse()).collect()
}

/// How many connections may wait for their login.
fn waiting(config: &Config) -> usize {
    descriptors::for_strangers(config.limits.pre_auth_connections as usize)
}

fn recorder_settings(config: &Config) -> RecorderSettings {
    let recipients = &config.recording.recipients;
    let itself = recipients.is_empty() || recipients.iter().any(Recipient::is_gateway);
    let others = recipients.iter().filter(|recipient| !recipient.is_gateway());
    RecorderSettings {
        directory: config.recordings_dir(),
        identity_file: itself.then(|| config.data_dir.join(data::IDENTITY)),
        recipients: others.map(|recipient| recipient.as_str().to_owned()).collect(),
        // Set when it is known how large the disk is.
        min_free_bytes: 0,
        writers: 0,
    }
}

fn recovery_event(recording: &Recovered) -> AuditEvent {
    let event =
        AuditEvent::new(AuditKind::RecordingInterrupted).session(&recording.id).outcome(Outcome::Failed);
    match &recording.outcome {
        RecoveryOutcome::Sealed { root, until, torn_bytes } => event
            .message(format!("found open and sealed; whole until {:.1} s", until.as_secs_f64()))
            .detail("root", root.as_str())
            .detail("until_ms", u64::try_from(until.as_millis()).unwrap_or(u64::MAX))
            .detail("torn_bytes", *torn_bytes),
        RecoveryOutcome::Removed => event.message("found empty and removed"),
        RecoveryOutcome::Left { why } => event.message(format!("found open and left as it is: {why}")),
    }
}

/// Whether a session under `requirements` must be recorded, may be, or is not to be.
pub(crate) fn recording_policy(config: &Config, grant: &passerelle_auth::Grant) -> RecordingPolicy {
    if grant.requirements.contains(&passerelle_auth::Requirement::Recording) {
        RecordingPolicy::Required
    } else {
        config.recording.policy
    }
}
