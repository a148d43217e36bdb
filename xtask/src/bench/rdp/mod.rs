//! `cargo xtask bench rdp`: what the gateway costs an RDP session, beside no proxy and a TCP proxy.
//!
//! The viewer is xfreerdp on an X display in memory, where its pixels can be read without asking an X server;
//! the target is FreeRDP's shadow server with NLA. Both are stock programs, and most of every time is theirs,
//! so ratios say less than differences do.

mod display;
mod meter;
mod peers;
mod scenarios;
mod server;
mod targets;
mod viewer;

use anyhow::Result;

use self::display::Display;
use self::peers::{Peers, Target};
use self::scenarios::Bench;
use self::server::Server;
use crate::bench::figures::Figures;
use crate::bench::options::{self, Benchmark, Options};
use crate::bench::places::Places;
use crate::bench::progress::Progress;
use crate::bench::report::Report;
use crate::bench::targets::verdicts;
use crate::bench::{content, machine, prepare};
use crate::shell;

/// Its command line.
const BENCHMARK: Benchmark = Benchmark {
    name: "rdp",
    compares: "direct, HAProxy and Passerelle",
    scenarios: &[
        ("picture", "from starting the viewer to the first full picture, login included"),
        ("key", "from a key to its pixels in a terminal"),
        ("motion", "a 1280x720 region that moves at 10 frames a second"),
        ("memory", "idle sessions"),
    ],
    minutes: (2, 10),
    long_line: false,
};

/// What has to be installed besides what is shown.
const PROGRAMS: [(&str, &str); 8] = [
    ("Xvfb", "xvfb"),
    ("xfreerdp", "freerdp2-x11"),
    ("freerdp-shadow-cli", "freerdp2-shadow-x11"),
    ("winpr-hash", "winpr-utils"),
    ("xdotool", "xdotool"),
    ("xsetroot", "x11-xserver-utils"),
    ("haproxy", "haproxy"),
    ("setpriv", "util-linux"),
];

/// Runs the benchmark that `arguments` name and prints its result.
///
/// # Errors
/// What is missing on this machine, or what failed, in a sentence. A target that is not met is no error.
pub(crate) fn run(arguments: &[String]) -> shell::Outcome {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", options::usage(&BENCHMARK));
        return Ok(());
    }
    let options = Options::parse(arguments, &BENCHMARK)?;
    measure(options).map_err(|error| format!("{error:#}"))
}

fn measure(options: Options) -> Result<()> {
    prepare::require(PROGRAMS.iter().chain(&content::PROGRAMS))?;
    let progress = Progress::new();
    let machine = machine::facts(&[("haproxy", "-v")]);
    let passerelle = if options.without_passerelle {
        None
    } else {
        Some(prepare::passerelle(options.passerelle.as_deref(), &progress)?)
    };
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;

    progress.say("starting the displays, the servers, the proxy and the gateways");
    let screen = Display::start("viewer", &places.disk)?;
    let terminal = Server::start("terminal", &places.disk)?;
    let motion = Server::start("motion", &places.disk)?;
    let servers = [(Target::Terminal, terminal.address()), (Target::Motion, motion.address())];
    let peers = Peers::start(&servers, passerelle.as_deref(), &places.disk)?;
    let json = options.json;
    let figures = Figures::default();
    let directory = places.disk.clone();
    let mut bench = Bench { options, screen, terminal, motion, peers, figures, progress, directory };
    bench.run()?;

    bench.progress.say("done");
    let report = Report {
        machine,
        figures: &bench.figures,
        verdicts: verdicts(&bench.figures, targets::TARGETS),
        costs: Vec::new(),
        shares: Vec::new(),
    };
    if json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    Ok(())
}
