//! What the figures should be, and whether they are.

use super::figures::{Figures, Spread};
use super::peer::{Line, Peer};

/// A demand on one figure of one peer.
pub(crate) struct Target {
    scenario: &'static str,
    figure: String,
    peer: Peer,
    /// The peer to whose value the ratio is taken; without it the value itself counts.
    reference: Option<Peer>,
    demand: Demand,
}

/// What a value or ratio has to be.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// A target beside what was measured.
pub(crate) struct Verdict {
    /// The scenario, the figure's name and the line, which find the figure.
    pub(crate) of: (&'static str, String, Line),
    /// Whose figure.
    pub(crate) peer: Peer,
    /// To whose value the ratio is taken, if it is one.
    pub(crate) reference: Option<Peer>,
    /// Which figure, of which peer, against what, over which line.
    pub(crate) what: String,
    /// The demand in words.
    pub(crate) demand: String,
    /// The value or ratio.
    pub(crate) measured: Spread,
    /// Whether the median meets the demand.
    pub(crate) met: bool,
}

/// A demand on the ratio of `peer` to `reference`.
pub(crate) fn ratio(
    scenario: &'static str,
    figure: impl Into<String>,
    peer: Peer,
    reference: Peer,
    demand: Demand,
) -> Target {
    Target { scenario, figure: figure.into(), peer, reference: Some(reference), demand }
}

/// A demand on the value of `peer`.
pub(crate) fn value(scenario: &'static str, figure: impl Into<String>, peer: Peer, demand: Demand) -> Target {
    Target { scenario, figure: figure.into(), peer, reference: None, demand }
}

use Demand::{AtLeast, AtMost};

/// The verdict on every target whose figure was measured.
pub(crate) fn verdicts(figures: &Figures, targets: &[Target]) -> Vec<Verdict> {
    let lines = [Line::Short, Line::Long];
    let all = lines.iter().flat_map(|line| targets.iter().map(move |target| (target, *line)));
    all.filter_map(|(target, line)| verdict(figures, target, line)).collect()
}

fn verdict(figures: &Figures, target: &Target, line: Line) -> Option<Verdict> {
    let figure = figures.find(target.scenario, &target.figure, line)?;
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
    Some(Verdict {
        of: (target.scenario, target.figure.clone(), line),
        peer: target.peer,
        reference: target.reference,
        what: format!("{}{to}: {}{over}", target.figure, target.peer),
        demand,
        measured,
        met,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Key;
    use Peer::{Haproxy, Plain, Recorded};

    #[test]
    fn a_ratio_is_met_or_short() {
        let mut figures = Figures::default();
        for (peer, value) in [(Haproxy, 100.0), (Plain, 95.0), (Recorded, 40.0)] {
            figures.enter(Key::more("raw", "Raw, Xvnc", "updates/s", Line::Short), peer, value);
        }
        let targets = [
            ratio("raw", "Raw, Xvnc", Plain, Haproxy, AtLeast(0.9)),
            ratio("raw", "Raw, Xvnc", Recorded, Haproxy, AtLeast(0.5)),
        ];
        let met: Vec<bool> = verdicts(&figures, &targets).iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, [true, false]);
    }
}
