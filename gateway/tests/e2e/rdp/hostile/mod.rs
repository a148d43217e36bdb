//! Peers that break the protocol, stall or leave, at every step. One gateway meets them all, one beside the other.

mod lost;
mod targets;
mod viewers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use passerelle_rdp_peers::{Step, session};
use serde_json::Value;

use crate::harness::Outcome;
use crate::peers::rdp::{block_on, viewer};
use crate::peers::site::{Site, Ticket};

/// What the gateway's log has of the connection from this port of the loopback interface.
fn logged(site: &Site<'_>, port: u16) -> Outcome<String> {
    let peer = format!("peer=127.0.0.1:{port}");
    let of_peer = |line: &&str| {
        line.split_once(&peer).is_some_and(|(_, rest)| !rest.starts_with(|next: char| next.is_ascii_digit()))
    };
    Ok(site.log()?.lines().filter(of_peer).collect::<Vec<_>>().join("\n"))
}

/// The ends of sessions on each target, by the target's name.
fn end_on<'a>(ends: &'a [Value], target: &str) -> Outcome<&'a Value> {
    let of_target: Vec<_> = ends.iter().filter(|end| end["target"] == target).collect();
    match of_target[..] {
        [end] => Ok(end),
        _ => Err(format!("{} sessions have ended there", of_target.len())),
    }
}

/// Checks that a session ended for `reason`, and that its message says `says`.
fn expect_end(end: &Value, reason: &str, says: &str) -> Outcome {
    let message = end["message"].as_str().unwrap_or_default();
    if end["detail"]["reason"] == reason && message.contains(says) {
        return Ok(());
    }
    Err(format!("not {reason} because of {says:?}: {end}"))
}

/// Checks that nothing of the gateway gave way: no defect in the log, and memory that did not grow by more than
/// `limit` KiB.
fn expect_sound(site: &mut Site<'_>, before: u64, limit: u64) -> Outcome {
    let log = site.log()?;
    if let Some(line) = log.lines().find(|line| line.contains("panicked") || line.contains("a defect ended"))
    {
        return Err(format!("a defect: {line}"));
    }
    match site.memory()? {
        after if after > before + limit => Err(format!("the gateway grew from {before} to {after} KiB")),
        _ => Ok(()),
    }
}

/// Checks that a viewer with this ticket gets a session, in which each side hears the other.
fn expect_welcome(site: &Site<'_>, ticket: &Ticket) -> Outcome {
    block_on(async {
        let (mut viewer, _) = viewer(site.port, ticket, Step::Session).await?;
        exchange(&mut viewer).await
    })
}

/// A key, upon which the target draws.
async fn exchange(viewer: &mut passerelle_rdp_peers::Walker<tokio::net::TcpStream>) -> Outcome {
    let told = async {
        viewer.transport.send(&session::KEY).await?;
        passerelle_rdp_peers::read_pdu(&mut viewer.transport).await
    };
    match told.await {
        Ok(pdu) if pdu == session::UPDATE => Ok(()),
        other => Err(format!("not the target's update: {other:?}")),
    }
}

/// A site whose targets are called `t0` and so on, one for each case, and `beside`, where somebody works.
struct Scene<'a> {
    site: Site<'a>,
    /// A ticket for each case.
    tickets: Vec<Ticket>,
    /// KiB that the gateway had when it began.
    memory: u64,
    stop: Arc<AtomicBool>,
    beside: std::thread::JoinHandle<Outcome>,
}

impl<'a> Scene<'a> {
    fn start(mut site: Site<'a>, cases: usize) -> Outcome<Self> {
        let tickets = (0..cases)
            .map(|number| site.ticket_for("alice", &format!("t{number}")))
            .collect::<Outcome<_>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let beside = bystander(site.port, site.ticket_for("bob", "beside")?, Arc::clone(&stop));
        site.wait_sessions(1)?;
        let memory = site.memory()?;
        Ok(Self { site, tickets, memory, stop, beside })
    }

    /// Checks that whoever worked beside the cases noticed nothing of them, and that all sessions end. Gives back
    /// the site and what its gateway's memory was.
    fn end(self) -> Outcome<(Site<'a>, u64)> {
        let Self { site, memory, stop, beside, .. } = self;
        stop.store(true, Ordering::Relaxed);
        beside.join().map_err(|_| "the bystander panicked")?.map_err(|error| format!("beside: {error}"))?;
        site.wait_sessions(0)?;
        Ok((site, memory))
    }
}

/// Keeps a session busy beside others until it is told to stop; then gives what came of it.
fn bystander(gateway: u16, ticket: Ticket, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Outcome> {
    std::thread::spawn(move || {
        block_on(async {
            let (mut viewer, _) = viewer(gateway, &ticket, Step::Session).await?;
            while !stop.load(Ordering::Relaxed) {
                exchange(&mut viewer).await?;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            exchange(&mut viewer).await
        })
    })
}
