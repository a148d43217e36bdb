//! A ticket...

use passerelle_auth::{
    Claim, Claimant, Digest, Issue, Login, SealedSecret, StoreError, Ticket, TicketId, TicketKey,
    TicketRecord, Timestamp,
};
use passerelle_desktop::{Permission, Permissions};

use super::{Fixture, address, at, seconds};

/// A ticket of alice's for the front desk, issued at 0 for a minute. Its secrets are made of `number`.
fn record(number: u8) -> TicketRecord {
    TicketRecord {
        ticket: Ticket {
            id: id(number),
            technician: "alice".to_owned(),
            target: "front-desk".to_owned(),
            permissions: None,
            address: None,
            issued_at: at(0),
            expires_at: at(60),
        },
        digests: vec![Digest([number; 32]), Digest([number | 0x80; 32])],
        sealed: Some(SealedSecret(vec![number; 36])),
    }
}

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
    Claimant { address: address("192.0.2.7"), login: None }
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
        match store.claim(&key, &anyone(), at(1)).await.unwrap() {
            Claim::Claimed { fence, ticket } => {
                assert_eq!(ticket, record(number).ticket);
                fences.push(fence);
            }
            other => panic!("{other:?}"),
        }
        let used = Claim::Used { ticket: record(number).ticket, by: address("192.0.2.7"), at: at(1) };
        let elsewhere = Claimant { address: address("2001:db8::1"), login: None };
        for key in [long(number), short(number), TicketKey::Id(id(number))] {
            // Also after its expiry, a used ticket is known as used.
            for now in [at(0), at(2), at(61)] {
                assert_eq!(store.claim(&key, &elsewhere, now).await.unwrap(), used);
            }
        }
    }
    assert!(fences.is_sorted_by(|earlier, later| earlier < later), "{fences:?}");
    assert_eq!(store.claim(&long(4), &anyone(), at(1)).await.unwrap(), Claim::Unknown);
    assert_eq!(store.claim(&TicketKey::Id(id(4)), &anyone(), at(1)).await.unwrap(), Claim::Unknown);
}

pub(crate) async fn of_a_hundred_claims_one_succeeds(fixture: Fixture) {
    for number in 1..=5 {
        fixture.store().issue(&record(number), at(0)).await.unwrap();
        let claims = fixture
            .race(100, |store, index| async move {
                let key = [long(number), short(number), TicketKey::Id(id(number))][index % 3];
                store.claim(&key, &anyone(), at(1)).await.unwrap()
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
        store.issue(&record, at(0)).await.unwrap();
        let claimant = Claimant { address: bound.map_or(address("192.0.2.7"), address), login: None };
        let claim = store.claim(&long(number), &claimant, at(1)).await.unwrap();
        assert!(matches!(&claim, Claim::Claimed { ticket, .. } if *ticket == record.ticket), "{claim:?}");
    }
}

pub(crate) async fn ends_at_its_expiry(fixture: Fixture) {
    let store = fixture.store();
    for (number, now, live) in
        [(1, 59_999, true), (2, 60_000, false), (3, 60_001, false), (4, i64::MAX / 2, false)]
    {
        store.issue(&record(number), at(0)).await.unwrap();
        let now = Timestamp::from_millis(at(0).as_millis() + now);
        match store.claim(&long(number), &anyone(), now).await.unwrap() {
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
    assert_eq!(store.claim(&short(1), &anyone(), at(2)).await.unwrap(), withdrawn);
    let candidates = store.candidates(at(2)).await.unwrap();
    assert!(candidates.iter().all(|candidate| candidate.id != id(1)));

    store.claim(&long(2), &anyone(), at(1)).await.unwrap();
    assert!(!store.withdraw(id(2), at(2)).await.unwrap(), "it was used");
    assert!(!store.withdraw(id(3), at(60)).await.unwrap(), "it has expired");
    assert!(!store.withdraw(id(4), at(1)).await.unwrap(), "it does not exist");
    assert!(matches!(store.claim(&long(2), &anyone(), at(2)).await.unwrap(), Claim::Used { .. }));
}

pub(crate) async fn stays_live_when_it_is_somebody_elses(fixture: Fixture) {
    let store = fixture.store();
    let mut record = record(1);
    record.ticket.address = Some(address("192.0.2.7"));
    store.issue(&record, at(0)).await.unwrap();
    let ticket = || record.ticket.clone();

    let elsewhere = Claimant { address: address("192.0.2.8"), login: None };
    assert_eq!(
        store.claim(&long(1), &elsewhere, at(1)).await.unwrap(),
        Claim::OtherAddress { ticket: ticket() }
    );
    for (technician, target) in [("bob", "front-desk"), ("alice", "back-office"), ("alice", "front-des")] {
        let claim = store.claim(&long(1), &login(technician, target), at(1)).await.unwrap();
        assert_eq!(claim, Claim::OtherLogin { ticket: ticket() });
    }
    let mapped = Claimant { address: address("::ffff:192.0.2.7"), ..login("Alice", "FRONT-DESK") };
    assert!(matches!(store.claim(&long(1), &mapped, at(2)).await.unwrap(), Claim::Claimed { .. }));
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
    assert_eq!(
        store.claim(&long(2), &anyone(), at(1)).await.unwrap(),
        Claim::Unknown,
        "nothing of it is kept"
    );
    assert_eq!(store.candidates(at(1)).await.unwrap().len(), 1);
    assert_eq!(store.issue(&record(2), at(0)).await.unwrap(), Issue::Issued);
}

pub(crate) async fn is_a_candidate_until_it_expires(fixture: Fixture) {
    let store = fixture.store();
    let ids = async |now| -> Vec<TicketId> {
        store.candidates(now).await.unwrap().iter().map(|candidate| candidate.id).collect()
    };
    assert_eq!(ids(at(0)).await, []);
    let mut later = record(1);
    later.ticket.issued_at = at(10);
    later.ticket.expires_at = at(70);
    store.issue(&later, at(10)).await.unwrap();
    store.issue(&record(2), at(10)).await.unwrap();
    store.issue(&TicketRecord { sealed: None, ..record(3) }, at(10)).await.unwrap();
    assert_eq!(ids(at(11)).await, [id(2), id(1)], "oldest first, and only those with a sealed secret");
    let sealed = store.candidates(at(11)).await.unwrap().remove(0).sealed;
    assert_eq!(sealed, SealedSecret(vec![2; 36]));

    store.claim(&long(2), &anyone(), at(12)).await.unwrap();
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

pub(crate) async fn is_forgotten_a_day_after_expiry(fixture: Fixture) {
    let store = fixture.store();
    store.issue(&record(1), at(0)).await.unwrap();
    let day = at(60).saturating_add(seconds(24 * 3600));
    store.purge(day.saturating_sub(seconds(1))).await.unwrap();
    assert!(matches!(store.claim(&long(1), &anyone(), day).await.unwrap(), Claim::Expired { .. }));
    store.purge(day).await.unwrap();
    assert_eq!(store.claim(&long(1), &anyone(), day).await.unwrap(), Claim::Unknown);
    assert_eq!(store.claim(&short(1), &anyone(), day).await.unwrap(), Claim::Unknown);
    assert_eq!(store.issue(&record(1), day).await.unwrap(), Issue::Issued);
}

pub(crate) async fn clock_edges(fixture: Fixture) {
    let store = fixture.store();
    // A ticket that another node, whose clock is ahead, has issued a moment ago.
    store.issue(&record(1), at(0)).await.unwrap();
    assert!(matches!(store.claim(&long(1), &anyone(), at(-2)).await.unwrap(), Claim::Claimed { .. }));
    // A ticket without a life.
    let mut dead = record(2);
    dead.ticket.expires_at = at(0);
    store.issue(&dead, at(0)).await.unwrap();
    assert!(matches!(store.claim(&long(2), &anyone(), at(0)).await.unwrap(), Claim::Expired { .. }));
    assert_eq!(store.candidates(at(0)).await.unwrap().len(), 1, "of the first one only");
    // The ends of time.
    let mut endless = record(3);
    endless.ticket.issued_at = Timestamp::MIN;
    endless.ticket.expires_at = Timestamp::MAX;
    store.issue(&endless, Timestamp::MIN).await.unwrap();
    store.purge(Timestamp::MIN).await.unwrap();
    let claim = store.claim(&long(3), &anyone(), at(0)).await.unwrap();
    assert!(matches!(&claim, Claim::Claimed { ticket, .. } if *ticket == endless.ticket), "{claim:?}");
    store.purge(Timestamp::MAX).await.unwrap();
}
