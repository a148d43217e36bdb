//! Viewer leg and target leg, joined in memory and against peers that break the protocol.

#![expect(clippy::unwrap_used, reason = "what fails in a test is to fail the test")]

mod certificates;
mod harness;
mod hostile;
mod joined;
mod tickets;
