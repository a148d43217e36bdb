//! Who calls.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use passerelle_auth::{Identity, Timestamp};
use passerelle_config::{Config, Scope, ServiceAccount, User};
use passerelle_desktop::Permissions;
use serde::{Deserialize, Serialize};

use super::access::{self, Access, Role};
use super::problem::Problem;

/// Somebody who has proved who they are.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// The name in the audit log.
    pub(crate) name: String,
    /// What they are.
    pub(crate) kind: Kind,
    /// What they may do.
    pub(crate) scopes: Vec<Scope>,
    /// Where they call from, if over a network.
    pub(crate) address: Option<IpAddr>,
    /// From when on their token is refused, if ever.
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether they proved a second factor.
    pub(crate) second_factor: bool,
    /// What an identity provider says of them; nothing for those whom the configuration knows.
    pub(crate) claims: Option<Claims>,
    /// Under which key the store has their token, if it has it.
    pub(super) token: Option<String>,
}

/// What an identity provider says of somebody besides their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The identity provider.
    pub(crate) issuer: String,
    /// The groups that they are in.
    pub(crate) groups: Vec<String>,
    /// What their tickets are good for at most; nothing given means whatever the rules grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) permissions: Option<Permissions>,
    /// The only target that they get tickets for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
}

impl Claims {
    /// What a token says; nothing for another proof.
    pub(super) fn of(identity: &Identity) -> Option<Self> {
        Some(Self {
            issuer: identity.issuer.clone()?,
            groups: identity.groups.clone(),
            permissions: identity.permissions,
            target: identity.target.clone(),
        })
    }
}

/// What a principal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The gateway's own user, on the control socket.
    Owner,
    /// A person with these roles.
    User(Vec<Role>),
    /// A program.
    Service,
    /// Whoever looks at copies of recordings on their own machine.
    Local,
}

impl Principal {
    pub(crate) fn owner(name: String) -> Self {
        let scopes = Scope::ALL.to_vec();
        Self {
            name,
            kind: Kind::Owner,
            scopes,
            address: None,
            expires_at: None,
            second_factor: false,
            claims: None,
            token: None,
        }
    }

    /// Whoever looks at copies of recordings on their own machine: reads them, and nothing else.
    pub(super) fn local() -> Self {
        let scopes = vec![Scope::RecordingsRead, Scope::RecordingsView];
        Self { kind: Kind::Local, scopes, ..Self::owner("auditor".to_owned()) }
    }

    pub(super) fn user(user: &User, config: &Config) -> Self {
        let roles = Role::of(&user.groups, config);
        let scopes = access::scopes(&roles);
        let kind = Kind::User(roles);
        Self {
            name: user.name.clone(),
            kind,
            scopes,
            address: None,
            expires_at: None,
            second_factor: false,
            claims: None,
            token: None,
        }
    }

    /// Somebody whom an identity provider vouches for. A token that is limited to a target or to permissions is for
    /// connecting, and gives no role.
    pub(super) fn person(name: String, claims: Claims, config: &Config) -> Self {
        let limited = claims.permissions.is_some() || claims.target.is_some();
        let roles = if limited { Vec::new() } else { Role::of(&claims.groups, config) };
        let scopes = access::scopes(&roles);
        Self {
            name,
            kind: Kind::User(roles),
            scopes,
            address: None,
            expires_at: None,
            second_factor: false,
            claims: Some(claims),
            token: None,
        }
    }

    pub(super) fn service(account: &ServiceAccount) -> Self {
        let expires_at = account.expires.map(|time| Timestamp::from_millis(time.as_millis()));
        Self {
            name: account.name.clone(),
            kind: Kind::Service,
            scopes: account.scopes.clone(),
            address: None,
            expires_at,
            second_factor: false,
            claims: None,
            token: None,
        }
    }

    /// What the audit log calls them; a program cannot be taken for a person of the same name.
    pub(crate) fn by(&self) -> String {
        match self.kind {
            Kind::Service => format!("service {}", self.name),
            Kind::Owner | Kind::User(_) | Kind::Local => self.name.clone(),
        }
    }

    /// Whether they may call what asks for `access`.
    ///
    /// # Errors
    /// They may not.
    pub(super) fn may(&self, access: Access) -> Result<(), Problem> {
        match access {
            Access::Anybody | Access::Someone => Ok(()),
            Access::Takes(scope) if self.scopes.contains(&scope) => Ok(()),
            Access::Takes(scope) => Err(Problem::forbidden(format_args!("this takes the scope {scope}"))),
            Access::TakesOne(scopes) if scopes.iter().any(|scope| self.scopes.contains(scope)) => Ok(()),
            Access::TakesOne(scopes) => {
                let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
                Err(Problem::forbidden(format_args!("this takes the scope {}", names.join(" or "))))
            }
            Access::Owner if self.kind == Kind::Owner => Ok(()),
            Access::Owner => Err(Problem::forbidden("this is for the command line on the gateway's machine")),
        }
    }

    /// Whether they may be shown what concerns anybody.
    pub(crate) fn sees_all(&self) -> bool {
        !matches!(&self.kind, Kind::User(roles) if roles.is_empty())
    }

    /// Whether they may change what the recording keeps of this technician's session: it is theirs, or they look after those
    /// of others.
    pub(crate) fn may_black_out(&self, technician: &str) -> bool {
        let own = matches!(self.kind, Kind::User(_)) && self.name == technician;
        own || self.scopes.contains(&Scope::SessionsWrite)
    }

    /// Whether what concerns this technician may be shown to them.
    pub(crate) fn sees(&self, technician: &str) -> bool {
        self.sees_all() || self.name == technician
    }

    /// What an identity provider says of this technician, if it is they who call.
    pub(crate) fn claims_for(&self, technician: &str) -> Option<&Claims> {
        self.claims.as_ref().filter(|_| self.name == technician)
    }

    /// The only target that they may ask about, if their token has one.
    pub(crate) fn only_target(&self) -> Option<&str> {
        self.claims.as_ref()?.target.as_deref()
    }

    /// Whether they may get tickets for this technician.
    pub(crate) fn acts_for(&self, technician: &str) -> bool {
        match &self.kind {
            Kind::User(roles) => self.name == technician || roles.contains(&Role::Administrator),
            Kind::Owner | Kind::Service => true,
            Kind::Local => false,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Self>().cloned();
        principal.ok_or_else(|| Problem::unauthorized("log in first"))
    }
}
