//! A target that follows a script.

use std::sync::atomic::{AtomicBool, Ordering};

use ironrdp_core::{decode, encode_vec};
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
use sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Username};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use crate::harness::{Certified, PASSWORD};

pub(crate) const USER: u16 = 1007;
pub(crate) const IO: u16 = 1003;
pub(crate) const MESSAGE: u16 = 1006;
pub(crate) const STATICS: [u16; 2] = [1004, 1005];

/// Where a target can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Confirm,
    Challenge,
    Proof,
    Authorization,
    Response,
    Attach,
    Join,
}

/// What it does there.
pub(crate) enum Deed {
    /// Sends the first half, then closes.
    Truncate,
    /// Sends the first half, then nothing.
    Stall,
    /// Sends these instead.
    Replace(Vec<u8>),
    /// Sends what this makes of it.
    Edit(fn(Vec<u8>) -> Vec<u8>),
}

/// A target.
pub(crate) struct Script {
    pub(crate) protocol: SecurityProtocol,
    pub(crate) flags: ResponseFlags,
    pub(crate) password: &'static str,
    pub(crate) credssp_version: u32,
    pub(crate) early_flags: ServerEarlyCapabilityFlags,
    pub(crate) deed: Option<(Step, Deed)>,
    /// Set when it has stalled.
    pub(crate) stalled: AtomicBool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            protocol: SecurityProtocol::HYBRID_EX,
            flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED,
            password: PASSWORD,
            credssp_version: 6,
            early_flags: ServerEarlyCapabilityFlags::empty(),
            deed: None,
            stalled: AtomicBool::new(false),
        }
    }
}

impl Script {
    pub(crate) fn doing(step: Step, deed: Deed) -> Self {
        Self { deed: Some((step, deed)), ..Self::default() }
    }
}

/// What the target has learned when the connection ends.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) request: Option<ConnectionRequest>,
    /// Messages of CredSSP.
    pub(crate) credssp: usize,
    /// Account and password.
    pub(crate) delegated: Option<(String, String)>,
    pub(crate) initial: Option<ConnectInitial>,
    pub(crate) joined: Vec<u16>,
    pub(crate) client_info: Option<Vec<u8>>,
}

/// Plays the target until the client leaves.
pub(crate) async fn serve(stream: DuplexStream, certified: &Certified, script: &Script) -> Seen {
    let mut seen = Seen::default();
    let mut target = Target { script, seen: &mut seen };
    // Every way out is the client's or the script's.
    let _ = target.serve(stream, certified).await;
    seen
}

type Played<T> = Result<T, Box<dyn std::error::Error>>;

struct Target<'a> {
    script: &'a Script,
    seen: &'a mut Seen,
}

impl Target<'_> {
    async fn serve(&mut self, stream: DuplexStream, certified: &Certified) -> Played<()> {
        let mut plain = Transport::plain(stream);
        let X224(request) = decode::<X224<ConnectionRequest>>(&tpkt(&mut plain).await?)?;
        self.seen.request = Some(request.clone());
        let confirm =
            ConnectionConfirm::Response { flags: self.script.flags, protocol: self.script.protocol };
        self.say(&mut plain, Step::Confirm, encode_vec(&X224(confirm))?).await?;
        let mut tls = accept(plain, certified.config.clone()).await?;
        if self.script.protocol != SecurityProtocol::SSL {
            self.credssp(&mut tls, &certified.public_key).await?;
        }
        if self.script.protocol == SecurityProtocol::HYBRID_EX {
            self.say(&mut tls, Step::Authorization, vec![0; 4]).await?;
        }
        self.mcs(&mut tls, request.protocol).await?;
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
        let half = bytes.len() / 2;
        match &self.script.deed {
            Some((at, deed)) if *at == step => match deed {
                Deed::Truncate => {
                    to.send(&bytes[..half]).await?;
                    return Err("truncated".into());
                }
                Deed::Stall => {
                    to.send(&bytes[..half]).await?;
                    self.script.stalled.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
                Deed::Replace(other) => to.send(other).await?,
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
            let request = TsRequest::from_buffer(&ts_request(tls).await?)?;
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
        let request = TsRequest::from_buffer(&ts_request(tls).await?)?;
        self.seen.credssp += 1;
        match server.process(request).resolve_to_result() {
            Ok(ServerState::Finished(identity)) => {
                let password: &String = identity.password.as_ref();
                self.seen.delegated = Some((identity.username.inner().to_owned(), password.clone()));
                Ok(())
            }
            other => Err(format!("{other:?}").into()),
        }
    }

    async fn mcs<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        tls: &mut Transport<S>,
        requested: SecurityProtocol,
    ) -> Played<()> {
        let bytes = tpkt(tls).await?;
        let X224(data) = decode::<X224<X224Data<'_>>>(&bytes)?;
        let initial: ConnectInitial = decode(&data.data)?;
        let skips = skips(&initial) && self.script.early_flags == SKIP;
        let response = connect_response(&initial, requested, self.script.early_flags);
        self.seen.initial = Some(initial);
        self.say(tls, Step::Response, response).await?;
        expect(tls, |message| matches!(message, McsMessage::ErectDomainRequest(_))).await?;
        expect(tls, |message| matches!(message, McsMessage::AttachUserRequest(_))).await?;
        let confirm = AttachUserConfirm { result: 0, initiator_id: USER };
        self.say(tls, Step::Attach, encode_vec(&X224(confirm))?).await?;
        if !skips {
            let message = self.seen.initial.as_ref().is_some_and(has_message_channel);
            for _ in 0..4 + usize::from(message) {
                self.join(tls).await?;
            }
        }
        let bytes = tpkt(tls).await?;
        let X224(McsMessage::SendDataRequest(data)) = decode::<X224<McsMessage<'_>>>(&bytes)? else {
            return Err("no data".into());
        };
        assert_eq!((data.initiator_id, data.channel_id), (USER, IO));
        self.seen.client_info = Some(data.user_data.to_vec());
        Ok(())
    }

    async fn join<S: AsyncRead + AsyncWrite + Unpin>(&mut self, tls: &mut Transport<S>) -> Played<()> {
        let bytes = tpkt(tls).await?;
        let X224(McsMessage::ChannelJoinRequest(join)) = decode::<X224<McsMessage<'_>>>(&bytes)? else {
            return Err("no join".into());
        };
        self.seen.joined.push(join.channel_id);
        let confirm = ChannelJoinConfirm {
            result: 0,
            initiator_id: join.initiator_id,
            requested_channel_id: join.channel_id,
            channel_id: join.channel_id,
        };
        self.say(tls, Step::Join, encode_vec(&X224(confirm))?).await
    }
}

pub(crate) const SKIP: ServerEarlyCapabilityFlags = ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED;

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
        conference_create_response: ConferenceCreateResponse::new(0x79f3, blocks).unwrap(),
        called_connect_id: 0,
        domain_parameters: DomainParameters::target(),
    };
    encode_vec(&X224(X224Data { data: encode_vec(&response).unwrap().into() })).unwrap()
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

pub(crate) fn encoded(request: &TsRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.encode_ts_request(&mut bytes).unwrap();
    bytes
}

async fn tpkt<S: AsyncRead + AsyncWrite + Unpin>(from: &mut Transport<S>) -> Played<Vec<u8>> {
    let mut bytes = from.receive(4).await?.to_vec();
    let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    bytes.extend_from_slice(&from.receive(len - 4).await?);
    Ok(bytes)
}

async fn ts_request<S: AsyncRead + AsyncWrite + Unpin>(from: &mut Transport<S>) -> Played<Vec<u8>> {
    let mut bytes = from.receive(2).await?.to_vec();
    bytes.extend_from_slice(&from.receive(usize::from(bytes[1].saturating_sub(0x80))).await?);
    let len = match bytes[2..] {
        [] => usize::from(bytes[1]),
        [low] => usize::from(low),
        [high, low] => usize::from(u16::from_be_bytes([high, low])),
        _ => return Err("too long".into()),
    };
    bytes.extend_from_slice(&from.receive(len).await?);
    Ok(bytes)
}

async fn expect<S: AsyncRead + AsyncWrite + Unpin>(
    from: &mut Transport<S>,
    due: fn(&McsMessage<'_>) -> bool,
) -> Played<()> {
    let bytes = tpkt(from).await?;
    let X224(message) = decode::<X224<McsMessage<'_>>>(&bytes)?;
    if due(&message) { Ok(()) } else { Err(format!("{message:?}").into()) }
}
