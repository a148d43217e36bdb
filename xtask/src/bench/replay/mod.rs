//! `cargo xtask bench replay`: what it costs to record sessions, to render them, and to look at them.
//!
//! Sessions of stock viewers and servers over the gateway are recorded; beside each of them, `ffmpeg` records the viewer's
//! screen. Then the recordings are rendered. One of eight hours, made of a session that repeats, is sought in, over
//! the API and by the web application in Chromium.

mod aims;
mod capture;
mod lab;
mod long;
mod player;
mod render;
mod seek;
mod session;
mod table;

use std::fs;

use anyhow::{Context, Result, ensure};

use self::lab::Lab;
use self::session::{Protocol, Workload};
use self::table::{Case, Long, Table};
use crate::bench::content;
use crate::bench::options::{self, Benchmark, Options};
use crate::bench::places::Places;
use crate::bench::progress::Progress;
use crate::bench::rdp::servers::Xrdp;
use crate::bench::{machine, prepare};
use crate::{setup, shell};

/// Its command line.
const BENCHMARK: Benchmark = Benchmark {
    name: "replay",
    about: "Measures recordings and views of real sessions, beside ffmpeg that records the viewer's screen, and seeks in\n\
            eight hours. As root it installs what is missing, and measures RDP with xrdp instead of freerdp-shadow.",
    scenarios: &[
        ("typing", "somebody types in a terminal"),
        ("scrolling", "a text goes by in a terminal"),
        ("browsing", "pages with pictures in a browser"),
        ("video", "a 1280x720 region that moves at 10 frames a second"),
        ("long", "seeks in a recording of eight hours, and the web application's player"),
    ],
    minutes: (3, 10),
    proxies: false,
    long_line: false,
    summary: false,
    output: true,
};

/// What has to be installed besides what is shown.
const PROGRAMS: [(&str, &str); 9] = [
    ("Xvnc", "tigervnc-standalone-server"),
    ("xtigervncviewer", "tigervnc-viewer"),
    ("Xvfb", "xvfb"),
    ("xfreerdp", "freerdp2-x11"),
    ("xdotool", "xdotool"),
    ("ffmpeg", "ffmpeg"),
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("setpriv", "util-linux"),
];

/// Runs the benchmark that `arguments` name and prints its result.
///
/// # Errors
/// See [`options::run`].
pub(crate) fn run(arguments: &[String]) -> shell::Outcome {
    options::run(arguments, &BENCHMARK, measure)
}

fn measure(options: Options) -> Result<()> {
    setup::for_benchmarks().map_err(anyhow::Error::msg)?;
    prepare::require(PROGRAMS.iter().chain(&content::PROGRAMS))?;
    let progress = Progress::new();
    let programs =
        [("ffmpeg", "-version"), ("Xvnc", "-version"), ("xrdp", "--version"), ("chromium", "--version")];
    let machine = machine::facts(&programs);
    let passerelle = prepare::passerelle(options.passerelle.as_deref(), &progress)?;
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;
    progress.say("starting the displays, the servers and the gateway");
    let mut lab = Lab::start(&passerelle, &places.disk)?;
    let mut cases: Vec<Case> = Vec::new();
    for protocol in [Protocol::Vnc, Protocol::Rdp] {
        for workload in Workload::ALL.into_iter().filter(|workload| options.wants(workload.name())) {
            let seconds = workload.seconds(options.quick);
            progress.say(&format!("{protocol}, {} for {seconds} s", workload.name()));
            let session = lab.record(protocol, &[(workload, seconds)], &[], true)?;
            let view = lab.render(&session.id)?;
            cases.push(Case { protocol, workload, session, view });
        }
    }
    let long = if options.wants("long") { Some(measure_long(&mut lab, &options, &progress)?) } else { None };
    progress.say("done");
    let rdp = if Xrdp::possible() { "xrdp" } else { "freerdp-shadow" };
    let table = Table { machine, rdp, cases, long };
    let text = if options.json { format!("{:#}", table.json()) } else { table.markdown() };
    if let Some(path) = &options.output {
        fs::write(path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{text}");
    Ok(())
}

/// Seeks in a long recording, over the API and in a browser.
fn measure_long(lab: &mut Lab, options: &Options, progress: &Progress) -> Result<Long> {
    let (part, hours) = (options.pick(15, 5), options.pick(8, 2));
    progress.say(&format!("VNC without compression that goes on, {} s", 3 * part));
    let office = Workload::OFFICE.map(|workload| (workload, part));
    let session = lab.record(Protocol::Vnc, &office, &long::ENCODING, false)?;
    progress.say(&format!("a recording of {hours} hours, in which that repeats"));
    let id = lab.prolong(&session.id, hours)?;
    let view = lab.render(&id)?;
    ensure!(view.message.is_none(), "the long recording cannot be drawn: {:?}", view.message);
    progress.say("seeking in it, over the API");
    let seeks = lab.seek(&id, options.pick(200, 50))?;
    progress.say("playing it in Chromium");
    let player = lab.play(&id, options.pick(100, 20))?;
    Ok(Long { hours, view, seeks, player })
}
