//! The target leg against targets that follow a script, over an in-memory pipe.

#![expect(clippy::unwrap_used, reason = "what fails in a test is to fail the test")]

mod harness;
mod hostile;
mod login;
mod quiet;
