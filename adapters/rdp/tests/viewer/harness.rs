//! What the tests share: a certificate and settings.

use passerelle_rdp::viewer::{self, Nla, Pending, Proven, ViewerError, ViewerSecurity, ViewerSettings};
use passerelle_rdp_peers::{Certified, now};
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// A ticket as it is issued.
pub(crate) const TICKET: &str = "ABCDEFGH01234567";

pub(crate) const BOTH: &[ViewerSecurity] = &[ViewerSecurity::Nla, ViewerSecurity::Tls];

/// Bytes that differ enough for a test.
pub(crate) fn random(bytes: &mut [u8]) {
    for (byte, value) in bytes.iter_mut().zip((5..=250).cycle()) {
        *byte = value;
    }
}

pub(crate) fn settings(security: &[ViewerSecurity]) -> ViewerSettings {
    let Certified { config, public_key, .. } = Certified::new("gateway.example");
    ViewerSettings { security: security.to_vec(), tls: config, public_key, node: ViewerSettings::NODE.into() }
}

pub(crate) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    settings: &ViewerSettings,
) -> Result<Pending<S>, ViewerError> {
    viewer::negotiate(stream, settings, now(), &mut random).await
}

/// Judges the proof: gives which of `candidates` it is and the viewer that was let go on, or nothing when it was
/// told that its secret is wrong.
pub(crate) async fn prove<S: AsyncRead + AsyncWrite + Unpin + Send>(
    nla: Nla<S>,
    candidates: &[&str],
) -> Result<Option<(usize, Proven<S>)>, ViewerError> {
    let candidates: Vec<_> = candidates.iter().map(|secret| Zeroizing::new((*secret).to_owned())).collect();
    match nla.matching(&candidates) {
        Some(matched) => {
            let index = matched.index();
            Ok(Some((index, nla.accept(matched).await?)))
        }
        None => nla.refuse().await.map(|()| None),
    }
}
