//! The store in one SQLite file.

mod documents;
mod leases;
mod lockout;
mod open;
mod rows;
mod tickets;
mod trust;
mod worker;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use passerelle_desktop::Permissions;

pub use open::OpenError;

use crate::store::{EventSender, event_channel};
use crate::{
    AttemptKey, Candidate, Claim, Claimant, Document, DocumentKind, Expect, Fence, Fingerprint, Issue, Lease,
    LeaseRequest, Locked, Lockout, LockoutPolicy, Login, Purged, Put, Renewal, Revocation, Session,
    SessionId, Store, StoreError, StoreEvent, StoreEvents, StoredDocument, TicketId, TicketKey, TicketRecord,
    Timestamp, Trust, Trusted,
};
use worker::{Durability, Worker};

/// The store of a single node: one SQLite file, or memory for tests.
///
/// All access goes through one thread, in the order of the calls, each in a transaction of its own. What
/// must not be undone by a loss of power (claims, revocations, trusted certificates) is on disk before
/// the call returns; the rest (counters, renewals) may be lost with the last second.
///
/// The file belongs to one process at a time. The thread ends when the store is dropped, after the calls
/// that were made before.
#[derive(Debug)]
pub struct Embedded {
    worker: Worker,
    events: EventSender,
}

impl Embedded {
    /// Opens the store in the file at `path`, or makes it. Only its owner can open the file.
    ///
    /// Files of earlier versions are brought up to date. Blocks while it does.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::start(open::file(path)?)
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// [`OpenError::Sqlite`] or [`OpenError::Thread`] when the system lacks memory or threads.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::start(open::memory()?)
    }

    fn start(connection: rusqlite::Connection) -> Result<Self, OpenError> {
        Ok(Self { worker: Worker::start(connection)?, events: event_channel() })
    }

    fn changed(&self, epoch: Option<u64>) {
        if let Some(epoch) = epoch {
            self.events.send(StoreEvent::Changed { epoch });
        }
    }
}

#[async_trait]
impl Store for Embedded {
    async fn issue(&self, ticket: &TicketRecord, now: Timestamp) -> Result<Issue, StoreError> {
        let ticket = ticket.clone();
        self.worker.run(Durability::Relaxed, move |tx| tickets::issue(tx, &ticket, now)).await
    }

    async fn claim(
        &self,
        key: &TicketKey,
        claimant: &Claimant,
        lockout: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (key, claimant, lockout) = (*key, claimant.clone(), *lockout);
        self.worker.run(Durability::Full, move |tx| tickets::claim(tx, &key, &claimant, &lockout, now)).await
    }

    async fn candidates(&self, login: Option<&Login>, now: Timestamp) -> Result<Vec<Candidate>, StoreError> {
        let login = login.cloned();
        self.worker.run(Durability::Relaxed, move |tx| tickets::candidates(tx, login.as_ref(), now)).await
    }

    async fn withdraw(&self, ticket: TicketId, now: Timestamp) -> Result<bool, StoreError> {
        self.worker.run(Durability::Full, move |tx| tickets::withdraw(tx, ticket, now)).await
    }

    async fn fail(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Option<Locked>, StoreError> {
        let (keys, policy) = (keys.to_vec(), *policy);
        self.worker.run(Durability::Relaxed, move |tx| lockout::fail(tx, &keys, &policy, now)).await
    }

    async fn forgive(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let (keys, policy) = (keys.to_vec(), *policy);
        self.worker.run(Durability::Relaxed, move |tx| lockout::forgive(tx, &keys, &policy)).await
    }

    async fn locked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<Option<Locked>, StoreError> {
        let keys = keys.to_vec();
        self.worker.run(Durability::Relaxed, move |tx| lockout::locked(tx, &keys, now)).await
    }

    async fn lockouts(&self, now: Timestamp) -> Result<Vec<Lockout>, StoreError> {
        self.worker.run(Durability::Relaxed, move |tx| lockout::lockouts(tx, now)).await
    }

    async fn clear_lockout(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.worker.run(Durability::Relaxed, move |tx| lockout::clear(tx, &key)).await
    }

    async fn lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, StoreError> {
        let request = request.clone();
        self.worker.run(Durability::Relaxed, move |tx| leases::lease(tx, &request, now)).await
    }

    async fn renew(
        &self,
        session: SessionId,
        fence: Fence,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Renewal, StoreError> {
        self.worker.run(Durability::Relaxed, move |tx| leases::renew(tx, session, fence, ttl, now)).await
    }

    async fn release(&self, session: SessionId, fence: Fence, _now: Timestamp) -> Result<bool, StoreError> {
        self.worker.run(Durability::Relaxed, move |tx| leases::release(tx, session, fence)).await
    }

    async fn abandon(&self, node: &str, _now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let node = node.to_owned();
        self.worker.run(Durability::Full, move |tx| leases::abandon(tx, &node)).await
    }

    async fn revoke(
        &self,
        session: SessionId,
        revocation: &Revocation,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let asked = revocation.clone();
        let (kept, live) =
            self.worker.run(Durability::Full, move |tx| leases::revoke(tx, session, &asked, now)).await?;
        if let Some(revocation) = kept {
            self.events.send(StoreEvent::Revoked { session, revocation });
        }
        Ok(live)
    }

    async fn set_permissions(
        &self,
        session: SessionId,
        permissions: Permissions,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (known, live) = self
            .worker
            .run(Durability::Full, move |tx| leases::set_permissions(tx, session, permissions, now))
            .await?;
        if known {
            self.events.send(StoreEvent::PermissionsAsked { session, permissions });
        }
        Ok(live)
    }

    async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.worker.run(Durability::Relaxed, move |tx| leases::sessions(tx, now)).await
    }

    async fn put(&self, document: &Document, expect: Expect, now: Timestamp) -> Result<Put, StoreError> {
        let document = document.clone();
        let (put, epoch) =
            self.worker.run(Durability::Full, move |tx| documents::put(tx, &document, expect, now)).await?;
        self.changed(epoch);
        Ok(put)
    }

    async fn get(
        &self,
        kind: DocumentKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let key = key.to_owned();
        self.worker.run(Durability::Relaxed, move |tx| documents::get(tx, kind, &key, now)).await
    }

    async fn list(&self, kind: DocumentKind, now: Timestamp) -> Result<Vec<StoredDocument>, StoreError> {
        self.worker.run(Durability::Relaxed, move |tx| documents::list(tx, kind, now)).await
    }

    async fn delete(
        &self,
        kind: DocumentKind,
        key: &str,
        expect: Expect,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = key.to_owned();
        let (deleted, epoch) = self
            .worker
            .run(Durability::Full, move |tx| documents::delete(tx, kind, &key, expect, now))
            .await?;
        self.changed(epoch);
        Ok(deleted)
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        self.worker.run(Durability::Relaxed, documents::epoch).await
    }

    async fn since(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.worker.run(Durability::Full, move |tx| documents::since(tx, now)).await
    }

    fn watch(&self) -> StoreEvents {
        self.events.subscribe()
    }

    async fn trust(
        &self,
        target: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Trust, StoreError> {
        let (target, fingerprint) = (target.to_owned(), *fingerprint);
        self.worker.run(Durability::Full, move |tx| trust::trust(tx, &target, &fingerprint, now)).await
    }

    async fn trusted(&self) -> Result<Vec<Trusted>, StoreError> {
        self.worker.run(Durability::Relaxed, trust::trusted).await
    }

    async fn forget(&self, target: &str) -> Result<bool, StoreError> {
        let target = target.to_owned();
        self.worker.run(Durability::Full, move |tx| trust::forget(tx, &target)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        self.worker
            .run(Durability::Relaxed, move |tx| {
                let (secrets, tickets) = tickets::purge(tx, now)?;
                let leases = leases::purge(tx, now)?;
                let failures = lockout::purge(tx, now)?;
                let documents = documents::purge(tx, now)?;
                Ok(Purged { secrets, tickets, leases, failures, documents })
            })
            .await
    }
}
