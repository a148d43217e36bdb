//! Points in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in wall-clock time: milliseconds since 1970-01-01T00:00:00Z, within the years -9999 to 9999.
///
/// Shown and serialized as RFC 3339 in UTC with three fraction digits: `2026-01-31T09:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time that can be written.
    pub const MIN: Self = Self(-377_705_023_201_000);
    /// The latest time that can be written.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The time `millis` milliseconds after the epoch, or the nearest that can be written.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Milliseconds after the epoch; negative before it.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time `later` after this one, at most [`Timestamp::MAX`]. Fractions of a millisecond are cut off.
    #[must_use]
    pub fn saturating_add(self, later: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time `earlier` before this one, at least [`Timestamp::MIN`]. Fractions of a millisecond are cut off.
    #[must_use]
    pub fn saturating_sub(self, earlier: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every value is within jiff's range, so the fallback is never shown.
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

/// A text that is no RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time such as 2026-01-31T09:30:00Z")]
pub struct InvalidTimestamp(pub String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Self::from_millis(time.as_millisecond())),
            Err(_) => Err(InvalidTimestamp(text.to_owned())),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_and_read_back() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_769_851_800_123, "2026-01-31T09:30:00.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        ] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
            let json = serde_json::to_string(&time).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }
        assert_eq!("2026-01-31T10:30:00+01:00".parse(), Ok(Timestamp::from_millis(1_769_851_800_000)));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Timestamp::MAX.saturating_add(second), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(second), Timestamp::MIN);
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(0).saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(1500).since(Timestamp::from_millis(500)), second);
        assert_eq!(Timestamp::from_millis(500).since(Timestamp::from_millis(1500)), Duration::ZERO);
        assert_eq!(Timestamp::MIN.as_millis(), jiff::Timestamp::MIN.as_millisecond());
        assert_eq!(Timestamp::MAX.as_millis(), jiff::Timestamp::MAX.as_second() * 1000);
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(end.to_string().parse(), Ok(end));
        }
    }
}
