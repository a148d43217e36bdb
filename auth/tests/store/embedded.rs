//! The embedded store, in memory and in a file.

use std::fs;
use std::sync::Arc;

use passerelle_auth::{
    AttemptKey, Backoff, Claim, Document, DocumentKind, Embedded, Expect, Fingerprint, Lease, LockoutPolicy,
    Put, Store, Trust,
};

use crate::conformance::{Fixture, address, at, conformance, seconds};
use crate::samples::{claim, issue, request};

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
    issue(&store, 1).await;
    issue(&store, 2).await;
    let Claim::Claimed { fence: before, .. } = claim(&store, 1).await.unwrap() else { panic!("not claimed") };
    let key = AttemptKey::address(address("192.0.2.8"));
    store.fail(std::slice::from_ref(&key), &policy, at(1)).await.unwrap();
    store.trust("front-desk", &Fingerprint([1; 32]), at(1)).await.unwrap();
    assert!(matches!(store.lease(&request(1), at(1)).await.unwrap(), Lease::Leased { .. }));
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
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Used { .. }));
    assert_eq!(store.candidates(None, at(1)).await.unwrap().len(), 2);
    match claim(&store, 2).await.unwrap() {
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
