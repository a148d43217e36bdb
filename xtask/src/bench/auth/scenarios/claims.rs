//! Tickets claimed in a store, without a gateway around it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};
use passerelle_auth::{
    Claim, Claimant, Digest, Embedded, Issue, LockoutPolicy, Store, Ticket, TicketContext, TicketId,
    TicketKey, TicketRecord, Timestamp,
};
use tokio::runtime::Runtime;

use super::Bench;
use crate::bench::auth::redis::Server;
use crate::bench::clock;
use crate::bench::peer::Peer;

/// A store and its name.
struct Kept {
    name: &'static str,
    store: Arc<dyn Store>,
}

/// Makes tickets that differ.
struct Press {
    made: u128,
    now: Timestamp,
}

impl Bench {
    /// Claims a second, one after the other and 32 at a time.
    pub(super) fn claims(&mut self) -> Result<()> {
        if !self.options.wants("claims") {
            return Ok(());
        }
        let (durable, fast) = (Server::start(true, &self.directory)?, Server::start(false, &self.directory)?);
        let runtime = Runtime::new()?;
        let _inside = runtime.enter();
        let directory = self.directory.join("store");
        fs::create_dir(&directory)?;
        let stores = [
            Kept { name: "embedded", store: Arc::new(Embedded::open(&directory.join("store.sqlite"))?) },
            Kept { name: "Redis that writes down before it answers", store: Arc::new(durable.store()?) },
            Kept { name: "Redis that keeps nothing", store: Arc::new(fast.store()?) },
        ];
        let now = clock::wall().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let mut press = Press { made: 0, now: Timestamp::from_millis(i64::try_from(now.as_millis())?) };
        for (at_a_time, full, quick) in [(1, 500, 100), (32, 3200, 640)] {
            let (rounds, count) = (self.options.pick(5, 2), self.options.pick(full, quick));
            self.interleave(&format!("claims, {at_a_time} at a time"), rounds, &stores, |bench, kept| {
                let ids = runtime.block_on(press.issue(&*kept.store, count))?;
                let began = clock::now();
                runtime.block_on(claim(&kept.store, &ids, at_a_time, press.now))?;
                let elapsed = clock::now().duration_since(began).as_secs_f64();
                let name = format!("claims, {}, {at_a_time} at a time", kept.name);
                bench.enter_rate("claims", name, Peer::Plain, count as f64 / elapsed);
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Press {
    /// Issues so many tickets.
    async fn issue(&mut self, store: &dyn Store, count: usize) -> Result<Vec<Digest>> {
        let mut digests = Vec::with_capacity(count);
        for _ in 0..count {
            self.made += 1;
            let mut digest = [0; 32];
            digest[..16].copy_from_slice(&self.made.to_be_bytes());
            let digest = Digest(digest);
            let ticket = Ticket {
                id: TicketId::from_bytes(self.made.to_be_bytes()),
                technician: "alice".to_owned(),
                target: "front-desk".to_owned(),
                permissions: None,
                address: None,
                issued_at: self.now,
                expires_at: self.now.saturating_add(std::time::Duration::from_secs(3600)),
                context: TicketContext::default(),
            };
            let record = TicketRecord { ticket, digests: vec![digest], sealed: None };
            ensure!(store.issue(&record, self.now).await? == Issue::Issued, "a ticket was not issued");
            digests.push(digest);
        }
        Ok(digests)
    }
}

/// Claims all of them, so many at a time.
async fn claim(store: &Arc<dyn Store>, digests: &[Digest], at_a_time: usize, now: Timestamp) -> Result<()> {
    let tasks: Vec<_> = digests
        .chunks(digests.len().div_ceil(at_a_time))
        .map(|share| {
            let (store, share) = (store.clone(), share.to_vec());
            tokio::spawn(async move {
                let claimant =
                    Claimant { address: IpAddr::V4(Ipv4Addr::LOCALHOST), login: None, resume: false };
                for digest in share {
                    let claim = store
                        .claim(&TicketKey::Digest(digest), &claimant, &LockoutPolicy::default(), now)
                        .await?;
                    ensure!(matches!(claim, Claim::Claimed { .. }), "a ticket was not claimed: {claim:?}");
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
