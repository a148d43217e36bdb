//! The one place that reads the real clock and the system's randomness. Everything else is given them.
#![expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use passerelle_auth::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

/// The real clock. Monotonic time counts from when the value was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl passerelle_recorder::Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Since the start, which is now from here on.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// The wall clock's time.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The wall clock's time, for checking the validity of certificates.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Fills `bytes` with the system's randomness.
///
/// # Panics
/// When the system has none: no secret may be made from anything weaker.
pub(crate) fn random(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the system's random number generator works");
}
