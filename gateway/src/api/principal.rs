//! Who calls.

use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use passerelle_auth::Timestamp;
use passerelle_config::{Config, Scope, ServiceAccount, User};

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
    pub(crate) address: Option<SocketAddr>,
    /// From when on their token is refused, if ever.
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether they proved a second factor.
    pub(crate) second_factor: bool,
    /// Under which key the store has their token, if it has it.
    pub(super) token: Option<String>,
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
            token: None,
        }
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
            token: None,
        }
    }

    /// What the audit log calls them; a program cannot be taken for a person of the same name.
    pub(crate) fn by(&self) -> String {
        match self.kind {
            Kind::Service => format!("service {}", self.name),
            Kind::Owner | Kind::User(_) => self.name.clone(),
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
            Access::Owner if self.kind == Kind::Owner => Ok(()),
            Access::Owner => Err(Problem::forbidden("this is for the command line on the gateway's machine")),
        }
    }

    /// Whether they may be shown what concerns anybody.
    pub(crate) fn sees_all(&self) -> bool {
        !matches!(&self.kind, Kind::User(roles) if roles.is_empty())
    }

    /// Whether what concerns this technician may be shown to them.
    pub(crate) fn sees(&self, technician: &str) -> bool {
        self.sees_all() || self.name == technician
    }

    /// Whether they may get tickets for this technician.
    pub(crate) fn acts_for(&self, technician: &str) -> bool {
        match &self.kind {
            Kind::User(roles) => self.name == technician || roles.contains(&Role::Administrator),
            Kind::Owner | Kind::Service => true,
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
