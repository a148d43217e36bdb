//! Where time comes from.

use std::time::{Duration, SystemTime};

/// The two clocks that recordings and the audit log need.
pub trait Clock: Send + Sync {
    /// The time of day, for people.
    fn wall(&self) -> SystemTime;

    /// Time since an arbitrary moment. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// Source of cryptographic randomness: fills the whole slice.
pub type Random = std::sync::Arc<dyn Fn(&mut [u8]) + Send + Sync>;
