//! redis-server, started for the run.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use passerelle_auth::{Redis, RedisHost, RedisServers, RedisSettings};

use crate::bench::process::{Process, command, free_address};

/// A running redis-server, which ends with this value.
pub(crate) struct Server {
    _process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts one with its data in a new directory below `parent`. It writes each change down before it
    /// answers when it is `durable`, and nothing at all when not.
    pub(crate) fn start(durable: bool, parent: &Path) -> Result<Self> {
        let address = free_address()?;
        let name = format!("redis-{}", address.port());
        let directory = parent.join(&name);
        fs::create_dir(&directory)?;
        let mut server = command("redis-server", ["--bind", "127.0.0.1", "--save", "", "--port"]);
        server.arg(address.port().to_string());
        server.args(["--appendonly", if durable { "yes" } else { "no" }, "--appendfsync", "always"]);
        server.arg("--dir").arg(&directory);
        let mut process = Process::start(&name, server, parent)?;
        process.wait_listening(address)?;
        Ok(Self { _process: process, address })
    }

    /// A store in it. Must be called within a tokio runtime.
    pub(crate) fn store(&self) -> Result<Redis> {
        let host = RedisHost { host: self.address.ip().to_string(), port: self.address.port() };
        let settings = RedisSettings {
            servers: RedisServers::Single(host),
            tls: None,
            username: None,
            password: None,
            database: 0,
            replicas: 0,
        };
        Redis::connect(&settings).context("cannot connect to redis-server")
    }
}
