//! The state that the nodes of a gateway share.

mod document;
mod event;
mod lease;
mod lockout;
mod ticket;
mod trust;

use async_trait::async_trait;
use passerelle_desktop::Permissions;

pub use document::{Document, DocumentKind, Expect, Put, StoredDocument};
pub use event::{StoreEvent, StoreEvents};
pub use lease::{Lease, LeaseRequest, Limit, Renewal, Revocation, Session, SessionLimits};
pub use lockout::{AttemptKey, Backoff, InvalidAttemptKey, Locked, Lockout, LockoutPolicy};
pub use ticket::{
    Candidate, Claim, Claimant, Digest, Issue, Login, RESUME_WINDOW, SealedSecret, Ticket, TicketContext,
    TicketKey, TicketRecord,
};
pub use trust::{Fingerprint, Trust, Trusted};

use crate::{Fence, SessionId, TicketId, Timestamp};

pub(crate) use event::{EventSender, event_channel};
pub(crate) use ticket::is_resumable;

/// The state that the nodes of a gateway share, in terms of what is meant by each change.
///
/// Every method is atomic and takes the time of the calling node. Something that ends at a time has
/// ended *at* that time: a ticket that expires at 12:00:00.000 is refused from 12:00:00.000 on. Clocks of
/// nodes may differ, so what begins in the future is not refused for it.
///
/// A future that is dropped before it is done may or may not have had its effect.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps a new ticket.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the store has a ticket with this id.
    async fn issue(&self, ticket: &TicketRecord, now: Timestamp) -> Result<Issue, StoreError>;

    /// Uses up the ticket that `key` names, if it is live and meant for this claimant.
    ///
    /// Of any number of concurrent claims of one ticket, by whichever of its secrets and on whichever
    /// nodes, exactly one is answered with [`Claim::Claimed`]. That answer survives a loss of power. Where
    /// the claimant asks for it, others from the same address get [`Claim::Resumed`] for a moment.
    ///
    /// Lockout is part of the same step: while one of the claimant's keys is locked the answer is
    /// [`Claim::Locked`] whatever the ticket, [`Claim::Unknown`] and [`Claim::OtherLogin`] count as
    /// failures of all of them, and a right secret clears the counts of its address and technician. So no
    /// number of concurrent claims gets more answers than as many in a row.
    async fn claim(
        &self,
        key: &TicketKey,
        claimant: &Claimant,
        lockout: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Claim, StoreError>;

    /// The tickets that have sealed secrets and are not withdrawn, for `login` if one is given, oldest
    /// first.
    ///
    /// Used ones are among them, so that a secret used twice is recognised as such. A ticket's sealed
    /// secrets are removed when it has expired and is not within the [`RESUME_WINDOW`] of its use.
    async fn candidates(&self, login: Option<&Login>, now: Timestamp) -> Result<Vec<Candidate>, StoreError>;

    /// Makes a ticket worthless: an unused one lets nobody in, and one that was used a moment ago does not let its
    /// user [in again](Claim::Resumed). Tells whether there was one that was neither used, expired nor withdrawn.
    async fn withdraw(&self, ticket: TicketId, now: Timestamp) -> Result<bool, StoreError>;

    /// Counts a failed authentication for each of `keys`, unless one of them is locked.
    ///
    /// If one is, nothing is counted and the lock with the latest end is returned: an attempt that was made
    /// at the same time as the failure that caused it does not count as one that was looked at. Checking
    /// and counting are one step. See [`LockoutPolicy`] for the rules.
    async fn fail(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<Option<Locked>, StoreError>;

    /// Takes back what [`fail`](Store::fail) counted for an attempt that turned out right.
    ///
    /// For methods that take long to check: an attempt counts as a failure before it is looked at. Clears the
    /// counts of addresses and identities, and takes one failure and the lock that it caused from the global
    /// count.
    async fn forgive(
        &self,
        keys: &[AttemptKey],
        policy: &LockoutPolicy,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The lock with the latest end that any of `keys` is under, if any is.
    async fn locked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<Option<Locked>, StoreError>;

    /// Every key that is locked, the one with the latest end first.
    async fn lockouts(&self, now: Timestamp) -> Result<Vec<Lockout>, StoreError>;

    /// Forgets the failures of a key, and so ends its lock. Tells whether any were counted.
    async fn clear_lockout(&self, key: &AttemptKey) -> Result<bool, StoreError>;

    /// Registers a session if the limits of the request allow one more.
    ///
    /// The limits hold under concurrency. The lease ends `ttl` after `now` unless it is renewed. A
    /// session whose lease has ended may be leased anew under the same id, which gives it a new fence;
    /// if it was revoked meanwhile, the answer is [`Lease::Revoked`].
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when a session with this id has a live lease.
    async fn lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, StoreError>;

    /// Prolongs a lease to `ttl` after `now` and tells what was asked of the session.
    ///
    /// A revoked session's lease is prolonged too: it counts until it is released.
    async fn renew(
        &self,
        session: SessionId,
        fence: Fence,
        ttl: std::time::Duration,
        now: Timestamp,
    ) -> Result<Renewal, StoreError>;

    /// Ends a lease. Tells whether there was one with this fence, ended by time or not.
    async fn release(&self, session: SessionId, fence: Fence, now: Timestamp) -> Result<bool, StoreError>;

    /// Ends every lease of a node and returns their sessions, oldest first.
    ///
    /// For the start of a node: what an earlier run of it left behind holds no limits any more. Sessions
    /// whose leases have ended by time are among them until they are purged.
    async fn abandon(&self, node: &str, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Asks for the end of a session, wherever it runs. Tells whether it has a live lease.
    ///
    /// The node that runs it learns of it at the next renewal, or sooner through [`Store::watch`].
    /// The first revocation of a session is kept; further ones change nothing. A session whose lease has
    /// ended by time is marked as well, in case it asks for a new lease.
    async fn revoke(
        &self,
        session: SessionId,
        revocation: &Revocation,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Asks for other permissions in a session, wherever it runs. Tells whether it has a live lease.
    ///
    /// The node that runs it learns of it as of a [revocation](Store::revoke) and gives no more than the
    /// rules grant. What was asked for last holds, also when the session asks for a new lease.
    async fn set_permissions(
        &self,
        session: SessionId,
        permissions: Permissions,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Every session with a live lease, oldest first.
    async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Keeps a document if what is there is as expected. Expired documents are absent.
    ///
    /// The answer [`Put::Stored`] survives a loss of power. A document that marks something as used
    /// has to be kept until that would be refused for its age, with a margin for clocks that differ;
    /// see also [`since`](Store::since).
    async fn put(&self, document: &Document, expect: Expect, now: Timestamp) -> Result<Put, StoreError>;

    /// A document, unless it has expired.
    async fn get(
        &self,
        kind: DocumentKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>, StoreError>;

    /// Every document of a kind that has not expired, by key in the order of bytes.
    async fn list(&self, kind: DocumentKind, now: Timestamp) -> Result<Vec<StoredDocument>, StoreError>;

    /// Removes a document if it is there and as expected. Tells whether it was removed.
    ///
    /// Of any number of concurrent calls exactly one is told so, and that answer survives a loss of power.
    async fn delete(
        &self,
        kind: DocumentKind,
        key: &str,
        expect: Expect,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// A number that differs after each change of a document [that changes what is
    /// allowed](DocumentKind::raises_epoch). [`Renewal`] carries it too.
    async fn epoch(&self) -> Result<u64, StoreError>;

    /// From when on this store remembers what was used.
    ///
    /// A store that lost its memory may not know that something was used before. Whoever marks something
    /// as used by a document asks for this *after* that, and refuses what was made before this time, give
    /// or take the difference of clocks. The first call settles it, so a node makes one at its start.
    async fn since(&self, now: Timestamp) -> Result<Timestamp, StoreError>;

    /// What happens in the store from now on.
    ///
    /// Events only make reactions faster: each may be lost, and what it says is also learned without it.
    fn watch(&self) -> StoreEvents;

    /// Compares the certificate of a target with the one first seen there, which it keeps.
    ///
    /// A changed certificate is not kept: an administrator has to [`forget`](Store::forget) the known one.
    async fn trust(
        &self,
        target: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Trust, StoreError>;

    /// Every certificate that [`trust`](Store::trust) has kept, by target.
    async fn trusted(&self) -> Result<Vec<Trusted>, StoreError>;

    /// Forgets the certificate of a target. Tells whether one was known.
    async fn forget(&self, target: &str) -> Result<bool, StoreError>;

    /// Removes what has no meaning any more: sealed secrets of expired tickets at once, tickets a day
    /// after their expiry, ended leases after an hour, failures when they are forgotten, documents
    /// when they have expired.
    ///
    /// For a caller that does it every minute or so; nothing but space depends on it. What is removed may
    /// leave traces in the storage: sealed secrets are encrypted, and worthless once expired.
    async fn purge(&self, now: Timestamp) -> Result<Purged, StoreError>;
}

/// What [`Store::purge`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sealed secrets of expired tickets.
    pub secrets: usize,
    /// Tickets.
    pub tickets: usize,
    /// Ended leases.
    pub leases: usize,
    /// Counters of failed attempts.
    pub failures: usize,
    /// Documents.
    pub documents: usize,
}

/// The store cannot do what it was asked. None of it has to do with what the technician presented.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An identifier was used twice.
    #[error("the store already has {what} {id}")]
    Duplicate {
        /// `ticket` or `session`.
        what: &'static str,
        /// The identifier.
        id: String,
    },
    /// The disk has no room.
    #[error("the store cannot be written because its disk is full: free some space")]
    Full,
    /// The data is not what was written.
    #[error(
        "the store is damaged ({detail}): stop the gateway and restore it from a copy, or remove it to start empty"
    )]
    Damaged {
        /// What was found.
        detail: String,
    },
    /// The store did not answer.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What was found.
        detail: String,
    },
}
