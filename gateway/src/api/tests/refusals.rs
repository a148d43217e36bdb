//! How requests are refused.

use super::*;

fn expect_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    for key in ["type", "title", "detail"] {
        assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {problem}");
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let site = Site::open().await;
    let alice = site.token("alice").await;
    expect_problem(&site.get("/api/v1/nothing", &alice).await, 404);
    expect_problem(&site.call(Method::PUT, "/api/v1/tickets", Some(&alice), None).await, 405);
    let mut large = request(Method::POST, "/api/v1/tickets", Some(&alice), Some(json!({})));
    *large.body_mut() = Body::from("x".repeat(70_000));
    expect_problem(&site.send(large).await, 413);
    let mut text = request(Method::POST, "/api/v1/tickets", Some(&alice), Some(json!({})));
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    expect_problem(&site.send(text).await, 415);
    let mut broken = request(Method::POST, "/api/v1/tickets", Some(&alice), Some(json!({})));
    *broken.body_mut() = Body::from("{");
    expect_problem(&site.send(broken).await, 400);
    expect_problem(&site.post("/api/v1/tickets", &alice, json!({ "target": 7 })).await, 422);
    expect_problem(&site.get("/api/v1/sessions?limit=0", &alice).await, 422);
    expect_problem(&site.get("/api/v1/sessions?limit=many", &alice).await, 400);
    expect_problem(&site.get("/api/v1/sessions/%FF", &alice).await, 400);
    expect_problem(&site.get("/api/v1/users", &alice).await, 403);
    expect_problem(&site.get("/api/v1/me", "pat_").await, 401);
}

#[tokio::test]
async fn every_answer_has_an_id_and_keeps_browsers_away() {
    let site = Site::open().await;
    let mut asked = request(Method::GET, "/api/v1/me", None, None);
    asked.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    let answer = site.send(asked).await;
    assert_eq!(answer.headers["x-request-id"], "mine-1");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
}

#[tokio::test]
async fn who_calls_too_often_waits() {
    let site = Site::open_with("api: { requests_per_minute: 3 }\n").await;
    let token = service(Scope::UsersRead, true);
    for remaining in [2, 1, 0] {
        let answer = site.get("/api/v1/users", &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!(answer.headers["ratelimit"].to_str().unwrap().contains(&format!("r={remaining};")));
        assert_eq!(answer.headers["ratelimit-policy"], "\"default\";q=3;w=60");
    }
    let answer = site.get("/api/v1/users", &token).await;
    expect_problem(&answer, 429);
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 20);
    // Others are not touched, nor those who have no token.
    assert_eq!(site.get("/api/v1/me", &service(Scope::AuditRead, true)).await.status, StatusCode::OK);
    expect_problem(&site.call(Method::GET, "/api/v1/me", None, None).await, 401);
}

/// The requests of this test come from 192.0.2.7.
#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_told_apart() {
    let site =
        Site::open_with("api: { requests_per_minute: 2, trusted_proxies: [192.0.2.0/24, 10.0.0.1] }\n").await;
    let ask = async |forwarded: &str| {
        let mut asked = request(Method::GET, "/api/v1/me", None, None);
        asked.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        // Not the header that was agreed on.
        asked.headers_mut().insert("forwarded", "for=203.0.113.1".parse().unwrap());
        site.send(asked).await
    };
    for status in [401, 401, 429] {
        expect_problem(&ask("198.51.100.1").await, status);
    }
    // What somebody wrote before it makes nobody else of them.
    expect_problem(&ask("203.0.113.9, 198.51.100.1").await, 429);
    expect_problem(&ask("10.9.9.9, 198.51.100.1, 10.0.0.1").await, 429);
    expect_problem(&ask("198.51.100.2").await, 401);
    let answer = ask("nobody").await;
    expect_problem(&answer, 400);
    assert!(answer.text.contains("X-Forwarded-For"), "{}", answer.text);
    // The proxy itself.
    expect_problem(&site.call(Method::GET, "/api/v1/me", None, None).await, 401);

    let site = Site::open_with("api: { requests_per_minute: 2, trusted_proxies: [10.0.0.1] }\n").await;
    for (forwarded, status) in [("198.51.100.1", 401), ("198.51.100.2", 401), ("nobody", 429)] {
        let mut asked = request(Method::GET, "/api/v1/me", None, None);
        asked.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        expect_problem(&site.send(asked).await, status);
    }
}

#[tokio::test]
async fn a_gateway_that_stops_is_alive_and_not_ready() {
    let site = Site::open().await;
    let ask = async |path| site.call(Method::GET, path, None, None).await;
    assert_eq!(ask("/readyz").await.status, StatusCode::OK);
    site.gateway.stopping.cancel();
    expect_problem(&ask("/readyz").await, 503);
    assert_eq!(ask("/healthz").await.status, StatusCode::OK);
}
