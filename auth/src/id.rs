//! Names of tickets, sessions and approvals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Random, Timestamp, crockford};

/// A number that grows with every claim and every lease of a store.
///
/// It tells the holder of a lease from one that came later, so that a node that was away too long
/// cannot act on a lease that is no longer its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence(pub u64);

/// A text that is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no identifier: 26 letters and digits are expected")]
pub struct InvalidId(pub String);

/// 48 bits of time in milliseconds, then 80 random bits, as in ULID.
fn timed(now: Timestamp, random: Random<'_>) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (time, rest) = bytes.split_at_mut(6);
    time.copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
    random(rest);
    bytes
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        $(
            $(#[doc = $doc])+
            ///
            /// Made like a ULID, so identifiers sort by the time of their making; written as 26 lower-case
            /// characters, which suits file names. It is not a secret.
            #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name([u8; 16]);

            impl $name {
                /// A new identifier.
                pub fn new(now: Timestamp, random: Random<'_>) -> Self {
                    Self(timed(now, random))
                }

                /// The identifier that these bytes are.
                pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                    Self(bytes)
                }

                /// The bytes, most significant first.
                pub const fn as_bytes(&self) -> &[u8; 16] {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&crockford::encode_id(self.0))
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}({self})", stringify!($name))
                }
            }

            impl FromStr for $name {
                type Err = InvalidId;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    crockford::decode_id(text).map(Self).ok_or_else(|| InvalidId(text.chars().take(64).collect()))
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                }
            }
        )+
    };
}

ids! {
    /// Names a ticket in the store, the audit log and the API.
    TicketId,
    /// Names a session in the store, the audit log, the API and its recording.
    SessionId,
    /// Names somebody's wish for a second person's consent in the store, the audit log and the API.
    ApprovalId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_written_and_read_back_and_sort_by_time() {
        let mut last = None;
        for millis in [0, 1, 1_769_851_800_123, 1_769_851_800_124] {
            let id = SessionId::new(Timestamp::from_millis(millis), &mut |bytes| bytes.fill(0xa5));
            let text = id.to_string();
            assert_eq!(text.len(), 26);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.to_uppercase().parse(), Ok(id));
            assert!(last.as_ref().is_none_or(|(earlier, written)| *earlier < id && *written < text));
            last = Some((id, text));
        }
    }

    #[test]
    fn agree_with_the_ulid_specification() {
        let id: TicketId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        assert_eq!(id.as_bytes()[..6], 1_469_922_850_259_i64.to_be_bytes()[2..]);
        assert_eq!(id.to_string(), "01arz3ndektsv4rrffq69g5fav");
    }

    #[test]
    fn refuse_what_is_no_identifier() {
        for text in
            ["", "01arz3ndektsv4rrffq69g5fa", "01arz3ndektsv4rrffq69g5fau", "81arz3ndektsv4rrffq69g5fav", "é"]
        {
            assert!(text.parse::<TicketId>().is_err(), "{text}");
        }
    }
}
