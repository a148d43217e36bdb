//! The viewer leg over in-memory pipes, and, where they are installed, with stock clients.

#![expect(clippy::unwrap_used, reason = "what fails in a test is to fail the test")]

mod admission;
mod credssp;
mod harness;
mod hostile;
mod stock;
