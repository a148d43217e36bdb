//! A Redis of a test's own, with the user that `auth/REDIS.md` describes.

use std::fmt::Write as _;
use std::process::Command;

use super::site::SOON;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::{Process, read};
use crate::harness::servers::Certificate;
use crate::harness::wait::wait_for;

/// What the gateways' user may do, the channel aside.
const RIGHTS: &str = "~{passerelle:1}:* -@all +@connection +@string +@hash +@set +@sortedset +exists +del +pexpire \
                      +publish +subscribe +evalsha +script|load +wait";

/// What the gateways' user logs in with.
const PASSWORD: &str = "correct-horse-battery";

/// How a Redis differs from the one in `auth/REDIS.md`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variant {
    /// Connections are encrypted, and nobody but the gateways' user may log in.
    pub(crate) tls: bool,
    /// Gateways may not use the channel.
    pub(crate) silent: bool,
    /// A restart is a flush.
    pub(crate) forgetful: bool,
}

/// A Redis, running or not.
pub(crate) struct Redis<'lab> {
    lab: &'lab Lab,
    port: u16,
    certificate: Option<Certificate>,
    process: Option<Process>,
}

impl<'lab> Redis<'lab> {
    /// Starts a Redis.
    pub(crate) fn start(lab: &'lab Lab, variant: Variant) -> Outcome<Self> {
        let certificate = if variant.tls { Some(Certificate::make(lab, "redis")?) } else { None };
        let mut redis = Self { lab, port: free_port()?, certificate, process: None };
        let folder = lab.private_folder("redis")?;
        let mut text =
            format!("bind 127.0.0.1\ndir {}\nsave \"\"\nmaxmemory-policy noeviction\n", folder.display());
        if !variant.forgetful {
            // Survives that the server is killed. That it survives a loss of power is not tested, and a busy disk
            // would keep the tests waiting.
            text.push_str("appendonly yes\nappendfsync no\n");
        }
        let channel = if variant.silent { "resetchannels" } else { "&{passerelle:1}:events" };
        let _ = writeln!(text, "user passerelle on >{PASSWORD} {RIGHTS} {channel}");
        match &redis.certificate {
            None => drop(writeln!(text, "port {}", redis.port)),
            Some(Certificate { file, key, authority, .. }) => drop(writeln!(
                text,
                "user default off\nport 0\ntls-port {}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n\
                 tls-auth-clients no",
                redis.port,
                file.display(),
                key.display(),
                authority.display()
            )),
        }
        lab.write_secret("redis.conf", text)?;
        lab.write_secret("redis.password", PASSWORD)?;
        lab.write_secret("pepper", "5e".repeat(32))?;
        redis.restart()?;
        Ok(redis)
    }

    /// The sections of a gateway's configuration that make it use this store.
    pub(crate) fn section(&self) -> String {
        let path = |name| self.lab.path(name).display().to_string();
        let (scheme, host, authority) = match &self.certificate {
            None => ("redis", "127.0.0.1", String::new()),
            Some(certificate) => {
                ("rediss", "localhost", format!(", ca_file: {}", certificate.authority.display()))
            }
        };
        format!(
            "store: {{ url: \"{scheme}://{host}:{}\", username: passerelle, password: \"file:{}\"{authority} }}\n\
             pepper: \"file:{}\"\n",
            self.port,
            path("redis.password"),
            path("pepper"),
        )
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) -> Outcome {
        let mut process = self.process.take().ok_or("Redis does not run")?;
        process.signal("KILL")?;
        process.wait(SOON).map(drop)
    }

    /// Starts the server again, on the port that it had.
    pub(crate) fn restart(&mut self) -> Outcome {
        let mut command = Command::new("redis-server");
        command.arg(self.lab.path("redis.conf"));
        let mut process = self.lab.start("redis", &command)?;
        wait_listening(&mut process, self.port)?;
        self.process = Some(process);
        wait_for("Redis loading what it kept", SOON, || {
            self.lab
                .log_of("redis")
                .is_ok_and(|log| log.contains("Ready to accept connections"))
                .then_some(())
        })
    }

    /// Sends a command as an administrator.
    pub(crate) fn command(&self, words: &[&str]) -> Outcome<String> {
        let printed = read(
            Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(words),
        )?;
        let printed = String::from_utf8_lossy(&printed).trim().to_owned();
        if printed.starts_with("ERR") || printed.starts_with("NO") {
            return Err(format!("redis-cli {words:?}: {printed}"));
        }
        Ok(printed)
    }
}
