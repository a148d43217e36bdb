//! The embedded store, in memory and in a file.

use std::fs;
use std::sync::Arc;

use passerelle_auth::{
    AttemptKey, Backoff, Claim, Claimant, Digest, Document, DocumentKind, Embedded, Expect, Fingerprint,
    Lease, LeaseRequest, LockoutPolicy, Put, SealedSecret, SessionId, SessionLimits, Store, Ticket,
    TicketContext, TicketId, TicketKey, TicketRecord, Trust,
};

use crate::conformance::{Fixture, address, at, conformance, seconds};

mod in_memory {
    use super::*;

    async fn fixture() -> Fixture {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        Fixture { nodes: [Arc::clone(&store), store], _keep: Box::new(()) }
    }

    conformance!(super::fixture);
}

mod in_a_file {
    use super::*;

    async fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Embedded::open(&directory.path().join("store.db")).unwrap());
        Fixture { nodes: [Arc::clone(&store), store], _keep: Box::new(directory) }
    }

    conformance!(super::fixture);
}

fn record(number: u8) -> TicketRecord {
    TicketRecord {
        ticket: Ticket {
            id: TicketId::from_bytes([number; 16]),
            technician: "alice".to_owned(),
            target: "front-desk".to_owned(),
            permissions: None,
            address: None,
            issued_at: at(0),
            expires_at: at(60),
            context: TicketContext::default(),
        },
        digests: vec![Digest([number; 32])],
        sealed: Some(SealedSecret(vec![number; 36])),
    }
}

async fn claim(store: &Embedded, number: u8) -> Claim {
    let claimant = Claimant { address: address("192.0.2.7"), login: None, resume: false };
    let key = TicketKey::Digest(Digest([number; 32]));
    store.claim(&key, &claimant, &LockoutPolicy::default(), at(1)).await.unwrap()
}

/// The files as they are while the store is open are those that a killed process leaves behind.
#[tokio::test]
async fn what_a_killed_process_leaves_behind_is_whole() {
    let policy = LockoutPolicy {
        address: Backoff { free: 0, first: seconds(100), longest: seconds(100), forget: seconds(100) },
        ..LockoutPolicy::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let alive = directory.path().join("alive");
    let killed = directory.path().join("killed");
    fs::create_dir(&alive).unwrap();
    fs::create_dir(&killed).unwrap();

    let store = Embedded::open(&alive.join("store.db")).unwrap();
    store.issue(&record(1), at(0)).await.unwrap();
    store.issue(&record(2), at(0)).await.unwrap();
    let Claim::Claimed { fence: before, .. } = claim(&store, 1).await else { panic!("not claimed") };
    let key = AttemptKey::address(address("192.0.2.8"));
    store.fail(std::slice::from_ref(&key), &policy, at(1)).await.unwrap();
    store.trust("front-desk", &Fingerprint([1; 32]), at(1)).await.unwrap();
    let request = LeaseRequest {
        session: SessionId::from_bytes([1; 16]),
        node: "a".to_owned(),
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        protocol: "vnc".to_owned(),
        address: address("192.0.2.7"),
        ttl: seconds(10),
        limits: SessionLimits::default(),
    };
    assert!(matches!(store.lease(&request, at(1)).await.unwrap(), Lease::Leased { .. }));
    let used = Document {
        kind: DocumentKind::JwtId,
        key: "jti".to_owned(),
        value: Vec::new(),
        expires_at: Some(at(60)),
    };
    assert!(matches!(store.put(&used, Expect::Absent, at(1)).await.unwrap(), Put::Stored { .. }));
    assert_eq!(store.since(at(1)).await.unwrap(), at(1));
    for entry in fs::read_dir(&alive).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), killed.join(entry.file_name())).unwrap();
    }

    let store = Embedded::open(&killed.join("store.db")).unwrap();
    assert!(matches!(claim(&store, 1).await, Claim::Used { .. }));
    assert_eq!(store.candidates(None, at(1)).await.unwrap().len(), 2);
    match claim(&store, 2).await {
        Claim::Claimed { fence, .. } => assert!(fence > before),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.put(&used, Expect::Absent, at(2)).await.unwrap(), Put::Conflict);
    assert_eq!(store.since(at(2)).await.unwrap(), at(1));
    assert!(store.locked(&[key], at(2)).await.unwrap().is_some());
    assert_eq!(store.sessions(at(2)).await.unwrap().len(), 1);
    let trust = store.trust("front-desk", &Fingerprint([1; 32]), at(2)).await.unwrap();
    assert_eq!(trust, Trust::Same { known_since: at(1) });
}

#[tokio::test]
async fn watchers_learn_of_the_end() {
    let store = Embedded::in_memory().unwrap();
    let mut watcher = store.watch();
    drop(store);
    assert_eq!(watcher.next().await, None);
}
