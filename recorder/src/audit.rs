//! The audit log: JSON Lines in a hash chain with signed checkpoints. `AUDIT.md` is its schema.

mod event;
mod log;

pub use event::{AuditEvent, AuditKind, Outcome};
pub use log::{AuditError, AuditLog, AuditOpenError, UnfinishedSession};
