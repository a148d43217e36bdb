//! End to end: real viewers, the gateway, real desktops.
//!
//! `cargo xtask test` installs what these tests drive. Each test starts its own desktop, gateway and
//! viewer, all on the loopback interface, and ends them.

mod api;
mod cluster;
mod edge;
mod faults;
mod harness;
mod hostile;
mod identities;
mod keeping;
mod logins;
mod observed;
mod pairs;
mod peers;
mod proofs;
mod rdp;
mod refusals;
mod sessions;
mod wake;
mod webhooks;
