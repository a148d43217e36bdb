//! `cargo xtask bench`.
//!
//! The load client must not be the bound, so it is built with optimisation; and it depends on libraries
//! that nobody else who runs `cargo xtask` should have to wait for. So this command builds xtask once
//! more, in the release profile and with the feature `bench`, and hands over to it.

#[cfg(feature = "bench")]
mod auth;
#[cfg(feature = "bench")]
mod bound;
#[cfg(feature = "bench")]
mod clock;
#[cfg(feature = "bench")]
mod content;
#[cfg(feature = "bench")]
mod figures;
#[cfg(feature = "bench")]
mod gateway;
#[cfg(feature = "bench")]
mod machine;
#[cfg(feature = "bench")]
mod options;
#[cfg(feature = "bench")]
mod peer;
#[cfg(feature = "bench")]
mod places;
#[cfg(feature = "bench")]
mod prepare;
#[cfg(feature = "bench")]
mod process;
#[cfg(feature = "bench")]
mod profile;
#[cfg(feature = "bench")]
mod progress;
#[cfg(feature = "bench")]
mod rdp;
#[cfg(feature = "bench")]
mod replay;
#[cfg(feature = "bench")]
mod report;
#[cfg(feature = "bench")]
mod targets;
#[cfg(feature = "bench")]
mod vnc;

use crate::shell::Outcome;

/// Runs the benchmark that `arguments` name.
#[cfg(feature = "bench")]
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments.first().map(String::as_str) {
        Some("auth") => auth::run(arguments),
        Some("rdp") => rdp::run(arguments),
        Some("replay") => replay::run(arguments),
        Some("vnc") => vnc::run(arguments),
        _ => Err("say which benchmark: `bench auth`, `bench rdp`, `bench replay` or `bench vnc` (--help names the options)"
            .to_owned()),
    }
}

/// Hands over to an xtask that has the benchmark.
#[cfg(not(feature = "bench"))]
pub(crate) fn run(arguments: &[String]) -> Outcome {
    use crate::shell;

    let build = ["run", "--quiet", "--release", "--package", "xtask", "--features", "bench", "--", "bench"];
    shell::run(shell::cargo().args(build).args(arguments))
}
