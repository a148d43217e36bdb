//! The client's role towards targets, from the first byte to Client Info.

use std::sync::LazyLock;

use ironrdp_pdu::gcc::{
    ChannelDef, ChannelName, ChannelOptions, ClientCoreData, ClientCoreOptionalData, ClientGccBlocks,
    ClientMessageChannelData, ClientNetworkData, ClientSecurityData, ColorDepth, KeyboardType, RdpVersion,
    SecureAccessSequence,
};
use ironrdp_pdu::mcs::ConnectInitial;
use ironrdp_pdu::nego::SecurityProtocol;
use passerelle_rdp::target::{
    ConnectOptions, TargetCredentials, TargetError, TargetSecurity, TargetSettings, negotiate,
};
use passerelle_rdp::{ClientHello, ClientInfo};
use passerelle_transport::{Transport, accept};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

use super::wire::assert_framed;
use super::{NAME, ROOTS, TLS, await_now, connection, is_tpkt, now, read_tpkt, say_and_hear, section};

const PASSWORD: &str = "correct horse";

/// A target gets the password when it has come to where that is due, nothing of it is kept, and the gateway never
/// waits for somebody who has said all.
///
/// The input: how the gateway is set up (a byte), what the target says in clear (a section), the viewer's MCS
/// Connect Initial and the user data of its Client Info (sections), what the target says within TLS (the rest).
pub(crate) fn target(data: &[u8]) {
    let Some((setup, mut rest)) = data.split_first() else { return };
    let clear = section(&mut rest);
    let initial = section(&mut rest);
    let info = section(&mut rest);
    let is = |bit: u8| setup >> bit & 1 != 0;
    let credentials = TargetCredentials {
        username: Some("alice".into()),
        password: (!is(1)).then(|| PASSWORD.to_owned().into()),
        domain: is(2).then(|| "CORP".into()),
    };
    let viewer = Viewer {
        hello: ClientHello {
            connect_initial: ironrdp_core::decode(initial).unwrap_or_else(|_| USUAL.clone()),
            requested: SecurityProtocol::SSL | SecurityProtocol::HYBRID,
            selected: SecurityProtocol::SSL,
        },
        info: ClientInfo { user_data: info.to_vec().into() },
        options: ConnectOptions { message_channel: !is(3), programs: is(4), plain_updates: is(5) },
    };
    let (near, far) = connection(is(0));
    let gateway = async {
        let kept = log_in(near, &credentials, &viewer).await;
        if let Err(error) = &kept {
            assert!(!error.to_string().is_empty());
        }
        kept.ok()
    };
    let (kept, heard) = await_now(async { tokio::join!(gateway, play(far, clear, rest)) });
    if heard.first() == Some(&3) {
        assert_framed(&heard);
    }
    let Some(kept) = kept else { return };
    let utf16: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let holds = |bytes: &[u8]| {
        bytes.windows(utf16.len()).any(|window| window == utf16)
            || bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes())
    };
    // Unless the viewer happens to say it.
    if !holds(info) && !holds(initial) {
        assert!(!holds(&kept), "the recording would hold the password");
        assert_eq!(holds(&heard), credentials.password.is_some());
    }
}

/// What the viewer says, and what of it may be passed on.
struct Viewer {
    hello: ClientHello,
    info: ClientInfo,
    options: ConnectOptions,
}

/// The gateway. Gives what of Client Info may be kept.
async fn log_in(
    stream: DuplexStream,
    credentials: &TargetCredentials,
    viewer: &Viewer,
) -> Result<Vec<u8>, TargetError> {
    let settings = TargetSettings {
        security: TargetSecurity::STRONGEST_FIRST.to_vec(),
        server_name: NAME.into(),
        roots: ROOTS.clone(),
        now: now(),
        client_name: "GATEWAY".into(),
        has_credentials: credentials.password.is_some(),
    };
    let pending = negotiate(stream, &settings).await?;
    assert!(pending.certificate().is_some_and(|certificate| certificate.ca.is_err()));
    let facts = pending.facts();
    assert!(facts.tls.is_some());
    let authenticated = pending.login(credentials).await?;
    // Nobody but who knows the password gets beyond this.
    assert_eq!(facts.security, TargetSecurity::Tls);
    let mut leg = authenticated.connect(&viewer.hello, viewer.options).await?;
    leg.send_client_info(&viewer.info, credentials).await
}

/// The target. Gives what it is told within TLS.
async fn play(mut stream: DuplexStream, clear: &[u8], secured: &[u8]) -> Vec<u8> {
    if read_tpkt(&mut stream).await.is_none() {
        return Vec::new();
    }
    if !is_tpkt(clear) {
        say_and_hear(Transport::plain(stream), clear).await;
        return Vec::new();
    }
    let _ = stream.write_all(clear).await;
    match accept(Transport::plain(stream), TLS.clone()).await {
        Ok(stream) => say_and_hear(stream, secured).await,
        Err(_) => Vec::new(),
    }
}

/// Where the input holds none that can be read: one with two channels and a message channel.
static USUAL: LazyLock<ConnectInitial> = LazyLock::new(|| {
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
            optional_data: ClientCoreOptionalData::default(),
        },
        security: ClientSecurityData::no_security(),
        network: Some(ClientNetworkData { channels: vec![channel(b"rdpdr\0\0\0"), channel(b"cliprdr\0")] }),
        cluster: None,
        monitor: None,
        message_channel: Some(ClientMessageChannelData),
        multi_transport_channel: None,
        monitor_extended: None,
    };
    ConnectInitial::with_gcc_blocks(blocks).expect("short blocks")
});
