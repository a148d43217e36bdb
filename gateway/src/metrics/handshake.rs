//! How long a connection takes from its first byte to its first picture.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::ambient::Stopwatch;

/// Lengths of phases, in seconds: from what nobody notices to what nobody waits for.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];

/// A part of a connection's beginning; each begins where the one before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A load balancer says where the connection comes from.
    ProxyHeader,
    /// The viewer and the gateway agree on security, and the viewer presents a secret.
    Negotiation,
    /// The gateway looks at the secret.
    Login,
    /// Rules, lease, recording, audit log.
    Admission,
    /// The gateway connects and logs in to the target.
    Target,
    /// The viewer is let in.
    Viewer,
    /// The target shows something; known in VNC only.
    FirstPicture,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::ProxyHeader => "proxy_header",
            Self::Negotiation => "negotiation",
            Self::Login => "login",
            Self::Admission => "admission",
            Self::Target => "target",
            Self::Viewer => "viewer",
            Self::FirstPicture => "first_picture",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Phase {
    protocol: &'static str,
    phase: &'static str,
}

/// The lengths of all phases.
pub(super) type Phases = Family<Phase, Histogram, fn() -> Histogram>;

pub(super) fn phases() -> Phases {
    Family::new_with_constructor(|| Histogram::new(BOUNDS))
}

/// Times one connection.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    phases: Phases,
    protocol: &'static str,
    since: Stopwatch,
}

impl Handshake {
    /// The connection begins now.
    pub(super) fn new(phases: Phases, protocol: &'static str) -> Self {
        Self { phases, protocol, since: Stopwatch::start() }
    }

    /// Whether it can be told when there is something to see.
    pub(crate) fn knows_pictures(&self) -> bool {
        self.protocol == "vnc"
    }

    /// This part has ended, and the next one begins.
    pub(crate) fn done(&mut self, step: Step) {
        let phase = Phase { protocol: self.protocol, phase: step.name() };
        self.phases.get_or_create(&phase).observe(self.since.lap().as_secs_f64());
    }
}
