//! `cargo xtask bench rdp`: what the gateway costs an RDP session, beside no proxy and a TCP proxy.
//!
//! Viewers are xfreerdp, on an X display in memory where its pixels can be read without asking an X server, and
//! rdesktop where it takes a drive. Targets are FreeRDP's shadow server with NLA and xrdp with TLS. All are stock
//! programs, and most of every time is theirs, so ratios say less than differences do.

pub(crate) mod display;
pub(crate) mod meter;
pub(crate) mod peers;
mod scenarios;
pub(crate) mod servers;
mod targets;
pub(crate) mod viewer;

use anyhow::{Result, ensure};

use self::display::Display;
use self::peers::Peers;
use self::scenarios::Bench;
use self::servers::{Servers, Shadow, Xrdp};
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
    about: "Compares direct, HAProxy and Passerelle, without and with recording, in one run.",
    scenarios: &[
        ("picture", "from starting the viewer to the first full picture, login included"),
        ("key", "from a key to its pixels in a terminal"),
        ("motion", "a 1280x720 region that moves at 10 frames a second"),
        ("files", "a large file over the clipboard and on a drive"),
        ("flags", "the same region with other flags of the viewer"),
        ("memory", "idle sessions"),
    ],
    minutes: (8, 40),
    proxies: true,
    long_line: false,
    summary: true,
    output: false,
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

/// What xrdp takes besides.
const XRDP: [(&str, &str); 9] = [
    ("xrdp", "xrdp"),
    ("/usr/lib/xorg/modules/libxorgxrdp.so", "xorgxrdp"),
    ("Xorg", "xserver-xorg-core"),
    ("rdesktop", "rdesktop"),
    ("xclip", "xclip"),
    ("xhost", "x11-xserver-utils"),
    ("openssl", "openssl"),
    ("unshare", "util-linux"),
    ("fusermount3", "fuse3"),
];

/// Runs the benchmark that `arguments` name and prints its result.
///
/// # Errors
/// See [`options::run`].
pub(crate) fn run(arguments: &[String]) -> shell::Outcome {
    options::run(arguments, &BENCHMARK, measure)
}

fn measure(options: Options) -> Result<()> {
    prepare::require(PROGRAMS.iter().chain(&content::PROGRAMS))?;
    let progress = Progress::new();
    let machine = machine::facts(&[("haproxy", "-v"), ("xrdp", "--version")]);
    let passerelle = if options.without_passerelle {
        None
    } else {
        Some(prepare::passerelle(options.passerelle.as_deref(), &progress)?)
    };
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;

    progress.say("starting the displays, the servers, the proxy and the gateways");
    let screen = Display::start("viewer", &places.disk)?;
    let aside = Display::start("aside", &places.disk)?;
    let xrdp = if Xrdp::possible() {
        prepare::require(&XRDP)?;
        Some(Xrdp::start(&places.disk, &aside)?)
    } else {
        progress.say("without xrdp, which only root can start");
        None
    };
    let terminal = Shadow::start("terminal", &places.disk)?;
    let motion = Shadow::start("motion", &places.disk)?;
    let servers = Servers { terminal, motion, xrdp };
    let peers = Peers::start(&servers.addresses(), passerelle.as_deref(), &places.disk)?;
    let (json, details) = (options.json, options.details);
    let figures = Figures::default();
    let directory = places.disk.clone();
    let missed = Vec::new();
    let mut bench = Bench { options, screen, aside, servers, peers, figures, progress, directory, missed };
    bench.run()?;

    bench.progress.say("done");
    let report = Report {
        machine,
        figures: &bench.figures,
        verdicts: verdicts(&bench.figures, &targets::targets()),
        costs: Vec::new(),
        shares: Vec::new(),
    };
    if json {
        println!("{:#}", report.json());
    } else if details {
        println!("{}", report.markdown());
    } else {
        println!("{}", report.summary());
    }
    ensure!(bench.missed.is_empty(), "not everything could be measured:\n{}", bench.missed.join("\n"));
    Ok(())
}
