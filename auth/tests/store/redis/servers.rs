//! Every way in which Redis can be set up.

use std::time::Duration;

use passerelle_auth::{
    Claim, Document, DocumentKind, Expect, Redis, RedisHost, RedisServers, RedisSettings, RedisTls, Secret,
    Store, StoreError, StoreEvent, TicketId, Timestamp,
};

use super::server::{RIGHTS, Server};
use crate::conformance::at;
use crate::samples::{claim, issue};

#[tokio::test]
async fn tls_and_an_acl_user() {
    let lines = format!("user default off\nuser node on >correct-horse {RIGHTS} &{{passerelle:1}}:events");
    let server = Server::with(&lines, true).await;
    let store = server.store_of("node", "correct-horse");
    issue(&store, 1).await;
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Claimed { .. }));
    // The user's rights are enough for everything.
    store.purge(at(1_000_000)).await.unwrap();
    assert!(store.trusted().await.unwrap().is_empty());
    assert!(store.abandon("a", at(2)).await.unwrap().is_empty());
    assert!(!format!("{store:?}").contains("horse"));

    let stranger = server.store_of("node", "battery-staple");
    let message = stranger.epoch().await.unwrap_err().to_string();
    assert!(message.contains("password") && !message.contains("staple"), "{message}");

    // Another authority, or the system's, vouches for nobody here.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for authorities in [Some(other.cert.pem().into_bytes()), None] {
        let password = Some(Secret::new("correct-horse".to_owned()));
        let settings = RedisSettings { tls: Some(RedisTls { authorities }), password, ..server.settings() };
        let store = Redis::connect(&settings).unwrap();
        let message = store.epoch().await.unwrap_err().to_string();
        assert!(message.contains("certificate"), "{message}");
        assert!(!format!("{settings:?} {message}").contains("horse"));
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let settings = RedisSettings {
        servers: RedisServers::Single(RedisHost { host: "redis.invalid".to_owned(), port: 6379 }),
        tls: Some(RedisTls {
            authorities: Some(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec()),
        }),
        username: None,
        password: None,
        database: 0,
        replicas: 0,
    };
    let error = Redis::connect(&settings).unwrap_err().to_string();
    assert!(error.contains("redis.invalid:6379"), "{error}");
    let store = Redis::connect(&RedisSettings { tls: None, ..settings }).unwrap();
    let error = store.epoch().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn replicas_confirm_claims() {
    let primary = Server::start().await;
    let port = primary.host().port.to_string();
    let mut replica =
        Server::with_arguments("save \"\"", false, &["--replicaof", &format!("127.0.0.1 {port}")]).await;
    let linked = async {
        loop {
            let info: String = primary.command(&["INFO", "replication"]).await;
            if info.contains("state=online") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), linked).await.unwrap();
    let store = Redis::connect(&RedisSettings { replicas: 1, ..primary.settings() }).unwrap();
    issue(&store, 1).await;
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Claimed { .. }));
    // A replica that has just been linked confirms what it has received and reads it a moment later.
    let key = format!("{{passerelle:1}}:ticket:{}", TicketId::from_bytes([1; 16]));
    let arrived = async {
        while !replica.command::<bool>(&["HEXISTS", &key, "used_at"]).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrived).await.unwrap();

    replica.kill();
    issue(&store, 2).await;
    let error = claim(&store, 2).await.unwrap_err().to_string();
    assert!(error.contains("1 of 1 replicas"), "{error}");
}

#[tokio::test]
async fn sentinels_know_the_server() {
    let primary = Server::start().await;
    let port = primary.host().port;
    let sentinel = Server::with_arguments(
        &format!("sentinel monitor shared 127.0.0.1 {port} 1"),
        false,
        &["--sentinel"],
    )
    .await;
    let settings = |service: &str| RedisSettings {
        servers: RedisServers::Sentinel { sentinels: vec![sentinel.host()], service: service.to_owned() },
        ..primary.settings()
    };
    let store = Redis::connect(&settings("shared")).unwrap();
    issue(&store, 1).await;
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Claimed { .. }));
    assert!(matches!(claim(&primary.store(), 1).await.unwrap(), Claim::Used { .. }));
    let error = Redis::connect(&settings("unheard-of")).unwrap().epoch().await.unwrap_err().to_string();
    assert!(error.contains("unheard-of"), "{error}");
}

#[tokio::test]
async fn a_cluster_keeps_everything_on_one_node() {
    let server = Server::with("cluster-enabled yes\nsave \"\"", false).await;
    let () = server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    let ready = async {
        loop {
            let info: String = server.command(&["CLUSTER", "INFO"]).await;
            if info.contains("cluster_state:ok") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready).await.unwrap();
    let servers = RedisServers::Cluster(vec![server.host()]);
    let settings = RedisSettings { servers, ..server.settings() };
    use crate::conformance::{Fixture, documents, leases, lockout, tickets, trust};
    let fixture = || async {
        let () = server.command(&["FLUSHALL"]).await;
        let nodes: [std::sync::Arc<dyn Store>; 2] = [0, 1].map(|_| {
            let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(Redis::connect(&settings).unwrap());
            store
        });
        for node in &nodes {
            node.epoch().await.unwrap();
        }
        Fixture { nodes, _keep: Box::new(()) }
    };
    tickets::of_a_hundred_claims_one_succeeds(fixture().await).await;
    tickets::is_a_candidate_until_it_expires(fixture().await).await;
    lockout::is_listed_and_cleared(fixture().await).await;
    leases::limits_hold_in_a_race(fixture().await).await;
    leases::revocation_is_seen_by_watchers_on_any_node(fixture().await).await;
    documents::that_matters_raises_the_epoch(fixture().await).await;
    trust::remembers_the_first_certificate(fixture().await).await;
    fixture().await.store().purge(Timestamp::MAX).await.unwrap();
}

/// Waits until `look` finds what it looks for.
async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let found = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), found).await.is_ok(), "{what}");
}

/// The server dies, the Sentinel makes its replica the server, and what was confirmed by it is known there.
#[tokio::test]
async fn sentinels_replace_a_server_that_dies() {
    let mut primary = Server::start().await;
    let port = primary.host().port;
    let replica =
        Server::with_arguments("save \"\"", false, &["--replicaof", &format!("127.0.0.1 {port}")]).await;
    eventually("the replica is linked", async || {
        primary.command::<String>(&["INFO", "replication"]).await.contains("state=online")
    })
    .await;
    let lines = format!(
        "sentinel monitor shared 127.0.0.1 {port} 1\nsentinel down-after-milliseconds shared 1000\n\
         sentinel failover-timeout shared 10000"
    );
    let sentinel = Server::with_arguments(&lines, false, &["--sentinel"]).await;
    eventually("the Sentinel knows the replica", async || {
        !sentinel.command::<Vec<::redis::Value>>(&["SENTINEL", "REPLICAS", "shared"]).await.is_empty()
    })
    .await;
    let servers = RedisServers::Sentinel { sentinels: vec![sentinel.host()], service: "shared".to_owned() };
    let settings = RedisSettings { servers, ..primary.settings() };
    let careful = Redis::connect(&RedisSettings { replicas: 1, ..settings.clone() }).unwrap();
    let store = Redis::connect(&settings).unwrap();
    issue(&store, 1).await;
    assert!(matches!(claim(&careful, 1).await.unwrap(), Claim::Claimed { .. }));

    primary.kill();
    eventually("the store answers again", async || store.epoch().await.is_ok()).await;
    assert!(matches!(claim(&store, 1).await.unwrap(), Claim::Used { .. }));
    issue(&store, 2).await;
    assert!(matches!(claim(&store, 2).await.unwrap(), Claim::Claimed { .. }));
    assert!(replica.command::<String>(&["INFO", "replication"]).await.contains("role:master"));
}

/// The node that is asked first is not the one that keeps anything.
#[tokio::test]
async fn a_cluster_says_which_node_keeps_everything() {
    let nodes = [0, 1].map(|_| Server::with("cluster-enabled yes\nsave \"\"", false));
    let [first, second] = nodes;
    let (first, second) = (first.await, second.await);
    let slot: u16 = first.command(&["CLUSTER", "KEYSLOT", "{passerelle:1}:"]).await;
    let (before, after) = ((slot - 1).to_string(), (slot + 1).to_string());
    let () = first.command(&["CLUSTER", "ADDSLOTSRANGE", "0", &before, &after, "16383"]).await;
    let () = second.command(&["CLUSTER", "ADDSLOTS", &slot.to_string()]).await;
    let () = second.command(&["CLUSTER", "SET-CONFIG-EPOCH", "2"]).await;
    let port = second.host().port.to_string();
    let () = first.command(&["CLUSTER", "MEET", "127.0.0.1", &port]).await;
    eventually("the nodes know each other", async || {
        let mut ready = 0;
        for node in [&first, &second] {
            let info: String = node.command(&["CLUSTER", "INFO"]).await;
            ready += usize::from(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2"));
        }
        ready == 2
    })
    .await;
    let servers = RedisServers::Cluster(vec![first.host()]);
    let stores =
        [0, 1].map(|_| Redis::connect(&RedisSettings { servers: servers.clone(), ..first.settings() }));
    let [one, other] = stores.map(Result::unwrap);
    let mut watcher = one.watch();
    one.epoch().await.unwrap();
    issue(&one, 1).await;
    assert!(matches!(claim(&other, 1).await.unwrap(), Claim::Claimed { .. }));
    assert!(matches!(claim(&one, 1).await.unwrap(), Claim::Used { .. }));
    assert_eq!(first.command::<usize>(&["DBSIZE"]).await, 0);
    assert!(second.command::<usize>(&["DBSIZE"]).await > 0);
    let target =
        Document { kind: DocumentKind::Target, key: "attic".to_owned(), value: Vec::new(), expires_at: None };
    other.put(&target, Expect::Any, at(1)).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(30), watcher.next()).await.unwrap();
    assert!(matches!(told, Some(StoreEvent::Changed { .. })), "{told:?}");
}

/// What the documents tell administrators to allow is what is tested.
#[test]
fn the_rights_are_those_in_the_documents() {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (keys, commands) = RIGHTS.split_once(" -@all").unwrap();
    let wanted = plain(&format!("{keys} &{{passerelle:1}}:events -@all {commands}"));
    for (name, text) in [
        ("REDIS.md", include_str!("../../../REDIS.md")),
        ("README.md", include_str!("../../../../README.md")),
    ] {
        assert!(plain(text).contains(&wanted), "{name} does not have\n{wanted}");
    }
}
