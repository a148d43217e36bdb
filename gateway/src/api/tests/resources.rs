//! Tickets, sessions, recordings and the audit log.

use passerelle_auth::{Fence, Method as Proof, SessionId, TicketId, Timestamp};
use passerelle_desktop::{Permission, Permissions};

use super::*;
use crate::session::{Blackouts, Entry, Facts, Registered};

fn wanted(technician: &str) -> Value {
    json!({ "technician": technician, "target": "desk", "permissions": ["view"] })
}

#[tokio::test]
async fn tickets_are_for_oneself_unless_one_is_trusted() {
    let site = Site::open().await;
    let alice = site.token("alice").await;
    let ticket = site.post("/api/v1/tickets", &alice, wanted("alice")).await;
    assert_eq!(ticket.status, StatusCode::CREATED, "{}", ticket.text);
    let ticket = ticket.json();
    assert_eq!((&ticket["username"], &ticket["permissions"]), (&json!("alice:desk"), &json!(["view"])));
    let chief = site.token("chief").await;
    for token in [&alice, &chief] {
        assert_eq!(site.post("/api/v1/tickets", token, wanted("bob")).await.status, StatusCode::FORBIDDEN);
    }
    let portal = service(Scope::TicketsWrite, true);
    for token in [&portal, &site.token("admin").await] {
        assert_eq!(site.post("/api/v1/tickets", token, wanted("bob")).await.status, StatusCode::CREATED);
    }
    for (body, status) in [
        (json!({ "technician": "alice", "target": "nowhere" }), 422),
        (json!({ "technician": "alice", "target": "desk", "permissions": ["fly"] }), 422),
        (json!({ "technician": "alice", "target": "desk", "permissions": ["keyboard"] }), 403),
        (json!({ "technician": "alice", "target": "desk", "life_seconds": 100_000 }), 422),
    ] {
        let answer = site.post("/api/v1/tickets", &alice, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
    }
    let path = format!("/api/v1/tickets/{}", ticket["id"].as_str().unwrap());
    assert_eq!(site.delete(&path, &alice).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.delete(&path, &alice).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.delete("/api/v1/tickets/nonsense", &alice).await.status, StatusCode::NOT_FOUND);
}

/// A session that nobody drives.
fn session(site: &Site, number: u8, technician: &str) -> Registered {
    let facts = Facts {
        id: SessionId::from_bytes([number; 16]),
        node: site.gateway.node.clone(),
        technician: technician.into(),
        target: "desk".into(),
        protocol: "vnc".into(),
        method: Proof::Ticket,
        ticket: Some(TicketId::new(Timestamp::from_millis(0), &mut |bytes| bytes.fill(1))),
        approved_by: None,
        address: ([127, 0, 0, 1], 1).into(),
        viewer_security: "VncAuth".into(),
        started: Timestamp::from_millis(0),
        recorded: true,
    };
    let granted = Permissions::NONE.with(Permission::View).with(Permission::Pointer);
    site.gateway.registry.enter(Entry::new(facts, granted, Fence(1), None, Blackouts::new(None)))
}

#[tokio::test]
async fn sessions_are_shown_changed_and_ended() {
    let site = Site::open().await;
    let _bobs = session(&site, 1, "bob");
    let alices = session(&site, 2, "alice");
    let id = alices.entry.facts.id.to_string();
    let (alice, bob, chief) = (site.token("alice").await, site.token("bob").await, site.token("chief").await);

    let listed = |answer: Answer| -> Vec<String> {
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["technician"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(site.get("/api/v1/sessions", &alice).await), ["alice"]);
    assert_eq!(listed(site.get("/api/v1/sessions", &chief).await), ["bob", "alice"]);
    assert_eq!(listed(site.get("/api/v1/sessions?technician=alice", &chief).await), ["alice"]);
    let first = site.get("/api/v1/sessions?limit=1", &chief).await.json();
    let rest = format!("/api/v1/sessions?limit=1&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(listed(site.get(&rest, &chief).await), ["alice"]);

    let path = format!("/api/v1/sessions/{id}");
    assert_eq!(site.get(&path, &bob).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&path, &alice).await.json()["phase"], "connecting");

    let permissions = format!("{path}/permissions");
    let more = site.post(&permissions, &chief, json!({ "permissions": ["view", "keyboard"] })).await;
    assert_eq!(more.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", more.text);
    let less = site.post(&permissions, &chief, json!({ "permissions": ["view"] })).await;
    assert_eq!(less.json()["permissions"], json!(["view"]));

    let kill = format!("{path}/kill");
    assert_eq!(site.post(&kill, &alice, json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.post(&kill, &chief, json!({ "reason": "enough" })).await.status, StatusCode::OK);
    assert_eq!(alices.entry.stopped().await.name(), "killed");
    assert_eq!(
        site.post("/api/v1/sessions/none/kill", &chief, json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn recordings_are_listed_and_verified() {
    let site = Site::open().await;
    let auditor = site.token("auditor").await;
    assert_eq!(site.get("/api/v1/recordings", &auditor).await.json()["items"], json!([]));
    let (recorder, facts) =
        (site.gateway.recorder.clone(), json!({ "technician": "alice", "target": "desk" }));
    let id = SessionId::from_bytes([3; 16]).to_string();
    let recording = tokio::task::spawn_blocking({
        let id = id.clone();
        move || recorder.open(&id, &facts).unwrap()
    });
    recording.await.unwrap().close("viewer_closed").await.unwrap();

    let listed = site.get("/api/v1/recordings?technician=alice&state=sealed", &auditor).await.json();
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["end"]),
        (&json!(id), &json!("viewer_closed"))
    );
    assert_eq!(site.get("/api/v1/recordings?technician=bob", &auditor).await.json()["items"], json!([]));
    let path = format!("/api/v1/recordings/{id}");
    assert_eq!(site.get(&path, &auditor).await.json()["facts"]["target"], "desk");
    let found = site.post(&format!("{path}/verify"), &auditor, json!({})).await.json();
    assert_eq!((&found["intact"], &found["verdict"]), (&json!(true), &json!("sealed")), "{found}");
    for id in ["..%2Faudit", "none", "a.b"] {
        assert_eq!(
            site.get(&format!("/api/v1/recordings/{id}"), &auditor).await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn the_audit_log_is_queried() {
    let site = Site::open().await;
    for user in ["alice", "bob", "chief"] {
        site.token(user).await;
    }
    let auditor = site.token("auditor").await;
    let names = |json: &Value| -> Vec<Value> {
        json["items"].as_array().unwrap().iter().map(|item| item["technician"].clone()).collect()
    };
    let path = "/api/v1/audit?kind=login.accepted&limit=3";
    let first = site.get(path, &auditor).await.json();
    assert_eq!(names(&first), ["auditor", "chief", "bob"]);
    let rest = site.get(&format!("{path}&cursor={}", first["next"].as_str().unwrap()), &auditor).await.json();
    assert_eq!(names(&rest), ["alice"]);
    assert_eq!(rest.get("next"), None);
    assert_eq!(names(&site.get("/api/v1/audit?kind=login.&technician=bob", &auditor).await.json()), ["bob"]);
    assert_eq!(names(&site.get("/api/v1/audit?until=2020-01-01T00:00:00Z", &auditor).await.json()), [""; 0]);
    assert_eq!(
        site.get("/api/v1/audit?since=yesterday", &auditor).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let reads = site.get("/api/v1/audit?kind=audit.read", &auditor).await.json();
    assert!(reads["items"].as_array().unwrap().len() >= 3, "{reads}");
    assert_eq!(AuditKind::AuditRead.name(), "audit.read");
}

#[tokio::test]
async fn users_are_listed_without_their_secrets() {
    let site = Site::open().await;
    let answer = site.get("/api/v1/users", &site.token("admin").await).await;
    assert!(!answer.text.contains("argon2"), "{}", answer.text);
    let alice = &answer.json()["items"][0];
    assert_eq!(
        (&alice["name"], &alice["has_password"], &alice["roles"]),
        (&json!("alice"), &json!(true), &json!([]))
    );
}

#[tokio::test]
async fn targets_are_added_replaced_and_removed() {
    let site = Site::open().await;
    let admin = site.token("admin").await;
    let path = "/api/v1/targets/annex";
    let put = async |headers: &[(&'static str, &str)], body: Value| {
        let mut asked = request(Method::PUT, path, Some(&admin), Some(body));
        for (name, value) in headers {
            asked.headers_mut().insert(*name, value.parse().unwrap());
        }
        site.send(asked).await
    };
    let annex = |port: u16| {
        let address = format!("127.0.0.1:{port}");
        json!({ "protocol": "vnc", "address": address, "tags": ["new"], "credentials": { "password": "hunter2secret" } })
    };
    let added = put(&[("if-none-match", "*")], annex(9)).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let shown = site.get(path, &admin).await;
    assert_eq!((&shown.json()["source"], &shown.json()["has_password"]), (&json!("api"), &json!(true)));
    assert!(!shown.text.contains("hunter2secret"));
    let first = shown.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(added.headers["etag"], *first);
    // It can be connected to at once.
    let ticket =
        site.post("/api/v1/tickets", &admin, json!({ "technician": "alice", "target": "annex" })).await;
    assert_eq!(ticket.status, StatusCode::CREATED, "{}", ticket.text);

    assert_eq!(put(&[("if-none-match", "*")], annex(8)).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put(&[("if-match", &first)], annex(8)).await.status, StatusCode::OK);
    assert_eq!(put(&[("if-match", &first)], annex(7)).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put(&[("if-match", "W/1")], annex(7)).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(site.get(path, &admin).await.json()["address"], "127.0.0.1:8");
    let wrong = put(&[], json!({ "protocol": "vnc", "adress": "127.0.0.1:9" })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("did you mean"), "{}", wrong.text);

    let desk = site.call(Method::PUT, "/api/v1/targets/desk", Some(&admin), Some(annex(9))).await;
    assert_eq!(desk.status, StatusCode::CONFLICT, "{}", desk.text);
    assert_eq!(site.delete("/api/v1/targets/desk", &admin).await.status, StatusCode::CONFLICT);
    let listed = site.get("/api/v1/targets?tag=new", &admin).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");

    // The password is not in the store in clear.
    for entry in std::fs::read_dir(site.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(13).any(|window| window == b"hunter2secret"));
    }
    assert_eq!(site.delete(path, &admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get(path, &admin).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.delete(path, &admin).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn technicians_see_the_targets_that_they_may_connect_to() {
    let site = Site::open().await;
    let alice = site.token("alice").await;
    let listed = site.get("/api/v1/targets", &alice).await.json();
    assert_eq!(listed["items"][0]["name"], "desk", "{listed}");
    assert_eq!(site.get("/api/v1/targets?protocol=rdp", &alice).await.json()["items"], json!([]));
    assert_eq!(site.get("/api/v1/targets/nowhere", &alice).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let site = Site::open().await;
    let (alice, admin) = (site.token("alice").await, site.token("admin").await);
    let ask = async |token: &str, key: &str, body: Value| {
        let mut asked = request(Method::POST, "/api/v1/tickets", Some(token), Some(body));
        asked.headers_mut().insert("idempotency-key", key.parse().unwrap());
        site.send(asked).await
    };
    let first = ask(&alice, "k1", wanted("alice")).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let again = ask(&alice, "k1", wanted("alice")).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_ne!(ask(&alice, "k2", wanted("alice")).await.text, first.text);
    assert_ne!(ask(&admin, "k1", wanted("alice")).await.text, first.text, "another's key");
    let other = json!({ "technician": "alice", "target": "desk" });
    assert_eq!(ask(&alice, "k1", other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // What failed can be tried again.
    let wrong = json!({ "technician": "alice", "target": "nowhere" });
    for _ in 0..2 {
        assert_eq!(ask(&alice, "k3", wrong.clone()).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(ask(&alice, "k3", wanted("alice")).await.status, StatusCode::CREATED);
    assert_eq!(ask(&alice, "", wanted("alice")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ticket = first.json()["ticket"].as_str().unwrap().as_bytes().to_vec();
    let store = std::fs::read(site.directory.path().join("store.sqlite-wal")).unwrap();
    assert!(!store.windows(ticket.len()).any(|window| window == ticket));
}

/// The next event of a stream, without its data.
pub(super) async fn next_event(body: &mut Body) -> String {
    use http_body_util::BodyExt as _;
    let wait = std::time::Duration::from_secs(20);
    loop {
        let frame = tokio::time::timeout(wait, body.frame()).await.unwrap().unwrap().unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        if let Some(name) = text.lines().find_map(|line| line.strip_prefix("event: ")) {
            return name.to_owned();
        }
    }
}

pub(super) async fn follow(site: &Site, path: &str, token: &str) -> Body {
    let mut asked = request(Method::GET, path, Some(token), None);
    asked.extensions_mut().insert(ConnectInfo(Peer::network("192.0.2.7".parse().unwrap(), None)));
    let response = site.router.clone().oneshot(asked).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

#[tokio::test]
async fn sessions_and_the_audit_log_are_followed() {
    let site = Site::open().await;
    let (alice, auditor) = (site.token("alice").await, site.token("auditor").await);
    let mut log = follow(&site, "/api/v1/audit/stream?kind=login.", &auditor).await;
    let mut sessions = follow(&site, "/api/v1/sessions/stream", &alice).await;
    let _bobs = session(&site, 1, "bob");
    let alices = session(&site, 2, "alice");
    assert_eq!(next_event(&mut sessions).await, "started");
    alices.entry.permissions.send_replace(Permissions::NONE);
    assert_eq!(next_event(&mut sessions).await, "changed");
    drop(alices);
    assert_eq!(next_event(&mut sessions).await, "ended");
    site.token("bob").await;
    assert_eq!(next_event(&mut log).await, "login.accepted");
}
