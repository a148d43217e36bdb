//! A certificate...

use passerelle_auth::{Fingerprint, Trust, Trusted};

use super::{Fixture, at};

const GREEN: Fingerprint = Fingerprint([0x11; 32]);
const RED: Fingerprint = Fingerprint([0x22; 32]);

pub(crate) async fn remembers_the_first_certificate(fixture: Fixture) {
    let store = fixture.store();
    assert_eq!(store.trust("front-desk", &GREEN, at(0)).await.unwrap(), Trust::First);
    assert_eq!(store.trust("front-desk", &GREEN, at(5)).await.unwrap(), Trust::Same { known_since: at(0) });
    let changed = Trust::Changed { known_since: at(0), known: GREEN };
    for now in [6, 7] {
        assert_eq!(fixture.nodes[1].trust("front-desk", &RED, at(now)).await.unwrap(), changed);
    }
    assert_eq!(store.trust("back-office", &RED, at(8)).await.unwrap(), Trust::First);
    let trusted = |target: &str, fingerprint, since| Trusted {
        target: target.to_owned(),
        fingerprint,
        known_since: at(since),
    };
    let expected = [trusted("back-office", RED, 8), trusted("front-desk", GREEN, 0)];
    assert_eq!(store.trusted().await.unwrap(), expected);

    assert!(store.forget("front-desk").await.unwrap());
    assert!(!store.forget("front-desk").await.unwrap());
    assert_eq!(store.trust("front-desk", &RED, at(9)).await.unwrap(), Trust::First);
}

pub(crate) async fn first_is_first_once(fixture: Fixture) {
    let answers = fixture
        .race(20, |store, index| async move {
            let fingerprint = Fingerprint([u8::try_from(index).unwrap(); 32]);
            store.trust("front-desk", &fingerprint, at(0)).await.unwrap()
        })
        .await;
    assert_eq!(answers.iter().filter(|answer| **answer == Trust::First).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Trust::Changed { .. })).count(), 19);
}
