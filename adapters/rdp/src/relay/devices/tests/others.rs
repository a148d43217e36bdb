//! Printers, ports, smart cards, and what peers begin with.

use sha2::{Digest, Sha256};

use super::*;

#[test]
fn a_print_job_is_told() {
    let data = vec![b'%'; 10_000];
    let mut rig = Rig::with_devices();
    rig.done(&create(PRINTER, 1, CreateDisposition::FILE_OPEN_IF, ""), &created(PRINTER, 1, 9));
    // Printers take what comes in order; the offset means nothing to them.
    for piece in data.chunks(4000) {
        rig.done(&write(PRINTER, 9, 2, 0, piece), &written(PRINTER, 2, piece.len()));
    }
    rig.done(&close(PRINTER, 9, 3), &closed(PRINTER, 3));
    let sha256 = Some(Sha256::digest(&data).into());
    let name = "Laser jet".to_owned();
    let told = Notice::File { from: Side::Target, by: "printer", name, bytes: 10_000, sha256 };
    assert_eq!(rig.files(), [told]);
    assert_eq!(rig.recorded, NOTHING);
}

#[test]
fn requests_to_a_device_need_its_permission_and_are_not_recorded() {
    for (device, permission) in DEVICES {
        // Where devices cannot go away.
        let mut rig = Rig::with(super::super::Devices::new());
        rig.send(Side::Viewer, &announcement(&[device]));
        rig.recorded.clear();
        let all = rig.permissions;
        let control = request(device, 1, 7, 0x0e);
        let answer = pdu(RdpdrPdu::DeviceControlResponse(DeviceControlResponse::with_raw_output(
            header(device, 1, 7, MajorFunction::DeviceControl),
            NtStatus::SUCCESS,
            vec![1; 3000],
        )));
        rig.done(&control, &answer);
        assert_eq!(rig.recorded, NOTHING, "a PIN may be in it");
        rig.allow(all.without(permission));
        rig.refused(&control, 7);
        assert_eq!(rig.denials(), [(Side::Target, permission, None)]);
        assert_eq!(rig.send(Side::Viewer, &answer), NOTHING);
    }
    let mut rig = Rig::with_devices();
    rig.refused(&request(99, 1, 7, 0x0e), 7);
    let reason = Some("there is no such device".to_owned());
    assert_eq!(rig.denials(), [(Side::Target, Permission::OtherChannels, reason)]);
}

#[test]
fn what_peers_begin_with_passes_in_its_direction_only() {
    let version = |kind| {
        pdu(RdpdrPdu::VersionAndIdPdu(VersionAndIdPdu {
            version_major: 1,
            version_minor: 13,
            client_id: 1,
            kind,
        }))
    };
    let name = ClientNameRequest::new("desk".into(), ClientNameRequestUnicodeFlag::Unicode);
    let printer = |id: u16| [&[0x52, 0x50][..], &id.to_le_bytes(), &[7; 3000]].concat();
    let confirm = version(VersionAndIdPduKind::ServerClientIdConfirm);
    let messages: Vec<(Vec<u8>, &[Side])> = vec![
        (version(VersionAndIdPduKind::ServerAnnounceRequest), &[Side::Target]),
        (confirm, &[Side::Target, Side::Viewer]),
        (pdu(RdpdrPdu::ClientNameRequest(name)), &[Side::Viewer]),
        (capabilities(CoreCapabilityKind::ServerCoreCapabilityRequest), &[Side::Target]),
        (capabilities(CoreCapabilityKind::ClientCoreCapabilityResponse), &[Side::Viewer]),
        (pdu(RdpdrPdu::UserLoggedon), &[Side::Target]),
        (announcement(&[DRIVE]), &[Side::Viewer]),
        (removal(&[]), &[Side::Viewer]),
        (printer(0x5043), &[Side::Target]),
        (printer(0x5543), &[Side::Target]),
        (printer(0x1234), &[]),
        (vec![0x72, 0x44, 0x34, 0x12], &[]),
        (vec![0, 0, 0, 0], &[]),
    ];
    for (message, passes) in messages {
        for from in [Side::Viewer, Side::Target] {
            let mut rig = Rig::new();
            let arrived = rig.send(from, &message);
            let denied: Vec<_> = rig.denials().into_iter().map(|(by, which, _)| (by, which)).collect();
            if passes.contains(&from) {
                assert_eq!((arrived, denied), (message.clone(), vec![]));
            } else {
                assert_eq!((arrived, denied), (vec![], vec![(from, Permission::OtherChannels)]));
            }
        }
    }
    let mut rig = Rig::new();
    rig.permissions = rig.permissions.without(Permission::Printers);
    assert_eq!(rig.send(Side::Target, &printer(0x5043)), NOTHING);
    assert_eq!(rig.denials(), [(Side::Target, Permission::Printers, None)]);
}
