//! Content that is asked for when somebody pastes.

use super::*;

const FORMATS: [(u32, &str); 5] =
    [(13, ""), (0xc00a, "HTML Format"), (0xc00b, "Rich Text Format"), (8, ""), (0xc0de, "Private")];

fn content(from: Side, kind: &'static str, bytes: u64, message: &[u8]) -> Vec<Notice> {
    let input = (from == Side::Viewer).then_some(Notice::Input);
    let content = Notice::Clipboard { from, kind, bytes, complete: true, message: message.to_vec() };
    input.into_iter().chain([content]).collect()
}

#[test]
fn content_passes_with_permission_and_is_not_recorded() {
    for from in SIDES {
        let (text, images) = (clipboard_permission(from), images_permission(from));
        for (id, kind, needed) in [
            (13, "text", text),
            (0xc00a, "html", text),
            (0xc00b, "rtf", text),
            (8, "image", images),
            (0xc0de, "other", Permission::OtherChannels),
        ] {
            for store in [false, true] {
                for len in [0, 1, 1591, 1592, 1593, 4000] {
                    let mut rig = Rig::with_long_names();
                    rig.store = store;
                    rig.offer(from, &FORMATS);
                    rig.recorded.clear();
                    let data = vec![0xab; len];
                    assert_eq!(rig.send(from.other(), &request(id)), request(id));
                    assert_eq!(rig.recorded, request(id));
                    assert_eq!(rig.send(from, &response(&data)), response(&data));
                    assert_eq!(rig.recorded, request(id), "the content is not in the wire log");
                    let stored = if store { &data[..] } else { &[] };
                    assert_eq!(rig.take_notices(), content(from, kind, len as u64, stored));
                    assert_eq!(rig.injections, []);

                    // Without permission the request stays here and is answered.
                    rig.allow(rig.permissions.without(needed));
                    rig.take_injections();
                    assert_eq!(rig.send(from.other(), &request(id)), NOTHING);
                    assert_eq!(rig.take_injections(), [(from.other(), refusal())]);
                    assert_eq!(rig.denials(), [(from.other(), needed, None)]);
                }
            }
        }
    }
}

#[test]
fn a_permission_that_is_withdrawn_before_the_answer_stops_it() {
    for from in SIDES {
        let mut rig = Rig::with_long_names();
        rig.offer(from, &FORMATS);
        rig.send(from.other(), &request(13));
        rig.allow(rig.permissions.without(clipboard_permission(from)));
        rig.take_injections();
        assert_eq!(rig.send(from, &response(&[7; 4000])), refusal());
        assert_eq!(rig.denials(), [(from, clipboard_permission(from), None)]);
        assert_eq!(rig.take_injections(), []);
    }
}

#[test]
fn content_passes_up_to_the_limit_of_its_direction() {
    for (from, limit) in [(Side::Viewer, 10_000), (Side::Target, 5_000)] {
        let mut rig = Rig::with_long_names();
        rig.offer(from, &FORMATS);
        rig.send(from.other(), &request(8));
        let most = response(&vec![1; limit]);
        assert_eq!(rig.send(from, &most), most);
        assert_eq!(rig.take_notices(), content(from, "image", limit as u64, &[]));
        rig.send(from.other(), &request(8));
        assert_eq!(rig.send(from, &response(&vec![1; limit + 1])), refusal());
        let reason = Some(format!("longer than {limit} bytes"));
        assert_eq!(rig.denials(), [(from, images_permission(from), reason)]);
    }
}

#[test]
fn what_was_not_offered_is_not_asked_for() {
    let mut rig = Rig::with_long_names();
    for id in [0, 0xc0de] {
        assert_eq!(rig.send(Side::Target, &request(id)), NOTHING);
        assert_eq!(rig.take_injections(), [(Side::Target, refusal())]);
    }
    let reason = Some("it was not offered".to_owned());
    assert_eq!(rig.denials(), [(Side::Target, Permission::ClipboardToTarget, reason)]);
}

/// xrdp asks for `CF_UNICODETEXT` whatever was offered, also when an empty list is on its way to it.
#[test]
fn what_windows_numbers_may_be_asked_for_without_an_offer() {
    for from in SIDES {
        for offer in [&[][..], &[(1, "")], &[(0xc0de, "Private")]] {
            let (text, images) = (clipboard_permission(from), images_permission(from));
            for (id, kind, needed) in [(13, "text", text), (8, "image", images)] {
                let mut rig = Rig::with_long_names();
                rig.offer(from, offer);
                assert_eq!(rig.send(from.other(), &request(id)), request(id));
                assert_eq!(rig.send(from, &response(b"...")), response(b"..."));
                assert_eq!(rig.take_notices(), content(from, kind, 3, &[]));
                rig.permissions = rig.permissions.without(needed);
                assert_eq!(rig.send(from.other(), &request(id)), NOTHING);
                assert_eq!(rig.denials(), [(from.other(), needed, None)]);
            }
        }
    }
}

#[test]
fn answers_that_nobody_waits_for_are_withheld() {
    for from in SIDES {
        let mut rig = Rig::with_long_names();
        rig.offer(from, &FORMATS);
        for answer in [response(b"secret"), refusal(), response(&[0; 5000])] {
            assert_eq!(rig.send(from, &answer), NOTHING);
        }
        assert_eq!(rig.denials().len(), 1);
        rig.send(from.other(), &request(13));
        assert_eq!(rig.send(from, &response(b"a")), response(b"a"));
        assert_eq!(rig.send(from, &response(b"b")), NOTHING);
        assert_eq!(rig.injections, []);
    }
}

#[test]
fn a_failing_answer_carries_nothing() {
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Target, &FORMATS);
    for flags in [0, 2, 3] {
        rig.send(Side::Viewer, &request(13));
        let mut smuggled = response(&[b'x'; 3000]);
        smuggled[2] = flags;
        assert_eq!(rig.send(Side::Target, &smuggled), refusal());
        assert_eq!(rig.take_notices(), []);
    }
}

#[test]
fn refusals_keep_the_order_of_the_requests() {
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &FORMATS);
    rig.permissions = rig.permissions.without(Permission::ImagesToTarget);
    rig.send(Side::Target, &request(13));
    for _ in 0..2 {
        assert_eq!(rig.send(Side::Target, &request(8)), NOTHING);
    }
    rig.send(Side::Target, &request(0xc00a));
    rig.send(Side::Target, &request(8));
    assert_eq!(rig.take_injections(), [], "the answer to the first request comes first");
    assert_eq!(rig.send(Side::Viewer, &response(b"text")), response(b"text"));
    assert_eq!(rig.take_injections(), [(Side::Target, refusal()), (Side::Target, refusal())]);
    // The next answer is withheld too; the order stays.
    assert_eq!(rig.send(Side::Viewer, &response(&[0; 20_000])), refusal());
    assert_eq!(rig.take_injections(), [(Side::Target, refusal())]);
    rig.send(Side::Target, &request(8));
    assert_eq!(rig.take_injections(), [(Side::Target, refusal())]);
}

#[test]
fn a_new_list_does_not_change_what_was_asked_for() {
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &[(13, ""), (0xc0aa, "HTML Format")]);
    rig.send(Side::Target, &request(0xc0aa));
    rig.offer(Side::Viewer, &[(0xc0aa, "PNG")]);
    rig.send(Side::Viewer, &response(b"<b>"));
    assert_eq!(rig.take_notices(), content(Side::Viewer, "html", 3, &[]));
    rig.send(Side::Target, &request(0xc0aa));
    rig.send(Side::Viewer, &response(b"..."));
    assert_eq!(rig.take_notices(), content(Side::Viewer, "image", 3, &[]));
}

#[test]
fn a_number_that_stands_for_two_kinds_could_be_anything() {
    let mut rig = Rig::with_long_names();
    rig.permissions = rig.permissions.without(Permission::OtherChannels);
    rig.offer(Side::Viewer, &[(0xc0aa, "HTML Format"), (0xc0aa, "PNG")]);
    assert_eq!(rig.send(Side::Target, &request(0xc0aa)), NOTHING);
    assert_eq!(rig.denials(), [(Side::Target, Permission::OtherChannels, None)]);
}

#[test]
fn when_the_target_begins_anew_old_requests_are_forgotten() {
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &FORMATS);
    rig.send(Side::Target, &request(13));
    let ready = encode(ClipboardPdu::MonitorReady);
    assert_eq!(rig.send(Side::Target, &ready), ready);
    assert_eq!(rig.send(Side::Viewer, &response(b"late")), NOTHING);
    assert_eq!(rig.send(Side::Target, &request(0xc00a)), NOTHING);
}

#[test]
fn unanswered_requests_give_way() {
    let mut rig = Rig::with_long_names();
    rig.offer(Side::Viewer, &FORMATS);
    rig.permissions = rig.permissions.without(Permission::ImagesToTarget);
    rig.send(Side::Target, &request(13));
    assert_eq!(rig.send(Side::Target, &request(8)), NOTHING);
    for _ in 0..62 {
        assert_eq!(rig.send(Side::Target, &request(13)), request(13));
    }
    assert_eq!(rig.take_injections(), []);
    assert_eq!(rig.send(Side::Target, &request(13)), request(13));
    // The refusal that waited for the first one waits no more.
    assert_eq!(rig.take_injections(), [(Side::Target, refusal())]);
    for _ in 0..1000 {
        assert_eq!(rig.send(Side::Target, &request(13)), request(13));
    }
    for number in 0..70 {
        let expected = if number < 64 { response(b"x") } else { vec![] };
        assert_eq!(rig.send(Side::Viewer, &response(b"x")), expected);
    }
}

#[test]
fn content_that_the_end_of_the_session_breaks_off_is_told() {
    for from in SIDES {
        for (store, chunks) in [(false, 1), (true, 2)] {
            let mut rig = Rig::with_long_names();
            rig.store = store;
            rig.offer(from, &FORMATS);
            rig.send(from.other(), &request(13));
            let message = response(&[7; 4000]);
            let total = u32::try_from(message.len()).unwrap();
            for (number, data) in message.chunks(CHUNK).enumerate().take(chunks) {
                let chunk = Chunk { total, first: number == 0, last: false, data };
                assert_eq!(rig.chunk(from, chunk).unwrap(), Verdict::ForwardUnrecorded);
            }
            rig.finish();
            let passed = chunks * CHUNK - 8;
            let message = if store { vec![7; passed] } else { vec![] };
            let bytes = passed as u64;
            let told = Notice::Clipboard { from, kind: "text", bytes, complete: false, message };
            assert_eq!(rig.take_notices(), [told]);
            // It is told once.
            rig.finish();
            assert_eq!(rig.take_notices(), []);
        }
    }
}
