//! Targets that another node has put into the store that it shares with this one.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passerelle_auth::{Document, DocumentKind, Expect};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{ambient, targets};

/// How long something may take that takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn annex(port: u16) -> Value {
    json!({ "protocol": "vnc", "address": format!("127.0.0.1:{port}"), "credentials": { "password": "hunter2" } })
}

/// Waits until the site knows the target `annex` by this address, or not at all.
async fn wait_known(site: &Site, address: Option<&str>) {
    let known = || site.gateway.policy().config.target("annex").map(|target| target.address.to_string());
    let wait = async {
        while known().as_deref() != address {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "{:?} is known instead of {address:?}", known());
}

fn follow(site: &Site) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(targets::follow(site.gateway.clone())))
}

/// The embedded store, with changes that went past this node.
#[tokio::test]
async fn what_changes_in_the_store_is_taken_over() {
    let site = Site::open().await;
    let store = &site.gateway.store;
    let put = async |port| {
        let text = annex(port).to_string();
        let value = site.gateway.target_seal.seal("annex", text.as_bytes(), &mut ambient::random);
        let document = Document { kind: DocumentKind::Target, key: "annex".into(), value, expires_at: None };
        store.put(&document, Expect::Any, ambient::now()).await.unwrap();
    };
    // Before the first look.
    put(9).await;
    let _following = follow(&site);
    wait_known(&site, Some("127.0.0.1:9")).await;
    put(8).await;
    wait_known(&site, Some("127.0.0.1:8")).await;
    // One that cannot be opened is left out.
    let strange =
        Document { kind: DocumentKind::Target, key: "annex".into(), value: vec![0; 64], expires_at: None };
    store.put(&strange, Expect::Any, ambient::now()).await.unwrap();
    wait_known(&site, None).await;
    put(7).await;
    wait_known(&site, Some("127.0.0.1:7")).await;
    assert!(store.delete(DocumentKind::Target, "annex", Expect::Any, ambient::now()).await.unwrap());
    wait_known(&site, None).await;
}

/// A redis-server that ends with the test.
struct Redis {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Redis {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server has to be installed");
        let server = Self { child, port, _directory: directory };
        let answers = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("redis-server listens");
        server
    }

    /// A gateway that shares it.
    async fn site(&self, node: &str) -> Site {
        let pepper = "0123456789abcdef".repeat(4);
        let port = self.port;
        Site::open_with(&format!(
            "store: 'redis://127.0.0.1:{port}'\npepper: 'insecure-inline:{pepper}'\nnode: {node}\n"
        ))
        .await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn a_target_that_is_put_on_one_node_is_used_on_the_other() {
    let redis = Redis::start().await;
    let (here, there) = (redis.site("here").await, redis.site("there").await);
    let _following = [follow(&here), follow(&there)];
    let (admin, alice) = (here.token("admin").await, there.token("alice").await);
    let path = "/api/v1/targets/annex";
    let put = async |port| here.call(Method::PUT, path, Some(&admin), Some(annex(port))).await;
    assert_eq!(put(9).await.status, StatusCode::CREATED);
    wait_known(&there, Some("127.0.0.1:9")).await;
    let shown = there.get(path, &alice).await.json();
    assert_eq!((&shown["source"], &shown["has_password"]), (&json!("api"), &json!(true)));
    let wanted = json!({ "technician": "alice", "target": "annex" });
    let ticket = there.post("/api/v1/tickets", &alice, wanted.clone()).await;
    assert_eq!(ticket.status, StatusCode::CREATED, "{}", ticket.text);

    assert_eq!(put(8).await.status, StatusCode::OK);
    wait_known(&there, Some("127.0.0.1:8")).await;
    assert_eq!(here.delete(path, &admin).await.status, StatusCode::NO_CONTENT);
    wait_known(&there, None).await;
    assert_eq!(there.post("/api/v1/tickets", &alice, wanted).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
