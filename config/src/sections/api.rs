//! The HTTP API: who may use it, and how much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{HumanDuration, Name, Network, Time, TokenHash};

/// The HTTP API behind `listen.https`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// A login is good for so long.
    pub token_life: HumanDuration,
    /// Requests that one user, service account or address may make a minute.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: u32,
    /// Networks of HTTP proxies before `listen.https`. What they say about where a request comes from is believed.
    #[schemars(extend("uniqueItems" = true))]
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say it. The other one is not looked at: a proxy may pass on what a caller wrote
    /// there.
    pub forwarded_header: ForwardedHeader,
}

/// The header in which HTTP proxies say where a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies know.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            token_life: HumanDuration::from_secs(60 * 60),
            requests_per_minute: 600,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
        }
    }
}

/// Groups whose members may do more through the API than get tickets for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Roles {
    /// They may do everything.
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub administrator: Vec<String>,
    /// They see, narrow and end the sessions of others, and approve what others ask for.
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub supervisor: Vec<String>,
    /// They read the audit log and what is known of recordings, and change nothing.
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub auditor: Vec<String>,
}

/// A program that uses the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// The name by which the audit log calls it.
    #[schemars(with = "Name")]
    pub name: String,
    /// Hash of its token, as `passerelle service-account` prints it.
    pub token_hash: TokenHash,
    /// What it may do.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub scopes: Vec<Scope>,
    /// From when on its token is refused; never when absent.
    #[serde(default)]
    pub expires: Option<Time>,
}

macro_rules! scopes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One kind of thing that may be done through the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Scope {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Scope] = &[$(Scope::$variant,)+];

            /// The name as written.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Scope::$variant => $name,)+
                }
            }
        }
    };
}

scopes! {
    /// Get and withdraw tickets, also as `.rdp` files, and ask for approvals.
    TicketsWrite = "tickets:write",
    /// See what a second person has been asked to approve.
    ApprovalsRead = "approvals:read",
    /// Approve or deny what others ask for.
    ApprovalsWrite = "approvals:write",
    /// See the targets.
    TargetsRead = "targets:read",
    /// Add, change and remove targets that are not in the configuration file.
    TargetsWrite = "targets:write",
    /// Wake targets over the network.
    TargetsWake = "targets:wake",
    /// See running sessions.
    SessionsRead = "sessions:read",
    /// Change what may be done in running sessions.
    SessionsWrite = "sessions:write",
    /// End running sessions.
    SessionsKill = "sessions:kill",
    /// Watch running sessions, after saying why.
    SessionsWatch = "sessions:watch",
    /// List, search and verify recordings.
    RecordingsRead = "recordings:read",
    /// View what was recorded, after saying why.
    RecordingsView = "recordings:view",
    /// Hold recordings, so that they are not deleted, and release them.
    RecordingsHold = "recordings:hold",
    /// Erase recordings by destroying their keys.
    RecordingsErase = "recordings:erase",
    /// Read the audit log.
    AuditRead = "audit:read",
    /// See the users.
    UsersRead = "users:read",
    /// See who is locked out after failed logins.
    LockoutsRead = "lockouts:read",
    /// End lockouts.
    LockoutsWrite = "lockouts:write",
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no scope's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope `{0}`")]
pub struct UnknownScope(pub String);

impl std::str::FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let scope = Self::ALL.iter().copied().find(|scope| scope.name() == name);
        scope.ok_or_else(|| UnknownScope(name.to_owned()))
    }
}
