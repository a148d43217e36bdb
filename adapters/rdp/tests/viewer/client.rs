//! A client that does what the tests tell it to, with another implementation's CredSSP.

use std::sync::Arc;

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::gcc::{
    ChannelDef, ChannelName, ChannelOptions, ClientCoreData, ClientCoreOptionalData,
    ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientNetworkData,
    ClientSecurityData, ColorDepth, HighColorDepth, KeyboardType, RdpVersion, SecureAccessSequence,
    ServerGccBlocks, SupportedColorDepths,
};
use ironrdp_pdu::mcs::{
    AttachUserRequest, ChannelJoinRequest, ConnectInitial, ConnectResponse, ErectDomainPdu, McsMessage,
    SendDataRequest,
};
use ironrdp_pdu::nego::{
    ConnectionConfirm, ConnectionRequest, NegoRequestData, RequestFlags, SecurityProtocol,
};
use ironrdp_pdu::rdp::ClientInfoPdu;
use ironrdp_pdu::rdp::client_info::{
    AddressFamily, ClientInfo, ClientInfoFlags, CompressionType, Credentials, ExtendedClientInfo,
    ExtendedClientOptionalInfo,
};
use ironrdp_pdu::rdp::headers::{BasicSecurityHeader, BasicSecurityHeaderFlags};
use ironrdp_pdu::x224::{X224, X224Data};
use passerelle_transport::{TlsVersions, Transport, connect};
use rustls::RootCertStore;
use sspi::credssp::{ClientMode, ClientState, CredSspClient, CredSspMode, NStatusCode, TsRequest};
use sspi::ntlm::NtlmConfig;
use sspi::{AuthIdentity, Credentials as SspiCredentials, NegotiateConfig, Username};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::harness::now;

/// A client whose TLS is up.
pub(crate) struct Client {
    pub(crate) transport: Transport<DuplexStream>,
    /// The key that the server's certificate shows.
    pub(crate) public_key: Vec<u8>,
    pub(crate) selected: SecurityProtocol,
}

/// Whether NTLM goes bare or within SPNEGO.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrapping {
    Bare,
    Spnego,
}

pub(crate) fn request(protocol: SecurityProtocol, line: Option<NegoRequestData>) -> Vec<u8> {
    encode_vec(&X224(ConnectionRequest {
        nego_data: line,
        flags: RequestFlags::empty(),
        protocol,
        correlation_info: None,
    }))
    .unwrap()
}

pub(crate) async fn read_tpkt(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut pdu = vec![0; 4];
    stream.read_exact(&mut pdu).await?;
    pdu.resize(usize::from(u16::from_be_bytes([pdu[2], pdu[3]])), 0);
    stream.read_exact(&mut pdu[4..]).await?;
    Ok(pdu)
}

impl Client {
    pub(crate) async fn secure(stream: DuplexStream, protocol: SecurityProtocol) -> Self {
        Self::secure_with(stream, protocol, None).await
    }

    pub(crate) async fn secure_with(
        mut stream: DuplexStream,
        protocol: SecurityProtocol,
        line: Option<NegoRequestData>,
    ) -> Self {
        stream.write_all(&request(protocol, line)).await.unwrap();
        let confirm = read_tpkt(&mut stream).await.unwrap();
        let X224(ConnectionConfirm::Response { protocol: selected, .. }) = decode(&confirm).unwrap() else {
            panic!("refused: {confirm:?}")
        };
        let roots = Arc::new(RootCertStore::empty());
        let name = "gateway.example".try_into().unwrap();
        let transport = Transport::plain(stream);
        let (transport, certificate) =
            connect(transport, name, &roots, now(), TlsVersions::Modern).await.unwrap();
        Self { transport, public_key: certificate.unwrap().public_key, selected }
    }

    pub(crate) fn credssp(
        &self,
        user: &str,
        secret: &str,
        wrapping: Wrapping,
        version: u32,
    ) -> CredSspClient {
        self.credssp_with(user, secret, wrapping, version, CredSspMode::WithCredentials)
    }

    pub(crate) fn credssp_with(
        &self,
        user: &str,
        secret: &str,
        wrapping: Wrapping,
        version: u32,
        mode: CredSspMode,
    ) -> CredSspClient {
        let identity =
            AuthIdentity { username: Username::parse(user).unwrap(), password: secret.to_owned().into() };
        let ntlm = NtlmConfig::default();
        let wrapping = match wrapping {
            Wrapping::Bare => ClientMode::Ntlm(ntlm),
            Wrapping::Spnego => ClientMode::Negotiate(NegotiateConfig::new(
                Box::new(ntlm),
                Some("!kerberos,!pku2u".to_owned()),
                "client".to_owned(),
            )),
        };
        CredSspClient::new_with_version(
            self.public_key.clone(),
            SspiCredentials::AuthIdentity(identity),
            mode,
            version,
            wrapping,
            "TERMSRV/gateway.example".to_owned(),
        )
        .unwrap()
    }

    /// Goes through CredSSP.
    ///
    /// # Errors
    /// The server refused with this status, or just left.
    pub(crate) async fn log_in(&mut self, mut credssp: CredSspClient) -> Result<(), Option<NStatusCode>> {
        let mut received = TsRequest::default();
        loop {
            match credssp.process(received).resolve_to_result() {
                Ok(ClientState::ReplyNeeded(request)) => self.send_ts_request(&request).await,
                Ok(ClientState::FinalMessage(request)) => {
                    self.send_ts_request(&request).await;
                    return Ok(());
                }
                Err(error) => return Err(error.nstatus),
            }
            received = self.receive_ts_request().await.map_err(|_| None)?;
        }
    }

    pub(crate) async fn send_ts_request(&mut self, request: &TsRequest) {
        let mut bytes = Vec::new();
        request.encode_ts_request(&mut bytes).unwrap();
        self.transport.send(&bytes).await.unwrap();
    }

    pub(crate) async fn receive_ts_request(&mut self) -> std::io::Result<TsRequest> {
        let mut bytes = vec![0; 4];
        self.transport.read_exact(&mut bytes).await?;
        bytes.resize(TsRequest::read_length(&*bytes)?, 0);
        self.transport.read_exact(&mut bytes[4..]).await?;
        TsRequest::from_buffer(&bytes)
    }

    pub(crate) async fn send_mcs(&mut self, message: McsMessage<'_>) {
        self.transport.send(&encode_vec(&X224(message)).unwrap()).await.unwrap();
    }

    pub(crate) async fn read_mcs(&mut self) -> McsMessage<'static> {
        let bytes = read_tpkt(&mut self.transport).await.unwrap();
        let X224(message) = decode::<X224<McsMessage<'_>>>(&bytes).unwrap();
        ironrdp_core::IntoOwned::into_owned(message)
    }

    /// Sends Connect Initial and reads its answer.
    pub(crate) async fn greet(&mut self, blocks: ClientGccBlocks) -> ServerGccBlocks {
        self.transport.send(&connect_initial(blocks)).await.unwrap();
        let bytes = read_tpkt(&mut self.transport).await.unwrap();
        let X224(data) = decode::<X224<X224Data<'_>>>(&bytes).unwrap();
        let response: ConnectResponse = decode(&data.data).unwrap();
        response.conference_create_response.into_gcc_blocks()
    }

    /// Attaches a user, joins `channels`, and sends Client Info. Gives the user's channel.
    pub(crate) async fn inform(&mut self, channels: &[u16], io: u16, user: &str, password: &str) -> u16 {
        let erect = ErectDomainPdu { sub_height: 0, sub_interval: 0 };
        self.send_mcs(McsMessage::ErectDomainRequest(erect)).await;
        self.send_mcs(McsMessage::AttachUserRequest(AttachUserRequest)).await;
        let McsMessage::AttachUserConfirm(attached) = self.read_mcs().await else { panic!("not attached") };
        for channel_id in channels.iter().copied() {
            let join = ChannelJoinRequest { initiator_id: attached.initiator_id, channel_id };
            self.send_mcs(McsMessage::ChannelJoinRequest(join)).await;
            let McsMessage::ChannelJoinConfirm(joined) = self.read_mcs().await else { panic!("not joined") };
            assert_eq!((joined.result, joined.channel_id), (0, channel_id));
        }
        let data = SendDataRequest {
            initiator_id: attached.initiator_id,
            channel_id: io,
            user_data: client_info(user, password).into(),
        };
        self.send_mcs(McsMessage::SendDataRequest(data)).await;
        attached.initiator_id
    }
}

pub(crate) fn connect_initial(blocks: ClientGccBlocks) -> Vec<u8> {
    let initial = encode_vec(&ConnectInitial::with_gcc_blocks(blocks).unwrap()).unwrap();
    encode_vec(&X224(X224Data { data: initial.into() })).unwrap()
}

pub(crate) fn blocks(channels: &[&str], early: ClientEarlyCapabilityFlags) -> ClientGccBlocks {
    let channels = channels
        .iter()
        .map(|name| ChannelDef {
            name: ChannelName::from_utf8(name).unwrap(),
            options: ChannelOptions::INITIALIZED,
        })
        .collect();
    ClientGccBlocks {
        core: ClientCoreData {
            version: RdpVersion::V10_7,
            desktop_width: 1280,
            desktop_height: 720,
            color_depth: ColorDepth::Bpp8,
            sec_access_sequence: SecureAccessSequence::Del,
            keyboard_layout: 0x409,
            client_build: 19_041,
            client_name: "NOTEBOOK".into(),
            keyboard_type: KeyboardType::IBM_ENHANCED,
            keyboard_subtype: 0,
            keyboard_functional_keys_count: 12,
            ime_file_name: String::new(),
            optional_data: ClientCoreOptionalData {
                post_beta2_color_depth: Some(ColorDepth::Bpp8),
                client_product_id: Some(1),
                serial_number: Some(0),
                high_color_depth: Some(HighColorDepth::Bpp24),
                supported_color_depths: Some(SupportedColorDepths::all()),
                early_capability_flags: Some(early),
                ..ClientCoreOptionalData::default()
            },
        },
        security: ClientSecurityData::no_security(),
        network: Some(ClientNetworkData { channels }),
        cluster: None,
        monitor: None,
        message_channel: Some(ClientMessageChannelData),
        multi_transport_channel: None,
        monitor_extended: None,
    }
}

pub(crate) fn client_info(user: &str, password: &str) -> Vec<u8> {
    encode_vec(&ClientInfoPdu {
        security_header: BasicSecurityHeader { flags: BasicSecurityHeaderFlags::INFO_PKT },
        client_info: ClientInfo {
            credentials: Credentials {
                username: user.into(),
                password: password.into(),
                domain: Some("CORP".into()),
            },
            password_cookie: None,
            code_page: 0,
            flags: ClientInfoFlags::UNICODE | ClientInfoFlags::COMPRESSION,
            compression_type: CompressionType::K64,
            alternate_shell: String::new(),
            work_dir: String::new(),
            extra_info: ExtendedClientInfo {
                address_family: AddressFamily::INET,
                address: "192.0.2.1".into(),
                dir: String::new(),
                optional_data: ExtendedClientOptionalInfo::default(),
            },
        },
    })
    .unwrap()
}
