//! What the tests share: certificates, what a viewer says, and the client's end.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ironrdp_core::encode_vec;
use ironrdp_pdu::gcc::{
    ChannelDef, ChannelName, ChannelOptions, ClientCoreData, ClientCoreOptionalData,
    ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientNetworkData,
    ClientSecurityData, ColorDepth, ConnectionType, HighColorDepth, KeyboardType, MultiTransportChannelData,
    MultiTransportFlags, RdpVersion, SecureAccessSequence, SupportedColorDepths,
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
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::DuplexStream;

use crate::script::{Script, Seen, serve};

pub(crate) const NAME: &str = "front-desk.example";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const TICKET: &str = "7K2M-9QXZ-4HTW-PN6B";
/// The viewer's right to come back to a session.
pub(crate) const COOKIE: [u8; 28] = [0xc5; 28];

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
