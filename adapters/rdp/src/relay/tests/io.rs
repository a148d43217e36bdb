use ironrdp_pdu::geometry::InclusiveRectangle;
use ironrdp_pdu::rdp::finalization_messages::SynchronizePdu;
use ironrdp_pdu::rdp::refresh_rectangle::RefreshRectanglePdu;
use ironrdp_pdu::rdp::server_error_info::{ErrorInfo, ProtocolIndependentCode, ServerSetErrorInfoPdu};
use ironrdp_pdu::rdp::server_redirection::{
    ServerRedirectionFlags, ServerRedirectionPdu, StandardSecurityServerRedirection,
};
use ironrdp_pdu::rdp::session_info::{
    InfoData, InfoType, LogonErrorNotificationData, LogonErrorNotificationDataErrorCode,
    LogonErrorNotificationType, LogonErrorsInfo, LogonExFlags, LogonInfoExtended, SaveSessionInfoPdu,
    ServerAutoReconnect,
};
use ironrdp_pdu::rdp::suppress_output::SuppressOutputPdu;

use super::*;
use crate::RelayViolation;

/// Share data with a body of our own.
fn raw(source: u16, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut pdu = share_data(source, ShareDataPdu::ShutdownRequest);
    pdu[14] = kind;
    pdu.extend(body);
    let total = (pdu.len() as u16).to_le_bytes();
    pdu[..2].copy_from_slice(&total);
    pdu
}

#[test]
fn licensing_passes_and_nothing_else_before_it_is_over() {
    let mut pair = Pair::new(settings());
    let request = [&[0x80, 0, 0x03, 0x02, 1, 2, 9, 0][..], b"..."].concat();
    pair.target(IO, &request).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), request);
    pair.viewer(IO, &request).unwrap();
    assert_eq!(only(&pair.take_to_target()), request);
    // Error information may come before capabilities.
    let error = share_data(SERVER, ShareDataPdu::ServerSetErrorInfo(ServerSetErrorInfoPdu(out_of_memory())));
    pair.target(IO, &error).unwrap();
    pair.target(IO, &license_valid()).unwrap();
    assert!(pair.target(IO, &request).is_err());
    assert!(Pair::new(settings()).target(IO, &[0, 0, 0, 0, 1, 2, 3, 4]).is_err());
}

fn out_of_memory() -> ErrorInfo {
    ErrorInfo::ProtocolIndependentCode(ProtocolIndependentCode::OutOfMemory)
}

#[test]
fn the_viewer_may_send_what_clients_send_and_nothing_else() {
    let passing = [20, 31, 36, 39, 44, 46, 48, 49, 56, 33];
    for kind in 0..=255 {
        let mut pair = Pair::active(settings());
        let pdu = raw(USER, kind, &[1; 12]);
        if kind == 28 || kind == 35 {
            continue;
        }
        pair.viewer(IO, &pdu).unwrap();
        let sent = pair.take_to_target();
        if passing.contains(&kind) {
            assert_eq!(only(&sent), pdu, "{kind}");
            continue;
        }
        assert!(sent.is_empty(), "{kind}");
        // The list of what its caches hold is left out quietly, where a recording's decoder has none of it.
        let expected: &[_] = if kind == 43 { &[] } else { &[(Side::Viewer, Permission::OtherChannels)] };
        assert_eq!(pair.denials(), expected, "{kind}");
        pair.viewer(IO, &pdu).unwrap();
        assert!(pair.denials().is_empty(), "told once");
    }
    let mut pair = Pair::active(RelaySettings { recorded: false, ..settings() });
    pair.viewer(IO, &raw(USER, 43, &[1; 12])).unwrap();
    assert!(!pair.take_to_target().is_empty());
}

#[test]
fn share_control_of_the_other_sides_kind_ends_the_session() {
    assert!(Pair::active(settings()).viewer(IO, &demand_active(WIDTH, HEIGHT)).is_err());
    assert!(Pair::active(settings()).target(IO, &confirm_active()).is_err());
    assert!(Pair::active(settings()).viewer(IO, &[6, 0, 0x16, 0, 0, 0]).is_err());
}

#[test]
fn several_pdus_in_one_are_each_decided() {
    let mut pair = Pair::active(settings());
    let synchronize = share_data(SERVER, ShareDataPdu::Synchronize(SynchronizePdu { target_user_id: USER }));
    let cookie = save_session_info(true, false);
    let both = [&synchronize[..], &cookie].concat();
    pair.target(IO, &both).unwrap();
    let sent = only(&pair.take_to_viewer());
    assert_eq!(sent.len(), both.len());
    assert!(sent.starts_with(&synchronize));
    assert!(!contains(&sent, &[0xa5; 16]));
    assert_eq!(only(&pair.target_lane), sent);

    let redirection = enhanced(&redirection(ServerRedirectionFlags::empty()));
    assert!(pair.target(IO, &[&synchronize[..], &redirection].concat()).is_err());
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn lengths_that_some_servers_get_wrong_are_taken() {
    let mut pair = Pair::active(settings());
    // An update without content that has no length, and a flow PDU: both are nothing.
    let mut empty = raw(SERVER, 2, &[]);
    empty[0] = 0;
    pair.target(IO, &empty).unwrap();
    pair.target(IO, &[0, 0x80, 0x42, 0, 0, 0, 0, 0]).unwrap();
    assert!(pair.take_to_viewer().is_empty());
    // A font map whose body is not counted.
    let mut font = font_map();
    font[0] = 18;
    pair.target(IO, &font).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), font);
    // A Deactivate All that is all header.
    pair.target(IO, &[6, 0, 0x16, 0, 0, 0]).unwrap();
    assert!(!pair.take_to_viewer().is_empty());
    for bytes in [&[][..], &[1], &[0, 0, 0x17, 0], &[3, 0, 0x17, 0], &[200, 0, 0x17, 0, 0, 0]] {
        assert!(Pair::active(settings()).target(IO, bytes).is_err(), "{bytes:?}");
        assert!(Pair::active(settings()).viewer(IO, bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn the_targets_reason_is_told_in_words_and_only_once() {
    let mut pair = Pair::active(settings());
    let none = ErrorInfo::ProtocolIndependentCode(ProtocolIndependentCode::None);
    for info in [none, out_of_memory()] {
        let pdu = share_data(SERVER, ShareDataPdu::ServerSetErrorInfo(ServerSetErrorInfoPdu(info)));
        pair.target(IO, &pdu).unwrap();
        assert_eq!(only(&pair.take_to_viewer()), pdu);
    }
    pair.target_sends(&[3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80]).unwrap();
    let reason = "The server ran out of available memory resources".to_owned();
    assert_eq!(pair.take_notices(), [Notice::Disconnecting { by: Side::Target, reason }]);

    let mut pair = Pair::active(settings());
    pair.target(IO, &raw(SERVER, 47, &[0xef, 0xbe, 0xad, 0xde])).unwrap();
    let reason = "error information 0xdeadbeef".to_owned();
    assert_eq!(pair.take_notices(), [Notice::Disconnecting { by: Side::Target, reason }]);
}

fn save_session_info(cookie: bool, errors: bool) -> Vec<u8> {
    let auto_reconnect = cookie.then_some(ServerAutoReconnect { logon_id: 7, random_bits: [0xa5; 16] });
    let errors_info = errors.then_some(LogonErrorsInfo {
        error_type: LogonErrorNotificationType::SessionContinue,
        error_data: LogonErrorNotificationData::ErrorCode(
            LogonErrorNotificationDataErrorCode::FailedBadPassword,
        ),
    });
    let mut present_fields_flags = LogonExFlags::empty();
    present_fields_flags.set(LogonExFlags::AUTO_RECONNECT_COOKIE, cookie);
    present_fields_flags.set(LogonExFlags::LOGON_ERRORS, errors);
    let info_data =
        InfoData::LogonExtended(LogonInfoExtended { present_fields_flags, auto_reconnect, errors_info });
    let info_type = InfoType::LogonExtended;
    share_data(SERVER, ShareDataPdu::SaveSessionInfo(SaveSessionInfoPdu { info_type, info_data }))
}

#[test]
fn the_auto_reconnect_cookie_reaches_the_viewer_only_by_policy() {
    for errors in [false, true] {
        let with = save_session_info(true, errors);
        let mut pair = Pair::active(RelaySettings { auto_reconnect: true, ..settings() });
        pair.target(IO, &with).unwrap();
        assert_eq!(only(&pair.take_to_viewer()), with);

        let mut pair = Pair::active(settings());
        pair.target(IO, &with).unwrap();
        let sent = only(&pair.take_to_viewer());
        assert_eq!(sent.len(), with.len());
        let decoded = ironrdp_core::decode::<ShareControlHeader>(&sent).unwrap();
        let expected = ironrdp_core::decode::<ShareControlHeader>(&save_session_info(false, errors)).unwrap();
        assert_eq!(decoded, expected);
        assert!(!contains(&sent, &[0xa5; 16]) && !contains(&pair.target_lane, &[0xa5; 16]));

        let none = save_session_info(false, errors);
        pair.target(IO, &none).unwrap();
        assert_eq!(only(&pair.take_to_viewer()), none);
    }
}

#[test]
fn a_compressed_cookie_only_feeds_the_viewers_history() {
    let mut compressed = save_session_info(true, false);
    compressed[15] = 0x21;
    let mut pair = Pair::active(settings());
    pair.target(IO, &compressed).unwrap();
    let sent = only(&pair.take_to_viewer());
    assert_eq!((sent[14], &sent[15..]), (50, &compressed[15..]));

    let mut pair = Pair::active(RelaySettings { auto_reconnect: true, ..settings() });
    pair.target(IO, &compressed).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), compressed);
}

#[test]
fn a_cookie_whose_length_is_wrong_is_cut_off_all_the_same() {
    let with = save_session_info(true, false);
    for (at, byte) in [(28, 0xff), (28, 0), (31, 0xff), (22, 0)] {
        let mut pdu = with.clone();
        pdu[at] = byte;
        let mut pair = Pair::active(settings());
        pair.target(IO, &pdu).unwrap();
        let sent = only(&pair.take_to_viewer());
        assert_eq!(sent.len(), pdu.len());
        assert_eq!(sent[24] & 1, 0, "no cookie is announced");
    }
}

fn redirection(flags: ServerRedirectionFlags) -> ServerRedirectionPdu {
    ServerRedirectionPdu {
        session_id: 3,
        flags,
        target_net_address: Some("10.1.2.3".into()),
        target_fqdn: Some("host\u{7}7.example".into()),
        password: Some(b"secret".to_vec()),
        ..Default::default()
    }
}

fn enhanced(redirection: &ServerRedirectionPdu) -> Vec<u8> {
    share_control(SERVER, ShareControlPdu::ServerRedirect(redirection.clone()))
}

#[test]
fn a_redirection_is_told_and_never_handed_on() {
    let redirection = redirection(ServerRedirectionFlags::empty());
    let standard = encoded(&StandardSecurityServerRedirection { redirection: redirection.clone() });
    let to = "host7.example (10.1.2.3)".to_owned();
    for (mut pair, pdu) in [
        (Pair::active(settings()), enhanced(&redirection)),
        (Pair::new(settings()), enhanced(&redirection)),
        (Pair::new(settings()), standard),
    ] {
        let error = pair.target(IO, &pdu).unwrap_err();
        assert_eq!(error.error.downcast_ref(), Some(&RelayViolation::Redirected { to: to.clone() }));
        assert!(error.to_string().contains("host7.example"));
        assert_eq!(pair.take_notices(), [Notice::Redirected { to: to.clone() }]);
        assert!(pair.take_to_viewer().is_empty() && pair.target_lane.is_empty());
    }

    let mut pair = Pair::active(settings());
    let mut unreadable = enhanced(&redirection);
    unreadable[12] = 0xff;
    assert!(pair.target(IO, &unreadable).is_err());
    assert!(matches!(pair.take_notices()[..], [Notice::Redirected { .. }]));
}

#[test]
fn a_redirection_that_redirects_nobody_is_left_out() {
    let mut pair = Pair::active(settings());
    pair.target(IO, &enhanced(&redirection(ServerRedirectionFlags::NO_REDIRECT))).unwrap();
    assert!(pair.take_to_viewer().is_empty() && pair.take_notices().is_empty());
}

#[test]
fn in_the_message_channel_no_other_transport_is_opened() {
    let mut pair = Pair::active(settings());
    for data in [&[0, 0x10, 0, 0, 6, 0, 1, 0, 1, 0][..], &[0, 0x40, 0, 0, 8, 0, 1, 1]] {
        pair.target(MESSAGE, data).unwrap();
        assert_eq!(only(&pair.take_to_viewer()), data);
    }
    pair.viewer(MESSAGE, &[0, 0x20, 0, 0, 6, 1, 1, 0, 0, 0]).unwrap();
    assert!(!pair.take_to_target().is_empty());
    for _ in 0..2 {
        pair.target(MESSAGE, &[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]).unwrap();
    }
    pair.target(MESSAGE, &[8, 0, 0, 0]).unwrap();
    pair.viewer(MESSAGE, &[4, 0, 0, 0, 1, 0, 0, 0]).unwrap();
    assert!(pair.take_to_viewer().is_empty() && pair.take_to_target().is_empty());
    assert_eq!(pair.denials(), [(Side::Target, Permission::OtherChannels)]);
}

#[test]
fn the_bell_needs_the_permission_to_hear() {
    let bell = raw(SERVER, 34, &[0; 8]);
    for (settings, passes) in [(settings(), true), (without(Permission::AudioOut), false)] {
        let mut pair = Pair::active(settings);
        pair.target(IO, &bell).unwrap();
        assert_eq!(!pair.take_to_viewer().is_empty(), passes);
    }
}

fn suppress(desktop_rect: Option<InclusiveRectangle>) -> Vec<u8> {
    share_data(USER, ShareDataPdu::SuppressOutput(SuppressOutputPdu { desktop_rect }))
}

fn whole_desktop() -> Option<InclusiveRectangle> {
    Some(InclusiveRectangle { left: 0, top: 0, right: WIDTH - 1, bottom: HEIGHT - 1 })
}

#[test]
fn without_view_output_stops_and_with_view_it_comes_again() {
    let update = [0, 5, 0, 1, 2];
    let slow = raw(SERVER, 2, &[3, 0, 0, 0]);
    let pointer = raw(SERVER, 27, &[3, 0, 0, 0]);
    let layout = raw(SERVER, 55, &[0; 4]);
    for picture in [update.to_vec(), indication(SERVER, IO, &slow), indication(SERVER, IO, &pointer)] {
        let mut pair = Pair::active(settings());
        pair.permit(all().without(Permission::View));
        assert_eq!(only(&pair.take_to_target()), suppress(None));
        // What shows nothing still passes.
        pair.target(IO, &layout).unwrap();
        assert!(!pair.take_to_viewer().is_empty());
        pair.target_sends(&picture).unwrap();
        pair.target(IO, &layout).unwrap();
        assert!(pair.take_to_viewer().is_empty());
        // The viewer cannot ask for it either.
        let rectangle = InclusiveRectangle { left: 0, top: 0, right: 9, bottom: 9 };
        let refresh = RefreshRectanglePdu { areas_to_refresh: vec![rectangle] };
        pair.viewer(IO, &share_data(USER, ShareDataPdu::RefreshRectangle(refresh))).unwrap();
        pair.viewer(IO, &suppress(whole_desktop())).unwrap();
        assert!(pair.take_to_target().is_empty());

        pair.permit(all());
        assert_eq!(only(&pair.take_to_target()), suppress(whole_desktop()));
        assert_eq!(pair.take_to_viewer(), [picture, indication(SERVER, IO, &layout)].concat());
    }
}

#[test]
fn what_waits_for_view_keeps_nothing_else_waiting() {
    let update = [0, 8, 0, 1, 2, 3, 4, 5];
    let error = share_data(SERVER, ShareDataPdu::ServerSetErrorInfo(ServerSetErrorInfoPdu(out_of_memory())));
    let mut compressed = error.clone();
    compressed[15] = 0x21;
    let deactivate = [6, 0, 0x16, 0, 0, 0];
    let end = [3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80];
    let mut pair = Pair::active(settings());
    pair.permit(all().without(Permission::View));
    pair.take_to_target();
    pair.target_sends(&update).unwrap();
    pair.target(IO, &compressed).unwrap();
    pair.target(IO, &deactivate).unwrap();
    pair.target_sends(&update).unwrap();
    assert!(pair.take_to_viewer().is_empty());
    // The clipboard, the signs of life and the farewell do not wait.
    let ready = message(&[1, 0, 0, 0, 0, 0, 0, 0]);
    pair.target(channel("cliprdr"), &ready).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), ready);
    let heartbeat = [0, 0x40, 0, 0, 0, 1, 1, 1];
    pair.target(MESSAGE, &heartbeat).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), heartbeat);
    pair.target(IO, &error).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), error);
    pair.target_sends(&end).unwrap();
    assert_eq!(pair.take_to_viewer(), end);
    pair.target_lane.clear();
    pair.permit(all());
    let waited =
        [&update[..], &indication(SERVER, IO, &compressed), &indication(SERVER, IO, &deactivate), &update]
            .concat();
    assert_eq!(pair.take_to_viewer(), waited);
    assert_eq!(pair.target_lane, waited);
    pair.target_sends(&update).unwrap();
    assert_eq!(pair.take_to_viewer(), update);
}

#[test]
fn a_target_that_goes_on_drawing_waits_in_the_end() {
    let picture = [&[0, 0xbf, 0xff][..], &[1; 0x3ffc]].concat();
    let mut pair = Pair::active(settings());
    pair.permit(all().without(Permission::View));
    for _ in 0..100 {
        pair.target_sends(&picture).unwrap();
    }
    assert!(pair.take_to_viewer().is_empty());
    assert_eq!(pair.from_target.len(), 36 * picture.len());
    pair.permit(all());
    assert_eq!(pair.take_to_viewer(), picture.repeat(100));
}

#[test]
fn what_waited_and_is_malformed_ends_the_session() {
    let mut pair = Pair::active(settings());
    pair.permit(all().without(Permission::View));
    pair.target_sends(&[0, 5, 0, 1, 2]).unwrap();
    // A Demand Active without capabilities.
    pair.target(IO, &[6, 0, 0x11, 0, 0, 0]).unwrap();
    pair.relay.set_permissions(all());
    assert!(pair.target_sends(&[0, 5, 0, 1, 2]).is_err());
}

#[test]
fn a_session_that_never_has_view_goes_on_in_the_dark() {
    let mut pair = Pair::active(without(Permission::View));
    pair.take_to_target();
    let mut told =
        share_data(SERVER, ShareDataPdu::ServerSetErrorInfo(ServerSetErrorInfoPdu(out_of_memory())));
    let picture = [&[0, 0xbf, 0xff][..], &[1; 0x3ffc]].concat();
    for _ in 0..100 {
        pair.target_sends(&picture).unwrap();
    }
    pair.target(IO, &raw(SERVER, 2, &[0; 4])).unwrap();
    pair.target(IO, &told).unwrap();
    assert_eq!(only(&pair.take_to_viewer()), told);
    // What is compressed builds upon pictures that the viewer does not have.
    told[15] = 0x21;
    pair.target(IO, &told).unwrap();
    assert!(pair.take_to_viewer().is_empty() && pair.from_target.is_empty());
}

#[test]
fn a_viewer_that_wants_no_output_is_not_given_any() {
    let mut pair = Pair::active(settings());
    pair.viewer(IO, &suppress(None)).unwrap();
    assert_eq!(only(&pair.take_to_target()), suppress(None));
    pair.permit(all().without(Permission::View));
    pair.take_to_target();
    pair.permit(all());
    assert!(pair.take_to_target().is_empty());
}

#[test]
fn a_session_that_begins_without_view_is_connected_and_dark() {
    let mut pair = Pair::new(without(Permission::View));
    pair.activate();
    assert_eq!(messages(&pair.take_to_viewer()).len(), 3);
    assert_eq!(messages(&pair.take_to_target()).last().unwrap().2, suppress(None));
    pair.target_sends(&[0, 5, 0, 1, 2]).unwrap();
    assert!(pair.take_to_viewer().is_empty());
}

#[test]
fn output_is_not_suppressed_outside_of_a_share() {
    let mut pair = Pair::active(settings());
    pair.target(IO, &[6, 0, 0x16, 0, 0, 0]).unwrap();
    pair.forget();
    pair.permit(all().without(Permission::View));
    assert!(pair.take_to_target().is_empty());
    // The next share begins suppressed.
    pair.activate_again();
    assert_eq!(messages(&pair.take_to_target()).last().unwrap().2, suppress(None));
}

impl Pair {
    fn activate_again(&mut self) {
        self.target(IO, &demand_active(800, 600)).unwrap();
        self.viewer(IO, &confirm_active()).unwrap();
        self.target(IO, &font_map()).unwrap();
    }
}
