//! Keeping the store's word that a session may run.

use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{Lease, LeaseRequest, Renewal, SessionLimits, StoreEvent};

use super::{CloseReason, Entry, Facts};
use crate::ambient;
use crate::gateway::Gateway;

/// How long a lease holds without renewal: so long a session of a killed gateway counts against limits.
const TTL: Duration = Duration::from_secs(15);

/// How often leases are renewed.
const RENEWAL: Duration = Duration::from_secs(3);

/// How often the store is tidied.
const PURGE: Duration = Duration::from_secs(60);

/// What a session asks of the store.
pub(crate) fn request(facts: &Facts, node: &str, limits: SessionLimits) -> LeaseRequest {
    LeaseRequest {
        session: facts.id,
        node: node.to_owned(),
        technician: facts.technician.clone(),
        target: facts.target.clone(),
        protocol: facts.protocol.clone(),
        address: facts.address.ip(),
        ttl: TTL,
        limits,
    }
}

/// Renews the leases of all sessions, ends those that were revoked, and tidies the store, until dropped.
pub(crate) async fn keep(gateway: Arc<Gateway>) {
    let mut renewal = tokio::time::interval(RENEWAL);
    let mut purge = tokio::time::interval(PURGE);
    let mut events = gateway.store.watch();
    let mut watching = true;
    loop {
        tokio::select! {
            _ = renewal.tick() => {
                for entry in gateway.registry.all() {
                    renew(&gateway, &entry).await;
                }
            }
            _ = purge.tick() => {
                if let Err(error) = gateway.store.purge(ambient::now()).await {
                    tracing::warn!(%error, "the store could not be tidied");
                }
            }
            event = events.next(), if watching => match event {
                Some(StoreEvent::Revoked { session, revocation }) => {
                    if let Some(entry) = gateway.registry.find(session) {
                        entry.stop(CloseReason::Killed { by: revocation.by, why: Some(revocation.reason) });
                    }
                }
                Some(StoreEvent::Missed) => renewal.reset_immediately(),
                None => watching = false,
            }
        }
    }
}

/// Renews one lease. A store that does not answer ends no session: it is asked again soon.
async fn renew(gateway: &Gateway, entry: &Entry) {
    let now = ambient::now();
    let revoked = match gateway.store.renew(entry.facts.id, entry.fence(), TTL, now).await {
        Ok(Renewal::Renewed { revoked }) => revoked,
        Ok(Renewal::Lost) => {
            let limits = gateway.policy().session_limits();
            match gateway.store.lease(&request(&entry.facts, &gateway.node, limits), now).await {
                Ok(Lease::Leased { fence }) => {
                    entry.set_fence(fence);
                    None
                }
                Ok(Lease::Refused { limit, allowed, .. }) => {
                    let error = format!("it ran out and there are now more than {allowed} {limit}");
                    entry.stop(CloseReason::LeaseLost { error });
                    None
                }
                Ok(Lease::Revoked(revocation)) => Some(revocation),
                Err(error) => {
                    tracing::warn!(%error, session = %entry.facts.id, "a lease could not be taken again");
                    None
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, session = %entry.facts.id, "a lease could not be renewed");
            None
        }
    };
    if let Some(revocation) = revoked {
        entry.stop(CloseReason::Killed { by: revocation.by, why: Some(revocation.reason) });
    }
}
