use std::time::Duration;

use super::*;
use crate::{Backoff, Embedded, Enrolment, hash_password};

const NOW: i64 = 1_800_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

fn address() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn secret(text: impl Into<String>) -> Secret {
    Secret::new(text.into())
}

/// alice has a password, bob a second factor too, carol neither.
async fn accounts(free: u32) -> (Accounts, Totp, Vec<Secret>) {
    let mut next = 0;
    let enrolment = Enrolment::new("Passerelle", "bob", &mut |bytes: &mut [u8]| {
        next += 1;
        bytes.fill(next);
    });
    let totp: Totp = enrolment.file().expose().parse().unwrap();
    let account = |name: &str, password: Option<&str>, totp: Option<&Totp>| Account {
        name: name.to_owned(),
        groups: vec!["helpdesk".to_owned()],
        password: password.map(|password| hash_password(&secret(password), [1; 16]).unwrap()),
        totp: totp.cloned(),
    };
    let all = [
        account("Alice", Some("hunter2"), None),
        account("bob", Some("hunter2"), Some(&totp)),
        account("carol", None, None),
    ];
    let backoff = Backoff {
        free,
        first: Duration::from_secs(60),
        longest: Duration::from_secs(60),
        forget: Duration::from_secs(3600),
    };
    let global = Backoff { free: 1000, ..backoff };
    let lockout = LockoutPolicy { address: backoff, identity: backoff, global };
    let store = Arc::new(Embedded::in_memory().unwrap());
    store.since(Timestamp::from_millis(0)).await.unwrap();
    (Accounts::new(all, Passwords::new(4), store, lockout), totp, enrolment.recovery_codes().to_vec())
}

async fn code(accounts: &Accounts, name: &str, entered: &str, now: Timestamp) -> &'static str {
    match accounts.log_in(name, &secret(entered), address(), now).await {
        Ok(_) => "accepted",
        Err(refusal) => refusal.code(),
    }
}

#[tokio::test]
async fn passwords_and_codes_are_told_apart() {
    let (accounts, totp, recovery) = accounts(1000).await;
    let identity = accounts.log_in("alice", &secret("hunter2"), address(), now()).await.unwrap();
    assert_eq!((identity.technician.as_str(), identity.second_factor), ("Alice", false));
    assert_eq!(
        (identity.groups.as_slice(), identity.method),
        (["helpdesk".to_owned()].as_slice(), Method::Password)
    );

    let step = totp.step(now());
    let right = |step| format!("hunter2{}", *totp.code_of(step));
    for (name, entered, expected) in [
        ("alice", "hunter3".to_owned(), "wrong_password"),
        ("alice", String::new(), "wrong_password"),
        ("nobody", "hunter2".to_owned(), "unknown_user"),
        ("carol", "hunter2".to_owned(), "no_password"),
        ("bob", "hunter2".to_owned(), "no_code"),
        ("bob", "hunter2000000".to_owned(), "wrong_code"),
        ("bob", format!("hunter3{}", *totp.code_of(step)), "wrong_password"),
        ("bob", right(step - 2), "wrong_code"),
        ("bob", right(step), "accepted"),
        ("bob", right(step), "used_code"),
        ("bob", right(step - 1), "used_code"),
        ("bob", right(step + 1), "accepted"),
        ("bob", format!("hunter2{}", recovery[0].expose()), "accepted"),
        ("bob", format!("hunter2{}", recovery[0].expose()), "used_code"),
        ("BOB", format!("hunter2{}", recovery[0].expose().to_ascii_lowercase()), "used_code"),
        ("bob", format!("hunter3{}", recovery[1].expose()), "wrong_password"),
        ("bob", format!("hunter2{}", recovery[1].expose()), "accepted"),
    ] {
        assert_eq!(code(&accounts, name, &entered, now()).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_however_many_try() {
    let (accounts, totp, _) = accounts(1000).await;
    let entered = format!("hunter2{}", *totp.code_of(totp.step(now())));
    let attempts = (0..8).map(|_| {
        let (accounts, entered) = (accounts.clone(), entered.clone());
        tokio::spawn(async move { code(&accounts, "bob", &entered, now()).await })
    });
    let mut accepted = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            "accepted" => accepted += 1,
            other => assert_eq!(other, "used_code"),
        }
    }
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn failures_lock_and_a_success_forgives() {
    let (accounts, _, _) = accounts(3).await;
    for _ in 0..3 {
        assert_eq!(code(&accounts, "alice", "wrong", now()).await, "wrong_password");
        assert_eq!(code(&accounts, "alice", "hunter2", now()).await, "accepted");
    }
    for _ in 0..4 {
        assert_eq!(code(&accounts, "alice", "wrong", now()).await, "wrong_password");
    }
    assert_eq!(code(&accounts, "alice", "hunter2", now()).await, "locked");
    let later = now().saturating_add(Duration::from_secs(61));
    assert_eq!(code(&accounts, "alice", "hunter2", later).await, "accepted");
}

#[tokio::test]
async fn attempts_at_the_same_time_get_no_more_answers_than_in_a_row() {
    let (accounts, _, _) = accounts(3).await;
    let attempts = (0..20).map(|_| {
        let accounts = accounts.clone();
        tokio::spawn(async move { code(&accounts, "alice", "wrong", now()).await })
    });
    let mut answered = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        answered += usize::from(attempt.await.unwrap() == "wrong_password");
    }
    assert_eq!(answered, 4);
}
