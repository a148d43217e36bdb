//! Scripted RDP targets, and scripted RDP viewers before a gateway.

use std::net::Ipv4Addr;
use std::sync::Arc;

use passerelle_rdp_peers::target::{Script, serve};
use passerelle_rdp_peers::{Certified, Step, Walker, walk};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::failed;
use super::site::Ticket;
use crate::harness::Outcome;

/// The static channels of every viewer.
pub(crate) const CHANNELS: [&str; 2] = ["cliprdr", "drdynvc"];

/// Targets that listen on the loopback interface until they are dropped.
pub(crate) struct Targets {
    runtime: Runtime,
    certified: Arc<Certified>,
}

impl Targets {
    /// None yet.
    pub(crate) fn new() -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed("no runtime for targets"))?;
        Ok(Self { runtime, certified: Arc::new(Certified::new("localhost")) })
    }

    /// One more, which plays `script` with each connection. Gives its port.
    pub(crate) fn add(&self, script: Script) -> Outcome<u16> {
        let listener = self.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.map_err(failed("no port for a target"))?;
        let port = listener.local_addr().map_err(failed("a target's port"))?.port();
        let (script, certified) = (Arc::new(script), Arc::clone(&self.certified));
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, certified) = (Arc::clone(&script), Arc::clone(&certified));
                tokio::spawn(async move { serve(stream, &certified, &script).await });
            }
        });
        Ok(port)
    }
}

/// Does what viewers do, on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("no runtime for a viewer"))?
        .block_on(work)
}

/// A viewer that has come to `step` of its connection, and the port that it connects from.
///
/// The error says what the gateway answered.
pub(crate) async fn viewer(
    gateway: u16,
    ticket: &Ticket,
    step: Step,
) -> Result<(Walker<TcpStream>, u16), String> {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway)).await;
    let stream = connected.map_err(failed("connecting to the gateway"))?;
    let port = stream.local_addr().map_err(failed("a viewer's port"))?.port();
    let walker = walk(stream, (&ticket.username, &ticket.ticket), &CHANNELS, step).await;
    Ok((walker.map_err(|error| error.to_string())?, port))
}

/// Does `work` with each of `cases`, so many at once.
pub(crate) fn each<T: Sync>(
    cases: &[T],
    at_once: usize,
    name: impl Fn(&T) -> String + Sync,
    work: impl Fn(&T) -> Outcome + Sync,
) -> Outcome {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || {
        let mut failures = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            if let Err(error) = work(case) {
                failures.push(format!("{}: {error}", name(case)));
            }
        }
        failures
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|_| vec!["a case panicked".to_owned()]))
            .collect()
    });
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
