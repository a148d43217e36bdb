//! The dependencies' licences, sources, bans and advisories, by cargo-deny and `deny.toml`.

use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};

/// Where cargo-deny fetches the advisories from.
const ADVISORY_DB: &str = "https://github.com/rustsec/advisory-db";

pub(crate) fn check() -> Outcome {
    shell::cargo_tool("cargo-deny")?;
    shell::run(shell::cargo().args([
        "deny",
        "--log-level",
        "warn",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))?;
    if !reachable(ADVISORY_DB) {
        println!("advisories were NOT checked: {ADVISORY_DB} cannot be reached from here");
        return Ok(());
    }
    shell::run(shell::cargo().args(["deny", "--log-level", "warn", "check", "advisories"]))
}

/// A network without the advisory database is told apart from an advisory that concerns us.
fn reachable(repository: &str) -> bool {
    Command::new("timeout")
        .args(["20", "git", "ls-remote", "--quiet", "--exit-code", repository, "HEAD"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
