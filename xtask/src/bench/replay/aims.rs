//! What is demanded of recordings and views, beside what was measured.

use serde_json::{Value, json};

use super::long::SHARE;
use super::render::View;
use super::session::{Protocol, Workload};
use super::table::{Case, HOUR, Long, MB, Table};
use crate::bench::report::number;

/// A demand beside what was measured.
struct Aim {
    what: String,
    demand: f64,
    /// Whether the demand is the most or the least that the value may be.
    most: bool,
    measured: f64,
}

impl Aim {
    fn most(what: impl Into<String>, demand: f64, measured: f64) -> Self {
        Self { what: what.into(), demand, most: true, measured }
    }

    fn least(what: impl Into<String>, demand: f64, measured: f64) -> Self {
        Self { what: what.into(), demand, most: false, measured }
    }

    fn met(&self) -> bool {
        if self.most { self.measured <= self.demand } else { self.measured >= self.demand }
    }

    fn markdown(&self) -> String {
        let bound = if self.most { "at most" } else { "at least" };
        let met = if self.met() { "met" } else { "short" };
        format!("| {} | {bound} {} | {} | {met} |\n", self.what, self.demand, number(self.measured))
    }

    fn json(&self) -> Value {
        let bound = if self.most { "most" } else { "least" };
        json!({ "aim": self.what, bound: self.demand, "measured": self.measured, "met": self.met() })
    }
}

/// What the view of a second of office work comes to.
#[derive(Clone, Copy)]
struct Office {
    bytes: f64,
    /// CPU seconds of rendering it.
    cpu: f64,
    /// Seconds that are not exact.
    lossy: f64,
}

impl Office {
    fn of(view: &View) -> Self {
        let a_second = |value: f64| value / view.duration;
        Self { bytes: a_second(view.bytes as f64), cpu: a_second(view.cpu), lossy: a_second(view.lossy) }
    }

    /// Of views of the work without its pauses, in which nothing is drawn. Each has as much of the time.
    fn with_pauses(views: &[&View]) -> Self {
        let each = 1.0 / (views.len().max(1) as f64 * SHARE as f64);
        let sum = |value: fn(Self) -> f64| views.iter().map(|view| value(Self::of(view)) * each).sum();
        Self { bytes: sum(|one| one.bytes), cpu: sum(|one| one.cpu), lossy: sum(|one| one.lossy) }
    }
}

impl Table {
    /// The aims for people, and what their office work is.
    pub(super) fn aims_markdown(&self) -> String {
        let rows: String = self.aims().iter().map(Aim::markdown).collect();
        let mut text = format!("\n| aim | demand | measured | |\n|---|---|---|---|\n{rows}");
        if let Some(definition) = self.definition() {
            text += &format!("\n{definition}\n");
        }
        text
    }

    /// The aims for machines.
    pub(super) fn aims_json(&self) -> Value {
        self.aims().iter().map(Aim::json).collect()
    }

    fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for protocol in [Protocol::Vnc, Protocol::Rdp] {
            let all = || self.cases.iter().filter(|case| case.protocol == protocol);
            let (log, wire) =
                all().fold((0, 0), |(log, wire), case| (log + case.session.log, wire + case.session.wire));
            if wire > 0 {
                let most = if protocol == Protocol::Vnc { 1.02 } else { 0.5 };
                aims.push(Aim::most(
                    format!("{protocol}: recording to wire, all together"),
                    most,
                    log as f64 / wire as f64,
                ));
            }
            for case in all().filter(|case| case.workload == Workload::Video) {
                if let Some(moving) = case.view.moving {
                    let what = format!("{protocol}: view of the moving region, MB/min");
                    aims.push(Aim::most(what, 15.0, moving * 60.0 / MB));
                }
            }
            if let Some((of, office)) = self.office(protocol) {
                let what = format!("{of}: view of an hour of office work, MB");
                aims.push(Aim::most(what, 100.0, office.bytes * HOUR / MB));
                let what = format!("{of}: seconds of an hour of office work that are not exact");
                aims.push(Aim::most(what, 0.0, office.lossy * HOUR));
                let what = format!("{of}: rendering office work, times real time on one core");
                aims.push(Aim::least(what, 60.0, 1.0 / office.cpu.max(1e-6)));
            }
        }
        if let Some(Long { seeks, player, .. }) = &self.long {
            for (what, measured) in [
                ("first picture over the API", seeks.first),
                ("worst seek over the API", seeks.others.most),
                ("first picture in Chromium", player.first),
                ("median seek in Chromium", player.seeks.median),
                ("worst seek in Chromium", player.seeks.most),
            ] {
                aims.push(Aim::most(format!("{what}, ms"), 300.0, measured));
            }
        }
        aims
    }

    /// What office work comes to, and of what that is, unless a part of the work was not measured.
    fn office(&self, protocol: Protocol) -> Option<(String, Office)> {
        if protocol == Protocol::Vnc
            && let Some(long) = &self.long
        {
            return Some((format!("{protocol} in Hextile"), Office::of(&long.view)));
        }
        let views: Vec<&View> = Workload::OFFICE
            .iter()
            .filter_map(|workload| {
                let found = |case: &&Case| case.protocol == protocol && case.workload == *workload;
                self.cases.iter().find(found).map(|case| &case.view)
            })
            .collect();
        (views.len() == Workload::OFFICE.len()).then(|| (protocol.to_string(), Office::with_pauses(&views)))
    }

    /// What is called office work here.
    pub(super) fn definition(&self) -> Option<String> {
        let computed = self.cases.iter().any(|case| {
            let long = case.protocol == Protocol::Vnc && self.long.is_some();
            !long && self.office(case.protocol).is_some()
        });
        if !computed && self.long.is_none() {
            return None;
        }
        let work = 60 / SHARE;
        let mut text = format!(
            "An hour of office work is {work} minutes of typing, scrolling and browsing in equal parts, and {} minutes in \
             which nothing happens.",
            60 - work
        );
        if computed {
            text += " It is computed from the first table, in which nothing pauses.";
        }
        if self.long.is_some() {
            text += " For VNC it is the long recording, whose encoding, Hextile, is lossless. TigerVNC's default one, Tight, \
                     has JPEG in it, whose noise cannot be compressed: that is in the first table only.";
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::player::Player;
    use super::super::seek::Seeks;
    use super::super::table::tests::{case, view};
    use super::*;
    use crate::bench::figures::Spread;

    fn table(cases: Vec<Case>, long: Option<Long>) -> Table {
        Table { machine: json!({ "cores": 2 }), rdp: "xrdp", cases, long }
    }

    fn long(view: View) -> Long {
        let spread = Spread { median: 100.0, least: 10.0, most: 400.0 };
        let player = Player { first: 200.0, seeks: spread, played: Vec::new() };
        Long { hours: 8, view, seeks: Seeks { first: 20.0, others: spread }, player }
    }

    #[test]
    fn office_work_has_pauses() {
        // The parts count alike, however long they are: 10, 100 and 400 kB a second.
        let parts = [view(10.0, 100_000, 0.1), view(20.0, 2_000_000, 2.0), view(10.0, 4_000_000, 4.0)];
        let cases = |protocol| -> Vec<Case> {
            Workload::OFFICE
                .iter()
                .zip(&parts)
                .map(|(work, view)| case(protocol, *work, view.clone()))
                .collect()
        };
        let mut lossy = cases(Protocol::Rdp);
        lossy[2].view.lossy = 1.0;
        let text = table(lossy, None).aims_markdown();
        for row in [
            // 510 kB / 3 / 4 * 3600
            "| RDP: view of an hour of office work, MB | at most 100 | 153 | short |",
            "| RDP: seconds of an hour of office work that are not exact | at most 0 | 30.0 | short |",
            // (0.01 + 0.1 + 0.4) / 3 / 4 = 0.0425
            "| RDP: rendering office work, times real time on one core | at least 60 | 23.5 | short |",
            "15 minutes of typing, scrolling and browsing in equal parts, and 45 minutes in which nothing",
            "computed from the first table",
        ] {
            assert!(text.contains(row), "{text}");
        }
        assert!(!text.contains("Hextile"), "{text}");

        // VNC's is the long recording, which has its pauses already.
        let hour = view(7200.0, 100_000_000, 60.0);
        let text = table(cases(Protocol::Vnc), Some(long(hour))).aims_markdown();
        for row in [
            "| VNC in Hextile: view of an hour of office work, MB | at most 100 | 50.0 | met |",
            "| VNC in Hextile: rendering office work, times real time on one core | at least 60 | 120 | met |",
            "| worst seek over the API, ms | at most 300 | 400 | short |",
            "TigerVNC's default one, Tight,",
        ] {
            assert!(text.contains(row), "{text}");
        }
        assert!(!text.contains("| VNC: view of an hour") && !text.contains("computed"), "{text}");
        let text = table(cases(Protocol::Vnc), None).aims_markdown();
        assert!(
            text.contains("| VNC: view of an hour of office work, MB | at most 100 | 153 | short |"),
            "{text}"
        );
    }

    #[test]
    fn a_part_of_the_work_is_not_an_hour_of_it() {
        let one = case(Protocol::Rdp, Workload::Typing, view(10.0, 1, 0.1));
        let text = table(vec![one], None).aims_markdown();
        assert!(text.contains("recording to wire") && !text.contains("office"), "{text}");
    }

    #[test]
    fn the_moving_region_is_judged_by_what_it_costs_in_motion() {
        let mut video = case(Protocol::Rdp, Workload::Video, view(60.0, 1, 0.1));
        video.view.moving = Some(200_000.0);
        let text = table(vec![video], None).aims_markdown();
        assert!(
            text.contains("| RDP: view of the moving region, MB/min | at most 15 | 12.0 | met |"),
            "{text}"
        );
    }
}
