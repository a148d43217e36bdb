//! A client that goes up to a step of the connection sequence and stops there.

use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::mcs::{AttachUserRequest, ChannelJoinRequest, McsMessage};
use ironrdp_pdu::nego::SecurityProtocol;
use ironrdp_pdu::x224::X224;
use passerelle_transport::Transport;
use sspi::credssp::{ClientState, TsRequest};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::client::{Client, ERECT, Wrapping, client_info, connection_request, read_connect_response};
use crate::session::{self, KEY, confirm_active};
use crate::wire::{Played, bytes, encoded, read_pdu, read_tpkt, read_ts_request};
use crate::{client_blocks, connect_initial};

/// The client's steps (MS-RDPBCGR 1.3.1.1), each named after what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// X.224 Connection Request.
    Request,
    /// TLS ClientHello.
    Tls,
    /// CredSSP, first token.
    Negotiate,
    /// CredSSP, NTLM's AUTHENTICATE.
    Authenticate,
    /// CredSSP, credentials.
    Delegate,
    /// MCS Connect Initial.
    Greet,
    /// MCS Erect Domain Request.
    Erect,
    /// MCS Attach User Request.
    Attach,
    /// MCS Channel Join Request, the first.
    Join,
    /// Client Info.
    Info,
    /// A message of licensing, where the client owes none.
    License,
    /// Confirm Active.
    Confirm,
    /// Input on the fast path.
    Session,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Self; 13] = [
        Self::Request,
        Self::Tls,
        Self::Negotiate,
        Self::Authenticate,
        Self::Delegate,
        Self::Greet,
        Self::Erect,
        Self::Attach,
        Self::Join,
        Self::Info,
        Self::License,
        Self::Confirm,
        Self::Session,
    ];
}

/// A client that has come to its step.
pub struct Walker<S> {
    /// Its connection.
    pub transport: Transport<S>,
    /// What it has to send now.
    pub due: Vec<u8>,
    /// Its MCS user, once it has one.
    pub user: u16,
    /// The I/O channel, once it knows.
    pub io: u16,
    /// The static channels, once it knows, in the order of their names.
    pub statics: Vec<u16>,
}

/// The first half of a ClientHello is as good as any.
const CLIENT_HELLO: [u8; 32] = [
    0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
    20, 21,
];

/// A License message of clients: CLIENT_NEW_LICENSE_REQUEST (MS-RDPELE 2.2.2.2) without its content.
const NEW_LICENSE: [u8; 8] = [0x80, 0, 0, 0, 0x13, 3, 4, 0];

/// Goes up to `step` with Network Level Authentication, as `user` with this secret and these channels.
///
/// # Errors
/// The server left or refused something on the way.
pub async fn walk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    (user, secret): (&str, &str),
    channels: &[&str],
    step: Step,
) -> Played<Walker<S>> {
    let plain = |stream, due| Walker {
        transport: Transport::plain(stream),
        due,
        user: 0,
        io: 0,
        statics: Vec::new(),
    };
    let request = connection_request(SecurityProtocol::HYBRID, None);
    match step {
        Step::Request => return Ok(plain(stream, request)),
        Step::Tls => {
            stream.write_all(&request).await?;
            read_tpkt(&mut stream).await?;
            return Ok(plain(stream, CLIENT_HELLO.to_vec()));
        }
        _ => {}
    }
    let mut client = Client::secure(stream, SecurityProtocol::HYBRID).await?;
    let mut login = client.credssp(user, secret, Wrapping::Bare, 6);
    let mut received = TsRequest::default();
    for here in [Step::Negotiate, Step::Authenticate, Step::Delegate] {
        let (request, last) = match login.process(received).resolve_to_result()? {
            ClientState::ReplyNeeded(request) => (request, false),
            ClientState::FinalMessage(request) => (request, true),
        };
        if step == here {
            return Ok(secured(client, encoded(&request)));
        }
        client.send_ts_request(&request).await?;
        if last {
            break;
        }
        received = read_ts_request(&mut client.transport).await?;
    }
    let greeting = connect_initial(client_blocks(channels, ClientEarlyCapabilityFlags::SUPPORT_ERR_INFO_PDU));
    if step == Step::Greet {
        return Ok(secured(client, greeting));
    }
    client.transport.send(&greeting).await?;
    let answer = read_connect_response(&mut client.transport).await?;
    let (io, statics) = (answer.network.io_channel, answer.network.channel_ids);
    if step == Step::Erect {
        return Ok(secured(client, bytes(&X224(McsMessage::ErectDomainRequest(ERECT)))));
    }
    client.send_mcs(McsMessage::ErectDomainRequest(ERECT)).await?;
    let attach = McsMessage::AttachUserRequest(AttachUserRequest);
    if step == Step::Attach {
        return Ok(secured(client, bytes(&X224(attach))));
    }
    client.send_mcs(attach).await?;
    let initiator_id = client.attached().await?;
    if step == Step::Join {
        let join = ChannelJoinRequest { initiator_id, channel_id: io };
        return Ok(secured(client, bytes(&X224(McsMessage::ChannelJoinRequest(join)))));
    }
    let message = answer.message_channel.map(|channel| channel.mcs_message_channel_id);
    for channel_id in [initiator_id, io].into_iter().chain(statics.iter().copied()).chain(message) {
        client.join(initiator_id, channel_id).await?;
    }
    let info = session::request(initiator_id, io, &client_info(user, secret));
    let mut walker = Walker { transport: client.transport, due: info, user: initiator_id, io, statics };
    walker.on(step).await?;
    Ok(walker)
}

fn secured<S>(client: Client<S>, due: Vec<u8>) -> Walker<S> {
    Walker { transport: client.transport, due, user: 0, io: 0, statics: Vec::new() }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Walker<S> {
    /// Goes on from Client Info, which is due.
    async fn on(&mut self, step: Step) -> Played<()> {
        if step == Step::Info {
            return Ok(());
        }
        self.say_due(session::request(self.user, self.io, &NEW_LICENSE)).await?;
        if step == Step::License {
            return Ok(());
        }
        // Licensing, then Demand Active.
        for _ in 0..2 {
            let pdu = read_tpkt(&mut self.transport).await?;
            if let Some(code) = session::error_info(&pdu) {
                return Err(format!("refused with {code:#x}").into());
            }
        }
        self.due = session::request(self.user, self.io, &confirm_active(self.user));
        if step == Step::Confirm {
            return Ok(());
        }
        self.say_due(KEY.to_vec()).await?;
        // Font Map
        read_tpkt(&mut self.transport).await?;
        Ok(())
    }

    /// Says what is due, and what is due next.
    async fn say_due(&mut self, next: Vec<u8>) -> std::io::Result<()> {
        let due = std::mem::replace(&mut self.due, next);
        self.transport.send(&due).await
    }

    /// Reads until the server hangs up. Gives the last reason that it told with Set Error Info, if it did.
    pub async fn until_closed(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Ok(pdu) = read_pdu(&mut self.transport).await {
            reason = session::error_info(&pdu).or(reason);
        }
        reason
    }
}
