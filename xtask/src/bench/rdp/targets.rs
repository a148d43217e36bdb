//! What the figures of RDP should be.

use super::scenarios::LESS_HANDSHAKE;
use crate::bench::peer::Peer::{Direct, Plain, Recorded};
use crate::bench::targets::Demand::AtMost;
use crate::bench::targets::{Target, ratio, value};

/// The demands. Two measurements of the same screen differ by a frame or two at their ends, and the server
/// cuts a frame as it finds time to, for which "as many bytes as direct" has a tenth of room.
pub(crate) const TARGETS: &[Target] = &[
    ratio("picture", LESS_HANDSHAKE, Plain, Direct, AtMost(1.15)),
    ratio("picture", LESS_HANDSHAKE, Recorded, Direct, AtMost(1.15)),
    value("motion", "motion, default flags: CPU of the proxy", Plain, AtMost(1.5)),
    value("motion", "motion, /gfx: CPU of the proxy", Plain, AtMost(1.5)),
    value("motion", "motion, default flags: CPU of the proxy", Recorded, AtMost(1.5)),
    value("motion", "motion, /gfx: CPU of the proxy", Recorded, AtMost(1.5)),
    ratio("motion", "motion, default flags: bytes a picture", Plain, Direct, AtMost(1.1)),
    ratio("motion", "motion, /gfx: bytes a picture", Plain, Direct, AtMost(1.1)),
    ratio("motion", "motion, default flags: bytes a picture", Recorded, Direct, AtMost(1.1)),
    ratio("motion", "motion, /gfx: bytes a picture", Recorded, Direct, AtMost(1.1)),
    value("motion", "motion, default flags: memory", Recorded, AtMost(1024.0)),
    value("motion", "motion, /gfx: memory", Recorded, AtMost(1024.0)),
    value("memory", "memory of an idle session", Plain, AtMost(1024.0)),
    value("memory", "memory of an idle session", Recorded, AtMost(1024.0)),
];
