//! `cargo xtask demo`: the gateway with everything it needs, built in.

use std::os::unix::process::CommandExt;

use crate::shell::{self, Outcome};

/// Becomes `passerelle demo`, so that signals and the exit code are the gateway's own. The development
/// profile is quick enough, since it optimises the dependencies, and is built already for whoever ran
/// the tests.
pub(crate) fn run(args: &[String]) -> Outcome {
    let error = shell::cargo().args(["run", "--package", "passerelle", "--", "demo"]).args(args).exec();
    Err(format!("cannot run cargo: {error}"))
}
