//! How much of a disk is to stay free.

use std::fmt;
use std::str::FromStr;

use super::{ByteSize, SizeError};

/// How much of a disk is to stay free: an amount of data (`1GiB`), or a part of the whole (`5%`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FreeSpace {
    /// So much.
    Bytes(ByteSize),
    /// So many hundredths of the file system.
    Percent(u8),
}

/// Text that says nothing about free space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreeSpaceError {
    /// A percentage that leaves nothing to use, or is none.
    #[error("is not a part of a disk; write for example `5%`, from 1% to 90%")]
    Percent,
    /// No amount of data.
    #[error(transparent)]
    Size(#[from] SizeError),
}

impl FreeSpace {
    /// The same in bytes, on a file system of `total` bytes.
    pub const fn of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(size) => size.bytes(),
            // First the division: no file system is too small or too large for it.
            Self::Percent(percent) => total / 100 * percent as u64,
        }
    }

    /// Whether this is more than `other` on every file system; `None` when that depends.
    pub fn exceeds(self, other: Self) -> Option<bool> {
        match (self, other) {
            (Self::Bytes(this), Self::Bytes(other)) => Some(this > other),
            (Self::Percent(this), Self::Percent(other)) => Some(this > other),
            _ => None,
        }
    }
}

impl FromStr for FreeSpace {
    type Err = FreeSpaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_suffix('%') {
            None => Ok(Self::Bytes(text.parse()?)),
            Some(number) => match number.parse() {
                Ok(percent @ 1..=90) => Ok(Self::Percent(percent)),
                _ => Err(FreeSpaceError::Percent),
            },
        }
    }
}

impl fmt::Display for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(size) => size.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

text_value!(
    FreeSpace,
    "FreeSpace",
    super::format::FREE_SPACE,
    "Space on a disk: an amount of data such as 512MiB or 2GiB, or a part of the disk such as 5%."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_parts_are_read_and_printed() {
        for (text, of_a_terabyte) in [("1GiB", 1 << 30), ("5%", 50_000_000_000), ("90%", 900_000_000_000)] {
            let space: FreeSpace = text.parse().unwrap();
            assert_eq!(space.of(1_000_000_000_000), of_a_terabyte, "{text}");
            assert_eq!(space.to_string(), text);
        }
        for text in ["0%", "91%", "%", "-1%", "5 %", "1.5%", "500%"] {
            assert_eq!(text.parse::<FreeSpace>(), Err(FreeSpaceError::Percent), "{text}");
        }
        assert_eq!("5".parse::<FreeSpace>(), Err(FreeSpaceError::Size(SizeError::NoUnit)));
    }

    #[test]
    fn only_what_is_of_one_kind_compares() {
        let space = |text: &str| text.parse::<FreeSpace>().unwrap();
        assert_eq!(space("2GiB").exceeds(space("1GiB")), Some(true));
        assert_eq!(space("5%").exceeds(space("5%")), Some(false));
        assert_eq!(space("5%").exceeds(space("1GiB")), None);
    }
}
