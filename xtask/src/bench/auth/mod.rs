//! `cargo xtask bench auth`: what it costs to find out who somebody is and what they may do.
//!
//! Logins and API requests go to a running gateway; claims and decisions are measured without one around
//! them. All of it runs on one machine and mostly over loopback, so the client takes its share of the
//! cores. HAProxy with an answer of its own says what HTTP over TLS costs here by itself.

pub(crate) mod control;
mod load;
mod redis;
mod rules;
mod scenarios;
mod secure;
mod site;
mod tokens;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::options::{self, Benchmark, Options};
use crate::bench::places::Places;
use crate::bench::progress::Progress;
use crate::bench::report::Report;
use crate::bench::{machine, prepare};
use crate::shell;
use scenarios::Bench;

/// What has to be installed.
const PROGRAMS: [(&str, &str); 4] = [
    ("h2load", "nghttp2-client"),
    ("haproxy", "haproxy"),
    ("redis-server", "redis-server"),
    ("setpriv", "util-linux"),
];

/// Its command line.
const BENCHMARK: Benchmark = Benchmark {
    name: "auth",
    about: "Measures logins, claims, the API, decisions, and what many targets and rules cost.",
    scenarios: &[
        ("logins", "logins a second by ticket, token and password, over VNC"),
        ("claims", "tickets claimed a second, in the embedded store and in Redis"),
        ("api", "API requests a second over HTTP/1.1 and 2, beside HAProxy with an answer of its own"),
        ("size", "memory, start and logins with 10,000 targets and 1,000 rules, beside one of each"),
        ("decide", "a decision among 1, 100 and 1,000 rules"),
    ],
    minutes: (2, 8),
    proxies: false,
    long_line: false,
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
    prepare::require(&PROGRAMS)?;
    let progress = Progress::new();
    let machine =
        machine::facts(&[("haproxy", "-v"), ("redis-server", "--version"), ("h2load", "--version")]);
    let passerelle = prepare::passerelle(options.passerelle.as_deref(), &progress)?;
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;
    let json = options.json;
    let mut bench =
        Bench { options, passerelle, directory: places.disk.clone(), figures: Figures::default(), progress };
    bench.run()?;
    bench.progress.say("done");
    let report = Report {
        machine,
        figures: &bench.figures,
        verdicts: Vec::new(),
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
