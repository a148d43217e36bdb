//! That every route is known, described, and closed to those who may not call it.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::api::access::{Access, ROUTES};
use crate::api::openapi;

/// A path with something in the place of its parameters.
fn example(route: &str) -> String {
    route
        .replace("{id}", "01arz3ndektsv4rrffq69g5fav")
        .replace("{key}", "everybody")
        .replace("{name}", "desk")
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let description: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let known: BTreeSet<_> =
        ROUTES.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
    assert_eq!(described, known);
    assert_eq!(known.len(), ROUTES.len(), "a route is there twice");
}

#[test]
fn the_description_in_the_repository_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let generated = openapi::text();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == generated,
        "gateway/openapi.json differs from the code; run `UPDATE_OPENAPI=1 cargo test -p passerelle up_to_date`"
    );
}

#[tokio::test]
async fn nobody_gets_in_without_a_login() {
    let site = Site::open_with("api: { requests_per_minute: 1000000 }\n").await;
    for (method, route, access) in ROUTES {
        let path = example(route);
        for token in [None, Some("pat_unknown"), Some("psa_unknown"), Some("psa_old"), Some("")] {
            let answer = site.call(method.clone(), &path, token, None).await;
            let refused = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(
                refused,
                *access != Access::Anybody,
                "{method} {path} with {token:?}: {}",
                answer.text
            );
            assert!(!refused || answer.headers["www-authenticate"] == "Bearer");
        }
    }
}

#[tokio::test]
async fn every_route_takes_its_scope() {
    let site = Site::open_with("api: { requests_per_minute: 1000000 }\n").await;
    for (method, route, access) in ROUTES {
        let path = example(route);
        let body = (*method == Method::POST).then(|| json!({}));
        let status = async |token: String| {
            let answer = site.call(method.clone(), &path, Some(&token), body.clone()).await;
            (answer.status, answer.json_detail())
        };
        match access {
            Access::Anybody | Access::Someone => {}
            Access::Owner => {
                for scope in Scope::ALL {
                    let (status, said) = status(service(*scope, false)).await;
                    assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {said}");
                }
            }
            Access::TakesOne(scopes) => {
                for scope in Scope::ALL {
                    let (status, said) = status(service(*scope, true)).await;
                    let refused = status == StatusCode::FORBIDDEN;
                    assert_eq!(refused, !scopes.contains(scope), "{method} {path} with {scope}: {said}");
                }
            }
            Access::Takes(scope) => {
                let (lacking, said) = status(service(*scope, false)).await;
                assert_eq!(lacking, StatusCode::FORBIDDEN, "{method} {path}");
                assert_eq!(said, format!("this takes the scope {scope}"));
                if !path.ends_with("/stream") {
                    let (having, said) = status(service(*scope, true)).await;
                    assert!(
                        !matches!(having.as_u16(), 401 | 403 | 500..),
                        "{method} {path}: {having} {said}"
                    );
                }
            }
        }
    }
    let refused = site.gateway.audit.clone();
    refused.close().await.unwrap();
    let log = passerelle_recorder::audit::tail(&site.directory.path().join("audit"), 10_000).unwrap();
    assert!(log.iter().any(|line| line.event.kind.name() == "api.refused"));
}

#[tokio::test]
async fn every_role_has_its_routes() {
    let site = Site::open_with("api: { requests_per_minute: 1000000 }\n").await;
    use Scope::*;
    let technician = [TicketsWrite, ApprovalsRead, TargetsRead, TargetsWake, SessionsRead];
    for (user, more) in [
        ("alice", &[] as &[Scope]),
        ("chief", &[SessionsWrite, SessionsKill, SessionsWatch, ApprovalsWrite]),
        ("auditor", &[RecordingsRead, RecordingsView, AuditRead, UsersRead, LockoutsRead]),
        ("admin", Scope::ALL),
    ] {
        let token = site.token(user).await;
        for (method, route, access) in ROUTES {
            let scopes = match access {
                Access::Takes(scope) => std::slice::from_ref(scope),
                Access::TakesOne(scopes) => scopes,
                Access::Anybody | Access::Someone | Access::Owner => continue,
            };
            let may = scopes.iter().any(|scope| technician.contains(scope) || more.contains(scope));
            if may && route.ends_with("/stream") {
                continue;
            }
            let answer = site.call(method.clone(), &example(route), Some(&token), None).await;
            assert_eq!(
                answer.status != StatusCode::FORBIDDEN,
                may,
                "{user} {method} {route}: {}",
                answer.text
            );
        }
    }
}

impl Answer {
    /// Why not, if not.
    fn json_detail(&self) -> String {
        serde_json::from_str::<Value>(&self.text)
            .ok()
            .and_then(|json| json["detail"].as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
