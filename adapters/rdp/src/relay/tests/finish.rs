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
