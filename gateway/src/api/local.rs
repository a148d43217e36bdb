//! The API on an auditor's own machine: recordings and nothing else, for whoever has the address that
//! `passerelle recordings open` printed.
//!
//! Other users of the machine reach the port, and so do pages of other sites in the auditor's browser. The first do not
//! know the token. The second send an `Origin` or, when they made their own name point here (DNS rebinding), a `Host` of
//! another name.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use passerelle_auth::Secret;
use subtle::ConstantTimeEq as _;
use utoipa_axum::router::OpenApiRouter;

use super::principal::Principal;
use super::problem::Problem;
use super::{access, contents, guard, login, recordings, viewing, views};
use crate::collection::Recordings;
use crate::web;

/// Who is let in.
pub(crate) struct Door {
    /// What browsers call this place.
    hosts: Vec<String>,
    token: Secret,
}

impl Door {
    /// For those who come to `address` and have `token`.
    pub(crate) fn new(address: SocketAddr, token: Secret) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("localhost:{port}")];
        if port == 80 {
            // Browsers leave it out.
            hosts.extend([address.ip().to_string(), "localhost".to_owned()]);
        }
        Self { hosts, token }
    }

    fn is_here(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether the request was meant for this place, and comes from a page of it if it comes from any.
    fn check_place(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let named = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let mut named = named.chain(uri.authority().map(axum::http::uri::Authority::as_str)).peekable();
        if named.peek().is_none() || !named.all(|host| self.is_here(host)) {
            let why = "this is no name of this place";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host", why));
        }
        let ours = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| self.is_here(host));
        if headers.get_all(ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(ours)) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "origin", "another site's page asks"));
        }
        Ok(())
    }

    /// Whether the caller has the token.
    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let shown =
            headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        if shown.is_some_and(|shown| shown.as_bytes().ct_eq(self.token.expose().as_bytes()).into()) {
            Ok(())
        } else {
            let why = "open the address that `passerelle recordings open` printed last";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "local", why))
        }
    }
}

/// The API for `recordings`, with the web application.
pub(crate) fn local_router(recordings: Recordings, door: Door) -> Router {
    let door = Arc::new(door);
    let resources = OpenApiRouter::new()
        .merge(recordings::routes())
        .merge(viewing::routes())
        .merge(contents::routes())
        .merge(views::routes())
        .merge(login::me_routes());
    let (api, _) = OpenApiRouter::new().nest("/api/v1", resources).split_for_parts();
    api.route_layer(from_fn_with_state(door.clone(), caller))
        .merge(web::routes())
        .layer(from_fn_with_state(door, place))
        .with_state(recordings)
}

/// Lets through what is meant for this place.
async fn place(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    guard::finished(async {
        match door.check_place(request.uri(), request.headers()) {
            Ok(()) => match guard::whole(request).await {
                Ok(request) => next.run(request).await,
                Err(problem) => problem.into_response(),
            },
            Err(problem) => problem.into_response(),
        }
    })
    .await
}

/// Lets through who has the token, to what an auditor may do.
async fn caller(
    State(door): State<Arc<Door>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(needed) = access::needed(request.method(), path.as_str()) else {
        return guard::no_such_method(path.as_str());
    };
    let principal = Principal::local();
    match door.check_token(request.headers()).and_then(|()| principal.may(needed)) {
        Ok(()) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn door(address: &str) -> Door {
        Door::new(address.parse().unwrap(), Secret::new("correct".to_owned()))
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_what_is_meant_for_this_place_comes_in() {
        let here = door("127.0.0.1:4000");
        let at = |uri: &str, lines: &[(HeaderName, &str)]| {
            here.check_place(&uri.parse().unwrap(), &headers(lines)).map_err(|problem| problem.status)
        };
        let host = |host: &'static str| (HOST, host);
        for good in ["127.0.0.1:4000", "localhost:4000", "LOCALHOST:4000"] {
            assert_eq!(at("/", &[host(good)]), Ok(()), "{good}");
            let origin = format!("http://{good}");
            assert_eq!(at("/", &[host(good), (ORIGIN, &*origin)]), Ok(()), "{good}");
        }
        assert_eq!(at("http://127.0.0.1:4000/", &[]), Ok(()), "HTTP/2 names the place so");
        for bad in [
            "evil.example:4000",
            "127.0.0.1",
            "127.0.0.1:4001",
            "localhost",
            "localhost.:4000",
            "[::1]:4000",
            "",
        ] {
            assert_eq!(at("/", &[host(bad)]), Err(421), "{bad}");
        }
        assert_eq!(at("/", &[]), Err(421), "somebody who names no place");
        assert_eq!(at("http://evil.example:4000/", &[host("127.0.0.1:4000")]), Err(421));
        for bad in ["http://evil.example", "null", "https://127.0.0.1:4000", "http://127.0.0.1:4001", ""] {
            assert_eq!(at("/", &[host("127.0.0.1:4000"), (ORIGIN, bad)]), Err(403), "{bad}");
        }
        let six = door("[::1]:80");
        for good in ["[::1]:80", "::1", "localhost"] {
            assert!(six.is_here(good), "{good}");
        }
    }

    #[test]
    fn only_who_has_the_token_is_let_in() {
        let here = door("127.0.0.1:4000");
        assert!(here.check_token(&headers(&[(AUTHORIZATION, "Bearer correct")])).is_ok());
        for wrong in
            ["Bearer wrong", "Bearer correct1", "Bearer correc", "Bearer ", "Basic correct", "correct", ""]
        {
            let refused = here.check_token(&headers(&[(AUTHORIZATION, wrong)])).unwrap_err();
            assert_eq!(refused.status, 401, "{wrong}");
        }
        assert!(here.check_token(&HeaderMap::new()).is_err());
    }
}
