//! The store in Redis, which several nodes share.

mod connection;
mod documents;
mod events;
mod leases;
mod lockout;
mod scripts;
mod settings;
mod tickets;
mod trust;
mod values;

use std::time::Duration;

use ::redis::{ScriptInvocation, Value};
use async_trait::async_trait;
use passerelle_desktop::Permissions;

pub use connection::RedisSettingsError;
pub use settings::{RedisHost, RedisServers, RedisSettings, RedisTls};

use crate::store::{EventSender, event_channel};
use crate::{
    AttemptKey, Candidate, Claim, Claimant, Document, DocumentKind, Expect, Fence, Fingerprint, Issue, Lease,
    LeaseRequest, Locked, Lockout, LockoutPolicy, Login, Purged, Put, Renewal, Revocation, Session,
    SessionId, Store, StoreError, StoreEvents, StoredDocument, TicketId, TicketKey, TicketRecord, Timestamp,
    Trust, Trusted,
};
use connection::{Connection, Durability};
use scripts::{EPOCH, PREFIX, PURGE, SINCE};
use values::{Answer, parse, text, truth};

/// The store of nodes that share a Redis of version 7.
///
/// Each change is one script, so it is made whole or not at all. `REDIS.md` says which keys there are and
/// how Redis has to be set up for claims to survive a loss of power.
///
/// One connection carries everything, pipelined. When it breaks, calls fail with
/// [`StoreError::Unavailable`] until it is made again, which is tried at growing intervals of up to 2 s.
/// Watchers are then told that they [missed](crate::StoreEvent::Missed) something.
#[derive(Debug)]
pub struct Redis {
    connection: Connection,
    events: EventSender,
}

impl Redis {
    /// Begins to connect; calls wait for it a moment. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The settings cannot be used, whatever the servers say.
    pub fn connect(settings: &RedisSettings) -> Result<Self, RedisSettingsError> {
        let events = event_channel();
        Ok(Self { connection: Connection::start(settings, events.clone())?, events })
    }

    /// What must survive the loss of the server.
    async fn change(&self, call: &ScriptInvocation<'_>) -> Result<Value, StoreError> {
        self.connection.run(Durability::Full, call).await
    }

    /// What may be lost with the server, and what changes nothing.
    async fn ask(&self, call: &ScriptInvocation<'_>) -> Result<Value, StoreError> {
        self.connection.run(Durability::Relaxed, call).await
    }
}

#[async_trait]
impl Store for Redis {
    async fn issue(&self, ticket: &TicketRecord, now: Timestamp) -> Result<Issue, StoreError> {
        tickets::issued(self.ask(&tickets::issue(ticket, now)?).await?, ticket.ticket.id)
    }

    async fn claim(
        &self,
        key: &TicketKey,
        claimant: &Claimant,
        lockout: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        tickets::claimed(self.change(&tickets::claim(key, claimant, lockout, now)).await?, claimant)
    }

    async fn candidates(&self, login: Option<&Login>, now: Timestamp) -> Result<Vec<Candidate>, StoreError> {
        tickets::found(self.ask(&tickets::candidates(login, now)).await?, login)
    }

    async fn withdraw(&self, ticket: TicketId, now: Timestamp) -> Result<bool, StoreError> {
        truth(&self.change(&tickets::withdraw(ticket, now)).await?)
    }

    async fn fail(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Option<Locked>, StoreError> {
        lockout::outcome(self.ask(&lockout::fail(keys, policy, now)).await?, keys)
    }

    async fn forgive(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(&lockout::forgive(keys, policy)).await.map(drop)
    }

    async fn locked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<Option<Locked>, StoreError> {
        lockout::outcome(self.ask(&lockout::locked(keys, now)).await?, keys)
    }

    async fn lockouts(&self, now: Timestamp) -> Result<Vec<Lockout>, StoreError> {
        lockout::listed(self.ask(&lockout::lockouts(now)).await?)
    }

    async fn clear_lockout(&self, key: &AttemptKey) -> Result<bool, StoreError> {
        truth(&self.ask(&lockout::clear(key)).await?)
    }

    async fn lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, StoreError> {
        leases::leased(self.ask(&leases::lease(request, now)).await?, request)
    }

    async fn renew(
        &self,
        session: SessionId,
        fence: Fence,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Renewal, StoreError> {
        leases::renewed(self.ask(&leases::renew(session, fence, ttl, now)).await?)
    }

    async fn release(&self, session: SessionId, fence: Fence, _now: Timestamp) -> Result<bool, StoreError> {
        truth(&self.ask(&leases::release(session, fence)).await?)
    }

    async fn abandon(&self, node: &str, _now: Timestamp) -> Result<Vec<Session>, StoreError> {
        leases::listed(Answer::new(self.change(&leases::abandon(node)).await?)?)
    }

    async fn revoke(
        &self,
        session: SessionId,
        revocation: &Revocation,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        truth(&self.change(&leases::revoke(session, revocation, now)).await?)
    }

    async fn set_permissions(
        &self,
        session: SessionId,
        permissions: Permissions,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        truth(&self.change(&leases::set_permissions(session, permissions, now)).await?)
    }

    async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        leases::listed(Answer::new(self.ask(&leases::sessions(now)).await?)?)
    }

    async fn put(&self, document: &Document, expect: Expect, now: Timestamp) -> Result<Put, StoreError> {
        documents::stored(self.change(&documents::put(document, expect, now)).await?)
    }

    async fn get(
        &self,
        kind: DocumentKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>, StoreError> {
        documents::found(self.ask(&documents::get(kind, key, now)).await?, key)
    }

    async fn list(&self, kind: DocumentKind, now: Timestamp) -> Result<Vec<StoredDocument>, StoreError> {
        documents::listed(self.ask(&documents::list(kind, now)).await?)
    }

    async fn delete(
        &self,
        kind: DocumentKind,
        key: &str,
        expect: Expect,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        truth(&self.change(&documents::delete(kind, key, expect, now)).await?)
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        parse(&text(self.ask(&EPOCH.key(PREFIX)).await?)?)
    }

    async fn since(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let mut call = SINCE.key(PREFIX);
        call.arg(now.as_millis());
        Ok(Timestamp::from_millis(parse(&text(self.change(&call).await?)?)?))
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
        trust::trust(self.change(&trust::asking(target, fingerprint, now)).await?, fingerprint)
    }

    async fn trusted(&self) -> Result<Vec<Trusted>, StoreError> {
        trust::listed(self.ask(&trust::all()).await?)
    }

    async fn forget(&self, target: &str) -> Result<bool, StoreError> {
        truth(&self.change(&trust::forget(target)).await?)
    }

    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError> {
        // At most so many of each at a time, since Redis does nothing else meanwhile.
        const MOST: usize = 1000;
        let mut purged = Purged::default();
        loop {
            let mut call = PURGE.key(PREFIX);
            call.arg(now.as_millis())
                .arg(now.saturating_sub(tickets::REMEMBERED).as_millis())
                .arg(now.saturating_sub(leases::REMEMBERED).as_millis())
                .arg(MOST);
            for kind in DocumentKind::ALL {
                call.arg(kind.name());
            }
            let mut answer = Answer::new(self.ask(&call).await?)?;
            let mut removed = || answer.parsed::<usize>();
            let (secrets, tickets, leases, failures, documents) =
                (removed()?, removed()?, removed()?, removed()?, removed()?);
            purged.secrets += secrets;
            purged.tickets += tickets;
            purged.leases += leases;
            purged.failures += failures;
            purged.documents += documents;
            if [tickets, leases, failures, documents].into_iter().all(|removed| removed < MOST) {
                return Ok(purged);
            }
        }
    }
}
