//! What is told when the session ends.

use super::*;

/// A message of `rdpdr` (MS-RDPEFS 2.2.1.1): its packet id, fields and content.
fn device_message(packet: u16, fields: &[u32], content: &[u8]) -> Vec<u8> {
    let mut data = [0x4472_u16.to_le_bytes(), packet.to_le_bytes()].concat();
    data.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    data.extend(content);
    message(&data)
}

/// A session in which the target is printing; two bytes have passed.
fn printing() -> Pair {
    let (announce, request, completion) = (0x4441, 0x4952, 0x4943);
    let (device, file, printer) = (1, 7, 4);
    let mut pair = Pair::active(settings());
    let rdpdr = channel("rdpdr");
    let no_settings = [&b"PRN1\0\0\0\0"[..], &[0; 4]].concat();
    pair.viewer(rdpdr, &device_message(announce, &[1, printer, device], &no_settings)).unwrap();
    pair.target(rdpdr, &device_message(request, &[device, 0, 1, 0, 0], &[0; 32])).unwrap();
    pair.viewer(rdpdr, &device_message(completion, &[device, 1, 0, file], &[0])).unwrap();
    let write = [&2_u32.to_le_bytes()[..], &[0; 28], b"ab"].concat();
    pair.target(rdpdr, &device_message(request, &[device, file, 2, 4, 0], &write)).unwrap();
    pair
}

fn files(notices: Vec<Notice>) -> Vec<Notice> {
    notices.into_iter().filter(|notice| matches!(notice, Notice::File { .. })).collect()
}

#[test]
fn what_is_under_way_is_told_once_at_the_end() {
    // A permission that goes just before the end ends the file, and no step is there to tell it.
    for permissions in [all(), all().without(Permission::Printers)] {
        let mut pair = printing();
        pair.permit(permissions);
        assert_eq!(files(pair.take_notices()), []);
        let mut notices = vec![];
        pair.relay.finish(&mut notices);
        let told =
            Notice::File { from: Side::Target, by: "printer", name: "PRN1".into(), bytes: 2, sha256: None };
        assert_eq!(files(notices), [told]);
    }
}

/// The codes of Set Error Info among what is said, and how many messages there are in all.
fn said(words: &[u8]) -> (Vec<u32>, usize) {
    let mut codes = vec![];
    let (mut rest, mut count) = (words, 0);
    while !rest.is_empty() {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if let McsMessage::SendDataIndication(data) =
            ironrdp_core::decode::<X224<McsMessage<'_>>>(&rest[..len]).unwrap().0
            && data.user_data.get(14) == Some(&47)
        {
            codes.push(u32::from_le_bytes(data.user_data[18..22].try_into().unwrap()));
        }
        rest = &rest[len..];
        count += 1;
    }
    (codes, count)
}

#[test]
fn the_viewer_is_told_why_it_is_over() {
    for (why, code) in [
        (Farewell::Ended, 0x1),
        (Farewell::Idle, 0x3),
        (Farewell::TooLong, 0x4),
        (Farewell::Replaced, 0x5),
        (Farewell::Failed, 0xb),
        (Farewell::TargetLost, 0x400),
    ] {
        let words = Pair::active(settings()).relay.farewell(why).unwrap();
        assert_eq!(said(&words), (vec![code], 2), "{why:?}");
    }
}

/// Clients look for licensing first.
#[test]
fn before_the_license_the_viewer_gets_that_too() {
    let mut relay = RdpRelay::new(settings());
    let words = relay.farewell(Farewell::TargetLost).unwrap();
    assert_eq!(said(&words), (vec![0x400], 3));
    assert!(words.windows(20).any(|window| window == license_valid()));
}

#[test]
fn a_target_that_has_said_good_bye_is_not_lost() {
    let mut pair = Pair::active(settings());
    pair.target_sends(&[3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80]).unwrap();
    assert_eq!(pair.relay.farewell(Farewell::TargetLost), None);
    assert!(pair.relay.farewell(Farewell::Ended).is_some());
}
