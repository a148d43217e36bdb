//! What becomes of the store when Redis fails.

use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{
    Claim, Document, DocumentKind, Expect, Lease, Put, Redis, Renewal, Revocation, Store, StoreError,
    StoreEvent,
};
use passerelle_desktop::{Permission, Permissions};

use super::server::{RIGHTS, Server};
use crate::conformance::{at, seconds};
use crate::samples::{claim, issue, request};

fn jwt() -> Document {
    Document {
        kind: DocumentKind::JwtId,
        key: "issuer jti".to_owned(),
        value: Vec::new(),
        expires_at: Some(at(600)),
    }
}

fn is_unavailable<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(error @ StoreError::Unavailable { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a server that is away answered"),
    }
}

/// Waits until the store answers again.
async fn recovered(store: &dyn Store) {
    let answers = async {
        while store.epoch().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.unwrap();
}

#[tokio::test]
async fn a_server_that_comes_back_has_forgotten_nothing() {
    let mut server = Server::with("appendonly yes\nappendfsync always\nsave \"\"", false).await;
    let store = server.store();
    issue(&store, 1).await;
    issue(&store, 2).await;
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Claimed { .. }));
    assert!(matches!(store.put(&jwt(), Expect::Absent, at(1)).await.unwrap(), Put::Stored { .. }));
    assert_eq!(store.since(at(1)).await.unwrap(), at(1));
    let mut watcher = store.watch();

    server.kill();
    for _ in 0..3 {
        let message = is_unavailable(claim(&store, 2).await);
        assert!(message.contains("127.0.0.1"), "{message}");
    }
    is_unavailable(store.sessions(at(1)).await);

    server.start_again().await;
    recovered(&store).await;
    let event = tokio::time::timeout(Duration::from_secs(30), watcher.next()).await.unwrap();
    assert_eq!(event, Some(StoreEvent::Missed));
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Used { .. }));
    assert!(matches!(claim(&store, 2).await.unwrap(), Claim::Claimed { .. }));
    assert_eq!(store.put(&jwt(), Expect::Absent, at(2)).await.unwrap(), Put::Conflict);
    assert_eq!(store.since(at(9)).await.unwrap(), at(1));

    // One connection is enough: what is heard of the old one does not break the new one.
    let connections = async || -> String {
        let stats: String = server.command(&["INFO", "clients"]).await;
        stats.lines().find(|line| line.starts_with("connected_clients")).unwrap_or_default().to_owned()
    };
    assert_eq!(connections().await, "connected_clients:2", "the store's and this question's");
    // Events come again.
    assert!(matches!(store.lease(&request(1), at(2)).await.unwrap(), Lease::Leased { .. }));
    let revocation = Revocation { by: "carol".to_owned(), reason: String::new() };
    assert!(store.revoke(request(1).session, &revocation, at(3)).await.unwrap());
    let told = async {
        while let Some(event) = watcher.next().await {
            if let StoreEvent::Revoked { .. } = event {
                return;
            }
        }
        panic!("the store was closed");
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
}

#[tokio::test]
async fn a_flushed_server_lets_nothing_in_again() {
    let server = Server::start().await;
    let nodes = [server.store(), server.store()];
    let target = Document { kind: DocumentKind::Target, key: "attic".to_owned(), ..jwt() };
    issue(&nodes[0], 1).await;
    issue(&nodes[0], 2).await;
    assert!(matches!(claim(&nodes[0], 1).await.unwrap(), Claim::Claimed { .. }));
    assert!(matches!(nodes[0].put(&jwt(), Expect::Absent, at(1)).await.unwrap(), Put::Stored { .. }));
    let Put::Stored { version } = nodes[0].put(&target, Expect::Any, at(1)).await.unwrap() else { panic!() };
    let Lease::Leased { fence } = nodes[0].lease(&request(1), at(1)).await.unwrap() else { panic!() };
    let epoch = nodes[0].epoch().await.unwrap();
    assert_eq!(nodes[0].since(at(0)).await.unwrap(), at(0));

    let () = server.command(&["FLUSHALL"]).await;

    for number in [1, 2] {
        assert_eq!(claim(&nodes[1], number).await.unwrap(), Claim::Unknown);
    }
    // The token's mark is lost, and the store says that it may be: whoever was issued it before at(5) is
    // refused, whichever node is asked.
    assert!(matches!(nodes[1].put(&jwt(), Expect::Absent, at(5)).await.unwrap(), Put::Stored { .. }));
    assert_eq!(nodes[1].since(at(5)).await.unwrap(), at(5));
    assert_eq!(nodes[0].since(at(9)).await.unwrap(), at(5));
    // A session goes on under a new lease.
    assert_eq!(nodes[0].renew(request(1).session, fence, seconds(10), at(5)).await.unwrap(), Renewal::Lost);
    let Lease::Leased { fence: later } = nodes[0].lease(&request(1), at(5)).await.unwrap() else { panic!() };
    assert!(fence < later);
    // Nothing of before is taken for anything of now.
    assert_ne!(nodes[0].epoch().await.unwrap(), epoch);
    let Put::Stored { version: again } = nodes[0].put(&target, Expect::Any, at(5)).await.unwrap() else {
        panic!()
    };
    assert!(version < again);
    assert!(epoch < nodes[0].epoch().await.unwrap());
}

#[tokio::test]
async fn renewals_tell_what_events_do_not() {
    let server = Server::with(
        &format!("user default on nopass +@all ~* &*\nuser node on >x {RIGHTS} resetchannels"),
        false,
    )
    .await;
    let nodes = [server.store_of("node", "x"), server.store_of("node", "x")];
    let mut watcher = nodes[0].watch();
    let Lease::Leased { fence } = nodes[0].lease(&request(1), at(0)).await.unwrap() else { panic!() };
    let view = Permissions::NONE.with(Permission::View);
    assert!(nodes[1].set_permissions(request(1).session, view, at(1)).await.unwrap());
    let revocation = Revocation { by: "carol".to_owned(), reason: "enough".to_owned() };
    assert!(nodes[1].revoke(request(1).session, &revocation, at(1)).await.unwrap());
    let renewal = nodes[0].renew(request(1).session, fence, seconds(10), at(2)).await.unwrap();
    assert_eq!(renewal, Renewal::Renewed { revoked: Some(revocation), permissions: Some(view), epoch: 0 });
    let target = Document { kind: DocumentKind::Target, key: "attic".to_owned(), ..jwt() };
    nodes[1].put(&target, Expect::Any, at(2)).await.unwrap();
    let renewal = nodes[0].renew(request(1).session, fence, seconds(10), at(2)).await.unwrap();
    assert!(matches!(renewal, Renewal::Renewed { epoch, .. } if epoch > 0), "{renewal:?}");
    let told = tokio::time::timeout(Duration::from_millis(200), watcher.next()).await;
    assert!(told.is_err(), "the user may not use the channel: {told:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = Server::start().await;
    let store = server.store();
    issue(&store, 1).await;
    // Longer than a call waits; nobody can end it earlier.
    let () = server.command(&["CLIENT", "PAUSE", "6000", "ALL"]).await;
    let outcome = tokio::time::timeout(Duration::from_secs(30), claim(&store, 1)).await.unwrap();
    is_unavailable(outcome);
    recovered(&store).await;
    // Whether the claim was made is not known, but it is not made twice.
    let claims = [claim(&store, 1).await.unwrap(), claim(&store, 1).await.unwrap()];
    assert!(claims.iter().filter(|claim| matches!(claim, Claim::Claimed { .. })).count() <= 1, "{claims:?}");
    assert!(matches!(claims[1], Claim::Used { .. }));
}

#[tokio::test]
async fn a_closed_store_tells_its_watchers() {
    let server = Server::start().await;
    let store = server.store();
    store.epoch().await.unwrap();
    let mut watcher = store.watch();
    drop(store);
    let end = async { while watcher.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), end).await.unwrap();
}

/// Of a hundred claims at once over connections that are cut meanwhile, no two succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cut_connections_claim_nothing_twice() {
    let server = Server::start().await;
    let nodes: Vec<Arc<Redis>> = (0..2).map(|_| Arc::new(server.store())).collect();
    issue(&*nodes[0], 1).await;
    let claims: Vec<_> = (0..100)
        .map(|index| {
            let node = Arc::clone(&nodes[index % 2]);
            tokio::spawn(async move { claim(&*node, 1).await })
        })
        .collect();
    let cut: i64 = server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    assert!(cut >= 0);
    let mut claimed = 0;
    for claim in claims {
        match claim.await.unwrap() {
            Ok(Claim::Claimed { .. }) => claimed += 1,
            Ok(Claim::Used { .. }) | Err(StoreError::Unavailable { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(claimed <= 1);
    recovered(&*nodes[0]).await;
}
