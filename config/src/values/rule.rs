//! What conditions of rules are written with: networks, time zones, times of day, patterns.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex_lite::{Regex, RegexBuilder};

/// A network: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// The network.
    pub const fn get(self) -> IpNet {
        self.0
    }
}

/// Text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The address has bits behind the prefix.
    #[error("has an address within the network; write `{0}` for the network, or the address without `/`")]
    HostBits(IpNet),
    /// Anything else.
    #[error("is not a network; write for example `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`")]
    Malformed,
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Ok(Self(address.to_canonical().into()));
        }
        let network: IpNet = text.parse().map_err(|_| NetworkError::Malformed)?;
        if network.trunc() == network {
            Ok(Self(network))
        } else {
            Err(NetworkError::HostBits(network.trunc()))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// A time zone by its name in the IANA database, such as `Europe/Berlin`.
///
/// The system's database is used where there is one, and otherwise the one inside of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName {
    name: String,
    zone: TimeZone,
}

impl ZoneName {
    /// The time zone.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Text that names no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time zone; write a name such as `Europe/Berlin`, `America/New_York` or `UTC`")]
pub struct ZoneError;

impl FromStr for ZoneName {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let zone = TimeZone::get(text).map_err(|_| ZoneError)?;
        Ok(Self { name: text.to_owned(), zone })
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A time of day to the minute, from `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Minutes after midnight, at most 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

/// Text that is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time of day; write for example `08:00` or `17:30`, in quotes, up to `24:00`")]
pub struct TimeOfDayError;

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| digits).ok_or(TimeOfDayError)
        };
        let (hour, minute) = text.split_once(':').ok_or(TimeOfDayError)?;
        let (hour, minute) = (number(hour)?, number(minute)?);
        let minutes = hour * 60 + minute;
        if minute < 60 && minutes <= 24 * 60 { Ok(Self(minutes)) } else { Err(TimeOfDayError) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A regular expression that has to match the whole of a text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

impl Pattern {
    /// The longest pattern, in characters.
    pub const MAX: usize = 256;

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression, which matches from the first character to the last.
    pub const fn whole(&self) -> &Regex {
        &self.whole
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is nothing in it, or too much.
    #[error("has a wrong length; a pattern has 1 to 256 characters")]
    Length,
    /// It is no regular expression, or one that would take too much memory.
    #[error("is not a regular expression: {0}")]
    Malformed(String),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(1..=Self::MAX).contains(&text.chars().count()) {
            return Err(PatternError::Length);
        }
        let build = |pattern: &str| {
            let built = RegexBuilder::new(pattern).size_limit(64 << 10).build();
            built.map_err(|error| PatternError::Malformed(error.to_string()))
        };
        // By itself first: `a)|(b` would break out of the brackets.
        build(text)?;
        Ok(Self { text: text.to_owned(), whole: build(&format!(r"\A(?:{text})\z"))? })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The hardware address of a network card, six bytes: `00:11:22:aa:bb:cc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The bytes as they are sent.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

/// Text that is no hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a MAC address; write six bytes, as in `00:11:22:aa:bb:cc`")]
pub struct MacAddressError;

impl FromStr for MacAddress {
    type Err = MacAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let bytes: Vec<u8> = text
            .split(separator)
            .map(|byte| {
                let digits = byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(byte, 16).ok().filter(|_| digits).ok_or(MacAddressError)
            })
            .collect::<Result<_, _>>()?;
        bytes.try_into().map(Self).map_err(|_| MacAddressError)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

text_value!(
    Network,
    "Network",
    super::format::NETWORK,
    "A network such as 10.0.0.0/8 or 2001:db8::/32, or a single address."
);
text_value!(ZoneName, "TimeZone", super::format::TIME_ZONE, "A time zone such as Europe/Berlin or UTC.");
text_value!(TimeOfDay, "TimeOfDay", super::format::TIME_OF_DAY, "A time of day such as 08:00, up to 24:00.");
text_value!(
    Pattern,
    "Pattern",
    super::format::PATTERN,
    "A regular expression that has to match the whole, at most 256 characters."
);
text_value!(
    MacAddress,
    "MacAddress",
    super::format::MAC_ADDRESS,
    "The hardware address of a network card, such as 00:11:22:aa:bb:cc."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_printed() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "192.0.2.7", "::1"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("::ffff:10.0.0.1".parse::<Network>().unwrap().to_string(), "10.0.0.1");
        assert_eq!(
            "10.1.0.0/8".parse::<Network>(),
            Err(NetworkError::HostBits("10.0.0.0/8".parse().unwrap()))
        );
        for text in ["", "10.0.0.0/33", "10/8", "office", "10.0.0.0/8 "] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Malformed), "{text}");
        }
    }

    #[test]
    fn times_of_day_have_four_digits() {
        for (text, minutes) in [("00:00", 0), ("08:05", 485), ("23:59", 1439), ("24:00", 1440)] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!((time.minutes(), time.to_string()), (minutes, text.to_owned()));
        }
        for text in ["", "8:00", "24:01", "12:60", "12", "+1:00", "12:00:00", "99:99"] {
            assert_eq!(text.parse::<TimeOfDay>(), Err(TimeOfDayError), "{text}");
        }
    }

    #[test]
    fn time_zones_are_known_without_the_system() {
        for name in ["Europe/Berlin", "America/New_York", "UTC"] {
            assert_eq!(name.parse::<ZoneName>().unwrap().to_string(), name);
        }
        for text in ["", "Berlin", "CEST", "../etc/passwd", "/etc/localtime", "Europe"] {
            assert_eq!(text.parse::<ZoneName>(), Err(ZoneError), "{text}");
        }
        let bundled = jiff::tz::TimeZoneDatabase::bundled();
        assert!(bundled.get("Europe/Berlin").is_ok());
    }

    #[test]
    fn patterns_match_the_whole() {
        let pattern: Pattern = "INC-[0-9]{2}|x".parse().unwrap();
        for (id, expected) in
            [("INC-12", true), ("x", true), ("INC-123", false), ("xx", false), ("x\n", false)]
        {
            assert_eq!(pattern.whole().is_match(id), expected, "{id}");
        }
        assert_eq!("".parse::<Pattern>(), Err(PatternError::Length));
        assert_eq!("x".repeat(257).parse::<Pattern>(), Err(PatternError::Length));
        for text in ["a)|(b", "[", "(?x)a#", "(((a{100}){100}){100}){100}"] {
            assert!(matches!(text.parse::<Pattern>(), Err(PatternError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn hardware_addresses_have_six_bytes() {
        let address: MacAddress = "00-11-22-AA-bb-cc".parse().unwrap();
        assert_eq!((address.bytes()[3], address.to_string().as_str()), (0xaa, "00:11:22:aa:bb:cc"));
        for text in ["", "00:11:22:aa:bb", "00:11:22:aa:bb:cc:dd", "00:11:22:aa:bb:+c", "001122aabbcc"] {
            assert_eq!(text.parse::<MacAddress>(), Err(MacAddressError), "{text}");
        }
    }
}
