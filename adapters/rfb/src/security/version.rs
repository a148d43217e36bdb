//! The ProtocolVersion message (RFC 6143 section 7.1.1).

use std::fmt;

use super::printable;

/// A version of the protocol whose handshake is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// 3.3: the server alone decides the security type.
    V3_3,
    /// 3.7: the client chooses from a list.
    V3_7,
    /// 3.8: as 3.7, and a failure carries a reason.
    V3_8,
}

impl ProtocolVersion {
    /// Length in bytes of the message.
    pub const LEN: usize = 12;

    /// The message that announces or answers with this version.
    pub const fn banner(self) -> &'static [u8; Self::LEN] {
        match self {
            Self::V3_3 => b"RFB 003.003\n",
            Self::V3_7 => b"RFB 003.007\n",
            Self::V3_8 => b"RFB 003.008\n",
        }
    }

    /// The version to speak with a peer that sent `banner`.
    ///
    /// Numbers between the published ones mean the older handshake, higher ones 3.8: Apple's 003.889 and
    /// RealVNC's 004.001 and 005.000 are among them.
    ///
    /// # Errors
    /// The bytes are not a ProtocolVersion message, or one of a version below 3.3.
    pub fn parse(banner: &[u8; Self::LEN]) -> Result<Self, VersionError> {
        let [b'R', b'F', b'B', b' ', major @ .., b'.', m2, m1, m0, b'\n'] = banner else {
            return Err(VersionError::NotRfb(printable(banner)));
        };
        let (Some(major), Some(minor)) = (decimal(major), decimal(&[*m2, *m1, *m0])) else {
            return Err(VersionError::NotRfb(printable(banner)));
        };
        match (major, minor) {
            (3, 3..=6) => Ok(Self::V3_3),
            (3, 7) => Ok(Self::V3_7),
            (3, 8..) | (4.., _) => Ok(Self::V3_8),
            (_, _) => Err(VersionError::TooOld { major, minor }),
        }
    }

    /// Whether the client chooses the security type (3.7 and later).
    pub const fn client_chooses(self) -> bool {
        !matches!(self, Self::V3_3)
    }

    /// Whether a failed SecurityResult is followed by a reason (3.8).
    pub const fn has_reasons(self) -> bool {
        matches!(self, Self::V3_8)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_3 => "3.3",
            Self::V3_7 => "3.7",
            Self::V3_8 => "3.8",
        })
    }
}

/// The first twelve bytes announce no version that can be spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not an RFB peer at all.
    #[error("the peer does not speak RFB: it began with `{0}`")]
    NotRfb(String),
    /// A version before the first published one; repeaters announce 0.0.
    #[error("the peer announced RFB {major}.{minor}, which no VNC server or viewer speaks")]
    TooOld {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
}

fn decimal(digits: &[u8]) -> Option<u16> {
    digits
        .iter()
        .try_fold(0u16, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_handshake_they_stand_for() {
        use ProtocolVersion::{V3_3, V3_7, V3_8};
        for (banner, version) in [
            (b"RFB 003.003\n", V3_3),
            (b"RFB 003.005\n", V3_3),
            (b"RFB 003.006\n", V3_3),
            (b"RFB 003.007\n", V3_7),
            (b"RFB 003.008\n", V3_8),
            (b"RFB 003.889\n", V3_8),
            (b"RFB 004.001\n", V3_8),
            (b"RFB 005.000\n", V3_8),
            (b"RFB 999.999\n", V3_8),
        ] {
            assert_eq!(ProtocolVersion::parse(banner), Ok(version), "{}", printable(banner));
        }
    }

    #[test]
    fn announcements_survive_a_round_trip() {
        for version in [ProtocolVersion::V3_3, ProtocolVersion::V3_7, ProtocolVersion::V3_8] {
            assert_eq!(ProtocolVersion::parse(version.banner()), Ok(version));
        }
    }

    #[test]
    fn anything_else_is_no_version() {
        assert_eq!(
            ProtocolVersion::parse(b"RFB 000.000\n"),
            Err(VersionError::TooOld { major: 0, minor: 0 })
        );
        assert_eq!(
            ProtocolVersion::parse(b"RFB 003.002\n"),
            Err(VersionError::TooOld { major: 3, minor: 2 })
        );
        for banner in [
            b"SSH-2.0-Open",
            b"RFB 003.008\r",
            b"RFB 003 008\n",
            b"RFB 0x3.008\n",
            b"RFB +03.008\n",
            &[0; 12],
        ] {
            assert!(
                matches!(ProtocolVersion::parse(banner), Err(VersionError::NotRfb(_))),
                "{}",
                printable(banner)
            );
        }
    }
}
