//! A ticket...

use passerelle_auth::{
    AttemptKey, Claim, Claimant, Digest, Issue, LockoutPolicy, Login, RESUME_WINDOW, SealedSecret, Store,
    StoreError, TicketContext, TicketId, TicketKey, TicketRecord, Timestamp,
};
use passerelle_desktop::{Permission, Permissions};

use super::{Fixture, address, at, seconds};
use crate::samples::record;

fn id(number: u8) -> TicketId {
    TicketId::from_bytes([number; 16])
}

/// The ticket by the first of its secrets.
fn long(number: u8) -> TicketKey {
    TicketKey::Digest(Digest([number; 32]))
}

/// The ticket by the second of its secrets.
fn short(number: u8) -> TicketKey {
    TicketKey::Digest(Digest([number | 0x80; 32]))
}

fn anyone() -> Claimant {
    Claimant { address: address("192.0.2.7"), login: None, resume: false }
}

/// Claims under a lockout that never locks.
async fn claim(store: &dyn Store, key: &TicketKey, claimant: &Claimant, now: Timestamp) -> Claim {
    store.claim(key, claimant, &lenient(), now).await.unwrap()
}

fn lenient() -> LockoutPolicy {
    let mut policy = LockoutPolicy::default();
    for backoff in [&mut policy.address, &mut policy.identity, &mut policy.global] {
        backoff.free = u32::MAX;
    }
    policy
}

fn login(technician: &str, target: &str) -> Claimant {
    let login = Login { technician: technician.to_owned(), target: target.to_owned() };
    Claimant { login: Some(login), ..anyone() }
}

pub(crate) async fn is_claimed_once(fixture: Fixture) {
    let store = fixture.store();
    let mut fences = Vec::new();
    for (number, key) in [(1, long(1)), (2, short(2)), (3, TicketKey::Id(id(3)))] {
        store.issue(&record(number), at(0)).await.unwrap();
        match claim(store, &key, &anyone(), at(1)).await {
            Claim::Claimed { fence, ticket } => {
                assert_eq!(ticket, record(number).ticket);
                fences.push(fence);
            }
            other => panic!("{other:?}"),
        }
        let used = Claim::Used { ticket: record(number).ticket, by: address("192.0.2.7"), at: at(1) };
        let elsewhere = Claimant { address: address("2001:db8::1"), ..anyone() };
        for key in [long(number), short(number), TicketKey::Id(id(number))] {
            // Also after its expiry, a used ticket is known as used.
            for now in [at(0), at(2), at(61)] {
                assert_eq!(claim(store, &key, &elsewhere, now).await, used);
            }
        }
    }
    assert!(fences.is_sorted_by(|earlier, later| earlier < later), "{fences:?}");
    assert_eq!(claim(store, &long(4), &anyone(), at(1)).await, Claim::Unknown);
    assert_eq!(claim(store, &TicketKey::Id(id(4)), &anyone(), at(1)).await, Claim::Unknown);
}

pub(crate) async fn of_a_hundred_claims_one_succeeds(fixture: Fixture) {
    for number in 1..=5 {
        fixture.store().issue(&record(number), at(0)).await.unwrap();
        let claims = fixture
            .race(100, |store, index| async move {
                let key = [long(number), short(number), TicketKey::Id(id(number))][index % 3];
                claim(&*store, &key, &anyone(), at(1)).await
            })
            .await;
        let claimed = claims.iter().filter(|claim| matches!(claim, Claim::Claimed { .. })).count();
        let used = claims.iter().filter(|claim| matches!(claim, Claim::Used { .. })).count();
        assert_eq!((claimed, used), (1, 99));
    }
}

pub(crate) async fn says_what_was_issued(fixture: Fixture) {
    let store = fixture.store();
    let all: Permissions = Permission::ALL.iter().copied().collect();
    for (number, permissions, bound) in [
        (1, None, None),
        (2, Some(Permissions::NONE), Some("192.0.2.7")),
        (
            3,
            Some(Permissions::NONE.with(Permission::View).with(Permission::ClipboardToTarget)),
            Some("2001:db8::1"),
        ),
        (4, Some(all), Some("::ffff:192.0.2.7")),
    ] {
        let mut record = record(number);
        record.ticket.technician = "élodie o'neil; --".to_owned();
        record.ticket.permissions = permissions;
        record.ticket.address = bound.map(address);
        if number > 1 {
            record.ticket.context = TicketContext {
                groups: Some(vec!["élèves".to_owned(), String::new()]),
                second_factor: number == 2,
                reason: Some("it said \"printer on fire\"\n".to_owned()),
                ticket_id: (number == 3).then(|| "INC-1".to_owned()),
                approved_by: (number == 3).then(|| "bob".to_owned()),
                issued_by: Some("helpdesk".to_owned()),
            };
        }
        store.issue(&record, at(0)).await.unwrap();
        let claimant = Claimant { address: bound.map_or(address("192.0.2.7"), address), ..anyone() };
        let claimed = claim(store, &long(number), &claimant, at(1)).await;
        assert!(matches!(&claimed, Claim::Claimed { ticket, .. } if *ticket == record.ticket), "{claimed:?}");
    }
}

pub(crate) async fn ends_at_its_expiry(fixture: Fixture) {
    let store = fixture.store();
    for (number, now, live) in
        [(1, 59_999, true), (2, 60_000, false), (3, 60_001, false), (4, i64::MAX / 2, false)]
    {
        store.issue(&record(number), at(0)).await.unwrap();
        let now = Timestamp::from_millis(at(0).as_millis() + now);
        match claim(store, &long(number), &anyone(), now).await {
            Claim::Claimed { .. } => assert!(live, "{number}"),
            Claim::Expired { ticket } => {
                assert!(!live, "{number}");
                assert_eq!(ticket, record(number).ticket);
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn unused_ends_when_withdrawn(fixture: Fixture) {
    let store = fixture.store();
    for number in 1..=3 {
        store.issue(&record(number), at(0)).await.unwrap();
    }
    assert!(store.withdraw(id(1), at(1)).await.unwrap());
    assert!(!store.withdraw(id(1), at(1)).await.unwrap(), "it was withdrawn already");
    let withdrawn = Claim::Withdrawn { ticket: record(1).ticket };
    assert_eq!(claim(store, &short(1), &anyone(), at(2)).await, withdrawn);
    let candidates = store.candidates(None, at(2)).await.unwrap();
    assert!(candidates.iter().all(|candidate| candidate.id != id(1)));

    claim(store, &long(2), &anyone(), at(1)).await;
    assert!(!store.withdraw(id(2), at(2)).await.unwrap(), "it was used");
    assert!(!store.withdraw(id(3), at(60)).await.unwrap(), "it has expired");
    assert!(!store.withdraw(id(4), at(1)).await.unwrap(), "it does not exist");
    assert!(matches!(claim(store, &long(2), &anyone(), at(2)).await, Claim::Used { .. }));
}

pub(crate) async fn lets_nobody_in_again_when_withdrawn(fixture: Fixture) {
    let store = fixture.store();
    let again = Claimant { resume: true, ..login("alice", "front-desk") };
    for number in [1, 2] {
        store.issue(&record(number), at(0)).await.unwrap();
        assert!(matches!(claim(store, &long(number), &again, at(1)).await, Claim::Claimed { .. }));
    }
    assert!(!store.withdraw(id(1), at(2)).await.unwrap(), "it was used");
    let used = Claim::Used { ticket: record(1).ticket, by: again.address, at: at(1) };
    for key in [long(1), short(1), TicketKey::Id(id(1))] {
        assert_eq!(claim(store, &key, &again, at(3)).await, used);
    }
    assert_eq!(store.candidates(None, at(3)).await.unwrap().len(), 2, "it is recognised as used");
    assert!(matches!(claim(store, &long(2), &again, at(3)).await, Claim::Resumed { .. }));
}

pub(crate) async fn stays_live_when_it_is_somebody_elses(fixture: Fixture) {
    let store = fixture.store();
    let mut record = record(1);
    record.ticket.address = Some(address("192.0.2.7"));
    store.issue(&record, at(0)).await.unwrap();
    let ticket = || record.ticket.clone();

    let elsewhere = Claimant { address: address("192.0.2.8"), ..anyone() };
    assert_eq!(claim(store, &long(1), &elsewhere, at(1)).await, Claim::OtherAddress { ticket: ticket() });
    for (technician, target) in [("bob", "front-desk"), ("alice", "back-office"), ("alice", "front-des")] {
        let claimed = claim(store, &long(1), &login(technician, target), at(1)).await;
        assert_eq!(claimed, Claim::OtherLogin { ticket: ticket() });
    }
    let mapped = Claimant { address: address("::ffff:192.0.2.7"), ..login("Alice", "FRONT-DESK") };
    assert!(matches!(claim(store, &long(1), &mapped, at(2)).await, Claim::Claimed { .. }));
}

pub(crate) async fn shares_no_secret_with_another(fixture: Fixture) {
    let store = fixture.store();
    assert_eq!(store.issue(&record(1), at(0)).await.unwrap(), Issue::Issued);
    let same_id = TicketRecord { digests: vec![], sealed: None, ..record(1) };
    let error = store.issue(&same_id, at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { what: "ticket", .. }), "{error}");

    let mut half = record(2);
    half.digests[1] = record(1).digests[1];
    assert_eq!(store.issue(&half, at(0)).await.unwrap(), Issue::SecretTaken);
    assert_eq!(claim(store, &long(2), &anyone(), at(1)).await, Claim::Unknown, "nothing of it is kept");
    assert_eq!(store.candidates(None, at(1)).await.unwrap().len(), 1);
    assert_eq!(store.issue(&record(2), at(0)).await.unwrap(), Issue::Issued);
}

pub(crate) async fn is_a_candidate_until_it_expires(fixture: Fixture) {
    let store = fixture.store();
    let ids = async |now| -> Vec<TicketId> {
        store.candidates(None, now).await.unwrap().iter().map(|candidate| candidate.id).collect()
    };
    assert_eq!(ids(at(0)).await, []);
    let mut later = record(1);
    later.ticket.issued_at = at(10);
    later.ticket.expires_at = at(70);
    store.issue(&later, at(10)).await.unwrap();
    store.issue(&record(2), at(10)).await.unwrap();
    store.issue(&TicketRecord { sealed: None, ..record(3) }, at(10)).await.unwrap();
    assert_eq!(ids(at(11)).await, [id(2), id(1)], "oldest first, and only those with a sealed secret");
    let sealed = store.candidates(None, at(11)).await.unwrap().remove(0).sealed;
    assert_eq!(sealed, SealedSecret(vec![2; 36]));

    claim(store, &long(2), &anyone(), at(12)).await;
    assert_eq!(ids(at(59)).await, [id(2), id(1)], "a used one is recognised as used");
    assert_eq!(ids(at(60)).await, [id(1)]);
    assert_eq!(
        ids(at(59)).await,
        [id(1)],
        "what has expired is removed, and does not come back with the clock"
    );
    assert_eq!(store.purge(at(70)).await.unwrap().secrets, 1);
    assert_eq!(ids(at(11)).await, []);
}

pub(crate) async fn lets_its_user_in_again_for_a_moment(fixture: Fixture) {
    let store = fixture.store();
    let again = Claimant { resume: true, ..login("Alice", "front-desk") };
    let mut record = record(1);
    record.ticket.expires_at = at(6);
    store.issue(&record, at(0)).await.unwrap();
    // Until it is used for the first time it is a ticket like any other.
    let Claim::Claimed { fence: first, .. } = claim(store, &long(1), &again, at(5)).await else {
        panic!("not claimed")
    };
    let end = at(5).saturating_add(RESUME_WINDOW);
    let last = end.saturating_sub(std::time::Duration::from_millis(1));
    let mapped = Claimant { address: address("::ffff:192.0.2.7"), ..again.clone() };
    let anonymous = Claimant { login: None, ..again.clone() };
    let mut fences = vec![first];
    for (key, claimant, now) in [
        (long(1), &again, at(5)),
        // By whichever of its secrets, and although it has expired meanwhile.
        (short(1), &mapped, at(7)),
        (TicketKey::Id(id(1)), &anonymous, last),
        // As a node sees it whose clock is behind.
        (long(1), &again, at(4)),
    ] {
        match claim(store, &key, claimant, now).await {
            Claim::Resumed { fence, ticket, at: when } => {
                assert_eq!((ticket, when), (record.ticket.clone(), at(5)));
                fences.push(fence);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(fences.is_sorted_by(|earlier, later| earlier < later), "{fences:?}");

    let used = Claim::Used { ticket: record.ticket.clone(), by: address("192.0.2.7"), at: at(5) };
    let elsewhere = Claimant { address: address("192.0.2.8"), ..again.clone() };
    let another = Claimant { resume: true, ..login("bob", "front-desk") };
    let astray = Claimant { resume: true, ..login("alice", "back-office") };
    for (claimant, now) in [
        (&again, end),
        (&again, at(-6)),
        (&elsewhere, at(6)),
        (&another, at(6)),
        (&astray, at(6)),
        (&anyone(), at(6)),
    ] {
        assert_eq!(claim(store, &long(1), claimant, now).await, used, "{claimant:?} at {now}");
    }
    // Having come back does not prolong it.
    assert_eq!(claim(store, &long(1), &again, end).await, used);
}

pub(crate) async fn of_a_hundred_that_may_come_back_one_is_first(fixture: Fixture) {
    for number in 1..=5 {
        fixture.store().issue(&record(number), at(0)).await.unwrap();
        let claims = fixture
            .race(100, |store, index| async move {
                let key = [long(number), short(number), TicketKey::Id(id(number))][index % 3];
                let here = Claimant { resume: true, ..anyone() };
                let there = Claimant { address: address("192.0.2.8"), ..here.clone() };
                (index % 4, claim(&*store, &key, [&here, &there][index % 2], at(1)).await)
            })
            .await;
        let winners: Vec<_> =
            claims.iter().filter(|(_, claim)| matches!(claim, Claim::Claimed { .. })).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let winner = winners[0].0 % 2;
        for (side, claim) in &claims {
            match claim {
                Claim::Claimed { .. } => {}
                Claim::Resumed { at: when, .. } => assert_eq!((side % 2, *when), (winner, at(1))),
                Claim::Used { .. } => assert_ne!(side % 2, winner),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(claims.iter().filter(|(_, claim)| matches!(claim, Claim::Resumed { .. })).count(), 49);
    }
}

pub(crate) async fn is_a_candidate_of_its_login(fixture: Fixture) {
    let store = fixture.store();
    let named = |number, technician: &str, target: &str, issued: i64| {
        let mut record = record(number);
        record.ticket.technician = technician.to_owned();
        record.ticket.target = target.to_owned();
        record.ticket.issued_at = at(issued);
        record
    };
    for record in [
        named(1, "alice", "front-desk", 3),
        named(2, "alice", "back-office", 2),
        named(3, "bob", "front-desk", 1),
        named(4, "Alice", "FRONT-desk", 0),
    ] {
        store.issue(&record, at(3)).await.unwrap();
    }
    let candidates = async |technician, target, now| {
        let login = login(technician, target).login;
        let found = store.candidates(login.as_ref(), now).await.unwrap();
        found
            .into_iter()
            .map(|candidate| (candidate.id, candidate.issued_at, candidate.used))
            .collect::<Vec<_>>()
    };
    let both = [(id(4), at(0), None), (id(1), at(3), None)];
    for (technician, target) in
        [("alice", "front-desk"), ("ALICE", "Front-Desk"), ("alice", "front-desk@corp.example")]
    {
        assert_eq!(candidates(technician, target, at(4)).await, both, "{technician}:{target}");
    }
    for (technician, target) in
        [("mallory", "front-desk"), ("alice", "front"), ("alice@corp", "front-desk"), ("", "")]
    {
        assert_eq!(candidates(technician, target, at(4)).await, [], "{technician}:{target}");
    }

    claim(store, &long(1), &anyone(), at(55)).await;
    let used = (id(1), at(3), Some((address("192.0.2.7"), at(55))));
    assert_eq!(candidates("alice", "front-desk", at(56)).await, [both[0], used]);
    // All have expired at 60, but who has used one may come back until 65.
    assert_eq!(candidates("alice", "front-desk", at(64)).await, [used]);
    assert_eq!(candidates("alice", "front-desk", at(65)).await, []);
}

pub(crate) async fn is_not_looked_at_under_a_lock(fixture: Fixture) {
    let store = fixture.store();
    store.issue(&record(1), at(0)).await.unwrap();
    let mut policy = lenient();
    policy.address.free = 1;
    policy.identity.free = 1;
    let claim =
        async |key, claimant: &Claimant, now| store.claim(&key, claimant, &policy, now).await.unwrap();
    let address = AttemptKey::address(anyone().address);

    // Two wrong guesses lock, one that names nobody and one that names somebody else.
    assert_eq!(claim(long(9), &anyone(), at(1)).await, Claim::Unknown);
    let other = claim(long(1), &login("bob", "front-desk"), at(1)).await;
    assert!(matches!(other, Claim::OtherLogin { .. }), "{other:?}");
    let Claim::Locked(locked) = claim(long(1), &anyone(), at(1)).await else { panic!("not locked") };
    assert_eq!((locked.key, locked.until), (address.clone(), at(3)));
    for key in [long(1), short(1), TicketKey::Id(id(1)), long(9)] {
        let locked = claim(key, &Claimant { resume: true, ..login("alice", "front-desk") }, at(2)).await;
        assert!(matches!(locked, Claim::Locked(_)), "{locked:?}");
    }
    // Under the lock nothing was counted, and what comes after it is looked at. Success clears the counts.
    assert!(matches!(claim(long(1), &anyone(), at(3)).await, Claim::Claimed { .. }));
    assert_eq!(claim(long(9), &anyone(), at(3)).await, Claim::Unknown);
    assert_eq!(store.locked(&[address], at(3)).await.unwrap(), None, "it is the first failure again");
    // A secret that is right but of no use any more is no failure.
    for _ in 0..5 {
        assert!(matches!(claim(short(1), &anyone(), at(3)).await, Claim::Used { .. }));
    }
}

pub(crate) async fn is_forgotten_a_day_after_expiry(fixture: Fixture) {
    let store = fixture.store();
    store.issue(&record(1), at(0)).await.unwrap();
    let day = at(60).saturating_add(seconds(24 * 3600));
    store.purge(day.saturating_sub(seconds(1))).await.unwrap();
    assert!(matches!(claim(store, &long(1), &anyone(), day).await, Claim::Expired { .. }));
    store.purge(day).await.unwrap();
    assert_eq!(claim(store, &long(1), &anyone(), day).await, Claim::Unknown);
    assert_eq!(claim(store, &short(1), &anyone(), day).await, Claim::Unknown);
    assert_eq!(store.issue(&record(1), day).await.unwrap(), Issue::Issued);
}

pub(crate) async fn clock_edges(fixture: Fixture) {
    let store = fixture.store();
    // A ticket that another node, whose clock is ahead, has issued a moment ago.
    store.issue(&record(1), at(0)).await.unwrap();
    assert!(matches!(claim(store, &long(1), &anyone(), at(-2)).await, Claim::Claimed { .. }));
    // A ticket without a life.
    let mut dead = record(2);
    dead.ticket.expires_at = at(0);
    store.issue(&dead, at(0)).await.unwrap();
    assert!(matches!(claim(store, &long(2), &anyone(), at(0)).await, Claim::Expired { .. }));
    assert_eq!(store.candidates(None, at(0)).await.unwrap().len(), 1, "of the first one only");
    // The ends of time.
    let mut endless = record(3);
    endless.ticket.issued_at = Timestamp::MIN;
    endless.ticket.expires_at = Timestamp::MAX;
    store.issue(&endless, Timestamp::MIN).await.unwrap();
    store.purge(Timestamp::MIN).await.unwrap();
    let claimed = claim(store, &long(3), &anyone(), at(0)).await;
    assert!(matches!(&claimed, Claim::Claimed { ticket, .. } if *ticket == endless.ticket), "{claimed:?}");
    store.purge(Timestamp::MAX).await.unwrap();
}
