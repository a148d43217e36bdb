//! Orders about recordings.

use passerelle_recorder::Lane;

use super::*;

/// Records something and returns its name.
async fn recorded(site: &Site) -> String {
    let id = "01arz3ndektsv4rrffq69g5fav";
    let recording = site.gateway.recorder.open(id, &json!({ "technician": "alice" })).unwrap();
    recording.append(Lane::Target, b"a picture").unwrap();
    recording.close("closed").await.unwrap();
    id.to_owned()
}

#[tokio::test]
async fn what_is_held_is_not_erased() {
    let site = Site::open().await;
    let token = site.token("admin").await;
    let path = format!("/api/v1/recordings/{}", recorded(&site).await);
    let call = async |method: Method, what: &str, body: Value| {
        site.call(method, &format!("{path}/{what}"), Some(&token), Some(body)).await
    };
    let held = call(Method::PUT, "hold", json!({ "reason": "case 7" })).await.json();
    assert_eq!((held["reason"].as_str(), held["by"].as_str()), (Some("case 7"), Some("admin")));
    let erase = json!({ "class": "all", "reason": "tidy" });
    let refused = call(Method::POST, "erase", erase.clone()).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["type"], "urn:passerelle:problem:held");
    for (what, reason) in [("release", ""), ("release", " ")] {
        let refused = call(Method::POST, what, json!({ "reason": reason })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{what} because of {reason:?}");
    }
    let because = json!({ "reason": "closed" });
    assert_eq!(call(Method::POST, "release", because.clone()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::POST, "release", because).await.status, StatusCode::CONFLICT);
    assert_eq!(
        call(Method::POST, "erase", erase.clone()).await.json()["erased"].as_array().unwrap().len(),
        3
    );
    assert_eq!(call(Method::POST, "erase", erase).await.json()["erased"].as_array().unwrap().len(), 0);
    let unknown = call(Method::POST, "erase", json!({ "class": "pixels", "reason": "x" })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);

    let verified = site.call(Method::POST, &format!("{path}/verify"), Some(&token), None).await.json();
    assert_eq!(verified["verdict"], "sealed", "{verified}");
    assert_eq!(verified["detail"]["erased"], json!(["screen", "input", "events"]));
    let erased = site.audit_of(AuditKind::RecordingErased).await;
    assert_eq!(erased[0].message.as_deref(), Some("tidy"));
    assert_eq!(erased[0].detail["by"], "admin");
    assert_eq!(erased.len(), 2, "each attempt that was not refused is in the log");
}

#[tokio::test]
async fn what_is_being_written_is_not_erased() {
    let site = Site::open().await;
    let token = site.token("admin").await;
    let id = "01arz3ndektsv4rrffq69g5fav";
    let _recording = site.gateway.recorder.open(id, &json!({})).unwrap();
    let body = json!({ "class": "screen", "reason": "tidy" });
    let path = format!("/api/v1/recordings/{id}/erase");
    let refused = site.call(Method::POST, &path, Some(&token), Some(body)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(refused.json()["type"], "urn:passerelle:problem:running");
}
