//! Two gateways that share a Redis, each of them a process of its own.

mod approvals;
mod failures;
mod flushed;
mod orders;
mod rolling;
mod stock;
mod tickets;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::harness::process::read;
use crate::harness::wait::wait_for;
use crate::peers::redis::{Redis, Variant};
use crate::peers::site::{Setup, Site};

/// How long something may take that is a matter of seconds: leases end after 15 s, orders arrive with the renewal
/// of a lease, every second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two gateways and what they share.
struct Cluster<'lab> {
    redis: Redis<'lab>,
    a: Node<'lab>,
    b: Node<'lab>,
}

/// A gateway of several.
struct Node<'lab> {
    site: Site<'lab>,
    metrics: u16,
}

impl<'lab> Cluster<'lab> {
    fn start(lab: &'lab Lab, variant: Variant, setup: &Setup) -> Outcome<Self> {
        let redis = Redis::start(lab, variant)?;
        let node = |name| Node::start(lab, setup.clone().with(&redis.section()).node(name));
        Ok(Self { a: node("a")?, b: node("b")?, redis })
    }
}

impl<'lab> Node<'lab> {
    fn start(lab: &'lab Lab, setup: Setup) -> Outcome<Self> {
        let metrics = free_port()?;
        let site = Site::start(lab, setup.listen(&format!("metrics: 127.0.0.1:{metrics}")))?;
        Ok(Self { site, metrics })
    }

    /// Waits until these sessions are listed: each with its technician and node, oldest first.
    fn wait_listed(&self, expected: &[(&str, &str)]) -> Outcome {
        let mut last = Vec::new();
        let listed = wait_for("that the right sessions are listed", PATIENCE, || {
            last = self.site.sessions().ok()?;
            let of = |session: &Value, name: &str| session[name].as_str().unwrap_or_default().to_owned();
            let found: Vec<_> = last.iter().map(|one| (of(one, "technician"), of(one, "node"))).collect();
            let same = found.iter().map(|(technician, node)| (technician.as_str(), node.as_str()));
            same.eq(expected.iter().copied()).then_some(())
        });
        listed.map_err(|error| format!("{error}: {expected:?} is not {last:?}"))
    }

    /// The name of a technician's session.
    fn session_of(&self, technician: &str) -> Outcome<String> {
        let sessions = self.site.sessions()?;
        let found = sessions.iter().find(|session| session["technician"] == technician);
        let id = found.and_then(|session| session["id"].as_str());
        id.map(str::to_owned).ok_or_else(|| format!("{technician} has no session: {sessions:?}"))
    }

    /// The status of an answer.
    fn status(&self, path: &str) -> Outcome<String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        let printed = read(curl.arg(format!("http://127.0.0.1:{}{path}", self.metrics)))?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Waits until `/readyz` has this status.
    fn wait_ready(&self, status: &str) -> Outcome {
        wait_for(&format!("/readyz with {status}"), PATIENCE, || {
            (self.status("/readyz").ok()? == status).then_some(())
        })
    }

    /// Waits until the metrics have this line.
    fn wait_metric(&self, line: &str) -> Outcome {
        wait_for(&format!("the metric {line}"), PATIENCE, || {
            let address = format!("http://127.0.0.1:{}/metrics", self.metrics);
            let text = read(Command::new("curl").args(["--silent", &address])).ok()?;
            String::from_utf8_lossy(&text).lines().any(|found| found == line).then_some(())
        })
    }

    /// Waits until the audit log has an event of this kind.
    fn wait_event(&self, kind: &str) -> Outcome<Value> {
        wait_for(&format!("{kind} in the audit log"), PATIENCE, || self.site.audit_of(kind).ok()?.pop())
    }
}
