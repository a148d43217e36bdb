//! Keeping strangers from filling the audit log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_auth::Timestamp;

/// Lets one event pass in each interval and counts the others.
///
/// For what anybody who reaches a port can cause as often as they like.
#[derive(Debug)]
pub(crate) struct Throttle {
    interval: Duration,
    state: Mutex<(Timestamp, u64)>,
}

impl Throttle {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, state: Mutex::new((Timestamp::MIN, 0)) }
    }

    /// Whether an event at `now` is to be written down; if so, how many before it were not.
    pub(crate) fn pass(&self, now: Timestamp) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, suppressed) = *state;
        // A clock that was set back must not silence the log.
        if now >= last && now.since(last) < self.interval {
            state.1 += 1;
            return None;
        }
        *state = (now, 0);
        Some(suppressed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_in_each_interval_and_the_next_tells_of_the_others() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let passed: Vec<_> =
            [0, 10, 999, 1000, 1500, 2500, 100].map(|at| throttle.pass(Timestamp::from_millis(at))).into();
        assert_eq!(passed, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }
}
