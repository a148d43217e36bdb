//! Peers that break the protocol, vanish or say too much.

use passerelle_rfb::ServerInitError;
use passerelle_vnc::target::{self, TargetError, TargetFailure, TargetHandshakeError, TargetSecurity};
use passerelle_vnc::viewer::{self, ViewerError, ViewerHandshakeError, ViewerSecurity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{approaching, credentials, front_desk, offering, random};

const OFFERS: [ViewerSecurity; 3] = [ViewerSecurity::X509Plain, ViewerSecurity::Ard, ViewerSecurity::VncAuth];

/// Sends `bytes` to the viewer leg, closes, and gives its error and everything it sent.
async fn as_viewer(bytes: &[u8]) -> (ViewerError, Vec<u8>) {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let settings = offering(&OFFERS, &front_desk());
    let speaking = async {
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let (leg, heard) = tokio::join!(
        async { viewer::negotiate(near, &settings, &mut random).await.map(|_| ()).unwrap_err() },
        speaking
    );
    (leg, heard)
}

/// Sends `bytes` as a target, closes, and gives the target leg's error.
async fn as_target(bytes: &[u8]) -> TargetError {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    far.write_all(bytes).await.unwrap();
    far.shutdown().await.unwrap();
    let settings = approaching(&TargetSecurity::STRONGEST_FIRST, &front_desk());
    match target::negotiate(near, &settings).await {
        Err(error) => error,
        Ok(pending) => pending.login(&credentials(), true, &mut random).await.map(|_| ()).unwrap_err(),
    }
}

#[tokio::test]
async fn viewers_that_vanish_are_closed_at_every_step() {
    let script = [&b"RFB 003.008\n"[..], &[2], &[9; 15]].concat();
    for end in 0..=script.len() {
        let (error, _) = as_viewer(&script[..end]).await;
        assert!(matches!(error, ViewerError::Closed), "after {end} bytes: {error}");
    }
}

#[tokio::test]
async fn viewers_that_choose_what_was_not_offered_are_told_and_dropped() {
    let (error, heard) = as_viewer(b"RFB 003.008\n\x01\x01").await;
    assert!(matches!(error, ViewerError::Handshake(ViewerHandshakeError::NotOffered(_))));
    assert_eq!(heard[..20], *b"RFB 003.008\n\x03\x13\x1e\x02\0\0\0\x01");
    assert_eq!(heard[24..], *error.to_string().as_bytes());
}

#[tokio::test]
async fn other_protocols_are_recognised() {
    let (error, heard) = as_viewer(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(error.to_string(), "the peer does not speak RFB: it began with `GET / HTTP/1`");
    assert_eq!(heard, b"RFB 003.008\n");
    let error = as_target(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
    assert_eq!(error.kind(), TargetFailure::Violation);
    assert_eq!(error.to_string(), "the peer does not speak RFB: it began with `SSH-2.0-Open`");
}

#[tokio::test]
async fn noise_instead_of_tls_is_no_tls() {
    let opening = b"RFB 003.008\n\x13\0\x02\0\0\x01\x06";
    let (error, _) = as_viewer(&[&opening[..], &[0x5a; 400]].concat()).await;
    assert!(matches!(error, ViewerError::Tls(_)), "{error}");
    // A ClientHello of 60,000 bytes in records of 16,000: more than a login takes.
    let mut hello = vec![1, 0, 0xea, 0x60];
    hello.resize(60_004, 0);
    let mut endless = opening.to_vec();
    for part in hello.chunks(16_000) {
        endless.extend([22, 3, 1]);
        endless.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        endless.extend(part);
    }
    let (error, _) = as_viewer(&endless).await;
    assert!(error.to_string().contains("more before its login than a login takes"), "{error}");

    let script = [&b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\x01\x06\x01"[..], &[0x5a; 400]].concat();
    assert_eq!(as_target(&script).await.kind(), TargetFailure::Tls);
}

#[tokio::test]
async fn targets_that_vanish_are_closed_at_every_step() {
    let script = [&b"RFB 003.008\n\x01\x02"[..], &[7; 16], &[0; 4], &[0; 23]].concat();
    for end in 0..=script.len() {
        let error = as_target(&script[..end]).await;
        assert_eq!(error.kind(), TargetFailure::Closed, "after {end} bytes: {error}");
    }
}

#[tokio::test]
async fn a_reason_that_never_comes_leaves_the_refusal() {
    for rest in [
        &[0, 0, 0, 1][..],
        &[0, 0, 0, 1, 0, 0],
        &[0, 0, 0, 1, 0x80, 0, 0, 0],
        &[0, 0, 0, 1, 0, 0, 0, 9, b'x'],
    ] {
        let error = as_target(&[&b"RFB 003.008\n\x01\x02"[..], &[7; 16], rest].concat()).await;
        assert_eq!(error.kind(), TargetFailure::Refused, "{error}");
    }
    let error = as_target(b"RFB 003.008\n\0\0\0\0\x1aToo many security failures").await;
    assert_eq!(error.kind(), TargetFailure::TooManyAttempts);
}

#[tokio::test]
async fn desktops_beyond_the_limits_end_the_login() {
    let opening = [&b"RFB 003.008\n\x01\x01"[..], &[0; 4]].concat();
    let format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    let huge = [&opening[..], &[0xff; 4], &format, &[0; 4]].concat();
    assert!(matches!(
        as_target(&huge).await,
        TargetError::ServerInit(ServerInitError::DesktopSize { width: 65535, height: 65535 })
    ));
    let named = [&opening[..], &[5, 0, 3, 0], &format, &[0x80, 0, 0, 0]].concat();
    assert!(matches!(
        as_target(&named).await,
        TargetError::ServerInit(ServerInitError::NameTooLong { len: 0x8000_0000 })
    ));
}

#[tokio::test]
async fn weak_diffie_hellman_values_end_the_login() {
    let mut script = b"RFB 003.008\n\x01\x1e\0\x02\0\x80".to_vec();
    script.extend([0xff; 128]);
    script.extend([0; 127]);
    script.push(1);
    let error = as_target(&script).await;
    assert!(matches!(error, TargetError::Handshake(TargetHandshakeError::Ard(_))), "{error}");
    assert_eq!(error.kind(), TargetFailure::Violation);
}

#[tokio::test]
async fn the_target_leg_reads_nothing_beyond_the_description() {
    let certified = front_desk();
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    let script =
        [&b"RFB 003.008\n\x01\x01"[..], &[0; 4], &[5, 0, 3, 0], &format, &[0, 0, 0, 2], b"hi", b"\x02bell"];
    far.write_all(&script.concat()).await.unwrap();
    let pending = target::negotiate(near, &approaching(&[TargetSecurity::None], &certified)).await.unwrap();
    let mut leg = pending.login(&credentials(), true, &mut random).await.unwrap();
    assert_eq!(leg.init.name, "hi");
    let mut rest = [0; 5];
    leg.transport.read_exact(&mut rest).await.unwrap();
    assert_eq!(rest, *b"\x02bell");
    let mut heard = [0; 14];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, *b"RFB 003.008\n\x01\x01");
}
