//! Viewer leg and target leg, joined in memory and against peers that break the protocol.

mod certificates;
mod harness;
mod hostile;
mod joined;
mod tickets;
