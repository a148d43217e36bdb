//! What is offered, and what the other side is told of it.

use super::*;

/// Formats by what they need in the direction from `from`.
fn needs(from: Side) -> Vec<(u32, &'static str, Permission)> {
    let (text, images, files) = (clipboard_permission(from), images_permission(from), files_permission(from));
    vec![
        (1, "", text),
        (13, "", text),
        (16, "", text),
        (0xc00a, "HTML Format", text),
        (0xc00b, "Rich Text Format", text),
        (0xc00c, "text/plain;charset=utf-8", text),
        (2, "", images),
        (3, "", images),
        (8, "", images),
        (17, "", images),
        (0xc010, "PNG", images),
        (0xc011, "image/svg+xml", images),
        (15, "", files),
        (0xc020, "FileGroupDescriptorW", files),
        (0xc021, "FileContents", files),
        (0xc022, "Preferred DropEffect", files),
        (0xc023, "text/uri-list", files),
        (0xc030, "Ole Private Data", Permission::OtherChannels),
        (0xc031, "", Permission::OtherChannels),
        (12, "", Permission::OtherChannels),
        // A format that is called by another's number could be either.
        (13, "FileGroupDescriptorW", Permission::OtherChannels),
    ]
}

#[test]
fn a_list_keeps_what_is_permitted_in_its_direction() {
    for from in SIDES {
        let all: Vec<(u32, &str)> = needs(from).into_iter().map(|(id, name, _)| (id, name)).collect();
        for needed in Permission::ALL {
            // What could be anything needs the direction's permission too.
            let mut rig = Rig::with_long_names();
            rig.permissions = Permissions::NONE.with(*needed);
            if *needed == Permission::OtherChannels {
                rig.permissions = rig.permissions.with(clipboard_permission(from));
            }
            let permitted = |permission| rig.permissions.allows(permission);
            let kept: Vec<(u32, &str)> = needs(from)
                .into_iter()
                .filter(|(.., permission)| permitted(*permission))
                .map(|(id, name, _)| (id, name))
                .collect();
            let expected = long_list(&kept);
            assert_eq!(rig.send(from, &long_list(&all)), expected, "{from} {needed}");
            assert_eq!(rig.injections, []);
            let mut denied: Vec<Permission> = rig.denials().into_iter().map(|(_, which, _)| which).collect();
            denied.sort();
            let mut missing: Vec<Permission> = needs(from).into_iter().map(|(.., needed)| needed).collect();
            missing.sort();
            missing.dedup();
            missing.retain(|permission| !rig.permissions.allows(*permission));
            assert_eq!(denied, missing);
        }
    }
}

#[test]
fn what_could_be_anything_needs_its_direction_too() {
    let mut rig = Rig::with_long_names();
    rig.permissions = rig.permissions.without(Permission::ClipboardToTarget);
    assert_eq!(rig.send(Side::Viewer, &long_list(&[(0xc000, "Thing")])), long_list(&[]));
    assert_eq!(rig.denials(), [(Side::Viewer, Permission::ClipboardToTarget, None)]);
}

#[test]
fn denials_name_the_formats_once() {
    let mut rig = Rig::with_long_names();
    rig.permissions = Permissions::NONE;
    let list =
        long_list(&[(13, ""), (0xc00a, "HTML Format"), (8, ""), (0xc0ff, "Evil\u{1b}[2J"), (0xc0fe, "")]);
    for _ in 0..2 {
        assert_eq!(rig.send(Side::Target, &list), long_list(&[]));
    }
    let action = |permission, action: &str| {
        let action = action.to_owned().into();
        Notice::Denied(Denied { by: Side::Target, permission, action, reason: None })
    };
    let expected = [
        action(Permission::ClipboardFromTarget, "offer CF_UNICODETEXT, HTML Format on the clipboard"),
        action(Permission::ImagesFromTarget, "offer CF_DIB on the clipboard"),
        action(Permission::OtherChannels, "offer Evil[2J, format 49406 on the clipboard"),
    ];
    assert_eq!(rig.take_notices(), expected);
    // After a change of permissions it is news again.
    rig.allow(Permissions::NONE);
    rig.send(Side::Target, &list);
    assert_eq!(rig.take_notices(), expected);
}

#[test]
fn short_names_are_judged_even_when_they_are_cut_off() {
    let formats = formats(&[(13, ""), (0xc020, "FileGroupDescri"), (0xc00a, "HTML Format")]);
    for ascii in [false, true] {
        let list = |formats: &[ClipboardFormat]| {
            // A name in 8 bits fits whole.
            let list = if ascii {
                let whole = |format: &ClipboardFormat| match format.id.0 {
                    0xc020 => format.clone().with_name(ClipboardFormatName::FILE_LIST),
                    _ => format.clone(),
                };
                let formats: Vec<_> = formats.iter().map(whole).collect();
                FormatList::new_ascii(&formats, false)
            } else {
                FormatList::new_unicode(formats, false)
            };
            encode(ClipboardPdu::FormatList(list.unwrap()))
        };
        // One side alone does not make names long.
        let mut rig = Rig::new();
        let message = capabilities(ClipboardGeneralCapabilityFlags::all());
        rig.send(Side::Target, &message);
        assert_eq!(rig.send(Side::Viewer, &list(&formats)), list(&formats));
        assert_eq!(rig.notices, []);

        rig.permissions = rig.permissions.without(Permission::FilesToTarget);
        let kept = [formats[0].clone(), formats[2].clone()];
        assert_eq!(rig.send(Side::Viewer, &list(&formats)), list(&kept));
        assert_eq!(rig.denials(), [(Side::Viewer, Permission::FilesToTarget, None)]);
    }
}

#[test]
fn the_answer_to_a_list_passes_once() {
    let mut rig = Rig::with_long_names();
    let ok = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Ok));
    let fail = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Fail));
    for answer in [ok, fail] {
        assert_eq!(rig.send(Side::Target, &answer), NOTHING);
        rig.send(Side::Viewer, &long_list(&[(13, "")]));
        assert_eq!(rig.send(Side::Viewer, &answer), NOTHING);
        assert_eq!(rig.send(Side::Target, &answer), answer);
        assert_eq!(rig.send(Side::Target, &answer), NOTHING);
    }
}

#[test]
fn a_list_that_cannot_be_judged_goes_on_empty_and_fails() {
    let fail = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Fail));
    let ok = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Ok));
    let long: Vec<(u32, &str)> = (0..6000).map(|id| (id, "HTML Format")).collect();
    let many: Vec<(u32, &str)> = (0..1025).map(|_| (13, "")).collect();
    let mut unterminated = long_list(&[(13, "x")]);
    unterminated[4] -= 2;
    unterminated.truncate(unterminated.len() - 2);
    let ambiguous =
        FormatList::new_ascii(&formats(&[(13, "abc")]), true).map(ClipboardPdu::FormatList).map(encode);
    for list in [long_list(&long), long_list(&many), unterminated, ambiguous.unwrap()] {
        let mut rig = Rig::with_long_names();
        assert_eq!(rig.send(Side::Viewer, &list), long_list(&[]));
        assert_eq!(rig.take_injections(), [(Side::Viewer, fail.clone())]);
        assert!(matches!(&rig.denials()[..], [(Side::Viewer, Permission::ClipboardToTarget, Some(_))]));
        // The viewer has its answer; that of the target to the empty list stays here.
        assert_eq!(rig.send(Side::Target, &ok), NOTHING);
    }
}

#[test]
fn a_change_of_permissions_changes_the_offer() {
    for from in SIDES {
        let mut rig = Rig::with_long_names();
        let text = clipboard_permission(from);
        let without = rig.permissions.without(text);
        let with = rig.permissions;
        rig.allow(without);
        let (all, some) = ([(13, ""), (8, "")], [(8, "")]);
        assert_eq!(rig.offer(from, &all), long_list(&some));

        rig.allow(with);
        assert_eq!(rig.take_injections(), [(from.other(), long_list(&all))]);
        let ok = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Ok));
        assert_eq!(rig.send(from.other(), &ok), NOTHING, "nobody waits for this answer");

        rig.allow(without);
        assert_eq!(rig.take_injections(), [(from.other(), long_list(&some))]);
        // What does not change the offer is no reason to repeat it.
        rig.allow(without.without(Permission::Keyboard));
        assert_eq!(rig.take_injections(), []);
        // And an offer that the other side has replaced by one of its own is over.
        rig.offer(from.other(), &all);
        rig.allow(without.without(images_permission(from)));
        assert_eq!(rig.take_injections(), []);
    }
}
