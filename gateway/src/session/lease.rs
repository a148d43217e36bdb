//! Keeping the store's word that a session may run.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use passerelle_auth::{Lease, LeaseRequest, Renewal, Revocation, SessionLimits, StoreError, StoreEvent};
use passerelle_desktop::Permissions;
use passerelle_recorder::audit::{AuditKind, Outcome};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::{CloseReason, Entry, Facts};
use crate::ambient;
use crate::gateway::Gateway;

/// How long a lease holds without renewal: so long a session of a killed gateway counts against limits.
const TTL: Duration = Duration::from_secs(15);

/// How often leases are renewed: so soon an order reaches a session when the store's events do not.
const RENEWAL: Duration = Duration::from_secs(1);

/// How many leases are renewed at the same time.
const RENEWED_TOGETHER: usize = 64;

/// How often the store is tidied.
const PURGE: Duration = Duration::from_secs(60);

/// What a session asks of the store.
pub(crate) fn request(facts: &Facts, limits: SessionLimits) -> LeaseRequest {
    LeaseRequest {
        session: facts.id,
        node: facts.node.clone(),
        technician: facts.technician.clone(),
        target: facts.target.clone(),
        protocol: facts.protocol.clone(),
        address: facts.address.ip(),
        ttl: TTL,
        limits,
    }
}

/// Renews the leases of all sessions, passes on what was asked of them, and tidies the store, until dropped.
pub(crate) async fn keep(gateway: Arc<Gateway>) {
    let mut renewal = tokio::time::interval(RENEWAL);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut purge = tokio::time::interval(PURGE);
    let mut events = gateway.store.watch();
    let mut watching = true;
    loop {
        tokio::select! {
            _ = renewal.tick() => renew_all(&gateway).await,
            _ = purge.tick() => {
                if let Err(error) = gateway.store.purge(ambient::now()).await {
                    tracing::warn!(%error, "the store could not be tidied");
                }
            }
            event = events.next(), if watching => match event {
                Some(StoreEvent::Revoked { session, revocation }) => {
                    if let Some(entry) = gateway.registry.find(session) {
                        revoked(&entry, revocation);
                    }
                }
                Some(StoreEvent::PermissionsAsked { session, permissions }) => {
                    if let Some(entry) = gateway.registry.find(session) {
                        permitted(&gateway, &entry, permissions);
                    }
                }
                // Who keeps what the store says for a while watches by itself.
                Some(StoreEvent::Changed { .. }) => {}
                Some(StoreEvent::Missed) => renewal.reset_immediately(),
                None => watching = false,
            }
        }
    }
}

/// Renews every lease, some at a time: a store that is far away must not delay the last.
async fn renew_all(gateway: &Gateway) {
    let entries = futures_util::stream::iter(gateway.registry.all());
    let failed = entries
        .map(|entry| async move { renew(gateway, &entry).await.err().map(|error| (entry, error)) })
        .buffer_unordered(RENEWED_TOGETHER)
        .filter_map(std::future::ready);
    let failed: Vec<_> = failed.collect().await;
    if let Some((entry, error)) = failed.first() {
        let sessions = failed.len();
        tracing::warn!(%error, sessions, session = %entry.facts.id, "leases could not be renewed");
    }
}

/// Renews one lease. A store that does not answer is asked again soon; it ends the session only when it has
/// been silent for too long.
async fn renew(gateway: &Gateway, entry: &Entry) -> Result<(), StoreError> {
    let asked = ask(gateway, entry).await;
    let now = ambient::now();
    if let Err(error) = &asked {
        if entry.unconfirmed(now) > gateway.policy().config.limits.store_grace.get() {
            entry.stop(CloseReason::LeaseLost { error: error.to_string() });
        }
    } else {
        entry.set_renewed(now);
    }
    asked
}

async fn ask(gateway: &Gateway, entry: &Entry) -> Result<(), StoreError> {
    let now = ambient::now();
    match gateway.store.renew(entry.facts.id, entry.fence(), TTL, now).await? {
        Renewal::Renewed { revoked: Some(revocation), .. } => revoked(entry, revocation),
        Renewal::Renewed { permissions: Some(asked), .. } => permitted(gateway, entry, asked),
        Renewal::Renewed { .. } => {}
        Renewal::Lost => {
            let limits = gateway.policy().session_limits();
            match gateway.store.lease(&request(&entry.facts, limits), now).await? {
                Lease::Leased { fence } => entry.set_fence(fence),
                Lease::Refused { limit, allowed, .. } => {
                    let error = format!("it ran out and there are now more than {allowed} {limit}");
                    entry.stop(CloseReason::LeaseLost { error });
                }
                Lease::Revoked(revocation) => revoked(entry, revocation),
            }
        }
    }
    Ok(())
}

/// Follows what was asked for through the store. The node where it was asked has written down by whom.
fn permitted(gateway: &Gateway, entry: &Entry, asked: Permissions) {
    if let Some(permissions) = entry.apply(asked) {
        let event = entry.facts.event(AuditKind::PermissionChanged).outcome(Outcome::Success);
        gateway.audit.note(event.detail("by", "another node").detail("permissions", json!(permissions)));
    }
}

fn revoked(entry: &Entry, revocation: Revocation) {
    entry.stop(CloseReason::Killed { by: revocation.by, why: Some(revocation.reason) });
}
