use ironrdp_core::encode_vec;
use ironrdp_pdu::gcc::{
    ClientEarlyCapabilityFlags, ConferenceCreateResponse, EncryptionMethod, RdpVersion, ServerCoreData,
    ServerCoreOptionalData, ServerMessageChannelData, ServerNetworkData, ServerSecurityData,
};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, DomainParameters};
use passerelle_rdp_peers::client_blocks;
use proptest::prelude::*;

use super::*;

const REQUESTED: SecurityProtocol = SecurityProtocol::SSL.union(SecurityProtocol::HYBRID);

fn asked() -> ClientGccBlocks {
    client_blocks(&["rdpdr", "cliprdr"], ClientEarlyCapabilityFlags::empty())
}

fn answer() -> ServerGccBlocks {
    ServerGccBlocks {
        core: ServerCoreData {
            version: RdpVersion::V10_12,
            optional_data: ServerCoreOptionalData {
                client_requested_protocols: Some(REQUESTED),
                early_capability_flags: Some(ServerEarlyCapabilityFlags::empty()),
            },
        },
        network: ServerNetworkData { io_channel: 1003, channel_ids: vec![1004, 1005] },
        security: ServerSecurityData::no_security(),
        message_channel: Some(ServerMessageChannelData { mcs_message_channel_id: 1006 }),
        multi_transport_channel: None,
    }
}

fn encoded(blocks: ServerGccBlocks) -> Vec<u8> {
    let response = ConnectResponse {
        conference_create_response: ConferenceCreateResponse::new(0x79f3, blocks).unwrap(),
        called_connect_id: 0,
        domain_parameters: DomainParameters::target(),
    };
    encode_vec(&X224(X224Data { data: encode_vec(&response).unwrap().into() })).unwrap()
}

/// What `edit` makes of a good answer leads to.
fn outcome(edit: impl FnOnce(&mut ServerGccBlocks)) -> Result<ServerHello, TargetError> {
    let mut blocks = answer();
    edit(&mut blocks);
    Ok(parse(&encoded(blocks), REQUESTED, &asked())?.complete(1007)?)
}

fn violation(edit: impl FnOnce(&mut ServerGccBlocks)) -> TargetViolation {
    match outcome(edit) {
        Err(TargetError::Violation(violation)) => violation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_answer_is_taken() {
    let channels = outcome(|_| {}).unwrap().channels;
    assert_eq!((channels.user, channels.io, channels.message), (1007, 1003, Some(1006)));
    assert_eq!(channels.statics.iter().map(|channel| channel.id).collect::<Vec<_>>(), [1004, 1005]);
    assert_eq!(channels.statics[1].definition.name.as_str(), Some("cliprdr"));
    // Optional, all of it.
    let channels = outcome(|blocks| {
        blocks.core.optional_data = ServerCoreOptionalData::default();
        blocks.message_channel = None;
    });
    assert_eq!(channels.unwrap().channels.message, None);
    let none = outcome(|blocks| {
        blocks.message_channel = Some(ServerMessageChannelData { mcs_message_channel_id: 0 });
    });
    assert_eq!(none.unwrap().channels.message, None);
}

#[test]
fn each_breach_has_its_name() {
    assert!(matches!(
        violation(|blocks| {
            blocks.core.optional_data.client_requested_protocols = Some(SecurityProtocol::SSL);
        }),
        TargetViolation::Downgraded { seen: 1, sent: 3 }
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.channel_ids = vec![1004]),
        TargetViolation::ChannelCount { asked: 2, got: 1 }
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.channel_ids.push(1009)),
        TargetViolation::ChannelCount { asked: 2, got: 3 }
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.channel_ids = vec![1004, 1004]),
        TargetViolation::ChannelTwice(1004)
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.channel_ids = vec![1004, 1007]),
        TargetViolation::ChannelTwice(1007)
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.io_channel = 1006),
        TargetViolation::ChannelTwice(1006)
    ));
    assert!(matches!(
        violation(|blocks| blocks.network.channel_ids = vec![0, 1005]),
        TargetViolation::ChannelZero
    ));
    assert!(matches!(violation(|blocks| blocks.network.io_channel = 0), TargetViolation::ChannelZero));
    assert!(matches!(
        violation(|blocks| {
            blocks.security = ServerSecurityData {
                encryption_method: EncryptionMethod::BIT_128,
                encryption_level: EncryptionLevel::High,
                server_random: Some([7; 32]),
                server_cert: vec![7; 8],
            };
        }),
        TargetViolation::Encryption { method: 2, level: EncryptionLevel::High }
    ));
}

#[test]
fn a_message_channel_must_have_been_asked_for() {
    let unasked = ClientGccBlocks { message_channel: None, ..asked() };
    assert!(matches!(
        parse(&encoded(answer()), REQUESTED, &unasked),
        Err(TargetError::Violation(TargetViolation::MessageChannel))
    ));
}

#[test]
fn no_channels_are_as_good_as_some() {
    let none = ClientGccBlocks { network: None, ..asked() };
    let blocks =
        ServerGccBlocks { network: ServerNetworkData { io_channel: 1003, channel_ids: vec![] }, ..answer() };
    assert!(parse(&encoded(blocks), REQUESTED, &none).unwrap().statics.is_empty());
}

#[test]
fn what_is_cut_short_is_malformed() {
    let whole = encoded(answer());
    // The last block is the message channel's, which may be missing but not begun.
    let message_channel = whole.len() - 6;
    for len in (0..whole.len()).filter(|len| *len != message_channel) {
        let mut bytes = whole[..len].to_vec();
        if let Some(header) = bytes.get_mut(2..4) {
            header.copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        let error = parse(&bytes, REQUESTED, &asked()).unwrap_err();
        assert!(
            matches!(
                error,
                TargetError::Violation(
                    TargetViolation::Malformed { .. } | TargetViolation::Unexpected { .. }
                )
            ),
            "{len}: {error}"
        );
    }
}

#[test]
fn a_good_bye_is_no_answer() {
    let bye = DisconnectProviderUltimatum::from_reason(DisconnectReason::DomainDisconnected);
    assert!(matches!(
        parse(&encode_vec(&X224(bye)).unwrap(), REQUESTED, &asked()),
        Err(TargetError::Disconnected { .. })
    ));
}

proptest! {
    #[test]
    fn nothing_that_a_target_sends_panics(
        at in 0_usize..200,
        byte in any::<u8>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut mutated = encoded(answer());
        if let Some(place) = mutated.get_mut(at) {
            *place = byte;
        }
        let _ = parse(&mutated, REQUESTED, &asked());
        let framed = [&[3, 0, 0, u8::try_from(bytes.len() + 7).unwrap(), 2, 0xf0, 0x80], &bytes[..]].concat();
        let _ = parse(&framed, REQUESTED, &asked());
        let _ = parse(&bytes, REQUESTED, &asked());
    }
}
