//! The real clock, which is what a benchmark measures.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub(crate) use crate::shell::now;

/// The time on the wall, for what carries it.
#[expect(clippy::disallowed_methods, reason = "tokens and tickets have to be of this moment")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Sleeps until `moment`; returns at once when it has passed.
pub(crate) fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(now()));
}

/// A duration in milliseconds, with fractions.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
