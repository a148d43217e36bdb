//! What the relay itself has to say.

use passerelle_rfb::{DesktopLayout, ResizeReason, ResizeStatus, Screen, ScreenList};

use super::*;

fn resize() -> Vec<u8> {
    ClientMessage::SetDesktopSize { width: 9, height: 9, screens: ScreenList::new(&[]) }.encode()
}

fn refusal() -> Vec<u8> {
    let area = Rectangle::of_size(WIDTH, HEIGHT);
    let screens = Screen::encode_all(&[Screen { id: 0, area, flags: 0 }]);
    rectangle_update(&ServerMessage::Layout(DesktopLayout {
        reason: ResizeReason::THIS_VIEWER,
        status: ResizeStatus::PROHIBITED,
        width: WIDTH,
        height: HEIGHT,
        screens: ScreenList::new(&screens),
    }))
}

#[test]
fn a_denied_resize_is_answered_between_two_messages() {
    let mut pair = Pair::with(RelaySettings { permissions: without(Permission::Resize), ..settings() });
    let update = raw_update(Rectangle::of_size(4, 4), 4);
    let two = [update.clone(), update.clone()].concat();
    let (first, second) = two.split_at(40);
    pair.target_sends(first).unwrap();
    pair.viewer_sends(&resize()).unwrap();
    assert_eq!(pair.take_to_viewer(), first);
    pair.target_sends(second).unwrap();
    assert_eq!(pair.take_to_viewer(), [&update[40..], &refusal(), &update].concat());
    assert_eq!(pair.take_to_target(), NOTHING);
}

#[test]
fn a_viewer_without_the_extension_gets_no_answer_it_cannot_read() {
    let relay = VncRelay::new(RelaySettings { permissions: without(Permission::Resize), ..settings() });
    let mut pair = Pair { relay, ..Pair::new() };
    pair.viewer_sends(&resize()).unwrap();
    assert_eq!(pair.take_to_viewer(), NOTHING);
    assert_eq!(pair.denials(), [(Side::Viewer, Permission::Resize)]);
}

#[test]
fn what_is_held_down_is_let_go_when_the_permission_goes() {
    let qemu = |down| ClientMessage::QemuKey { down, keysym: 0x62, keycode: 48 }.encode();
    let pointer = |buttons| ClientMessage::Pointer { buttons, x: 3, y: 4 }.encode();
    let mut pair = Pair::new();
    let typed = [key(true, 0x61), key(true, 0xffe1), qemu(true), key(false, 0x61), pointer(1)].concat();
    pair.viewer_sends(&typed).unwrap();
    pair.take_to_target();
    pair.set_permissions(Permissions::NONE.with(Permission::View));
    assert_eq!(pair.take_to_target(), [key(false, 0xffe1), qemu(false), pointer(0)].concat());
    pair.set_permissions(settings().permissions);
    pair.set_permissions(Permissions::NONE.with(Permission::View));
    assert_eq!(pair.take_to_target(), NOTHING);
}

#[test]
fn a_viewer_that_may_see_again_gets_a_whole_picture() {
    let area = Rectangle::of_size(WIDTH, HEIGHT);
    let continuous = |enable| ClientMessage::EnableContinuousUpdates { enable, area }.encode();
    let whole = ClientMessage::UpdateRequest { incremental: false, area }.encode();
    let mut pair = Pair::new();
    pair.viewer_sends(&continuous(true)).unwrap();
    pair.take_to_target();
    pair.set_permissions(Permissions::NONE);
    assert_eq!(pair.take_to_target(), continuous(false));
    pair.viewer_sends(&request()).unwrap();
    assert_eq!(pair.take_to_target(), NOTHING);
    pair.set_permissions(settings().permissions);
    assert_eq!(pair.take_to_target(), [continuous(true), whole].concat());

    let mut pair = Pair::new();
    pair.set_permissions(Permissions::NONE);
    pair.set_permissions(settings().permissions);
    assert_eq!(pair.take_to_target(), NOTHING);
}
