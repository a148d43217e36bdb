use ironrdp_core::decode;
use ironrdp_pdu::rdp::ClientInfoPdu;
use proptest::prelude::*;

use super::*;
use crate::target::TargetFailure;

const INFO_PKT: u32 = 0x40;
const UNICODE: u32 = 0x10;
const AUTOLOGON: u32 = 0x08;
const COMPRESSION_RDP61: u32 = 0x80 | 3 << 9;
const SMART_CARD: u32 = 0x0004_0000;
const RAIL: u32 = 0x0200_8000;
/// No specification knows it.
const UNKNOWN: u32 = 0x8000_0000;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn le(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_le_bytes()
}

/// A packet with the strings `bob`, `CORP`, `ticket`, `shell`, `dir` up to the working directory.
fn packet(flags: u32, encode: fn(&str) -> Vec<u8>) -> Vec<u8> {
    let strings = ["CORP", "bob", "ticket", "shell", "dir"].map(encode);
    let mut bytes = [INFO_PKT.to_le_bytes(), 0x409_u32.to_le_bytes(), flags.to_le_bytes()].concat();
    for string in &strings {
        bytes.extend(le(string.len()));
    }
    for string in &strings {
        bytes.extend(string);
        bytes.extend(encode("\0"));
    }
    bytes
}

fn unicode(flags: u32) -> Vec<u8> {
    packet(UNICODE | flags, utf16)
}

/// The extended part up to the client's directory, and what follows up to the cookie.
fn extended() -> (Vec<u8>, Vec<u8>) {
    let (address, directory) = (utf16("192.0.2.7\0"), utf16("C:\\mstsc\0"));
    let mut head = vec![2, 0];
    head.extend(le(address.len()));
    head.extend(address);
    head.extend(le(directory.len()));
    head.extend(directory);
    // Time zone, session id and performance flags, none of them zero.
    (head, (0..180).map(|at| at | 1).collect())
}

fn credentials() -> TargetCredentials {
    TargetCredentials {
        username: Some("alice".into()),
        password: Some("correct horse".to_owned().into()),
        domain: None,
    }
}

fn options(programs: bool) -> ConnectOptions {
    ConnectOptions { message_channel: true, programs, plain_updates: false }
}

fn rewritten(user_data: &[u8]) -> Vec<u8> {
    rewrite(user_data, &credentials(), options(false)).unwrap().user_data.to_vec()
}

fn flags(user_data: &[u8]) -> u32 {
    u32::from_le_bytes(user_data[8..12].try_into().unwrap())
}

fn occurs(needle: &[u8], bytes: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part == needle)
}

#[test]
fn flags_are_edited_and_no_more() {
    let viewer = unicode(COMPRESSION_RDP61 | SMART_CARD | RAIL | UNKNOWN);
    let full = rewrite(&viewer, &credentials(), options(false)).unwrap();
    assert_eq!(flags(&full.user_data), UNICODE | COMPRESSION_RDP61 | UNKNOWN | AUTOLOGON);
    assert_eq!(flags(&full.redacted), flags(&full.user_data));
    let full = rewrite(&viewer, &credentials(), options(true)).unwrap();
    assert_eq!(flags(&full.user_data), UNICODE | COMPRESSION_RDP61 | UNKNOWN | AUTOLOGON | RAIL);
}

#[test]
fn a_login_by_itself_needs_both_name_and_password() {
    let viewer = unicode(AUTOLOGON);
    for (username, password, autologon, shown) in [
        (Some("alice"), Some("correct horse"), AUTOLOGON, true),
        (Some("alice"), None, 0, true),
        (None, Some("correct horse"), 0, false),
        (None, None, 0, false),
    ] {
        let credentials = TargetCredentials {
            username: username.map(Into::into),
            password: password.map(|password| password.to_owned().into()),
            domain: None,
        };
        let full = rewrite(&viewer, &credentials, options(false)).unwrap().user_data;
        assert_eq!(flags(&full), UNICODE | autologon);
        assert_eq!(occurs(&utf16("alice"), &full), shown);
        assert_eq!(occurs(&utf16("correct horse"), &full), autologon != 0);
        assert!(!occurs(&utf16("bob"), &full) && !occurs(&utf16("ticket"), &full));
    }
}

#[test]
fn compression_is_not_asked_for_where_updates_must_be_plain() {
    let viewer = unicode(COMPRESSION_RDP61);
    for plain_updates in [false, true] {
        let options = ConnectOptions { plain_updates, ..options(true) };
        let full = rewrite(&viewer, &credentials(), options).unwrap();
        assert_eq!(flags(&full.user_data) & 0x80 == 0, plain_updates);
    }
}

#[test]
fn programs_pass_only_with_leave() {
    let viewer = unicode(0);
    for programs in [false, true] {
        let full = rewrite(&viewer, &credentials(), options(programs)).unwrap();
        for bytes in [&*full.user_data, &full.redacted] {
            assert_eq!(occurs(&utf16("shell"), bytes), programs);
            assert_eq!(occurs(&utf16("dir"), bytes), programs);
        }
    }
}

#[test]
fn what_follows_survives_but_for_address_and_cookie() {
    let (head, middle) = extended();
    let cookie = [0xc0; 28];
    let rest = [0x11, 0x22, 0x33, 0x44, 8, 0, b'T', 0, b'Z', 0, 0, 0, 0, 0, 1, 0, 0x99];
    let viewer = [&unicode(0), &head, &middle, &le(28)[..], &cookie, &rest].concat();
    let full = rewrite(&viewer, &credentials(), options(false)).unwrap();
    for bytes in [&*full.user_data, &full.redacted] {
        // An empty address, the directory, the zone as they were, no cookie.
        let directory = head.get(head.len() - utf16("C:\\mstsc\0").len() - 2..).unwrap();
        let tail = [&[2, 0, 2, 0, 0, 0], directory, &middle, &[0, 0], &rest[..]].concat();
        assert!(bytes.ends_with(&tail));
        assert!(!occurs(&cookie, bytes) && !occurs(&utf16("192.0.2.7"), bytes));
    }
}

#[test]
fn what_ends_early_ends_where_it_did() {
    let (head, middle) = extended();
    let plain = unicode(0);
    assert_eq!(rewritten(&plain).len(), rewritten(&[&plain[..], &head].concat()).len() - 26);
    for len in [0, 1, 172, 176, 179, 180] {
        let viewer = [&plain, &head, &middle[..len]].concat();
        assert!(rewritten(&viewer).ends_with(&middle[..len]), "{len}");
    }
    // A cookie's length of nothing.
    let viewer = [&plain, &head, &middle, &[0, 0][..]].concat();
    assert!(rewritten(&viewer).ends_with(&[&middle, &[0, 0][..]].concat()));
}

#[test]
fn what_ends_within_a_field_is_refused() {
    let (head, middle) = extended();
    let plain = unicode(0);
    for len in 0..plain.len() {
        let error = rewrite(&plain[..len], &credentials(), options(false)).unwrap_err();
        assert!(matches!(error, TargetError::ClientInfo(ClientInfoError::Short(_))), "{len}: {error}");
        assert_eq!(error.kind(), TargetFailure::Viewer);
    }
    for len in 1..head.len() {
        let viewer = [&plain, &head[..len]].concat();
        assert!(rewrite(&viewer, &credentials(), options(false)).is_err(), "{len}");
    }
    for cookie in [&[28][..], &[28, 0], &[28, 0, 1], &[0xff, 0xff, 0]] {
        let viewer = [&plain, &head, &middle, cookie].concat();
        assert!(rewrite(&viewer, &credentials(), options(false)).is_err(), "{cookie:?}");
    }
}

#[test]
fn what_is_no_client_info_is_refused() {
    for (header, expected) in [(0_u16, ClientInfoError::Header(0)), (0x48, ClientInfoError::Encrypted)] {
        let mut viewer = unicode(0);
        viewer.splice(0..2, header.to_le_bytes());
        let error = rewrite(&viewer, &credentials(), options(false)).unwrap_err();
        assert!(matches!(error, TargetError::ClientInfo(error) if error == expected), "{error}");
    }
    let mut viewer = unicode(0);
    viewer[12] |= 1;
    let error = rewrite(&viewer, &credentials(), options(false)).unwrap_err();
    assert!(matches!(error, TargetError::ClientInfo(ClientInfoError::Half("Domain"))), "{error}");
}

#[test]
fn a_viewer_without_unicode_is_answered_in_kind() {
    let viewer = packet(0, |text| text.as_bytes().to_vec());
    let full = rewrite(&viewer, &credentials(), options(true)).unwrap().user_data;
    assert!(occurs(b"\0alice\0correct horse\0shell\0dir\0", &full));
    let foreign = TargetCredentials { username: Some("élodie".into()), ..credentials() };
    assert!(matches!(
        rewrite(&viewer, &foreign, options(false)),
        Err(TargetError::Credentials(CredentialsError::NotAscii))
    ));
    assert!(rewrite(&unicode(0), &foreign, options(false)).is_ok());
}

#[test]
fn an_mcs_length_must_hold_it() {
    let (head, middle) = extended();
    let room = LONGEST - rewritten(&[unicode(0), head.clone(), middle.clone(), vec![0, 0]].concat()).len();
    for (rest, fits) in [(room, true), (room + 1, false)] {
        let viewer = [unicode(0), head.clone(), middle.clone(), vec![0, 0], vec![7; rest]].concat();
        assert_eq!(rewrite(&viewer, &credentials(), options(false)).is_ok(), fits);
    }
}

#[test]
fn an_independent_decoder_reads_the_result() {
    let (head, _) = extended();
    let domain = TargetCredentials { username: Some("CORP\\alice".into()), ..credentials() };
    let full = rewrite(&[unicode(0), head].concat(), &domain, options(true)).unwrap().user_data;
    let info = decode::<ClientInfoPdu>(&full).unwrap().client_info;
    assert_eq!(info.credentials.domain.as_deref(), Some("CORP"));
    assert_eq!(info.credentials.username, "alice");
    assert_eq!(info.credentials.password, "correct horse");
    assert_eq!((info.alternate_shell.as_str(), info.work_dir.as_str()), ("shell", "dir"));
    assert_eq!((info.extra_info.address.as_str(), info.extra_info.dir.as_str()), ("", "C:\\mstsc"));
}

proptest! {
    #[test]
    fn nothing_that_a_viewer_sends_panics(
        flags in any::<u32>(),
        lengths in proptest::array::uniform5(0_u16..40),
        tail in proptest::collection::vec(any::<u8>(), 0..400),
        programs in any::<bool>(),
    ) {
        let mut viewer = [INFO_PKT.to_le_bytes(), [0; 4], flags.to_le_bytes()].concat();
        viewer.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        viewer.extend(tail);
        if let Ok(full) = rewrite(&viewer, &credentials(), options(programs)) {
            // What was written can be read, and means the same.
            let again = rewrite(&full.user_data, &credentials(), options(programs)).unwrap();
            prop_assert_eq!(&again.user_data, &full.user_data);
            prop_assert_eq!(&again.redacted, &full.redacted);
        }
    }
}
