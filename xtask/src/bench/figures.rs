//! What was measured: one value per peer and round, and what is made of it.

use std::collections::BTreeMap;

use super::peer::{Line, Peer};

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
}

/// A named figure of every peer.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The scenario's name, as `--only` takes it.
    pub(crate) scenario: &'static str,
    /// What is measured, in words.
    pub(crate) name: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Which way is good.
    pub(crate) better: Better,
    /// How long the line was.
    pub(crate) line: Line,
    /// The values of each round.
    pub(crate) values: BTreeMap<Peer, Vec<f64>>,
}

/// Median, least and greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) most: f64,
}

impl Figure {
    /// What finds it.
    pub(crate) fn place(&self) -> (&'static str, String, Line) {
        (self.scenario, self.name.clone(), self.line)
    }

    /// The spread over the rounds of `peer`.
    pub(crate) fn of(&self, peer: Peer) -> Option<Spread> {
        spread(self.values.get(&peer)?)
    }

    /// The median of `peer`'s ratios to `reference` in the same rounds.
    pub(crate) fn ratio(&self, peer: Peer, reference: Peer) -> Option<Spread> {
        let pairs = self.values.get(&peer)?.iter().zip(self.values.get(&reference)?);
        let ratios: Vec<f64> =
            pairs.filter(|(_, base)| **base > 0.0).map(|(value, base)| value / base).collect();
        spread(&ratios)
    }
}

/// The figures of one run, in the order in which they were first entered.
#[derive(Default)]
pub(crate) struct Figures {
    all: Vec<Figure>,
}

impl Figures {
    /// Enters the value of one round.
    pub(crate) fn enter(&mut self, key: Key, peer: Peer, value: f64) {
        let found = self.all.iter().position(|figure| {
            figure.scenario == key.scenario && figure.name == key.name && figure.line == key.line
        });
        let index = found.unwrap_or_else(|| {
            self.all.push(Figure {
                scenario: key.scenario,
                name: key.name.clone(),
                unit: key.unit,
                better: key.better,
                line: key.line,
                values: BTreeMap::new(),
            });
            self.all.len() - 1
        });
        if let Some(figure) = self.all.get_mut(index) {
            figure.values.entry(peer).or_default().push(value);
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.all.iter()
    }

    /// One of them.
    pub(crate) fn find(&self, scenario: &str, name: &str, line: Line) -> Option<&Figure> {
        self.all
            .iter()
            .find(|figure| figure.scenario == scenario && figure.name == name && figure.line == line)
    }
}

/// What names a figure.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    scenario: &'static str,
    name: String,
    unit: &'static str,
    better: Better,
    line: Line,
}

impl Key {
    /// A figure of `scenario` of which less is better.
    pub(crate) fn less(
        scenario: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        line: Line,
    ) -> Self {
        Self { scenario, name: name.into(), unit, better: Better::Less, line }
    }

    /// A figure of `scenario` of which more is better.
    pub(crate) fn more(
        scenario: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        line: Line,
    ) -> Self {
        Self { scenario, name: name.into(), unit, better: Better::More, line }
    }
}

/// The spread of `values`; none of no values.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    Some(Spread {
        median: quantile(values, 0.5)?,
        least: values.iter().copied().reduce(f64::min)?,
        most: values.iter().copied().reduce(f64::max)?,
    })
}

/// The value below which the share `q` of `values` lies (nearest rank).
pub(crate) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if q == 0.5 && sorted.len().is_multiple_of(2) {
        let upper = sorted.len() / 2;
        return Some((sorted.get(upper)? + sorted.get(upper.checked_sub(1)?)?) / 2.0);
    }
    let rank = (sorted.len() as f64 * q).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.99), Some(99.0));
        assert_eq!(quantile(&values, 0.5), Some(50.5));
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn ratios_pair_the_rounds() {
        let mut figures = Figures::default();
        let key = Key::more("raw", "updates", "1/s", Line::Short);
        for (peer, values) in [(Peer::Direct, [10.0, 20.0, 40.0]), (Peer::Haproxy, [5.0, 20.0, 10.0])] {
            for value in values {
                figures.enter(key.clone(), peer, value);
            }
        }
        let figure = figures.find("raw", "updates", Line::Short).unwrap();
        assert_eq!(
            figure.ratio(Peer::Haproxy, Peer::Direct),
            Some(Spread { median: 0.5, least: 0.25, most: 1.0 })
        );
    }
}
