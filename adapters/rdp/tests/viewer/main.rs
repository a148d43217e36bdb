//! The viewer leg over in-memory pipes, and, where they are installed, with stock clients.

mod admission;
mod client;
mod credssp;
mod harness;
mod hostile;
mod stock;
