//! The result as Markdown and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::player::Player;
use super::render::View;
use super::seek::Seeks;
use super::session::{Protocol, Session, Workload};
use crate::bench::report::{machine, number};

pub(super) const HOUR: f64 = 3600.0;
pub(super) const MB: f64 = 1e6;

/// A session of one workload, recorded and rendered.
pub(super) struct Case {
    pub(super) protocol: Protocol,
    pub(super) workload: Workload,
    pub(super) session: Session,
    pub(super) view: View,
}

/// A recording of hours.
pub(super) struct Long {
    pub(super) hours: u64,
    pub(super) view: View,
    pub(super) seeks: Seeks,
    pub(super) player: Player,
}

/// What a run found out.
pub(super) struct Table {
    pub(super) machine: Value,
    /// The target of RDP.
    pub(super) rdp: &'static str,
    pub(super) cases: Vec<Case>,
    pub(super) long: Option<Long>,
}

/// What is known of each case: what it is called, its unit, and how it comes from a case; nothing where it does not apply.
type Row = (&'static str, &'static str, fn(&Case) -> Option<f64>);

const ROWS: [Row; 14] = [
    ("wire, to the viewer", "MB/h", |case| Some(case.an_hour(case.session.wire as f64) / MB)),
    ("recording", "MB/h", |case| Some(case.an_hour(case.session.log as f64) / MB)),
    ("recording to wire", "", |case| Some(case.to_wire())),
    ("recording: CPU of sealing, hashing and writing", "s/h", |case| {
        Some(case.an_hour(case.session.recorder_cpu))
    }),
    ("recording: CPU of the whole gateway", "s/h", |case| Some(case.an_hour(case.session.gateway_cpu))),
    ("view", "MB/h", |case| Some(case.view_an_hour())),
    ("view, while a region is in motion", "MB/min", |case| Some(case.view.moving? * 60.0 / MB)),
    ("view: share of the time that is not exact", "%", |case| {
        Some(case.view.lossy / case.view.duration * 100.0)
    }),
    ("rendering: CPU", "s/h", |case| Some(case.view.cpu / case.view.duration * HOUR)),
    ("rendering: times real time on one core", "", |case| Some(case.speed())),
    ("ffmpeg, libx264: size", "MB/h", |case| Some(case.session.video?.bytes * HOUR / MB)),
    ("ffmpeg, libx264: CPU", "s/h", |case| Some(case.session.video?.cpu * HOUR)),
    ("ffmpeg, PNG frames: size", "MB/h", |case| Some(case.session.pictures?.bytes * HOUR / MB)),
    ("ffmpeg, PNG frames: CPU", "s/h", |case| Some(case.session.pictures?.cpu * HOUR)),
];

impl Case {
    fn an_hour(&self, value: f64) -> f64 {
        value / self.session.seconds * HOUR
    }

    fn to_wire(&self) -> f64 {
        self.session.log as f64 / self.session.wire as f64
    }

    /// Megabytes of the view of an hour.
    fn view_an_hour(&self) -> f64 {
        self.view.bytes as f64 / self.view.duration * HOUR / MB
    }

    fn speed(&self) -> f64 {
        // The kernel counts in hundredths of a second.
        self.view.duration / self.view.cpu.max(0.01)
    }
}

impl Table {
    /// Tables for people.
    pub(super) fn markdown(&self) -> String {
        let mut text = machine(&self.machine);
        // Writing to a String cannot fail.
        writeln!(
            text,
            "\n\nXvnc with TigerVNC's viewer, {} with xfreerdp, 1280x720, default flags. Nothing in these sessions \
             pauses. ffmpeg records the viewer's screen at 10 frames/s.",
            self.rdp
        )
        .ok();
        if !self.cases.is_empty() {
            write!(text, "\n| |").ok();
            for case in &self.cases {
                write!(text, " {}, {} |", case.protocol, case.workload.name()).ok();
            }
            writeln!(text, "\n|---|{}", "---|".repeat(self.cases.len())).ok();
            for (name, unit, value) in ROWS {
                let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
                write!(text, "| {name}{unit} |").ok();
                for case in &self.cases {
                    write!(text, " {} |", value(case).map_or_else(|| "–".to_owned(), number)).ok();
                }
                text.push('\n');
            }
        }
        if let Some(Long { hours, view, seeks, player }) = &self.long {
            writeln!(
                text,
                "\nA recording of {hours} hours (a VNC session in Hextile of typing, scrolling and browsing, which is \
                 repeated for a quarter of the time), whose view has {} MB:\n\n| | median | worst |\n|---|---|---|",
                number(view.bytes as f64 / MB)
            )
            .ok();
            let mut row = |what: &str, median: f64, worst: Option<f64>| {
                let worst = worst.map_or_else(|| "–".to_owned(), number);
                writeln!(text, "| {what} | {} | {worst} |", number(median)).ok();
            };
            row("rendering: times real time on one core", view.duration / view.cpu.max(0.01), None);
            row("the largest chunk, MB", view.largest as f64 / MB, None);
            row("first picture over the API, decoded, ms", seeks.first, None);
            row("seek over the API, decoded, ms", seeks.others.median, Some(seeks.others.most));
            row("first picture in Chromium, ms", player.first, None);
            row("seek in Chromium, ms", player.seeks.median, Some(player.seeks.most));
            for played in &player.played {
                let speed = played.speed;
                row(&format!("pictures drawn a second at {speed}x"), played.drawn, None);
                row(&format!("pictures a second in the view at {speed}x"), played.there, None);
                row(&format!("moments to draw a second at {speed}x"), played.moments, None);
            }
        }
        text + &self.aims_markdown()
    }

    /// Everything for machines.
    pub(super) fn json(&self) -> Value {
        let cases: Vec<Value> = self
            .cases
            .iter()
            .map(|case| {
                let rows: serde_json::Map<String, Value> = ROWS
                    .iter()
                    .map(|(name, unit, value)| {
                        let name =
                            [*name, *unit].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
                        (name.join(", "), json!(value(case)))
                    })
                    .collect();
                json!({
                    "protocol": case.protocol.to_string(),
                    "workload": case.workload.name(),
                    "seconds": case.session.seconds,
                    "figures": rows,
                })
            })
            .collect();
        let long = self.long.as_ref().map(|Long { hours, view, seeks, player }| {
            let played: Vec<Value> = player
                .played
                .iter()
                .map(|played| {
                    json!({ "speed": played.speed, "drawn_a_second": played.drawn,
                        "in_the_view_a_second": played.there, "moments_a_second": played.moments })
                })
                .collect();
            json!({
                "hours": hours,
                "view_bytes": view.bytes,
                "largest_chunk_bytes": view.largest,
                "render_cpu_seconds": view.cpu,
                "render_seconds": view.took,
                "api_ms": { "first": seeks.first, "median": seeks.others.median, "worst": seeks.others.most },
                "chromium_ms": { "first": player.first, "median": player.seeks.median, "worst": player.seeks.most },
                "played": played,
            })
        });
        json!({ "machine": self.machine, "rdp": self.rdp, "cases": cases, "long": long, "aims": self.aims_json(),
            "office_work": self.definition() })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A session whose recording is larger than what the viewer got.
    pub(in super::super) fn case(protocol: Protocol, workload: Workload, view: View) -> Case {
        let session = Session {
            id: "one".into(),
            seconds: 36.0,
            wire: 1_000_000,
            log: 1_050_000,
            recorder_cpu: 0.01,
            gateway_cpu: 0.1,
            video: None,
            pictures: None,
        };
        Case { protocol, workload, session, view }
    }

    /// A view of so many seconds, that took so many of them.
    pub(in super::super) fn view(duration: f64, bytes: u64, cpu: f64) -> View {
        View { duration, cpu, took: cpu, bytes, largest: bytes, moving: None, lossy: 0.0, message: None }
    }

    #[test]
    fn what_was_measured_is_in_the_table_and_judged() {
        let case = case(Protocol::Vnc, Workload::Typing, view(36.0, 500_000, 0.5));
        let table = Table { machine: json!({ "cores": 2 }), rdp: "xrdp", cases: vec![case], long: None };
        let text = table.markdown();
        assert!(text.contains("| recording to wire | 1.05 |"), "{text}");
        assert!(text.contains("| rendering: times real time on one core | 72.0 |"), "{text}");
        assert!(
            text.contains("| VNC: recording to wire, all together | at most 1.02 | 1.05 | short |"),
            "{text}"
        );
        let json = table.json();
        assert_eq!(json["cases"][0]["figures"]["wire, to the viewer, MB/h"], 100.0);
        assert_eq!(json["aims"][0]["met"], false);
    }
}
