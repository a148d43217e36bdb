use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason};

use super::*;
use crate::RelayViolation;

#[test]
fn bytes_pass_as_they_are_where_nothing_is_to_be_changed() {
    let mut pair = Pair::active(settings());
    let update = [0, 9, 1, 2, 3, 4, 5, 6, 7];
    let sound = indication(SERVER, channel("rdpsnd"), &message(&[7, 0, 0, 0]));
    pair.target_sends(&[&update[..], &sound].concat()).unwrap();
    assert_eq!(pair.take_to_viewer(), [&update[..], &sound].concat());
    assert_eq!(pair.target_lane, [&update[..], &sound].concat());
    assert!(pair.take_to_target().is_empty());
}

#[test]
fn numbers_of_the_other_leg_are_put_in_their_place() {
    let mut pair = Pair::new(RelaySettings { target: leg(50), ..settings() });
    pair.target_sends(&indication(SERVER, IO + 50, &license_valid())).unwrap();
    assert_eq!(messages(&pair.take_to_viewer()), [(SERVER, IO, license_valid())]);
    // Some servers send in the name of the client's user.
    pair.target_sends(&indication(USER + 50, IO + 50, &demand_active(WIDTH, HEIGHT))).unwrap();
    let (initiator, io, _) = messages(&pair.take_to_viewer()).remove(0);
    assert_eq!((initiator, io), (USER, IO));

    pair.viewer(channel("rdpsnd"), &message(b"formats")).unwrap();
    let sound = (USER + 50, channel("rdpsnd") + 50, message(b"formats"));
    assert_eq!(messages(&pair.take_to_target()), std::slice::from_ref(&sound));
    assert_eq!(messages(&pair.viewer_lane), [sound]);
    pair.target_sends(&indication(SERVER, MESSAGE + 50, &[0, 0x40, 0, 0, 1])).unwrap();
    assert_eq!(messages(&pair.take_to_viewer()), [(SERVER, MESSAGE, vec![0, 0x40, 0, 0, 1])]);
    // The number is also in the share control header.
    pair.viewer(IO, &share_data(USER, ShareDataPdu::ShutdownRequest)).unwrap();
    let expected = share_data(USER + 50, ShareDataPdu::ShutdownRequest);
    assert_eq!(messages(&pair.take_to_target()), [(USER + 50, IO + 50, expected)]);
}

#[test]
fn a_message_channel_that_the_other_leg_does_not_have_is_left_out() {
    let viewer = Channels { message: None, ..leg(0) };
    let mut pair = Pair::active(RelaySettings { viewer, ..settings() });
    pair.target(MESSAGE, &[0, 0x40, 0, 0, 1]).unwrap();
    assert!(pair.take_to_viewer().is_empty());
}

#[test]
fn the_end_is_forwarded_and_told_in_words() {
    for (side, reason, words) in [
        (Side::Viewer, DisconnectReason::UserRequested, "the user asked for it"),
        (Side::Target, DisconnectReason::ProviderInitiated, "it ended the connection"),
    ] {
        let pdu = DisconnectProviderUltimatum { reason };
        let end = encoded(&X224(McsMessage::DisconnectProviderUltimatum(pdu)));
        let mut longer = [&end[..], &[0x68, 0, 1, 3, 0xeb]].concat();
        longer[3] += 5;
        for said in [&end, &longer] {
            let mut pair = Pair::active(settings());
            match side {
                Side::Viewer => pair.viewer_sends(said).unwrap(),
                Side::Target => pair.target_sends(said).unwrap(),
            }
            // What follows it is left out.
            assert_eq!([pair.take_to_target(), pair.take_to_viewer()].concat(), end);
            let told = Notice::Disconnecting { by: side, reason: words.into() };
            assert_eq!(pair.take_notices(), [told]);
        }
    }
}

#[test]
fn what_cannot_be_framed_ends_the_session() {
    let data = request(USER, IO, b"data");
    let with = |at: usize, byte: u8| {
        let mut pdu = data.clone();
        pdu[at] = byte;
        pdu
    };
    for (from, bytes, violation) in [
        (Side::Viewer, vec![1], RelayViolation::NoPdu(1)),
        (Side::Viewer, vec![0x13, 0, 0, 9], RelayViolation::NoPdu(0x13)),
        (Side::Viewer, vec![0xc4, 4, 0, 0], RelayViolation::StandardSecurity),
        (Side::Target, vec![0x80, 4, 0, 0], RelayViolation::StandardSecurity),
        (Side::Target, vec![0, 0], RelayViolation::TooShort(0)),
        (Side::Target, vec![0, 2], RelayViolation::TooShort(2)),
        (Side::Target, vec![0, 0x80, 3], RelayViolation::TooShort(3)),
        (Side::Target, vec![3, 0, 0, 8], RelayViolation::TooShort(8)),
        (Side::Viewer, with(5, 0xe0), RelayViolation::NotData),
        (Side::Viewer, with(7, 14 << 2), RelayViolation::McsPdu(14)),
        (Side::Target, data.clone(), RelayViolation::McsPdu(25)),
        (Side::Viewer, indication(USER, IO, b"data"), RelayViolation::McsPdu(26)),
        (Side::Viewer, with(12, 0x60), RelayViolation::Segmented),
        (Side::Viewer, with(13, 5), RelayViolation::McsLength),
        (Side::Viewer, with(13, 0x80), RelayViolation::McsLength),
        (Side::Viewer, with(9, 99), RelayViolation::Initiator(1001 + 99)),
        (Side::Viewer, with(11, 0xff), RelayViolation::UnknownChannel(0x3ff)),
    ] {
        let error = RdpRelay::new(settings()).step(from, &bytes, &mut vec![]).unwrap_err();
        assert_eq!(error.side, from);
        assert_eq!(error.error.downcast_ref(), Some(&violation));
    }
}
