//! The MCS channels of a connection.

use ironrdp_pdu::gcc::ChannelDef;

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
