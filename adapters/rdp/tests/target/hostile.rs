//! Targets that break the protocol, and people who sit between.

use std::sync::atomic::Ordering;
use std::task::Poll;

use ironrdp_core::encode_vec;
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason};
use ironrdp_pdu::x224::X224;
use passerelle_rdp::target::{self, LogonFailure, TargetError, TargetFailure, TargetViolation};
use sspi::credssp::{NStatusCode, TsRequest};

use crate::harness::*;

const STEPS: [Step; 7] = [
    Step::Confirm,
    Step::Challenge,
    Step::Proof,
    Step::Authorization,
    Step::Response,
    Step::Attach,
    Step::Join,
];

async fn fail(script: Script) -> (TargetError, Seen) {
    let certified = certified();
    let (outcome, seen) = run(&certified, &script, |stream| async {
        log_in(stream, &settings(&certified), &credentials(), &client_hello(), OPTIONS).await.map(|_| ())
    })
    .await;
    (outcome.unwrap_err(), seen)
}

#[tokio::test]
async fn what_is_cut_short_is_a_closed_connection() {
    for step in STEPS {
        let (error, seen) = fail(Script::doing(step, Deed::Truncate)).await;
        // Where a target has just seen the credentials, leaving is its answer.
        let expected = if step == Step::Proof { TargetFailure::Refused } else { TargetFailure::Closed };
        assert_eq!(error.kind(), expected, "{step:?}: {error}");
        assert!(seen.client_info.is_none());
    }
}

#[tokio::test]
async fn a_target_that_stalls_is_waited_for_and_can_be_left() {
    for step in STEPS {
        let certified = certified();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let script = Script::doing(step, Deed::Stall);
        let (settings, credentials, hello) = (settings(&certified), credentials(), client_hello());
        let mut after = 0;
        // Both ends run in this task: they are polled whenever this is.
        let idle = std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            after += usize::from(script.stalled.load(Ordering::Relaxed));
            if after > 100 { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            biased;
            _ = log_in(near, &settings, &credentials, &hello, OPTIONS) => {
                panic!("{step:?}: the client did not wait")
            }
            _ = serve(far, &certified, &script) => panic!("{step:?}: the target did not stall"),
            () = idle => {}
        }
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    // Announce 64 KiB; what would follow never comes.
    let announced = vec![3, 0, 0xff, 0xff];
    for step in [Step::Confirm, Step::Response, Step::Attach, Step::Join] {
        let (error, _) = fail(Script::doing(step, Deed::Replace(announced.clone()))).await;
        assert!(
            matches!(error, TargetError::Violation(TargetViolation::TooLong { len: 0xffff, .. })),
            "{step:?}: {error}"
        );
    }
    for step in [Step::Challenge, Step::Proof] {
        let (error, _) = fail(Script::doing(step, Deed::Replace(vec![0x30, 0x82, 0xff, 0xff]))).await;
        assert!(
            matches!(error, TargetError::Violation(TargetViolation::TooLong { len: 0xffff, .. })),
            "{step:?}: {error}"
        );
        let (error, _) = fail(Script::doing(step, Deed::Replace(vec![0x30, 0x84, 0xff, 0xff]))).await;
        assert!(
            matches!(error, TargetError::Violation(TargetViolation::TsRequestLength(0x84))),
            "{step:?}: {error}"
        );
    }
}

#[tokio::test]
async fn what_is_no_such_pdu_is_a_violation() {
    for step in STEPS {
        // A fast-path update's beginning, which is neither TPKT nor TSRequest nor result.
        let (error, _) = fail(Script::doing(step, Deed::Replace(vec![0x40; 64]))).await;
        assert_eq!(error.kind(), TargetFailure::Violation, "{step:?}: {error}");
    }
    // Client Info comes from clients.
    let foreign = vec![3, 0, 0, 12, 2, 0xf0, 0x80, 0x64, 0, 3, 3, 0xeb];
    for step in [Step::Response, Step::Attach, Step::Join] {
        let (error, _) = fail(Script::doing(step, Deed::Replace(foreign.clone()))).await;
        assert!(
            matches!(error, TargetError::Violation(TargetViolation::Unexpected { got: Some(25), .. })),
            "{step:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_good_bye_is_told_with_its_reason() {
    let ultimatum = DisconnectProviderUltimatum::from_reason(DisconnectReason::ProviderInitiated);
    let ultimatum = encode_vec(&X224(ultimatum)).unwrap();
    for step in [Step::Response, Step::Attach, Step::Join] {
        let (error, _) = fail(Script::doing(step, Deed::Replace(ultimatum.clone()))).await;
        assert_eq!(error.kind(), TargetFailure::Refused);
        assert!(error.to_string().contains("server-initiated"), "{step:?}: {error}");
    }
}

#[tokio::test]
async fn refusals_of_mcs_are_told_as_such() {
    // The result in a Connect Response stands behind the BER header of the whole.
    let (error, _) = fail(Script::doing(
        Step::Response,
        Deed::Edit(|mut bytes| {
            let at = bytes.windows(2).position(|part| part == [0x0a, 0x01]).unwrap();
            bytes[at + 2] = 14;
            bytes
        }),
    ))
    .await;
    assert!(matches!(error, TargetError::Mcs { result: 14, .. }), "{error}");
    assert!(error.to_string().contains("unspecified failure"));
    // Refusals name neither user nor channel.
    let (error, _) =
        fail(Script::doing(Step::Attach, Deed::Replace(vec![3, 0, 0, 9, 2, 0xf0, 0x80, 0x2c, 13]))).await;
    assert!(matches!(error, TargetError::Mcs { result: 13, .. }), "{error}");
    let join = vec![3, 0, 0, 13, 2, 0xf0, 0x80, 0x3c, 3, 0, 6, 3, 0xeb];
    let (error, _) = fail(Script::doing(Step::Join, Deed::Replace(join))).await;
    assert!(matches!(error, TargetError::Mcs { result: 3, .. }), "{error}");
}

#[tokio::test]
async fn a_join_of_something_else_is_a_violation() {
    let (error, _) = fail(Script::doing(
        Step::Join,
        Deed::Edit(|mut bytes| {
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
    ))
    .await;
    assert!(matches!(error, TargetError::Violation(TargetViolation::Joined { asked: USER, .. })), "{error}");
}

#[tokio::test]
async fn a_user_with_the_number_of_a_channel_is_a_violation() {
    // 1003 is the I/O channel; users count from 1001.
    let confirm = vec![3, 0, 0, 11, 2, 0xf0, 0x80, 0x2e, 0, 0, 2];
    let (error, _) = fail(Script::doing(Step::Attach, Deed::Replace(confirm))).await;
    assert!(matches!(error, TargetError::Violation(TargetViolation::ChannelTwice(IO))), "{error}");
}

#[tokio::test]
async fn the_status_of_a_failed_login_reaches_the_administrator() {
    for (status, expected) in [
        (NStatusCode::LOGON_FAILURE, LogonFailure::Credentials),
        (NStatusCode::PASSWORD_EXPIRED, LogonFailure::PasswordExpired),
        (NStatusCode::PASSWORD_MUST_CHANGE, LogonFailure::PasswordMustChange),
        (NStatusCode::ACCOUNT_LOCKED_OUT, LogonFailure::LockedOut),
        (NStatusCode::ACCOUNT_DISABLED, LogonFailure::Disabled),
        (NStatusCode::ACCOUNT_RESTRICTION, LogonFailure::Restricted),
        (NStatusCode(0xc000_9999), LogonFailure::Other(0xc000_9999)),
    ] {
        let refusal = encoded(&TsRequest { error_code: Some(status), ..TsRequest::default() });
        let (error, seen) = fail(Script::doing(Step::Proof, Deed::Replace(refusal))).await;
        assert!(matches!(error, TargetError::Logon(failure) if failure == expected), "{error}");
        assert_eq!(seen.delegated, None);
    }
    // Some say it in MCS, which has no words for it.
    let ultimatum = DisconnectProviderUltimatum::from_reason(DisconnectReason::UserRequested);
    let refusal = encode_vec(&X224(ultimatum)).unwrap();
    let (error, _) = fail(Script::doing(Step::Proof, Deed::Replace(refusal))).await;
    assert!(matches!(error, TargetError::Logon(LogonFailure::Unsaid)), "{error}");
}

#[tokio::test]
async fn old_versions_of_credssp_are_refused() {
    let (error, seen) = fail(Script { credssp_version: 4, ..Script::default() }).await;
    assert!(matches!(error, TargetError::Violation(TargetViolation::CredSspVersion(4))), "{error}");
    assert_eq!(seen.credssp, 1);
}

#[tokio::test]
async fn a_version_that_changes_is_no_proof() {
    let (error, seen) = fail(Script::doing(
        Step::Proof,
        Deed::Edit(|bytes| {
            let request = TsRequest::from_buffer(&bytes).unwrap();
            encoded(&TsRequest { version: 5, ..request })
        }),
    ))
    .await;
    assert!(matches!(error, TargetError::Unproven), "{error}");
    assert_eq!(seen.delegated, None);
}

#[tokio::test]
async fn a_tampered_proof_keeps_the_password_here() {
    // Each part of the sealed public key: version, checksum and sequence number of the signature, the hash.
    for at in [0, 4, 11, 12, 16, 47] {
        let deed: fn(Vec<u8>) -> Vec<u8> = match at {
            0 => |bytes| flip(&bytes, 0),
            4 => |bytes| flip(&bytes, 4),
            11 => |bytes| flip(&bytes, 11),
            12 => |bytes| flip(&bytes, 12),
            16 => |bytes| flip(&bytes, 16),
            _ => |bytes| flip(&bytes, 47),
        };
        let (error, seen) = fail(Script::doing(Step::Proof, Deed::Edit(deed))).await;
        assert!(matches!(error, TargetError::Unproven), "{at}: {error}");
        assert_eq!((seen.credssp, seen.delegated), (2, None));
    }
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut request = TsRequest::from_buffer(bytes).unwrap();
    request.pub_key_auth.as_mut().unwrap()[at] ^= 1;
    encoded(&request)
}

#[tokio::test]
async fn a_target_that_knows_nothing_proves_nothing() {
    for pub_key_auth in [vec![0; 16], vec![0; 48], vec![1; 1024]] {
        let request = TsRequest { pub_key_auth: Some(pub_key_auth), ..TsRequest::default() };
        let (error, seen) = fail(Script::doing(Step::Proof, Deed::Replace(encoded(&request)))).await;
        assert!(matches!(error, TargetError::Unproven), "{error}");
        assert_eq!(error.kind(), TargetFailure::Tls);
        assert_eq!(seen.delegated, None);
    }
    for pub_key_auth in [None, Some(Vec::new()), Some(vec![0; 15])] {
        let request = TsRequest { pub_key_auth, ..TsRequest::default() };
        let (error, _) = fail(Script::doing(Step::Proof, Deed::Replace(encoded(&request)))).await;
        assert!(matches!(error, TargetError::Violation(TargetViolation::TsRequestLacks(_))), "{error}");
    }
}

#[tokio::test]
async fn a_challenge_that_makes_no_sense_is_a_violation() {
    let without = encoded(&TsRequest::default());
    let (error, _) = fail(Script::doing(Step::Challenge, Deed::Replace(without))).await;
    assert!(matches!(error, TargetError::Violation(TargetViolation::TsRequestLacks(_))), "{error}");
    for token in [Vec::new(), b"NTLMSSP\0\x02\0\0\0".to_vec(), vec![0xff; 4096]] {
        let request = TsRequest { nego_tokens: Some(token), ..TsRequest::default() };
        let (error, seen) = fail(Script::doing(Step::Challenge, Deed::Replace(encoded(&request)))).await;
        assert!(matches!(error, TargetError::Violation(TargetViolation::Challenge(_))), "{error}");
        assert_eq!(seen.credssp, 1);
    }
}

/// Two TLS connections with someone in the middle, who passes CredSSP on and knows both certificates' keys, but
/// not the password.
#[tokio::test]
async fn who_relays_the_login_does_not_get_the_password() {
    let (middle, real) = (certified(), certified());
    let (near, far) = tokio::io::duplex(64 * 1024);
    // The real target takes part in CredSSP with its own key, over the middle's TLS.
    let relayed = Certified { public_key: real.public_key, ..certified_like(&middle) };
    let script = Script::default();
    let settings = settings(&middle);
    let (outcome, seen) = tokio::join!(
        async {
            let pending = target::negotiate(near, &settings).await?;
            pending.login(&credentials()).await.map(|_| ())
        },
        serve(far, &relayed, &script)
    );
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), TargetFailure::Refused, "{error}");
    assert_eq!((seen.credssp, seen.delegated), (2, None));
}

fn certified_like(other: &Certified) -> Certified {
    Certified {
        config: other.config.clone(),
        public_key: other.public_key.clone(),
        roots: other.roots.clone(),
    }
}

#[tokio::test]
async fn what_goes_wrong_with_random_bytes_goes_wrong_quietly() {
    let mut state = 0x2545_f491_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for round in 0..60 {
        let step = STEPS[round % STEPS.len()];
        let len = (random() % 200) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| random().to_le_bytes()[0]).collect();
        // Most get past the first header.
        if round % 3 != 0 {
            let len = u8::try_from(len + 4).unwrap();
            let header = match step {
                Step::Challenge | Step::Proof => vec![0x30, 0x81, len - 4],
                _ => vec![3, 0, 0, len],
            };
            bytes.splice(0..0, header);
        }
        let (error, seen) = fail(Script::doing(step, Deed::Replace(bytes))).await;
        assert!(seen.client_info.is_none(), "{round}: {error}");
    }
}
