//! Peers that mean harm: what they send ends their own session, is written down, and harms nobody else.

mod strangers;
mod targets;
mod viewers;
