//! Channels whose permission comes after they were asked for.

use ironrdp_dvc::pdu::CreationStatus;

use super::dynamic::*;
use super::*;

#[test]
fn a_channel_whose_permission_comes_later_opens_then() {
    for (name, permission) in PERMITTED {
        if [DISPLAY, TOUCH, ADVANCED, "rdpsnd"].contains(&name) || name.starts_with("AUDIO_PLAYBACK") {
            continue;
        }
        for id in [3, 0x1234] {
            let mut pair =
                Pair::active(RelaySettings { permissions: all().without(permission), ..settings() });
            let request = create(id, name);
            pair.dvc_target(&[&request[..], b"and more"].concat()).unwrap();
            // Nobody hears of it, so that the target still waits and the viewer offers nothing.
            assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty(), "{name}");
            assert_eq!(pair.channels(), [(name.to_owned(), false)]);
            for pdu in [data(id, b"x"), data_first(id, 9, b"x"), close(id), created(id, CreationStatus::OK)] {
                pair.dvc_viewer(&pdu).unwrap();
            }
            pair.dvc_target(&data(id, b"down")).unwrap();
            assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty(), "{name}");

            pair.permit(all());
            assert_eq!(pair.dvc_to_viewer(), [request]);
            assert_eq!(pair.relay.at_next_connection(), Permissions::NONE);
            pair.permit(all().without(permission));
            pair.permit(all());
            assert!(pair.take_to_viewer().is_empty(), "the viewer is asked once");
            pair.dvc_viewer(&created(id, CreationStatus::OK)).unwrap();
            assert_eq!(pair.dvc_to_target(), [created(id, CreationStatus::OK)]);
            assert_eq!(pair.channels(), [(name.to_owned(), true)]);
            pair.dvc_target(&data(id, b"down")).unwrap();
            assert_eq!(pair.dvc_to_viewer(), [data(id, b"down")]);
        }
    }
}

#[test]
fn a_request_that_waits_can_be_taken_back_and_made_anew() {
    let mut pair = Pair::active(RelaySettings { permissions: Permissions::NONE, ..settings() });
    pair.create(3, "URBDRC");
    pair.dvc_target(&close(3)).unwrap();
    pair.create(4, "URBDRC");
    pair.create(4, "AUDIO_INPUT");
    assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty());
    pair.permit(all());
    assert_eq!(pair.dvc_to_viewer(), [create(4, "AUDIO_INPUT")]);
}

#[test]
fn a_channel_that_is_judged_pdu_by_pdu_opens_before_its_permission() {
    for (name, permission) in [(DISPLAY, Permission::Resize), (TOUCH, Permission::Pointer)] {
        let mut pair = Pair::active(RelaySettings { permissions: all().without(permission), ..settings() });
        pair.create(3, name);
        assert_eq!(pair.dvc_to_viewer(), [create(3, name)]);
        pair.dvc_viewer(&created(3, CreationStatus::OK)).unwrap();
        assert_eq!(pair.channels(), [(name.to_owned(), false)]);
        pair.take_to_target();
        // What the target says of itself is not said again.
        pair.dvc_target(&data(3, b"caps")).unwrap();
        assert_eq!(pair.dvc_to_viewer(), [data(3, b"caps")]);
        pair.dvc_viewer(&data(3, b"up")).unwrap();
        assert!(pair.take_to_target().is_empty());
        pair.take_notices();
        pair.permit(all());
        pair.dvc_viewer(&data(3, b"up")).unwrap();
        assert_eq!(pair.channels(), [(name.to_owned(), true)]);
    }
}

#[test]
fn sound_is_agreed_on_before_it_is_permitted_and_heard_after() {
    let formats = [7, 0, 2, 0, 1, 2];
    let wave = [13, 0, 9, 0, 0x34, 0x12, 0, 0, 7, 0, 0, 0, 9, 9, 9, 9, 1];
    let confirm = [5, 0, 4, 0, 0x34, 0x12, 7, 0];
    for name in ["AUDIO_PLAYBACK_DVC", "AUDIO_PLAYBACK_LOSSY_DVC", "rdpsnd"] {
        let permissions = all().without(Permission::AudioOut);
        let mut pair = Pair::active(RelaySettings { permissions, ..settings() });
        pair.create(3, name);
        pair.dvc_viewer(&created(3, CreationStatus::OK)).unwrap();
        pair.forget();
        pair.dvc_target(&data_first(3, 6, &formats[..4])).unwrap();
        pair.dvc_target(&data(3, &formats[4..])).unwrap();
        assert_eq!(pair.dvc_to_viewer(), [data_first(3, 6, &formats[..4]), data(3, &formats[4..])]);
        pair.dvc_viewer(&data(3, &formats)).unwrap();
        assert_eq!(pair.dvc_to_target(), [data(3, &formats)]);
        pair.dvc_target(&data(3, &wave)).unwrap();
        assert!(pair.take_to_viewer().is_empty());
        assert_eq!(pair.dvc_to_target(), [data(3, &confirm)], "or the target sends no more");
        pair.permit(all());
        pair.dvc_target(&data(3, &wave)).unwrap();
        assert_eq!(pair.dvc_to_viewer(), [data(3, &wave)]);
        assert!(pair.take_to_target().is_empty());
        assert_eq!(pair.relay.at_next_connection(), Permissions::NONE);
    }
}

#[test]
fn what_a_target_said_in_vain_needs_a_new_connection() {
    let mut pair = Pair::active(settings());
    pair.open(3, "URBDRC");
    pair.open(4, "AUDIO_INPUT");
    let neither = all().without(Permission::Usb).without(Permission::AudioIn);
    pair.permit(neither);
    pair.dvc_target(&data(3, b"asks")).unwrap();
    pair.dvc_viewer(&data(4, b"speaks")).unwrap();
    assert_eq!(pair.relay.at_next_connection(), Permissions::NONE, "nobody wants it");
    pair.permit(all());
    assert_eq!(pair.relay.at_next_connection(), Permissions::NONE.with(Permission::Usb));
}
