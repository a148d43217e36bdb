use ironrdp_dvc::pdu::*;

use super::*;

const GRAPHICS: &str = "Microsoft::Windows::RDS::Graphics";
pub(super) const DISPLAY: &str = "Microsoft::Windows::RDS::DisplayControl";
pub(super) const TOUCH: &str = "Microsoft::Windows::RDS::Input";
pub(super) const ADVANCED: &str = "FreeRDP::Advanced::Input";

/// Every dynamic channel with a permission of its own.
pub(super) const PERMITTED: [(&str, Permission); 16] = [
    (DISPLAY, Permission::Resize),
    (TOUCH, Permission::Pointer),
    (ADVANCED, Permission::Pointer),
    ("AUDIO_INPUT", Permission::AudioIn),
    ("AUDIO_PLAYBACK_DVC", Permission::AudioOut),
    ("AUDIO_PLAYBACK_LOSSY_DVC", Permission::AudioOut),
    ("URBDRC", Permission::Usb),
    ("PNPDR", Permission::Usb),
    ("FileRedirectorChannel", Permission::Usb),
    ("RDCamera_Device_Enumerator", Permission::Camera),
    ("RDCamera_Device_0", Permission::Camera),
    ("Microsoft::Windows::RDS::Location", Permission::Location),
    ("XPSRD", Permission::Printers),
    ("rdpsnd", Permission::AudioOut),
    ("ECHO", Permission::OtherChannels),
    ("a channel of tomorrow", Permission::OtherChannels),
];

impl Pair {
    pub(super) fn dvc_target(&mut self, pdu: &[u8]) -> Result<(), RelayError> {
        self.target(channel("drdynvc"), &message(pdu))
    }

    pub(super) fn dvc_viewer(&mut self, pdu: &[u8]) -> Result<(), RelayError> {
        self.viewer(channel("drdynvc"), &message(pdu))
    }

    pub(super) fn create(&mut self, id: u32, name: &str) {
        self.dvc_target(&create(id, name)).unwrap();
    }

    /// Opens a channel that is permitted.
    pub(super) fn open(&mut self, id: u32, name: &str) {
        self.create(id, name);
        assert_eq!(only(&self.take_to_viewer()), message(&create(id, name)), "{name}");
        self.dvc_viewer(&created(id, CreationStatus::OK)).unwrap();
        assert_eq!(only(&self.take_to_target()), message(&created(id, CreationStatus::OK)));
        self.forget();
    }

    /// What of dynamic channels went to the viewer.
    pub(super) fn dvc_to_viewer(&mut self) -> Vec<Vec<u8>> {
        contents(&self.take_to_viewer())
    }

    pub(super) fn dvc_to_target(&mut self) -> Vec<Vec<u8>> {
        contents(&self.take_to_target())
    }
}

fn contents(bytes: &[u8]) -> Vec<Vec<u8>> {
    messages(bytes).into_iter().map(|(_, _, data)| data[8..].to_vec()).collect()
}

pub(super) fn create(id: u32, name: &str) -> Vec<u8> {
    encoded(&DrdynvcServerPdu::Create(CreateRequestPdu::new(id, name.into())))
}

pub(super) fn created(id: u32, status: CreationStatus) -> Vec<u8> {
    encoded(&DrdynvcClientPdu::Create(CreateResponsePdu::new(id, status)))
}

pub(super) fn data(id: u32, data: &[u8]) -> Vec<u8> {
    encoded(&DrdynvcServerPdu::Data(DrdynvcDataPdu::Data(DataPdu::new(id, data.to_vec()))))
}

pub(super) fn data_first(id: u32, total: usize, data: &[u8]) -> Vec<u8> {
    let pdu = DataFirstPdu::new(id, u32::try_from(total).unwrap(), data.to_vec());
    encoded(&DrdynvcServerPdu::Data(DrdynvcDataPdu::DataFirst(pdu)))
}

pub(super) fn close(id: u32) -> Vec<u8> {
    encoded(&DrdynvcServerPdu::Close(ClosePdu::new(id)))
}

#[test]
fn a_permitted_channel_opens_and_passes_both_ways() {
    for (name, permission) in PERMITTED {
        for id in [3, 0x1234, 0x0012_3456] {
            let mut pair = Pair::active(settings());
            pair.create(id, name);
            assert_eq!(pair.dvc_to_viewer(), [create(id, name)]);
            assert!(pair.take_notices().is_empty(), "it is not open yet");
            pair.dvc_viewer(&created(id, CreationStatus::OK)).unwrap();
            assert_eq!(pair.dvc_to_target(), [created(id, CreationStatus::OK)]);
            let told = Notice::Channel { name: name.into(), dynamic: true, permission, opened: true };
            assert_eq!(pair.take_notices(), [told]);

            pair.dvc_target(&data(id, b"down")).unwrap();
            assert_eq!(pair.dvc_to_viewer(), [data(id, b"down")]);
            pair.dvc_viewer(&data(id, b"up")).unwrap();
            assert_eq!(pair.dvc_to_target(), [data(id, b"up")]);
        }
    }
}

#[test]
fn a_denied_channel_is_refused_in_the_viewers_place() {
    let never = ["cliprdr", "RDPDR", "drdynvc", "Microsoft::Windows::RDS::CoreInput"];
    let undecoded = [
        "Microsoft::Windows::RDS::Geometry::v08.01",
        "Microsoft::Windows::RDS::Video::Control::v08.01",
        "Microsoft::Windows::RDS::Video::Data::v08.01",
        "Microsoft::Windows::RDS::MouseCursor",
    ];
    let denied = PERMITTED
        .iter()
        .map(|(name, permission)| (*name, without(*permission)))
        .chain(never.map(|name| (name, RelaySettings { recorded: false, ..settings() })))
        .chain(undecoded.map(|name| (name, settings())));
    for (name, settings) in denied {
        for id in [3, 0x1234, 0x0012_3456] {
            let mut pair = Pair::active(settings.clone());
            // Servers put the channel's priority where other PDUs have something else.
            let mut request = create(id, name);
            request[0] |= 0x0c;
            pair.dvc_target(&request).unwrap();
            assert!(pair.take_to_viewer().is_empty(), "{name}");
            assert_eq!(pair.dvc_to_target(), [created(id, CreationStatus::NO_LISTENER)], "{name}");
            assert_eq!(pair.channels(), [(name.to_owned(), false)]);
            // Nor does anything pass that is sent in it nevertheless.
            pair.dvc_target(&data(id, b"down")).unwrap();
            pair.dvc_target(&data_first(id, 10, b"down")).unwrap();
            pair.dvc_target(&close(id)).unwrap();
            pair.dvc_viewer(&created(id, CreationStatus::OK)).unwrap();
            pair.dvc_viewer(&data(id, b"up")).unwrap();
            pair.dvc_viewer(&data_first(id, 10, b"up")).unwrap();
            pair.dvc_viewer(&close(id)).unwrap();
            assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty());
        }
    }
    for name in undecoded {
        Pair::active(RelaySettings { recorded: false, ..settings() }).open(1, name);
    }
}

#[test]
fn a_channel_that_the_viewer_refuses_is_not_open() {
    let mut pair = Pair::active(settings());
    pair.create(3, "ECHO");
    pair.dvc_viewer(&created(3, CreationStatus::NO_LISTENER)).unwrap();
    assert_eq!(pair.dvc_to_target(), [created(3, CreationStatus::NO_LISTENER)]);
    assert!(pair.take_notices().is_empty());
    pair.forget();
    pair.dvc_target(&data(3, b"down")).unwrap();
    pair.dvc_viewer(&data(3, b"up")).unwrap();
    assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty());
    pair.open(3, "ECHO");
}

#[test]
fn a_channel_is_closed_by_either_side() {
    let mut pair = Pair::active(settings());
    pair.open(3, "ECHO");
    pair.dvc_viewer(&close(3)).unwrap();
    assert_eq!(pair.dvc_to_target(), [close(3)]);
    pair.dvc_target(&data(3, b"late")).unwrap();
    assert!(pair.take_to_viewer().is_empty());

    pair.open(3, "ECHO");
    pair.dvc_target(&close(3)).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [close(3)]);
    pair.dvc_viewer(&data(3, b"late")).unwrap();
    assert!(pair.take_to_target().is_empty());
    // The number is given anew before the viewer has answered.
    pair.create(3, "AUDIO_INPUT");
    pair.dvc_viewer(&close(3)).unwrap();
    pair.dvc_viewer(&created(3, CreationStatus::OK)).unwrap();
    assert_eq!(pair.dvc_to_target(), [close(3), created(3, CreationStatus::OK)]);
    pair.dvc_viewer(&data(3, b"up")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, b"up")]);
}

#[test]
fn a_channel_does_not_change_its_name() {
    let mut pair = Pair::active(settings());
    pair.open(3, "ECHO");
    assert!(pair.dvc_target(&create(3, "AUDIO_INPUT")).is_err());
}

#[test]
fn a_permission_that_goes_holds_from_the_next_pdu_on() {
    let mut pair = Pair::active(settings());
    pair.open(3, "AUDIO_INPUT");
    pair.dvc_viewer(&data_first(3, 12, b"one ")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data_first(3, 12, b"one ")]);
    pair.permit(all().without(Permission::AudioIn));
    // The message is ended without its content.
    pair.dvc_viewer(&data(3, b"two ")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, &[0; 4])]);
    pair.permit(all());
    pair.dvc_viewer(&data(3, b"end.")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, &[0; 4])]);
    pair.dvc_viewer(&data(3, b"next")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, b"next")]);

    pair.permit(all().without(Permission::AudioIn));
    pair.forget();
    for pdu in [data(3, b"whole"), data_first(3, 8, b"half")] {
        pair.dvc_viewer(&pdu).unwrap();
        pair.dvc_target(&pdu).unwrap();
    }
    assert!(pair.take_to_target().is_empty() && pair.take_to_viewer().is_empty());
    assert_eq!(pair.channels(), [("AUDIO_INPUT".to_owned(), false)]);
    pair.permit(all());
    // The rest of a message of which the beginning is missing.
    pair.dvc_viewer(&data(3, b"rest")).unwrap();
    assert!(pair.take_to_target().is_empty());
    pair.dvc_viewer(&data(3, b"next")).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, b"next")]);
}

#[test]
fn a_pdu_in_several_chunks_is_decided_at_the_first() {
    let drdynvc = channel("drdynvc");
    for allowed in [true, false] {
        let mut pair = Pair::active(settings());
        pair.open(3, "AUDIO_INPUT");
        if !allowed {
            pair.permit(all().without(Permission::AudioIn));
        }
        let pdu = data_first(3, 40, &[b'a'; 20]);
        let parts = [(FIRST, &pdu[..4]), (0, &pdu[4..15]), (LAST, &pdu[15..])];
        for (flags, part) in parts {
            pair.viewer(drdynvc, &chunk(pdu.len(), flags, part)).unwrap();
        }
        pair.viewer(drdynvc, &message(&data(3, &[b'b'; 20]))).unwrap();
        let sent = pair.dvc_to_target();
        if allowed {
            assert_eq!(sent.concat(), [pdu, data(3, &[b'b'; 20])].concat());
        } else {
            assert!(sent.is_empty());
        }
        // The message is over.
        pair.permit(all());
        pair.viewer(drdynvc, &message(&data(3, b"next"))).unwrap();
        assert_eq!(pair.dvc_to_target(), [data(3, b"next")]);
    }

    let mut pair = Pair::active(settings());
    pair.open(3, "AUDIO_INPUT");
    let pdu = data(3, &[b'a'; 30]);
    pair.viewer(drdynvc, &chunk(pdu.len(), FIRST, &pdu[..12])).unwrap();
    pair.permit(all().without(Permission::AudioIn));
    pair.viewer(drdynvc, &chunk(pdu.len(), 0, &pdu[12..22])).unwrap();
    pair.permit(all());
    pair.viewer(drdynvc, &chunk(pdu.len(), LAST, &pdu[22..])).unwrap();
    assert_eq!(pair.dvc_to_target().concat(), [&pdu[..12], &[0; 20][..]].concat());
}

#[test]
fn what_is_said_in_the_viewers_place_waits_for_the_end_of_its_message() {
    let drdynvc = channel("drdynvc");
    let mut pair = Pair::active(without(Permission::Camera));
    pair.open(3, "AUDIO_INPUT");
    let pdu = data(3, &[b'a'; 30]);
    pair.viewer(drdynvc, &chunk(pdu.len(), FIRST, &pdu[..12])).unwrap();
    pair.create(4, "RDCamera_Device_Enumerator");
    assert_eq!(pair.dvc_to_target(), [&pdu[..12]]);
    pair.viewer(drdynvc, &chunk(pdu.len(), LAST, &pdu[12..])).unwrap();
    assert_eq!(pair.dvc_to_target(), [&pdu[12..], &created(4, CreationStatus::NO_LISTENER)[..]]);
}

#[test]
fn control_pdus_come_whole() {
    let drdynvc = channel("drdynvc");
    for pdu in [create(3, "ECHO"), close(3), created(3, CreationStatus::OK)] {
        let mut pair = Pair::active(settings());
        assert!(pair.target(drdynvc, &chunk(pdu.len(), FIRST, &pdu[..2])).is_err());
    }
    for pdu in [&[][..], &[0x30], &[0x33, 1, 2, 3, 4], &[0x24, 1], &[0x50, 0], &[0xf0, 1], &[0x10, 3]] {
        assert!(Pair::active(settings()).target(drdynvc, &message(pdu)).is_err(), "{pdu:?}");
    }
    // A name without an end, or longer than names are.
    assert!(Pair::active(settings()).dvc_target(&[0x10, 3, b'x']).is_err());
    assert!(Pair::active(settings()).dvc_target(&create(3, &"x".repeat(300))).is_err());
}

#[test]
fn a_message_is_as_long_as_announced() {
    let mut pair = Pair::active(settings());
    pair.open(3, "ECHO");
    pair.dvc_target(&data_first(3, 8, b"half")).unwrap();
    assert!(pair.dvc_target(&data(3, b"and more")).is_err());
    let mut pair = Pair::active(settings());
    pair.open(3, "ECHO");
    assert!(pair.dvc_viewer(&data_first(3, 3, b"half")).is_err());
}

#[test]
fn the_version_stays_where_nothing_is_compressed_or_moved() {
    let charges = Some([1, 2, 3, 4]);
    let capabilities = |version, charges| {
        encoded(&DrdynvcServerPdu::Capabilities(CapabilitiesRequestPdu::new(version, charges)))
    };
    let response = |version| encoded(&DrdynvcClientPdu::Capabilities(CapabilitiesResponsePdu::new(version)));
    let (v1, v2, v3) = (CapsVersion::V1, CapsVersion::V2, CapsVersion::V3);
    let mut pair = Pair::active(settings());
    for (sent, passes) in [
        (capabilities(v1, None), capabilities(v1, None)),
        (capabilities(v2, charges), capabilities(v2, charges)),
        (capabilities(v3, charges), capabilities(v2, charges)),
    ] {
        pair.dvc_target(&sent).unwrap();
        assert_eq!(pair.dvc_to_viewer(), [passes]);
    }
    for (sent, passes) in [(v1, v1), (v2, v2), (v3, v2)] {
        pair.dvc_viewer(&response(sent)).unwrap();
        assert_eq!(pair.dvc_to_target(), [response(passes)]);
    }
}

#[test]
fn compressed_data_and_soft_sync_are_denied_and_the_session_goes_on() {
    let soft_sync = {
        let list = SoftSyncChannelList::new(SoftSyncTunnelType::RELIABLE_UDP, vec![3]);
        encoded(&DrdynvcServerPdu::SoftSyncRequest(SoftSyncRequestPdu::new(vec![list])))
    };
    let answer = encoded(&DrdynvcClientPdu::SoftSyncResponse(SoftSyncResponsePdu::new(vec![
        SoftSyncTunnelType::RELIABLE_UDP,
    ])));
    let first = encoded(&DrdynvcServerPdu::Data(DrdynvcDataPdu::DataFirstCompressed(
        DataFirstCompressedPdu::new(3, 100, b"zzz".to_vec()),
    )));
    let compressed = encoded(&DrdynvcServerPdu::Data(DrdynvcDataPdu::DataCompressed(
        DataCompressedPdu::new(3, b"zzz".to_vec()),
    )));
    for (from, pdu) in [
        (Side::Target, soft_sync),
        (Side::Viewer, answer),
        (Side::Target, first.clone()),
        (Side::Viewer, first),
        (Side::Target, compressed.clone()),
        (Side::Viewer, compressed),
    ] {
        let mut pair = Pair::active(settings());
        pair.open(3, "ECHO");
        for _ in 0..2 {
            match from {
                Side::Viewer => pair.dvc_viewer(&pdu).unwrap(),
                Side::Target => pair.dvc_target(&pdu).unwrap(),
            }
        }
        assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty());
        assert_eq!(pair.denials(), [(from, Permission::OtherChannels)]);
        pair.dvc_target(&data(3, b"on")).unwrap();
        assert_eq!(pair.dvc_to_viewer(), [data(3, b"on")]);
    }
}

#[test]
fn the_screen_waits_for_its_permission_and_other_channels_do_not() {
    let drdynvc = channel("drdynvc");
    let mut pair = Pair::active(settings());
    pair.open(3, GRAPHICS);
    pair.open(4, "AUDIO_PLAYBACK_DVC");
    pair.permit(all().without(Permission::View));
    pair.forget();
    pair.dvc_target(&data(4, b"sound")).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [data(4, b"sound")]);
    let picture = data_first(3, 40, &[b'a'; 20]);
    pair.target(drdynvc, &chunk(picture.len(), FIRST, &picture[..9])).unwrap();
    pair.target(drdynvc, &chunk(picture.len(), LAST, &picture[9..])).unwrap();
    pair.dvc_target(&data(4, b"later")).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [data(4, b"later")]);
    // The pictures' own channel keeps its order.
    pair.dvc_target(&close(3)).unwrap();
    pair.create(3, GRAPHICS);
    assert!(pair.take_to_viewer().is_empty());
    pair.permit(all());
    let waited = [picture, close(3), create(3, GRAPHICS)].concat();
    assert_eq!(pair.dvc_to_viewer().concat(), waited);
    assert_eq!(contents(&pair.target_lane).concat(), [data(4, b"sound"), data(4, b"later"), waited].concat());
    pair.dvc_viewer(&created(3, CreationStatus::OK)).unwrap();

    // It may go between two chunks, too.
    let picture = data(3, &[b'c'; 20]);
    pair.target(drdynvc, &chunk(picture.len(), FIRST, &picture[..9])).unwrap();
    pair.permit(all().without(Permission::View));
    pair.target(drdynvc, &chunk(picture.len(), LAST, &picture[9..])).unwrap();
    // Nothing else fits into its message, but other static channels go on.
    pair.dvc_target(&data(4, b"later")).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [&picture[..9]]);
    pair.target(channel("remdesk"), &message(b"now")).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), message(b"now"));
    pair.permit(all());
    assert_eq!(pair.dvc_to_viewer(), [&picture[9..], &data(4, b"later")]);
}

#[test]
fn pictures_that_waited_do_not_go_into_another_message() {
    let drdynvc = channel("drdynvc");
    let mut pair = Pair::active(settings());
    pair.open(3, GRAPHICS);
    pair.open(4, "URBDRC");
    pair.permit(all().without(Permission::View));
    pair.dvc_target(&data(3, b"picture")).unwrap();
    let other = data(4, &[b'o'; 20]);
    pair.target(drdynvc, &chunk(other.len(), FIRST, &other[..9])).unwrap();
    pair.permit(all());
    assert_eq!(pair.dvc_to_viewer(), [&other[..9]]);
    pair.target(drdynvc, &chunk(other.len(), LAST, &other[9..])).unwrap();
    pair.dvc_target(&data(3, b"next")).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [&other[9..], &data(3, b"picture"), &data(3, b"next")]);
}

fn touch(event: u16) -> Vec<u8> {
    let mut message = event.to_le_bytes().to_vec();
    message.extend(16_u32.to_le_bytes());
    message.resize(16, 1);
    message
}

fn advanced(flags: u64, x: i32, y: i32) -> Vec<u8> {
    [
        &2_u16.to_le_bytes()[..],
        &99_u64.to_le_bytes(),
        &flags.to_le_bytes(),
        &x.to_le_bytes(),
        &y.to_le_bytes(),
    ]
    .concat()
}

#[test]
fn view_only_holds_for_touch_and_pen() {
    let (ready, touched, pen) = (touch(2), touch(3), touch(8));
    let mut pair = Pair::active(settings());
    pair.open(3, TOUCH);
    for message in [&ready, &touched, &pen] {
        pair.dvc_viewer(&data(3, message)).unwrap();
        assert_eq!(pair.dvc_to_target(), [data(3, message)]);
    }
    assert_eq!(pair.take_notices(), [Notice::Input, Notice::Input]);

    pair.permit(all().without(Permission::Pointer));
    // Negotiation passes, alone.
    pair.dvc_viewer(&data(3, &ready)).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, &ready)]);
    for pdu in [
        data(3, &touched),
        data(3, &pen),
        data(3, &[&ready[..], &touched].concat()),
        data(3, &[3]),
        data_first(3, 32, &ready),
        data(3, &touched),
    ] {
        pair.dvc_viewer(&pdu).unwrap();
        assert!(pair.take_to_target().is_empty(), "{pdu:?}");
    }
    assert_eq!(pair.denials(), [(Side::Viewer, Permission::Pointer)]);
    // What the target says passes.
    pair.dvc_target(&data(3, &touch(1))).unwrap();
    assert_eq!(pair.dvc_to_viewer(), [data(3, &touch(1))]);
}

#[test]
fn fingers_are_lifted_when_the_permission_goes() {
    let mut pair = Pair::active(settings());
    pair.open(3, TOUCH);
    // One finger at 20, 30, and one that was lifted again.
    let down = b"\x03\0\x17\0\0\0\0\x01\x02\0\x01\0\x14\x1e\x18\x02\0\x05\x05\x04".to_vec();
    let mut down = down;
    down[2] = down.len() as u8;
    pair.dvc_viewer(&data(3, &down)).unwrap();
    pair.forget();
    pair.permit(all().without(Permission::Pointer));
    let up = b"\x03\0\x16\0\0\0\0\x01\x80\x01\0\x01\0\xc0\0\0\x14\xc0\0\0\x1e\x24";
    assert_eq!(pair.dvc_to_target(), [data(3, up)]);
    pair.permit(all());
    pair.permit(all().without(Permission::Pointer));
    assert!(pair.take_to_target().is_empty());
}

#[test]
fn view_only_holds_for_advanced_input() {
    let mut pair = Pair::active(settings());
    pair.open(3, ADVANCED);
    for message in [advanced(4, 30, 40), advanced(0x1008, 30, 40), advanced(0x0108, 0, 0)] {
        pair.dvc_viewer(&data(3, &message)).unwrap();
        assert_eq!(pair.dvc_to_target(), [data(3, &message)]);
    }
    assert_eq!(pair.take_notices().len(), 3);
    pair.permit(all().without(Permission::Pointer));
    // The buttons go up on the fast path, where the pointer was.
    assert_eq!(pair.take_to_target(), [0x08, 16, 0x20, 0, 0x10, 30, 0, 40, 0, 0x40, 1, 0, 30, 0, 40, 0]);
    for message in [advanced(4, 1, 1), advanced(4, 2, 2), advanced(0x1008, 1, 1), advanced(0x0108, 1, 1)] {
        pair.dvc_viewer(&data(3, &message)).unwrap();
        assert!(pair.take_to_target().is_empty());
    }
    assert_eq!(pair.denials().len(), 3);
}

#[test]
fn a_new_size_is_told_where_only_the_pipeline_will_follow_it() {
    let monitor = |left: i32, width: u32| {
        let mut monitor = vec![1, 0, 0, 0];
        monitor.extend(left.to_le_bytes());
        monitor.extend(0_u32.to_le_bytes());
        monitor.extend(width.to_le_bytes());
        monitor.extend(600_u32.to_le_bytes());
        monitor.resize(40, 0);
        monitor
    };
    let layout = |monitors: &[Vec<u8>]| {
        let count = monitors.len() as u32;
        let mut message = [2, 16 + 40 * count, 40, count].map(u32::to_le_bytes).as_flattened().to_vec();
        message.extend(monitors.concat());
        message
    };
    let (one, two) = (layout(&[monitor(0, 800)]), layout(&[monitor(0, 800), monitor(-640, 640)]));
    let mut pair = Pair::active(settings());
    pair.open(3, DISPLAY);
    pair.dvc_viewer(&data(3, &one)).unwrap();
    assert_eq!(pair.dvc_to_target(), [data(3, &one)]);
    assert!(pair.take_notices().is_empty());
    pair.open(4, GRAPHICS);
    for (message, width) in [(&one, 800), (&two, 1440)] {
        pair.dvc_viewer(&data(3, message)).unwrap();
        assert_eq!(pair.take_notices(), [Notice::Resized { width, height: 600 }]);
    }
    pair.permit(all().without(Permission::Resize));
    pair.forget();
    pair.dvc_viewer(&data(3, &one)).unwrap();
    assert!(pair.take_to_target().is_empty());
    assert_eq!(pair.denials(), [(Side::Viewer, Permission::Resize)]);
}

#[test]
fn only_what_is_seen_and_heard_is_recorded() {
    for (name, recorded) in
        [(GRAPHICS, true), ("AUDIO_PLAYBACK_DVC", true), ("AUDIO_INPUT", false), ("URBDRC", false)]
    {
        let mut pair = Pair::active(settings());
        pair.open(3, name);
        pair.dvc_target(&data(3, b"...")).unwrap();
        assert!(!pair.take_to_viewer().is_empty());
        assert_eq!(!pair.target_lane.is_empty(), recorded, "{name}");
    }
}

#[test]
fn only_so_many_channels_are_open_at_once() {
    let mut pair = Pair::active(settings());
    for id in 0..1024 {
        pair.open(id, "ECHO");
    }
    pair.create(5000, "ECHO");
    assert_eq!(pair.dvc_to_target(), [created(5000, CreationStatus::NO_LISTENER)]);
    pair.dvc_target(&close(7)).unwrap();
    pair.forget();
    pair.open(5000, "ECHO");
}

#[test]
fn a_target_that_asks_without_end_waits_for_its_answers() {
    let mut pair = Pair::active(without(Permission::Camera));
    pair.open(3, "ECHO");
    // The viewer holds a message open, so that no answer can be given in its place.
    let pdu = data(3, &[b'a'; 30]);
    pair.viewer(channel("drdynvc"), &chunk(pdu.len(), FIRST, &pdu[..12])).unwrap();
    let request = indication(SERVER, channel("drdynvc"), &message(&create(9, "RDCamera_Device_1")));
    pair.target_sends(&request.repeat(20_000)).unwrap();
    assert!(!pair.from_target.is_empty());
    pair.viewer(channel("drdynvc"), &chunk(pdu.len(), LAST, &pdu[12..])).unwrap();
    assert!(pair.from_target.is_empty());
    assert_eq!(messages(&pair.take_to_target()).len(), 20_002);
}
