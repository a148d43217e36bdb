//! How often somebody may call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use passerelle_auth::Timestamp;

/// The time over which requests are counted, in microseconds.
const WINDOW: i64 = 60_000_000;

/// So many callers are remembered at a time. Beyond it everybody begins anew: whoever calls from that many
/// networks gains little, and memory stays bounded.
const CALLERS: usize = 65_536;

/// One caller's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    allowed: bool,
    limit: u32,
    /// How many more requests would be let through now.
    remaining: i64,
    /// Until a request is let through if none is now, or else until all are again; in seconds.
    reset: u64,
}

impl Quota {
    /// When to ask again, in seconds, if the request is one too many.
    pub(super) fn wait(&self) -> Option<u64> {
        (!self.allowed).then_some(self.reset)
    }

    /// Writes it down as draft-ietf-httpapi-ratelimit-headers-10 has it.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let policy = format!("\"default\";q={};w=60", self.limit);
        let now = format!("\"default\";r={};t={}", self.remaining, self.reset);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Counts requests by caller (GCRA: requests flow off evenly, and a whole window's may come at once).
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<String, i64>>);

impl Rates {
    /// Counts a request of `caller`, of whom `limit` are let through a minute.
    pub(super) fn count(&self, caller: String, limit: u32, now: Timestamp) -> Quota {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_millis() * 1000;
        if callers.len() >= CALLERS {
            callers.retain(|_, busy_until| *busy_until > now);
            if callers.len() >= CALLERS {
                callers.clear();
            }
        }
        let each = WINDOW / i64::from(limit.max(1));
        let busy_until = callers.entry(caller).or_insert(now);
        // A clock that was set back must not lock anybody out.
        if *busy_until < now || *busy_until > now + WINDOW {
            *busy_until = now;
        }
        let next = *busy_until + each;
        let allowed = next - now <= WINDOW;
        if allowed {
            *busy_until = next;
        }
        let remaining = (WINDOW - (*busy_until - now)) / each;
        let micros = if allowed { *busy_until - now } else { next - now - WINDOW };
        Quota { allowed, limit, remaining, reset: u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_beyond_the_limit_wait_and_others_are_not_touched() {
        let rates = Rates::default();
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let count = |who: &str, millis| rates.count(who.to_owned(), 3, at(millis));
        assert_eq!(count("a", 0), Quota { allowed: true, limit: 3, remaining: 2, reset: 20 });
        assert_eq!(count("a", 0).remaining, 1);
        assert_eq!(count("a", 0), Quota { allowed: true, limit: 3, remaining: 0, reset: 60 });
        assert_eq!(count("a", 0), Quota { allowed: false, limit: 3, remaining: 0, reset: 20 });
        assert_eq!(count("b", 0).wait(), None);
        assert_eq!(count("a", 19_999).wait(), Some(1));
        assert_eq!(count("a", 20_000).wait(), None);
        assert_eq!(count("a", -100_000).wait(), None, "a clock that was set back");
    }

    #[test]
    fn the_headers_say_what_is_left() {
        let mut headers = HeaderMap::new();
        Quota { allowed: true, limit: 600, remaining: 12, reset: 7 }.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"default\";q=600;w=60");
        assert_eq!(headers["ratelimit"], "\"default\";r=12;t=7");
    }
}
