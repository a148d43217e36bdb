//! What the configuration means for the parts that act on it. Replaced as a whole by a reload; sessions
//! keep the one they began with.

pub(crate) mod access;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use passerelle_auth as auth;
use passerelle_config::{self as config, Config};
use passerelle_desktop::{ClipboardLimits, KeystrokePolicy, Permissions};
use passerelle_rfb::Limits;
use passerelle_vnc::target::{TargetCredentials, TargetSecurity, TargetSettings};
use passerelle_vnc::viewer::{ViewerSecurity, ViewerSettings};
use rustls::{RootCertStore, ServerConfig};

use self::access::{Asked, NotAdmitted};
pub(crate) use self::people::PeopleError;
use crate::tls::{self, OwnCertificate, TlsError};
use crate::webhooks::{self, UnknownEvent};

/// A configuration cannot be put into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Webhooks(#[from] UnknownEvent),
}

/// The configuration, ready for use.
pub(crate) struct Policy {
    pub(crate) config: Config,
    /// Which of its targets are not of the file but of the store.
    pub(crate) kept_targets: BTreeSet<String>,
    /// Local users and their passwords.
    pub(crate) accounts: auth::Accounts,
    pub(crate) rules: auth::Rules,
    pub(crate) viewer: ViewerSettings,
    /// TLS of the API; nothing without a certificate.
    pub(crate) https: Option<Arc<ServerConfig>>,
    /// What RDP viewers are offered; nothing without a certificate.
    pub(crate) rdp_viewer: Option<passerelle_rdp::viewer::ViewerSettings>,
    /// The roots of targets with a `ca_file`, by target.
    roots: BTreeMap<String, Arc<RootCertStore>>,
    system_roots: Arc<RootCertStore>,
    /// The identity providers whose tokens count.
    pub(crate) issuers: auth::Issuers,
    store: Arc<dyn auth::Store>,
    pepper: Arc<auth::Pepper>,
}

impl Policy {
    /// What `config` means, with the targets that the store keeps beside it. `passwords` bounds the checks that run
    /// at the same time.
    ///
    /// # Errors
    /// The gateway's own certificate, a user, an identity provider or a webhook cannot be used.
    pub(crate) fn new(
        mut config: Config,
        kept: Vec<config::Target>,
        store: Arc<dyn auth::Store>,
        pepper: Arc<auth::Pepper>,
        passwords: &auth::Passwords,
    ) -> Result<Self, PolicyError> {
        if let Some(unknown) = webhooks::unknown_events(&config).next() {
            return Err(unknown.into());
        }
        let kept: Vec<_> = kept.into_iter().filter(|target| config.target(&target.name).is_none()).collect();
        let kept_targets = kept.iter().map(|target| target.name.clone()).collect();
        config.targets.extend(kept);
        let certificate = match &config.tls {
            None => None,
            Some(config::Tls::SelfSigned) => Some(tls::self_signed(&config.data_dir)?),
            Some(config::Tls::Files { certificate, key }) => {
                Some(tls::from_pem(certificate.pem.as_bytes(), key.expose().as_bytes())?)
            }
        };
        let system_roots = tls::system_roots();
        let lockout = lockout(&config.lockout);
        let accounts =
            auth::Accounts::new(people::accounts(&config)?, passwords.clone(), store.clone(), lockout);
        let issuers = auth::Issuers::new(people::issuers(&config, &system_roots)?, store.clone(), lockout);
        let security = config.viewer_security().into_iter().map(viewer_security).collect();
        Ok(Self {
            kept_targets,
            rules: access::rules(&config),
            https: certificate.as_ref().map(https),
            rdp_viewer: certificate.as_ref().map(|certificate| rdp_viewer(&config.rdp, certificate)),
            viewer: ViewerSettings {
                security,
                tls: certificate.map(|certificate| certificate.server),
                encrypted: false,
            },
            roots: config.targets.iter().filter_map(|target| own_roots(target)).collect(),
            system_roots,
            accounts,
            issuers,
            store,
            pepper,
            config,
        })
    }

    /// The service that issues tickets of this life and redeems any.
    pub(crate) fn tickets(&self, life: Duration) -> auth::Tickets {
        let policy = auth::TicketPolicy { life };
        auth::Tickets::new(self.store.clone(), &self.pepper, policy, lockout(&self.config.lockout))
    }

    /// The service that takes whatever a client sends as its password.
    pub(crate) fn logins(&self) -> auth::Logins {
        let tickets = self.tickets(self.config.tickets.life.get());
        auth::Logins::new(tickets, self.accounts.clone(), self.issuers.clone())
    }

    /// What somebody may do who asks for it, if anything; at most `limit`.
    ///
    /// # Errors
    /// A session must not begin.
    pub(crate) fn admit(
        &self,
        asked: &Asked<'_>,
        limit: Option<Permissions>,
    ) -> Result<auth::Grant, NotAdmitted> {
        access::admit(&asked.facts(&self.config), &self.rules, limit)
    }

    /// How to log in to `target`.
    pub(crate) fn target_settings(
        &self,
        target: &config::Target,
        credentials: &TargetCredentials,
        now: SystemTime,
    ) -> TargetSettings {
        let security = match &target.security {
            Some(allowed) => allowed.iter().copied().filter_map(target_security).collect(),
            None => TargetSecurity::STRONGEST_FIRST.to_vec(),
        };
        TargetSettings {
            security,
            credentials: credentials.kind(),
            server_name: server_name(target),
            roots: self.roots(target),
            now,
            limits: Limits::default(),
        }
    }

    /// How to log in to `target`, which speaks RDP.
    pub(crate) fn rdp_target_settings(
        &self,
        target: &config::Target,
        now: SystemTime,
    ) -> passerelle_rdp::target::TargetSettings {
        use passerelle_rdp::target::{TargetSecurity, TargetSettings};
        let security = |security| match security {
            config::RdpSecurity::Nla => TargetSecurity::Nla,
            config::RdpSecurity::Tls => TargetSecurity::Tls,
        };
        let credentials = &target.credentials;
        TargetSettings {
            security: target.rdp_security().into_iter().map(security).collect(),
            server_name: server_name(target),
            roots: self.roots(target),
            now,
            client_name: passerelle_rdp::viewer::ViewerSettings::NODE.to_owned(),
            has_credentials: credentials.username.is_some() && credentials.password.is_some(),
        }
    }

    /// The authorities that may vouch for `target`.
    fn roots(&self, target: &config::Target) -> Arc<RootCertStore> {
        self.roots.get(&target.name).unwrap_or(&self.system_roots).clone()
    }

    /// The authorities that may vouch for the receiver of `hook`.
    pub(crate) fn webhook_roots(&self, hook: &config::Webhook) -> Arc<RootCertStore> {
        let own = hook.ca_file.as_ref().map(|file| tls::roots_from_pem(file.pem.as_bytes()));
        own.unwrap_or_else(|| self.system_roots.clone())
    }

    /// The authorities that may vouch for the syslog server.
    pub(crate) fn syslog_roots(&self, syslog: &config::Syslog) -> Arc<RootCertStore> {
        let own = syslog.ca_file.as_ref().map(|file| tls::roots_from_pem(file.pem.as_bytes()));
        own.unwrap_or_else(|| self.system_roots.clone())
    }

    /// The authorities that may vouch for the object store.
    pub(crate) fn object_store_roots(&self, store: &config::ObjectStore) -> Arc<RootCertStore> {
        let own = store.ca_file.as_ref().map(|file| tls::roots_from_pem(file.pem.as_bytes()));
        own.unwrap_or_else(|| self.system_roots.clone())
    }

    /// The largest clipboard content that passes.
    pub(crate) fn clipboard_limits(&self) -> ClipboardLimits {
        let sizes = &self.config.limits.clipboard;
        let bytes = |size: config::ByteSize| u32::try_from(size.bytes()).unwrap_or(u32::MAX);
        ClipboardLimits { to_target: bytes(sizes.to_target), from_target: bytes(sizes.from_target) }
    }

    /// What recordings keep of keys.
    pub(crate) fn keystrokes(&self) -> KeystrokePolicy {
        match self.config.recording.keystrokes {
            config::Keystrokes::None => KeystrokePolicy::None,
            config::Keystrokes::Kinds => KeystrokePolicy::Kinds,
            config::Keystrokes::All => KeystrokePolicy::All,
        }
    }

    /// What a session may take at most.
    pub(crate) fn session_limits(&self) -> auth::SessionLimits {
        let limits = &self.config.limits;
        auth::SessionLimits {
            per_technician: Some(limits.per_technician),
            per_target: Some(limits.per_target),
            global: Some(limits.sessions),
        }
    }
}

/// Settings of `new` that a running gateway does not take over from `old`, by key.
pub(crate) fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut compare = |key, same: bool| {
        if !same {
            keys.push(key);
        }
    };
    compare("data_dir", old.data_dir == new.data_dir);
    compare("listen", old.listen.addresses() == new.listen.addresses());
    compare("store", old.store == new.store);
    compare("pepper", old.pepper == new.pepper);
    compare("node", old.node == new.node);
    compare("control", old.control_socket() == new.control_socket());
    compare("recording.directory", old.recordings_dir() == new.recordings_dir());
    compare("recording.views.workers", old.recording.views.workers == new.recording.views.workers);
    compare("recording.recipients", old.recording.recipients == new.recording.recipients);
    compare("audit", old.audit == new.audit);
    compare("log", old.log == new.log);
    compare("telemetry", old.telemetry == new.telemetry);
    keys
}

/// The name that the certificate of `target` must have.
fn server_name(target: &config::Target) -> String {
    target.tls.server_name.clone().unwrap_or_else(|| target.address.host().to_owned())
}

/// TLS that offers the versions of HTTP which the API speaks.
fn https(certificate: &OwnCertificate) -> Arc<ServerConfig> {
    let mut config = (*certificate.server).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn rdp_viewer(rdp: &config::Rdp, certificate: &OwnCertificate) -> passerelle_rdp::viewer::ViewerSettings {
    use passerelle_rdp::viewer::{ViewerSecurity, ViewerSettings};
    let security = |security: &config::RdpSecurity| match security {
        config::RdpSecurity::Nla => ViewerSecurity::Nla,
        config::RdpSecurity::Tls => ViewerSecurity::Tls,
    };
    ViewerSettings {
        security: rdp.security.iter().map(security).collect(),
        tls: certificate.server.clone(),
        public_key: certificate.public_key.clone(),
        node: ViewerSettings::NODE.to_owned(),
    }
}

fn viewer_security(security: config::ViewerSecurity) -> ViewerSecurity {
    match security {
        config::ViewerSecurity::X509Plain => ViewerSecurity::X509Plain,
        config::ViewerSecurity::X509Vnc => ViewerSecurity::X509Vnc,
        config::ViewerSecurity::Ard => ViewerSecurity::Ard,
        config::ViewerSecurity::VncAuth => ViewerSecurity::VncAuth,
    }
}

fn lockout(lockout: &config::Lockout) -> auth::LockoutPolicy {
    let backoff = |backoff: config::Backoff| auth::Backoff {
        free: backoff.free,
        first: backoff.first.get(),
        longest: backoff.longest.get(),
        forget: backoff.forget.get(),
    };
    auth::LockoutPolicy {
        address: backoff(lockout.address.get()),
        identity: backoff(lockout.technician.get()),
        global: backoff(lockout.global.get()),
    }
}

/// A security type of VNC; nothing for those of RDP.
fn target_security(security: config::TargetSecurity) -> Option<TargetSecurity> {
    Some(match security {
        config::TargetSecurity::X509Plain => TargetSecurity::X509Plain,
        config::TargetSecurity::X509Vnc => TargetSecurity::X509Vnc,
        config::TargetSecurity::X509None => TargetSecurity::X509None,
        config::TargetSecurity::Ard => TargetSecurity::Ard,
        config::TargetSecurity::VncAuth => TargetSecurity::VncAuth,
        config::TargetSecurity::None => TargetSecurity::None,
        config::TargetSecurity::Nla | config::TargetSecurity::Tls => return None,
    })
}

fn own_roots(target: &config::Target) -> Option<(String, Arc<RootCertStore>)> {
    match &target.tls.policy {
        config::CertificatePolicy::Ca { file: Some(file) } => {
            Some((target.name.clone(), tls::roots_from_pem(file.pem.as_bytes())))
        }
        _ => None,
    }
}
