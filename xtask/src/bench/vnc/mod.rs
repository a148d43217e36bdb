//! `cargo xtask bench vnc`: what the gateway costs, beside having none and beside plain TCP proxies.
//!
//! One run compares every way from a viewer to a target: direct, HAProxy in TCP mode, websockify, and
//! Passerelle without and with recording. All of it runs on loopback, in processes that this one starts
//! and ends. Ratios are taken within a round, since only they travel from machine to machine.

mod bound;
mod client;
mod clock;
mod delay;
mod desktop;
mod figures;
mod gateway;
mod machine;
mod options;
mod peers;
mod places;
mod process;
mod profile;
mod progress;
mod report;
mod scenarios;
mod source;
mod targets;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use desktop::Desktop;
use figures::Figures;
use options::Options;
use peers::{Line, Peer, Peers, Target};
use places::Places;
use profile::Profile;
use progress::Progress;
use report::Report;
use scenarios::Bench;
use source::Source;

use crate::shell;

/// The password of both Xvnc, which also the viewers of direct sessions type.
const PASSWORD: &str = "vncpass1";

/// Runs the benchmark that `arguments` name and prints its result.
///
/// # Errors
/// What is missing on this machine, or what failed, in a sentence. A target that is not met is no error.
pub(crate) fn run(arguments: &[String]) -> shell::Outcome {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", options::usage());
        return Ok(());
    }
    let options = Options::parse(arguments)?;
    measure(options).map_err(|error| format!("{error:#}"))
}

fn measure(options: Options) -> Result<()> {
    missing()?;
    let progress = Progress::new();
    let machine = machine::facts();
    let passerelle = passerelle(&options, &progress)?;
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let places = Places::create(&parent)?;

    progress.say("starting Xvnc, the proxies and the gateways");
    let terminal = Desktop::start("xvnc-terminal", PASSWORD, &places.disk)?;
    let motion = Desktop::start("xvnc-motion", PASSWORD, &places.disk)?;
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
    let report = Report { machine, figures: &bench.figures, costs, shares };
    if json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.markdown());
    }
    Ok(())
}

/// Refuses to start when a program is missing, and says in which package it is.
fn missing() -> Result<()> {
    let others = [("haproxy", "haproxy"), ("websockify", "websockify"), ("setpriv", "util-linux")];
    let missing: Vec<String> = desktop::PROGRAMS
        .iter()
        .chain(&others)
        .filter(|(program, _)| !shell::has(program))
        .map(|(program, package)| format!("{program} (Debian package {package})"))
        .collect();
    ensure!(missing.is_empty(), "the benchmark needs what is not installed: {}", missing.join(", "));
    Ok(())
}

/// The gateway's binary, built if none was given.
fn passerelle(options: &Options, progress: &Progress) -> Result<Option<PathBuf>> {
    if options.without_passerelle {
        return Ok(None);
    }
    if let Some(given) = &options.passerelle {
        ensure!(given.is_file(), "there is no binary at {}", given.display());
        return Ok(Some(given.clone()));
    }
    progress.say("building the gateway");
    let build = ["build", "--release", "--package", "passerelle", "--message-format", "json"];
    let messages = shell::read(shell::cargo().args(build)).map_err(anyhow::Error::msg)?;
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    Ok(Some(executable.context("cargo built no executable")?))
}
