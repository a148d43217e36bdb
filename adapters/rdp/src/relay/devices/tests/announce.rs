//! Which devices the target knows, and when.

use super::*;

#[test]
fn a_device_is_announced_with_its_permission() {
    let all = DEVICES.map(|(device, _)| device);
    for permission in Permission::ALL {
        let mut rig = Rig::new();
        rig.permissions = Permissions::NONE.with(*permission);
        let permitted: Vec<u32> =
            DEVICES.iter().filter(|(_, needed)| needed == permission).map(|(device, _)| *device).collect();
        let expected = if permitted.is_empty() { vec![] } else { announcement(&permitted) };
        assert_eq!(rig.send(Side::Viewer, &announcement(&all)), expected, "{permission}");
        let told: Vec<Permission> = rig.denials().into_iter().map(|(_, permission, _)| permission).collect();
        let missing: Vec<Permission> =
            DEVICES.iter().map(|(_, needed)| *needed).filter(|needed| needed != permission).collect();
        assert_eq!(told, missing);
    }
}

#[test]
fn denials_name_the_devices() {
    let mut rig = Rig::new();
    rig.permissions = Permissions::NONE;
    rig.send(Side::Viewer, &announcement(&DEVICES.map(|(device, _)| device)));
    let actions = rig.denied_actions();
    let expected = [
        "redirect the serial port COM1",
        "redirect the parallel port LPT1",
        "redirect the printer Laser jet",
        "redirect the drive home",
        "redirect smart cards",
        "redirect the device THING of type 0x77",
    ];
    assert_eq!(actions, expected);
}

#[test]
fn a_reply_passes_once_and_only_for_what_was_announced() {
    let reply = |device_id| {
        let result_code = NtStatus::SUCCESS;
        pdu(RdpdrPdu::ServerDeviceAnnounceResponse(ServerDeviceAnnounceResponse { device_id, result_code }))
    };
    let mut rig = Rig::new();
    rig.permissions = rig.permissions.without(Permission::Printers);
    rig.send(Side::Viewer, &announcement(&[PRINTER, DRIVE]));
    assert_eq!(rig.send(Side::Target, &reply(DRIVE)), reply(DRIVE));
    assert_eq!(rig.send(Side::Target, &reply(DRIVE)), NOTHING);
    assert_eq!(rig.send(Side::Target, &reply(PRINTER)), NOTHING);
    assert_eq!(rig.send(Side::Target, &reply(99)), NOTHING);
}

#[test]
fn removal_passes_for_what_the_target_knows() {
    let mut rig = Rig::new();
    rig.permissions = rig.permissions.without(Permission::Printers);
    rig.send(Side::Viewer, &announcement(&[PRINTER, DRIVE, SERIAL]));
    assert_eq!(rig.send(Side::Viewer, &removal(&[PRINTER, DRIVE])), removal(&[DRIVE]));
    assert_eq!(rig.send(Side::Viewer, &removal(&[DRIVE])), NOTHING);
    assert_eq!(rig.send(Side::Viewer, &removal(&[SERIAL])), removal(&[SERIAL]));
    rig.refused(&request(DRIVE, 1, 7, 0x0c), 7);
    // What has gone does not come back by itself.
    rig.allow(rig.permissions.with(Permission::Printers));
    assert_eq!(rig.injections, []);
}

#[test]
fn a_withdrawn_device_goes_away_at_once_and_comes_back_when_it_may() {
    for (device, permission) in DEVICES {
        let mut rig = Rig::new();
        rig.send(Side::Viewer, &announcement(&[device]));
        let request = request(device, 1, 7, 0x0e);
        assert_eq!(rig.send(Side::Target, &request), request);
        let with = rig.permissions;
        rig.allow(with.without(permission));
        // What is under way fails first.
        let expected = [(Side::Target, denied(device, 7)), (Side::Target, removal(&[device]))];
        assert_eq!(rig.take_injections(), expected);
        assert_eq!(rig.send(Side::Viewer, &plain(device, 7, NtStatus::SUCCESS)), NOTHING, "too late");
        rig.refused(&request, 7);
        rig.allow(with.without(permission).without(Permission::Keyboard));
        assert_eq!(rig.take_injections(), []);
        rig.allow(with);
        assert_eq!(rig.take_injections(), [(Side::Target, announcement(&[device]))]);
        assert_eq!(rig.send(Side::Target, &request), request);
    }
}

#[test]
fn a_device_that_was_never_announced_is_when_it_may() {
    let mut rig = Rig::new();
    let with = rig.permissions;
    rig.permissions = with.without(Permission::Drives);
    assert_eq!(rig.send(Side::Viewer, &announcement(&[DRIVE])), NOTHING);
    rig.allow(with);
    assert_eq!(rig.take_injections(), [(Side::Target, announcement(&[DRIVE]))]);
}

#[test]
fn where_devices_cannot_go_away_their_requests_fail() {
    let mut rig = Rig::with(super::super::Devices::new());
    rig.send(Side::Viewer, &announcement(&[DRIVE]));
    let with = rig.permissions;
    rig.allow(with.without(Permission::Drives));
    assert_eq!(rig.take_injections(), []);
    rig.refused(&request(DRIVE, 1, 7, 0x0c), 7);
    assert_eq!(rig.denials(), [(Side::Target, Permission::Drives, None)]);
    rig.allow(with);
    assert_eq!(rig.take_injections(), [], "the target still knows it");
    let request = request(DRIVE, 1, 8, 0x0c);
    assert_eq!(rig.send(Side::Target, &request), request);
}

#[test]
fn a_target_that_begins_anew_knows_nothing() {
    let mut rig = Rig::with_devices();
    let anew = pdu(RdpdrPdu::VersionAndIdPdu(VersionAndIdPdu {
        version_major: 1,
        version_minor: 13,
        client_id: 1,
        kind: VersionAndIdPduKind::ServerAnnounceRequest,
    }));
    assert_eq!(rig.send(Side::Target, &anew), anew);
    rig.refused(&request(DRIVE, 1, 7, 0x0c), 7);
}

#[test]
fn devices_are_bounded() {
    let mut rig = Rig::new();
    for number in 0..300 {
        let mut devices = Devices::new();
        devices.add_drive(number, "x".into());
        let device_list = devices.clone_inner();
        let message = pdu(RdpdrPdu::ClientDeviceListAnnounce(ClientDeviceListAnnounce { device_list }));
        let expected = if number < 256 { &message[..] } else { &[] };
        assert_eq!(rig.send(Side::Viewer, &message), expected);
    }
    let reason = Some("there are too many devices".to_owned());
    assert_eq!(rig.denials(), [(Side::Viewer, Permission::Drives, reason)]);
    // A printer brings its settings along.
    let printer = |len: usize| {
        let mut devices = Devices::new();
        assert!(devices.add_printer_announce(PRINTER, 0, "driver", "name", &vec![7; len]));
        let device_list = devices.clone_inner();
        pdu(RdpdrPdu::ClientDeviceListAnnounce(ClientDeviceListAnnounce { device_list }))
    };
    let mut rig = Rig::new();
    assert_eq!(rig.send(Side::Viewer, &printer(200_000)), printer(200_000));
    assert_eq!(rig.send(Side::Viewer, &printer(300_000)), NOTHING);
    assert_eq!(rig.denials().len(), 1);
}
