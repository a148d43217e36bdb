//! A Redis of a test's own, which ends with it.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passerelle_auth::{Redis, RedisHost, RedisServers, RedisSettings, RedisTls, Secret};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the tests' ACL user may do, as in REDIS.md.
pub(crate) const RIGHTS: &str = "~{passerelle:1}:* -@all +@connection +@string +@hash +@set +@sortedset \
                                 +exists +del +pexpire +publish +subscribe +evalsha +script|load +wait";

/// A running server, or one that was stopped.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    port: u16,
    arguments: Vec<String>,
    tls: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// A server that keeps nothing.
    pub(crate) async fn start() -> Self {
        Self::with("save \"\"\n", false).await
    }

    /// A server with these lines in its configuration. With TLS, it accepts nothing else, and has a
    /// certificate for `localhost`.
    pub(crate) async fn with(lines: &str, tls: bool) -> Self {
        Self::with_arguments(lines, tls, &[]).await
    }

    pub(crate) async fn with_arguments(lines: &str, tls: bool, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let mut text = format!("bind 127.0.0.1\ndir {path}\nlogfile {path}/log\n{lines}\n");
        let mut authority = None;
        if tls {
            let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            fs::write(directory.path().join("cert.pem"), signed.cert.pem()).unwrap();
            fs::write(directory.path().join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
            writeln!(
                text,
                "tls-cert-file {path}/cert.pem\ntls-key-file {path}/key.pem\ntls-ca-cert-file {path}/cert.pem\n\
                 tls-auth-clients no"
            )
            .unwrap();
            authority = Some(signed.cert.pem());
        }
        fs::write(directory.path().join("redis.conf"), text).unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self { directory, port: 0, arguments, tls: authority, child: None };
        // A port that was free may be somebody else's a moment later.
        for _ in 0..10 {
            server.port = free_port();
            if server.run().await {
                return server;
            }
        }
        panic!("redis-server does not start: {}", server.log());
    }

    /// Starts the server again, on the port that it had.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.run().await, "redis-server does not start again: {}", self.log());
    }

    async fn run(&mut self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.arg(self.directory.path().join("redis.conf"));
        if self.tls.is_some() {
            command.args(["--port", "0", "--tls-port", &port]);
        } else {
            command.args(["--port", &port]);
        }
        let child = command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server has to be installed"));
        let answers = async {
            while self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
                if self.log().contains("Ready to accept connections") || self.log().contains("Sentinel ID is")
                {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            false
        };
        tokio::time::timeout(PATIENCE, answers).await.unwrap_or(false)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Stops the server as a killed one stops.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        fs::remove_file(self.directory.path().join("log")).ok();
    }

    pub(crate) fn host(&self) -> RedisHost {
        let host = if self.tls.is_some() { "localhost" } else { "127.0.0.1" };
        RedisHost { host: host.to_owned(), port: self.port }
    }

    /// Where the server is, without a login.
    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings {
            servers: RedisServers::Single(self.host()),
            tls: self
                .tls
                .as_ref()
                .map(|authority| RedisTls { authorities: Some(authority.as_bytes().to_vec()) }),
            username: None,
            password: None,
            database: 0,
            replicas: 0,
        }
    }

    pub(crate) fn store(&self) -> Redis {
        Redis::connect(&self.settings()).unwrap()
    }

    /// A store that logs in.
    pub(crate) fn store_of(&self, username: &str, password: &str) -> Redis {
        let (username, password) = (Some(username.to_owned()), Some(Secret::new(password.to_owned())));
        Redis::connect(&RedisSettings { username, password, ..self.settings() }).unwrap()
    }

    /// Sends a command, past the store.
    pub(crate) async fn command<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.command_of_bytes(words[0], &words[1..]).await
    }

    /// The same with arguments of any bytes.
    pub(crate) async fn command_of_bytes<T: ::redis::FromRedisValue>(
        &self,
        name: &str,
        arguments: &[impl ::redis::ToRedisArgs],
    ) -> T {
        let client = ::redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        ::redis::cmd(name).arg(arguments).query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
