//! What the figures of VNC should be.

use crate::bench::peer::Peer::{Direct, Haproxy, Plain, Recorded};
use crate::bench::targets::Demand::{AtLeast, AtMost};
use crate::bench::targets::{Target, ratio, value};

/// CPU seconds a minute that count as none: three ticks of the kernel's CPU clock while it is watched.
const NOTHING: f64 = 0.2;

/// The demands. Two measurements of the same bytes differ by a frame or two at their ends, for which a
/// "no more than direct" has two percent of room.
pub(crate) fn targets() -> Vec<Target> {
    vec![
        ratio("raw", "Raw, Xvnc", Plain, Haproxy, AtLeast(0.9)),
        ratio("raw", "Raw, source", Plain, Haproxy, AtLeast(0.9)),
        ratio("raw", "Raw, Xvnc", Recorded, Haproxy, AtLeast(0.5)),
        ratio("raw", "Raw, source", Recorded, Haproxy, AtLeast(0.5)),
        ratio("paced", "ZRLE at 25/s, Xvnc", Plain, Direct, AtLeast(0.95)),
        ratio("paced", "ZRLE at 25/s, Xvnc", Recorded, Direct, AtLeast(0.95)),
        ratio("paced", "Tight at 25/s, Xvnc", Plain, Direct, AtLeast(0.95)),
        ratio("paced", "Tight at 25/s, Xvnc", Recorded, Direct, AtLeast(0.95)),
        ratio("paced", "ZRLE at 25/s, source", Plain, Direct, AtLeast(0.95)),
        ratio("paced", "ZRLE at 25/s, source", Recorded, Direct, AtLeast(0.95)),
        ratio("paced", "Tight at 25/s, source", Plain, Direct, AtLeast(0.95)),
        ratio("paced", "Tight at 25/s, source", Recorded, Direct, AtLeast(0.95)),
        ratio("round-trip", "1x1 round trip, p50", Plain, Haproxy, AtMost(1.2)),
        ratio("round-trip", "1x1 round trip, p50", Recorded, Haproxy, AtMost(1.2)),
        ratio("round-trip", "1x1 round trip, p99", Recorded, Haproxy, AtMost(2.0)),
        ratio("picture", "first picture", Plain, Direct, AtMost(1.15)),
        ratio("picture", "first picture", Recorded, Direct, AtMost(1.15)),
        value("motion", "motion, Tight: CPU of the proxy", Recorded, AtMost(1.0)),
        value("motion", "motion, ZRLE: CPU of the proxy", Recorded, AtMost(1.0)),
        value("motion", "motion, Tight: memory", Recorded, AtMost(1024.0)),
        value("motion", "motion, ZRLE: memory", Recorded, AtMost(1024.0)),
        ratio("motion", "motion, Tight: bytes an update", Recorded, Direct, AtMost(1.02)),
        ratio("motion", "motion, ZRLE: bytes an update", Recorded, Direct, AtMost(1.02)),
        value("memory", "memory of an idle session", Plain, AtMost(200.0)),
        value("memory", "memory of an idle session", Recorded, AtMost(200.0)),
        value("memory", "CPU of 100 idle sessions", Plain, AtMost(NOTHING)),
        value("memory", "CPU of 100 idle sessions", Recorded, AtMost(NOTHING)),
    ]
}
