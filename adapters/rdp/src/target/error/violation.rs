//! How a target breaks the protocol.

use ironrdp_core::DecodeError;
use ironrdp_pdu::gcc::EncryptionLevel;

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
    pub(in crate::target) fn malformed(pdu: &'static str, error: &DecodeError) -> Self {
        Self::Malformed { pdu, error: error.to_string() }
    }
}
