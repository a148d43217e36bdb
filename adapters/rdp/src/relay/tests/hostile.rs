use proptest::prelude::*;

use super::*;

/// All that came of a side's bytes.
#[derive(Debug, PartialEq)]
struct Result {
    to_viewer: Vec<u8>,
    to_target: Vec<u8>,
    viewer_lane: Vec<u8>,
    target_lane: Vec<u8>,
    notices: Vec<Notice>,
    error: Option<String>,
}

/// Sends `bytes` from a side in pieces of the lengths that come round in `pieces`.
fn through(settings: RelaySettings, from: Side, bytes: &[u8], pieces: &[usize]) -> Result {
    let mut pair = Pair::active(settings);
    pair.open(1, "Microsoft::Windows::RDS::Graphics");
    pair.open(2, "Microsoft::Windows::RDS::Input");
    pair.open(3, "AUDIO_PLAYBACK_DVC");
    let mut rest = bytes;
    let mut error = None;
    for len in pieces.iter().cycle() {
        let (piece, after) = rest.split_at((*len).min(rest.len()));
        let result = match from {
            Side::Viewer => pair.viewer_sends(piece),
            Side::Target => pair.target_sends(piece),
        };
        error = result.err().map(|error| error.to_string());
        rest = after;
        if error.is_some() || rest.is_empty() {
            break;
        }
    }
    let Pair { to_viewer, to_target, viewer_lane, target_lane, notices, .. } = pair;
    Result { to_viewer, to_target, viewer_lane, target_lane, notices, error }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Viewer), Just(Side::Target)]
}

fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..len)
}

/// User data of some channel that begin like something that is looked into.
fn user_data() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let share = (0_u8..64, bytes(60)).prop_map(|(kind, body)| {
        let mut pdu = share_data(USER, ShareDataPdu::ShutdownRequest);
        pdu[14] = kind;
        pdu.extend(body);
        let total = (pdu.len() as u16).to_le_bytes();
        pdu[..2].copy_from_slice(&total);
        (IO, pdu)
    });
    let control = (any::<u8>(), bytes(80)).prop_map(|(kind, body)| {
        let mut pdu = [&[0, 0, kind, 0, 0, 0][..], &body].concat();
        let total = (pdu.len() as u16).to_le_bytes();
        pdu[..2].copy_from_slice(&total);
        (IO, pdu)
    });
    let capabilities =
        (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(|(at, byte, demand)| {
            let mut pdu = if demand { demand_active(WIDTH, HEIGHT) } else { confirm_active() };
            let at = at.index(pdu.len() - 2) + 2;
            pdu[at] = byte;
            (IO, pdu)
        });
    let chunked = (prop::sample::select(STATICS.to_vec()), 0_u32..4, bytes(60), 0_usize..3)
        .prop_map(|(name, flags, data, more)| (channel(name), chunk(data.len() + more, flags, &data)));
    let dynamic = (0_u8..10, 0_u8..3, 0_u8..4, bytes(40)).prop_map(|(command, width, id, data)| {
        let pdu = [&[command << 4 | width, id, 0, 0, 0][..2 + usize::from(width)], &data].concat();
        (channel("drdynvc"), message(&pdu))
    });
    let anything = (any::<u16>(), bytes(60));
    prop_oneof![share, control, capabilities, chunked, dynamic, anything, (Just(MESSAGE), bytes(20))]
}

fn pdu(from: Side) -> impl Strategy<Value = Vec<u8>> {
    let mcs = user_data().prop_map(move |(channel, data)| match from {
        Side::Viewer => request(USER, channel, &data),
        Side::Target => indication(SERVER, channel, &data),
    });
    let fast = (0_u8..16, bytes(60))
        .prop_map(|(events, content)| [&[events << 2, content.len() as u8 + 3, 1][..], &content].concat());
    prop_oneof![8 => mcs, 2 => fast, 1 => bytes(20)]
}

fn stream() -> impl Strategy<Value = (Side, Vec<u8>)> {
    side().prop_flat_map(|from| {
        prop::collection::vec(pdu(from), 0..12).prop_map(move |pdus| (from, pdus.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_out_the_same_however_they_are_cut(
        (from, bytes) in stream(),
        pieces in prop::collection::vec(1_usize..40, 1..6),
        bits in any::<u32>(),
        recorded in any::<bool>(),
        shift in prop_oneof![Just(0), Just(50)],
    ) {
        // Some permissions; the ones that would refuse the channels above are there.
        let held = [Permission::View, Permission::Pointer, Permission::AudioOut];
        let permissions = Permission::ALL
            .iter()
            .copied()
            .filter(|permission| held.contains(permission) || bits & (1 << *permission as u32) != 0)
            .collect();
        let settings = RelaySettings { permissions, recorded, ..settings() };
        let whole = through(settings.clone(), from, &bytes, &[usize::MAX]);
        prop_assert_eq!(&whole, &through(settings.clone(), from, &bytes, &pieces));
        prop_assert_eq!(&whole, &through(settings.clone(), from, &bytes, &[1]));
        // With other numbers on the target's leg it must not panic either.
        let target = leg(shift);
        let mut pair = Pair::new(RelaySettings { target, ..settings });
        let _ = match from {
            Side::Viewer => pair.viewer_sends(&bytes),
            Side::Target => pair.target_sends(&bytes),
        };
    }

    #[test]
    fn permissions_may_change_at_any_time(
        viewer in prop::collection::vec((pdu(Side::Viewer), any::<u32>()), 0..12),
        target in prop::collection::vec((pdu(Side::Target), any::<u32>()), 0..12),
    ) {
        let mut pair = Pair::active(settings());
        pair.open(1, "Microsoft::Windows::RDS::Graphics");
        pair.open(2, "Microsoft::Windows::RDS::Input");
        pair.open(3, "AUDIO_PLAYBACK_DVC");
        for ((up, up_bits), (down, down_bits)) in viewer.iter().zip(&target) {
            for (from, bytes, bits) in [(Side::Viewer, up, up_bits), (Side::Target, down, down_bits)] {
                let permissions = Permission::ALL.iter().copied();
                let permissions = permissions.filter(|permission| bits & (1 << *permission as u32) != 0);
                pair.relay.set_permissions(permissions.collect());
                let result = match from {
                    Side::Viewer => pair.viewer_sends(bytes),
                    Side::Target => pair.target_sends(bytes),
                };
                if result.is_err() {
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn view_only_lets_no_input_pass(bytes in prop::collection::vec(pdu(Side::Viewer), 0..12)) {
        let permissions = Permissions::NONE.with(Permission::View);
        let mut pair = Pair::active(RelaySettings { permissions, ..settings() });
        let _ = pair.viewer_sends(&bytes.concat());
        prop_assert!(!pair.take_notices().contains(&Notice::Input));
        let mut sent = &pair.to_target[..];
        while let Ok(Ok(frame)) = crate::relay::frame::frame(Side::Viewer, sent) {
            use crate::relay::frame::Frame;
            sent = match frame {
                Frame::FastPath { len, .. } => {
                    // Only the times at which frames were shown.
                    let (pdu, rest) = sent.split_at(len);
                    let events = pdu.iter().filter(|byte| **byte >> 5 == 6).count();
                    prop_assert!(events > 0);
                    rest
                }
                Frame::Data(data) => {
                    let (pdu, rest) = sent.split_at(data.len);
                    let content = &pdu[data.header..];
                    prop_assert!(data.channel != IO || content.get(14) != Some(&28) || content[2] & 15 != 7);
                    rest
                }
                Frame::Disconnect { len, .. } => &sent[len..],
            };
        }
    }
}
