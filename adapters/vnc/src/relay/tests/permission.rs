//! What each permission lets through, and what is told about what it does not.

use passerelle_rfb::{QemuAudioOperation, QemuAudioRequest, ScreenList};

use super::*;

#[test]
fn a_viewers_messages_need_their_permission() {
    let area = Rectangle::of_size(1, 1);
    let screens = ScreenList::new(&[]);
    for (message, permission) in [
        (ClientMessage::Key { down: true, keysym: 0x61 }, Permission::Keyboard),
        (ClientMessage::QemuKey { down: true, keysym: 0x61, keycode: 30 }, Permission::Keyboard),
        (ClientMessage::Pointer { buttons: 0, x: 1, y: 1 }, Permission::Pointer),
        (ClientMessage::Pointer { buttons: 1, x: 1, y: 1 }, Permission::Pointer),
        (ClientMessage::CutText(CutText::Plain(b"text")), Permission::ClipboardToTarget),
        (ClientMessage::UpdateRequest { incremental: true, area }, Permission::View),
        (ClientMessage::EnableContinuousUpdates { enable: true, area }, Permission::View),
        (ClientMessage::SetDesktopSize { width: 9, height: 9, screens }, Permission::Resize),
        (ClientMessage::Xvp { version: 1, code: 2 }, Permission::OtherChannels),
        (ClientMessage::QemuAudio(QemuAudioRequest::Enable), Permission::AudioOut),
    ] {
        let bytes = message.encode();
        let mut pair = Pair::new();
        pair.viewer_sends(&bytes).unwrap();
        assert_eq!((pair.take_to_target(), pair.denials()), (bytes.clone(), vec![]));

        let mut pair = Pair::with(RelaySettings { permissions: without(permission), ..settings() });
        pair.viewer_sends(&bytes).unwrap();
        assert_eq!(pair.take_to_target(), NOTHING, "{message:?}");
        assert_eq!(pair.viewer_lane, NOTHING);
        assert_eq!(pair.denials(), [(Side::Viewer, permission)], "{message:?}");
    }
}

#[test]
fn files_chat_and_other_input_never_pass() {
    let body = [&[0; 5][..], &key(true, 1)].concat();
    for (head, permission) in [
        (ClientMessage::FileTransfer { content: 5, len: 5 }, Permission::FilesToTarget),
        (ClientMessage::TextChat { len: 5 }, Permission::OtherChannels),
        (ClientMessage::Gii { len: 5 }, Permission::OtherChannels),
    ] {
        let mut pair = Pair::new();
        pair.viewer_sends(&[head.encode(), body.clone()].concat()).unwrap();
        assert_eq!(pair.take_to_target(), key(true, 1));
        assert_eq!(pair.denials(), [(Side::Viewer, permission)]);
    }
    let bell = ServerMessage::Bell.encode();
    let body = [&[0; 5][..], &bell].concat();
    for (head, permission) in [
        (ServerMessage::FileTransfer { content: 5, len: 5 }, Permission::FilesFromTarget),
        (ServerMessage::TextChat { len: 5 }, Permission::OtherChannels),
    ] {
        let mut pair = Pair::new();
        pair.target_sends(&[head.encode(), body.clone()].concat()).unwrap();
        assert_eq!((pair.take_to_viewer(), &pair.target_lane), (bell.clone(), &bell));
        assert_eq!(pair.denials(), [(Side::Target, permission)]);
    }
}

#[test]
fn sound_passes_with_its_permission_only() {
    let sound = ServerMessage::QemuAudio { operation: QemuAudioOperation::Data, len: 3 };
    let bytes = [sound.encode(), vec![1, 2, 3], ServerMessage::Bell.encode()].concat();
    let mut pair = Pair::new();
    pair.target_sends(&bytes).unwrap();
    assert_eq!(pair.take_to_viewer(), bytes);
    pair.set_permissions(without(Permission::AudioOut));
    pair.target_sends(&bytes).unwrap();
    assert_eq!(pair.take_to_viewer(), ServerMessage::Bell.encode());
}

#[test]
fn only_what_somebody_did_is_reported() {
    let mut pair = Pair::with(RelaySettings { permissions: Permissions::NONE, ..settings() });
    let pointer = |buttons| ClientMessage::Pointer { buttons, x: 1, y: 1 }.encode();
    for buttons in [0, 0, 1, 1, 0, 0, 1] {
        pair.viewer_sends(&pointer(buttons)).unwrap();
    }
    assert_eq!(pair.denials(), [(Side::Viewer, Permission::Pointer); 3]);
    pair.viewer_sends(&[key(true, 1), key(false, 1), request(), request()].concat()).unwrap();
    assert_eq!(pair.denials(), [(Side::Viewer, Permission::Keyboard), (Side::Viewer, Permission::View)]);
}

#[test]
fn permitted_input_is_noticed_and_its_content_is_not_recorded() {
    let pressed = ClientMessage::QemuKey { down: true, keysym: 0x61, keycode: 30 }.encode();
    let pointer = ClientMessage::Pointer { buttons: 1, x: 7, y: 8 }.encode();
    let sent = [key(true, 0x61), key(false, 0x61), pressed, pointer.clone()].concat();
    let mut pair = Pair::new();
    pair.viewer_sends(&sent).unwrap();
    assert_eq!(pair.take_to_target(), sent);
    assert_eq!(pair.take_notices(), [const { Notice::Input }; 4]);
    assert_eq!(pair.viewer_lane, pointer);

    let letter = ClientMessage::QemuKey { down: true, keysym: 1, keycode: 0 }.encode();
    let kinds = [key(true, 1), key(false, 1), letter, pointer].concat();
    for (keystrokes, kept) in [(KeystrokePolicy::Kinds, kinds), (KeystrokePolicy::All, sent.clone())] {
        let mut pair = Pair::with(RelaySettings { keystrokes, ..settings() });
        pair.viewer_sends(&sent).unwrap();
        assert_eq!(pair.viewer_lane, kept, "{keystrokes:?}");
    }
}

#[test]
fn recorded_input_is_read_back() {
    let sent = [
        EncodingList::encode_message(&[Encoding(7), Encoding::EXTENDED_MOUSE_BUTTONS]),
        ClientMessage::Pointer { buttons: 1, x: 7, y: 8 }.encode(),
        key(true, 0x61),
        key(false, 0x61),
        ClientMessage::QemuKey { down: true, keysym: 0xffe1, keycode: 42 }.encode(),
        request(),
        plain(Side::Viewer, b"copied"),
        ClientMessage::Pointer { buttons: 0x100, x: 9, y: 8 }.encode(),
    ]
    .concat();
    let read = |keystrokes| {
        let mut pair = Pair::with(RelaySettings { keystrokes, ..settings() });
        pair.viewer_sends(&sent[..12]).unwrap();
        pair.target_sends(&rectangle_update(&ServerMessage::ExtendedMouseButtons)).unwrap();
        pair.viewer_sends(&sent[12..]).unwrap();
        let (mut reader, mut found) = (VncInputReader::new(keystrokes), Vec::new());
        for piece in pair.viewer_lane.chunks(5) {
            reader.read(piece, &mut found).unwrap();
        }
        found
    };
    let pointer = |buttons, x| RecordedInput::Pointer { buttons, x, y: 8 };
    let key = |down, name: &str| RecordedInput::Key { down, name: Some(name.to_owned()) };
    for (keystrokes, keys) in [
        (KeystrokePolicy::None, vec![]),
        (KeystrokePolicy::Kinds, vec![key(true, "letter"), key(false, "letter"), key(true, "modifier")]),
        (KeystrokePolicy::All, vec![key(true, "a"), key(false, "a"), key(true, "Shift_L")]),
    ] {
        let expected = [vec![pointer(1, 7)], keys, vec![pointer(0x100, 9)]].concat();
        assert_eq!(read(keystrokes), expected, "{keystrokes:?}");
    }
    let mut reader = VncInputReader::new(KeystrokePolicy::All);
    assert!(reader.read(&[99], &mut Vec::new()).is_err());
}

#[test]
fn what_cannot_be_framed_ends_the_session_and_names_who_did_it() {
    let error = Pair::new().viewer_sends(&[99]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the viewer broke the protocol: message type 99 from the viewer is unknown"
    );
    assert_eq!(Pair::new().target_sends(&[99]).unwrap_err().side, Side::Target);
}

#[test]
fn the_target_is_offered_only_what_can_be_framed() {
    let mut pair = Pair::new();
    let wanted = [16, 21, 1000, -239, -32, 7].map(Encoding);
    pair.viewer_sends(&EncodingList::encode_message(&wanted)).unwrap();
    let allowed = EncodingList::encode_message(&[16, -239, -32, 7].map(Encoding));
    assert_eq!(pair.take_to_target(), allowed);
    assert_eq!(pair.viewer_lane, allowed);
    let area = Rectangle::of_size(1, 1);
    let unframed = [&update_header(1)[..], &rectangle_header(area, Encoding(21))].concat();
    assert!(pair.target_sends(&unframed).is_err());
}
