use ironrdp_pdu::input::fast_path::{
    FastPathInput, FastPathInputEvent, KeyboardFlags as Fast, SynchronizeFlags,
};
use ironrdp_pdu::input::mouse::PointerFlags;
use ironrdp_pdu::input::mouse_rel::PointerRelFlags;
use ironrdp_pdu::input::mouse_x::PointerXFlags;
use ironrdp_pdu::input::scan_code::KeyboardFlags as Slow;
use ironrdp_pdu::input::sync::SyncToggleFlags;
use ironrdp_pdu::input::unicode::KeyboardFlags as SlowUnicode;
use ironrdp_pdu::input::{
    InputEvent, InputEventPdu, MousePdu, MouseRelPdu, MouseXPdu, ScanCodePdu, SyncPdu, UnicodePdu,
};

use super::*;

fn mouse(flags: PointerFlags, x: u16, y: u16) -> MousePdu {
    MousePdu { flags, number_of_wheel_rotation_units: 0, x_position: x, y_position: y }
}

fn button() -> MousePdu {
    mouse(PointerFlags::DOWN | PointerFlags::LEFT_BUTTON, 10, 20)
}

fn extended() -> MouseXPdu {
    MouseXPdu { flags: PointerXFlags::DOWN | PointerXFlags::BUTTON1, x_position: 1, y_position: 2 }
}

fn relative() -> MouseRelPdu {
    MouseRelPdu { flags: PointerRelFlags::MOVE, x_delta: -1, y_delta: 1 }
}

const QOE: FastPathInputEvent = FastPathInputEvent::QoeEvent(0x1234);

/// One of each kind.
fn fast_events() -> Vec<FastPathInputEvent> {
    use FastPathInputEvent::*;
    vec![
        KeyboardEvent(Fast::EXTENDED, 0x1d),
        MouseEvent(button()),
        UnicodeKeyboardEvent(Fast::empty(), 0x20ac),
        MouseEventEx(extended()),
        SyncEvent(SynchronizeFlags::CAPS_LOCK),
        MouseEventRel(relative()),
        QOE,
    ]
}

fn slow_events() -> Vec<InputEvent> {
    vec![
        InputEvent::ScanCode(ScanCodePdu { flags: Slow::EXTENDED, key_code: 0x1d }),
        InputEvent::Mouse(button()),
        InputEvent::Unicode(UnicodePdu { flags: SlowUnicode::empty(), unicode_code: 0x20ac }),
        InputEvent::MouseX(extended()),
        InputEvent::Sync(SyncPdu { flags: SyncToggleFlags::CAPS_LOCK }),
        InputEvent::MouseRel(relative()),
    ]
}

fn fast(events: &[FastPathInputEvent]) -> Vec<u8> {
    encoded(&FastPathInput::new(events.to_vec()).unwrap())
}

fn slow(events: &[InputEvent]) -> Vec<u8> {
    share_data(USER, ShareDataPdu::Input(InputEventPdu(events.to_vec())))
}

fn is_fast_key(event: &FastPathInputEvent) -> bool {
    use FastPathInputEvent::*;
    matches!(event, KeyboardEvent(..) | UnicodeKeyboardEvent(..) | SyncEvent(_))
}

fn is_slow_key(event: &InputEvent) -> bool {
    matches!(event, InputEvent::ScanCode(_) | InputEvent::Unicode(_) | InputEvent::Sync(_))
}

fn keys(from: Side, permission: Permission, count: usize) -> Vec<(Side, Permission)> {
    vec![(from, permission); count]
}

#[test]
fn on_the_fast_path_only_permitted_events_pass_in_their_order() {
    let events = fast_events();
    // Each several times, so that the count does not fit into the header.
    for repeat in [1, 3, 30] {
        let events: Vec<_> = events.iter().cloned().cycle().take(events.len() * repeat).collect();
        let all = fast(&events);

        let mut pair = Pair::active(settings());
        pair.viewer_sends(&all).unwrap();
        assert_eq!(pair.take_to_target(), all);
        assert_eq!(pair.take_notices(), [Notice::Input]);

        let mut pair = Pair::active(without(Permission::Keyboard));
        pair.viewer_sends(&all).unwrap();
        let rest: Vec<_> = events.iter().filter(|event| !is_fast_key(event)).cloned().collect();
        assert_eq!(pair.take_to_target(), fast(&rest));
        assert_eq!(pair.viewer_lane, fast(&rest));
        assert_eq!(pair.denials(), keys(Side::Viewer, Permission::Keyboard, 2 * repeat));

        let mut pair = Pair::active(without(Permission::Pointer));
        pair.viewer_sends(&all).unwrap();
        let rest: Vec<_> =
            events.iter().filter(|event| is_fast_key(event) || **event == QOE).cloned().collect();
        assert_eq!(pair.take_to_target(), fast(&rest));
        // Each press, and movement once.
        assert_eq!(pair.denials(), keys(Side::Viewer, Permission::Pointer, 2 * repeat + 1));

        let neither = all_but(&[Permission::Keyboard, Permission::Pointer]);
        let mut pair = Pair::active(RelaySettings { permissions: neither, ..settings() });
        pair.viewer_sends(&all).unwrap();
        assert_eq!(pair.take_to_target(), fast(&vec![QOE; repeat]));
        assert!(!pair.take_notices().contains(&Notice::Input));
        let no_qoe: Vec<_> = events.iter().filter(|event| **event != QOE).cloned().collect();
        pair.viewer_sends(&fast(&no_qoe)).unwrap();
        assert!(pair.take_to_target().is_empty());
    }
}

fn all_but(permissions: &[Permission]) -> Permissions {
    permissions.iter().fold(all(), |all, permission| all.without(*permission))
}

#[test]
fn on_the_slow_path_only_permitted_events_pass_in_their_order() {
    let events = slow_events();
    let mut pair = Pair::active(settings());
    pair.viewer(IO, &slow(&events)).unwrap();
    assert_eq!(only(&pair.take_to_target()), slow(&events));
    assert_eq!(pair.take_notices(), [Notice::Input]);

    let mut pair = Pair::active(without(Permission::Keyboard));
    pair.viewer(IO, &slow(&events)).unwrap();
    let rest: Vec<_> = events.iter().filter(|event| !is_slow_key(event)).cloned().collect();
    assert_eq!(only(&pair.take_to_target()), slow(&rest));
    assert_eq!(pair.denials(), keys(Side::Viewer, Permission::Keyboard, 2));

    let mut pair = Pair::active(without(Permission::Pointer));
    pair.viewer(IO, &slow(&events)).unwrap();
    let rest: Vec<_> = events.iter().filter(|event| is_slow_key(event)).cloned().collect();
    assert_eq!(only(&pair.take_to_target()), slow(&rest));
    assert_eq!(pair.denials(), keys(Side::Viewer, Permission::Pointer, 3));

    let neither = all_but(&[Permission::Keyboard, Permission::Pointer]);
    let mut pair = Pair::active(RelaySettings { permissions: neither, ..settings() });
    pair.viewer(IO, &slow(&events)).unwrap();
    assert!(pair.take_to_target().is_empty());
}

#[test]
fn compressed_input_is_filtered_like_any_other() {
    use ironrdp_bulk::{BulkCompressor, CompressionType};
    let events: Vec<_> = slow_events().into_iter().cycle().take(60).collect();
    let plain = slow(&events);
    let mut history = BulkCompressor::new(CompressionType::Rdp5);
    // The second builds upon the first.
    for (permissions, passes) in
        [(all_but(&[Permission::Keyboard, Permission::Pointer]), false), (all(), true)]
    {
        let mut pair =
            Pair::active(RelaySettings { permissions: all_but(&[Permission::Keyboard]), ..settings() });
        pair.permit(permissions);
        pair.forget();
        for _ in 0..2 {
            let (len, flags) = history.compress(&plain[18..]).unwrap();
            assert!(flags & 0x20 != 0);
            let mut pdu = plain[..18].to_vec();
            pdu.extend(history.compressed_data(len));
            pdu[15] = flags as u8;
            let total = (pdu.len() as u16).to_le_bytes();
            pdu[..2].copy_from_slice(&total);
            pair.viewer(IO, &pdu).unwrap();
            let sent = pair.take_to_target();
            if passes {
                assert_eq!(only(&sent), plain);
            } else {
                assert!(sent.is_empty());
            }
        }
        history.reset();
    }
}

#[test]
fn what_does_not_decompress_ends_the_session() {
    let mut pair = Pair::active(settings());
    let mut pdu = slow(&slow_events());
    pdu[15] = 0x20 | 0x0f;
    assert!(pair.viewer(IO, &pdu).is_err());
}

#[test]
fn the_recording_keeps_which_keys_only_if_it_is_to() {
    use FastPathInputEvent::*;
    let press =
        fast(&[KeyboardEvent(Fast::EXTENDED, 0x1d), UnicodeKeyboardEvent(Fast::RELEASE, 0x20ac), QOE]);
    let kinds = fast(&[KeyboardEvent(Fast::empty(), 4), UnicodeKeyboardEvent(Fast::RELEASE, 3), QOE]);
    let slow_press = slow(&slow_events());
    for (keystrokes, fast_kept) in [
        (KeystrokePolicy::All, press.clone()),
        (KeystrokePolicy::Kinds, kinds),
        (KeystrokePolicy::None, Vec::new()),
    ] {
        let mut pair = Pair::active(RelaySettings { keystrokes, ..settings() });
        pair.viewer_sends(&press).unwrap();
        assert_eq!(pair.take_to_target(), press);
        assert_eq!(pair.viewer_lane, fast_kept, "{keystrokes:?}");

        pair.forget();
        pair.viewer(IO, &slow_press).unwrap();
        assert_eq!(only(&pair.take_to_target()), slow_press);
        let kept = only(&pair.viewer_lane);
        let ShareControlPdu::Data(header) =
            ironrdp_core::decode::<ShareControlHeader>(&kept).unwrap().share_control_pdu
        else {
            panic!()
        };
        let ShareDataPdu::Input(InputEventPdu(events)) = header.share_data_pdu else { panic!() };
        let mut expected = slow_events();
        match keystrokes {
            KeystrokePolicy::All => {}
            KeystrokePolicy::Kinds => {
                expected[0] = InputEvent::ScanCode(ScanCodePdu { flags: Slow::empty(), key_code: 4 });
                expected[2] =
                    InputEvent::Unicode(UnicodePdu { flags: SlowUnicode::empty(), unicode_code: 3 });
            }
            KeystrokePolicy::None => {
                expected.remove(2);
                expected.remove(0);
            }
        }
        assert_eq!(events, expected);

        pair.forget();
        pair.viewer(IO, &slow(&slow_events()[..1])).unwrap();
        assert_eq!(pair.viewer_lane.is_empty(), keystrokes == KeystrokePolicy::None);
    }
}

#[test]
fn recorded_input_is_read_back() {
    use FastPathInputEvent::*;
    let read = |keystrokes| {
        let mut pair = Pair::active(RelaySettings { keystrokes, ..settings() });
        let scan = [KeyboardEvent(Fast::empty(), 0x1e), KeyboardEvent(Fast::RELEASE, 0x1e)];
        pair.viewer_sends(&fast(&scan)).unwrap();
        pair.viewer_sends(&fast(&fast_events())).unwrap();
        let wheel = MousePdu {
            flags: PointerFlags::VERTICAL_WHEEL,
            number_of_wheel_rotation_units: -120,
            x_position: 1,
            y_position: 2,
        };
        pair.viewer_sends(&fast(&[MouseEvent(wheel)])).unwrap();
        pair.viewer(IO, &slow(&slow_events()[..2])).unwrap();
        let (mut reader, mut found) = (RdpInputReader::new(keystrokes), Vec::new());
        for piece in pair.viewer_lane.chunks(5) {
            reader.read(piece, &mut found).unwrap();
        }
        let (keys, pointer): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|input| matches!(input, RecordedInput::Key { .. }));
        let keys: Vec<_> = keys
            .into_iter()
            .map(|key| match key {
                RecordedInput::Key { down, name } => (down, name.unwrap_or_default()),
                RecordedInput::Pointer { .. } => unreachable!(),
            })
            .collect();
        let pointer: Vec<_> = pointer
            .into_iter()
            .map(|pointer| match pointer {
                RecordedInput::Pointer { x, y, buttons } => (x, y, buttons),
                RecordedInput::Key { .. } => unreachable!(),
            })
            .collect();
        (keys, pointer)
    };
    let named = |names: [&str; 5]| -> Vec<_> {
        [true, false, true, true, true].into_iter().zip(names.map(str::to_owned)).collect()
    };
    for (keystrokes, keys) in [
        (KeystrokePolicy::None, Vec::new()),
        (KeystrokePolicy::Kinds, named(["letter", "letter", "modifier", "sign", "modifier"])),
        (KeystrokePolicy::All, named(["KeyA", "KeyA", "ControlRight", "€", "ControlRight"])),
    ] {
        // The left button, the fourth, a relative movement, a turn of the wheel, and the left button again.
        let pointer = vec![(10, 20, 1), (1, 2, 0x81), (1, 2, 0x81), (1, 2, 0x91), (10, 20, 0x81)];
        assert_eq!(read(keystrokes), (keys, pointer), "{keystrokes:?}");
    }
    assert!(RdpInputReader::new(KeystrokePolicy::All).read(&[1], &mut Vec::new()).is_err());
}

#[test]
fn what_is_held_down_is_let_go_when_its_permission_goes() {
    use FastPathInputEvent::*;
    let mut pair = Pair::active(settings());
    let down = [
        KeyboardEvent(Fast::EXTENDED, 0x1d),
        KeyboardEvent(Fast::empty(), 0x1e),
        KeyboardEvent(Fast::RELEASE, 0x1e),
        UnicodeKeyboardEvent(Fast::empty(), 0x20ac),
        MouseEvent(button()),
        MouseEventEx(extended()),
        MouseEvent(mouse(PointerFlags::MOVE, 30, 40)),
    ];
    pair.viewer_sends(&fast(&down)).unwrap();
    pair.forget();

    pair.permit(all_but(&[Permission::Keyboard]));
    let keys = fast(&[
        KeyboardEvent(Fast::EXTENDED | Fast::RELEASE, 0x1d),
        UnicodeKeyboardEvent(Fast::RELEASE, 0x20ac),
    ]);
    assert_eq!(pair.take_to_target(), keys);

    pair.permit(all_but(&[Permission::Keyboard, Permission::Pointer]));
    let buttons = fast(&[
        MouseEvent(mouse(PointerFlags::LEFT_BUTTON, 30, 40)),
        MouseEventEx(MouseXPdu { flags: PointerXFlags::BUTTON1, x_position: 30, y_position: 40 }),
    ]);
    assert_eq!(pair.take_to_target(), buttons);

    // Nothing is held any longer.
    pair.permit(all());
    pair.permit(Permissions::NONE.with(Permission::View));
    assert!(pair.take_to_target().is_empty());
}

#[test]
fn a_target_without_fast_path_is_told_on_the_slow_path() {
    let mut pair = Pair::new(settings());
    pair.target(IO, &license_valid()).unwrap();
    let mut sets = capability_sets(WIDTH, HEIGHT);
    for set in &mut sets {
        if let CapabilitySet::Input(input) = set {
            input.input_flags = InputFlags::SCANCODES;
        }
    }
    let pdu = DemandActive { source_descriptor: "RDP".into(), capability_sets: sets };
    pair.target(IO, &share_control(SERVER, ShareControlPdu::ServerDemandActive(ServerDemandActive { pdu })))
        .unwrap();
    pair.viewer(IO, &slow(&slow_events()[..2])).unwrap();
    pair.forget();
    pair.permit(all_but(&[Permission::Keyboard, Permission::Pointer]));
    let up = slow(&[
        InputEvent::ScanCode(ScanCodePdu { flags: Slow::EXTENDED | Slow::RELEASE, key_code: 0x1d }),
        InputEvent::Mouse(mouse(PointerFlags::LEFT_BUTTON, 10, 20)),
    ]);
    assert_eq!(messages(&pair.take_to_target()), [(USER, IO, up)]);
}

#[test]
fn malformed_input_ends_the_session() {
    for bytes in [
        // No event count, a truncated event, an unknown kind, bytes after the last.
        vec![0, 3, 1],
        vec![4, 3, 0x20],
        vec![4, 4, 0xe0, 0],
        vec![4, 5, 0, 0x1e, 0],
    ] {
        assert!(Pair::active(settings()).viewer_sends(&bytes).is_err(), "{bytes:?}");
    }
    let good = slow(&slow_events());
    let with = |at: usize, byte: u8| {
        let mut pdu = good.clone();
        pdu[at] = byte;
        pdu
    };
    // More events than there are, an unknown kind.
    for bytes in [with(18, 7), with(18, 255), with(26, 0x33)] {
        assert!(Pair::active(settings()).viewer(IO, &bytes).is_err());
    }
}
