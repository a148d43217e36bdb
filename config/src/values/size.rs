//! Amounts of data as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of data, written with a unit: `512B`, `64KiB`, `1MiB`, `2GiB`, or the decimal `64kB`, `1MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units with their number of bytes; the ones that [`ByteSize`] prints come first, largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

impl ByteSize {
    /// `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Text that is no amount of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// There is a number but no unit.
    #[error("has no unit; write for example `64KiB`, `1MiB` or `2GiB`")]
    NoUnit,
    /// Anything else.
    #[error("is not an amount of data; write for example `512B`, `64KiB`, `1MiB` or `2GiB`")]
    Malformed,
    /// More bytes than fit in 64 bits.
    #[error("is too large")]
    TooLarge,
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::Malformed);
        }
        if unit.is_empty() {
            return Err(SizeError::NoUnit);
        }
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError::Malformed)?;
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        bytes.map(Self).ok_or(SizeError::TooLarge)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit that says it exactly, so that what is printed is what was written.
        let exact = UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match exact {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount of data with a unit, such as 512B, 64KiB, 1MiB or 2GiB.",
            "type": "string",
            "format": super::format::SIZE,
            "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_printed() {
        for (text, bytes) in
            [("0B", 0), ("64KiB", 65_536), ("1MB", 1_000_000), ("2GiB", 2 << 30), ("1025B", 1025)]
        {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string().parse(), Ok(size), "{text}");
        }
        assert_eq!(ByteSize::from_bytes(1 << 30).to_string(), "1GiB");
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "KiB", "1.5MiB", "64 KiB", "64kib", "64K", "-1B", "1MiB1B"] {
            assert_eq!(text.parse::<ByteSize>(), Err(SizeError::Malformed), "{text}");
        }
        assert_eq!("64".parse::<ByteSize>(), Err(SizeError::NoUnit));
        assert_eq!("18446744073709551615KiB".parse::<ByteSize>(), Err(SizeError::TooLarge));
    }
}
