//! An RDP viewer and an RDP target that do exactly what a test wants, the wrong things included.
//!
//! For tests only: both come without any care for secrets, memory or hostile gateways. They speak over any stream,
//! in memory or through sockets.

mod blocks;
mod certificate;
pub mod client;
pub mod session;
pub mod target;
mod walk;
mod wire;

pub use blocks::{client_blocks, connect_initial};
pub use certificate::{Certified, now};
pub use walk::{Step, Walker, walk};
pub use wire::{Played, encoded, read_pdu, read_tpkt, read_ts_request};
