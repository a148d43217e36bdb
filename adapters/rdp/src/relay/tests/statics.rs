use super::*;

const PLAIN: [(&str, Permission); 3] = [
    ("rdpsnd", Permission::AudioOut),
    ("rail", Permission::RemoteApps),
    ("remdesk", Permission::OtherChannels),
];

#[test]
fn a_channel_passes_both_ways_with_its_permission() {
    for (name, permission) in PLAIN {
        let mut pair = Pair::active(settings());
        pair.viewer(channel(name), &message(b"question")).unwrap();
        assert_eq!(only(&pair.take_to_target()), message(b"question"));
        pair.target(channel(name), &message(b"answer")).unwrap();
        assert_eq!(only(&pair.take_to_viewer()), message(b"answer"));
        let told = Notice::Channel { name: name.into(), dynamic: false, permission, opened: true };
        assert_eq!(pair.take_notices(), [told]);
    }
}

#[test]
fn a_denied_channel_is_dropped_both_ways_and_told_once() {
    for (name, permission) in PLAIN {
        let mut pair = Pair::active(without(permission));
        for _ in 0..2 {
            pair.viewer(channel(name), &message(b"question")).unwrap();
            pair.target(channel(name), &chunk(20, FIRST, b"an answer ")).unwrap();
            pair.target(channel(name), &chunk(20, LAST, b"in 2 parts")).unwrap();
        }
        assert!(pair.take_to_target().is_empty() && pair.take_to_viewer().is_empty());
        assert!(pair.viewer_lane.is_empty() && pair.target_lane.is_empty());
        let told = Notice::Channel { name: name.into(), dynamic: false, permission, opened: false };
        assert_eq!(pair.take_notices(), [told]);
    }
}

#[test]
fn only_what_is_seen_and_heard_is_recorded() {
    for (name, recorded) in [("rdpsnd", true), ("rail", true), ("remdesk", false)] {
        let mut pair = Pair::active(settings());
        pair.target(channel(name), &message(b"...")).unwrap();
        assert!(!pair.take_to_viewer().is_empty());
        assert_eq!(!pair.target_lane.is_empty(), recorded);
    }
}

#[test]
fn a_permission_that_changes_holds_from_the_next_chunk_on() {
    let name = "remdesk";
    let mut pair = Pair::active(settings());
    pair.viewer(channel(name), &chunk(30, FIRST, b"one......;")).unwrap();
    pair.take_to_target();

    pair.permit(all().without(Permission::OtherChannels));
    // The message is ended without its content, so that the target is not left with half of it.
    pair.viewer(channel(name), &chunk(30, 0, b"two......;")).unwrap();
    assert_eq!(only(&pair.take_to_target()), chunk(30, 0, &[0; 10]));
    pair.permit(all());
    pair.viewer(channel(name), &chunk(30, LAST, b"three....;")).unwrap();
    assert_eq!(only(&pair.take_to_target()), chunk(30, LAST, &[0; 10]));

    pair.permit(all().without(Permission::OtherChannels));
    pair.viewer(channel(name), &chunk(20, FIRST, b"one......;")).unwrap();
    pair.permit(all());
    // A message of which the beginning is missing.
    pair.viewer(channel(name), &chunk(20, LAST, b"two......;")).unwrap();
    assert!(pair.take_to_target().is_empty());
    pair.viewer(channel(name), &message(b"next")).unwrap();
    assert_eq!(only(&pair.take_to_target()), message(b"next"));
    let opened: Vec<bool> = pair.channels().into_iter().map(|(_, opened)| opened).collect();
    assert_eq!(opened, [true, false, true, false, true]);
}

#[test]
fn a_sound_passes_whole_or_not_at_all() {
    let mut pair = Pair::active(settings());
    let (info, wave) = (message(&[2, 0, 8, 0, 1, 2, 3, 4]), message(b"\0\0\0\0sound"));
    pair.target(channel("rdpsnd"), &info).unwrap();
    pair.permit(all().without(Permission::AudioOut));
    pair.target(channel("rdpsnd"), &wave).unwrap();
    let silence = message(&[0; 9]);
    assert_eq!(
        messages(&pair.take_to_viewer()).into_iter().map(|message| message.2).collect::<Vec<_>>(),
        [info.clone(), silence]
    );
    pair.target(channel("rdpsnd"), &info).unwrap();
    pair.permit(all());
    pair.target(channel("rdpsnd"), &wave).unwrap();
    assert!(pair.take_to_viewer().is_empty());
    pair.target(channel("rdpsnd"), &info).unwrap();
    pair.target(channel("rdpsnd"), &wave).unwrap();
    assert_eq!(messages(&pair.take_to_viewer()).len(), 2);
}

#[test]
fn sound_is_agreed_on_before_it_is_permitted_and_heard_after() {
    let rdpsnd = channel("rdpsnd");
    let (formats, info, wave) =
        (message(&[7, 0, 0, 0]), message(&[2, 0, 8, 0, 1, 2, 0, 0, 7, 0, 0, 0]), message(b"\0\0\0\0sound"));
    let mut pair =
        Pair::active(RelaySettings { permissions: all().without(Permission::AudioOut), ..settings() });
    let long = [&[7, 0, 0, 0][..], &[1; 16]].concat();
    let parts = [chunk(long.len(), FIRST, &long[..10]), chunk(long.len(), LAST, &long[10..])];
    for part in &parts {
        pair.target(rdpsnd, part).unwrap();
    }
    let passed: Vec<_> = messages(&pair.take_to_viewer()).into_iter().map(|message| message.2).collect();
    assert_eq!(passed, parts);
    pair.viewer(rdpsnd, &formats).unwrap();
    assert_eq!(only(&pair.take_to_target()), formats);
    pair.target(rdpsnd, &info).unwrap();
    pair.target(rdpsnd, &wave).unwrap();
    assert!(pair.take_to_viewer().is_empty());
    assert_eq!(only(&pair.take_to_target()), message(&[5, 0, 4, 0, 1, 2, 7, 0]));
    pair.permit(all());
    pair.target(rdpsnd, &info).unwrap();
    pair.target(rdpsnd, &wave).unwrap();
    assert_eq!(messages(&pair.take_to_viewer()).len(), 2);
    assert_eq!(pair.relay.at_next_connection(), Permissions::NONE);
    assert_eq!(pair.channels(), [("rdpsnd".to_owned(), false), ("rdpsnd".to_owned(), true)]);
}

#[test]
fn what_a_target_said_in_vain_needs_a_new_connection() {
    let late = [("rail", Permission::RemoteApps), ("remdesk", Permission::OtherChannels)];
    for (name, permission) in late {
        let permissions = all().without(permission);
        let mut pair = Pair::active(RelaySettings { permissions, ..settings() });
        pair.target(channel(name), &message(b"hello")).unwrap();
        assert_eq!(pair.relay.at_next_connection(), Permissions::NONE);
        pair.permit(all());
        assert_eq!(pair.relay.at_next_connection(), Permissions::NONE.with(permission));
    }
}

#[test]
fn malformed_chunks_end_the_session() {
    let compressed = 0x0020_0000;
    for chunks in [
        vec![vec![0; 7]],
        vec![chunk(4, LAST, b"tail")],
        vec![chunk(3, FIRST | LAST, b"long")],
        vec![chunk(8, FIRST, b"head"), chunk(8, FIRST, b"head")],
        vec![chunk(8, FIRST, b"head"), chunk(9, LAST, b"tail")],
        vec![chunk(8, FIRST, b"head"), chunk(8, LAST, b"tails")],
        vec![chunk((64 << 20) + 1, FIRST, b"head")],
        vec![chunk(4, FIRST | LAST | compressed, b"zzzz")],
    ] {
        for permissions in [all(), Permissions::NONE] {
            let mut pair = Pair::active(RelaySettings { permissions, ..settings() });
            let results: Vec<_> = chunks.iter().map(|chunk| pair.viewer(channel("remdesk"), chunk)).collect();
            let (last, before) = results.split_last().unwrap();
            assert!(last.is_err() && before.iter().all(Result::is_ok), "{chunks:?}");
        }
    }
}

#[test]
fn nobody_suspends_a_channel() {
    let mut pair = Pair::active(settings());
    pair.target(channel("remdesk"), &chunk(0, FIRST | LAST | 0x20, &[])).unwrap();
    assert!(pair.take_to_viewer().is_empty());
}

#[test]
fn the_clipboard_and_devices_are_filtered_whatever_is_permitted() {
    // Clipboard capabilities pass either way; that nothing is permitted is told.
    let capabilities = message(&[7, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 12, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
    for (permissions, opened) in [(all(), true), (Permissions::NONE.with(Permission::View), false)] {
        let mut pair = Pair::active(RelaySettings { permissions, ..settings() });
        pair.target(channel("cliprdr"), &capabilities).unwrap();
        assert!(!pair.take_to_viewer().is_empty());
        assert_eq!(pair.channels(), [("cliprdr".to_owned(), opened)]);
    }
}
