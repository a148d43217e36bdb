//! What may go wrong while a gateway runs, and what has to hold all the same.

mod crowd;
mod disk;
mod filter;
mod killed;
mod lifecycle;
mod limits;
mod rules;
pub(crate) mod secrets;
mod stalls;
mod targets;
mod tickets;
mod views;
