//! The server's role towards viewers, from the first byte to Client Info.

use ironrdp_pdu::gcc::{
    ConferenceCreateResponse, RdpVersion, ServerCoreData, ServerCoreOptionalData, ServerGccBlocks,
    ServerMessageChannelData, ServerNetworkData, ServerSecurityData,
};
use ironrdp_pdu::mcs::{ConnectResponse, DomainParameters};
use passerelle_rdp::viewer::{
    Pending, Proven, RdpRefusal, ViewerError, ViewerLeg, ViewerSecurity, ViewerSettings, negotiate,
};
use passerelle_rdp::{Channels, ClientHello, ServerHello, Start, StaticChannel};
use passerelle_transport::{TlsVersions, Transport, connect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use zeroize::Zeroizing;

use super::wire::assert_framed;
use super::{NAME, ROOTS, TLS, await_now, connection, is_tpkt, now, read_tpkt, say_and_hear, section};

/// The secret with which seeds log in.
const TICKET: &str = "ABCDEFGH01234567";

/// What seeds take for the key in the certificate, so that they fit whatever the certificate.
const PUBLIC_KEY: [u8; 65] = [4; 65];

const IO: u16 = 1003;

/// Bytes that differ, and that seeds can know before.
fn random(bytes: &mut [u8]) {
    for (byte, value) in bytes.iter_mut().zip((5..=250).cycle()) {
        *byte = value;
    }
}

/// A viewer reaches the session by what was offered, with the channels that it was told, or not at all, and the
/// gateway never waits for somebody who has said all.
///
/// The input: how the gateway is set up (a byte), what the viewer says in clear (a section), what it says within
/// TLS (the rest).
pub(crate) fn viewer(data: &[u8]) {
    let Some((setup, mut rest)) = data.split_first() else { return };
    let clear = section(&mut rest);
    let is = |bit: u8| setup >> bit & 1 != 0;
    let settings = ViewerSettings {
        security: match setup & 3 {
            0 => vec![ViewerSecurity::Nla],
            1 => vec![ViewerSecurity::Tls],
            _ => vec![ViewerSecurity::Nla, ViewerSecurity::Tls],
        },
        tls: TLS.clone(),
        public_key: PUBLIC_KEY.to_vec(),
        node: ViewerSettings::NODE.into(),
    };
    let (near, far) = connection(is(2));
    let gateway = async {
        let leg = serve(near, &settings, is(3), !is(4)).await;
        if let Err(error) = &leg {
            assert!(!error.to_string().is_empty());
        }
        // The stream ends here.
        leg.ok().flatten().map(|leg| (leg.hello, leg.channels, leg.client_info, leg.connect_response))
    };
    let (entered, heard) = await_now(async { tokio::join!(gateway, play(far, clear, rest)) });
    if heard.first() == Some(&3) {
        assert_framed(&heard);
    }
    let Some((hello, channels, client_info, connect_response)) = entered else { return };
    let told = heard.windows(connect_response.len()).any(|window| window == connect_response);
    assert!(told, "the viewer was told something else");
    let start = Start::new(&hello, &channels, &client_info);
    assert_eq!(Start::decode(&start.encode()).expect("what was encoded"), start);
}

/// The gateway. Viewers are let in, or with `refuses` refused at the last moment.
async fn serve(
    stream: DuplexStream,
    settings: &ViewerSettings,
    refuses: bool,
    message: bool,
) -> Result<Option<ViewerLeg<DuplexStream>>, ViewerError> {
    let candidates = [Zeroizing::new("another".to_owned()), Zeroizing::new(TICKET.to_owned())];
    let proven = match negotiate(stream, settings, now(), &mut random).await? {
        Pending::Nla(nla) => {
            assert!(settings.security.contains(&ViewerSecurity::Nla));
            let Some(matched) = nla.matching(&candidates) else {
                return nla.refuse().await.map(|()| None);
            };
            assert_eq!(matched.index(), 1, "a secret was guessed");
            nla.accept(matched).await?
        }
        Pending::Reference { reference, proven } => {
            assert!(reference.starts_with("passerelle-") && settings.security.contains(&ViewerSecurity::Tls));
            proven
        }
        Pending::Password { proven, .. } => {
            assert!(proven.promised().is_some() && settings.security.contains(&ViewerSecurity::Tls));
            proven
        }
    };
    if refuses { refuse(proven).await.map(|()| None) } else { enter(proven, message).await.map(Some) }
}

async fn refuse(proven: Proven<DuplexStream>) -> Result<(), ViewerError> {
    proven.refuse(RdpRefusal::TargetUnavailable).await
}

async fn enter(
    mut proven: Proven<DuplexStream>,
    message: bool,
) -> Result<ViewerLeg<DuplexStream>, ViewerError> {
    let promised = proven.promised().cloned();
    let answer = answer(proven.hello().await?, message);
    assert!(proven.facts().client_name.is_some());
    let leg = proven.enter(Some(&answer)).await?;
    assert_eq!(leg.channels, promised.unwrap_or(answer.channels));
    Ok(leg)
}

/// What a target would answer that numbers channels as the gateway does by itself, so that seeds fit both.
fn answer(hello: &ClientHello, message: bool) -> ServerHello {
    let blocks = hello.connect_initial.conference_create_request.gcc_blocks();
    let names = blocks.channel_names().unwrap_or_default();
    let mut numbers = IO + 1..;
    let statics: Vec<_> = names
        .into_iter()
        .zip(&mut numbers)
        .map(|(definition, id)| StaticChannel { id, definition })
        .collect();
    let message = blocks.message_channel.as_ref().filter(|_| message).and_then(|_| numbers.next());
    let blocks = ServerGccBlocks {
        core: ServerCoreData {
            version: RdpVersion::V10_12,
            optional_data: ServerCoreOptionalData::default(),
        },
        network: ServerNetworkData {
            io_channel: IO,
            channel_ids: statics.iter().map(|channel| channel.id).collect(),
        },
        security: ServerSecurityData::no_security(),
        message_channel: message.map(|id| ServerMessageChannelData { mcs_message_channel_id: id }),
        multi_transport_channel: None,
    };
    let conference_create_response = ConferenceCreateResponse::new(1002, blocks).expect("a short answer");
    ServerHello {
        connect_response: ConnectResponse {
            conference_create_response,
            called_connect_id: 0,
            domain_parameters: DomainParameters::target(),
        },
        channels: Channels { user: numbers.start, io: IO, message, statics },
    }
}

/// The viewer. Gives what it is told within TLS.
async fn play(mut stream: DuplexStream, clear: &[u8], secured: &[u8]) -> Vec<u8> {
    // Where the request is not whole, no answer is due.
    if !is_opening(clear) {
        say_and_hear(Transport::plain(stream), clear).await;
        return Vec::new();
    }
    let _ = stream.write_all(clear).await;
    if let Some(confirm) = read_tpkt(&mut stream).await
        && confirm.get(11) == Some(&2)
    {
        let name = NAME.try_into().expect("a name");
        let stream = Transport::plain(stream);
        return match connect(stream, name, &ROOTS, now(), TlsVersions::Modern).await {
            Ok((stream, _)) => say_and_hear(stream, secured).await,
            Err(_) => Vec::new(),
        };
    }
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    Vec::new()
}

/// Whether these are one TPKT, perhaps behind a preconnection PDU.
fn is_opening(clear: &[u8]) -> bool {
    let request = match clear.split_first_chunk::<4>() {
        Some((len, _)) if len[0] != 3 => {
            let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
            clear.get(len..).unwrap_or_default()
        }
        _ => clear,
    };
    is_tpkt(request)
}
