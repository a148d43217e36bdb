//! Why a relay gives up a session.

use passerelle_desktop::{RelayError, Side};
use passerelle_rfb::{ClientViolation, ServerViolation};

/// How a peer broke the protocol so that a relay cannot follow it any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayViolation {
    /// The target sent what cannot be framed.
    #[error(transparent)]
    Server(#[from] ServerViolation),
    /// The viewer sent what cannot be framed.
    #[error(transparent)]
    Client(#[from] ClientViolation),
    /// The target answered a fence without keeping the next message in step with the answer, so that the
    /// point where its pixel format changed is unknown.
    #[error("the target answered a fence around a change of pixel format without synchronizing it")]
    UnsynchronizedFence,
    /// The viewer changed the pixel format while updates kept coming, with a target that has no fences.
    #[error("the viewer changed the pixel format during continuous updates, and the target has no fences")]
    PixelFormatDuringContinuousUpdates,
}

impl RelayViolation {
    pub(super) fn by(self, side: Side) -> RelayError {
        RelayError { side, error: Box::new(self) }
    }
}
