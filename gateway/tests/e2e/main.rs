//! End to end: real viewers, the gateway, real desktops.
//!
//! `cargo xtask test` installs what these tests drive. Each test starts its own desktop, gateway and
//! viewer, all on the loopback interface, and ends them.

mod api;
mod blackouts;
mod browsing;
mod cluster;
mod edge;
mod exports;
mod faults;
mod harness;
mod hostile;
mod identities;
mod keeping;
mod logins;
mod observed;
mod opened;
mod pairs;
mod peers;
mod pictures;
mod proofs;
mod rdp;
mod refusals;
mod rendering;
mod sessions;
mod stored;
mod views;
mod wake;
mod web;
mod webhooks;
