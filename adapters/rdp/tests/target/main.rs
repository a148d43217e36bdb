//! The target leg against targets that follow a script, over an in-memory pipe.

mod harness;
mod hostile;
mod login;
mod quiet;
