//! The protocol-neutral vocabulary of remote desktops.
//!
//! What every protocol adapter and the gateway must agree on and nothing else: what a technician may do
//! ([`Permissions`]) and how a protocol's messages are forwarded, changed or withheld ([`Relay`]).
//! No I/O, no clock, no randomness.

mod permission;
mod relay;

pub use permission::{ClipboardLimits, Permission, Permissions, UnknownPermission};
pub use relay::{Denied, Notice, Record, Relay, RelayError, Side, Step};
