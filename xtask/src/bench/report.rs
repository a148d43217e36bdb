//! The result as Markdown and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::bound::Cost;
use super::figures::{Better, Figure, Figures, Spread};
use super::peer::{Line, Peer};
use super::targets::Verdict;

/// What a run found out.
pub(crate) struct Report<'a> {
    /// Facts about the machine.
    pub(crate) machine: Value,
    /// The figures.
    pub(crate) figures: &'a Figures,
    /// The verdicts on its targets.
    pub(crate) verdicts: Vec<Verdict>,
    /// What recording's steps cost by themselves.
    pub(crate) costs: Vec<Cost>,
    /// Shares of the recording gateway's CPU time under load, if it could be profiled.
    pub(crate) shares: Vec<(&'static str, f64)>,
}

const COLUMNS: [Peer; 6] =
    [Peer::Direct, Peer::Haproxy, Peer::Websockify, Peer::Plain, Peer::Recorded, Peer::RecordedInMemory];

impl Report<'_> {
    /// Tables for people.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        writeln!(text, "{}\n", machine(&self.machine)).ok();
        for (line, title) in [
            (Line::Short, "Over loopback"),
            (Line::Long, "With 40 ms of round-trip time between viewer and proxy"),
        ] {
            let figures: Vec<&Figure> = self.figures.iter().filter(|figure| figure.line == line).collect();
            if figures.is_empty() {
                continue;
            }
            let columns: Vec<Peer> = COLUMNS
                .into_iter()
                .filter(|peer| figures.iter().any(|f| f.values.contains_key(peer)))
                .collect();
            writeln!(text, "{title}; median (least to most of the rounds):\n").ok();
            write!(text, "| figure | better |").ok();
            for peer in &columns {
                write!(text, " {peer} |").ok();
            }
            writeln!(text, "\n|---|---|{}", "---|".repeat(columns.len())).ok();
            for figure in figures {
                let better = if figure.better == Better::More { "more" } else { "less" };
                write!(text, "| {}, {} | {better} |", figure.name, figure.unit).ok();
                for peer in &columns {
                    write!(text, " {} |", figure.of(*peer).map_or_else(String::new, cell)).ok();
                }
                text.push('\n');
            }
            text.push('\n');
            text.push_str(&ratios(self.figures, line));
        }
        text.push_str(&self.recording());
        text.push_str(&targets(&self.verdicts));
        text
    }

    /// One table: the medians, their ratios to the direct way, and what they should be.
    pub(crate) fn summary(&self) -> String {
        let peers: Vec<Peer> = COLUMNS
            .into_iter()
            .filter(|peer| self.figures.iter().any(|figure| figure.values.contains_key(peer)))
            .collect();
        let mut text = machine(&self.machine);
        text.push_str(
            "\n\nMedians, in brackets the median of the ratios to direct within a round. Bold falls short of \
             its aim.\n\n| |",
        );
        // Writing to a String cannot fail.
        for peer in &peers {
            write!(text, " {peer} |").ok();
        }
        writeln!(text, " aim |\n|---|{}---|", "---|".repeat(peers.len())).ok();
        for figure in self.figures.iter() {
            write!(text, "| {}, {} |", figure.name, figure.unit).ok();
            let verdicts: Vec<&Verdict> =
                self.verdicts.iter().filter(|verdict| verdict.of == figure.place()).collect();
            for &peer in &peers {
                let short = verdicts.iter().any(|verdict| verdict.peer == peer && !verdict.met);
                let mark = if short { "**" } else { "" };
                let cell = figure.of(peer).map_or_else(
                    || "–".to_owned(),
                    |spread| match figure.ratio(peer, Peer::Direct).filter(|_| peer != Peer::Direct) {
                        Some(ratio) => format!("{} ({:.2})", number(spread.median), ratio.median),
                        None => number(spread.median),
                    },
                );
                write!(text, " {mark}{cell}{mark} |").ok();
            }
            let aim = verdicts.first().map_or_else(
                || "–".to_owned(),
                |verdict| match verdict.reference {
                    Some(reference) => format!("{} of {reference}", verdict.demand),
                    None => verdict.demand.clone(),
                },
            );
            writeln!(text, " {aim} |").ok();
        }
        text
    }

    /// What bounds recording.
    fn recording(&self) -> String {
        let mut text = String::new();
        if !self.costs.is_empty() {
            text.push_str(
                "Recording's steps by themselves, in one thread:\n\n| step | s/GB | GB/s |\n|---|---|---|\n",
            );
            for Cost { step, seconds } in &self.costs {
                writeln!(text, "| {step} | {} | {} |", cell(*seconds), number(1.0 / seconds.median)).ok();
            }
            text.push('\n');
        }
        if !self.shares.is_empty() {
            text.push_str("The recording gateway's CPU time while it relays and records Raw:\n\n| part | share |\n|---|---|\n");
            for (part, share) in &self.shares {
                writeln!(text, "| {part} | {:.0} % |", share * 100.0).ok();
            }
            text.push('\n');
        }
        text
    }

    /// Everything, each round included, for machines.
    pub(crate) fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                let peers: serde_json::Map<String, Value> = figure
                    .values
                    .iter()
                    .map(|(peer, rounds)| {
                        let ratio = |reference| figure.ratio(*peer, reference).map(|ratio| ratio.median);
                        let entry = json!({
                            "rounds": rounds,
                            "median": figure.of(*peer).map(|spread| spread.median),
                            "to_direct": ratio(Peer::Direct),
                            "to_haproxy": ratio(Peer::Haproxy),
                        });
                        (peer.to_string(), entry)
                    })
                    .collect();
                json!({
                    "scenario": figure.scenario,
                    "figure": figure.name,
                    "unit": figure.unit,
                    "better": if figure.better == Better::More { "more" } else { "less" },
                    "round_trip_ms": if figure.line == Line::Short { 0 } else { 40 },
                    "peers": peers,
                })
            })
            .collect();
        let targets: Vec<Value> = self
            .verdicts
            .iter()
            .map(|verdict| {
                json!({
                    "target": verdict.what,
                    "demand": verdict.demand,
                    "median": verdict.measured.median,
                    "least": verdict.measured.least,
                    "most": verdict.measured.most,
                    "met": verdict.met,
                })
            })
            .collect();
        let costs: Vec<Value> = self
            .costs
            .iter()
            .map(|cost| json!({ "step": cost.step, "seconds_per_gb": cost.seconds.median }))
            .collect();
        let shares: Vec<Value> =
            self.shares.iter().map(|(part, share)| json!({ "part": part, "share": share })).collect();
        json!({
            "machine": self.machine,
            "figures": figures,
            "targets": targets,
            "recording": { "steps": costs, "cpu_shares": shares },
        })
    }
}

/// What figures depend on, of the facts about a machine.
pub(crate) fn machine(facts: &Value) -> String {
    let fact = |name: &str| match facts.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
        None => "unknown".to_owned(),
    };
    format!(
        "Machine: {} cores, {} ({}), {} GiB, Linux {}, load {} before the run. {}.",
        fact("cores"),
        fact("cpu"),
        fact("cpu_features"),
        fact("memory_gib"),
        fact("kernel"),
        fact("load_before"),
        fact("programs")
    )
}

/// The ratios to direct and to HAProxy, taken round by round.
fn ratios(figures: &Figures, line: Line) -> String {
    let columns: Vec<(Peer, Peer)> = [
        (Peer::Haproxy, Peer::Direct),
        (Peer::Websockify, Peer::Direct),
        (Peer::Plain, Peer::Direct),
        (Peer::Recorded, Peer::Direct),
        (Peer::Websockify, Peer::Haproxy),
        (Peer::Plain, Peer::Haproxy),
        (Peer::Recorded, Peer::Haproxy),
        (Peer::RecordedInMemory, Peer::Haproxy),
    ]
    .into_iter()
    .filter(|(peer, reference)| {
        figures.iter().any(|f| f.line == line && f.ratio(*peer, *reference).is_some())
    })
    .collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut text = "Ratios, taken within a round; median (least to most):\n\n| figure |".to_owned();
    for (peer, reference) in &columns {
        write!(text, " {peer} to {reference} |").ok();
    }
    writeln!(text, "\n|---|{}", "---|".repeat(columns.len())).ok();
    for figure in figures.iter().filter(|figure| figure.line == line) {
        let ratios: Vec<Option<Spread>> =
            columns.iter().map(|(peer, reference)| figure.ratio(*peer, *reference)).collect();
        if ratios.iter().all(Option::is_none) {
            continue;
        }
        write!(text, "| {} |", figure.name).ok();
        for ratio in ratios {
            write!(text, " {} |", ratio.map_or_else(String::new, cell)).ok();
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

fn targets(verdicts: &[Verdict]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = "| target | demand | measured | |\n|---|---|---|---|\n".to_owned();
    for verdict in verdicts {
        let met = if verdict.met { "met" } else { "short" };
        writeln!(text, "| {} | {} | {} | {met} |", verdict.what, verdict.demand, cell(verdict.measured)).ok();
    }
    text
}

fn cell(spread: Spread) -> String {
    if spread.least == spread.most {
        return number(spread.median);
    }
    format!("{} ({} to {})", number(spread.median), number(spread.least), number(spread.most))
}

/// Three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Key;

    #[test]
    fn figures_become_rows() {
        let mut figures = Figures::default();
        let key = Key::more("raw", "Raw, Xvnc", "updates/s", Line::Short);
        for (peer, values) in [(Peer::Direct, [200.0, 100.0]), (Peer::Haproxy, [150.0, 50.0])] {
            for value in values {
                figures.enter(key.clone(), peer, value);
            }
        }
        let report = Report {
            machine: json!({ "cores": 2 }),
            figures: &figures,
            verdicts: Vec::new(),
            costs: Vec::new(),
            shares: Vec::new(),
        };
        let text = report.markdown();
        assert!(
            text.contains("| Raw, Xvnc, updates/s | more | 150 (100 to 200) | 100 (50.0 to 150) |"),
            "{text}"
        );
        assert!(text.contains("| Raw, Xvnc | 0.625 (0.500 to 0.750) |"), "{text}");
        assert_eq!(report.json()["figures"][0]["peers"]["HAProxy"]["to_direct"], 0.625);
    }
}
