//! Approvals by a second person.

use passerelle_auth::{Identity, Method as Proof};

use super::resources::{follow, next_event};
use super::*;
use crate::ambient;

const PATH: &str = "/api/v1/approvals";

fn wish(technician: &str) -> Value {
    json!({ "technician": technician, "target": "vault", "reason": "the printer is stuck" })
}

fn with(approval: &str) -> Value {
    json!({ "technician": "alice", "target": "vault", "approval": approval })
}

fn expect(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    if !kind.is_empty() {
        assert_eq!(answer.json()["type"], format!("urn:passerelle:problem:{kind}"), "{}", answer.text);
    }
}

impl Site {
    /// The name of what alice asks for.
    async fn wish(&self, token: &str) -> String {
        let answer = self.post(PATH, token, wish("alice")).await;
        expect(&answer, 201, "");
        assert_eq!(answer.json()["state"], "pending");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn decide(&self, verdict: &str, id: &str, token: &str) -> Answer {
        self.post(&format!("{PATH}/{id}/{verdict}"), token, json!({ "note": "called them" })).await
    }
}

#[tokio::test]
async fn what_a_second_person_approves_is_good_for_one_ticket() {
    let site = Site::open().await;
    let (alice, chief) = (site.token("alice").await, site.token("chief").await);
    let direct = json!({ "technician": "alice", "target": "vault", "reason": "x" });
    let refused = site.post("/api/v1/tickets", &alice, direct).await;
    expect(&refused, 403, "approval");
    assert!(
        refused.text.contains("another person's approval is missing; ask for it with POST /api/v1/approvals")
    );

    let id = site.wish(&alice).await;
    let early = site.post("/api/v1/tickets", &alice, with(&id)).await;
    expect(&early, 409, "approval");
    assert!(early.text.contains("is pending"), "{}", early.text);
    let approved = site.decide("approve", &id, &chief).await;
    expect(&approved, 200, "");
    let approved = approved.json();
    assert_eq!(
        (&approved["state"], &approved["decided_by"], &approved["note"]),
        (&json!("approved"), &json!("chief"), &json!("called them"))
    );
    let other = json!({ "technician": "alice", "target": "vault", "approval": id, "reason": "another" });
    expect(&site.post("/api/v1/tickets", &alice, other).await, 422, "approval");
    let elsewhere = json!({ "technician": "alice", "target": "desk", "approval": id });
    expect(&site.post("/api/v1/tickets", &alice, elsewhere).await, 422, "approval");

    let ticket = site.post("/api/v1/tickets", &alice, with(&id)).await;
    expect(&ticket, 201, "");
    let again = site.post("/api/v1/tickets", &alice, with(&id)).await;
    expect(&again, 409, "approval");
    assert!(again.text.contains("is used"), "{}", again.text);
    assert_eq!(site.get(&format!("{PATH}/{id}"), &alice).await.json()["state"], "used");

    // The ticket says who approved and why, and so does the log.
    let policy = site.gateway.policy();
    let (login, secret) = ("alice:vault", ticket.json()["ticket"].as_str().unwrap().to_owned());
    let here = "192.0.2.7".parse().unwrap();
    let entry =
        policy.logins().redeem(login, &Secret::new(secret), here, false, ambient::now()).await.unwrap();
    let context = entry.context();
    assert_eq!(context.approved_by.as_deref(), Some("chief"));
    assert_eq!(context.reason.as_deref(), Some("the printer is stuck"));
    for (kind, by) in [
        (AuditKind::ApprovalRequested, "alice"),
        (AuditKind::ApprovalApproved, "chief"),
        (AuditKind::ApprovalUsed, "alice"),
        (AuditKind::TicketIssued, "alice"),
    ] {
        let events = site.audit_of(kind).await;
        assert_eq!(events.len(), 1, "{kind}");
        assert_eq!((&events[0].detail["approval"], &events[0].detail["by"]), (&json!(id), &json!(by)));
        assert_eq!(events[0].technician.as_deref(), Some("alice"));
    }
}

#[tokio::test]
async fn nobody_approves_for_themselves() {
    let site = Site::open().await;
    let (alice, chief, admin) =
        (site.token("alice").await, site.token("chief").await, site.token("admin").await);
    let of_alice = site.wish(&alice).await;
    expect(&site.decide("approve", &of_alice, &alice).await, 403, "forbidden");
    // Somebody with the right to approve, for themselves and on behalf of another.
    let own = site.post(PATH, &chief, wish("chief")).await.json()["id"].as_str().unwrap().to_owned();
    expect(&site.decide("approve", &own, &chief).await, 403, "second-person");
    let by_admin = site.wish(&admin).await;
    expect(&site.decide("approve", &by_admin, &admin).await, 403, "second-person");
    assert_eq!(site.audit_of(AuditKind::ApprovalRefused).await.len(), 2);
    // Whoever approved does not get the ticket as well, though they get tickets for anybody.
    expect(&site.decide("approve", &of_alice, &admin).await, 200, "");
    expect(&site.post("/api/v1/tickets", &admin, with(&of_alice)).await, 403, "second-person");
    expect(&site.post("/api/v1/tickets", &alice, with(&of_alice)).await, 201, "");
    // A program with the scope counts as a person of its own.
    let program = service(Scope::ApprovalsWrite, true);
    let approved = site.decide("approve", &by_admin, &program).await;
    expect(&approved, 200, "");
    assert!(approved.json()["decided_by"].as_str().unwrap().starts_with("service "));
}

#[tokio::test]
async fn of_many_requests_with_one_approval_one_gets_a_ticket() {
    let site = Site::open().await;
    let (alice, chief) = (site.token("alice").await, site.token("chief").await);
    let id = site.wish(&alice).await;
    let admin = site.token("admin").await;
    let verdicts = tokio::join!(
        site.decide("approve", &id, &chief),
        site.decide("approve", &id, &admin),
        site.decide("approve", &id, &chief),
    );
    let verdicts = [verdicts.0, verdicts.1, verdicts.2].map(|answer| answer.status.as_u16());
    assert_eq!(verdicts.iter().filter(|status| **status == 200).count(), 1, "{verdicts:?}");
    let requests = (0..50).map(|_| site.post("/api/v1/tickets", &alice, with(&id)));
    let answers = futures_util::future::join_all(requests).await;
    let issued = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(issued, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 201 | 409)));
    assert_eq!(site.audit_of(AuditKind::TicketIssued).await.len(), 1);
}

#[tokio::test]
async fn an_approval_is_denied_and_withdrawn_until_it_is_used() {
    let site = Site::open().await;
    let (alice, bob, chief) = (site.token("alice").await, site.token("bob").await, site.token("chief").await);
    let denied = site.wish(&alice).await;
    expect(&site.decide("approve", &denied, &chief).await, 200, "");
    expect(&site.decide("deny", &denied, &chief).await, 200, "");
    expect(&site.post("/api/v1/tickets", &alice, with(&denied)).await, 409, "approval");
    for verdict in ["approve", "deny"] {
        expect(&site.decide(verdict, &denied, &chief).await, 409, "approval");
    }
    let withdrawn = site.wish(&alice).await;
    let path = format!("{PATH}/{withdrawn}");
    expect(&site.delete(&path, &bob).await, 404, "not-found");
    expect(&site.delete(&path, &chief).await, 403, "second-person");
    expect(&site.delete(&path, &alice).await, 204, "");
    expect(&site.decide("approve", &withdrawn, &chief).await, 404, "not-found");
    expect(&site.delete(&format!("{PATH}/{denied}"), &alice).await, 409, "approval");
    assert_eq!(site.audit_of(AuditKind::ApprovalDenied).await.len(), 1);
    assert_eq!(site.audit_of(AuditKind::ApprovalWithdrawn).await.len(), 1);
}

#[tokio::test]
async fn technicians_see_their_own_approvals() {
    let site = Site::open().await;
    let (alice, bob) = (site.token("alice").await, site.token("bob").await);
    let ids = [site.wish(&alice).await, site.wish(&alice).await];
    site.post(PATH, &bob, wish("bob")).await;
    expect(&site.post(PATH, &bob, wish("alice")).await, 403, "forbidden");
    let listed = async |token: &str, query: &str| -> Vec<String> {
        let answer = site.get(&format!("{PATH}{query}"), token).await.json();
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|item| item["technician"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&alice, "").await, ["alice", "alice"]);
    assert_eq!(listed(&bob, "").await, ["bob"]);
    for user in ["chief", "auditor", "admin"] {
        assert_eq!(listed(&site.token(user).await, "?technician=bob").await, ["bob"], "{user}");
    }
    let chief = site.token("chief").await;
    assert_eq!(site.decide("deny", &ids[0], &chief).await.status, StatusCode::OK);
    assert_eq!(listed(&chief, "?state=denied").await, ["alice"]);
    let first = site.get(&format!("{PATH}?state=pending&limit=1"), &chief).await.json();
    assert_eq!((&first["items"][0]["id"], first["next"].as_str()), (&json!(ids[1]), Some(&*ids[1])));
    assert_eq!(listed(&chief, &format!("?state=pending&cursor={}", ids[1])).await, ["bob"]);
    expect(&site.get(&format!("{PATH}?state=maybe"), &chief).await, 400, "");
    expect(&site.get(&format!("{PATH}/{}", ids[0]), &bob).await, 404, "not-found");
}

#[tokio::test]
async fn what_would_not_help_is_not_asked_for() {
    let site = Site::open().await;
    let alice = site.token("alice").await;
    for (body, status, kind) in [
        // The rule asks for a reason as well.
        (json!({ "technician": "alice", "target": "vault" }), 403, "denied"),
        (json!({ "technician": "alice", "target": "nowhere", "reason": "x" }), 422, "approval"),
        (json!({ "technician": "alice", "target": "vault", "reason": "a\nb" }), 422, "approval"),
        (
            json!({ "technician": "alice", "target": "vault", "reason": "x", "life_seconds": 0 }),
            422,
            "approval",
        ),
        (
            json!({ "technician": "alice", "target": "vault", "reason": "x", "life_seconds": 3601 }),
            422,
            "approval",
        ),
    ] {
        expect(&site.post(PATH, &alice, body).await, status, kind);
    }
    let portal = service(Scope::UsersRead, false);
    expect(&site.post(PATH, &portal, wish("nobody")).await, 422, "approval");
    for _ in 0..20 {
        site.wish(&alice).await;
    }
    expect(&site.post(PATH, &alice, wish("alice")).await, 409, "approval");
    expect(&site.post(PATH, &portal, wish("bob")).await, 201, "");
}

#[tokio::test]
async fn approvals_outlive_the_gateway_and_end_by_themselves() {
    let site = Site::open().await;
    let (alice, chief) = (site.token("alice").await, site.token("chief").await);
    let id = site.wish(&alice).await;
    let short = json!({ "technician": "alice", "target": "vault", "reason": "x", "life_seconds": 1 });
    let short = site.post(PATH, &alice, short).await.json()["id"].as_str().unwrap().to_owned();
    expect(&site.decide("approve", &short, &chief).await, 200, "");
    let site = site.restart().await;
    expect(&site.decide("approve", &id, &chief).await, 200, "");
    let site = site.restart().await;
    expect(&site.post("/api/v1/tickets", &alice, with(&id)).await, 201, "");
    let site = site.restart().await;
    expect(&site.post("/api/v1/tickets", &alice, with(&id)).await, 409, "approval");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    expect(&site.post("/api/v1/tickets", &alice, with(&short)).await, 422, "approval");
    assert_eq!(site.get(PATH, &alice).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_factor_counts_for_the_one_who_proved_it() {
    let site = Site::open().await;
    let now = ambient::now();
    let token = async |name: &str, second_factor| {
        let identity = Identity {
            technician: name.to_owned(),
            groups: Vec::new(),
            issuer: None,
            method: Proof::Password,
            second_factor,
            permissions: None,
            target: None,
        };
        let end = now.saturating_add(std::time::Duration::from_secs(60));
        tokens::issue(&site.gateway, &identity, end, now).await.unwrap()
    };
    let wanted = json!({ "technician": "alice", "target": "safe" });
    let refused = site.post("/api/v1/tickets", token("alice", false).await.expose(), wanted.clone()).await;
    expect(&refused, 403, "second-factor");
    assert!(refused.text.contains("log in with the code of an authenticator"), "{}", refused.text);
    expect(
        &site.post("/api/v1/tickets", token("admin", true).await.expose(), wanted.clone()).await,
        403,
        "second-factor",
    );
    expect(&site.post("/api/v1/tickets", token("alice", true).await.expose(), wanted).await, 201, "");
}

#[tokio::test]
async fn approvals_are_followed() {
    let site = Site::open().await;
    let (alice, bob, chief) = (site.token("alice").await, site.token("bob").await, site.token("chief").await);
    let path = format!("{PATH}/stream");
    let mut all = follow(&site, &path, &chief).await;
    let mut bobs = follow(&site, &path, &bob).await;
    let id = site.wish(&alice).await;
    assert_eq!(next_event(&mut all).await, "requested");
    expect(&site.decide("approve", &id, &chief).await, 200, "");
    assert_eq!(next_event(&mut all).await, "changed");
    expect(&site.delete(&format!("{PATH}/{id}"), &alice).await, 204, "");
    assert_eq!(next_event(&mut all).await, "gone");
    expect(&site.post(PATH, &bob, wish("bob")).await, 201, "");
    expect(&site.delete(&format!("{PATH}/{id}"), &bob).await, 404, "");
    assert_eq!(next_event(&mut bobs).await, "requested");
}
