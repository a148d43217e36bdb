//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written with units: `500ms`, `60s`, `30m`, `8h`, `7d`, or several as in `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl HumanDuration {
    /// `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The length of time.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

/// Text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is a number but no unit.
    #[error("has no unit; write for example `60s`, `30m` or `8h`")]
    NoUnit,
    /// Anything else.
    #[error("is not a length of time; write for example `60s`, `30m`, `8h` or `1h30m`")]
    Malformed,
    /// More milliseconds than fit in 64 bits.
    #[error("is too long")]
    TooLong,
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text;
        let mut milliseconds = 0u64;
        // Each unit once and from large to small, which leaves one reading only.
        let mut next_unit = 0;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at(digits);
            if number.is_empty() {
                return Err(DurationError::Malformed);
            }
            let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, tail) = tail.split_at(letters);
            if unit.is_empty() {
                return Err(if tail.is_empty() { DurationError::NoUnit } else { DurationError::Malformed });
            }
            let position =
                UNITS.iter().position(|(name, _)| *name == unit).ok_or(DurationError::Malformed)?;
            if position < next_unit {
                return Err(DurationError::Malformed);
            }
            next_unit = position + 1;
            let factor = UNITS.get(position).map_or(0, |(_, factor)| *factor);
            milliseconds = number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(factor))
                .and_then(|part| milliseconds.checked_add(part))
                .ok_or(DurationError::TooLong)?;
            rest = tail;
        }
        if text.is_empty() {
            return Err(DurationError::Malformed);
        }
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time with units, such as 500ms, 60s, 30m, 8h or 1h30m.",
            "type": "string",
            "format": super::format::DURATION,
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_printed() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("60s", 60_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
            ("1m5ms", 60_005),
        ] {
            let duration: HumanDuration = text.parse().unwrap();
            assert_eq!(duration.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(duration.to_string().parse(), Ok(duration), "{text}");
        }
        assert_eq!(HumanDuration::from_secs(60).to_string(), "1m");
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "s", "-5s", "5 s", "1.5h", "30m1h", "1h1h", "5min", "½h", "5s ", "5sé"] {
            assert_eq!(text.parse::<HumanDuration>(), Err(DurationError::Malformed), "{text}");
        }
        assert_eq!("60".parse::<HumanDuration>(), Err(DurationError::NoUnit));
        assert_eq!("1h60".parse::<HumanDuration>(), Err(DurationError::NoUnit));
        assert_eq!("99999999999999999999s".parse::<HumanDuration>(), Err(DurationError::TooLong));
        assert_eq!("18446744073709551615d".parse::<HumanDuration>(), Err(DurationError::TooLong));
    }
}
