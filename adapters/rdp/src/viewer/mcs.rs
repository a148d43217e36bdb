//! The connection sequence within MCS (MS-RDPBCGR 1.3.1.1), up to Client Info.

use ironrdp_core::decode;
use ironrdp_pdu::mcs::{
    AttachUserConfirm, ChannelJoinConfirm, ChannelJoinRequest, ConnectInitial, DisconnectProviderUltimatum,
    DisconnectReason, McsMessage, SendDataIndication,
};
use ironrdp_pdu::x224::{X224, X224Data};
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::opening::Chosen;
use super::{ViewerError, info};
use crate::error_info::{SERVER, VALID_CLIENT, set_error_info};
use crate::wire::{read_tpkt, x224};
use crate::{Channels, ClientHello, ClientInfo};

/// The longest Connect Initial, in bytes; one with 31 channels and 16 monitors has about 1,200.
const LONGEST_CONNECT_INITIAL: usize = 16 * 1024;

/// The longest message up to Client Info, in bytes. That has five strings of at most 512 bytes, and some.
const LONGEST_MESSAGE: usize = 8 * 1024;

/// More messages than that the sequence does not have: every channel is joined once.
const MOST_MESSAGES: usize = 64;

/// `rt-successful` (T.125)
const SUCCESSFUL: u8 = 0;

/// Reads what the client says of itself.
pub(super) async fn read_hello<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    chosen: Chosen,
) -> Result<ClientHello, ViewerError> {
    let bytes = read_tpkt(transport, LONGEST_CONNECT_INITIAL).await?;
    Ok(ClientHello {
        connect_initial: connect_initial(&bytes)?,
        requested: chosen.requested,
        selected: chosen.selected,
    })
}

fn connect_initial(tpkt: &[u8]) -> Result<ConnectInitial, ViewerError> {
    decode::<X224<X224Data<'_>>>(tpkt)
        .and_then(|X224(data)| decode(&data.data))
        .map_err(|error| ViewerError::malformed("MCS Connect Initial", &error))
}

/// Attaches the client's user and joins its channels, with or without it asking for each one, until Client Info
/// comes.
pub(super) async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    channels: &Channels,
) -> Result<ClientInfo, ViewerError> {
    let mut attached = false;
    for _ in 0..MOST_MESSAGES {
        let bytes = read_tpkt(transport, LONGEST_MESSAGE).await?;
        let message = decode::<X224<McsMessage<'_>>>(&bytes)
            .map_err(|error| ViewerError::malformed("MCS message", &error))?;
        match message.0 {
            McsMessage::ErectDomainRequest(_) => {}
            McsMessage::AttachUserRequest(_) if !attached => {
                attached = true;
                let confirm = AttachUserConfirm { result: SUCCESSFUL, initiator_id: channels.user };
                send(transport, McsMessage::AttachUserConfirm(confirm)).await?;
            }
            McsMessage::ChannelJoinRequest(join) if attached => {
                let confirm = joined(&join, channels)?;
                send(transport, McsMessage::ChannelJoinConfirm(confirm)).await?;
            }
            McsMessage::SendDataRequest(data)
                if attached && data.channel_id == channels.io && info::is_client_info(&data.user_data) =>
            {
                return Ok(ClientInfo { user_data: Zeroizing::new(data.user_data.to_vec()) });
            }
            McsMessage::DisconnectProviderUltimatum(_) => return Err(ViewerError::Disconnected),
            other => return Err(ViewerError::OutOfTurn(name(&other))),
        }
    }
    Err(ViewerError::Endless)
}

fn joined(join: &ChannelJoinRequest, channels: &Channels) -> Result<ChannelJoinConfirm, ViewerError> {
    let known = [Some(channels.user), Some(channels.io), channels.message].contains(&Some(join.channel_id))
        || channels.statics.iter().any(|channel| channel.id == join.channel_id);
    if !known || join.initiator_id != channels.user {
        return Err(ViewerError::UnknownChannel(join.channel_id));
    }
    Ok(ChannelJoinConfirm {
        result: SUCCESSFUL,
        initiator_id: join.initiator_id,
        requested_channel_id: join.channel_id,
        channel_id: join.channel_id,
    })
}

fn name(message: &McsMessage<'_>) -> &'static str {
    match message {
        McsMessage::ErectDomainRequest(_) => "Erect Domain Request",
        McsMessage::AttachUserRequest(_) => "Attach User Request",
        McsMessage::AttachUserConfirm(_) => "Attach User Confirm",
        McsMessage::ChannelJoinRequest(_) => "Channel Join Request",
        McsMessage::ChannelJoinConfirm(_) => "Channel Join Confirm",
        McsMessage::SendDataRequest(_) => "Send Data Request",
        McsMessage::SendDataIndication(_) => "Send Data Indication",
        McsMessage::DisconnectProviderUltimatum(_) => "Disconnect Provider Ultimatum",
    }
}

/// Ends a connection after Client Info: tells the client that its license is valid, so that it comes to where it
/// understands errors, then what is wrong if `error_info` says so, and that it is over.
pub(super) async fn dismiss<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    channels: &Channels,
    error_info: Option<u32>,
) -> Result<(), ViewerError> {
    indicate(transport, channels, &VALID_CLIENT).await?;
    if let Some(code) = error_info {
        indicate(transport, channels, &set_error_info(0, code)).await?;
    }
    let reason = DisconnectReason::ProviderInitiated;
    let ultimatum = DisconnectProviderUltimatum::from_reason(reason);
    send(transport, McsMessage::DisconnectProviderUltimatum(ultimatum)).await
}

async fn indicate<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    channels: &Channels,
    user_data: &[u8],
) -> Result<(), ViewerError> {
    let data =
        SendDataIndication { initiator_id: SERVER, channel_id: channels.io, user_data: user_data.into() };
    send(transport, McsMessage::SendDataIndication(data)).await
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    message: McsMessage<'_>,
) -> Result<(), ViewerError> {
    let bytes = x224(message).map_err(|error| ViewerError::Answer(error.to_string()))?;
    transport.send(&bytes).await.map_err(ViewerError::io)
}
