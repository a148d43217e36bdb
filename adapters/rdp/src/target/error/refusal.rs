//! What a target refuses, and what can be done about it.

use ironrdp_pdu::nego::FailureCode;

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
    pub(in crate::target) fn from_code(code: FailureCode) -> Self {
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
