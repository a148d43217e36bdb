//! What the figures should be, and whether they are.

use super::figures::{Figures, Spread};
use super::peers::{Line, Peer};

/// A demand on one figure of one peer.
pub(crate) struct Target {
    scenario: &'static str,
    figure: &'static str,
    peer: Peer,
    /// The peer to whose value the ratio is taken; without it the value itself counts.
    reference: Option<Peer>,
    demand: Demand,
}

#[derive(Clone, Copy)]
enum Demand {
    AtLeast(f64),
    AtMost(f64),
}

/// A target beside what was measured.
pub(crate) struct Verdict {
    /// Which figure, of which peer, against what, over which line.
    pub(crate) what: String,
    /// The demand in words.
    pub(crate) demand: String,
    /// The value or ratio.
    pub(crate) measured: Spread,
    /// Whether the median meets the demand.
    pub(crate) met: bool,
}

const fn ratio(
    scenario: &'static str,
    figure: &'static str,
    peer: Peer,
    reference: Peer,
    demand: Demand,
) -> Target {
    Target { scenario, figure, peer, reference: Some(reference), demand }
}

const fn value(scenario: &'static str, figure: &'static str, peer: Peer, demand: Demand) -> Target {
    Target { scenario, figure, peer, reference: None, demand }
}

use Demand::{AtLeast, AtMost};
use Peer::{Direct, Haproxy, Plain, Recorded};

/// CPU seconds a minute that count as none: three ticks of the kernel's CPU clock while it is watched.
const NOTHING: f64 = 0.2;

/// The demands. Two measurements of the same bytes differ by a frame or two at their ends, for which a
/// "no more than direct" has two percent of room.
const TARGETS: &[Target] = &[
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
];

/// The verdict on every target whose figure was measured.
pub(crate) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    let lines = [Line::Short, Line::Long];
    let all = lines.iter().flat_map(|line| TARGETS.iter().map(move |target| (target, *line)));
    all.filter_map(|(target, line)| verdict(figures, target, line)).collect()
}

fn verdict(figures: &Figures, target: &Target, line: Line) -> Option<Verdict> {
    let figure = figures.find(target.scenario, target.figure, line)?;
    let (measured, to) = match target.reference {
        Some(reference) => (figure.ratio(target.peer, reference)?, format!(" to {reference}")),
        None => (figure.of(target.peer)?, format!(" ({})", figure.unit)),
    };
    let (met, demand) = match target.demand {
        AtLeast(least) => (measured.median >= least, format!("at least {least}")),
        AtMost(most) => (measured.median <= most, format!("at most {most}")),
    };
    let over = match line {
        Line::Short => "",
        Line::Long => ", over 40 ms",
    };
    Some(Verdict { what: format!("{}{to}: {}{over}", target.figure, target.peer), demand, measured, met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::vnc::figures::Key;

    #[test]
    fn a_ratio_is_met_or_short() {
        let mut figures = Figures::default();
        for (peer, value) in [(Haproxy, 100.0), (Plain, 95.0), (Recorded, 40.0)] {
            figures.enter(Key::more("raw", "Raw, Xvnc", "updates/s", Line::Short), peer, value);
        }
        let met: Vec<bool> = verdicts(&figures).iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, [true, false]);
    }
}
