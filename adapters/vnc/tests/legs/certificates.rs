//! What the target leg learns from certificates, and that it lets the caller decide.

use std::sync::Arc;
use std::time::Duration;

use passerelle_rfb::security::ProtocolVersion::V3_8;
use passerelle_transport::{CertificateError, CertificatePolicy, Fingerprint, PeerCertificate, Trust};
use passerelle_vnc::target::{self, TargetFailure, TargetSecurity, TargetSettings};
use passerelle_vnc::viewer::{self, ViewerError, ViewerSecurity};
use rcgen::{CertificateParams, DnType, date_time_ymd};
use rustls::RootCertStore;

use crate::harness::{
    Certified, NAME, approaching, certified, certified_by, credentials, front_desk, offering, self_signed,
    session,
};

async fn seen(certified: &Certified, change: impl FnOnce(&mut TargetSettings)) -> PeerCertificate {
    let viewer = offering(&[ViewerSecurity::X509Plain], certified);
    let mut target = approaching(&[TargetSecurity::X509Plain], certified);
    change(&mut target);
    let session = session(&viewer, &target, V3_8, &credentials()).await;
    session.target.unwrap().1.unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_described_and_verified() {
    let mut params = CertificateParams::new([NAME.to_owned(), "192.0.2.5".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Front desk");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    let certified = certified(params);
    let certificate = seen(&certified, |_| {}).await;
    assert_eq!(certificate.ca, Ok(()));
    assert_eq!(certificate.fingerprint, Fingerprint::of(&certified.certificate));
    assert!(certificate.subject.contains("CN=Front desk"), "{}", certificate.subject);
    // `date -u -d 2040-01-01 +%s`
    assert_eq!(certificate.not_after, 2_208_988_800);
    assert_eq!(certificate.judge(CertificatePolicy::Ca), Ok(Trust::Verified));

    let by_address = seen(&certified, |target| target.server_name = "192.0.2.5".into()).await;
    assert_eq!(by_address.ca, Ok(()));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    let certified = certified(params);
    let years = Duration::from_secs(31_557_600);

    let expired = seen(&certified, |target| target.now += years * 20).await;
    assert_eq!(expired.ca, Err("it has expired".into()));
    let early = seen(&certified, |target| target.now -= years * 20).await;
    assert_eq!(early.ca, Err("it is not valid yet".into()));
    let other = seen(&certified, |target| target.server_name = "back-office.example".into()).await;
    assert_eq!(other.ca, Err("it belongs to another name".into()));
    let renewed = seen(&certified, |target| target.roots = front_desk().roots).await;
    assert_eq!(renewed.ca, Err("the trusted authority of its issuer's name has not signed it".into()));
    let stranger = certified_by("Stranger", CertificateParams::new([]).unwrap());
    let unknown = seen(&certified, |target| target.roots = stranger.roots).await;
    assert_eq!(unknown.ca, Err("no trusted authority has issued it".into()));
    let nobody = seen(&certified, |target| target.roots = Arc::new(RootCertStore::empty())).await;
    assert_eq!(nobody.ca, Err("no certificate authority is trusted here".into()));

    assert!(matches!(unknown.judge(CertificatePolicy::Ca), Err(CertificateError::Unverified { .. })));
    let pinned = CertificatePolicy::Pin(Fingerprint::of(&certified.certificate));
    assert_eq!(unknown.judge(pinned), Ok(Trust::Verified));
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_its_own_authority() {
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    let certified = self_signed(params.clone());
    let years = Duration::from_secs(31_557_600);
    assert_eq!(seen(&certified, |_| {}).await.ca, Ok(()));
    let expired = seen(&certified, |target| target.now += years * 20).await;
    assert_eq!(expired.ca, Err("it has expired".into()));
    let early = seen(&certified, |target| target.now -= years * 20).await;
    assert_eq!(early.ca, Err("it is not valid yet".into()));
    let other = seen(&certified, |target| target.server_name = "back-office.example".into()).await;
    assert_eq!(other.ca, Err("it belongs to another name".into()));
    // Another one of the same name has another key.
    let impostor = self_signed(params);
    assert!(seen(&certified, |target| target.roots = impostor.roots).await.ca.is_err());
}

#[tokio::test]
async fn nothing_secret_is_sent_before_the_certificate_was_judged() {
    let certified = front_desk();
    let viewer = offering(&[ViewerSecurity::X509Plain, ViewerSecurity::X509Vnc], &certified);
    let target = approaching(&TargetSecurity::STRONGEST_FIRST, &certified);
    let (near, far) = tokio::io::duplex(4096);
    let distrusting = async {
        let pending = target::negotiate(far, &target).await.unwrap();
        let other = CertificatePolicy::Pin(Fingerprint::of(b"another certificate"));
        assert!(pending.certificate().unwrap().judge(other).is_err());
    };
    let serving = async { viewer::negotiate(near, &viewer, &mut crate::harness::random).await };
    let (viewer, ()) = tokio::join!(serving, distrusting);
    assert!(matches!(viewer, Err(ViewerError::Closed)), "nothing was presented");
}

#[tokio::test]
async fn a_name_that_no_certificate_can_bear_is_reported() {
    let certified = front_desk();
    let viewer = offering(&[ViewerSecurity::X509Plain], &certified);
    let mut target = approaching(&[TargetSecurity::X509Plain], &certified);
    target.server_name = "front desk".into();
    let error = session(&viewer, &target, V3_8, &credentials()).await.target.unwrap_err();
    assert_eq!(error.kind(), TargetFailure::Unusable);
    assert!(error.to_string().starts_with("`front desk` is neither"), "{error}");
}
