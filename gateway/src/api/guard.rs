//! What happens to every request before and after its handler.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use passerelle_auth::{AttemptKey, is_jwt};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::access::{self, Access};
use super::forwarded;
use super::principal::{Kind, Principal};
use super::problem::{Problem, from_framework};
use super::server::Peer;
use super::{login, tokens};
use crate::ambient;
use crate::gateway::Gateway;

/// How long a request may take up to the head of its answer, its body's arrival included.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest body of a request, in bytes.
const BODY: usize = 64 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over from a caller.
const LONGEST_ID: usize = 64;

/// Gives the request an id, a span and a time limit, and the answer its headers and form.
pub(super) async fn frame(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let path: String = request.uri().path().chars().take(200).collect();
    let span = tracing::info_span!("request", id, method = %request.method(), path, client = Empty);
    let located = locate(&gateway, &mut request, &span);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let answer = finished(async {
        let request = whole(request).await;
        match located.and(request) {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    });
    let mut response = answer.instrument(span).await;
    gateway.metrics.request(&method, route.as_deref().unwrap_or("none"), response.status());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Gives an answer its time, its form and its headers.
pub(super) async fn finished(answer: impl Future<Output = Response>) -> Response {
    let late = || {
        let status = StatusCode::REQUEST_TIMEOUT;
        Problem::new(status, "timeout", "the request took too long").into_response()
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let mut response = from_framework(answer.unwrap_or_else(|_| late())).await;
    tracing::debug!(status = response.status().as_u16(), "answered");
    harden(response.headers_mut());
    response
}

/// Replaces the address of a trusted proxy by the one that the proxy got the request from.
fn locate(gateway: &Gateway, request: &mut Request, span: &Span) -> Result<(), Problem> {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>() else { return Ok(()) };
    let Some(address) = peer.address() else { return Ok(()) };
    let policy = gateway.policy();
    let api = &policy.config.api;
    let client = forwarded::client(address, &api.trusted_proxies, api.forwarded_header, request.headers())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "forwarded", error))?;
    if client != address {
        span.record("client", tracing::field::display(client));
        let peer = peer.calling_from(client);
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    Ok(())
}

/// The request with its body at hand. A connection on which a request is refused before its body has arrived would
/// have to be closed, and the client that reuses it would not learn why.
pub(super) async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, BODY).collect().await {
        Ok(body) => Ok(Request::from_parts(parts, Body::from(body.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format_args!("the body is larger than {BODY} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "", detail))
        }
        Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, "", error)),
    }
}

/// The caller's own id if it is a harmless one, or else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(sign)
    };
    match headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(harmless) {
        Some(id) => id.to_owned(),
        None => {
            let mut random = [0; 16];
            ambient::random(&mut random);
            HEXLOWER.encode(&random)
        }
    }
}

/// What browsers shall not do with an answer, should one ever show it.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Lets through who may call the route, and not too often.
pub(super) async fn guard(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(needed) = access::needed(request.method(), path.as_str()) else {
        return no_such_method(path.as_str());
    };
    let principal = authenticate(&gateway, &peer, needed, request.headers()).await;
    let caller = match (&principal, peer.address()) {
        (Ok(Some(principal)), _) if principal.kind == Kind::Owner => None,
        (Ok(Some(principal)), _) => Some(principal.by()),
        (Ok(None) | Err(_), address) => address.map(|address| AttemptKey::address(address).to_string()),
    };
    let limit = gateway.policy().config.api.requests_per_minute;
    let quota = caller.map(|caller| gateway.rates.count(caller, limit, ambient::now()));
    let mut response = match quota.and_then(|quota| quota.wait()) {
        Some(seconds) => {
            let detail = format_args!("more than {limit} requests in a minute");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail).retry_after(seconds).into_response()
        }
        None => match allowed(&gateway, principal, needed, path.as_str()) {
            Ok(principal) => {
                if let Some(principal) = principal {
                    peer.is_known();
                    request.extensions_mut().insert(principal);
                }
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        },
    };
    if let Some(quota) = quota {
        quota.write(response.headers_mut());
    }
    response
}

/// The answer to a request with a method that its route does not have.
pub(super) fn no_such_method(path: &str) -> Response {
    let allow = access::methods(path).join(", ");
    let detail = format_args!("this route has the methods {allow}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "", detail);
    ([(ALLOW, allow)], problem).into_response()
}

/// Who calls; nobody when no credentials came with the request.
async fn authenticate(
    gateway: &Gateway,
    peer: &Peer,
    needed: Access,
    headers: &HeaderMap,
) -> Result<Option<Principal>, Problem> {
    match peer {
        Peer::Owner(name) => Ok(Some(Principal::owner(name.clone()))),
        Peer::Network { address, .. } => {
            let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
            let token = header.to_str().ok().and_then(|header| {
                let (scheme, token) = header.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
            });
            let token = token.ok_or_else(|| Problem::unauthorized("send `Authorization: Bearer TOKEN`"))?;
            let policy = gateway.policy();
            let principal = if is_jwt(token) && !policy.issuers.is_empty() {
                if needed == Access::Anybody {
                    // It is good once and not to be used up where it is not needed.
                    return Ok(None);
                }
                let identity = login::by_token(gateway, token, *address).await?;
                let principal = tokens::principal(&identity, &policy.config);
                principal
                    .ok_or_else(|| Problem::unauthorized("the token's issuer is no longer configured"))?
            } else {
                tokens::authenticate(gateway, token, ambient::now()).await?
            };
            Ok(Some(Principal { address: Some(*address), ..principal }))
        }
    }
}

fn allowed(
    gateway: &Gateway,
    principal: Result<Option<Principal>, Problem>,
    needed: Access,
    path: &str,
) -> Result<Option<Principal>, Problem> {
    if needed == Access::Anybody {
        // A login must work although the client sends an old token along.
        return Ok(principal.unwrap_or_default());
    }
    let principal = principal?.ok_or_else(|| Problem::unauthorized("log in first: POST /api/v1/login"))?;
    principal.may(needed).inspect_err(|problem| {
        let mut event = AuditEvent::new(AuditKind::ApiRefused)
            .outcome(Outcome::Refused)
            .message(&*problem.detail)
            .detail("by", principal.by())
            .detail("route", path);
        event.address = principal.address.map(|address| address.to_string());
        gateway.audit.note(event);
    })?;
    Ok(Some(principal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_callers_are_taken_over_if_they_are_harmless() {
        let with = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            request_id(&headers)
        };
        assert_eq!(with("a-1_b.C"), "a-1_b.C");
        for other in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(with(other).len(), 32, "{other}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
