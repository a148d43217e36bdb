//! Each version and each security type over both legs, with right and wrong secrets.

use passerelle_rfb::security::ProtocolVersion::{self, V3_3, V3_7, V3_8};
use passerelle_vnc::target::{CredentialKind, TargetCredentials, TargetError, TargetFailure, TargetSecurity};
use passerelle_vnc::viewer::{ViewerError, ViewerHandshakeError, ViewerSecurity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{approaching, credentials, desktop, front_desk, offering, session};

const PAIRS: [(ViewerSecurity, TargetSecurity); 4] = [
    (ViewerSecurity::VncAuth, TargetSecurity::VncAuth),
    (ViewerSecurity::Ard, TargetSecurity::Ard),
    (ViewerSecurity::X509Plain, TargetSecurity::X509Plain),
    (ViewerSecurity::X509Vnc, TargetSecurity::X509Vnc),
];

fn exists(version: ProtocolVersion, offer: ViewerSecurity) -> bool {
    version.client_chooses() || offer == ViewerSecurity::VncAuth
}

#[tokio::test]
async fn the_right_secret_opens_the_session() {
    let certified = front_desk();
    for version in [V3_3, V3_7, V3_8] {
        for (offer, allow) in PAIRS.into_iter().filter(|(offer, _)| exists(version, *offer)) {
            let (viewer, target) = (offering(&[offer], &certified), approaching(&[allow], &certified));
            let session = session(&viewer, &target, version, &credentials()).await;
            let served = session.viewer.unwrap();
            let (leg, certificate) = session.target.unwrap();

            assert_eq!((served.version, served.security), (version, offer));
            assert_eq!((leg.facts.version, leg.facts.security), (version, allow));
            assert_eq!(served.encrypted, offer.uses_tls());
            assert_eq!(certificate.is_some(), allow.uses_tls());
            assert_eq!(leg.init, desktop());
            let served = served.transport.unwrap();
            assert_eq!(served.tls_facts(), leg.facts.tls);
            if offer.uses_tls() {
                assert_eq!(leg.facts.tls.unwrap().version, "TLS 1.3");
            }
        }
    }
}

#[tokio::test]
async fn the_stream_of_an_open_session_carries_everything() {
    let certified = front_desk();
    for (offer, allow) in PAIRS {
        let (viewer, target) = (offering(&[offer], &certified), approaching(&[allow], &certified));
        let (near, far) = tokio::io::duplex(64 * 1024);
        // More than what may be said before the login: the budget is lifted.
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let serving = async {
            let pending =
                passerelle_vnc::viewer::negotiate(near, &viewer, &mut crate::harness::random).await.unwrap();
            let mut transport = pending.accept().await.unwrap().start(&desktop()).await.unwrap();
            let mut received = vec![0; sent.len()];
            transport.read_exact(&mut received).await.unwrap();
            transport.write_all(&received).await.unwrap();
            transport.shutdown().await.unwrap();
        };
        let using = async {
            let pending = passerelle_vnc::target::negotiate(far, &target).await.unwrap();
            let leg = pending.login(&credentials(), false, &mut crate::harness::random).await.unwrap();
            let mut transport = leg.transport;
            transport.write_all(&sent).await.unwrap();
            transport.flush().await.unwrap();
            let mut received = Vec::new();
            transport.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = tokio::join!(serving, using);
        assert!(received == sent, "{offer:?}");
    }
}

#[tokio::test]
async fn the_wrong_secret_is_refused_with_the_reason_that_the_version_has() {
    let certified = front_desk();
    let wrong = TargetCredentials { password: Some("7K2M9QXY".to_owned().into()), ..credentials() };
    for version in [V3_3, V3_7, V3_8] {
        for (offer, allow) in PAIRS.into_iter().filter(|(offer, _)| exists(version, *offer)) {
            let (viewer, target) = (offering(&[offer], &certified), approaching(&[allow], &certified));
            let session = session(&viewer, &target, version, &wrong).await;
            assert!(session.viewer.unwrap().transport.is_none());
            let error = session.target.unwrap_err();
            assert_eq!(error.kind(), TargetFailure::Refused);
            let reason = if version.has_reasons() { ": The ticket is wrong or has expired." } else { "" };
            assert_eq!(error.to_string(), format!("the target refused the login{reason}"));
        }
    }
}

#[tokio::test]
async fn legs_without_a_common_type_say_so() {
    let certified = front_desk();
    let viewer = offering(&[ViewerSecurity::Ard, ViewerSecurity::X509Plain], &certified);
    let target = approaching(&[TargetSecurity::VncAuth, TargetSecurity::None], &certified);
    let both = session(&viewer, &target, V3_8, &credentials()).await;
    let error = both.target.unwrap_err();
    assert_eq!(error.kind(), TargetFailure::Unusable);
    assert_eq!(
        error.to_string(),
        "the target offers ARD, VeNCrypt; the configuration allows VncAuth, None with the credentials it gives"
    );
    assert!(matches!(both.viewer, Err(ViewerError::Closed)));

    // A target leg with a password alone has no use for ARD.
    let mut target = approaching(&TargetSecurity::STRONGEST_FIRST, &certified);
    target.credentials = CredentialKind::Password;
    let both = session(&offering(&[ViewerSecurity::Ard], &certified), &target, V3_8, &credentials()).await;
    assert_eq!(both.target.unwrap_err().kind(), TargetFailure::Unusable);
}

#[tokio::test]
async fn version_3_3_without_vnc_auth_is_refused_with_a_reason() {
    let certified = front_desk();
    let viewer = offering(&[ViewerSecurity::X509Plain, ViewerSecurity::Ard], &certified);
    let target = approaching(&TargetSecurity::STRONGEST_FIRST, &certified);
    let session = session(&viewer, &target, V3_3, &credentials()).await;
    assert!(matches!(
        session.viewer,
        Err(ViewerError::Handshake(ViewerHandshakeError::NothingToOffer(V3_3)))
    ));
    let error = session.target.unwrap_err();
    assert!(error.to_string().contains("use a newer viewer"), "{error}");
}

#[tokio::test]
async fn a_vencrypt_without_usable_subtypes_names_the_way_round() {
    let certified = front_desk();
    let viewer = offering(&[ViewerSecurity::X509Plain, ViewerSecurity::VncAuth], &certified);
    let mut target = approaching(&[TargetSecurity::X509None, TargetSecurity::VncAuth], &certified);
    let error = session(&viewer, &target, V3_8, &credentials()).await.target.unwrap_err();
    assert_eq!(error.kind(), TargetFailure::Unusable);
    assert_eq!(error.instead(), Some(TargetSecurity::VncAuth));
    target = target.without_vencrypt();
    let session = session(&viewer, &target, V3_8, &credentials()).await;
    assert_eq!(session.target.unwrap().0.facts.security, TargetSecurity::VncAuth);
}

#[tokio::test]
async fn a_missing_certificate_is_noticed_before_a_viewer_is_served() {
    let certified = front_desk();
    let mut viewer = offering(&[ViewerSecurity::X509Vnc], &certified);
    viewer.tls = None;
    let (near, _far) = tokio::io::duplex(64);
    let refused = passerelle_vnc::viewer::negotiate(near, &viewer, &mut crate::harness::random).await;
    assert!(matches!(refused, Err(ViewerError::NoCertificate)));
}

#[test]
fn a_user_name_alone_proves_nothing() {
    let mut credentials = credentials();
    assert_eq!(credentials.kind(), CredentialKind::UsernameAndPassword);
    credentials.username = None;
    assert_eq!(credentials.kind(), CredentialKind::Password);
    credentials = TargetCredentials { username: Some("alice".into()), password: None };
    assert_eq!(credentials.kind(), CredentialKind::Nothing);
    let lost = TargetError::Closed("logging in");
    assert_eq!(lost.kind(), TargetFailure::Closed);
}
