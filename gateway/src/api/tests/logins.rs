//! Logging in and out.

use super::*;

#[tokio::test]
async fn a_login_gives_a_token_until_it_is_given_back() {
    let site = Site::open().await;
    let answer = site.log_in("chief", PASSWORD).await.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer["scopes"].as_array().unwrap().contains(&json!("sessions:kill")));
    let token = answer["token"].as_str().unwrap();
    let me = site.get("/api/v1/me", token).await.json();
    assert_eq!(
        (&me["name"], &me["kind"], &me["roles"]),
        (&json!("chief"), &json!("user"), &json!(["supervisor"]))
    );
    assert_eq!(me["expires_at"], answer["expires_at"]);
    assert_eq!(site.post("/api/v1/logout", token, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get("/api/v1/me", token).await.status, StatusCode::UNAUTHORIZED);
    let service = service(Scope::UsersRead, true);
    assert_eq!(
        site.post("/api/v1/logout", &service, json!({})).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn tokens_end_by_themselves() {
    let site = Site::open_with("api: { token_life: 1s }\n").await;
    let token = site.token("alice").await;
    assert_eq!(site.get("/api/v1/me", &token).await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(site.get("/api/v1/me", &token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_store_does_not_have_tokens_in_clear() {
    let site = Site::open().await;
    let token = site.token("alice").await;
    let random = token.strip_prefix("pat_").unwrap().as_bytes();
    for entry in std::fs::read_dir(site.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(random.len()).any(|window| window == random), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn failed_logins_lock_until_an_administrator_clears_them() {
    let lockout = "lockout: { technician: { free: 2, first: 1h, longest: 2h, forget: 2h } }\n";
    let site = Site::open_with(lockout).await;
    let mut said = std::collections::BTreeSet::new();
    for user in ["alice", "nobody"] {
        for _ in 0..2 {
            let refused = site.log_in(user, "wrong").await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            said.insert(refused.text);
        }
    }
    assert_eq!(said.len(), 1, "the answer tells who exists: {said:?}");
    site.log_in("alice", "wrong").await;
    let locked = site.log_in("alice", PASSWORD).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS, "{}", locked.text);
    assert!(locked.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 3000);

    let admin = site.token("admin").await;
    let listed = site.get("/api/v1/lockouts", &admin).await.json();
    assert_eq!(listed["items"][0]["key"], "identity alice", "{listed}");
    let path = "/api/v1/lockouts/identity%20alice";
    assert_eq!(site.delete(path, &admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.delete(path, &admin).await.status, StatusCode::NOT_FOUND);
    site.token("alice").await;
}

#[tokio::test]
async fn the_gateways_own_user_needs_no_login() {
    let site = Site::open().await;
    let mut asked = request(Method::GET, "/api/v1/status", None, None);
    asked.extensions_mut().insert(ConnectInfo(Peer::Owner("uid 7".to_owned())));
    let answer = site.send(asked).await;
    assert_eq!((answer.status, &answer.json()["sessions"]), (StatusCode::OK, &json!(0)));
    assert!(!answer.headers.contains_key("ratelimit"));
}
