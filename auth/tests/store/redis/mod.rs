//! The store in Redis, with servers of the tests' own.

mod faults;
mod server;
mod servers;
mod versions;

use std::sync::Arc;

use passerelle_auth::Store;

use crate::conformance::{Fixture, conformance};
use server::Server;

async fn fixture() -> Fixture {
    let server = Server::start().await;
    let nodes: [Arc<dyn Store>; 2] = [Arc::new(server.store()), Arc::new(server.store())];
    for node in &nodes {
        // Events are told from the connection on.
        node.epoch().await.unwrap();
    }
    Fixture { nodes, _keep: Box::new(server) }
}

conformance!(super::fixture);
