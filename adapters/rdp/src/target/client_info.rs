//! The Client Info PDU, rewritten for the target (MS-RDPBCGR 2.2.1.11).

use ironrdp_pdu::rdp::client_info::ClientInfoFlags;
use ironrdp_pdu::rdp::headers::BasicSecurityHeaderFlags;
use zeroize::Zeroizing;

use super::{ConnectOptions, CredentialsError, TargetCredentials, TargetError};

/// The longest user data that an MCS length of two octets can announce (T.125 with X.691 10.9.3.6).
const LONGEST: usize = 0x3fff;
/// `TS_TIME_ZONE_INFORMATION`, `clientSessionId` and `performanceFlags`.
const BEFORE_COOKIE: usize = 172 + 4 + 4;

/// A Client Info PDU that cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientInfoError {
    /// It ends within a field.
    #[error("it ends within the field {0}")]
    Short(&'static str),
    /// It is not marked as Client Info (SEC_INFO_PKT).
    #[error("its security header has the flags {0:#06x}")]
    Header(u16),
    /// It is encrypted below TLS (SEC_ENCRYPT).
    #[error("it is encrypted with Standard RDP Security")]
    Encrypted,
    /// A string of UTF-16 with an odd number of bytes.
    #[error("its field {0} has half a character")]
    Half(&'static str),
    /// Longer than an MCS PDU of its kind.
    #[error("it would have {0} bytes, more than the MCS length can say")]
    Long(usize),
}

/// A Client Info PDU for the target, and what of it may be recorded.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// For the target. Holds its password.
    pub(super) user_data: Zeroizing<Vec<u8>>,
    /// The same without domain, user name and password.
    pub(super) redacted: Vec<u8>,
}

/// Puts `credentials` into the place of the viewer's own in `user_data`: the security header, then
/// `TS_INFO_PACKET`.
///
/// - User name, domain and password are replaced; the target is told to log in by itself (INFO_AUTOLOGON) if
///   there are both a user name and a password, and not to otherwise.
/// - The password is none of a smart card's (INFO_PASSWORD_IS_SC_PIN).
/// - Where updates must be plain, no bulk compression is asked for.
/// - Without [`ConnectOptions::programs`] the shell, the working directory and the flags of RemoteApp go.
/// - The viewer's own address and its auto-reconnect cookie go.
///
/// The rest stays as it came, fields that are unknown here too.
pub(super) fn rewrite(
    user_data: &[u8],
    credentials: &TargetCredentials,
    options: ConnectOptions,
) -> Result<Rewritten, TargetError> {
    let packet = Packet::parse(user_data)?;
    let account = credentials.complete();
    let mut flags = packet.flags - ClientInfoFlags::PASSWORD_IS_SC_PIN;
    flags.set(ClientInfoFlags::AUTOLOGON, account.is_some());
    if options.plain_updates {
        flags -= ClientInfoFlags::COMPRESSION;
    }
    if !options.programs {
        flags -= ClientInfoFlags::RAIL | ClientInfoFlags::HIDEF_RAIL_SUPPORTED;
    }
    let (shell, directory) =
        if options.programs { (packet.shell, packet.directory) } else { (&[][..], &[][..]) };
    let encoding = packet.encoding;
    let (domain, username, password) = match &account {
        Some(account) => (
            encoding.encode(account.domain)?,
            encoding.encode(account.username)?,
            encoding.encode(account.password)?,
        ),
        // A user name alone is worth showing in the target's login box.
        None => (
            encoding.encode(credentials.domain.as_deref().unwrap_or_default())?,
            encoding.encode(credentials.username.as_deref().unwrap_or_default())?,
            Zeroizing::default(),
        ),
    };
    let full = packet.write(flags, [&domain, &username, &password, shell, directory])?;
    let redacted = packet.write(flags, [&[], &[], &[], shell, directory])?;
    Ok(Rewritten { user_data: full, redacted: redacted.to_vec() })
}

/// How strings are written (INFO_UNICODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf16,
    Ansi,
}

impl Encoding {
    /// Length of a string's end in bytes.
    const fn terminator(self) -> usize {
        match self {
            Self::Utf16 => 2,
            Self::Ansi => 1,
        }
    }

    fn encode(self, text: &str) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
        match self {
            Self::Ansi if !text.is_ascii() => Err(CredentialsError::NotAscii),
            Self::Ansi => Ok(Zeroizing::new(text.as_bytes().to_vec())),
            Self::Utf16 => {
                // The room is made first, so that no copy of a secret is left behind by growing.
                let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len()));
                bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
                Ok(bytes)
            }
        }
    }
}

/// `TS_INFO_PACKET` after its security header, without the credentials.
struct Packet<'a> {
    header: &'a [u8],
    code_page: &'a [u8],
    flags: ClientInfoFlags,
    encoding: Encoding,
    shell: &'a [u8],
    directory: &'a [u8],
    extended: Option<Extended<'a>>,
}

/// `TS_EXTENDED_INFO_PACKET` without the client's address and its cookie.
struct Extended<'a> {
    family: &'a [u8],
    /// From `cbClientDir` to `performanceFlags`, or to the end if that comes first.
    middle: &'a [u8],
    /// What follows the cookie, if its length is there.
    rest: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    fn parse(user_data: &'a [u8]) -> Result<Self, ClientInfoError> {
        let mut fields = Fields(user_data);
        let header = fields.take(4, "flags")?;
        let header_flags = Fields(header).u16("flags")?;
        let security = BasicSecurityHeaderFlags::from_bits_retain(header_flags);
        if !security.contains(BasicSecurityHeaderFlags::INFO_PKT) {
            return Err(ClientInfoError::Header(header_flags));
        }
        if security.contains(BasicSecurityHeaderFlags::ENCRYPT) {
            return Err(ClientInfoError::Encrypted);
        }
        let code_page = fields.take(4, "CodePage")?;
        let flags = ClientInfoFlags::from_bits_retain(fields.u32("flags")?);
        let encoding =
            if flags.contains(ClientInfoFlags::UNICODE) { Encoding::Utf16 } else { Encoding::Ansi };
        const NAMES: [&str; 5] = ["Domain", "UserName", "Password", "AlternateShell", "WorkingDir"];
        let mut lengths = [0; NAMES.len()];
        for (length, name) in lengths.iter_mut().zip(NAMES) {
            *length = usize::from(fields.u16(name)?);
        }
        let mut strings = [&[][..]; NAMES.len()];
        for ((string, length), name) in strings.iter_mut().zip(lengths).zip(NAMES) {
            if encoding == Encoding::Utf16 && length % 2 != 0 {
                return Err(ClientInfoError::Half(name));
            }
            *string = fields.take(length, name)?;
            fields.take(encoding.terminator(), name)?;
        }
        let [_, _, _, shell, directory] = strings;
        let extended = if fields.0.is_empty() { None } else { Some(Extended::parse(fields)?) };
        Ok(Self { header, code_page, flags, encoding, shell, directory, extended })
    }

    /// With these strings, without their ends: domain, user name, password, shell, directory.
    fn write(
        &self,
        flags: ClientInfoFlags,
        strings: [&[u8]; 5],
    ) -> Result<Zeroizing<Vec<u8>>, ClientInfoError> {
        let extended = self.extended.as_ref().map_or(0, |extended| extended.len(self.encoding));
        let fixed = self.header.len() + self.code_page.len() + 4 + strings.len() * 2;
        let text: usize = strings.iter().map(|string| string.len() + self.encoding.terminator()).sum();
        let total = fixed + text + extended;
        if total > LONGEST {
            return Err(ClientInfoError::Long(total));
        }
        let mut out = Zeroizing::new(Vec::with_capacity(total));
        out.extend_from_slice(self.header);
        out.extend_from_slice(self.code_page);
        out.extend_from_slice(&flags.bits().to_le_bytes());
        for string in strings {
            let len = u16::try_from(string.len()).map_err(|_| ClientInfoError::Long(string.len()))?;
            out.extend_from_slice(&len.to_le_bytes());
        }
        let terminator = [0; 2];
        let terminator = terminator.get(..self.encoding.terminator()).unwrap_or_default();
        for string in strings {
            out.extend_from_slice(string);
            out.extend_from_slice(terminator);
        }
        if let Some(extended) = &self.extended {
            extended.write(&mut out, terminator);
        }
        Ok(out)
    }
}

impl<'a> Extended<'a> {
    fn parse(mut fields: Fields<'a>) -> Result<Self, ClientInfoError> {
        let family = fields.take(2, "clientAddressFamily")?;
        let address = fields.u16("cbClientAddress")?;
        fields.take(address.into(), "clientAddress")?;
        // The directory's length is part of what is kept, so look at it from a second cursor.
        let after_address = fields.0;
        let directory = fields.u16("cbClientDir")?;
        fields.take(directory.into(), "clientDir")?;
        let Ok(_) = fields.take(BEFORE_COOKIE, "clientTimeZone") else {
            // All that follows is optional (MS-RDPBCGR 2.2.1.11.1.1.1): there is no cookie.
            return Ok(Self { family, middle: after_address, rest: None });
        };
        let middle = after_address.get(..after_address.len() - fields.0.len()).unwrap_or(after_address);
        if fields.0.is_empty() {
            return Ok(Self { family, middle, rest: None });
        }
        let cookie = fields.u16("cbAutoReconnectCookie")?;
        fields.take(cookie.into(), "autoReconnectCookie")?;
        Ok(Self { family, middle, rest: Some(fields.0) })
    }

    fn len(&self, encoding: Encoding) -> usize {
        self.family.len()
            + 2
            + encoding.terminator()
            + self.middle.len()
            + self.rest.map_or(0, |rest| 2 + rest.len())
    }

    fn write(&self, out: &mut Vec<u8>, terminator: &[u8]) {
        out.extend_from_slice(self.family);
        // The length of this string counts its end.
        out.push(u8::try_from(terminator.len()).unwrap_or_default());
        out.push(0);
        out.extend_from_slice(terminator);
        out.extend_from_slice(self.middle);
        if let Some(rest) = self.rest {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(rest);
        }
    }
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize, name: &'static str) -> Result<&'a [u8], ClientInfoError> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(ClientInfoError::Short(name))?;
        self.0 = rest;
        Ok(field)
    }

    fn u16(&mut self, name: &'static str) -> Result<u16, ClientInfoError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(ClientInfoError::Short(name))?;
        self.0 = rest;
        Ok(u16::from_le_bytes(*field))
    }

    fn u32(&mut self, name: &'static str) -> Result<u32, ClientInfoError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(ClientInfoError::Short(name))?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*field))
    }
}

#[cfg(test)]
mod tests;
