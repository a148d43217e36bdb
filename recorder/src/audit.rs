//! The audit log: JSON Lines in a hash chain with signed checkpoints. `AUDIT.md` is its schema.

mod chain;
mod event;
mod files;
mod log;
mod open;
mod tail;
mod verify;
mod writer;

pub use chain::EventLine;
pub use event::{AuditEvent, AuditKind, Outcome};
pub use log::{AuditError, AuditLog, AuditOpenError, UnfinishedSession};
pub use tail::{Follower, select, tail};
pub use verify::{AuditVerdict, AuditVerification, verify};
