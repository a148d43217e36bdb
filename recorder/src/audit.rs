//! The audit log: JSON Lines in a hash chain and a Merkle tree, with signed checkpoints. `AUDIT.md` is its schema.

mod chain;
mod consistency;
mod cursor;
mod event;
pub mod export;
mod files;
mod log;
mod merkle;
mod note;
mod open;
mod proof;
mod tail;
mod verify;
mod writer;

pub use chain::EventLine;
pub use consistency::Consistency;
pub use cursor::Cursor;
pub use event::{AuditEvent, AuditKind, Outcome};
pub use log::{AuditError, AuditLog, AuditOpenError, UnfinishedSession};
pub use merkle::TreeHash;
pub use note::{NoteError, TreeHead, origin, verifier_key};
pub use proof::{Proof, ProofError, Proved, checkpoint_file, holds, read_checkpoint, read_checkpoints};
pub use tail::{Follower, sealed_roots, sealing, select, tail};
pub use verify::{AuditVerdict, AuditVerification, verify};
