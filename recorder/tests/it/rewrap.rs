//! Keys that are wrapped anew.

use std::sync::Arc;

use passerelle_recorder::{Class, Identity, Lane, Reader, RewrapError, erase, recipients, rewrap};

use crate::support::{House, SetClock, block_on};

const AT: &str = "2026-11-23T07:00:00.000Z";

/// A house with one sealed recording, `one`.
fn recorded() -> House {
    let house = House::new();
    let recorder = house.recorder(Arc::new(SetClock::default()));
    let recording = recorder.open("one", &serde_json::json!({ "technician": "alice" })).unwrap();
    recording.append(Lane::Target, b"a picture").unwrap();
    recording.append(Lane::Viewer, b"a key").unwrap();
    block_on(recording.close("closed")).unwrap();
    house
}

fn identity(house: &House, name: &str) -> Identity {
    Identity::load_or_create(&house.dir.path().join(name)).unwrap()
}

/// How many entries of the recording `identity` reads, and which classes it cannot.
fn read(house: &House, identity: &Identity) -> (usize, Vec<Class>) {
    let reader = Reader::open(&house.recording("one"), identity).unwrap();
    let missing = reader.missing().to_vec();
    (reader.map(Result::unwrap).count(), missing)
}

#[test]
fn auditors_come_and_go() {
    let house = recorded();
    let dir = house.recording("one");
    let (gateway, first, second) = (house.identity(), identity(&house, "first"), identity(&house, "second"));
    let wrap =
        |by: &Identity, add: &[String], remove: &[String]| rewrap(&dir, by, add, remove, &house.signer, AT);
    assert!(matches!(wrap(&first, &first.recipients(), &[]), Err(RewrapError::NotOpened(_))));
    wrap(&gateway, &first.recipients(), &[]).unwrap();
    assert_eq!(read(&house, &first), (2, vec![]));
    assert_eq!(read(&house, &gateway), (2, vec![]));
    let left =
        wrap(&first, &second.recipients(), &[gateway.recipients(), first.recipients()].concat()).unwrap();
    assert_eq!(left, second.recipients());
    assert_eq!(recipients(&dir).unwrap(), second.recipients());
    assert_eq!(read(&house, &gateway), (0, Class::ALL.to_vec()), "the old wrapped keys are gone");
    assert_eq!(read(&house, &first).0, 0);
    assert_eq!(read(&house, &second), (2, vec![]));
    assert_eq!(std::fs::read_to_string(dir.join("keys.json")).unwrap(), "{}\n");
    assert!(!dir.join("keys-1.json").exists());

    assert!(house.verify("one").is_intact());
    assert!(house.verify("one").erased.is_empty());
    assert!(matches!(wrap(&second, &[], &second.recipients()), Err(RewrapError::Nobody)));
    assert!(matches!(wrap(&second, &["age1x".into()], &[]), Err(RewrapError::Recipient(_))));

    assert!(erase(&dir, Class::Screen).unwrap());
    assert!(!erase(&dir, Class::Screen).unwrap());
    assert_eq!(read(&house, &second), (1, vec![Class::Screen]));
    wrap(&second, &gateway.recipients(), &[]).unwrap();
    assert_eq!(read(&house, &gateway), (1, vec![Class::Screen]), "what was erased does not come back");
    assert_eq!(house.verify("one").erased, [Class::Screen]);
    assert!(house.verify("one").is_intact());
}

#[test]
fn nobody_else_replaces_keys() {
    let house = recorded();
    let dir = house.recording("one");
    let (gateway, thief) = (house.identity(), identity(&house, "thief"));
    rewrap(&dir, &gateway, &identity(&house, "auditor").recipients(), &[], &house.signer, AT).unwrap();
    let path = dir.join("keys-1.json");
    let sound = std::fs::read_to_string(&path).unwrap();

    // Signed by another gateway.
    let foreign = passerelle_recorder::SigningKey::from_seed(&[7; 32]).unwrap();
    assert!(matches!(
        rewrap(&dir, &gateway, &thief.recipients(), &[], &foreign, AT),
        Err(RewrapError::Unreadable(_))
    ));
    let replaced: serde_json::Value = serde_json::from_str(&sound).unwrap();
    for change in ["recipients", "signature", "wrapped"] {
        let mut json = replaced.clone();
        match change {
            "recipients" => json["statement"]["recipients"] = serde_json::json!(thief.recipients()),
            "signature" => json["signature"] = serde_json::json!("AAAA"),
            _ => json["wrapped"]["screen"] = serde_json::json!("-----BEGIN AGE ENCRYPTED FILE-----"),
        }
        std::fs::write(&path, serde_json::to_string_pretty(&json).unwrap() + "\n").unwrap();
        let said = house.verify("one");
        assert!(!said.is_intact(), "{change}: {said}");
        assert!(recipients(&dir).is_err(), "{change}");
    }
    // Another recording's keys, under a number that is not theirs.
    std::fs::write(&path, &sound).unwrap();
    assert!(house.verify("one").is_intact());
    std::fs::rename(&path, dir.join("keys-2.json")).unwrap();
    assert!(!house.verify("one").is_intact());
}
