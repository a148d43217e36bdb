use super::*;
use crate::{Backoff, Embedded};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_769_851_800_000 + seconds * 1000)
}

fn here() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

/// Bytes that differ from call to call and from seed to seed.
fn random(seed: u64) -> impl FnMut(&mut [u8]) + Send {
    let mut state = seed;
    move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    }
}

fn service() -> Tickets {
    service_with(LockoutPolicy::default())
}

fn service_with(lockout: LockoutPolicy) -> Tickets {
    let store = Arc::new(Embedded::in_memory().unwrap());
    Tickets::new(store, &Pepper::from_bytes([1; 32]), TicketPolicy::default(), lockout)
}

fn for_alice() -> NewTicket {
    NewTicket {
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        permissions: None,
        address: None,
        context: TicketContext::default(),
        reference: false,
    }
}

async fn issue(tickets: &Tickets, seed: u64) -> Issued {
    tickets.issue(&for_alice(), at(0), &mut random(seed)).await.unwrap()
}

/// What a VncAuth client that was given `typed` leads to. Counts how many passwords were compared.
async fn redeem_vnc(tickets: &Tickets, typed: &str, now: Timestamp) -> (Result<Redeemed, Refusal>, usize) {
    let mut compared = 0;
    let mut matches = |password: &str| {
        compared += 1;
        password == typed
    };
    let redeemed = tickets.redeem_vnc(&mut matches, here(), now).await;
    (redeemed, compared)
}

#[tokio::test]
async fn issued_tickets_have_the_promised_form() {
    let issued = issue(&service(), 1).await;
    assert_eq!(issued.username, "alice:front-desk");
    assert_eq!(issued.expires_at, at(60));
    for (secret, length) in [(&issued.ticket, 16), (&issued.vnc_password, 8)] {
        assert_eq!(secret.expose().len(), length);
        assert!(secret.expose().bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte)));
        assert!(!format!("{issued:?}").contains(secret.expose()));
    }
    assert_ne!(issued.ticket.expose()[..8], *issued.vnc_password.expose());
}

#[tokio::test]
async fn either_secret_redeems_the_ticket_and_only_once() {
    let tickets = service();
    for (seed, way) in (1..).zip(["ticket", "typed by hand", "short", "vnc", "vnc in lower case"]) {
        let issued = issue(&tickets, seed).await;
        let hyphens =
            format!(" {}-{}", &issued.ticket.expose()[..8], &issued.ticket.expose()[8..]).to_lowercase();
        let password =
            async |secret: &str| tickets.redeem_password("alice:front-desk", secret, here(), at(1)).await;
        let redeemed = match way {
            "ticket" => password(issued.ticket.expose()).await,
            "typed by hand" => password(&hyphens).await,
            "short" => password(issued.vnc_password.expose()).await,
            "vnc" => redeem_vnc(&tickets, issued.vnc_password.expose(), at(1)).await.0,
            _ => redeem_vnc(&tickets, &issued.vnc_password.expose().to_lowercase(), at(1)).await.0,
        };
        let redeemed = redeemed.unwrap_or_else(|refusal| panic!("{way}: {refusal}"));
        assert_eq!(redeemed.ticket.id, issued.id, "{way}");
        assert_eq!(
            (redeemed.ticket.technician.as_str(), redeemed.ticket.target.as_str()),
            ("alice", "front-desk")
        );

        let used =
            |refusal| matches!(refusal, Refusal::Used { by, at: when, .. } if by == here() && when == at(1));
        assert!(used(password(issued.ticket.expose()).await.unwrap_err()), "{way}");
        assert!(used(password(issued.vnc_password.expose()).await.unwrap_err()), "{way}");
        assert!(
            used(redeem_vnc(&tickets, issued.vnc_password.expose(), at(2)).await.0.unwrap_err()),
            "{way}"
        );
    }
}

#[tokio::test]
async fn of_a_hundred_clients_one_gets_in() {
    let tickets = service();
    let issued = issue(&tickets, 1).await;
    let attempts: Vec<_> = (0..100)
        .map(|client| {
            let (tickets, issued) = (tickets.clone(), issued.clone());
            tokio::spawn(async move {
                if client % 2 == 0 {
                    redeem_vnc(&tickets, issued.vnc_password.expose(), at(1)).await.0
                } else {
                    tickets.redeem_password("alice:front-desk", issued.ticket.expose(), here(), at(1)).await
                }
            })
        })
        .collect();
    let (mut redeemed, mut used) = (0, 0);
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => redeemed += 1,
            Err(Refusal::Used { .. }) => used += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((redeemed, used), (1, 99));
}

#[tokio::test]
async fn refusals_are_told_apart_inside_and_alike_outside() {
    let tickets = service();
    let issued = issue(&tickets, 1).await;
    let secret = issued.ticket.expose();
    let mut bound = for_alice();
    bound.address = Some("192.0.2.99".parse().unwrap());
    let bound = tickets.issue(&bound, at(0), &mut random(2)).await.unwrap();
    let withdrawn = issue(&tickets, 3).await;
    tickets.store.withdraw(withdrawn.id, at(0)).await.unwrap();

    let mut told = Vec::new();
    for (code, login, secret, now) in [
        ("malformed_login", "alice", secret, at(1)),
        ("malformed_ticket", "alice:front-desk", "correct horse battery staple", at(1)),
        ("malformed_ticket", "alice:front-desk", "", at(1)),
        ("unknown_ticket", "alice:front-desk", "0123456789ABCDEF", at(1)),
        ("other_login", "bob:front-desk", secret, at(1)),
        ("other_login", "alice:back-office", secret, at(1)),
        ("other_address", "alice:front-desk", bound.ticket.expose(), at(1)),
        ("withdrawn_ticket", "alice:front-desk", withdrawn.ticket.expose(), at(1)),
        ("expired_ticket", "alice:front-desk", secret, at(60)),
    ] {
        let client = format!("198.51.100.{}", told.len() + 1).parse().unwrap();
        let refusal = tickets.redeem_password(login, secret, client, now).await.unwrap_err();
        assert_eq!(refusal.code(), code);
        assert!(secret.is_empty() || !refusal.to_string().contains(secret), "{refusal}");
        assert!(!format!("{refusal:?}").contains("correct horse"));
        told.push(refusal.for_technician());
    }
    told.dedup();
    assert_eq!(told.len(), 1);
    let (refusal, _) = redeem_vnc(&tickets, issued.vnc_password.expose(), at(60)).await;
    assert_eq!(refusal.unwrap_err().code(), "unknown_ticket");
    // None of this has used up the ticket.
    tickets.redeem_password("alice:front-desk", secret, here(), at(2)).await.unwrap();
}

#[tokio::test]
async fn vnc_compares_every_candidate_whichever_matches() {
    let tickets = service();
    let mut passwords = Vec::new();
    for seed in 1..=10 {
        passwords.push(issue(&tickets, seed).await.vnc_password);
    }
    for (typed, found) in [(passwords[0].expose(), true), (passwords[9].expose(), true), ("WRONG000", false)]
    {
        let (redeemed, compared) = redeem_vnc(&tickets, typed, at(1)).await;
        assert_eq!(redeemed.is_ok(), found);
        assert_eq!(compared, 20, "each as issued and in lower case");
    }
}

#[tokio::test]
async fn wrong_guesses_lock_the_address_the_identity_and_everybody() {
    let backoff = |free| Backoff {
        free,
        first: Duration::from_secs(10),
        longest: Duration::from_secs(10),
        forget: Duration::from_secs(60),
    };
    for (free, locked) in
        [((2, 9, 9), "address 192.0.2.7"), ((9, 2, 9), "identity alice"), ((9, 9, 2), "everybody")]
    {
        let (address, identity, global) = (backoff(free.0), backoff(free.1), backoff(free.2));
        let tickets = service_with(LockoutPolicy { address, identity, global });
        let issued = issue(&tickets, 1).await;
        let wrong = "0123456789ABCDEF";
        for _ in 0..3 {
            let refusal =
                tickets.redeem_password("alice:front-desk", wrong, here(), at(1)).await.unwrap_err();
            assert_eq!(refusal.code(), "unknown_ticket", "{locked}");
        }
        for secret in [wrong, issued.ticket.expose()] {
            let refusal =
                tickets.redeem_password("Alice:front-desk", secret, here(), at(2)).await.unwrap_err();
            assert_eq!(
                refusal.to_string(),
                format!("{locked} is locked until {} after too many failed attempts", at(11))
            );
        }
        let (by_vnc, compared) = redeem_vnc(&tickets, issued.vnc_password.expose(), at(2)).await;
        // VncAuth names nobody, so only the lock of an identity lets it through.
        assert_eq!(by_vnc.is_ok(), locked.starts_with("identity"), "{locked}");
        assert_eq!(compared > 0, locked.starts_with("identity"), "nothing is compared under a lock");
        if by_vnc.is_err() {
            tickets
                .redeem_password("alice:front-desk", issued.ticket.expose(), here(), at(11))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn success_clears_the_count_and_known_secrets_do_not_count() {
    let tickets = service();
    let used = issue(&tickets, 1).await;
    for round in 2..8 {
        for _ in 0..5 {
            let (refusal, _) = redeem_vnc(&tickets, "WRONG000", at(1)).await;
            assert_eq!(refusal.unwrap_err().code(), "unknown_ticket", "round {round}");
        }
        let issued = issue(&tickets, round).await;
        redeem_vnc(&tickets, issued.vnc_password.expose(), at(1)).await.0.unwrap();
    }
    redeem_vnc(&tickets, used.vnc_password.expose(), at(1)).await.0.unwrap();
    for _ in 0..50 {
        let refusal = tickets.redeem_password("alice:front-desk", used.ticket.expose(), here(), at(2)).await;
        assert_eq!(refusal.unwrap_err().code(), "used_ticket");
    }
}

#[tokio::test]
async fn of_parallel_guesses_only_those_count_that_may_be_made_in_a_row() {
    let backoff = |free| Backoff {
        free,
        first: Duration::from_secs(10),
        longest: Duration::from_secs(10),
        forget: Duration::from_secs(60),
    };
    let lockout = LockoutPolicy { address: backoff(5), identity: backoff(99), global: backoff(99) };
    let tickets = service_with(lockout);
    let attempts: Vec<_> = (0..100)
        .map(|guess| {
            let tickets = tickets.clone();
            tokio::spawn(async move {
                match guess % 4 {
                    0 => redeem_vnc(&tickets, "WRONG000", at(1)).await.0,
                    1 => tickets.redeem_password("alice:desk", "0123456789ABCDEF", here(), at(1)).await,
                    2 => tickets.redeem_reference("passerelle-guess", here(), at(1)).await,
                    _ => match tickets.candidates_for("alice:desk", here(), at(1)).await {
                        Ok(candidates) => Err(tickets.candidate_refused(&candidates, here(), at(1)).await),
                        Err(refusal) => Err(refusal),
                    },
                }
            })
        })
        .collect();
    let mut answered = 0;
    for attempt in attempts {
        match attempt.await.unwrap().unwrap_err() {
            Refusal::Locked(_) => {}
            Refusal::Unknown | Refusal::NoReference => answered += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(answered, 6, "five are free and the sixth locks");
}

#[tokio::test]
async fn references_use_up_the_ticket_and_tickets_the_reference() {
    let tickets = service();
    let new = NewTicket { reference: true, ..for_alice() };
    for (seed, by_reference) in [(1, true), (2, false)] {
        let issued = tickets.issue(&new, at(0), &mut random(seed)).await.unwrap();
        let reference = issued.reference.as_ref().unwrap().expose();
        assert_eq!(reference.len(), REFERENCE_PREFIX.len() + 26);
        assert!(!format!("{issued:?}").contains(reference));
        let token = format!("{reference}\r\n");
        let first = if by_reference {
            tickets.redeem_reference(&token, here(), at(1)).await
        } else {
            tickets.redeem_rdp_password("alice:front-desk", issued.ticket.expose(), here(), at(1)).await
        };
        let first = first.unwrap();
        assert_eq!((first.ticket.id, first.resumed), (issued.id, false));

        // The same client comes back, another does not, and after a moment nobody.
        let again = tickets.redeem_reference(&token, here(), at(2)).await.unwrap();
        assert!(again.resumed && again.ticket == first.ticket && again.fence > first.fence);
        let elsewhere = "198.51.100.1".parse().unwrap();
        for (address, now) in [(elsewhere, at(2)), (here(), at(11))] {
            let refusal = tickets.redeem_reference(&token, address, now).await.unwrap_err();
            assert_eq!(refusal.code(), "used_ticket");
            assert!(!refusal.to_string().contains(reference), "{refusal}");
        }
    }
    let plain = issue(&tickets, 3).await;
    assert!(plain.reference.is_none());
    for (sent, code) in [
        ("", "malformed_reference"),
        ("mstshash=alice", "malformed_reference"),
        ("passerelle-00000000000000000000000000", "unknown_ticket"),
    ] {
        let refusal = tickets.redeem_reference(sent, here(), at(1)).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{sent}");
    }
}

#[tokio::test]
async fn only_rdp_lets_a_used_ticket_in_again() {
    let tickets = service();
    let issued = issue(&tickets, 1).await;
    let (login, secret) = ("alice:front-desk", issued.ticket.expose());
    assert!(!tickets.redeem_rdp_password(login, secret, here(), at(1)).await.unwrap().resumed);
    assert!(tickets.redeem_rdp_password(login, secret, here(), at(2)).await.unwrap().resumed);
    let refusal = tickets.redeem_password(login, secret, here(), at(2)).await.unwrap_err();
    assert_eq!(refusal.code(), "used_ticket");
    let refusal = redeem_vnc(&tickets, issued.vnc_password.expose(), at(2)).await.0.unwrap_err();
    assert_eq!(refusal.code(), "used_ticket");
    let refusal = tickets.redeem_rdp_password(login, secret, here(), at(11)).await.unwrap_err();
    assert_eq!(refusal.code(), "used_ticket");
}

#[tokio::test]
async fn nla_candidates_are_the_tickets_of_the_name() {
    let tickets = service();
    let issued = issue(&tickets, 1).await;
    let later = tickets.issue(&for_alice(), at(1), &mut random(2)).await.unwrap();
    let bob = NewTicket { technician: "bob".to_owned(), ..for_alice() };
    tickets.issue(&bob, at(1), &mut random(3)).await.unwrap();

    let secrets = async |login: &str, now| -> Vec<String> {
        let candidates = tickets.candidates_for(login, here(), now).await.unwrap();
        candidates.secrets().iter().map(|secret| secret.expose().to_owned()).collect()
    };
    let newest_first = [later.ticket.expose().to_owned(), issued.ticket.expose().to_owned()];
    for login in ["alice:front-desk", "CORP\\Alice:Front-Desk", "alice:front-desk@corp.example"] {
        assert_eq!(secrets(login, at(2)).await, newest_first, "{login}");
    }
    // What names nobody is no error: it must look like a wrong secret.
    for login in ["mallory:front-desk", "alice", "", "alice:front-desk:x", "alice:front\ndesk"] {
        assert_eq!(secrets(login, at(2)).await, [""; 0], "{login}");
    }

    let candidates = tickets.candidates_for("alice:front-desk", here(), at(2)).await.unwrap();
    let shown = format!("{candidates:?}");
    assert!(newest_first.iter().all(|secret| !shown.contains(secret)), "{shown}");
    let redeemed = tickets.redeem_candidate(&candidates, 1, here(), at(2)).await.unwrap();
    assert_eq!((redeemed.ticket.id, redeemed.resumed), (issued.id, false));
    let resumed = tickets.redeem_candidate(&candidates, 1, here(), at(3)).await.unwrap();
    assert!(resumed.resumed && resumed.ticket.id == issued.id);
    let elsewhere = "198.51.100.1".parse().unwrap();
    for (address, now) in [(elsewhere, at(3)), (here(), at(12))] {
        let refusal = tickets.redeem_candidate(&candidates, 1, address, now).await.unwrap_err();
        assert_eq!(refusal.code(), "used_ticket");
    }
    let refusal = tickets.redeem_candidate(&candidates, 2, here(), at(3)).await.unwrap_err();
    assert_eq!(refusal.code(), "unknown_ticket", "an index that there is not is no candidate");
    // A used one stays among them while its secret is kept, so that a replay is known for what it is.
    assert_eq!(secrets("alice:front-desk", at(30)).await, newest_first);
    assert_eq!(secrets("alice:front-desk", at(61)).await, [""; 0]);
}

#[tokio::test]
async fn nla_candidates_are_few_and_the_usable_ones_first() {
    let tickets = service();
    let mut newest = Vec::new();
    for seed in 1..=12 {
        let issued = tickets.issue(&for_alice(), at(0), &mut random(seed)).await.unwrap();
        if seed > 4 {
            let secret = issued.ticket.expose();
            tickets.redeem_password("alice:front-desk", secret, here(), at(1)).await.unwrap();
        } else {
            newest.push(issued.ticket.expose().to_owned());
        }
    }
    let candidates = tickets.candidates_for("alice:front-desk", here(), at(20)).await.unwrap();
    let secrets: Vec<_> = candidates.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
    assert_eq!(secrets.len(), 8);
    assert!(newest.iter().all(|secret| secrets[..4].contains(secret)), "the usable ones come first");
    let is_open: Vec<_> = (0..9).map(|index| candidates.is_open(index)).collect();
    assert_eq!(is_open, [true, true, true, true, false, false, false, false, false]);
    // Whoever used them may come back within seconds, and nobody else.
    let candidates = tickets.candidates_for("alice:front-desk", here(), at(5)).await.unwrap();
    assert!(candidates.is_open(7));
    let elsewhere = "198.51.100.1".parse().unwrap();
    let candidates = tickets.candidates_for("alice:front-desk", elsewhere, at(5)).await.unwrap();
    assert!(candidates.is_open(3) && !candidates.is_open(4));
}

#[tokio::test]
async fn refused_candidates_count_for_address_and_identity() {
    let tickets = service();
    let alice = AttemptKey::identity("alice");
    for address in 1..=11u8 {
        let address = IpAddr::from([198, 51, 100, address]);
        let candidates = tickets.candidates_for("alice:front-desk", address, at(1)).await.unwrap();
        let refusal = tickets.candidate_refused(&candidates, address, at(1)).await;
        assert_eq!(refusal.code(), "unknown_ticket");
    }
    let locked = tickets.store.locked(&[alice], at(1)).await.unwrap();
    assert!(locked.is_some(), "ten are free");
    let refusal = tickets.candidates_for("alice:front-desk", here(), at(1)).await.unwrap_err();
    assert_eq!(refusal.code(), "locked");
    let candidates = tickets.candidates_for("nonsense", here(), at(1)).await.unwrap();
    assert_eq!(tickets.candidate_refused(&candidates, here(), at(1)).await.code(), "malformed_login");
}

#[tokio::test]
async fn tickets_of_another_pepper_open_nothing() {
    let tickets = service();
    let issued = issue(&tickets, 1).await;
    let other = Tickets::new(
        Arc::clone(&tickets.store),
        &Pepper::from_bytes([2; 32]),
        TicketPolicy::default(),
        LockoutPolicy::default(),
    );
    let refusal = other.redeem_password("alice:front-desk", issued.ticket.expose(), here(), at(1)).await;
    assert_eq!(refusal.unwrap_err().code(), "unknown_ticket");
    let (refusal, compared) = redeem_vnc(&other, issued.vnc_password.expose(), at(1)).await;
    assert_eq!((refusal.unwrap_err().code(), compared), ("unknown_ticket", 0));
    let candidates = other.candidates_for("alice:front-desk", here(), at(1)).await.unwrap();
    assert!(candidates.secrets().is_empty());
}

#[tokio::test]
async fn what_cannot_be_issued_is_said() {
    let tickets = service();
    issue(&tickets, 1).await;
    // The identifiers differ, the secrets do not.
    let mut stuck = |bytes: &mut [u8]| bytes.fill(7);
    tickets.issue(&for_alice(), at(1), &mut stuck).await.unwrap();
    let error = tickets.issue(&for_alice(), at(2), &mut stuck).await.unwrap_err();
    assert!(matches!(error, IssueError::Randomness), "{error}");

    let odd = NewTicket { target: "front:desk".to_owned(), ..for_alice() };
    let error = tickets.issue(&odd, at(1), &mut random(9)).await.unwrap_err();
    assert!(matches!(error, IssueError::Name(LoginError::ManyColons)), "{error}");
}
