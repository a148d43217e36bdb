//! How failed authentications slow down further ones.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::Timestamp;

/// What failed attempts are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKey {
    /// The client's address, as [`AttemptKey::address`] makes it.
    Address(IpAddr),
    /// The identity that was claimed, as [`AttemptKey::identity`] makes it.
    Identity(String),
    /// Everybody.
    Global,
}

impl AttemptKey {
    /// The key for a client's address. An IPv6 address counts as its /64 network, since whoever has one
    /// address of it has all, and an IPv4 address written as IPv6 counts as the IPv4 address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Ipv6Addr::from(network).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// The key for a claimed identity, which need not exist. ASCII letters count in any case.
    pub fn identity(name: &str) -> Self {
        Self::Identity(name.to_ascii_lowercase())
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address @ IpAddr::V4(_)) => write!(f, "address {address}"),
            Self::Address(network @ IpAddr::V6(_)) => write!(f, "network {network}/64"),
            Self::Identity(name) => write!(f, "identity {name}"),
            Self::Global => f.write_str("everybody"),
        }
    }
}

/// A text that names no attempt key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of `address 192.0.2.7`, `network 2001:db8::/64`, `identity alice` and `everybody`")]
pub struct InvalidAttemptKey(pub String);

impl FromStr for AttemptKey {
    type Err = InvalidAttemptKey;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = match text.split_once(' ') {
            None if text == "everybody" => Some(Self::Global),
            Some(("address", address)) => address.parse().ok().map(Self::address),
            Some(("network", network)) => {
                network.strip_suffix("/64").and_then(|address| address.parse().ok()).map(Self::address)
            }
            Some(("identity", name)) => Some(Self::identity(name)),
            _ => None,
        };
        key.ok_or_else(|| InvalidAttemptKey(text.chars().take(128).collect()))
    }
}

/// A key that is locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lockout {
    /// What is locked.
    pub key: AttemptKey,
    /// How many failures in a row were counted.
    pub failures: u32,
    /// Until when; from then on attempts are looked at again.
    pub until: Timestamp,
}

/// When an attempt is next looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// What is locked.
    pub key: AttemptKey,
    /// Until when; from then on attempts are looked at again.
    pub until: Timestamp,
}

/// How failures lead to locks, for each kind of key.
///
/// Of a key's failures in a row the first [`free`](Backoff::free) have no consequence. The next locks the
/// key for [`first`](Backoff::first), and each one after that for twice as long as the one before, up to
/// [`longest`](Backoff::longest). While a key is locked no attempt is looked at or counted, so one address
/// adds little to the global count. A success clears the count of its address and identity, but not the
/// global one. A count without a new failure for [`forget`](Backoff::forget) after its lock is cleared too.
///
/// A lock holds from the failure that caused it until its end, so a clock that is set back frees rather
/// than locks for longer than was meant; the count stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// For an IPv4 address or an IPv6 /64 network.
    pub address: Backoff,
    /// For an identity. Anybody can lock an identity by naming it, so its locks are short.
    pub identity: Backoff,
    /// For everybody together: the brake on a guess that comes from many addresses at once.
    pub global: Backoff,
}

/// How the failures of one key lead to locks, see [`LockoutPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many failures in a row have no consequence.
    pub free: u32,
    /// How long the first lock lasts.
    pub first: Duration,
    /// How long a lock lasts at most.
    pub longest: Duration,
    /// How long after the last failure, or the end of its lock, the failures are forgotten.
    pub forget: Duration,
}

impl Default for LockoutPolicy {
    /// Addresses: 5 free failures, 2 s to 15 min, forgotten after an hour. Identities: 10 free, 2 s to
    /// 1 min, an hour. Everybody: 200 free, 1 s to 15 s, forgotten after 5 minutes.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            address: Backoff { free: 5, first: seconds(2), longest: seconds(900), forget: seconds(3600) },
            identity: Backoff { free: 10, first: seconds(2), longest: seconds(60), forget: seconds(3600) },
            global: Backoff { free: 200, first: seconds(1), longest: seconds(15), forget: seconds(300) },
        }
    }
}

impl LockoutPolicy {
    /// The part that applies to `key`.
    pub const fn backoff(&self, key: &AttemptKey) -> &Backoff {
        match key {
            AttemptKey::Address(_) => &self.address,
            AttemptKey::Identity(_) => &self.identity,
            AttemptKey::Global => &self.global,
        }
    }
}

impl Backoff {
    /// How long a key is locked by the last of `failures` failures in a row.
    pub fn lock(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free).and_then(|over| over.checked_sub(1)) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.checked_mul(factor).unwrap_or(Duration::MAX).min(self.longest)
    }
}

impl Serialize for AttemptKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_double_up_to_the_longest() {
        let backoff = LockoutPolicy::default().address;
        for (failures, seconds) in [
            (0, 0),
            (1, 0),
            (5, 0),
            (6, 2),
            (7, 4),
            (8, 8),
            (13, 256),
            (14, 512),
            (15, 900),
            (100, 900),
            (u32::MAX, 900),
        ] {
            assert_eq!(backoff.lock(failures), Duration::from_secs(seconds), "{failures}");
        }
        let endless =
            Backoff { free: 0, first: Duration::MAX, longest: Duration::MAX, forget: Duration::ZERO };
        assert_eq!(endless.lock(40), Duration::MAX);
    }

    #[test]
    fn addresses_that_one_client_has_count_as_one() {
        for (address, key) in [
            ("192.0.2.7", "address 192.0.2.7"),
            ("::ffff:192.0.2.7", "address 192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "network 2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "network 2001:db8:1:2::/64"),
        ] {
            let parsed = AttemptKey::address(address.parse().unwrap());
            assert_eq!(parsed.to_string(), key);
            assert_eq!(key.parse(), Ok(parsed));
        }
        assert_eq!(AttemptKey::identity("Alice"), AttemptKey::identity("alice"));
        for key in [AttemptKey::Global, AttemptKey::identity("alice b"), AttemptKey::identity("")] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "alice", "address alice", "network 2001:db8::", "network x/64", "everybody else"] {
            assert!(text.parse::<AttemptKey>().is_err(), "{text}");
        }
    }
}
