//! Gateways of different versions on one Redis.
//!
//! `layout-1.txt` is what a gateway wrote under the first version of the layout. Gateways of that version run
//! somewhere, so the file does not change; what is written and read goes by it, whatever is added.

use passerelle_auth::{
    AttemptKey, Claim, Claimant, Digest, Document, DocumentKind, Expect, Fence, Fingerprint, Lease,
    LeaseRequest, LockoutPolicy, Login, Put, Renewal, Revocation, SealedSecret, Session, SessionId,
    SessionLimits, Store, StoredDocument, Ticket, TicketContext, TicketId, TicketKey, TicketRecord, Trust,
};
use passerelle_desktop::{Permission, Permissions};

use super::server::Server;
use crate::conformance::{address, at, seconds};

/// One element a line: type, key, field or member, value or score, with tabs between them.
const LAYOUT: &str = include_str!("layout-1.txt");

fn view() -> Permissions {
    Permissions::NONE.with(Permission::View).with(Permission::ClipboardToTarget)
}

fn ticket(number: u8) -> Ticket {
    Ticket {
        id: TicketId::from_bytes([number; 16]),
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        permissions: None,
        address: None,
        issued_at: at(0),
        expires_at: at(60),
        context: TicketContext::default(),
    }
}

/// A ticket with all that one can have.
fn full() -> Ticket {
    Ticket {
        permissions: Some(view()),
        address: Some(address("::ffff:192.0.2.7")),
        context: TicketContext {
            groups: Some(vec!["helpdesk".to_owned()]),
            second_factor: true,
            reason: Some("cannot print".to_owned()),
            ticket_id: Some("INC-1".to_owned()),
            approved_by: Some("carol".to_owned()),
            issued_by: Some("portal".to_owned()),
        },
        ..ticket(1)
    }
}

fn anyone() -> Claimant {
    Claimant { address: address("192.0.2.7"), login: None, resume: false }
}

fn lease(number: u8) -> LeaseRequest {
    LeaseRequest {
        session: SessionId::from_bytes([number; 16]),
        node: "a".to_owned(),
        technician: "alice".to_owned(),
        target: "front-desk".to_owned(),
        protocol: "rdp".to_owned(),
        address: address("2001:db8::1"),
        ttl: seconds(60),
        limits: SessionLimits::default(),
    }
}

fn session(number: u8, revoked: Option<Revocation>) -> Session {
    let LeaseRequest { session, node, technician, target, protocol, address, .. } = lease(number);
    Session {
        id: session,
        node,
        technician,
        target,
        protocol,
        address,
        started_at: at(i64::from(number)),
        revoked,
    }
}

fn revocation() -> Revocation {
    Revocation { by: "carol".to_owned(), reason: "enough".to_owned() }
}

fn target() -> Document {
    Document {
        kind: DocumentKind::Target,
        key: "attic".to_owned(),
        value: b"\x00sealed\xff".to_vec(),
        expires_at: None,
    }
}

fn jwt() -> Document {
    let kind = DocumentKind::JwtId;
    Document { kind, key: "5e5e".to_owned(), value: Vec::new(), expires_at: Some(at(600)) }
}

/// Uses the store in every way that leaves something behind.
async fn write(store: &dyn Store) {
    assert_eq!(store.since(at(0)).await.unwrap(), at(0));
    for (number, ticket) in [(1, full()), (2, ticket(2)), (3, ticket(3))] {
        let sealed = Some(SealedSecret(vec![number; 20]));
        let digests = vec![Digest([number; 32]), Digest([number | 0x80; 32])];
        store.issue(&TicketRecord { ticket, digests, sealed }, at(0)).await.unwrap();
    }
    let (key, policy) = (TicketKey::Digest(Digest([2; 32])), LockoutPolicy::default());
    assert!(matches!(store.claim(&key, &anyone(), &policy, at(1)).await.unwrap(), Claim::Claimed { .. }));
    assert!(store.withdraw(TicketId::from_bytes([3; 16]), at(1)).await.unwrap());
    let strict = {
        let mut policy = LockoutPolicy::default();
        policy.identity.free = 1;
        policy
    };
    let keys = [AttemptKey::address(address("2001:db8::2")), AttemptKey::identity("Bob"), AttemptKey::Global];
    for _ in 0..2 {
        assert_eq!(store.fail(&keys, &strict, at(2)).await.unwrap(), None);
    }
    for number in [1, 2] {
        let leased = store.lease(&lease(number), at(i64::from(number))).await.unwrap();
        assert!(matches!(leased, Lease::Leased { .. }));
    }
    assert!(store.set_permissions(lease(1).session, view(), at(3)).await.unwrap());
    assert!(store.revoke(lease(2).session, &revocation(), at(3)).await.unwrap());
    for document in [target(), jwt()] {
        assert!(matches!(store.put(&document, Expect::Absent, at(3)).await.unwrap(), Put::Stored { .. }));
    }
    let first = store.trust("front-desk", &Fingerprint([7; 32]), at(4)).await.unwrap();
    assert_eq!(first, Trust::First);
}

/// Reads everything that [`write`] left behind, and does with it what gateways do.
async fn read(store: &dyn Store) {
    assert_eq!(store.since(at(9)).await.unwrap(), at(0));

    let fingerprint = Fingerprint([7; 32]);
    assert_eq!(
        store.trust("front-desk", &fingerprint, at(9)).await.unwrap(),
        Trust::Same { known_since: at(4) }
    );

    let found = store.get(DocumentKind::Target, "attic", at(9)).await.unwrap().unwrap();
    let StoredDocument { value, version, expires_at, .. } = found;
    assert_eq!((value, expires_at), (target().value, None));
    assert_eq!(store.list(DocumentKind::Target, at(9)).await.unwrap().len(), 1);
    assert_eq!(store.put(&jwt(), Expect::Absent, at(9)).await.unwrap(), Put::Conflict);
    let again = store.put(&target(), Expect::Version(version), at(9)).await.unwrap();
    assert!(matches!(again, Put::Stored { version: later } if later > version), "{again:?}");

    let locked = store.lockouts(at(3)).await.unwrap();
    let locked: Vec<_> = locked.iter().map(|lock| (lock.key.to_string(), lock.failures)).collect();
    assert_eq!(locked, [("identity bob".to_owned(), 2)]);
    assert!(store.clear_lockout(&AttemptKey::identity("bob")).await.unwrap());

    assert_eq!(store.sessions(at(9)).await.unwrap(), [session(1, None), session(2, Some(revocation()))]);
    let permissions = Some(view());
    let epoch = store.epoch().await.unwrap();
    let fence = fence(store, 1).await;
    assert_eq!(
        store.renew(lease(1).session, fence, seconds(60), at(9)).await.unwrap(),
        Renewal::Renewed { revoked: None, permissions, epoch }
    );
    assert!(store.release(lease(1).session, fence, at(9)).await.unwrap());
    assert_eq!(store.abandon("a", at(9)).await.unwrap(), [session(2, Some(revocation()))]);

    let candidates = store.candidates(None, at(9)).await.unwrap();
    let candidates: Vec<_> = candidates.iter().map(|found| (found.id, found.used)).collect();
    let used = (address("192.0.2.7"), at(1));
    assert_eq!(candidates, [(full().id, None), (ticket(2).id, Some(used))]);
    let claim = async |number: u8| {
        let claimant = Claimant {
            login: Some(Login { technician: "alice".to_owned(), target: "front-desk".to_owned() }),
            ..anyone()
        };
        let key = TicketKey::Digest(Digest([number | 0x80; 32]));
        store.claim(&key, &claimant, &LockoutPolicy::default(), at(9)).await.unwrap()
    };
    match claim(1).await {
        Claim::Claimed { fence, ticket } => {
            assert_eq!(ticket, full());
            assert!(fence > Fence(0));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(claim(2).await, Claim::Used { ticket: ticket(2), by: used.0, at: used.1 });
    assert_eq!(claim(3).await, Claim::Withdrawn { ticket: ticket(3) });
    assert_eq!(store.purge(at(1_000_000)).await.unwrap().tickets, 3);
}

/// The number in the fixture that proves whose lease it is.
async fn fence(store: &dyn Store, number: u8) -> Fence {
    // Nothing but the holder knows it, and the holder is a gateway of then.
    let key = format!("lease:{}", lease(number).session);
    let line = LAYOUT.lines().find(|line| line.contains(&key) && line.contains("\tfence\t")).unwrap();
    let fence = Fence(line.rsplit('\t').next().unwrap().parse().unwrap());
    let stranger =
        store.renew(lease(number).session, Fence(fence.0 + 100), seconds(60), at(9)).await.unwrap();
    assert_eq!(stranger, Renewal::Lost);
    fence
}

/// What this version writes is what stands in the fixture, so that gateways of then read it.
#[tokio::test]
async fn what_is_written_is_what_earlier_gateways_read() {
    let server = Server::start().await;
    write(&server.store()).await;
    let written = dump(&server).await;
    let missing: Vec<_> = LAYOUT.lines().filter(|line| !written.contains(&(*line).to_owned())).collect();
    assert!(
        missing.is_empty(),
        "gateways of before would not find\n{}\namong\n{}",
        missing.join("\n"),
        written.join("\n")
    );
}

#[tokio::test]
async fn what_earlier_gateways_wrote_is_read() {
    let server = Server::start().await;
    load(&server, LAYOUT).await;
    read(&server.store()).await;
}

/// The same when a later gateway has added what this one does not know.
#[tokio::test]
async fn what_later_gateways_add_is_left_alone() {
    let server = Server::start().await;
    load(&server, LAYOUT).await;
    let mut keys: Vec<&str> = LAYOUT.lines().filter_map(|line| line.strip_prefix("hash\t")).collect();
    keys = keys.iter().filter_map(|line| line.split('\t').next()).collect();
    keys.dedup();
    let records = |key: &&&str| !key.ends_with(":certificates");
    for key in keys.iter().filter(records) {
        let () = server.command(&["HSET", key, "later", "unknown"]).await;
    }
    let ticket = format!("{{passerelle:1}}:ticket:{}", full().id);
    let context: String = server.command(&["HGET", &ticket, "context"]).await;
    let more = context.replacen('{', r#"{"attended":true,"nested":{"a":[1]},"#, 1);
    let () = server.command(&["HSET", &ticket, "context", &more]).await;
    let session = format!("{{passerelle:1}}:lease:{}", lease(1).session);
    for key in [&ticket, &session] {
        let names: String = server.command(&["HGET", key, "permissions"]).await;
        let () = server.command(&["HSET", key, "permissions", &format!("{names},telepathy")]).await;
    }
    let () = server.command(&["HSET", "{passerelle:1}:document:later:x", "value", "y", "version", "1"]).await;
    let () = server.command(&["ZADD", "{passerelle:1}:documents:later", "1", "x"]).await;
    let () = server.command(&["SET", "{passerelle:1}:later", "1"]).await;
    read(&server.store()).await;
    let kept: String = server.command(&["HGET", "{passerelle:1}:document:later:x", "value"]).await;
    assert_eq!(kept, "y");
}

/// Everything in the database, as the fixture writes it.
async fn dump(server: &Server) -> Vec<String> {
    let mut lines = Vec::new();
    let keys: Vec<String> = server.command(&["KEYS", "*"]).await;
    for key in keys {
        let kind: String = server.command(&["TYPE", &key]).await;
        let elements: Vec<Vec<u8>> = match kind.as_str() {
            "string" => vec![server.command(&["GET", &key]).await],
            "set" => server.command(&["SMEMBERS", &key]).await,
            "hash" => server.command(&["HGETALL", &key]).await,
            "zset" => server.command(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]).await,
            other => panic!("{key} is a {other}"),
        };
        let width = if matches!(kind.as_str(), "hash" | "zset") { 2 } else { 1 };
        for element in elements.chunks(width) {
            let element: Vec<_> = element.iter().map(|bytes| escape(bytes)).collect();
            lines.push(format!("{kind}\t{key}\t{}", element.join("\t")));
        }
    }
    lines.sort();
    lines
}

/// Puts a fixture into an empty database.
async fn load(server: &Server, text: &str) {
    for line in text.lines() {
        let parts: Vec<Vec<u8>> = line.split('\t').map(unescape).collect();
        let (command, rest) = match (&*parts[0], &parts[1..]) {
            (b"string", [key, value]) => ("SET", vec![key, value]),
            (b"set", [key, member]) => ("SADD", vec![key, member]),
            (b"hash", [key, field, value]) => ("HSET", vec![key, field, value]),
            (b"zset", [key, member, score]) => ("ZADD", vec![key, score, member]),
            _ => panic!("{line}"),
        };
        let () = server.command_of_bytes(command, &rest).await;
    }
}

/// Bytes as printable ASCII.
fn escape(bytes: &[u8]) -> String {
    let escaped = |byte: &u8| match byte {
        b'\\' | 0..=31 | 127.. => format!("\\{byte:02x}"),
        printable => char::from(*printable).to_string(),
    };
    bytes.iter().map(escaped).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}
