//! A document...

use passerelle_auth::{Document, DocumentKind, Expect, Put, Store, StoreEvent, StoredDocument, Timestamp};

use super::{Fixture, at, seconds};

fn document(kind: DocumentKind, key: &str, value: &[u8]) -> Document {
    Document { kind, key: key.to_owned(), value: value.to_vec(), expires_at: None }
}

fn token(key: &str, value: &[u8]) -> Document {
    Document { expires_at: Some(at(60)), ..document(DocumentKind::Token, key, value) }
}

async fn stored(store: &dyn Store, document: &Document, expect: Expect, now: Timestamp) -> u64 {
    match store.put(document, expect, now).await.unwrap() {
        Put::Stored { version } => version,
        Put::Conflict => panic!("conflict"),
    }
}

async fn get(store: &dyn Store, document: &Document, now: Timestamp) -> Option<StoredDocument> {
    store.get(document.kind, &document.key, now).await.unwrap()
}

async fn keys(store: &dyn Store, kind: DocumentKind, now: Timestamp) -> Vec<String> {
    store.list(kind, now).await.unwrap().into_iter().map(|document| document.key).collect()
}

pub(crate) async fn is_kept_as_it_was_given(fixture: Fixture) {
    let store = fixture.store();
    let every_byte: Vec<u8> = (0..=255).collect();
    for &kind in DocumentKind::ALL {
        assert_eq!(store.list(kind, at(0)).await.unwrap(), []);
        for (key, value) in [("", &b""[..]), ("élodie o'neil; --\n{x}:1", &every_byte), ("z", b"\0")] {
            let document = document(kind, key, value);
            let version = stored(store, &document, Expect::Absent, at(0)).await;
            let expected =
                StoredDocument { key: key.to_owned(), value: value.to_vec(), version, expires_at: None };
            for node in &fixture.nodes {
                assert_eq!(get(&**node, &document, Timestamp::MAX).await, Some(expected.clone()), "{key}");
            }
        }
        assert_eq!(keys(store, kind, at(0)).await, ["", "z", "élodie o'neil; --\n{x}:1"]);
    }
    // The same key of another kind is another document.
    let token = document(DocumentKind::Token, "z", b"");
    assert!(store.delete(token.kind, "z", Expect::Any, at(0)).await.unwrap());
    assert_eq!(get(store, &token, at(0)).await, None);
    assert!(get(store, &document(DocumentKind::Target, "z", b""), at(0)).await.is_some());
}

pub(crate) async fn changes_only_what_is_expected(fixture: Fixture) {
    let store = fixture.store();
    let (one, two) = (token("a", b"one"), token("a", b"two"));
    assert_eq!(store.put(&one, Expect::Version(1), at(0)).await.unwrap(), Put::Conflict);
    let first = stored(store, &one, Expect::Any, at(0)).await;
    assert_eq!(store.put(&two, Expect::Absent, at(0)).await.unwrap(), Put::Conflict);
    assert_eq!(store.put(&two, Expect::Version(first + 1), at(0)).await.unwrap(), Put::Conflict);
    assert_eq!(get(store, &one, at(0)).await.unwrap().value, b"one");
    let second = stored(store, &two, Expect::Version(first), at(0)).await;
    assert!(first < second);
    assert_eq!(get(store, &one, at(0)).await.unwrap().value, b"two");
    assert_eq!(store.put(&one, Expect::Version(first), at(0)).await.unwrap(), Put::Conflict);

    for expect in [Expect::Version(first), Expect::Absent] {
        assert!(!store.delete(one.kind, "a", expect, at(0)).await.unwrap());
    }
    assert!(store.delete(one.kind, "a", Expect::Version(second), at(0)).await.unwrap());
    for expect in [Expect::Version(second), Expect::Any, Expect::Absent] {
        assert!(!store.delete(one.kind, "a", expect, at(0)).await.unwrap());
    }
    // A new one is not taken for the old one.
    let third = stored(store, &one, Expect::Absent, at(0)).await;
    assert!(second < third);
}

pub(crate) async fn is_absent_from_its_expiry_on(fixture: Fixture) {
    let store = fixture.store();
    let one = token("a", b"one");
    let version = stored(store, &one, Expect::Absent, at(0)).await;
    let last = at(60).saturating_sub(std::time::Duration::from_millis(1));
    assert_eq!(get(store, &one, last).await.unwrap().expires_at, Some(at(60)));
    assert_eq!(keys(store, one.kind, last).await, ["a"]);
    assert_eq!(store.put(&one, Expect::Absent, last).await.unwrap(), Put::Conflict);

    assert_eq!(get(store, &one, at(60)).await, None);
    assert_eq!(keys(store, one.kind, at(60)).await, [""; 0]);
    assert!(!store.delete(one.kind, "a", Expect::Any, at(60)).await.unwrap());
    assert_eq!(store.put(&one, Expect::Version(version), at(60)).await.unwrap(), Put::Conflict);
    let again = Document { expires_at: Some(at(90)), ..one.clone() };
    stored(store, &again, Expect::Absent, at(60)).await;
    assert_eq!(get(store, &one, at(89)).await.unwrap().expires_at, Some(at(90)));
    let unending = Document { expires_at: None, ..one };
    stored(store, &unending, Expect::Any, at(61)).await;
    assert_eq!(get(store, &unending, Timestamp::MAX).await.unwrap().expires_at, None);
}

pub(crate) async fn of_a_hundred_one_is_first(fixture: Fixture) {
    for round in 0..5 {
        let key = format!("jti {round}");
        let puts = fixture
            .race(100, |store, index| {
                let value = vec![u8::try_from(index).unwrap()];
                let document = Document { value, ..document(DocumentKind::JwtId, &key, b"") };
                async move { store.put(&document, Expect::Absent, at(0)).await.unwrap() }
            })
            .await;
        assert_eq!(puts.iter().filter(|put| **put == Put::Conflict).count(), 99);
        let deleted = fixture
            .race(100, |store, _| {
                let key = key.clone();
                async move { store.delete(DocumentKind::JwtId, &key, Expect::Any, at(0)).await.unwrap() }
            })
            .await;
        assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
    }
}

pub(crate) async fn that_matters_raises_the_epoch(fixture: Fixture) {
    let store = fixture.store();
    let mut watcher = fixture.nodes[1].watch();
    let mut epochs = vec![store.epoch().await.unwrap()];
    for &kind in DocumentKind::ALL {
        let document = document(kind, "a", b"");
        let version = stored(store, &document, Expect::Absent, at(0)).await;
        epochs.push(store.epoch().await.unwrap());
        // What changes nothing raises nothing.
        assert_eq!(store.put(&document, Expect::Absent, at(0)).await.unwrap(), Put::Conflict);
        assert!(!store.delete(kind, "b", Expect::Any, at(0)).await.unwrap());
        assert_eq!(store.epoch().await.unwrap(), *epochs.last().unwrap());
        assert!(store.delete(kind, "a", Expect::Version(version), at(0)).await.unwrap());
        epochs.push(fixture.nodes[1].epoch().await.unwrap());
    }
    let raising = DocumentKind::ALL.iter().filter(|kind| kind.raises_epoch()).count();
    epochs.dedup();
    assert_eq!(epochs.len(), 1 + 2 * raising);
    for epoch in &epochs[1..] {
        let event = tokio::time::timeout(seconds(5), watcher.next()).await.unwrap();
        assert_eq!(event, Some(StoreEvent::Changed { epoch: *epoch }));
    }
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 1 + 2 * raising, "no epoch comes again");
}

pub(crate) async fn is_remembered_since_the_first_question(fixture: Fixture) {
    assert_eq!(fixture.store().since(at(5)).await.unwrap(), at(5));
    for node in &fixture.nodes {
        for now in [at(0), at(5), at(1_000_000)] {
            assert_eq!(node.since(now).await.unwrap(), at(5));
        }
    }
}

pub(crate) async fn is_purged_after_its_expiry(fixture: Fixture) {
    let store = fixture.store();
    stored(store, &token("a", b""), Expect::Absent, at(0)).await;
    stored(store, &document(DocumentKind::Token, "b", b""), Expect::Absent, at(0)).await;
    assert_eq!(store.purge(at(59)).await.unwrap().documents, 0);
    assert_eq!(store.purge(at(60)).await.unwrap().documents, 1);
    assert_eq!(store.purge(Timestamp::MAX).await.unwrap().documents, 0);
    assert_eq!(keys(store, DocumentKind::Token, at(0)).await, ["b"]);
}
