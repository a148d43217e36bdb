//! `cargo xtask bench vnc`: what the gateway costs, beside having none and beside plain TCP proxies.
//!
//! One run compares every way from a viewer to a target: direct, HAProxy in TCP mode, websockify, and
//! Passerelle without and with recording. All of it runs on loopback, in processes that this one starts
//! and ends. Ratios are taken within a round, since only they travel from machine to machine.

pub(crate) mod client;
mod delay;
pub(crate) mod desktop;
mod peers;
mod scenarios;
pub(crate) mod source;
mod targets;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::options::{self, Benchmark, Options};
use crate::bench::peer::{Line, Peer};
use crate::bench::places::Places;
use crate::bench::profile::Profile;
use crate::bench::progress::Progress;
use crate::bench::report::Report;
use crate::bench::targets::verdicts;
use crate::bench::{bound, content, machine, prepare};
use desktop::Desktop;
use peers::{Peers, Target};
use scenarios::Bench;
use source::Source;

use crate::shell;

/// The password of both Xvnc, which also the viewers of direct sessions type.
const PASSWORD: &str = "vncpass1";

/// What has to be installed besides what the desktops need.
const OTHERS: [(&str, &str); 3] =
    [("haproxy", "haproxy"), ("websockify", "websockify"), ("setpriv", "util-linux")];

/// Its command line.
const BENCHMARK: Benchmark = Benchmark {
    name: "vnc",
    about: "Compares direct, HAProxy, websockify and Passerelle, without and with recording, in one run.",
    scenarios: &[
        ("raw", "full 1920x1080 Raw updates, one after the other"),
        ("compressed", "full ZRLE and Tight updates, one after the other"),
        ("paced", "ZRLE and Tight at 25 updates a second"),
        ("round-trip", "1x1 updates"),
        ("key", "from a key to its pixels in a terminal"),
        ("picture", "from connecting to the first full picture, login included"),
        ("connections", "logins a second"),
        ("motion", "a 1280x720 region that moves at 10 frames a second"),
        ("memory", "idle and active sessions"),
    ],
    minutes: (3, 15),
    proxies: true,
    long_line: true,
    summary: false,
    output: false,
};

/// Runs the benchmark that `arguments` name and prints its result.
///
/// # Errors
/// See [`options::run`].
pub(crate) fn run(arguments: &[String]) -> shell::Outcome {
    options::run(arguments, &BENCHMARK, measure)
}

fn measure(options: Options) -> Result<()> {
    prepare::require(desktop::PROGRAMS.iter().chain(&content::PROGRAMS).chain(&OTHERS))?;
    let progress = Progress::new();
    let machine = machine::facts(&[("haproxy", "-v"), ("Xvnc", "-version")]);
    let passerelle = if options.without_passerelle {
        None
    } else {
        Some(prepare::passerelle(options.passerelle.as_deref(), &progress)?)
    };
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;

    progress.say("starting Xvnc, the proxies and the gateways");
    let terminal = Desktop::start("xvnc-terminal", PASSWORD, "1920x1080", &places.disk)?;
    let motion = Desktop::start("xvnc-motion", PASSWORD, "1920x1080", &places.disk)?;
    let source = Source::start()?;
    let servers = [
        (Target::Terminal, terminal.address()),
        (Target::Motion, motion.address()),
        (Target::Source, source.address()),
    ];
    let peers = Peers::start(&servers, PASSWORD, passerelle.as_deref(), &places)?;
    let (quick, json) = (options.quick, options.json);
    let mut bench = Bench { options, terminal, motion, source, peers, figures: Figures::default(), progress };
    bench.run()?;

    let mut costs = Vec::new();
    let mut shares = Vec::new();
    if bench.options.wants("raw") {
        bench.progress.say("hashing, sealing and writing by themselves");
        costs = bound::measure(&places.disk)?;
        if let Some(gateway) = bench.peers.gateway(Peer::Recorded) {
            bench.progress.say("profiling the recording gateway");
            if let Some(profile) = Profile::start(gateway.process(), &places.disk) {
                let endpoint = bench.peers.endpoint(Peer::Recorded, Target::Source, Line::Short)?;
                scenarios::load(&endpoint, if quick { 2.0 } else { 5.0 })?;
                shares = profile.shares();
            }
        }
    }
    bench.progress.say("done");
    let report = Report {
        machine,
        figures: &bench.figures,
        verdicts: verdicts(&bench.figures, &targets::targets()),
        costs,
        shares,
    };
    if json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    Ok(())
}
