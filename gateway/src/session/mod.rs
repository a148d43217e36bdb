//! A session's life: from the technician's secret to the sealed recording.

mod admission;
mod blackout;
mod close;
mod denials;
mod lease;
mod observer;
pub(crate) mod rdp;
mod registry;
mod running;
mod target;
pub(crate) mod vnc;

pub(crate) use admission::{REFUSAL_DELAY, note_stranger};
pub(crate) use blackout::{BlackoutFailed, BlackoutOrder, BlackoutView, Blackouts};
pub(crate) use close::CloseReason;
pub(crate) use lease::keep as keep_leases;
pub(crate) use observer::{BlackoutEnding, Observer};
pub(crate) use registry::{Entry, Facts, InForce, Phase, Registered, Registry, View};
