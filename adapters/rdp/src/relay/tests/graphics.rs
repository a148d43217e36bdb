use ironrdp_egfx::pdu::{CapabilitySet, *};

use super::dynamic::{data, data_first};
use super::*;

const GRAPHICS: &str = "Microsoft::Windows::RDS::Graphics";

fn advertise(sets: Vec<CapabilitySet>) -> Vec<u8> {
    encoded(&GfxPdu::CapabilitiesAdvertise(CapabilitiesAdvertisePdu::from_typed(&sets)))
}

/// Each version, and one that nobody knows.
fn offered() -> Vec<u8> {
    let sets = vec![
        CapabilitySet::V8 { flags: CapabilitiesV8Flags::SMALL_CACHE },
        CapabilitySet::V8_1 {
            flags: CapabilitiesV81Flags::AVC420_ENABLED | CapabilitiesV81Flags::SMALL_CACHE,
        },
        CapabilitySet::V10 { flags: CapabilitiesV10Flags::SMALL_CACHE },
        CapabilitySet::V10_1,
        CapabilitySet::V10_2 { flags: CapabilitiesV10Flags::empty() },
        CapabilitySet::V10_3 { flags: CapabilitiesV103Flags::empty() },
        CapabilitySet::V10_4 { flags: CapabilitiesV104Flags::empty() },
        CapabilitySet::V10_5 { flags: CapabilitiesV104Flags::empty() },
        CapabilitySet::V10_6 { flags: CapabilitiesV104Flags::empty() },
        CapabilitySet::V10_7 { flags: CapabilitiesV107Flags::empty() },
    ];
    let mut message = advertise(sets);
    message[8] += 1;
    message.extend([0x00, 0x00, 0x0b, 0x00, 4, 0, 0, 0, 0, 0, 0, 0]);
    let len = (message.len() as u32).to_le_bytes();
    message[4..8].copy_from_slice(&len);
    message
}

/// What goes on of a message of the viewer.
fn passes(settings: RelaySettings, message: &[u8]) -> Vec<Vec<u8>> {
    let mut pair = Pair::active(settings);
    pair.open(3, GRAPHICS);
    pair.viewer(channel("drdynvc"), &super::message(&data(3, message))).unwrap();
    pair.dvc_to_target()
}

#[test]
fn only_versions_that_are_decoded_are_offered_in_recorded_sessions() {
    let decoded = if cfg!(feature = "openh264") {
        let mut message = offered();
        message.truncate(message.len() - 12);
        message[8] -= 1;
        let len = (message.len() as u32).to_le_bytes();
        message[4..8].copy_from_slice(&len);
        message
    } else {
        advertise(vec![
            CapabilitySet::V8 { flags: CapabilitiesV8Flags::SMALL_CACHE },
            CapabilitySet::V8_1 { flags: CapabilitiesV81Flags::SMALL_CACHE },
            CapabilitySet::V10 {
                flags: CapabilitiesV10Flags::SMALL_CACHE | CapabilitiesV10Flags::AVC_DISABLED,
            },
            CapabilitySet::V10_2 { flags: CapabilitiesV10Flags::AVC_DISABLED },
            CapabilitySet::V10_3 { flags: CapabilitiesV103Flags::AVC_DISABLED },
            CapabilitySet::V10_4 { flags: CapabilitiesV104Flags::AVC_DISABLED },
            CapabilitySet::V10_5 { flags: CapabilitiesV104Flags::AVC_DISABLED },
            CapabilitySet::V10_6 { flags: CapabilitiesV104Flags::AVC_DISABLED },
            CapabilitySet::V10_7 { flags: CapabilitiesV107Flags::AVC_DISABLED },
        ])
    };
    assert_eq!(passes(settings(), &offered()), [data(3, &decoded)]);
    let unrecorded = RelaySettings { recorded: false, ..settings() };
    assert_eq!(passes(unrecorded, &offered()), [data(3, &offered())]);
}

#[test]
fn something_is_always_offered() {
    let unknown =
        [&[0x12, 0, 0, 0, 22, 0, 0, 0, 1, 0][..], &[0, 0, 0x0b, 0, 4, 0, 0, 0, 1, 2, 3, 4]].concat();
    let first = advertise(vec![CapabilitySet::V8 { flags: CapabilitiesV8Flags::empty() }]);
    assert_eq!(passes(settings(), &unknown), [data(3, &first)]);
}

#[test]
fn a_cache_that_the_recording_does_not_have_is_not_offered() {
    let offer = |len: u32| {
        let mut pdu = [&[0x10, 0, 0, 0][..], &len.to_le_bytes()].concat();
        pdu.resize(len as usize, 7);
        pdu
    };
    let acknowledge = [&[0x0d, 0, 0, 0, 20, 0, 0, 0][..], &[1; 12]].concat();
    assert!(passes(settings(), &offer(100)).is_empty());
    assert_eq!(passes(settings(), &acknowledge), [data(3, &acknowledge)]);
    assert_eq!(passes(settings(), &[offer(100), acknowledge.clone()].concat()), [data(3, &acknowledge)]);
    let unrecorded = RelaySettings { recorded: false, ..settings() };
    assert_eq!(passes(unrecorded, &offer(100)), [data(3, &offer(100))]);

    // A long one comes in parts.
    let mut pair = Pair::active(settings());
    pair.open(3, GRAPHICS);
    let long = offer(3000);
    for pdu in [data_first(3, 3000, &long[..1500]), data(3, &long[1500..]), data(3, &acknowledge)] {
        pair.viewer(channel("drdynvc"), &message(&pdu)).unwrap();
    }
    assert_eq!(pair.dvc_to_target(), [data(3, &acknowledge)]);
}

#[test]
fn what_would_have_to_be_changed_does_not_come_in_parts() {
    let offered = offered();
    for (recorded, is_ok) in [(true, false), (false, true)] {
        let mut pair = Pair::active(RelaySettings { recorded, ..settings() });
        pair.open(3, GRAPHICS);
        let first = data_first(3, offered.len(), &offered[..50]);
        assert_eq!(pair.viewer(channel("drdynvc"), &message(&first)).is_ok(), is_ok);
    }
}

#[test]
fn malformed_messages_end_the_session() {
    let good = offered();
    for (at, byte) in [(4, 7), (5, 0xff), (8, 0xff), (14, 0xff)] {
        let mut bad = good.clone();
        bad[at] = byte;
        let mut pair = Pair::active(settings());
        pair.open(3, GRAPHICS);
        assert!(pair.viewer(channel("drdynvc"), &message(&data(3, &bad))).is_err(), "{at}");
    }
}
