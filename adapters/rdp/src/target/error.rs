//! How a target leg fails.

use std::io;

use ironrdp_core::{DecodeError, EncodeError};
use ironrdp_pdu::gcc::EncryptionLevel;
use ironrdp_pdu::nego::FailureCode;

use super::{ClientInfoError, CredentialsError};
use crate::wire::WireError;

/// A target that did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The target closed the connection without a word.
    #[error("the target closed the connection while {0}")]
    Closed(&'static str),
    /// The connection broke.
    #[error("the connection to the target broke: {0}")]
    Io(#[source] io::Error),
    /// TLS could not be established.
    #[error("no TLS with the target: {0}")]
    Tls(#[source] io::Error),
    /// The name under which the target is known can stand in no certificate.
    #[error("`{0}` is neither a host name nor an IP address, as TLS with the target needs")]
    ServerName(String),
    /// The policy allows nothing.
    #[error("no security protocol is allowed for the target; allow NLA, TLS or both")]
    NothingAllowed,
    /// The target does not do what is allowed.
    #[error(transparent)]
    Negotiation(#[from] NegotiationFailure),
    /// The configured credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The target refused the credentials.
    #[error("the target refuses to log us in: {0}")]
    Logon(#[from] LogonFailure),
    /// The target does not know the session key that the account's password gives, or has seen another
    /// certificate than we have.
    #[error(
        "the target did not prove that it ends this TLS connection and knows the account: someone sits \
         between, or the password is wrong"
    )]
    Unproven,
    /// CredSSP failed on our side.
    #[error("CredSSP with the target cannot be performed: {0}")]
    CredSsp(String),
    /// The target refused a step of the MCS connection.
    #[error("the target refuses {what} (T.125 result {result}, {})", mcs_result(*.result))]
    Mcs {
        /// What it refuses.
        what: &'static str,
        /// T.125 `Result`.
        result: u8,
    },
    /// The target said good-bye.
    #[error("the target disconnected while {doing}: {reason}")]
    Disconnected {
        /// At what.
        doing: &'static str,
        /// T.125 `Reason`, in words.
        reason: &'static str,
    },
    /// The viewer's Client Info cannot be passed on.
    #[error("the viewer's Client Info cannot be passed on to the target: {0}")]
    ClientInfo(#[from] ClientInfoError),
    /// What the viewer said of itself is longer than its PDU can be.
    #[error("what the viewer says of itself is too long to be passed on to the target")]
    HelloTooLong,
    /// What the viewer said of itself does not fit the PDU that is to carry it.
    #[error("what the viewer says of itself cannot be passed on to the target: {0}")]
    Encode(#[source] EncodeError),
    /// The target broke the protocol.
    #[error("the target broke the protocol: {0}")]
    Violation(#[from] TargetViolation),
}

/// What kind of failure it is, for counting and for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetFailure {
    /// The target refused the connection or the credentials.
    Refused,
    /// The target offers nothing that is allowed, or the credentials do not fit what it offers.
    Unusable,
    /// TLS could not be established, or someone may sit between.
    Tls,
    /// The target broke the protocol.
    Violation,
    /// The viewer sent what cannot be passed on.
    Viewer,
    /// The connection ended.
    Closed,
}

impl TargetError {
    /// What kind of failure it is.
    pub const fn kind(&self) -> TargetFailure {
        match self {
            Self::Closed(_) | Self::Io(_) => TargetFailure::Closed,
            Self::Tls(_) | Self::Unproven => TargetFailure::Tls,
            Self::ServerName(_)
            | Self::NothingAllowed
            | Self::Negotiation(_)
            | Self::Credentials(_)
            | Self::CredSsp(_) => TargetFailure::Unusable,
            Self::Logon(_) | Self::Mcs { .. } | Self::Disconnected { .. } => TargetFailure::Refused,
            Self::ClientInfo(_) | Self::HelloTooLong | Self::Encode(_) => TargetFailure::Viewer,
            Self::Violation(_) => TargetFailure::Violation,
        }
    }

    /// Of reading or writing; `doing` says at what.
    pub(super) fn io(error: io::Error, doing: &'static str) -> Self {
        if is_close(&error) { Self::Closed(doing) } else { Self::Io(error) }
    }

    /// Of the TLS handshake.
    pub(super) fn tls(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed("negotiating TLS") } else { Self::Tls(error) }
    }

    /// Of reading a PDU; `doing` says at what.
    pub(super) fn wire(error: WireError, doing: &'static str) -> Self {
        match error {
            WireError::Io(error) => Self::io(error, doing),
            WireError::NotTpkt(version) => TargetViolation::NotTpkt(version).into(),
            WireError::TooLong { len, limit } => TargetViolation::TooLong { len, limit }.into(),
            WireError::TooShort(len) => TargetViolation::TooShort(len).into(),
        }
    }
}

/// Whether an error means that the peer is gone.
fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// T.125 7, part 2, `Result`.
const fn mcs_result(result: u8) -> &'static str {
    match result {
        1 => "domain merging",
        2 => "domain not hierarchical",
        3 => "no such channel",
        4 => "no such domain",
        5 => "no such user",
        6 => "not admitted",
        7 => "other user id",
        8 => "parameters unacceptable",
        9 => "token not available",
        10 => "token not possessed",
        11 => "too many channels",
        12 => "too many tokens",
        13 => "too many users",
        14 => "unspecified failure",
        15 => "user rejected",
        _ => "unknown",
    }
}

/// A security negotiation without result (MS-RDPBCGR 2.2.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationFailure {
    /// SSL_REQUIRED_BY_SERVER.
    #[error("the target requires TLS without NLA; allow TLS for it")]
    TlsRequired,
    /// SSL_NOT_ALLOWED_BY_SERVER.
    #[error(
        "the target accepts only Standard RDP Security, which the gateway refuses; enable TLS or NLA on the \
         target"
    )]
    TlsNotAllowed,
    /// SSL_CERT_NOT_ON_SERVER.
    #[error("the target has no certificate for TLS; install one on the target")]
    NoCertificate,
    /// INCONSISTENT_FLAGS.
    #[error("the target finds the requested security protocols inconsistent")]
    Inconsistent,
    /// HYBRID_REQUIRED_BY_SERVER.
    #[error("the target requires NLA; allow NLA for it and configure a user name and a password")]
    NlaRequired,
    /// SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER.
    #[error("the target requires TLS with a certificate of the user, which the gateway does not have")]
    UserCertificateRequired,
    /// ENTRA_AUTH_REQUIRED_BY_SERVER.
    #[error("the target requires a login with Microsoft Entra ID, which the gateway does not support")]
    EntraRequired,
    /// A code that is not known.
    #[error("the target refuses the security negotiation with the code {0}")]
    Other(u32),
    /// The target does not negotiate, or chose Standard RDP Security.
    #[error(
        "the target wants Standard RDP Security, which the gateway refuses; enable TLS or NLA on the target"
    )]
    StandardRdpSecurity,
}

impl NegotiationFailure {
    pub(super) fn from_code(code: FailureCode) -> Self {
        match code {
            FailureCode::SSL_REQUIRED_BY_SERVER => Self::TlsRequired,
            FailureCode::SSL_NOT_ALLOWED_BY_SERVER => Self::TlsNotAllowed,
            FailureCode::SSL_CERT_NOT_ON_SERVER => Self::NoCertificate,
            FailureCode::INCONSISTENT_FLAGS => Self::Inconsistent,
            FailureCode::HYBRID_REQUIRED_BY_SERVER => Self::NlaRequired,
            FailureCode::SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER => Self::UserCertificateRequired,
            FailureCode::ENTRA_AUTH_REQUIRED_BY_SERVER => Self::EntraRequired,
            code => Self::Other(code.into()),
        }
    }
}

/// Why a target did not log us in: the status in its last TSRequest (MS-CSSP 2.2.1, `errorCode`) or its Early
/// User Authorization Result (MS-RDPBCGR 2.2.10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogonFailure {
    /// STATUS_LOGON_FAILURE, STATUS_WRONG_PASSWORD, STATUS_NO_SUCH_USER, SEC_E_LOGON_DENIED, and
    /// SEC_E_MESSAGE_ALTERED, by which FreeRDP's server means the same.
    #[error("user name or password is wrong; correct the target's credentials")]
    Credentials,
    /// STATUS_PASSWORD_EXPIRED.
    #[error("the account's password has expired; set a new one and configure it")]
    PasswordExpired,
    /// STATUS_PASSWORD_MUST_CHANGE.
    #[error("the account's password must be changed at the next login; change it and configure the new one")]
    PasswordMustChange,
    /// STATUS_ACCOUNT_LOCKED_OUT.
    #[error(
        "the account is locked after too many failed logins; unlock it, and check the configured password"
    )]
    LockedOut,
    /// STATUS_ACCOUNT_DISABLED.
    #[error("the account is disabled; enable it or configure another")]
    Disabled,
    /// STATUS_ACCOUNT_EXPIRED.
    #[error("the account has expired; extend it or configure another")]
    AccountExpired,
    /// STATUS_ACCOUNT_RESTRICTION.
    #[error(
        "a restriction of the account forbids it, such as a blank password or membership in Protected Users, \
         who cannot log in with NTLM"
    )]
    Restricted,
    /// STATUS_INVALID_LOGON_HOURS.
    #[error("the account may not log in at this hour")]
    Hours,
    /// STATUS_INVALID_WORKSTATION.
    #[error("the account may log in only from certain computers; add the gateway's name to them")]
    Workstation,
    /// STATUS_LOGON_TYPE_NOT_GRANTED, STATUS_LOGON_NOT_GRANTED, STATUS_PRIVILEGE_NOT_HELD.
    #[error("the account lacks the right to log in over the network; grant it on the target")]
    NotGranted,
    /// The Early User Authorization Result is AUTHZ_ACCESS_DENIED.
    #[error("the account may not log in through Remote Desktop; add it to the target's Remote Desktop Users")]
    NotAuthorized,
    /// STATUS_SMARTCARD_LOGON_REQUIRED.
    #[error("the account needs a smart card; configure another")]
    SmartCardRequired,
    /// STATUS_NTLM_BLOCKED, STATUS_DOWNGRADE_DETECTED, SEC_E_UNSUPPORTED_FUNCTION.
    #[error("the target or its domain does not accept NTLM, the only kind of NLA that the gateway has")]
    NtlmRefused,
    /// STATUS_NO_LOGON_SERVERS, STATUS_TIME_DIFFERENCE_AT_DC, STATUS_TRUSTED_RELATIONSHIP_FAILURE and the like.
    #[error("the target cannot have the password checked by its domain; see to its domain controller")]
    Domain,
    /// It says nothing, and ends the connection where it should prove itself.
    #[error(
        "it ended the connection when it had seen the credentials; most likely user name or password is wrong"
    )]
    Unsaid,
    /// Another status.
    #[error("it gives the status {0:#010x}")]
    Other(u32),
}

impl LogonFailure {
    /// Of an NTSTATUS (MS-ERREF 2.3) or, from some targets, an HRESULT (MS-ERREF 2.1) that is no success.
    pub const fn from_status(status: u32) -> Self {
        match status {
            0xc000_0064 | 0xc000_006a | 0xc000_006d => Self::Credentials,
            0x8009_030c | 0x8009_030f | 0xc007_030c | 0xc007_030f => Self::Credentials,
            0xc000_0071 => Self::PasswordExpired,
            0xc000_0224 => Self::PasswordMustChange,
            0xc000_0234 => Self::LockedOut,
            0xc000_0072 => Self::Disabled,
            0xc000_0193 => Self::AccountExpired,
            0xc000_006e => Self::Restricted,
            0xc000_006f => Self::Hours,
            0xc000_0070 => Self::Workstation,
            0xc000_0061 | 0xc000_0155 | 0xc000_015b => Self::NotGranted,
            0xc000_02fa => Self::SmartCardRequired,
            0xc000_0418 | 0xc000_0388 | 0x8009_0302 => Self::NtlmRefused,
            0xc000_005e | 0xc000_0133 | 0xc000_018b | 0xc000_018c | 0xc000_018d | 0xc000_0413 => Self::Domain,
            status => Self::Other(status),
        }
    }
}

/// How a target broke the protocol.
#[derive(Debug, thiserror::Error)]
pub enum TargetViolation {
    /// What came is no TPKT (RFC 2126, 6).
    #[error("it sent {0:#04x} where a TPKT of version 3 was expected")]
    NotTpkt(u8),
    /// A PDU that is longer than this step needs.
    #[error("it announced a PDU of {len} bytes where at most {limit} are accepted")]
    TooLong {
        /// As announced.
        len: usize,
        /// What is accepted.
        limit: usize,
    },
    /// A TPKT that ends before its header does.
    #[error("it announced a PDU of {0} bytes, which is shorter than its header")]
    TooShort(usize),
    /// A PDU that makes no sense.
    #[error("its {pdu} is malformed: {error}")]
    Malformed {
        /// What it should have been.
        pdu: &'static str,
        /// The field and what is wrong with it.
        error: String,
    },
    /// It chose a security protocol that it was not offered (MS-RDPBCGR 2.2.1.2.1).
    #[error("it chose the security protocol {protocol:#x}, which was not requested")]
    NotRequested {
        /// `selectedProtocol`.
        protocol: u32,
    },
    /// It saw other security protocols requested than were (MS-RDPBCGR 3.2.5.3.4): someone has changed the
    /// request, which travels in clear.
    #[error("it was asked for the security protocols {seen:#x} instead of {sent:#x}: someone sits between")]
    Downgraded {
        /// `clientRequestedProtocols`.
        seen: u32,
        /// `requestedProtocols`.
        sent: u32,
    },
    /// What came is no TSRequest (MS-CSSP 2.2.1).
    #[error("it sent {0:#04x} where a TSRequest of CredSSP was expected")]
    NotTsRequest(u8),
    /// A TSRequest whose length is in a form that is never needed.
    #[error("the length of its TSRequest begins with {0:#04x}")]
    TsRequestLength(u8),
    /// A version of CredSSP whose binding to TLS can be relayed (CVE-2018-0886), or an unknown one.
    #[error("it speaks version {0} of CredSSP, which is not safe; install the target's security updates")]
    CredSspVersion(u32),
    /// A TSRequest without the token or the public key that is due.
    #[error("its TSRequest lacks {0}")]
    TsRequestLacks(&'static str),
    /// An NTLM CHALLENGE_MESSAGE that makes no sense.
    #[error("its NTLM challenge is malformed: {0}")]
    Challenge(String),
    /// An Early User Authorization Result that is none (MS-RDPBCGR 2.2.10.2).
    #[error("its Early User Authorization Result is {0:#x}")]
    AuthorizationResult(u32),
    /// Encryption under encryption (MS-RDPBCGR 2.2.1.4.3).
    #[error("it chose the encryption method {method:#x}, level {level:?}, although TLS encrypts")]
    Encryption {
        /// `encryptionMethod`.
        method: u32,
        /// `encryptionLevel`.
        level: EncryptionLevel,
    },
    /// Another number of channels than was asked for (MS-RDPBCGR 2.2.1.4.4).
    #[error("it numbered {got} channels where {asked} were asked for")]
    ChannelCount {
        /// How many were asked for.
        asked: usize,
        /// How many came.
        got: usize,
    },
    /// A channel without number.
    #[error("it gave a channel the number 0")]
    ChannelZero,
    /// A number twice, for channels or the user.
    #[error("it gave the number {0} twice")]
    ChannelTwice(u16),
    /// A message channel that was not asked for (MS-RDPBCGR 2.2.1.4.5).
    #[error("it made a message channel that was not asked for")]
    MessageChannel,
    /// Another PDU than is due.
    #[error("it sent a PDU of the MCS type {got:?} instead of {due}")]
    Unexpected {
        /// What is due.
        due: &'static str,
        /// What came: T.125 `DomainMCSPDU`, if there is anything.
        got: Option<u8>,
    },
    /// A confirmation for another user or channel.
    #[error("it confirmed the channel {got} for the user {user} where {asked} was to be joined")]
    Joined {
        /// The user that it names.
        user: u16,
        /// The channel that was to be joined.
        asked: u16,
        /// The channel that it names.
        got: u16,
    },
}

impl TargetViolation {
    pub(super) fn malformed(pdu: &'static str, error: &DecodeError) -> Self {
        Self::Malformed { pdu, error: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_mend() {
        for (status, word) in [
            (0xc000_006d, "credentials"),
            (0xc000_0071, "expired"),
            (0xc000_0224, "must be changed"),
            (0xc000_0234, "unlock"),
            (0xc000_0072, "disabled"),
            (0xc000_0193, "extend"),
            (0xc000_006e, "Protected Users"),
            (0xc000_006f, "hour"),
            (0xc000_0070, "gateway's name"),
            (0xc000_015b, "grant"),
            (0xc000_02fa, "smart card"),
            (0xc000_0418, "NTLM"),
            (0xc000_005e, "domain controller"),
            (0xc000_0001, "0xc0000001"),
        ] {
            let error = TargetError::from(LogonFailure::from_status(status));
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.kind(), TargetFailure::Refused);
        }
    }

    #[test]
    fn a_lost_connection_is_no_broken_protocol() {
        let lost = WireError::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(TargetError::wire(lost, "testing").kind(), TargetFailure::Closed);
        assert_eq!(TargetError::wire(WireError::NotTpkt(4), "testing").kind(), TargetFailure::Violation);
    }
}
