//! Logging in and out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use passerelle_auth::{Identity, JwtRefusal, LoginRefusal, Secret, Timestamp};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::{Kind, Principal};
use super::problem::Problem;
use super::server::Peer;
use super::tokens;
use crate::ambient;
use crate::gateway::Gateway;
use crate::session::REFUSAL_DELAY;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(log_in)).routes(routes!(log_out)).merge(me_routes())
}

/// The route that tells callers who they are.
pub(super) fn me_routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new().routes(routes!(me))
}

/// What somebody proves who they are with.
#[derive(Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "either `username` and `password`, and a `code` if there is one, or `token` are expected"
)]
enum Credentials {
    Password(PasswordCredentials),
    Token(TokenCredentials),
}

/// What a local user logs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordCredentials {
    /// The name of one of the configured users.
    username: String,
    /// Their password.
    #[schema(value_type = String, format = Password)]
    password: Password,
    /// The code of their second factor, or a recovery code. It may also stand directly behind the password.
    #[schema(value_type = Option<String>, format = Password)]
    code: Option<Password>,
}

/// What somebody logs in with whom an identity provider vouches for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenCredentials {
    /// A JSON Web Token of one of the configured issuers. It is used up.
    #[schema(value_type = String, format = Password)]
    token: Password,
}

impl PasswordCredentials {
    /// What a client with a single field would send.
    fn entered(&self) -> Secret {
        match &self.code {
            None => self.password.0.clone(),
            Some(code) => Secret::new(format!("{}{}", self.password.0.expose(), code.0.expose())),
        }
    }
}

/// A password on its way in.
struct Password(Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// A login.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// To be sent as `Authorization: Bearer TOKEN`. It is shown once.
    token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// From when on the token is refused.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What may be done with it.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<passerelle_config::Scope>,
}

/// Log in with a password, and a second factor where the user has one; or with a JSON Web Token, once.
///
/// After too many failures of a user or from an address, further attempts are refused for a while without a look
/// at the password or token.
#[utoipa::path(post, path = "/login", tag = "login", request_body = Credentials,
    responses((status = 200, description = "Logged in", body = LoggedIn)))]
async fn log_in(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(credentials): Json<Credentials>,
) -> Result<Json<LoggedIn>, Problem> {
    let policy = gateway.policy();
    let address = peer.address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let identity = match &credentials {
        Credentials::Password(credentials) => {
            let (name, entered) = (&credentials.username, credentials.entered());
            let proof = policy.accounts.log_in(name, &entered, address, ambient::now()).await;
            accepted(&gateway, Some(name), address, proof.map_err(LoginRefusal::from)).await?
        }
        Credentials::Token(credentials) => by_token(&gateway, credentials.token.0.expose(), address).await?,
    };
    let now = ambient::now();
    let expires_at = now.saturating_add(policy.config.api.token_life.get());
    let token = tokens::issue(&gateway, &identity, expires_at, now).await?;
    let principal = tokens::principal(&identity, &policy.config);
    Ok(Json(LoggedIn {
        token: token.expose().to_owned(),
        token_type: "Bearer",
        expires_at,
        scopes: principal.map(|principal| principal.scopes).unwrap_or_default(),
    }))
}

/// Who shows a token of an identity provider, which is used up.
///
/// # Errors
/// It is not taken. That is written down here, and takes its time.
pub(super) async fn by_token(gateway: &Gateway, token: &str, address: IpAddr) -> Result<Identity, Problem> {
    let proof = gateway.policy().issuers.redeem(token, address, ambient::now()).await;
    let proof = proof.and_then(|identity| match is_reserved(&identity.technician) {
        true => Err(JwtRefusal::Claim("technician")),
        false => Ok(identity),
    });
    accepted(gateway, None, address, proof.map_err(LoginRefusal::from)).await
}

/// Whether somebody of this name could be taken for a program or for the gateway's own user. The configuration's users
/// cannot have such names.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["service ", "uid "].iter().any(|prefix| name.starts_with(prefix))
}

/// Writes down what became of a login. `name` is the one that came with it.
async fn accepted(
    gateway: &Gateway,
    name: Option<&str>,
    address: IpAddr,
    proof: Result<Identity, LoginRefusal>,
) -> Result<Identity, Problem> {
    let event = |kind, name: Option<&str>| {
        let mut event = AuditEvent::new(kind).address(address).detail("security", "api");
        // Anything can be sent as a name.
        event.technician = name.map(|name| name.chars().take(64).collect());
        event
    };
    let refusal = match proof {
        Ok(identity) => {
            let event = event(AuditKind::LoginAccepted, Some(&identity.technician)).outcome(Outcome::Success);
            gateway.audit.append(event.detail("method", json!(identity.method))).await?;
            gateway.metrics.login("api", "accepted");
            return Ok(identity);
        }
        Err(refusal) => refusal,
    };
    if let Some(locked) = refusal.locked() {
        gateway.metrics.login("api", "locked");
        let now = ambient::now();
        if let Some(suppressed) = gateway.strangers.pass(now) {
            let event = event(AuditKind::LoginLocked, name).outcome(Outcome::Refused);
            gateway.audit.note(event.detail("code", "locked").detail("suppressed", suppressed));
        }
        let seconds = locked.until.since(now).as_secs() + 1;
        let detail = format_args!("too many failed logins; try again in {seconds} s");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "locked", detail).retry_after(seconds));
    }
    if refusal.is_failure() {
        tracing::error!(error = %refusal, "a login cannot be checked");
        let why = refusal.for_technician();
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "login", why).retry_after(1));
    }
    gateway.metrics.login("api", "refused");
    let event = event(AuditKind::LoginRefused, name).outcome(Outcome::Refused).message(refusal.to_string());
    gateway.audit.note(event.detail("code", refusal.code()));
    tokio::time::sleep(REFUSAL_DELAY).await;
    Err(Problem::unauthorized(refusal.for_technician()))
}

/// Log out: the token is refused from now on.
#[utoipa::path(post, path = "/logout", tag = "login",
    responses((status = 204, description = "The token is worthless")))]
async fn log_out(State(gateway): State<Arc<Gateway>>, principal: Principal) -> Result<StatusCode, Problem> {
    let Some(token) = &principal.token else {
        let why = "only what POST /api/v1/login gave can be given back; a service account is removed from the configuration";
        return Err(Problem::unprocessable("no-login", why));
    };
    tokens::revoke(&gateway, token, ambient::now()).await?;
    let mut event =
        AuditEvent::new(AuditKind::TokenRevoked).technician(&principal.name).outcome(Outcome::Success);
    event.address = principal.address.map(|address| address.to_string());
    gateway.audit.note(event.detail("by", principal.by()));
    Ok(StatusCode::NO_CONTENT)
}

/// Who calls, and what they may do.
#[derive(Serialize, ToSchema)]
struct Me {
    name: String,
    /// `owner`, `user` or `service`; `local` where nobody logs in, as copies of recordings are looked at.
    kind: &'static str,
    roles: Vec<&'static str>,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<passerelle_config::Scope>,
    /// Whether they proved a second factor.
    second_factor: bool,
    /// From when on the token is refused, if ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// Show who calls.
#[utoipa::path(get, path = "/me", tag = "login", responses((status = 200, description = "Who calls", body = Me)))]
async fn me(principal: Principal) -> Json<Me> {
    let (kind, roles) = match &principal.kind {
        Kind::Owner => ("owner", Vec::new()),
        Kind::User(roles) => ("user", roles.iter().map(|role| role.name()).collect()),
        Kind::Service => ("service", Vec::new()),
        Kind::Local => ("local", Vec::new()),
    };
    let Principal { name, scopes, second_factor, expires_at, .. } = principal;
    Json(Me { name, kind, roles, scopes, second_factor, expires_at })
}
