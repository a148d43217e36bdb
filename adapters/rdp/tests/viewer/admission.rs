//! From security to Client Info: what viewers are answered and how they are refused.

use ironrdp_pdu::gcc::{
    ClientEarlyCapabilityFlags as Early, ConferenceCreateResponse, MultiTransportChannelData,
    MultiTransportFlags, RdpVersion, ServerCoreData, ServerCoreOptionalData, ServerEarlyCapabilityFlags,
    ServerGccBlocks, ServerMessageChannelData, ServerNetworkData, ServerSecurityData,
};
use ironrdp_pdu::mcs::{
    AttachUserRequest, ChannelJoinRequest, ConnectResponse, DomainParameters, McsMessage,
};
use ironrdp_pdu::nego::{NegoRequestData, SecurityProtocol};
use passerelle_rdp::viewer::{Pending, Proven, RdpRefusal, ViewerError, ViewerSecurity};
use passerelle_rdp::{Channels, ClientHello, ServerHello, StaticChannel};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use crate::harness::{BOTH, TICKET, negotiate, settings};
use passerelle_rdp_peers::client::Client;
use passerelle_rdp_peers::{client_blocks as blocks, connect_initial};

const SSL: SecurityProtocol = SecurityProtocol::SSL;

/// A client with a reference, which is not answered before its target is known.
async fn referred(client: DuplexStream) -> Client<DuplexStream> {
    let line = NegoRequestData::routing_token("passerelle-AB12".to_owned());
    Client::secure_with(client, SSL, Some(line)).await.unwrap()
}

async fn waiting(server: DuplexStream) -> Proven<DuplexStream> {
    match negotiate(server, &settings(BOTH)).await.unwrap() {
        Pending::Reference { reference, proven } => {
            assert_eq!(reference.as_str(), "passerelle-AB12");
            proven
        }
        other => panic!("no reference: {other:?}"),
    }
}

/// What a target might answer to `hello`.
fn answer(hello: &ClientHello) -> ServerHello {
    let definitions = hello.connect_initial.channel_names().unwrap();
    let statics: Vec<_> = definitions
        .into_iter()
        .zip(2004..)
        .map(|(definition, id)| StaticChannel { id, definition })
        .collect();
    let blocks = ServerGccBlocks {
        core: ServerCoreData {
            version: RdpVersion::V10_7,
            optional_data: ServerCoreOptionalData {
                client_requested_protocols: Some(SecurityProtocol::HYBRID),
                early_capability_flags: Some(ServerEarlyCapabilityFlags::DYNAMIC_DST_SUPPORTED),
            },
        },
        network: ServerNetworkData {
            channel_ids: statics.iter().map(|channel| channel.id).collect(),
            io_channel: 2003,
        },
        security: ServerSecurityData::no_security(),
        message_channel: Some(ServerMessageChannelData { mcs_message_channel_id: 2050 }),
        multi_transport_channel: Some(MultiTransportChannelData {
            flags: MultiTransportFlags::TRANSPORT_TYPE_UDP_FECR,
        }),
    };
    ServerHello {
        connect_response: ConnectResponse {
            conference_create_response: ConferenceCreateResponse::new(1002, blocks).unwrap(),
            called_connect_id: 0,
            domain_parameters: DomainParameters::target(),
        },
        channels: Channels { user: 2060, io: 2003, message: Some(2050), statics },
    }
}

#[tokio::test]
async fn a_viewer_enters_with_the_target_s_own_answer() {
    let (client, server) = duplex(16 * 1024);
    let ((answered, user), leg) = tokio::join!(
        async {
            let mut client = referred(client).await;
            let answered = client.greet(blocks(&["cliprdr", "rdpsnd"], Early::empty())).await.unwrap();
            let channels = [2060, 2003, 2004, 2005, 2050];
            (answered, client.inform(&channels, 2003, "x", "y").await.unwrap())
        },
        async {
            let mut proven = waiting(server).await;
            assert_eq!(proven.promised(), None);
            assert_eq!(proven.facts().client_name, None);
            let hello = proven.hello().await.unwrap().clone();
            assert_eq!((hello.requested, hello.selected), (SSL, SSL));
            assert_eq!(proven.facts().client_name.as_deref(), Some("NOTEBOOK"));
            assert_eq!(proven.facts().client_build, Some(19_041));
            assert_eq!(proven.facts().security, ViewerSecurity::Tls);
            proven.enter(Some(&answer(&hello))).await.unwrap()
        }
    );
    assert_eq!(user, 2060);
    assert_eq!(answered.core.optional_data.client_requested_protocols, Some(SSL));
    assert_eq!(
        answered.core.optional_data.early_capability_flags,
        Some(ServerEarlyCapabilityFlags::DYNAMIC_DST_SUPPORTED)
    );
    assert_eq!(answered.core.version, RdpVersion::V10_7);
    assert_eq!(answered.multi_transport_channel, None);
    assert_eq!(answered.network.channel_ids, [2004, 2005]);
    assert_eq!(leg.channels.user, 2060);
    assert_eq!((leg.compression, leg.has_cookie), (Some(1), false));
    assert_eq!(leg.connect_response.first(), Some(&3));
    let shown = format!("{leg:?}");
    assert!(!shown.contains("121"), "{shown}");
}

#[tokio::test]
async fn a_viewer_without_nla_is_answered_before_its_target_is_known() {
    for (early, joins) in [(Early::empty(), true), (Early::SUPPORT_SKIP_CHANNELJOIN, false)] {
        let (client, server) = duplex(16 * 1024);
        let (answered, leg) = tokio::join!(
            async {
                let mut client = Client::secure(client, SSL).await.unwrap();
                let answered = client.greet(blocks(&["cliprdr", "rdpsnd", "drdynvc"], early)).await.unwrap();
                let channels = [1008, 1003, 1004, 1005, 1006, 1007];
                let channels = if joins { &channels[..] } else { &[] };
                assert_eq!(client.inform(channels, 1003, "alice:desk", TICKET).await.unwrap(), 1008);
                answered
            },
            async {
                let pending = negotiate(server, &settings(BOTH)).await.unwrap();
                let shown = format!("{pending:?}");
                assert!(!shown.contains(TICKET), "{shown}");
                let Pending::Password { login, password, proven } = pending else { panic!("{shown}") };
                assert_eq!((login.username.as_str(), login.domain.as_str()), ("alice:desk", "CORP"));
                assert_eq!(password.as_str(), TICKET);
                let promised = proven.promised().unwrap().clone();
                let leg = proven.enter(None).await.unwrap();
                assert_eq!(leg.channels, promised);
                leg
            }
        );
        let flags = answered.core.optional_data.early_capability_flags;
        assert_eq!(flags.is_some(), !joins);
        assert_eq!(answered.network.channel_ids, [1004, 1005, 1006]);
        assert_eq!(answered.network.io_channel, 1003);
        assert_eq!(answered.message_channel.unwrap().mcs_message_channel_id, 1007);
        assert_eq!(leg.channels.message, Some(1007));
        assert_eq!(leg.channels.statics[2].definition.name.as_str(), Some("drdynvc"));
    }
}

#[tokio::test]
async fn a_target_with_other_channels_than_the_viewer_s_does_not_fit() {
    let (client, server) = duplex(16 * 1024);
    let mut client = tokio::spawn(async move {
        let mut client = referred(client).await;
        client.transport.send(&connect_initial(blocks(&["cliprdr"], Early::empty()))).await.unwrap();
        client
    });
    let mut proven = waiting(server).await;
    let mut answer = answer(proven.hello().await.unwrap());
    answer.channels.statics.clear();
    assert!(matches!(proven.enter(Some(&answer)).await, Err(ViewerError::Answer(_))));
    (&mut client).await.unwrap();
}

#[tokio::test]
async fn nobody_enters_unanswered() {
    let (client, server) = duplex(16 * 1024);
    let (_client, error) =
        tokio::join!(referred(client), async { waiting(server).await.enter(None).await.unwrap_err() });
    assert!(matches!(error, ViewerError::Unanswered));
}

/// Everything that a refused client reads after Client Info.
async fn farewell(early: Early) -> (Vec<McsMessage<'static>>, Vec<u8>) {
    let (client, server) = duplex(16 * 1024);
    let (heard, refused) = tokio::join!(
        async {
            let mut client = referred(client).await;
            client.greet(blocks(&["cliprdr"], early)).await.unwrap();
            client.inform(&[1003], 1003, "x", "y").await.unwrap();
            let mut heard = Vec::new();
            while !matches!(heard.last(), Some(McsMessage::DisconnectProviderUltimatum(_))) {
                heard.push(client.read_mcs().await.unwrap());
            }
            let mut rest = Vec::new();
            client.transport.read_to_end(&mut rest).await.unwrap();
            (heard, rest)
        },
        async { waiting(server).await.refuse(RdpRefusal::TargetUnavailable).await }
    );
    refused.unwrap();
    heard
}

#[tokio::test]
async fn a_refused_viewer_is_told_why_if_it_understands() {
    let (heard, rest) = farewell(Early::SUPPORT_ERR_INFO_PDU).await;
    let [McsMessage::SendDataIndication(license), McsMessage::SendDataIndication(error), _] = &*heard else {
        panic!("{heard:?}")
    };
    assert_eq!(license.user_data[..9], [0x80, 0, 0, 0, 0xFF, 3, 16, 0, 7]);
    let header: ironrdp_pdu::rdp::headers::ShareControlHeader =
        ironrdp_core::decode(&error.user_data).unwrap();
    assert!(format!("{header:?}").contains("DestinationNotFound"), "{header:?}");
    assert!(rest.is_empty());

    let (heard, _) = farewell(Early::empty()).await;
    assert!(
        matches!(&*heard, [McsMessage::SendDataIndication(_), McsMessage::DisconnectProviderUltimatum(_)]),
        "{heard:?}"
    );
}

/// What becomes of a viewer that sends `messages` after Connect Initial.
async fn after_hello(messages: Vec<McsMessage<'static>>) -> ViewerError {
    let (client, server) = duplex(64 * 1024);
    let (_client, error) = tokio::join!(
        async {
            let mut client = Client::secure(client, SSL).await.unwrap();
            client.greet(blocks(&["cliprdr"], Early::empty())).await.unwrap();
            for message in messages {
                client.send_mcs(message).await.unwrap();
            }
            client
        },
        async { negotiate(server, &settings(BOTH)).await.unwrap_err() }
    );
    error
}

#[tokio::test]
async fn mcs_is_spoken_in_its_order() {
    let attach = || McsMessage::AttachUserRequest(AttachUserRequest);
    let join = |initiator_id, channel_id| {
        McsMessage::ChannelJoinRequest(ChannelJoinRequest { initiator_id, channel_id })
    };
    let error = after_hello(vec![join(1006, 1003)]).await;
    assert!(matches!(error, ViewerError::OutOfTurn("Channel Join Request")), "{error}");
    let error = after_hello(vec![attach(), attach()]).await;
    assert!(matches!(error, ViewerError::OutOfTurn("Attach User Request")), "{error}");
    let error = after_hello(vec![attach(), join(1006, 1007)]).await;
    assert!(matches!(error, ViewerError::UnknownChannel(1007)), "{error}");
    let error = after_hello(vec![attach(), join(1005, 1003)]).await;
    assert!(matches!(error, ViewerError::UnknownChannel(1003)), "{error}");
    let mut endless = vec![attach()];
    endless.extend((0..70).map(|_| join(1006, 1003)));
    let error = after_hello(endless).await;
    assert!(matches!(error, ViewerError::Endless), "{error}");
}
