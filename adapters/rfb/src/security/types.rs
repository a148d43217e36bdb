//! Security types and what is known of their names (RFC 6143 section 7.1.2 and the IANA registry).

use std::fmt;

/// A security type's number as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityType(pub u8);

impl SecurityType {
    /// No authentication.
    pub const NONE: Self = Self(1);
    /// Challenge and response with DES (RFC 6143 section 7.2.2).
    pub const VNC_AUTH: Self = Self(2);
    /// Container of subtypes, most of them over TLS.
    pub const VENCRYPT: Self = Self(19);
    /// Apple Remote Desktop: Diffie-Hellman and AES.
    pub const ARD: Self = Self(30);
}

impl fmt::Display for SecurityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "None",
            2 => "VncAuth",
            5 => "RA2",
            6 => "RA2ne",
            16 => "Tight",
            17 => "UltraVNC",
            18 => "TLS",
            19 => "VeNCrypt",
            20 => "SASL",
            21 => "MD5",
            22 => "XVP",
            30 => "ARD",
            33 => "Apple 33 (RSA-SRP)",
            35 => "Apple 35 (Kerberos)",
            36 => "Apple 36 (SRP)",
            112 => "UltraVNC 112",
            113 => "UltraVNC MS-Logon II",
            114 => "UltraVNC SecureVNC",
            129 => "RA2_256",
            130 => "RA2ne_256",
            number => return write!(f, "type {number}"),
        })
    }
}

impl fmt::Debug for SecurityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A VeNCrypt subtype's number as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VencryptSubtype(pub u32);

impl VencryptSubtype {
    /// User name and password without encryption of its own.
    pub const PLAIN: Self = Self(256);
    /// TLS with certificates, then no authentication.
    pub const X509_NONE: Self = Self(260);
    /// TLS with certificates, then [`SecurityType::VNC_AUTH`].
    pub const X509_VNC: Self = Self(261);
    /// TLS with certificates, then user name and password.
    pub const X509_PLAIN: Self = Self(262);
}

impl fmt::Display for VencryptSubtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            256 => "VeNCrypt Plain",
            257 => "VeNCrypt TLSNone",
            258 => "VeNCrypt TLSVnc",
            259 => "VeNCrypt TLSPlain",
            260 => "VeNCrypt X509None",
            261 => "VeNCrypt X509Vnc",
            262 => "VeNCrypt X509Plain",
            263 => "VeNCrypt TLSSASL",
            264 => "VeNCrypt X509SASL",
            // The numbers up to 255 are security types that do without TLS here too.
            number => {
                return match u8::try_from(number) {
                    Ok(number) => write!(f, "VeNCrypt {}", SecurityType(number)),
                    Err(_) => write!(f, "VeNCrypt subtype {number}"),
                };
            }
        })
    }
}

impl fmt::Debug for VencryptSubtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a viewer may prove itself to us. There is no way in without a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewerSecurity {
    /// Password of 8 bytes, challenge and response; no user name, no encryption.
    VncAuth,
    /// Apple Remote Desktop: user name and password of 63 bytes each under a Diffie-Hellman key; the
    /// session that follows is not encrypted.
    Ard,
    /// VeNCrypt: user name and password in clear. Offered only where the stream is encrypted already.
    Plain,
    /// VeNCrypt: TLS, then user name and password.
    X509Plain,
    /// VeNCrypt: TLS, then [`VncAuth`](Self::VncAuth).
    X509Vnc,
}

impl ViewerSecurity {
    /// The name under which people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VncAuth => "VncAuth",
            Self::Ard => "ARD",
            Self::Plain => "Plain",
            Self::X509Plain => "X509Plain",
            Self::X509Vnc => "X509Vnc",
        }
    }

    /// Whether it encrypts the session with TLS.
    pub const fn uses_tls(self) -> bool {
        matches!(self, Self::X509Plain | Self::X509Vnc)
    }

    /// The type in the list that the client chooses from.
    pub const fn security_type(self) -> SecurityType {
        match self {
            Self::VncAuth => SecurityType::VNC_AUTH,
            Self::Ard => SecurityType::ARD,
            Self::Plain | Self::X509Plain | Self::X509Vnc => SecurityType::VENCRYPT,
        }
    }

    /// The subtype, for those under VeNCrypt.
    pub const fn subtype(self) -> Option<VencryptSubtype> {
        match self {
            Self::VncAuth | Self::Ard => None,
            Self::Plain => Some(VencryptSubtype::PLAIN),
            Self::X509Plain => Some(VencryptSubtype::X509_PLAIN),
            Self::X509Vnc => Some(VencryptSubtype::X509_VNC),
        }
    }
}

/// How we may prove ourselves to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetSecurity {
    /// No authentication, no encryption.
    None,
    /// Password of 8 bytes, challenge and response; no encryption.
    VncAuth,
    /// Apple Remote Desktop: user name and password of 63 bytes each under a Diffie-Hellman key; the
    /// session that follows is not encrypted.
    Ard,
    /// VeNCrypt: TLS, then no authentication.
    X509None,
    /// VeNCrypt: TLS, then [`VncAuth`](Self::VncAuth).
    X509Vnc,
    /// VeNCrypt: TLS, then user name and password.
    X509Plain,
}

impl TargetSecurity {
    /// All of them, the one that protects most first: encryption counts more than authentication.
    pub const STRONGEST_FIRST: [Self; 6] =
        [Self::X509Plain, Self::X509Vnc, Self::X509None, Self::Ard, Self::VncAuth, Self::None];

    /// The name under which people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::VncAuth => "VncAuth",
            Self::Ard => "ARD",
            Self::X509None => "X509None",
            Self::X509Vnc => "X509Vnc",
            Self::X509Plain => "X509Plain",
        }
    }

    /// Whether it encrypts the session with TLS.
    pub const fn uses_tls(self) -> bool {
        self.subtype().is_some()
    }

    /// Whether `credentials` are enough for it.
    pub const fn works_with(self, credentials: CredentialKind) -> bool {
        match self {
            Self::None | Self::X509None => true,
            Self::VncAuth | Self::X509Vnc => !matches!(credentials, CredentialKind::Nothing),
            Self::Ard | Self::X509Plain => matches!(credentials, CredentialKind::UsernameAndPassword),
        }
    }

    /// The type in the list that the server offers.
    pub const fn security_type(self) -> SecurityType {
        match self {
            Self::None => SecurityType::NONE,
            Self::VncAuth => SecurityType::VNC_AUTH,
            Self::Ard => SecurityType::ARD,
            Self::X509None | Self::X509Vnc | Self::X509Plain => SecurityType::VENCRYPT,
        }
    }

    /// The subtype, for those under VeNCrypt.
    pub const fn subtype(self) -> Option<VencryptSubtype> {
        match self {
            Self::None | Self::VncAuth | Self::Ard => None,
            Self::X509None => Some(VencryptSubtype::X509_NONE),
            Self::X509Vnc => Some(VencryptSubtype::X509_VNC),
            Self::X509Plain => Some(VencryptSubtype::X509_PLAIN),
        }
    }
}

/// What is at hand to log in to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// Neither user name nor password.
    Nothing,
    /// A password alone.
    Password,
    /// Both.
    UsernameAndPassword,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_that_people_know() {
        let types =
            [1, 2, 5, 16, 18, 19, 30, 33, 113, 129, 200].map(|number| SecurityType(number).to_string());
        assert_eq!(
            types.join(", "),
            "None, VncAuth, RA2, Tight, TLS, VeNCrypt, ARD, Apple 33 (RSA-SRP), UltraVNC MS-Logon II, RA2_256, \
             type 200"
        );
        let subtypes = [2, 200, 256, 258, 262, 999].map(|number| VencryptSubtype(number).to_string());
        assert_eq!(
            subtypes.join(", "),
            "VeNCrypt VncAuth, VeNCrypt type 200, VeNCrypt Plain, VeNCrypt TLSVnc, VeNCrypt X509Plain, \
             VeNCrypt subtype 999"
        );
    }

    #[test]
    fn credentials_decide_what_works() {
        let working = |credentials| {
            TargetSecurity::STRONGEST_FIRST
                .map(|security| security.works_with(credentials).then(|| security.name()))
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(working(CredentialKind::Nothing), ["X509None", "None"]);
        assert_eq!(working(CredentialKind::Password), ["X509Vnc", "X509None", "VncAuth", "None"]);
        assert_eq!(working(CredentialKind::UsernameAndPassword).len(), 6);
    }
}
