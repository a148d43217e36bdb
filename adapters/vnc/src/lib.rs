//! RFB over sockets: viewer leg, target leg, relay filter, desktop server.

mod relay;

pub use relay::{KeystrokePolicy, RelaySettings, VncRelay};
