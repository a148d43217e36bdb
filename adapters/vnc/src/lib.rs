//! RFB over sockets: viewer leg, target leg, relay filter, desktop server, decoder of recordings.

pub mod decoder;
mod input;
mod keys;
mod relay;
pub mod server;
pub mod target;
pub mod viewer;

pub use input::VncInputReader;
pub use relay::{MarkedFormat, Marker, RelaySettings, RelayViolation, VncRelay, clipboard_text};
