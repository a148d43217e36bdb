//! Recordings and the audit log from the outside, on real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

#[path = "it/audit.rs"]
mod audit;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/idle.rs"]
mod idle;
#[path = "it/proof.rs"]
mod proof;
#[path = "it/rewrap.rs"]
mod rewrap;
#[path = "it/round_trip.rs"]
mod round_trip;
#[path = "it/support.rs"]
mod support;
#[path = "it/tamper.rs"]
mod tamper;
