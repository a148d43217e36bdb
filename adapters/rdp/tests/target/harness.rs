//! What the tests share: certificates, what a viewer says, and the client's end.

use std::future::Future;

use ironrdp_core::encode_vec;
use ironrdp_pdu::gcc::{
    ClientCoreOptionalData, ClientEarlyCapabilityFlags, ConnectionType, MultiTransportChannelData,
    MultiTransportFlags,
};
use ironrdp_pdu::mcs::ConnectInitial;
use ironrdp_pdu::nego::SecurityProtocol;
use ironrdp_pdu::rdp::ClientInfoPdu;
use ironrdp_pdu::rdp::client_info::{
    AddressFamily, ClientInfo as InfoPacket, ClientInfoFlags, CompressionType, Credentials,
    ExtendedClientInfo, ExtendedClientOptionalInfo,
};
use ironrdp_pdu::rdp::headers::{BasicSecurityHeader, BasicSecurityHeaderFlags};
use passerelle_rdp::target::{
    self, ConnectOptions, TargetCredentials, TargetError, TargetLeg, TargetSecurity, TargetSettings,
};
use passerelle_rdp::{ClientHello, ClientInfo};
use passerelle_rdp_peers::{client_blocks, now};
use tokio::io::DuplexStream;

pub(crate) use passerelle_rdp_peers::target::*;
pub(crate) use passerelle_rdp_peers::{Certified, encoded};

pub(crate) const NAME: &str = "front-desk.example";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const TICKET: &str = "7K2M-9QXZ-4HTW-PN6B";
/// The viewer's right to come back to a session.
pub(crate) const COOKIE: [u8; 28] = [0xc5; 28];

pub(crate) fn certified() -> Certified {
    Certified::new(NAME)
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

pub(crate) const OPTIONS: ConnectOptions =
    ConnectOptions { message_channel: true, programs: false, plain_updates: false };

/// What a viewer says that wants NLA, two channels, a message channel and UDP.
pub(crate) fn client_hello() -> ClientHello {
    let early = ClientEarlyCapabilityFlags::VALID_CONNECTION_TYPE
        | ClientEarlyCapabilityFlags::SUPPORT_ERR_INFO_PDU
        | ClientEarlyCapabilityFlags::WANT_32_BPP_SESSION
        | ClientEarlyCapabilityFlags::SUPPORT_NET_CHAR_AUTODETECT
        | ClientEarlyCapabilityFlags::SUPPORT_HEART_BEAT_PDU;
    let mut blocks = client_blocks(&["rdpdr", "cliprdr"], early);
    blocks.core.client_name = "technician".into();
    blocks.core.optional_data = ClientCoreOptionalData {
        dig_product_id: Some(String::new()),
        connection_type: Some(ConnectionType::Lan),
        server_selected_protocol: Some(SecurityProtocol::HYBRID),
        ..blocks.core.optional_data
    };
    blocks.multi_transport_channel =
        Some(MultiTransportChannelData { flags: MultiTransportFlags::TRANSPORT_TYPE_UDP_FECR });
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
