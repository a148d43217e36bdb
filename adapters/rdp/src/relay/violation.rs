//! Why a relay gives up a session.

use passerelle_desktop::{RelayError, Side};

/// How a peer broke the protocol, so that nothing that follows from it is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayViolation {
    /// The first byte begins neither a TPKT nor a fast-path PDU.
    #[error("it sent {0:#04x} where a TPKT or a fast-path PDU begins")]
    NoPdu(u8),
    /// A PDU whose length leaves no room for what every PDU has.
    #[error("it announced a PDU of {0} bytes, which is shorter than any there is")]
    TooShort(usize),
    /// Encrypted or signed by Standard RDP Security, which was not negotiated.
    #[error("it sent a PDU under Standard RDP Security, which was not negotiated")]
    StandardSecurity,
    /// What the TPKT holds is no X.224 Data TPDU (MS-RDPBCGR 2.2.1.3, class 0).
    #[error("it sent a TPKT without X.224 data")]
    NotData,
    /// An MCS PDU that has no place in a session (T.125, part 7).
    #[error("it sent the MCS PDU {0}, which has no place in a session")]
    McsPdu(u8),
    /// The MCS header and the TPKT header disagree about the length.
    #[error("it sent an MCS PDU whose length is not that of its TPKT")]
    McsLength,
    /// A part of a segmented MCS message; RDP sends whole ones.
    #[error("it sent a part of a segmented MCS message")]
    Segmented,
    /// Data in the name of another MCS user.
    #[error("it sent data as the MCS user {0}, which is not its own")]
    Initiator(u16),
    /// A channel that was not joined.
    #[error("it sent data in the MCS channel {0}, which was not joined")]
    UnknownChannel(u16),
    /// A PDU of the I/O channel is malformed.
    #[error("a PDU in the I/O channel is malformed: {0}")]
    Share(&'static str),
    /// Bulk compression that does not decompress.
    #[error("a PDU in the I/O channel cannot be decompressed")]
    Compression,
    /// An input PDU is malformed.
    #[error("an input PDU is malformed: {0}")]
    Input(&'static str),
    /// A channel's message makes no sense.
    #[error("a message in the channel {channel} is malformed: {what}")]
    Channel {
        /// The channel's name.
        channel: &'static str,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A chunk of a static channel (MS-RDPBCGR 2.2.6.1) is malformed.
    #[error("a chunk in the channel {channel} is malformed: {what}")]
    Chunk {
        /// The channel's name.
        channel: String,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// The target sends its users to another machine.
    #[error(
        "it sends its users to another machine, {to}; add that machine as a target, or turn redirection off where it \
         is configured"
    )]
    Redirected {
        /// Where to, in words.
        to: String,
    },
    /// More messages of the gateway's own wait for a peer than it can ever have caused.
    #[error("it keeps a channel's message open while more and more waits to be said in that channel")]
    TooMuchWaits,
}

impl RelayViolation {
    pub(super) fn by(self, side: Side) -> RelayError {
        RelayError { side, error: Box::new(self) }
    }
}
