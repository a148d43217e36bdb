//! RFB over sockets: viewer leg, target leg, relay filter, desktop server, decoder of recordings.

pub mod decoder;
mod relay;
pub mod server;
pub mod target;
pub mod viewer;

pub use relay::{KeystrokePolicy, MarkedFormat, Marker, RelaySettings, RelayViolation, VncRelay};
