//! A target that follows a script.

use std::sync::atomic::{AtomicBool, Ordering};

use ironrdp_core::decode;
use ironrdp_pdu::gcc::{
    ClientEarlyCapabilityFlags, ConferenceCreateResponse, RdpVersion, ServerCoreData, ServerCoreOptionalData,
    ServerEarlyCapabilityFlags, ServerGccBlocks, ServerMessageChannelData, ServerNetworkData,
    ServerSecurityData,
};
use ironrdp_pdu::mcs::{
    AttachUserConfirm, ChannelJoinConfirm, ConnectInitial, ConnectResponse, DomainParameters, McsMessage,
};
use ironrdp_pdu::nego::{ConnectionConfirm, ConnectionRequest, ResponseFlags, SecurityProtocol};
use ironrdp_pdu::x224::{X224, X224Data};
use passerelle_transport::{Transport, accept};
use sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Username};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::Certified;
use crate::session::{LICENSE, UPDATE, demand_active, font_map, indication};
use crate::wire::{Played, bytes, encoded, read_pdu, read_tpkt, read_ts_request};

/// The MCS user that every client is.
pub const USER: u16 = 1007;
/// The I/O channel.
pub const IO: u16 = 1003;
/// The message channel.
pub const MESSAGE: u16 = 1006;
/// The static channels; clients have two.
pub const STATICS: [u16; 2] = [1004, 1005];

/// Where a target can go wrong, each named after what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// X.224 Connection Confirm.
    Confirm,
    /// CredSSP, NTLM's CHALLENGE.
    Challenge,
    /// CredSSP, the proof about the certificate.
    Proof,
    /// EarlyUserAuthResult.
    Authorization,
    /// MCS Connect Response.
    Response,
    /// MCS Attach User Confirm.
    Attach,
    /// MCS Channel Join Confirm, each.
    Join,
    /// The end of licensing.
    License,
    /// Demand Active.
    Demand,
    /// Behind Font Map; what is due is an empty update on the fast path.
    Session,
}

/// What it does there.
pub enum Deed {
    /// Sends the first half, then closes.
    Truncate,
    /// Sends the first half, then nothing.
    Stall,
    /// Sends the first half, closes its direction, and listens on.
    HalfClose,
    /// Sends these instead.
    Replace(Vec<u8>),
    /// Sends these instead, and zeros behind them for as long as they are taken.
    Flood(Vec<u8>),
    /// Sends what this makes of it.
    Edit(fn(Vec<u8>) -> Vec<u8>),
}

/// A target.
pub struct Script {
    /// What it chooses, whatever the client offers.
    pub protocol: SecurityProtocol,
    /// Flags of its X.224 Connection Confirm.
    pub flags: ResponseFlags,
    /// The password of every account.
    pub password: &'static str,
    /// The version of its CredSSP.
    pub credssp_version: u32,
    /// What it says of itself in its Connect Response.
    pub early_flags: ServerEarlyCapabilityFlags,
    /// What it does wrong.
    pub deed: Option<(Step, Deed)>,
    /// Whether there is a session behind Client Info: a share, and an empty update for every PDU that comes.
    pub shares: bool,
    /// Set when it has stalled.
    pub stalled: AtomicBool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            protocol: SecurityProtocol::HYBRID_EX,
            flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED,
            password: "correct horse",
            credssp_version: 6,
            early_flags: ServerEarlyCapabilityFlags::empty(),
            deed: None,
            shares: false,
            stalled: AtomicBool::new(false),
        }
    }
}

impl Script {
    /// A target without Network Level Authentication.
    pub fn tls() -> Self {
        Self { protocol: SecurityProtocol::SSL, ..Self::default() }
    }

    /// A target that does this at this step.
    pub fn doing(step: Step, deed: Deed) -> Self {
        Self { deed: Some((step, deed)), ..Self::default() }
    }
}

/// What the target has learned when the connection ends.
#[derive(Debug, Default)]
pub struct Seen {
    /// How the client began.
    pub request: Option<ConnectionRequest>,
    /// Messages of CredSSP.
    pub credssp: usize,
    /// Account and password.
    pub delegated: Option<(String, String)>,
    /// What the client says of itself.
    pub initial: Option<ConnectInitial>,
    /// The channels that it joined.
    pub joined: Vec<u16>,
    /// Its Client Info.
    pub client_info: Option<Vec<u8>>,
}

/// Plays the target until the client leaves.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    certified: &Certified,
    script: &Script,
) -> Seen {
    let mut seen = Seen::default();
    let mut target = Target { script, seen: &mut seen };
    // Every way out is the client's or the script's.
    let _ = target.serve(stream, certified).await;
    seen
}

struct Target<'a> {
    script: &'a Script,
    seen: &'a mut Seen,
}

impl Target<'_> {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: S,
        certified: &Certified,
    ) -> Played<()> {
        let mut plain = Transport::plain(stream);
        let pdu = read_tpkt(&mut plain).await?;
        let X224(request) = decode::<X224<ConnectionRequest>>(&pdu)?;
        self.seen.request = Some(request.clone());
        let confirm =
            ConnectionConfirm::Response { flags: self.script.flags, protocol: self.script.protocol };
        self.say(&mut plain, Step::Confirm, bytes(&X224(confirm))).await?;
        let mut tls = accept(plain, certified.config.clone()).await?;
        if self.script.protocol != SecurityProtocol::SSL {
            self.credssp(&mut tls, &certified.public_key).await?;
        }
        if self.script.protocol == SecurityProtocol::HYBRID_EX {
            self.say(&mut tls, Step::Authorization, vec![0; 4]).await?;
        }
        self.mcs(&mut tls, request.protocol).await?;
        if self.script.shares {
            return self.share(&mut tls).await;
        }
        // Whatever comes now is too much.
        tls.receive(1).await?;
        panic!("the client goes on after Client Info");
    }

    async fn say<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        to: &mut Transport<S>,
        step: Step,
        bytes: Vec<u8>,
    ) -> Played<()> {
        let half = &bytes[..bytes.len() / 2];
        match &self.script.deed {
            Some((at, deed)) if *at == step => match deed {
                Deed::Truncate => {
                    to.send(half).await?;
                    return Err("truncated".into());
                }
                Deed::Stall => {
                    to.send(half).await?;
                    self.script.stalled.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
                Deed::HalfClose => {
                    to.send(half).await?;
                    to.shutdown().await?;
                    while to.read(&mut [0; 4096]).await? > 0 {}
                    return Err("closed by halves".into());
                }
                Deed::Replace(other) => to.send(other).await?,
                Deed::Flood(head) => {
                    to.send(head).await?;
                    loop {
                        to.send(&[0; 16 * 1024]).await?;
                    }
                }
                Deed::Edit(edit) => to.send(&edit(bytes)).await?,
            },
            _ => to.send(&bytes).await?,
        }
        Ok(())
    }

    async fn credssp<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        tls: &mut Transport<S>,
        public_key: &[u8],
    ) -> Played<()> {
        let mut server = CredSspServer::new_with_version(
            public_key.to_vec(),
            Accounts(self.script.password),
            self.script.credssp_version,
            ServerMode::Ntlm(NtlmConfig::new("FRONT-DESK".into())),
        )?;
        for step in [Step::Challenge, Step::Proof] {
            let request = read_ts_request(tls).await?;
            self.seen.credssp += 1;
            let reply = match server.process(request).resolve_to_result() {
                Ok(ServerState::ReplyNeeded(reply)) => reply,
                Ok(ServerState::Finished(_)) => return Err("finished early".into()),
                Err(error) => {
                    let reply = error.ts_request.ok_or("no reply")?;
                    tls.send(&encoded(&reply)).await?;
                    // The client has seen why before the connection ends.
                    tls.receive(1).await?;
                    return Err(error.error.into());
                }
            };
            self.say(tls, step, encoded(&reply)).await?;
        }
        let request = read_ts_request(tls).await?;
        self.seen.credssp += 1;
        match server.process(request).resolve_to_result() {
            Ok(ServerState::Finished(identity)) => {
                let password: &String = identity.password.as_ref();
                self.seen.delegated = Some((identity.username.inner().to_owned(), password.clone()));
                Ok(())
            }
            Ok(ServerState::ReplyNeeded(_)) => Err("another message of CredSSP".into()),
            Err(error) => Err(error.error.into()),
        }
    }

    async fn mcs<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        tls: &mut Transport<S>,
        requested: SecurityProtocol,
    ) -> Played<()> {
        let pdu = read_tpkt(tls).await?;
        let X224(data) = decode::<X224<X224Data<'_>>>(&pdu)?;
        let initial: ConnectInitial = decode(&data.data)?;
        let skips = skips(&initial) && self.script.early_flags == SKIP;
        let response = connect_response(&initial, requested, self.script.early_flags);
        self.seen.initial = Some(initial);
        self.say(tls, Step::Response, response).await?;
        expect(tls, |message| matches!(message, McsMessage::ErectDomainRequest(_))).await?;
        expect(tls, |message| matches!(message, McsMessage::AttachUserRequest(_))).await?;
        let confirm = AttachUserConfirm { result: 0, initiator_id: USER };
        self.say(tls, Step::Attach, bytes(&X224(confirm))).await?;
        if !skips {
            let message = self.seen.initial.as_ref().is_some_and(has_message_channel);
            for _ in 0..4 + usize::from(message) {
                self.join(tls).await?;
            }
        }
        let pdu = read_tpkt(tls).await?;
        let X224(McsMessage::SendDataRequest(data)) = decode::<X224<McsMessage<'_>>>(&pdu)? else {
            return Err("no data".into());
        };
        assert_eq!((data.initiator_id, data.channel_id), (USER, IO));
        self.seen.client_info = Some(data.user_data.to_vec());
        Ok(())
    }

    async fn join<S: AsyncRead + AsyncWrite + Unpin>(&mut self, tls: &mut Transport<S>) -> Played<()> {
        let pdu = read_tpkt(tls).await?;
        let X224(McsMessage::ChannelJoinRequest(join)) = decode::<X224<McsMessage<'_>>>(&pdu)? else {
            return Err("no join".into());
        };
        self.seen.joined.push(join.channel_id);
        let confirm = ChannelJoinConfirm {
            result: 0,
            initiator_id: join.initiator_id,
            requested_channel_id: join.channel_id,
            channel_id: join.channel_id,
        };
        self.say(tls, Step::Join, bytes(&X224(confirm))).await
    }

    /// A session in which nothing is ever drawn. The finalization takes what the client sends as it comes.
    async fn share<S: AsyncRead + AsyncWrite + Unpin>(&mut self, tls: &mut Transport<S>) -> Played<()> {
        self.say(tls, Step::License, indication(IO, &LICENSE)).await?;
        self.say(tls, Step::Demand, indication(IO, &demand_active())).await?;
        while !is_confirm_active(&read_pdu(tls).await?) {}
        tls.send(&indication(IO, &font_map())).await?;
        if matches!(self.script.deed, Some((Step::Session, _))) {
            self.say(tls, Step::Session, UPDATE.to_vec()).await?;
        }
        loop {
            read_pdu(tls).await?;
            tls.send(&UPDATE).await?;
        }
    }
}

/// Whether this is Confirm Active, by its `pduType` (MS-RDPBCGR 2.2.8.1.1.1.1).
fn is_confirm_active(pdu: &[u8]) -> bool {
    let Ok(X224(McsMessage::SendDataRequest(data))) = decode::<X224<McsMessage<'_>>>(pdu) else {
        return false;
    };
    data.user_data.get(2..4) == Some(&[0x13, 0])
}

/// A target that needs no joins.
pub const SKIP: ServerEarlyCapabilityFlags = ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED;

fn skips(initial: &ConnectInitial) -> bool {
    let core = &initial.conference_create_request.gcc_blocks().core;
    core.optional_data
        .early_capability_flags
        .is_some_and(|flags| flags.contains(ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN))
}

fn has_message_channel(initial: &ConnectInitial) -> bool {
    initial.conference_create_request.gcc_blocks().message_channel.is_some()
}

/// The answer of a well-behaved target.
fn connect_response(
    initial: &ConnectInitial,
    requested: SecurityProtocol,
    early_flags: ServerEarlyCapabilityFlags,
) -> Vec<u8> {
    let blocks = ServerGccBlocks {
        core: ServerCoreData {
            version: RdpVersion::V10_12,
            optional_data: ServerCoreOptionalData {
                client_requested_protocols: Some(requested),
                early_capability_flags: Some(early_flags),
            },
        },
        network: ServerNetworkData { io_channel: IO, channel_ids: STATICS.to_vec() },
        security: ServerSecurityData::no_security(),
        message_channel: has_message_channel(initial)
            .then_some(ServerMessageChannelData { mcs_message_channel_id: MESSAGE }),
        multi_transport_channel: None,
    };
    let response = ConnectResponse {
        conference_create_response: ConferenceCreateResponse::new(0x79f3, blocks).expect("short blocks"),
        called_connect_id: 0,
        domain_parameters: DomainParameters::target(),
    };
    bytes(&X224(X224Data { data: bytes(&response).into() }))
}

/// Looks every account up in the same place.
struct Accounts(&'static str);

impl CredentialsProxy for Accounts {
    type AuthenticationData = AuthIdentity;

    fn auth_data_by_user(&mut self, username: &Username) -> std::io::Result<AuthIdentity> {
        Ok(AuthIdentity { username: username.clone(), password: self.0.to_owned().into() })
    }

    fn auth_data(&mut self) -> std::io::Result<Vec<AuthIdentity>> {
        Ok(Vec::new())
    }
}

async fn expect<S: AsyncRead + AsyncWrite + Unpin>(
    from: &mut Transport<S>,
    due: fn(&McsMessage<'_>) -> bool,
) -> Played<()> {
    let pdu = read_tpkt(from).await?;
    let X224(message) = decode::<X224<McsMessage<'_>>>(&pdu)?;
    if due(&message) { Ok(()) } else { Err(format!("{message:?}").into()) }
}
