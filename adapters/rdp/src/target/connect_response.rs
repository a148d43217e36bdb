//! The target's MCS Connect Response (MS-RDPBCGR 2.2.1.4).

use ironrdp_core::decode;
use ironrdp_pdu::gcc::{
    ChannelDef, ClientGccBlocks, EncryptionLevel, ServerEarlyCapabilityFlags, ServerGccBlocks,
};
use ironrdp_pdu::mcs::ConnectResponse;
use ironrdp_pdu::nego::SecurityProtocol;
use ironrdp_pdu::x224::{X224, X224Data};

use super::connect::unexpected;
use super::{TargetError, TargetViolation};
use crate::{Channels, ServerHello, StaticChannel};

/// What the target agreed to. The user is not attached yet.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) response: ConnectResponse,
    pub(super) io: u16,
    pub(super) message: Option<u16>,
    pub(super) statics: Vec<StaticChannel>,
}

impl Accepted {
    /// With the channel of the user, which has a number from the same range.
    pub(super) fn complete(self, user: u16) -> Result<ServerHello, TargetViolation> {
        let channels = Channels { user, io: self.io, message: self.message, statics: self.statics };
        distinct(&channels)?;
        Ok(ServerHello { connect_response: self.response, channels })
    }

    /// Whether the server lets clients leave out joining (MS-RDPBCGR 2.2.1.4.2).
    pub(super) fn skips_joins(&self) -> bool {
        let blocks = self.response.conference_create_response.gcc_blocks();
        let flags = blocks.core.optional_data.early_capability_flags;
        flags.is_some_and(|flags| flags.contains(ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED))
    }
}

/// Parses the PDU and checks it against what was asked for.
pub(super) fn parse(
    bytes: &[u8],
    requested: SecurityProtocol,
    asked: &ClientGccBlocks,
) -> Result<Accepted, TargetError> {
    const PDU: &str = "MCS Connect Response";
    let X224(X224Data { data }) = decode::<X224<X224Data<'_>>>(bytes)
        .map_err(|error| TargetViolation::malformed("X.224 Data TPDU", &error))?;
    // The decoder below takes any result for a success.
    match result(&data) {
        Some(0) => {}
        Some(result) => return Err(TargetError::Mcs { what: "the MCS connection", result }),
        None => return Err(unexpected(bytes, PDU, "connecting")),
    }
    let response: ConnectResponse = decode(&data).map_err(|error| TargetViolation::malformed(PDU, &error))?;
    let blocks = response.conference_create_response.gcc_blocks();
    check(blocks, requested, asked)?;
    let definitions: &[ChannelDef] = asked.network.as_ref().map_or(&[], |network| &network.channels);
    let ids = &blocks.network.channel_ids;
    let statics = definitions
        .iter()
        .zip(ids)
        .map(|(definition, &id)| StaticChannel { id, definition: definition.clone() });
    // A message channel with the number 0 does not exist (MS-RDPBCGR 2.2.1.4.5).
    let message = blocks.message_channel.as_ref().map(|channel| channel.mcs_message_channel_id);
    Ok(Accepted {
        io: blocks.network.io_channel,
        message: message.filter(|id| *id != 0),
        statics: statics.collect(),
        response,
    })
}

/// T.125 `Connect-Response.result`, if it is one at all.
fn result(data: &[u8]) -> Option<u8> {
    let [0x7f, 0x66, form, rest @ ..] = data else { return None };
    let octets = match form {
        0..=0x7f => 0,
        0x81 => 1,
        0x82 => 2,
        _ => return None,
    };
    // ENUMERATED of one octet.
    match rest.get(octets..)? {
        [0x0a, 0x01, result, ..] => Some(*result),
        _ => None,
    }
}

fn check(
    blocks: &ServerGccBlocks,
    requested: SecurityProtocol,
    asked: &ClientGccBlocks,
) -> Result<(), TargetViolation> {
    let security = &blocks.security;
    if !security.encryption_method.is_empty() || security.encryption_level != EncryptionLevel::None {
        return Err(TargetViolation::Encryption {
            method: security.encryption_method.bits(),
            level: security.encryption_level,
        });
    }
    if let Some(seen) = blocks.core.optional_data.client_requested_protocols
        && seen != requested
    {
        return Err(TargetViolation::Downgraded { seen: seen.bits(), sent: requested.bits() });
    }
    let asked_channels = asked.network.as_ref().map_or(0, |network| network.channels.len());
    let got = blocks.network.channel_ids.len();
    if got != asked_channels {
        return Err(TargetViolation::ChannelCount { asked: asked_channels, got });
    }
    if blocks.message_channel.is_some() && asked.message_channel.is_none() {
        return Err(TargetViolation::MessageChannel);
    }
    Ok(())
}

/// Whether each channel has a number of its own.
fn distinct(channels: &Channels) -> Result<(), TargetViolation> {
    let statics = channels.statics.iter().map(|channel| channel.id);
    let mut ids: Vec<u16> =
        [channels.user, channels.io].into_iter().chain(channels.message).chain(statics).collect();
    ids.sort_unstable();
    if ids.contains(&0) {
        return Err(TargetViolation::ChannelZero);
    }
    match ids.windows(2).find_map(|pair| if let [a, b] = pair { (a == b).then_some(*a) } else { None }) {
        Some(id) => Err(TargetViolation::ChannelTwice(id)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
