//! Addresses to listen on and to connect to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Addresses to listen on: one `IP:PORT` or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddresses(pub Vec<SocketAddr>);

impl Serialize for ListenAddresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ListenAddresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMore {
            One(SocketAddr),
            More(Vec<SocketAddr>),
        }
        Ok(match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(address) => Self(vec![address]),
            OneOrMore::More(addresses) => Self(addresses),
        })
    }
}

impl JsonSchema for ListenAddresses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ListenAddresses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let address = json_schema!({ "type": "string", "format": super::format::LISTEN_ADDRESS });
        json_schema!({
            "description": "One IP:PORT to listen on, or a list of them. [::]:5900 takes IPv6 and IPv4.",
            "anyOf": [address, { "type": "array", "items": address, "minItems": 1, "uniqueItems": true }]
        })
    }
}

/// A machine's address: a host name or IP address, and a port.
///
/// Written `host:port`, `10.0.0.5:5900` or `[2001:db8::5]:5900`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// The host name, or the IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Everybody in this machine's own network (RFC 919).
    pub(crate) fn broadcast(port: u16) -> Self {
        Self { host: Ipv4Addr::BROADCAST.to_string(), port }
    }

    /// The port, never 0.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no port.
    #[error("has no port; write it as `host:port`, for example `10.0.0.5:5900`")]
    NoPort,
    /// The port is no number from 1 to 65535.
    #[error("has a wrong port; a port is a number from 1 to 65535")]
    Port,
    /// An IPv6 address without brackets.
    #[error("needs brackets around its IPv6 address, as in `[2001:db8::5]:5900`")]
    Brackets,
    /// The host is neither a name nor an IP address.
    #[error("has a wrong host; write a host name or an IP address, as in `front-desk.example:5900`")]
    Host,
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::Brackets);
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => {
                let inner = inner.strip_suffix(']').ok_or(AddressError::NoPort)?;
                inner.parse::<Ipv6Addr>().map_err(|_| AddressError::Host)?;
                inner
            }
            None if host.contains(':') => return Err(AddressError::Brackets),
            None => host,
        };
        if host.parse::<IpAddr>().is_err() && !is_host_name(host) {
            return Err(AddressError::Host);
        }
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or(AddressError::Port)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// RFC 1123 host names, with the underscore that real networks use.
fn is_host_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253
        && labels.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
        // `10.0.0` and `10.0.0.256` are mistyped addresses, not names.
        && !labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for HostPort {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A host name or IP address, and a port: front-desk.example:5900, 10.0.0.5:5900, [2001:db8::5]:5900.",
            "type": "string",
            "format": super::format::ADDRESS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in
            ["10.0.0.5:5900", "[2001:db8::5]:5900", "front-desk.example:1", "mac_mini:65535", "a.:5900"]
        {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:5900".parse::<HostPort>().unwrap().host(), "::1");
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for (text, error) in [
            ("front-desk", AddressError::NoPort),
            ("", AddressError::NoPort),
            ("[::1]", AddressError::NoPort),
            ("[::1", AddressError::NoPort),
            ("::1", AddressError::Brackets),
            ("2001:db8::5:99999", AddressError::Brackets),
            ("host:0", AddressError::Port),
            ("host:65536", AddressError::Port),
            ("host:+5", AddressError::Port),
            ("host:", AddressError::Port),
            ("ho st:5900", AddressError::Host),
            (":5900", AddressError::Host),
            ("10.0.0.256:5900", AddressError::Host),
            ("vnc://host:5900", AddressError::Brackets),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(error), "{text}");
        }
    }
}
