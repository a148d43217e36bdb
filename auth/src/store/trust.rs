//! Certificates of targets that are trusted on first use.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Timestamp;

/// SHA-256 of a certificate in DER form. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What the store knows about a target's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The target had none before. This one is kept.
    First,
    /// It is the known one.
    Same {
        /// When it was first seen.
        known_since: Timestamp,
    },
    /// It is another one. The known one is kept.
    Changed {
        /// When the known one was first seen.
        known_since: Timestamp,
        /// The known one.
        known: Fingerprint,
    },
}

/// A kept certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trusted {
    /// The target.
    pub target: String,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// When it was first seen.
    pub known_since: Timestamp,
}
