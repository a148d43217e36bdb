use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::jwt::tests::{NOW, Provider, but, fixed, settings};
use crate::{
    Account, Embedded, Issuer, LockoutPolicy, NewTicket, Passwords, Pepper, Store as _, TicketContext,
    TicketPolicy, hash_password,
};

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

fn here() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

/// alice has a password, dave has none.
async fn logins(provider: &Provider) -> (Logins, Arc<Embedded>) {
    let store = Arc::new(Embedded::in_memory().unwrap());
    store.since(Timestamp::from_millis(0)).await.unwrap();
    let lockout = LockoutPolicy::default();
    let password = hash_password(&Secret::new("abcdefgh12345678".to_owned()), [1; 16]).unwrap();
    let account = |name: &str, password| Account {
        name: name.to_owned(),
        groups: vec![format!("group of {name}")],
        password,
        totp: None,
    };
    let all = [account("alice", Some(password)), account("dave", None)];
    let logins = Logins::new(
        Tickets::new(store.clone(), &Pepper::from_bytes([1; 32]), TicketPolicy::default(), lockout),
        Accounts::new(all, Passwords::new(2), store.clone(), lockout),
        Issuers::new([Issuer::new(settings(), fixed(provider))], store.clone(), lockout),
    );
    (logins, store)
}

async fn redeem(logins: &Logins, login: &str, entered: &str) -> Result<Entry, LoginRefusal> {
    logins.redeem(login, &Secret::new(entered.to_owned()), here(), false, now()).await
}

fn ticket_for(technician: &str, context: TicketContext) -> NewTicket {
    NewTicket {
        technician: technician.to_owned(),
        target: "front-desk".to_owned(),
        permissions: None,
        address: None,
        context,
        reference: false,
    }
}

#[tokio::test]
async fn tickets_passwords_and_tokens_go_into_the_same_field() {
    let provider = Provider::new();
    let (logins, _) = logins(&provider).await;
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    let ticket = ticket_for("dave", TicketContext::default());
    let issued = logins.tickets().issue(&ticket, now(), &mut random).await.unwrap();

    let entry = redeem(&logins, "dave:front-desk", issued.ticket.expose()).await.unwrap();
    assert_eq!((entry.identity.method, entry.target.as_str()), (Method::Ticket, "front-desk"));
    assert_eq!(entry.identity.groups, ["group of dave"]);
    assert_eq!(entry.ticket.unwrap().id, issued.id);

    // This password has the form of a ticket.
    let entry = redeem(&logins, "CORP\\alice:front-desk", "abcdefgh12345678").await.unwrap();
    assert_eq!((entry.identity.method, entry.target.as_str()), (Method::Password, "front-desk"));
    assert_eq!(entry.ticket, None);

    let token = provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &but(json!({})));
    let entry = redeem(&logins, "Alice:anywhere", &token).await.unwrap();
    assert_eq!((entry.identity.method, entry.target.as_str()), (Method::Jwt, "anywhere"));
    assert_eq!(entry.identity.groups, ["helpdesk", "staff"]);
}

#[tokio::test]
async fn what_is_wrong_is_named_for_the_audit_log() {
    let provider = Provider::new();
    let (logins, store) = logins(&provider).await;
    let token = |id: &str, changes: serde_json::Value| {
        let mut claims = but(changes);
        claims["jti"] = json!(id);
        provider.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims)
    };
    for (login, entered, code) in [
        ("alice:front-desk", "wrong".to_owned(), "wrong_password"),
        ("alice:front-desk", "0123456789ABCDEF".to_owned(), "wrong_password"),
        ("dave:front-desk", "wrong".to_owned(), "no_password"),
        ("nobody:front-desk", "wrong".to_owned(), "unknown_user"),
        ("alice", "wrong".to_owned(), "malformed_login"),
        ("bob:front-desk", token("1", json!({})), "other_login"),
        ("alice:back-office", token("2", json!({ "target": "front-desk" })), "other_login"),
        ("alice:front-desk", token("3", json!({ "aud": "another" })), "token_audience"),
        ("alice", token("4", json!({})), "malformed_login"),
    ] {
        // Each from nowhere else, so that none is locked.
        store.clear_lockout(&crate::AttemptKey::address(here())).await.unwrap();
        let refused = redeem(&logins, login, &entered).await.unwrap_err();
        assert_eq!(refused.code(), code, "{login}");
        assert!(!refused.is_failure() && !refused.is_locked());
        assert!(!refused.for_technician().contains(login));
    }
}

#[tokio::test]
async fn tickets_of_people_whom_another_provider_named_carry_their_groups() {
    let provider = Provider::new();
    let (logins, _) = logins(&provider).await;
    let context = TicketContext {
        groups: Some(vec!["guests".to_owned()]),
        second_factor: true,
        ..TicketContext::default()
    };
    let mut next = 0;
    let mut random = |bytes: &mut [u8]| {
        next += 1;
        bytes.fill(next);
    };
    let known = logins.tickets().issue(&ticket_for("erin", context), now(), &mut random).await.unwrap();
    let gone = ticket_for("frank", TicketContext::default());
    let gone = logins.tickets().issue(&gone, now(), &mut random).await.unwrap();
    let entry = redeem(&logins, "erin:front-desk", known.ticket.expose()).await.unwrap();
    assert_eq!(
        (entry.identity.groups.as_slice(), entry.identity.second_factor),
        (["guests".to_owned()].as_slice(), true)
    );
    let refused = redeem(&logins, "frank:front-desk", gone.ticket.expose()).await.unwrap_err();
    assert_eq!(refused.code(), "unknown_user");
    assert_eq!(refused.ticket().unwrap().id, gone.id);
}
