//! How long the store takes, and whether it works.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use passerelle_auth::{
    AttemptKey, Candidate, Claim, Claimant, Document, DocumentKind, Expect, Fence, Fingerprint, Issue, Lease,
    LeaseRequest, Locked, Lockout, LockoutPolicy, Login, Purged, Put, Renewal, Revocation, Session,
    SessionId, Store, StoreError, StoreEvents, StoredDocument, TicketId, TicketKey, TicketRecord, Timestamp,
    Trust, Trusted,
};
use passerelle_desktop::Permissions;

use crate::ambient::Stopwatch;
use crate::metrics::StoreMetrics;

/// A store that counts what it is asked.
pub(crate) struct Measured {
    store: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl Measured {
    pub(crate) fn new(store: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        Self { store, metrics }
    }

    async fn time<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let watch = Stopwatch::start();
        let done = work.await;
        // What is there twice is an answer.
        let works = matches!(done, Ok(_) | Err(StoreError::Duplicate { .. }));
        self.metrics.done(operation, watch.elapsed(), works);
        done
    }
}

#[async_trait]
impl Store for Measured {
    async fn issue(&self, ticket: &TicketRecord, now: Timestamp) -> Result<Issue, StoreError> {
        self.time("issue", self.store.issue(ticket, now)).await
    }

    async fn claim(
        &self,
        key: &TicketKey,
        claimant: &Claimant,
        lockout: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        self.time("claim", self.store.claim(key, claimant, lockout, now)).await
    }

    async fn candidates(&self, login: Option<&Login>, now: Timestamp) -> Result<Vec<Candidate>, StoreError> {
        self.time("candidates", self.store.candidates(login, now)).await
    }

    async fn withdraw(&self, ticket: TicketId, now: Timestamp) -> Result<bool, StoreError> {
        self.time("withdraw", self.store.withdraw(ticket, now)).await
    }

    async fn fail(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Option<Locked>, StoreError> {
        self.time("fail", self.store.fail(keys, policy, now)).await
    }

    async fn forgive(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.time("forgive", self.store.forgive(keys, policy, now)).await
    }

    async fn locked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<Option<Locked>, StoreError> {
        self.time("locked", self.store.locked(keys, now)).await
    }

    async fn lockouts(&self, now: Timestamp) -> Result<Vec<Lockout>, StoreError> {
        self.time("lockouts", self.store.lockouts(now)).await
    }

    async fn clear_lockout(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        self.time("clear_lockout", self.store.clear_lockout(key)).await
    }

    async fn lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, StoreError> {
        self.time("lease", self.store.lease(request, now)).await
    }

    async fn renew(
        &self,
        session: SessionId,
        fence: Fence,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Renewal, StoreError> {
        self.time("renew", self.store.renew(session, fence, ttl, now)).await
    }

    async fn release(&self, session: SessionId, fence: Fence, now: Timestamp) -> Result<bool, StoreError> {
        self.time("release", self.store.release(session, fence, now)).await
    }

    async fn abandon(&self, node: &str, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.time("abandon", self.store.abandon(node, now)).await
    }

    async fn revoke(
        &self,
        session: SessionId,
        revocation: &Revocation,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.time("revoke", self.store.revoke(session, revocation, now)).await
    }

    async fn set_permissions(
        &self,
        session: SessionId,
        permissions: Permissions,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.time("set_permissions", self.store.set_permissions(session, permissions, now)).await
    }

    async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.time("sessions", self.store.sessions(now)).await
    }

    async fn put(&self, document: &Document, expect: Expect, now: Timestamp) -> Result<Put, StoreError> {
        self.time("put", self.store.put(document, expect, now)).await
    }

    async fn get(
        &self,
        kind: DocumentKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>, StoreError> {
        self.time("get", self.store.get(kind, key, now)).await
    }

    async fn list(&self, kind: DocumentKind, now: Timestamp) -> Result<Vec<StoredDocument>, StoreError> {
        self.time("list", self.store.list(kind, now)).await
    }

    async fn delete(
        &self,
        kind: DocumentKind,
        key: &str,
        expect: Expect,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.time("delete", self.store.delete(kind, key, expect, now)).await
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        self.time("epoch", self.store.epoch()).await
    }

    async fn since(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.time("since", self.store.since(now)).await
    }

    fn watch(&self) -> StoreEvents {
        self.store.watch()
    }

    async fn trust(
        &self,
        target: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Trust, StoreError> {
        self.time("trust", self.store.trust(target, fingerprint, now)).await
    }

    async fn trusted(&self) -> Result<Vec<Trusted>, StoreError> {
        self.time("trusted", self.store.trusted()).await
    }

    async fn forget(&self, target: &str) -> Result<bool, StoreError> {
        self.time("forget", self.store.forget(target)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        self.time("purge", self.store.purge(now)).await
    }
}
