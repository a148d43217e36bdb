//! Who may call what.

use axum::http::Method;
use passerelle_config::{Config, Scope};

use self::Access::{Anybody, Owner, Someone, Takes, TakesOne};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Anybody,
    /// A login.
    Someone,
    /// A login with this scope.
    Takes(Scope),
    /// A login with at least one of these scopes.
    TakesOne(&'static [Scope]),
    /// To come by the control socket.
    Owner,
}

/// Every route of the API. What is neither here nor in [`WEB`] cannot be called.
pub(super) const ROUTES: &[(Method, &str, Access)] = &[
    (Method::GET, "/healthz", Anybody),
    (Method::GET, "/readyz", Anybody),
    (Method::GET, "/api/v1/openapi.json", Anybody),
    (Method::GET, "/api/v1/status", Owner),
    (Method::POST, "/api/v1/tickets", Takes(Scope::TicketsWrite)),
    (Method::DELETE, "/api/v1/tickets/{id}", Takes(Scope::TicketsWrite)),
    (Method::POST, "/api/v1/rdp-files", Takes(Scope::TicketsWrite)),
    (Method::GET, "/api/v1/approvals/stream", Takes(Scope::ApprovalsRead)),
    (Method::GET, "/api/v1/approvals", Takes(Scope::ApprovalsRead)),
    (Method::POST, "/api/v1/approvals", Takes(Scope::TicketsWrite)),
    (Method::GET, "/api/v1/approvals/{id}", Takes(Scope::ApprovalsRead)),
    (Method::DELETE, "/api/v1/approvals/{id}", Takes(Scope::TicketsWrite)),
    (Method::POST, "/api/v1/approvals/{id}/approve", Takes(Scope::ApprovalsWrite)),
    (Method::POST, "/api/v1/approvals/{id}/deny", Takes(Scope::ApprovalsWrite)),
    (Method::GET, "/api/v1/targets", Takes(Scope::TargetsRead)),
    (Method::GET, "/api/v1/targets/{name}", Takes(Scope::TargetsRead)),
    (Method::PUT, "/api/v1/targets/{name}", Takes(Scope::TargetsWrite)),
    (Method::DELETE, "/api/v1/targets/{name}", Takes(Scope::TargetsWrite)),
    (Method::POST, "/api/v1/targets/{name}/wake", Takes(Scope::TargetsWake)),
    (Method::GET, "/api/v1/sessions/stream", Takes(Scope::SessionsRead)),
    (Method::GET, "/api/v1/sessions", Takes(Scope::SessionsRead)),
    (Method::GET, "/api/v1/sessions/{id}", Takes(Scope::SessionsRead)),
    (Method::POST, "/api/v1/sessions/{id}/permissions", Takes(Scope::SessionsWrite)),
    (Method::PUT, "/api/v1/sessions/{id}/blackout", TakesOne(&[Scope::SessionsRead, Scope::SessionsWrite])),
    (
        Method::DELETE,
        "/api/v1/sessions/{id}/blackout",
        TakesOne(&[Scope::SessionsRead, Scope::SessionsWrite]),
    ),
    (Method::POST, "/api/v1/sessions/{id}/kill", Takes(Scope::SessionsKill)),
    (Method::GET, "/api/v1/users", Takes(Scope::UsersRead)),
    (Method::GET, "/api/v1/recordings", Takes(Scope::RecordingsRead)),
    (Method::GET, "/api/v1/recordings/{id}", Takes(Scope::RecordingsRead)),
    (Method::POST, "/api/v1/recordings/{id}/verify", Takes(Scope::RecordingsRead)),
    (Method::POST, "/api/v1/recordings/{id}/accesses", Owner),
    (
        Method::POST,
        "/api/v1/recordings/{id}/viewings",
        TakesOne(&[Scope::RecordingsView, Scope::SessionsWatch]),
    ),
    (Method::GET, "/api/v1/recordings/{id}/events", Takes(Scope::RecordingsView)),
    (Method::PUT, "/api/v1/recordings/{id}/hold", Takes(Scope::RecordingsHold)),
    (Method::POST, "/api/v1/recordings/{id}/release", Takes(Scope::RecordingsHold)),
    (Method::POST, "/api/v1/recordings/{id}/erase", Takes(Scope::RecordingsErase)),
    (Method::GET, "/api/v1/recordings/{id}/view", Takes(Scope::RecordingsView)),
    (Method::POST, "/api/v1/recordings/{id}/view", Takes(Scope::RecordingsView)),
    (Method::GET, "/api/v1/recordings/{id}/view/progress", Takes(Scope::RecordingsView)),
    (Method::GET, "/api/v1/recordings/{id}/view/chunks/{number}", Takes(Scope::RecordingsView)),
    (Method::GET, "/api/v1/recordings/{id}/view/thumbnails/{number}", Takes(Scope::RecordingsView)),
    (Method::GET, "/api/v1/recordings/{id}/live", TakesOne(&[Scope::RecordingsView, Scope::SessionsWatch])),
    (Method::GET, "/api/v1/recordings/{id}/input", Takes(Scope::RecordingsView)),
    (Method::POST, "/api/v1/recordings/{id}/rewrap", Owner),
    (Method::GET, "/api/v1/audit", Takes(Scope::AuditRead)),
    (Method::GET, "/api/v1/audit/stream", Takes(Scope::AuditRead)),
    (Method::GET, "/api/v1/audit/checkpoint", Takes(Scope::AuditRead)),
    (Method::GET, "/api/v1/audit/proof", Takes(Scope::AuditRead)),
    (Method::GET, "/api/v1/audit/consistency", Takes(Scope::AuditRead)),
    (Method::GET, "/api/v1/lockouts", Takes(Scope::LockoutsRead)),
    (Method::DELETE, "/api/v1/lockouts/{key}", Takes(Scope::LockoutsWrite)),
    (Method::GET, "/api/v1/webhooks", Owner),
    (Method::POST, "/api/v1/webhooks/{name}/test", Owner),
    (Method::GET, "/api/v1/me", Someone),
    (Method::POST, "/api/v1/login", Anybody),
    (Method::POST, "/api/v1/logout", Someone),
];

/// Every route of the web application. It holds nothing but what is in the binary, and asks the API for the rest.
pub(super) const WEB: &[(Method, &str, Access)] = &[
    (Method::GET, "/", Anybody),
    (Method::GET, "/recordings", Anybody),
    (Method::GET, "/recordings/{id}", Anybody),
    (Method::GET, "/sessions", Anybody),
    (Method::GET, "/sessions/{id}", Anybody),
    (Method::GET, "/assets/{name}", Anybody),
];

fn routes() -> impl Iterator<Item = &'static (Method, &'static str, Access)> {
    ROUTES.iter().chain(WEB)
}

/// What the route asks of its caller; nothing for a route that nobody may call.
pub(super) fn needed(method: &Method, path: &str) -> Option<Access> {
    // What answers GET answers HEAD.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    routes().find(|(known, route, _)| known == method && *route == path).map(|(_, _, access)| *access)
}

/// The methods of a route.
pub(super) fn methods(path: &str) -> Vec<&'static str> {
    routes().filter(|(_, route, _)| *route == path).map(|(method, _, _)| method.as_str()).collect()
}

/// What a user may be beyond a technician.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Does everything.
    Administrator,
    /// Looks after the sessions of others, and approves what they ask for.
    Supervisor,
    /// Reads, and changes nothing.
    Auditor,
}

impl Role {
    /// The name in the configuration and the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Supervisor => "supervisor",
            Self::Auditor => "auditor",
        }
    }

    /// What somebody in these groups is.
    pub(crate) fn of(groups: &[String], config: &Config) -> Vec<Self> {
        let roles = &config.roles;
        [
            (Self::Administrator, &roles.administrator),
            (Self::Supervisor, &roles.supervisor),
            (Self::Auditor, &roles.auditor),
        ]
        .into_iter()
        .filter(|(_, members)| members.iter().any(|group| groups.contains(group)))
        .map(|(role, _)| role)
        .collect()
    }

    /// What the role adds to what every technician may do.
    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Administrator => Scope::ALL,
            Self::Supervisor => {
                &[Scope::SessionsWrite, Scope::SessionsKill, Scope::SessionsWatch, Scope::ApprovalsWrite]
            }
            Self::Auditor => &[
                Scope::RecordingsRead,
                Scope::RecordingsView,
                Scope::AuditRead,
                Scope::UsersRead,
                Scope::LockoutsRead,
            ],
        }
    }
}

/// What every technician may do: get tickets and ask for approvals for themselves, wake targets that they see, and see
/// their own sessions.
const TECHNICIAN: &[Scope] =
    &[Scope::TicketsWrite, Scope::ApprovalsRead, Scope::TargetsRead, Scope::TargetsWake, Scope::SessionsRead];

/// What a user with these roles may do.
pub(super) fn scopes(roles: &[Role]) -> Vec<Scope> {
    let mut scopes = TECHNICIAN.to_vec();
    scopes.extend(roles.iter().flat_map(|role| role.scopes()));
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
