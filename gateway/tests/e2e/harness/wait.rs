//! Waiting for what other processes do in their own time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Outcome;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How long anything may take at least. A test that passes never waits so long, and a machine that is shared
/// may stall for many seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time, for deadlines of waiting.
#[expect(clippy::disallowed_methods, reason = "the processes under test live in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until `look` finds something, at least a minute. `what` completes the sentence "… did not happen".
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let (start, limit) = (now(), limit.max(PATIENCE));
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() > limit {
            return Err(format!("within {} s: {what} did not happen", limit.as_secs()));
        }
        sleep(POLL);
    }
}
