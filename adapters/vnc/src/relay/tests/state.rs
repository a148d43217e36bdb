//! What the relay follows: size, name, buttons.

use passerelle_rfb::{DesktopLayout, ResizeReason, ResizeStatus, Screen, ScreenList};

use super::*;

#[test]
fn a_new_size_is_noticed_once() {
    let mut pair = Pair::new();
    let area = Rectangle::of_size(80, 60);
    let screens = Screen::encode_all(&[Screen { id: 3, area, flags: 0 }]);
    let layout = DesktopLayout {
        reason: ResizeReason::SERVER,
        status: ResizeStatus::DONE,
        width: 80,
        height: 60,
        screens: ScreenList::new(&screens),
    };
    let update = rectangle_update(&ServerMessage::Layout(layout));
    pair.target_sends(&update).unwrap();
    pair.target_sends(&update).unwrap();
    assert_eq!(pair.take_to_viewer(), [update.clone(), update].concat());
    assert_eq!(pair.take_notices(), [Notice::Resized { width: 80, height: 60 }]);
    pair.target_sends(&rectangle_update(&ServerMessage::DesktopSize { width: 40, height: 30 })).unwrap();
    assert_eq!(pair.take_notices(), [Notice::Resized { width: 40, height: 30 }]);
    assert!(pair.target_sends(&raw_update(area, 4)).is_err());
}

#[test]
fn a_new_name_is_cleaned() {
    let mut pair = Pair::new();
    let update = rectangle_update(&ServerMessage::DesktopName(b"front\n\x1b[31mdesk\xff"));
    pair.target_sends(&update).unwrap();
    assert_eq!(pair.take_to_viewer(), update);
    assert_eq!(pair.take_notices(), [Notice::Renamed("front  [31mdesk\u{fffd}".into())]);
}

#[test]
fn an_eighth_button_is_sent_only_in_a_form_that_both_sides_read_alike() {
    let extended = ClientMessage::Pointer { buttons: 0x81, x: 1, y: 2 }.encode();
    let old = [5, 0x81, 0, 1, 0, 2];
    let mut pair = Pair::new();
    pair.viewer_sends(&old).unwrap();
    assert_eq!(pair.take_to_target(), [5, 0x01, 0, 1, 0, 2]);
    pair.target_sends(&rectangle_update(&ServerMessage::ExtendedMouseButtons)).unwrap();
    pair.viewer_sends(&extended).unwrap();
    assert_eq!(pair.take_to_target(), extended);
    pair.viewer_sends(&EncodingList::encode_message(&[Encoding::RAW])).unwrap();
    pair.take_to_target();
    pair.viewer_sends(&old).unwrap();
    assert_eq!(pair.take_to_target(), old);
}

#[test]
fn what_no_decoder_follows_is_not_offered_in_recorded_sessions() {
    let wanted = [Encoding::ZYWRLE, Encoding::ZRLE, Encoding::H264, Encoding::RAW];
    for (recorded, offered) in [(false, &wanted[..]), (true, &[Encoding::ZRLE, Encoding::RAW])] {
        let mut pair = Pair::with(RelaySettings { recorded, ..settings() });
        pair.viewer_sends(&EncodingList::encode_message(&wanted)).unwrap();
        assert_eq!(pair.take_to_target(), EncodingList::encode_message(offered));
    }
}
