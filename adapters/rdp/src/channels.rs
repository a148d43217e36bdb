//! The MCS channels of a connection, and what its two sides said to agree on them.

use std::fmt;

use ironrdp_pdu::gcc::ChannelDef;
use ironrdp_pdu::mcs::{ConnectInitial, ConnectResponse};
use ironrdp_pdu::nego::SecurityProtocol;
use zeroize::Zeroizing;

/// The MCS channels of one leg, as its server numbered them.
///
/// Both legs have the same static channels in the same order, since the viewer's list goes to the target. Their
/// numbers are the same too when the viewer was answered with the target's; when it had to be answered before
/// the target was known they may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// The channel of the client's user, which is the initiator of all that the client sends.
    pub user: u16,
    /// The I/O channel (MS-RDPBCGR 2.2.1.4.4, `MCSChannelId`).
    pub io: u16,
    /// The message channel, if there is one (MS-RDPBCGR 2.2.1.4.5).
    pub message: Option<u16>,
    /// The static virtual channels, in the order of the client's list.
    pub statics: Vec<StaticChannel>,
}

/// A static virtual channel of one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticChannel {
    /// Its number.
    pub id: u16,
    /// Its definition by the client: name of at most 7 characters, and options.
    pub definition: ChannelDef,
}

/// What a client said of itself before its channels were numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// Its MCS Connect Initial with the GCC blocks (MS-RDPBCGR 2.2.1.3).
    pub connect_initial: ConnectInitial,
    /// The security protocols of its X.224 Connection Request (MS-RDPBCGR 2.2.1.1.1, `requestedProtocols`).
    pub requested: SecurityProtocol,
    /// The one that it was answered with (MS-RDPBCGR 2.2.1.2.1, `selectedProtocol`).
    pub selected: SecurityProtocol,
}

/// What a server answered, and how it numbered the channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// Its MCS Connect Response with the GCC blocks (MS-RDPBCGR 2.2.1.4).
    pub connect_response: ConnectResponse,
    /// The channels, all of them joined.
    pub channels: Channels,
}

/// A client's Client Info PDU (MS-RDPBCGR 2.2.1.11). It holds a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The user data of its MCS Send Data Request as it came: the basic security header (4 bytes), then
    /// `TS_INFO_PACKET`.
    pub user_data: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for ClientInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInfo").field("len", &self.user_data.len()).finish_non_exhaustive()
    }
}
