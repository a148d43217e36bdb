//! Sealed session recordings and the audit log: writing, verifying, reading.
//!
//! While a session runs, a [`Recording`] only appends the peers' messages to a sealed log; whatever
//! people look at later is derived from that log. `FORMAT.md` describes it, `AUDIT.md` describes the
//! [audit log](audit).

pub mod audit;
mod clock;
mod files;
mod identity;
mod keys;
mod lane;
mod recorder;
mod recording;
mod recover;

pub use clock::{Clock, Random};
pub use identity::{Identity, IdentityError};
pub use keys::{KeyError, MalformedPublicKey, PublicKey, SigningKey};
pub use lane::{Class, Lane};
pub use recorder::{OpenError, Recorder, RecorderError, RecorderSettings};
pub use recording::{Recording, RecordingFailed, Sealed};
pub use recover::{Recovered, RecoveryOutcome};
