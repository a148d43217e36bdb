//! Viewing recordings: who, for which reason, and what of them.

use passerelle_auth::SessionId;
use passerelle_recorder::{Class, Recording};

use super::*;

impl Site {
    /// A recording that has begun.
    async fn record(&self, number: u8, facts: Value) -> (String, Recording) {
        let (recorder, id) = (self.gateway.recorder.clone(), SessionId::from_bytes([number; 16]).to_string());
        let recording = tokio::task::spawn_blocking({
            let id = id.clone();
            move || recorder.open(&id, &facts).unwrap()
        });
        (id, recording.await.unwrap())
    }

    /// A recording with two events.
    async fn recorded(&self, number: u8) -> String {
        let (id, recording) = self.record(number, json!({ "technician": "alice", "target": "desk" })).await;
        recording.event("desktop.resized", json!({ "width": 640, "height": 480 })).unwrap();
        recording.event("session.ended", json!({ "reason": "viewer_closed" })).unwrap();
        recording.close("viewer_closed").await.unwrap();
        id
    }

    /// Asks with a viewing.
    async fn view(&self, path: &str, token: &str, viewing: &str) -> Answer {
        let mut request = request(Method::GET, path, Some(token), None);
        request.headers_mut().insert("passerelle-viewing", viewing.parse().unwrap());
        self.send(request).await
    }

    async fn viewing(&self, id: &str, token: &str) -> String {
        let path = format!("/api/v1/recordings/{id}/viewings");
        let answer = self.post(&path, token, json!({ "reason": "ticket 4711" })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["viewing"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_recording_is_viewed_for_a_reason_and_the_audit_log_tells_who_why_and_what() {
    let site = Site::open().await;
    let (id, other) = (site.recorded(3).await, site.recorded(4).await);
    let path = format!("/api/v1/recordings/{id}");
    let (events, viewings) = (format!("{path}/events"), format!("{path}/viewings"));
    let auditor = site.token("auditor").await;

    for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let answer = site.post(&viewings, &auditor, json!({ "reason": reason })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{reason}: {}", answer.text);
    }
    assert_eq!(site.get(&events, &auditor).await.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(site.audit_of(AuditKind::RecordingViewing).await.is_empty());

    let viewing = site.viewing(&id, &auditor).await;
    let told = site.audit_of(AuditKind::RecordingViewing).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0].detail["by"], &told[0].detail["reason"]),
        (&json!("auditor"), &json!("ticket 4711"))
    );
    assert_eq!(told[0].session.as_deref(), Some(&*id));

    let answer = site.view(&events, &auditor, &viewing).await.json();
    let kinds: Vec<_> = answer["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["desktop.resized", "session.ended"], "{answer}");
    assert_eq!(answer["events"][0]["detail"]["width"], 640);
    site.gateway.tell_viewed();
    let viewed = site.audit_of(AuditKind::RecordingViewed).await;
    assert_eq!(viewed.len(), 1);
    assert_eq!(
        (&viewed[0].detail["by"], &viewed[0].detail["viewing"]),
        (&json!("auditor"), &told[0].detail["viewing"])
    );
    assert!(viewed[0].detail["events"].is_array(), "{viewed:?}");

    // Nobody else's, not for another recording, not from another login, not when that is over.
    let again = site.token("auditor").await;
    let admin = site.token("admin").await;
    let elsewhere = format!("/api/v1/recordings/{other}/events");
    for (path, token) in [(&events, &again), (&events, &admin), (&elsewhere, &auditor)] {
        let answer = site.view(path, token, &viewing).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert_eq!(answer.json()["type"], "urn:passerelle:problem:viewing");
    }
    assert_eq!(site.view(&events, &auditor, "nonsense").await.status, StatusCode::FORBIDDEN);
    site.post("/api/v1/logout", &auditor, json!({})).await;
    assert_eq!(site.view(&events, &auditor, &viewing).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn supervisors_watch_sessions_that_run_and_technicians_view_nothing() {
    let site = Site::open().await;
    let (id, recording) = site.record(5, json!({ "technician": "alice" })).await;
    let path = format!("/api/v1/recordings/{id}/viewings");
    let reason = json!({ "reason": "helps a colleague" });
    let (alice, chief) = (site.token("alice").await, site.token("chief").await);
    assert_eq!(site.post(&path, &alice, reason.clone()).await.status, StatusCode::FORBIDDEN);
    let viewing = site.viewing(&id, &chief).await;
    let events = format!("/api/v1/recordings/{id}/events");
    assert_eq!(site.view(&events, &chief, &viewing).await.status, StatusCode::FORBIDDEN);
    recording.close("viewer_closed").await.unwrap();
    assert_eq!(site.post(&path, &chief, reason).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_the_gateway_cannot_read_is_said_to_be_so() {
    let site = Site::open().await;
    let auditor = site.token("auditor").await;
    let (sealed, erased) = (site.recorded(3).await, site.recorded(4).await);
    let recordings = site.directory.path().join("recordings");
    passerelle_recorder::erase(&recordings.join(&erased), Class::Events).unwrap();
    let ask = async |id: &str| {
        let viewing = site.viewing(id, &auditor).await;
        let answer = site.view(&format!("/api/v1/recordings/{id}/events"), &auditor, &viewing).await;
        (answer.status.as_u16(), answer.json()["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask(&erased).await, (410, "urn:passerelle:problem:erased".to_owned()));
    let key = site.directory.path().join("recordings.age");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(ask(&sealed).await, (409, "urn:passerelle:problem:sealed".to_owned()));
    // Another key than those that it was sealed for.
    passerelle_recorder::Identity::load_or_create(&key).unwrap();
    assert_eq!(ask(&sealed).await, (409, "urn:passerelle:problem:sealed".to_owned()));
}

#[tokio::test]
async fn input_is_shown_as_far_as_it_is_kept() {
    use passerelle_recorder::Lane::Viewer;
    let site = Site::open().await;
    let auditor = site.token("auditor").await;
    let key = |down: u8, keysym: u8| [4, down, 0, 0, 0, 0, 0, keysym];
    for (number, keystrokes, name) in [(3, "all", json!("a")), (4, "kinds", json!("letter"))] {
        let facts = json!({ "technician": "alice", "protocol": "vnc", "keystrokes": keystrokes });
        let (id, recording) = site.record(number, facts).await;
        let code = if keystrokes == "all" { b'a' } else { 1 };
        recording.append(Viewer, &[5, 1, 0, 7, 0]).unwrap();
        recording.append(Viewer, &[8]).unwrap();
        recording.append(Viewer, &[key(1, code), key(0, code)].concat()).unwrap();
        recording.close("viewer_closed").await.unwrap();
        let viewing = site.viewing(&id, &auditor).await;
        let path = format!("/api/v1/recordings/{id}/input");
        let input = site.view(&path, &auditor, &viewing).await.json();
        assert_eq!(input["keystrokes"], keystrokes);
        assert_eq!(input["pointer"][0].as_array().unwrap()[1..], [json!(7), json!(8), json!(1)]);
        let keys = input["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!((&keys[0][1], &keys[0][2], &keys[1][1]), (&json!("down"), &name, &json!("up")));
        let later = site.view(&format!("{path}?from_ms=3600000"), &auditor, &viewing).await.json();
        assert_eq!((&later["pointer"], &later["keys"]), (&json!([]), &json!([])));
    }
}

#[tokio::test]
async fn recordings_are_searched_by_those_who_may_view_them_until_they_are_erased() {
    let site = Site::open().await;
    let auditor = site.token("auditor").await;
    let (id, recording) = site.record(3, json!({ "technician": "alice", "target": "desk" })).await;
    recording.event("file.transferred", json!({ "name": "Quarterly-Figures.xlsx", "by": "drive" })).unwrap();
    recording.close("viewer_closed").await.unwrap();
    let index = async || {
        let gateway = site.gateway.clone();
        tokio::task::spawn_blocking(move || gateway.keep_index(true)).await.unwrap().unwrap();
    };
    let search = async |q: &str| {
        let found = site.get(&format!("/api/v1/recordings?q={q}"), &auditor).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.text);
        found.json()["items"].clone()
    };
    index().await;
    let found = search("figures%20desk").await;
    assert_eq!((&found[0]["id"], found.as_array().unwrap().len()), (&json!(id), 1), "{found}");
    let place = &found[0]["matches"][0];
    assert_eq!(place["kind"], "file.transferred");
    assert!(place["text"].as_str().unwrap().contains("Quarterly-Figures.xlsx"), "{place}");
    assert_eq!(search("figuresque").await, json!([]));
    let searched = site.audit_of(AuditKind::RecordingSearched).await;
    assert_eq!(
        (&searched[0].detail["by"], &searched[0].detail["query"]),
        (&json!("auditor"), &json!("figures desk"))
    );

    let reader = service(Scope::RecordingsRead, true);
    assert_eq!(site.get("/api/v1/recordings", &reader).await.json()["items"][0]["id"], id);
    assert_eq!(site.get("/api/v1/recordings?q=figures", &reader).await.status, StatusCode::FORBIDDEN);
    for wrong in ["q=", "q=-", "from=yesterday", "order=best"] {
        let answer = site.get(&format!("/api/v1/recordings?{wrong}"), &auditor).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", answer.text);
    }

    let path = format!("/api/v1/recordings/{id}");
    assert_eq!(site.get(&path, &auditor).await.json().get("verification"), None);
    site.post(&format!("{path}/verify"), &auditor, json!({})).await;
    assert_eq!(search("figures").await[0]["verification"]["verdict"], "sealed");
    let directory = site.directory.path().join("recordings").join(&id);
    let segment = directory.join("000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(site.get(&path, &auditor).await.json().get("verification"), None, "a file changed since");

    let admin = site.token("admin").await;
    let erased =
        site.post(&format!("{path}/erase"), &admin, json!({ "class": "events", "reason": "asked" })).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    assert_eq!(search("figures").await, json!([]));
    index().await;
    assert_eq!(search("figures").await, json!([]));
    assert_eq!(search("alice").await[0]["id"], id, "what its header says stays");
}
