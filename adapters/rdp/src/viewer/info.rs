//! What Client Info says (MS-RDPBCGR 2.2.1.11), as far as the gateway needs it.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{LoginName, ViewerError};
use crate::ClientInfo;

/// Length of the basic security header (MS-RDPBCGR 2.2.8.1.1.2.1).
const SECURITY_HEADER: usize = 4;
/// SEC_INFO_PKT
const INFO_PACKET: u16 = 0x0040;
/// INFO_UNICODE
const UNICODE: u32 = 0x0000_0010;
/// INFO_COMPRESSION
const COMPRESSION: u32 = 0x0000_0080;
/// Where the lengths of the five strings are.
const LENGTHS: usize = SECURITY_HEADER + 8;
/// Where the strings begin.
const STRINGS: usize = LENGTHS + 10;
/// `TS_TIME_ZONE_INFORMATION`, session id, performance flags.
const BEFORE_COOKIE: usize = 172 + 4 + 4;

/// Whether the user data of a message is Client Info.
pub(super) fn is_client_info(user_data: &[u8]) -> bool {
    user_data.first_chunk().is_some_and(|flags| u16::from_le_bytes(*flags) & INFO_PACKET != 0)
}

/// Where things are in a Client Info.
pub(super) struct Info<'a> {
    user_data: &'a [u8],
    flags: u32,
    /// Domain, user name, password, alternate shell, working directory, without their terminators.
    strings: [Range<usize>; 5],
    end: usize,
}

impl<'a> Info<'a> {
    pub(super) fn new(info: &'a ClientInfo) -> Result<Self, ViewerError> {
        Self::read(&info.user_data)
    }

    fn read(user_data: &'a [u8]) -> Result<Self, ViewerError> {
        let short = ViewerError::ClientInfo("it ends too early");
        let Some(flags) = user_data.get(SECURITY_HEADER + 4..).and_then(<[u8]>::first_chunk) else {
            return Err(short);
        };
        let flags = u32::from_le_bytes(*flags);
        let terminator = if flags & UNICODE == 0 { 1 } else { 2 };
        let Some(lengths) = user_data.get(LENGTHS..STRINGS) else { return Err(short) };
        let mut strings = [const { 0..0 }; 5];
        let mut end = STRINGS;
        for (string, length) in strings.iter_mut().zip(lengths.as_chunks::<2>().0) {
            *string = end..end + usize::from(u16::from_le_bytes(*length));
            end = string.end + terminator;
        }
        if end > user_data.len() {
            return Err(ViewerError::ClientInfo("its strings are longer than itself"));
        }
        Ok(Self { user_data, flags, strings, end })
    }

    /// The name with which the viewer logs in.
    pub(super) fn login(&self) -> LoginName {
        let [domain, username, ..] = &self.strings;
        LoginName {
            username: std::mem::take(&mut self.text(username)),
            domain: std::mem::take(&mut self.text(domain)),
        }
    }

    /// The password, empty when there is none.
    pub(super) fn password(&self) -> Zeroizing<String> {
        let [_, _, password, ..] = &self.strings;
        self.text(password)
    }

    /// The kind of bulk compression that the viewer wants (MS-RDPBCGR 2.2.1.11.1.1, `CompressionType`).
    pub(super) fn compression(&self) -> Option<u8> {
        let [_, second, ..] = self.flags.to_le_bytes();
        (self.flags & COMPRESSION != 0).then_some(second >> 1 & 0xF)
    }

    /// Whether it came with an auto-reconnect cookie (MS-RDPBCGR 2.2.4.3).
    pub(super) fn has_cookie(&self) -> bool {
        self.cookie_length().is_some_and(|len| len > 0)
    }

    fn cookie_length(&self) -> Option<u16> {
        let number = |at: usize| self.user_data.get(at..)?.first_chunk().copied().map(u16::from_le_bytes);
        // The address family, then address and directory, whose lengths count their terminators.
        let mut at = self.end + 2;
        for _ in 0..2 {
            at += 2 + usize::from(number(at)?);
        }
        number(at + BEFORE_COOKIE)
    }

    /// Decoded without leaving copies behind. Windows' own character set is unknown here; its letters beyond
    /// ASCII are read as those of Latin-1.
    fn text(&self, range: &Range<usize>) -> Zeroizing<String> {
        let bytes = self.user_data.get(range.clone()).unwrap_or_default();
        // No unit of UTF-16 becomes more than 3 bytes, none of Latin-1 more than 2.
        let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
        if self.flags & UNICODE == 0 {
            text.extend(bytes.iter().map(|byte| char::from(*byte)));
        } else {
            let units = bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
            let letters = char::decode_utf16(units);
            text.extend(letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        // Some clients count the terminator.
        let len = text.trim_end_matches('\0').len();
        text.truncate(len);
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ironrdp_core::encode_vec;
    use ironrdp_pdu::rdp::ClientInfoPdu;
    use ironrdp_pdu::rdp::client_info::{
        AddressFamily, ClientInfo as Packet, ClientInfoFlags, CompressionType, Credentials,
        ExtendedClientInfo, ExtendedClientOptionalInfo, OptionalSystemTime, PerformanceFlags, TimezoneInfo,
    };
    use ironrdp_pdu::rdp::headers::{BasicSecurityHeader, BasicSecurityHeaderFlags};
    use proptest::prelude::*;

    use super::*;

    pub(in crate::viewer) fn packet(username: &str, password: &str, flags: ClientInfoFlags) -> Vec<u8> {
        let zone = TimezoneInfo {
            bias: 0,
            standard_name: String::new(),
            standard_date: OptionalSystemTime(None),
            standard_bias: 0,
            daylight_name: String::new(),
            daylight_date: OptionalSystemTime(None),
            daylight_bias: 0,
        };
        let optional = ExtendedClientOptionalInfo::builder()
            .timezone(zone)
            .session_id(0)
            .performance_flags(PerformanceFlags::empty());
        let optional_data = if flags.contains(ClientInfoFlags::RESERVED1) {
            optional.reconnect_cookie([7; 28]).build()
        } else {
            optional.build()
        };
        encode_vec(&ClientInfoPdu {
            security_header: BasicSecurityHeader { flags: BasicSecurityHeaderFlags::INFO_PKT },
            client_info: Packet {
                credentials: Credentials {
                    username: username.into(),
                    password: password.into(),
                    domain: Some("CORP".into()),
                },
                password_cookie: None,
                code_page: 0,
                flags,
                compression_type: CompressionType::Rdp61,
                alternate_shell: String::new(),
                work_dir: "C:\\".into(),
                extra_info: ExtendedClientInfo {
                    address_family: AddressFamily::INET,
                    address: "192.0.2.1".into(),
                    dir: "C:\\mstsc".into(),
                    optional_data,
                },
            },
        })
        .unwrap()
    }

    #[test]
    fn login_password_and_wishes_are_read() {
        for flags in [ClientInfoFlags::UNICODE, ClientInfoFlags::empty()] {
            let packet = packet("alice:desk", "ABCD-EFGH", flags | ClientInfoFlags::COMPRESSION);
            assert!(is_client_info(&packet));
            let info = Info::read(&packet).unwrap();
            assert_eq!(info.login(), LoginName { username: "alice:desk".into(), domain: "CORP".into() });
            assert_eq!(info.password().as_str(), "ABCD-EFGH");
            assert_eq!(info.compression(), Some(3));
            assert!(!info.has_cookie());
        }
        let unicode = ClientInfoFlags::UNICODE;
        assert_eq!(Info::read(&packet("", "", unicode)).unwrap().compression(), None);
        let long = "é".repeat(255);
        assert_eq!(Info::read(&packet("", &long, unicode)).unwrap().password().as_str(), long);
        let with_cookie = packet("a", "b", unicode | ClientInfoFlags::RESERVED1);
        assert!(Info::read(&with_cookie).unwrap().has_cookie());
    }

    #[test]
    fn truncated_strings_are_refused() {
        let packet = packet("alice:desk", "secret", ClientInfoFlags::UNICODE);
        let strings = Info::read(&packet).unwrap().end;
        for end in 0..strings {
            assert!(Info::read(&packet[..end]).is_err(), "{end}");
        }
        assert!(Info::read(&packet[..strings]).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(at in 0..120usize, to: u8, end in 0..500usize) {
            let mut packet = packet("alice:desk", "secret", ClientInfoFlags::UNICODE);
            packet[at] = to;
            packet.truncate(end);
            if let Ok(info) = Info::read(&packet) {
                info.login();
                info.password();
                info.has_cookie();
            }
        }
    }
}
