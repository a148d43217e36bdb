//! The API as its callers see it, without a network.

mod approvals;
mod jwt;
mod keeping;
mod logins;
mod nodes;
mod refusals;
mod resources;
mod routes;
mod viewings;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use passerelle_auth::{Secret, hash_password};
use passerelle_config::{Config, Scope, SystemResolver};
use passerelle_recorder::audit::{AuditEvent, AuditKind};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::{Peer, router, tokens};
use crate::gateway::Gateway;

/// What every user's password is.
const PASSWORD: &str = "correct horse";

/// A gateway with one user of each role, and a target, `desk`. For `vault` a rule requires an approval and a reason,
/// for `safe` a second factor.
struct Site {
    gateway: Arc<Gateway>,
    router: Router,
    directory: TempDir,
    config: Config,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Site {
    async fn open() -> Self {
        Self::open_with("").await
    }

    async fn open_with(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hash = hash_password(&Secret::new(PASSWORD.to_owned()), [7; 16]).unwrap();
        let user = |name: &str, group: &str| {
            format!("- {{ name: {name}, groups: [{group}], password_hash: 'insecure-inline:{hash}' }}\n")
        };
        let text = format!(
            "data_dir: {data}\nlisten: {{ vnc: '127.0.0.1:0' }}\ntls: {{ self_signed: true }}\nusers:\n{users}\
             targets:\n- {{ name: desk, protocol: vnc, address: '127.0.0.1:9' }}\n\
             - {{ name: vault, protocol: vnc, address: '127.0.0.1:9' }}\n\
             - {{ name: safe, protocol: vnc, address: '127.0.0.1:9' }}\n\
             rules:\n- {{ name: all, groups: [helpdesk], users: [chief, auditor, admin], targets: ['*'], permissions: [view, pointer] }}\n\
             - {{ name: ask, users: ['*'], targets: [vault], permissions: [], require: [approval, reason] }}\n\
             - {{ name: prove, users: ['*'], targets: [safe], permissions: [], require: [second_factor] }}\n\
             roles: {{ administrator: [admins], supervisor: [chiefs], auditor: [auditors] }}\n\
             service_accounts:\n{accounts}recording: {{ disk: {{ refuse: 1MiB }} }}\n{more}",
            data = directory.path().display(),
            users = [
                user("alice", "helpdesk"),
                user("bob", "helpdesk"),
                user("chief", "chiefs"),
                user("auditor", "auditors"),
                user("admin", "admins"),
            ]
            .concat(),
            accounts = accounts(),
        );
        let config =
            Config::parse(&text, "p.yaml", &SystemResolver).unwrap_or_else(|errors| panic!("{errors}"));
        Self::start(directory, config.config).await
    }

    async fn start(directory: TempDir, config: Config) -> Self {
        let gateway = Gateway::open(config.clone()).await.unwrap();
        Self { router: router(gateway.clone()), gateway, directory, config }
    }

    /// The same gateway after a restart.
    async fn restart(self) -> Self {
        let Self { gateway, router, directory, config } = self;
        gateway.audit.close().await.unwrap();
        drop((gateway, router));
        Self::start(directory, config).await
    }

    /// What the audit log has of a kind.
    async fn audit_of(&self, kind: AuditKind) -> Vec<AuditEvent> {
        self.gateway.audit.append(AuditEvent::new(AuditKind::AuditRead)).await.unwrap();
        let lines = passerelle_recorder::audit::tail(&self.directory.path().join("audit"), 10_000).unwrap();
        lines.into_iter().map(|line| line.event).filter(|event| event.kind == kind).collect()
    }

    /// Sends a request from an address of the network.
    async fn send(&self, request: Request<Body>) -> Answer {
        let mut request = request;
        let peer = Peer::network("192.0.2.7".parse().unwrap(), None);
        if request.extensions().get::<ConnectInfo<Peer>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        self.send(request(method, path, token, body)).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, Some(token), None).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(token), Some(body)).await
    }

    async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, Some(token), None).await
    }

    async fn log_in(&self, user: &str, password: &str) -> Answer {
        let body = json!({ "username": user, "password": password });
        self.call(Method::POST, "/api/v1/login", None, Some(body)).await
    }

    /// The token of a user who has logged in.
    async fn token(&self, user: &str) -> String {
        let answer = self.log_in(user, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }
}

fn request(method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    match body {
        None => request.body(Body::empty()),
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
    }
    .unwrap()
}

/// The token of the service account that has this scope, or of the one that has all others.
fn service(scope: Scope, has: bool) -> String {
    format!("psa_{}-{}", if has { "has" } else { "lacks" }, scope.name())
}

/// For each scope an account that has just this, and one that has all others.
fn accounts() -> String {
    let mut text = String::new();
    for (index, scope) in Scope::ALL.iter().enumerate() {
        for has in [true, false] {
            let scopes: Vec<_> = Scope::ALL
                .iter()
                .filter(|other| (*other == scope) == has)
                .map(|scope| scope.name())
                .collect();
            let hash = tokens::hash(&service(*scope, has));
            let name = format!("{}-{index}", if has { "has" } else { "lacks" });
            text +=
                &format!("- {{ name: {name}, token_hash: 'sha256:{hash}', scopes: {} }}\n", json!(scopes));
        }
    }
    text + &format!(
        "- {{ name: old, token_hash: 'sha256:{}', scopes: ['users:read'], expires: 2020-01-01T00:00:00Z }}\n",
        tokens::hash("psa_old")
    )
}
