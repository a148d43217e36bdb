//! Sealed session recordings and the audit log: writing, verifying, reading.
//!
//! While a session runs, a [`Recording`] only appends the peers' messages to a sealed log; whatever
//! people look at later is derived from that log. `FORMAT.md` describes it, `AUDIT.md` describes the
//! [audit log](audit).

pub mod audit;
mod batch;
mod clock;
mod core;
mod files;
mod format;
mod header;
mod hold;
mod identity;
mod keys;
mod lane;
mod list;
mod packing;
mod pool;
mod reader;
mod recorder;
mod recording;
mod recover;
mod remove;
mod rewrap;
mod sink;
mod stored;
mod verify;
pub mod view;
mod walk;
mod writer;

pub use clock::{Clock, Random};
pub use files::Space;
pub use header::{EraseError, Header, erase};
pub use hold::{Hold, hold, release, set_hold};
pub use identity::{Identity, IdentityError};
pub use keys::{KeyError, MalformedPublicKey, PublicKey, SigningKey};
pub use lane::{Class, Lane};
pub use list::{State, Summary, list, summary, summary_of};
pub use reader::{Entry, ReadError, Reader};
pub use recorder::{OpenError, Recorder, RecorderError, RecorderSettings};
pub use recording::{Lag, Recording, RecordingFailed, Sealed};
pub use recover::{Recovered, RecoveryOutcome};
pub use remove::{Usage, is_hidden, remove, remove_views, sweep, usage};
pub use rewrap::{RewrapError, recipients, rewrap};
pub use sink::{LocalDisk, Segment, SegmentSink};
pub use stored::{
    Complete, HEADER, Parts, STORED, Stored, is_offloaded, is_part, offload, parts, read_segment,
    segment_name, sha256,
};
pub use verify::{Verdict, Verification, VerifyError, verify};
