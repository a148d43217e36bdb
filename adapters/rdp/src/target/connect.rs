//! The MCS connection to a target: from Connect Initial to Client Info (MS-RDPBCGR 1.3.1.1, steps 2 to 5).

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::mcs::{
    AttachUserConfirm, AttachUserRequest, ChannelJoinConfirm, ChannelJoinRequest,
    DisconnectProviderUltimatum, ErectDomainPdu, SendDataRequest,
};
use ironrdp_pdu::x224::X224;
use passerelle_transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::{
    Authenticated, ConnectOptions, TargetCredentials, TargetError, TargetFacts, TargetViolation, client_info,
    connect_initial, connect_response,
};
use crate::wire::{read_tpkt, x224};
use crate::{ClientHello, ClientInfo, ServerHello};

/// The longest Connect Response that is accepted.
const RESPONSE_LIMIT: usize = 16 * 1024;
/// The longest confirmation that is accepted; the longest that is needed has 15 bytes.
const CONFIRM_LIMIT: usize = 256;

impl<S: AsyncRead + AsyncWrite + Unpin> Authenticated<S> {
    /// What was negotiated.
    pub const fn facts(&self) -> TargetFacts {
        self.facts
    }

    /// Makes the MCS connection that the viewer asks for: its Connect Initial with the edits that the gateway
    /// needs, its user attached, its channels joined.
    ///
    /// # Errors
    /// The target went away, broke the protocol or refused; or the viewer's hello is too long.
    pub async fn connect(
        mut self,
        hello: &ClientHello,
        options: ConnectOptions,
    ) -> Result<TargetLeg<S>, TargetError> {
        const DOING: &str = "connecting";
        let asked = connect_initial::blocks(hello, &self.selected, options);
        let skips_joins = asked
            .core
            .optional_data
            .early_capability_flags
            .is_some_and(|flags| flags.contains(ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN));
        let initial = connect_initial::encode(hello, asked.clone())?;
        send(&mut self.transport, &initial, DOING).await?;
        let response = receive(&mut self.transport, RESPONSE_LIMIT, DOING).await?;
        let accepted = connect_response::parse(&response, self.requested, &asked)?;
        let skips_joins = skips_joins && accepted.skips_joins();
        let user = self.attach_user().await?;
        let hello = accepted.complete(user)?;
        if !skips_joins {
            self.join(&hello).await?;
        }
        Ok(TargetLeg { transport: self.transport, hello, facts: self.facts, options })
    }

    /// MCS Erect Domain Request and Attach User (MS-RDPBCGR 2.2.1.5 to 2.2.1.7): gives the user's channel.
    async fn attach_user(&mut self) -> Result<u16, TargetError> {
        const DOING: &str = "attaching the user";
        const PDU: &str = "MCS Attach User Confirm";
        let erect = x224(ErectDomainPdu { sub_height: 0, sub_interval: 0 }).map_err(TargetError::Encode)?;
        send(&mut self.transport, &erect, DOING).await?;
        let attach = x224(AttachUserRequest).map_err(TargetError::Encode)?;
        send(&mut self.transport, &attach, DOING).await?;
        let bytes = receive(&mut self.transport, CONFIRM_LIMIT, DOING).await?;
        refused(&bytes, ATTACH_USER_CONFIRM, "to attach a user")?;
        match decode::<X224<AttachUserConfirm>>(&bytes) {
            Ok(X224(confirm)) => Ok(confirm.initiator_id),
            Err(error) if choice(&bytes) == Some(ATTACH_USER_CONFIRM) => {
                Err(TargetViolation::malformed(PDU, &error).into())
            }
            Err(_) => Err(unexpected(&bytes, PDU, DOING)),
        }
    }

    /// MCS Channel Join, one channel after the other (MS-RDPBCGR 2.2.1.8, 2.2.1.9).
    async fn join(&mut self, hello: &ServerHello) -> Result<(), TargetError> {
        const DOING: &str = "joining the channels";
        const PDU: &str = "MCS Channel Join Confirm";
        let channels = &hello.channels;
        let statics = channels.statics.iter().map(|channel| channel.id);
        for id in [channels.user, channels.io].into_iter().chain(channels.message).chain(statics) {
            let request = ChannelJoinRequest { initiator_id: channels.user, channel_id: id };
            let request = x224(request).map_err(TargetError::Encode)?;
            send(&mut self.transport, &request, DOING).await?;
            let bytes = receive(&mut self.transport, CONFIRM_LIMIT, DOING).await?;
            refused(&bytes, CHANNEL_JOIN_CONFIRM, "to let a channel be joined")?;
            let X224(confirm) = match decode::<X224<ChannelJoinConfirm>>(&bytes) {
                Ok(confirm) => confirm,
                Err(error) if choice(&bytes) == Some(CHANNEL_JOIN_CONFIRM) => {
                    return Err(TargetViolation::malformed(PDU, &error).into());
                }
                Err(_) => return Err(unexpected(&bytes, PDU, DOING)),
            };
            if confirm.channel_id != id || confirm.initiator_id != channels.user {
                let (user, got) = (confirm.initiator_id, confirm.channel_id);
                return Err(TargetViolation::Joined { user, asked: id, got }.into());
            }
        }
        Ok(())
    }
}

/// A target that waits for Client Info, then for the session.
#[derive(Debug)]
pub struct TargetLeg<S> {
    /// The stream.
    pub transport: Transport<S>,
    /// What the target answered, and its channels.
    pub hello: ServerHello,
    /// What was negotiated.
    pub facts: TargetFacts,
    options: ConnectOptions,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TargetLeg<S> {
    /// Sends the viewer's Client Info (MS-RDPBCGR 2.2.1.11) with the target's credentials in the place of the
    /// viewer's, and gives it back without any: the user data of an MCS Send Data Request, for the recording.
    ///
    /// The viewer's shell, working directory and RemoteApp flags pass only with [`ConnectOptions::programs`].
    /// The viewer's own network address is withheld, and so is an auto-reconnect cookie, with which it would
    /// reconnect to a session without anyone's leave. Its wish for bulk compression passes unless updates must be
    /// plain ([`ConnectOptions::plain_updates`]); time zone and all else pass.
    ///
    /// # Errors
    /// The target went away, the viewer's PDU is malformed, or the credentials cannot be written as it asks.
    pub async fn send_client_info(
        &mut self,
        viewer: &ClientInfo,
        credentials: &TargetCredentials,
    ) -> Result<Vec<u8>, TargetError> {
        credentials.check()?;
        let rewritten = client_info::rewrite(&viewer.user_data, credentials, self.options)?;
        let request = SendDataRequest {
            initiator_id: self.hello.channels.user,
            channel_id: self.hello.channels.io,
            user_data: rewritten.user_data.as_slice().into(),
        };
        let request = Zeroizing::new(encode_vec(&X224(request)).map_err(TargetError::Encode)?);
        send(&mut self.transport, &request, "sending the credentials").await?;
        Ok(rewritten.redacted)
    }
}

/// T.125 `DomainMCSPDU`, the choices that are looked at before decoding.
const DISCONNECT_PROVIDER_ULTIMATUM: u8 = 8;
const ATTACH_USER_CONFIRM: u8 = 11;
const CHANNEL_JOIN_CONFIRM: u8 = 15;

/// What the X.224 Data TPDU holds.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(7..)
}

fn choice(bytes: &[u8]) -> Option<u8> {
    payload(bytes)?.first().map(|first| first >> 2)
}

/// A confirmation that is a refusal. It lacks what the decoder expects of a success.
fn refused(bytes: &[u8], confirm: u8, what: &'static str) -> Result<(), TargetError> {
    match payload(bytes) {
        Some([first, result, ..]) if first >> 2 == confirm && *result != 0 => {
            Err(TargetError::Mcs { what, result: *result })
        }
        _ => Ok(()),
    }
}

/// What to make of a PDU that is not `due`: a good-bye, or a violation.
pub(super) fn unexpected(bytes: &[u8], due: &'static str, doing: &'static str) -> TargetError {
    if choice(bytes) == Some(DISCONNECT_PROVIDER_ULTIMATUM)
        && let Ok(X224(ultimatum)) = decode::<X224<DisconnectProviderUltimatum>>(bytes)
    {
        return TargetError::Disconnected { doing, reason: ultimatum.reason.description() };
    }
    TargetViolation::Unexpected { due, got: choice(bytes) }.into()
}

async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    bytes: &[u8],
    doing: &'static str,
) -> Result<(), TargetError> {
    transport.send(bytes).await.map_err(|error| TargetError::io(error, doing))
}

async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    limit: usize,
    doing: &'static str,
) -> Result<Zeroizing<Vec<u8>>, TargetError> {
    read_tpkt(transport, limit).await.map_err(|error| TargetError::wire(error, doing))
}
