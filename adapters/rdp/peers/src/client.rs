//! A client, with another implementation's CredSSP than the gateway's.

use std::io;
use std::sync::Arc;

use ironrdp_core::{IntoOwned as _, decode};
use ironrdp_pdu::gcc::{ClientGccBlocks, ServerGccBlocks};
use ironrdp_pdu::mcs::{
    AttachUserRequest, ChannelJoinRequest, ConnectResponse, ErectDomainPdu, McsMessage, SendDataRequest,
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
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::wire::{bytes, encoded, read_tpkt, read_ts_request};
use crate::{connect_initial, now};

/// A client whose TLS is up.
pub struct Client<S> {
    /// Its connection.
    pub transport: Transport<S>,
    /// The key that the server's certificate shows.
    pub public_key: Vec<u8>,
    /// What the server chose.
    pub selected: SecurityProtocol,
}

/// Whether NTLM goes bare or within SPNEGO.
#[derive(Clone, Copy, Debug)]
pub enum Wrapping {
    /// Bare, as mstsc does.
    Bare,
    /// Within SPNEGO.
    Spnego,
}

/// X.224 Connection Request (MS-RDPBCGR 2.2.1.1), with `line` as its routing token or cookie.
pub fn connection_request(protocol: SecurityProtocol, line: Option<NegoRequestData>) -> Vec<u8> {
    bytes(&X224(ConnectionRequest {
        nego_data: line,
        flags: RequestFlags::empty(),
        protocol,
        correlation_info: None,
    }))
}

/// Client Info (MS-RDPBCGR 2.2.1.11) as user data.
pub fn client_info(user: &str, password: &str) -> Vec<u8> {
    bytes(&ClientInfoPdu {
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
}

/// Reads the answer to a Connect Initial.
///
/// # Errors
/// The server left, or answered something else.
pub async fn read_connect_response(from: &mut (impl AsyncRead + Unpin)) -> io::Result<ServerGccBlocks> {
    let pdu = read_tpkt(from).await?;
    let X224(data) = decode::<X224<X224Data<'_>>>(&pdu).map_err(io::Error::other)?;
    let response: ConnectResponse = decode(&data.data).map_err(io::Error::other)?;
    Ok(response.conference_create_response.into_gcc_blocks())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Negotiates `protocol`, and TLS with whatever certificate there is.
    ///
    /// # Errors
    /// The server refused, or left.
    pub async fn secure(stream: S, protocol: SecurityProtocol) -> io::Result<Self> {
        Self::secure_with(stream, protocol, None).await
    }

    /// As [`secure`](Self::secure), with a routing token or cookie.
    ///
    /// # Errors
    /// The server refused, or left.
    pub async fn secure_with(
        mut stream: S,
        protocol: SecurityProtocol,
        line: Option<NegoRequestData>,
    ) -> io::Result<Self> {
        stream.write_all(&connection_request(protocol, line)).await?;
        let confirm = read_tpkt(&mut stream).await?;
        let confirm = decode::<X224<ConnectionConfirm>>(&confirm).map_err(io::Error::other)?;
        let X224(ConnectionConfirm::Response { protocol: selected, .. }) = confirm else {
            return Err(io::Error::other(format!("refused: {confirm:?}")));
        };
        let roots = Arc::new(RootCertStore::empty());
        let name = "gateway.example".try_into().map_err(io::Error::other)?;
        let transport = Transport::plain(stream);
        let (transport, certificate) = connect(transport, name, &roots, now(), TlsVersions::Modern).await?;
        let public_key = certificate.map(|certificate| certificate.public_key).unwrap_or_default();
        Ok(Self { transport, public_key, selected })
    }

    /// A client of CredSSP for this connection.
    pub fn credssp(&self, user: &str, secret: &str, wrapping: Wrapping, version: u32) -> CredSspClient {
        self.credssp_with(user, secret, wrapping, version, CredSspMode::WithCredentials)
    }

    /// As [`credssp`](Self::credssp), with credentials to delegate or without.
    pub fn credssp_with(
        &self,
        user: &str,
        secret: &str,
        wrapping: Wrapping,
        version: u32,
        mode: CredSspMode,
    ) -> CredSspClient {
        let username = Username::parse(user).expect("a user name");
        let identity = AuthIdentity { username, password: secret.to_owned().into() };
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
        .expect("a client of CredSSP")
    }

    /// Goes through CredSSP.
    ///
    /// # Errors
    /// The server refused with this status, or just left.
    pub async fn log_in(&mut self, mut credssp: CredSspClient) -> Result<(), Option<NStatusCode>> {
        let mut received = TsRequest::default();
        loop {
            match credssp.process(received).resolve_to_result() {
                Ok(ClientState::ReplyNeeded(request)) => {
                    self.send_ts_request(&request).await.map_err(|_| None)?;
                }
                Ok(ClientState::FinalMessage(request)) => {
                    return self.send_ts_request(&request).await.map_err(|_| None);
                }
                Err(error) => return Err(error.nstatus),
            }
            received = read_ts_request(&mut self.transport).await.map_err(|_| None)?;
        }
    }

    /// Sends one message of CredSSP.
    ///
    /// # Errors
    /// The server left.
    pub async fn send_ts_request(&mut self, request: &TsRequest) -> io::Result<()> {
        self.transport.send(&encoded(request)).await
    }

    /// Sends one message of MCS.
    ///
    /// # Errors
    /// The server left.
    pub async fn send_mcs(&mut self, message: McsMessage<'_>) -> io::Result<()> {
        self.transport.send(&bytes(&X224(message))).await
    }

    /// Reads one message of MCS.
    ///
    /// # Errors
    /// The server left, or sent something else.
    pub async fn read_mcs(&mut self) -> io::Result<McsMessage<'static>> {
        let pdu = read_tpkt(&mut self.transport).await?;
        let X224(message) = decode::<X224<McsMessage<'_>>>(&pdu).map_err(io::Error::other)?;
        Ok(message.into_owned())
    }

    /// Sends Connect Initial and reads its answer.
    ///
    /// # Errors
    /// The server left, or answered something else.
    pub async fn greet(&mut self, blocks: ClientGccBlocks) -> io::Result<ServerGccBlocks> {
        self.transport.send(&connect_initial(blocks)).await?;
        read_connect_response(&mut self.transport).await
    }

    /// Attaches a user, joins `channels`, and sends Client Info. Gives the user's channel.
    ///
    /// # Errors
    /// The server left, or refused something.
    pub async fn inform(&mut self, channels: &[u16], io: u16, user: &str, password: &str) -> io::Result<u16> {
        self.send_mcs(McsMessage::ErectDomainRequest(ERECT)).await?;
        self.send_mcs(McsMessage::AttachUserRequest(AttachUserRequest)).await?;
        let initiator_id = self.attached().await?;
        for channel_id in channels.iter().copied() {
            self.join(initiator_id, channel_id).await?;
        }
        let user_data = client_info(user, password).into();
        let data = SendDataRequest { initiator_id, channel_id: io, user_data };
        self.send_mcs(McsMessage::SendDataRequest(data)).await?;
        Ok(initiator_id)
    }

    /// Reads which user the client is.
    pub(crate) async fn attached(&mut self) -> io::Result<u16> {
        match self.read_mcs().await? {
            McsMessage::AttachUserConfirm(confirm) if confirm.result == 0 => Ok(confirm.initiator_id),
            other => Err(io::Error::other(format!("not attached: {other:?}"))),
        }
    }

    pub(crate) async fn join(&mut self, initiator_id: u16, channel_id: u16) -> io::Result<()> {
        let join = ChannelJoinRequest { initiator_id, channel_id };
        self.send_mcs(McsMessage::ChannelJoinRequest(join)).await?;
        match self.read_mcs().await? {
            McsMessage::ChannelJoinConfirm(joined)
                if (joined.result, joined.channel_id) == (0, channel_id) =>
            {
                Ok(())
            }
            other => Err(io::Error::other(format!("not joined: {other:?}"))),
        }
    }
}

pub(crate) const ERECT: ErectDomainPdu = ErectDomainPdu { sub_height: 0, sub_interval: 0 };
