//! Who may do what: identities, tickets, lockout, rules, and the shared-state store.
//!
//! - [`Store`] is the state that the nodes of a gateway share, in terms of what is meant: a ticket is
//!   claimed, an attempt is counted, a session is leased. [`Embedded`] keeps it in one SQLite file,
//!   [`Redis`] where several nodes reach it.
//! - [`Tickets`] issues one-time secrets and redeems them, with lockout.
//! - [`Accounts`] are local users with passwords and second factors ([`Totp`]); [`Passwords`] bounds what checking
//!   costs. [`Issuers`] are other identity providers with their tokens. Whoever logs in is an [`Identity`];
//!   [`Logins`] takes whatever a client sends as its password.
//! - [`decide`] turns facts and rules into a grant. It is a pure function.
//!
//! Nothing here reads a clock or a random source: both are arguments.

mod accounts;
mod crockford;
mod embedded;
mod id;
mod identity;
mod jwt;
mod logins;
mod password;
mod redis;
mod rules;
mod seal;
mod secret;
mod store;
mod tickets;
mod timestamp;
mod totp;

pub use self::redis::{Redis, RedisHost, RedisServers, RedisSettings, RedisSettingsError, RedisTls};
pub use accounts::{Account, AccountRefusal, Accounts};
pub use embedded::{Embedded, OpenError};
pub use id::{ApprovalId, Fence, InvalidId, SessionId, TicketId};
pub use identity::{Identity, Method};
pub use jwt::{
    ClaimNames, FetchKeys, Issuer, IssuerSettings, Issuers, JwtRefusal, KeySet, KeySetError, Keys,
    SigningAlgorithm, is_jwt,
};
pub use logins::{Entry, LoginRefusal, Logins};
pub use password::{PasswordError, PasswordHash, Passwords, hash_password};
pub use rules::{
    Considered, Decision, Denial, Effect, Facts, Grant, Hours, Refused, Requirement, Rule, Rules, Subject,
    TargetSelector, TicketIdPattern, decide, explain,
};
pub use seal::Seal;
pub use secret::{Random, Secret};
pub use store::{
    AttemptKey, Backoff, Candidate, Claim, Claimant, Digest, Document, DocumentKind, Expect, Fingerprint,
    InvalidAttemptKey, Issue, Lease, LeaseRequest, Limit, Locked, Lockout, LockoutPolicy, Login, Purged, Put,
    RESUME_WINDOW, Renewal, Revocation, SealedSecret, Session, SessionLimits, Store, StoreError, StoreEvent,
    StoreEvents, StoredDocument, Ticket, TicketContext, TicketKey, TicketRecord, Trust, Trusted,
};
pub use tickets::{
    IssueError, Issued, LoginError, NewTicket, NlaCandidates, Pepper, PepperError, REFERENCE_PREFIX,
    Redeemed, Refusal, TicketPolicy, Tickets,
};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use totp::{Enrolment, Totp, TotpError};
