//! Logging in to targets that keep to the protocol.

use ironrdp_core::decode;
use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::nego::{ResponseFlags, SecurityProtocol};
use ironrdp_pdu::rdp::ClientInfoPdu;
use ironrdp_pdu::rdp::client_info::{ClientInfoFlags, CompressionType};
use passerelle_rdp::ClientHello;
use passerelle_rdp::target::{
    self, ConnectOptions, CredentialsError, LogonFailure, NegotiationFailure, TargetCredentials, TargetError,
    TargetFailure, TargetSecurity, TargetViolation,
};

use crate::harness::*;

/// Whether `needle` occurs in `bytes`, as UTF-8 or as UTF-16.
fn occurs(needle: &str, bytes: &[u8]) -> bool {
    let utf16: Vec<u8> = needle.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [needle.as_bytes(), &utf16].iter().any(|needle| bytes.windows(needle.len()).any(|part| part == *needle))
}

#[tokio::test]
async fn every_protocol_leads_to_client_info() {
    for (protocol, security, tls) in [
        (SecurityProtocol::HYBRID_EX, TargetSecurity::Nla, "TLS 1.2"),
        (SecurityProtocol::HYBRID, TargetSecurity::Nla, "TLS 1.2"),
        (SecurityProtocol::SSL, TargetSecurity::Tls, "TLS 1.3"),
    ] {
        let certified = certified();
        let script = Script { protocol, ..Script::default() };
        let (outcome, seen) = run(&certified, &script, |stream| async {
            let settings = settings(&certified);
            log_in(stream, &settings, &credentials(), &client_hello(), OPTIONS)
                .await
                .map(|(leg, redacted)| (leg.facts, leg.hello, redacted))
        })
        .await;
        let (facts, hello, redacted) = outcome.unwrap();
        assert_eq!((facts.security, facts.tls.unwrap().version), (security, tls));
        let request = seen.request.unwrap();
        assert_eq!(
            request.protocol,
            SecurityProtocol::SSL | SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX
        );
        assert_eq!(request.nego_data, None);
        let delegated = Some(("CORP\\alice".to_owned(), PASSWORD.to_owned()));
        assert_eq!(seen.delegated, delegated.filter(|_| security == TargetSecurity::Nla));

        // The viewer's own wishes, edited.
        let initial = seen.initial.unwrap();
        let blocks = initial.conference_create_request.gcc_blocks();
        assert_eq!(blocks.core.optional_data.server_selected_protocol, Some(protocol));
        assert_eq!(blocks.core.client_name, "technician");
        assert!(blocks.multi_transport_channel.is_none());
        assert!(blocks.message_channel.is_some());

        let channels = hello.channels;
        assert_eq!((channels.user, channels.io, channels.message), (USER, IO, Some(MESSAGE)));
        let statics: Vec<_> = channels
            .statics
            .iter()
            .map(|channel| (channel.id, channel.definition.name.as_str().unwrap()))
            .collect();
        assert_eq!(statics, [(STATICS[0], "rdpdr"), (STATICS[1], "cliprdr")]);
        assert_eq!(seen.joined, [USER, IO, MESSAGE, STATICS[0], STATICS[1]]);

        let sent = seen.client_info.unwrap();
        let info = decode::<ClientInfoPdu>(&sent).unwrap().client_info;
        assert_eq!(info.credentials.username, "alice");
        assert_eq!(info.credentials.password, PASSWORD);
        assert_eq!(info.credentials.domain.as_deref(), Some("CORP"));
        assert!(info.flags.contains(ClientInfoFlags::AUTOLOGON | ClientInfoFlags::COMPRESSION));
        assert_eq!(info.compression_type, CompressionType::Rdp61);
        assert!(!occurs(TICKET, &sent));
        for bytes in [&sent, &redacted] {
            assert!(!bytes.windows(COOKIE.len()).any(|part| part == COOKIE));
        }
        for secret in [TICKET, PASSWORD, "alice", "bob", "CORP", "192.0.2.7"] {
            assert!(!occurs(secret, &redacted), "{secret}");
        }
        assert_eq!(decode::<ClientInfoPdu>(&redacted).unwrap().client_info.flags, info.flags);
    }
}

#[tokio::test]
async fn joins_are_left_out_when_both_sides_do_without() {
    let certified = certified();
    let mut hello = client_hello();
    for (client, server) in [(true, true), (true, false), (false, true)] {
        let mut blocks = hello.connect_initial.conference_create_request.gcc_blocks().clone();
        if let Some(flags) = &mut blocks.core.optional_data.early_capability_flags {
            flags.set(ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN, client);
        }
        let connect_initial = ironrdp_pdu::mcs::ConnectInitial::with_gcc_blocks(blocks).unwrap();
        hello = ClientHello { connect_initial, ..hello };
        let mut script = Script::default();
        if server {
            script.early_flags = SKIP;
        }
        let (outcome, seen) = run(&certified, &script, |stream| async {
            log_in(stream, &settings(&certified), &credentials(), &hello, OPTIONS).await.map(|_| ())
        })
        .await;
        outcome.unwrap();
        assert_eq!(seen.joined.is_empty(), client && server);
        assert!(seen.client_info.is_some());
    }
}

#[tokio::test]
async fn a_viewer_without_message_channel_gets_none() {
    let certified = certified();
    let options = ConnectOptions { message_channel: false, ..OPTIONS };
    let (outcome, seen) = run(&certified, &Script::default(), |stream| async {
        log_in(stream, &settings(&certified), &credentials(), &client_hello(), options)
            .await
            .map(|(leg, _)| leg.hello.channels.message)
    })
    .await;
    assert_eq!(outcome.unwrap(), None);
    assert_eq!(seen.joined.len(), 4);
}

#[tokio::test]
async fn a_target_without_credentials_asks_by_itself() {
    let certified = certified();
    let script = Script { protocol: SecurityProtocol::SSL, ..Script::default() };
    let settings = target::TargetSettings { has_credentials: false, ..settings(&certified) };
    let (outcome, seen) = run(&certified, &script, |stream| async {
        let nobody = TargetCredentials::default();
        log_in(stream, &settings, &nobody, &client_hello(), OPTIONS).await.map(|_| ())
    })
    .await;
    outcome.unwrap();
    assert_eq!(seen.request.unwrap().protocol, SecurityProtocol::SSL);
    let info = decode::<ClientInfoPdu>(&seen.client_info.unwrap()).unwrap().client_info;
    assert_eq!((info.credentials.username.as_str(), info.credentials.password.as_str()), ("", ""));
    assert!(!info.flags.contains(ClientInfoFlags::AUTOLOGON));
}

#[tokio::test]
async fn a_wrong_password_is_the_targets_to_refuse() {
    let certified = certified();
    let script = Script { password: "battery staple", ..Script::default() };
    let (outcome, seen) = run(&certified, &script, |stream| async {
        target::negotiate(stream, &settings(&certified)).await?.login(&credentials()).await.map(|_| ())
    })
    .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, TargetError::Logon(LogonFailure::Credentials)), "{error}");
    assert_eq!(error.kind(), TargetFailure::Refused);
    assert_eq!(seen.delegated, None);
}

#[tokio::test]
async fn the_user_may_be_known_and_not_welcome() {
    let certified = certified();
    for (result, expected) in [(5, "Remote Desktop Users"), (6, "0x6")] {
        let script = Script::doing(Step::Authorization, Deed::Replace(vec![result, 0, 0, 0]));
        let (outcome, _) = run(&certified, &script, |stream| async {
            target::negotiate(stream, &settings(&certified)).await?.login(&credentials()).await.map(|_| ())
        })
        .await;
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_login() {
    let certified = certified();
    let (pending, seen) = run(&certified, &Script::default(), |stream| async {
        target::negotiate(stream, &settings(&certified)).await.map(|_| ())
    })
    .await;
    pending.unwrap();
    assert_eq!(seen.credssp, 0);
}

#[tokio::test]
async fn credentials_that_nla_cannot_carry_are_refused_before_it_begins() {
    let certified = certified();
    for (credentials, expected) in [
        (TargetCredentials { password: None, ..credentials() }, CredentialsError::Missing),
        (
            TargetCredentials { password: Some("$NTLM$:0".to_owned().into()), ..credentials() },
            CredentialsError::LooksLikeHash,
        ),
        (
            TargetCredentials { domain: Some("x".repeat(256)), ..credentials() },
            CredentialsError::TooLong("domain"),
        ),
        (TargetCredentials { username: Some("a\\b".into()), ..credentials() }, CredentialsError::Name),
    ] {
        let (outcome, seen) = run(&certified, &Script::default(), |stream| async {
            target::negotiate(stream, &settings(&certified)).await?.login(&credentials).await.map(|_| ())
        })
        .await;
        assert!(matches!(outcome, Err(TargetError::Credentials(error)) if error == expected));
        assert_eq!(seen.credssp, 0);
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_used() {
    let certified = certified();
    let mut settings = settings(&certified);
    settings.security = vec![TargetSecurity::Nla];
    let script = Script { protocol: SecurityProtocol::SSL, ..Script::default() };
    let (outcome, seen) =
        run(&certified, &script, |stream| async { target::negotiate(stream, &settings).await.map(|_| ()) })
            .await;
    assert!(matches!(outcome, Err(TargetError::Violation(TargetViolation::NotRequested { protocol: 1 }))));
    assert!(!seen.request.unwrap().protocol.contains(SecurityProtocol::SSL));

    let script = Script { protocol: SecurityProtocol::empty(), ..Script::default() };
    let (outcome, _) =
        run(&certified, &script, |stream| async { target::negotiate(stream, &settings).await.map(|_| ()) })
            .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, TargetError::Negotiation(NegotiationFailure::StandardRdpSecurity)));
    assert_eq!(error.kind(), TargetFailure::Unusable);
}

#[tokio::test]
async fn a_target_without_extended_data_gets_none() {
    let certified = certified();
    let script = Script { flags: ResponseFlags::empty(), ..Script::default() };
    let (outcome, seen) = run(&certified, &script, |stream| async {
        log_in(stream, &settings(&certified), &credentials(), &client_hello(), OPTIONS).await.map(|_| ())
    })
    .await;
    outcome.unwrap();
    let initial = seen.initial.unwrap();
    let blocks = initial.conference_create_request.gcc_blocks();
    assert!(blocks.message_channel.is_none());
    let flags = blocks.core.optional_data.early_capability_flags.unwrap();
    assert!(!flags.contains(ClientEarlyCapabilityFlags::SUPPORT_NET_CHAR_AUTODETECT));
}

#[test]
fn a_login_can_move_between_threads() {
    fn sent<F: Future + Send>(_: F) {}
    let certified = certified();
    let (near, _) = tokio::io::duplex(1);
    sent(log_in(near, &settings(&certified), &credentials(), &client_hello(), OPTIONS));
}
