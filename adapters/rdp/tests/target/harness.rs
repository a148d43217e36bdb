//! What the tests share: certificates, a viewer's hello, and a target that follows a script.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::gcc::{
    ChannelDef, ChannelName, ChannelOptions, ClientCoreData, ClientCoreOptionalData,
    ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientNetworkData,
    ClientSecurityData, ColorDepth, ConferenceCreateResponse, ConnectionType, HighColorDepth, KeyboardType,
    MultiTransportChannelData, MultiTransportFlags, RdpVersion, SecureAccessSequence, ServerCoreData,
    ServerCoreOptionalData, ServerEarlyCapabilityFlags, ServerGccBlocks, ServerMessageChannelData,
    ServerNetworkData, ServerSecurityData, SupportedColorDepths,
};
use ironrdp_pdu::mcs::{
    AttachUserConfirm, ChannelJoinConfirm, ConnectInitial, ConnectResponse, DomainParameters, McsMessage,
};
use ironrdp_pdu::nego::{ConnectionConfirm, ConnectionRequest, ResponseFlags, SecurityProtocol};
use ironrdp_pdu::rdp::ClientInfoPdu;
use ironrdp_pdu::rdp::client_info::{
    AddressFamily, ClientInfo as InfoPacket, ClientInfoFlags, CompressionType, Credentials,
    ExtendedClientInfo, ExtendedClientOptionalInfo,
};
use ironrdp_pdu::rdp::headers::{BasicSecurityHeader, BasicSecurityHeaderFlags};
use ironrdp_pdu::x224::{X224, X224Data};
use passerelle_rdp::target::{
    self, ConnectOptions, TargetCredentials, TargetError, TargetLeg, TargetSecurity, TargetSettings,
};
use passerelle_rdp::{ClientHello, ClientInfo};
use passerelle_transport::{Transport, accept};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Username};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

pub(crate) const NAME: &str = "front-desk.example";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const TICKET: &str = "7K2M-9QXZ-4HTW-PN6B";
/// The viewer's right to come back to a session.
pub(crate) const COOKIE: [u8; 28] = [0xc5; 28];
pub(crate) const USER: u16 = 1007;
pub(crate) const IO: u16 = 1003;
pub(crate) const MESSAGE: u16 = 1006;
pub(crate) const STATICS: [u16; 2] = [1004, 1005];

/// A second in 2030, within the validity that rcgen gives by default (1975 to 4096).
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

/// A server certificate and the authority that issued it.
pub(crate) struct Certified {
    pub(crate) config: Arc<rustls::ServerConfig>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) roots: Arc<RootCertStore>,
}

pub(crate) fn certified() -> Certified {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "Authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Certified { config: Arc::new(config), public_key: key.der_bytes().to_vec(), roots: Arc::new(roots) }
}

pub(crate) fn settings(certified: &Certified) -> TargetSettings {
    TargetSettings {
        security: TargetSecurity::STRONGEST_FIRST.to_vec(),
        server_name: NAME.into(),
        roots: certified.roots.clone(),
        now: now(),
        client_name: "GATEWAY".into(),
        has_credentials: true,
    }
}

pub(crate) fn credentials() -> TargetCredentials {
    TargetCredentials {
        username: Some("alice".into()),
        password: Some(PASSWORD.to_owned().into()),
        domain: Some("CORP".into()),
    }
}

pub(crate) const OPTIONS: ConnectOptions = ConnectOptions { message_channel: true, programs: false };

/// What a viewer says that wants NLA, two channels, a message channel and UDP.
pub(crate) fn client_hello() -> ClientHello {
    let channel = |name: &'static [u8; 8]| ChannelDef {
        name: ChannelName::from_static(name),
        options: ChannelOptions::INITIALIZED,
    };
    let blocks = ClientGccBlocks {
        core: ClientCoreData {
            version: RdpVersion::V10_12,
            desktop_width: 1280,
            desktop_height: 720,
            color_depth: ColorDepth::Bpp8,
            sec_access_sequence: SecureAccessSequence::Del,
            keyboard_layout: 0x409,
            client_build: 2600,
            client_name: "technician".into(),
            keyboard_type: KeyboardType::IBM_ENHANCED,
            keyboard_subtype: 0,
            keyboard_functional_keys_count: 12,
            ime_file_name: String::new(),
            optional_data: ClientCoreOptionalData {
                post_beta2_color_depth: Some(ColorDepth::Bpp8),
                client_product_id: Some(1),
                serial_number: Some(0),
                high_color_depth: Some(HighColorDepth::Bpp24),
                supported_color_depths: Some(SupportedColorDepths::BPP32 | SupportedColorDepths::BPP24),
                early_capability_flags: Some(
                    ClientEarlyCapabilityFlags::VALID_CONNECTION_TYPE
                        | ClientEarlyCapabilityFlags::SUPPORT_ERR_INFO_PDU
                        | ClientEarlyCapabilityFlags::WANT_32_BPP_SESSION
                        | ClientEarlyCapabilityFlags::SUPPORT_NET_CHAR_AUTODETECT
                        | ClientEarlyCapabilityFlags::SUPPORT_HEART_BEAT_PDU,
                ),
                dig_product_id: Some(String::new()),
                connection_type: Some(ConnectionType::Lan),
                server_selected_protocol: Some(SecurityProtocol::HYBRID),
                ..ClientCoreOptionalData::default()
            },
        },
        security: ClientSecurityData::no_security(),
        network: Some(ClientNetworkData { channels: vec![channel(b"rdpdr\0\0\0"), channel(b"cliprdr\0")] }),
        cluster: None,
        monitor: None,
        message_channel: Some(ClientMessageChannelData),
        multi_transport_channel: Some(MultiTransportChannelData {
            flags: MultiTransportFlags::TRANSPORT_TYPE_UDP_FECR,
        }),
        monitor_extended: None,
    };
    ClientHello {
        connect_initial: ConnectInitial::with_gcc_blocks(blocks).unwrap(),
        requested: SecurityProtocol::SSL | SecurityProtocol::HYBRID,
        selected: SecurityProtocol::HYBRID,
    }
}

/// The Client Info of a viewer whose secret is [`TICKET`].
pub(crate) fn client_info() -> ClientInfo {
    let pdu = ClientInfoPdu {
        security_header: BasicSecurityHeader { flags: BasicSecurityHeaderFlags::INFO_PKT },
        client_info: InfoPacket {
            credentials: Credentials {
                username: "bob:front-desk".into(),
                password: TICKET.into(),
                domain: Some("TECHNICIANS".into()),
            },
            password_cookie: None,
            code_page: 0x409,
            // xrdp takes Client Info without the shell's flag for noise.
            flags: ClientInfoFlags::MOUSE
                | ClientInfoFlags::MAXIMIZE_SHELL
                | ClientInfoFlags::UNICODE
                | ClientInfoFlags::DISABLE_CTRL_ALT_DEL
                | ClientInfoFlags::ENABLE_WINDOWS_KEY
                | ClientInfoFlags::COMPRESSION,
            compression_type: CompressionType::Rdp61,
            alternate_shell: "explorer.exe".into(),
            work_dir: String::new(),
            extra_info: ExtendedClientInfo {
                address_family: AddressFamily::INET,
                address: "192.0.2.7".into(),
                dir: "C:\\Windows\\System32\\mstscax.dll".into(),
                optional_data: ExtendedClientOptionalInfo::default(),
            },
        },
    };
    let mut user_data = encode_vec(&pdu).unwrap();
    // Time zone, session id, performance flags, and an auto-reconnect cookie.
    user_data.extend_from_slice(&[0; 180]);
    user_data.extend_from_slice(&[28, 0]);
    user_data.extend_from_slice(&COOKIE);
    ClientInfo { user_data: user_data.into() }
}

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
    /// Domain, user name and password.
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
pub(crate) fn connect_response(
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
    encode_response(blocks)
}

pub(crate) fn encode_response(blocks: ServerGccBlocks) -> Vec<u8> {
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

/// Both ends, until the client is done or has failed.
pub(crate) async fn run<T, F: Future<Output = T>>(
    certified: &Certified,
    script: &Script,
    client: impl FnOnce(DuplexStream) -> F,
) -> (T, Seen) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::join!(client(near), serve(far, certified, script))
}

/// All of it: from X.224 to Client Info. Gives the leg and the redacted Client Info.
pub(crate) async fn log_in(
    stream: DuplexStream,
    settings: &TargetSettings,
    credentials: &TargetCredentials,
    hello: &ClientHello,
    options: ConnectOptions,
) -> Result<(TargetLeg<DuplexStream>, Vec<u8>), TargetError> {
    let pending = target::negotiate(stream, settings).await?;
    assert_eq!(pending.certificate().unwrap().ca, Ok(()));
    let authenticated = pending.login(credentials).await?;
    let mut leg = authenticated.connect(hello, options).await?;
    let redacted = leg.send_client_info(&client_info(), credentials).await?;
    Ok((leg, redacted))
}
