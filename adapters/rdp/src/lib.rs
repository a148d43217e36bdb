//! RDP over sockets: viewer leg, target leg, splice filter, decoder.
//!
//! Both legs are terminated up to and including Client Info; from there on the peers' own PDUs are forwarded,
//! framed and filtered. [`viewer`] and [`target`] stop at every trust decision. [`RdpRelay`] is the
//! filter, [`Start`] and [`decoder`] are for what becomes of a recording.

mod channels;
pub mod decoder;
mod error_info;
mod keys;
mod recording;
mod relay;
pub mod target;
pub mod viewer;
mod wire;

pub use channels::{Channels, ClientHello, ClientInfo, ServerHello, StaticChannel};
pub use recording::{Marker, Start, StartError};
pub use relay::{RdpInputReader, RdpLog, RdpRelay, RelaySettings, RelayViolation};
