//! A lock...

use passerelle_auth::{
    AttemptKey, Backoff, Claim, Claimant, Digest, Locked, Lockout, LockoutPolicy, Login, Store, Ticket,
    TicketContext, TicketId, TicketKey, TicketRecord, Timestamp,
};

use super::{Fixture, address, at, seconds};

const POLICY: LockoutPolicy = LockoutPolicy {
    address: Backoff { free: 3, first: seconds(2), longest: seconds(10), forget: seconds(100) },
    identity: Backoff { free: 1, first: seconds(1), longest: seconds(4), forget: seconds(50) },
    global: Backoff { free: 5, first: seconds(1), longest: seconds(2), forget: seconds(20) },
};

fn here() -> AttemptKey {
    AttemptKey::address(address("192.0.2.7"))
}

fn alice() -> AttemptKey {
    AttemptKey::identity("alice")
}

/// Counts a failure and tells until when the keys are locked then.
async fn fail(store: &dyn Store, keys: &[AttemptKey], now: Timestamp) -> Option<Timestamp> {
    let before = store.fail(keys, &POLICY, now).await.unwrap();
    assert_eq!(before, None, "nothing was locked, so the failure counts");
    store.locked(keys, now).await.unwrap().map(|locked| locked.until)
}

/// Presents the right secret as alice.
async fn succeed(store: &dyn Store, now: Timestamp) -> Claim {
    let number = u8::try_from(store.candidates(None, now).await.unwrap().len()).unwrap();
    let ticket = Ticket {
        id: TicketId::from_bytes([number; 16]),
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        permissions: None,
        address: None,
        issued_at: now,
        expires_at: now.saturating_add(seconds(60)),
        context: TicketContext::default(),
    };
    let digests = vec![Digest([number; 32])];
    let sealed = Some(passerelle_auth::SealedSecret(vec![number]));
    store.issue(&TicketRecord { ticket, digests, sealed }, now).await.unwrap();
    let login = Login { technician: "Alice".to_owned(), target: "front-desk".to_owned() };
    let claimant = Claimant { address: address("192.0.2.7"), login: Some(login), resume: false };
    store.claim(&TicketKey::Digest(Digest([number; 32])), &claimant, &POLICY, now).await.unwrap()
}

async fn is_locked(store: &dyn Store, key: AttemptKey, now: Timestamp) -> bool {
    store.locked(&[key], now).await.unwrap().is_some()
}

pub(crate) async fn follows_the_table(fixture: Fixture) {
    let store = fixture.store();
    for (key, locks) in [
        (here(), [0, 0, 0, 2, 4, 8, 10, 10]),
        (alice(), [0, 1, 2, 4, 4, 4, 4, 4]),
        (AttemptKey::Global, [0, 0, 0, 0, 0, 1, 2, 2]),
    ] {
        let mut now = 0;
        for (failure, lock) in locks.into_iter().enumerate() {
            let until = fail(store, std::slice::from_ref(&key), at(now)).await;
            assert_eq!(until, (lock > 0).then(|| at(now + lock)), "{key}, failure {failure}");
            let last = at(now + lock).saturating_sub(std::time::Duration::from_millis(1));
            assert_eq!(is_locked(store, key.clone(), last).await, lock > 0, "{key}, failure {failure}");
            assert!(!is_locked(store, key.clone(), at(now + lock)).await, "{key}, failure {failure}");
            now += lock;
        }
    }
}

pub(crate) async fn counts_each_key_of_its_own(fixture: Fixture) {
    let store = fixture.store();
    let there = AttemptKey::address(address("192.0.2.8"));
    assert_eq!(fail(store, &[here(), alice(), AttemptKey::Global], at(0)).await, None);
    let keys = [there.clone(), alice(), AttemptKey::Global];
    assert_eq!(fail(store, &keys, at(0)).await, Some(at(1)));
    assert_eq!(store.locked(&keys, at(0)).await.unwrap(), Some(Locked { key: alice(), until: at(1) }));
    // Where one key is locked, nothing is counted for any.
    for _ in 0..9 {
        let locked = store.fail(&keys, &POLICY, at(0)).await.unwrap();
        assert_eq!(locked, Some(Locked { key: alice(), until: at(1) }));
    }
    assert!(!is_locked(store, here(), at(0)).await && !is_locked(store, there.clone(), at(0)).await);

    // Of several locks the one that ends last is told, whatever the order of the keys.
    for _ in 0..2 {
        fail(store, &[here()], at(0)).await;
    }
    fail(store, &[here()], at(0)).await;
    for keys in [[here(), alice()], [alice(), here()]] {
        assert_eq!(store.locked(&keys, at(0)).await.unwrap(), Some(Locked { key: here(), until: at(2) }));
    }
    assert_eq!(store.locked(&[], at(0)).await.unwrap(), None);
    // The same text as address and as identity is two keys.
    let namesake = AttemptKey::identity("192.0.2.7");
    assert!(!is_locked(store, namesake, at(0)).await);
}

pub(crate) async fn ends_and_is_forgotten(fixture: Fixture) {
    let store = fixture.store();
    for _ in 0..4 {
        fail(store, &[here()], at(0)).await;
    }
    assert_eq!(store.purge(at(101)).await.unwrap().failures, 0, "remembered for 100 s after the lock of 2 s");
    assert_eq!(fail(store, &[here()], at(101)).await, Some(at(105)), "the next failure locks for longer");
    assert_eq!(fail(store, &[here()], at(205)).await, None, "100 s after the lock the count begins anew");
    assert_eq!(store.purge(at(304)).await.unwrap().failures, 0);
    assert_eq!(store.purge(at(305)).await.unwrap().failures, 1);
}

pub(crate) async fn success_clears_all_but_the_global_count(fixture: Fixture) {
    let store = fixture.store();
    for round in 0..3 {
        // As many as are free, in each round anew.
        for _ in 0..3 {
            assert_eq!(fail(store, &[here()], at(round)).await, None);
        }
        assert_eq!(fail(store, &[alice()], at(round)).await, None);
        assert!(matches!(succeed(store, at(round)).await, Claim::Claimed { .. }));
    }
    for _ in 0..5 {
        assert_eq!(fail(store, &[AttemptKey::Global], at(3)).await, None);
    }
    assert!(matches!(succeed(store, at(3)).await, Claim::Claimed { .. }));
    assert_eq!(fail(store, &[AttemptKey::Global], at(3)).await, Some(at(4)), "the sixth failure of all");
    let locked = Claim::Locked(Locked { key: AttemptKey::Global, until: at(4) });
    assert_eq!(succeed(store, at(3)).await, locked);
}

pub(crate) async fn counts_every_failure_of_a_race(fixture: Fixture) {
    let policy = LockoutPolicy { address: Backoff { free: 99, ..POLICY.address }, ..POLICY };
    let locks = fixture
        .race(100, move |store, _| async move { store.fail(&[here()], &policy, at(0)).await.unwrap() })
        .await;
    assert_eq!(locks.iter().flatten().count(), 0);
    let lock = fixture.store().locked(&[here()], at(0)).await.unwrap();
    assert_eq!(
        lock,
        Some(Locked { key: here(), until: at(2) }),
        "the hundredth failure is the first that locks"
    );
}

pub(crate) async fn a_race_gets_no_more_answers_than_a_row(fixture: Fixture) {
    // Wrong guesses at tickets and failures that were found out without the store, mixed.
    let answered = fixture
        .race(100, |store, index| async move {
            if index % 3 == 0 {
                return store.fail(&[here()], &POLICY, at(0)).await.unwrap().is_none();
            }
            let claimant = Claimant { address: address("192.0.2.7"), login: None, resume: index % 3 == 1 };
            let key = TicketKey::Digest(Digest([0; 32]));
            match store.claim(&key, &claimant, &POLICY, at(0)).await.unwrap() {
                Claim::Unknown => true,
                Claim::Locked(_) => false,
                other => panic!("{other:?}"),
            }
        })
        .await;
    let answered = answered.iter().filter(|answered| **answered).count();
    assert_eq!(answered, 4, "three are free and the fourth locks");
}

pub(crate) async fn a_clock_set_back_frees(fixture: Fixture) {
    let store = fixture.store();
    for _ in 0..4 {
        fail(store, &[here()], at(1_000_000)).await;
    }
    assert!(is_locked(store, here(), at(1_000_001)).await);
    assert!(!is_locked(store, here(), at(0)).await);
    assert_eq!(fail(store, &[here()], at(0)).await, Some(at(4)), "the count goes on");
    assert_eq!(fail(store, &[here()], Timestamp::MAX).await, None);
}

pub(crate) async fn is_listed_and_cleared(fixture: Fixture) {
    let store = fixture.store();
    for _ in 0..4 {
        fail(store, &[here()], at(0)).await;
    }
    for _ in 0..3 {
        let now = store.locked(&[alice()], at(0)).await.unwrap().map_or(at(0), |locked| locked.until);
        fail(store, &[alice()], now).await;
    }
    fail(store, &[AttemptKey::Global], at(0)).await;
    let of_address = Lockout { key: here(), failures: 4, until: at(2) };
    let of_alice = Lockout { key: alice(), failures: 3, until: at(3) };
    assert_eq!(store.lockouts(at(1)).await.unwrap(), [of_alice.clone(), of_address]);
    assert_eq!(fixture.nodes[1].lockouts(at(2)).await.unwrap(), [of_alice]);
    assert_eq!(store.lockouts(at(3)).await.unwrap(), []);

    assert!(store.clear_lockout(&here()).await.unwrap());
    assert!(!store.clear_lockout(&here()).await.unwrap());
    assert!(!is_locked(store, here(), at(1)).await);
    assert_eq!(fail(store, &[here()], at(1)).await, None, "the count begins anew");
    assert!(is_locked(store, alice(), at(2)).await, "others stay locked");
}

pub(crate) async fn takes_back_what_was_right(fixture: Fixture) {
    let store = fixture.store();
    let keys = [here(), alice(), AttemptKey::Global];
    for second in 0..20 {
        assert_eq!(fail(store, &keys, at(second)).await, None, "after {second} right ones");
        store.forgive(&keys, &POLICY, at(second)).await.unwrap();
    }
    // The global count holds what was wrong before, and no more.
    for second in 20..25 {
        assert_eq!(fail(store, &[AttemptKey::Global], at(second)).await, None);
    }
    assert!(fail(store, &[AttemptKey::Global], at(25)).await.is_some());
    store.forgive(&keys, &POLICY, at(25)).await.unwrap();
    assert!(!is_locked(store, AttemptKey::Global, at(25)).await, "the lock was that one's");
}
