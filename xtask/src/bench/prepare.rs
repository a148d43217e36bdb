//! What a benchmark needs before it begins.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::progress::Progress;
use crate::shell;

/// Refuses to go on when one of `programs` is missing, and says in which package it is.
pub(crate) fn require<'a>(programs: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Result<()> {
    let missing: Vec<String> = programs
        .into_iter()
        .filter(|(program, _)| !shell::has(program))
        .map(|(program, package)| format!("{program} (Debian package {package})"))
        .collect();
    ensure!(missing.is_empty(), "the benchmark needs what is not installed: {}", missing.join(", "));
    Ok(())
}

/// The gateway's binary, built if none was given.
pub(crate) fn passerelle(given: Option<&Path>, progress: &Progress) -> Result<PathBuf> {
    if let Some(given) = given {
        ensure!(given.is_file(), "there is no binary at {}", given.display());
        return Ok(given.to_owned());
    }
    progress.say("building the gateway");
    let build = ["build", "--release", "--package", "passerelle", "--message-format", "json"];
    let messages = shell::read(shell::cargo().args(build)).map_err(anyhow::Error::msg)?;
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.context("cargo built no executable")
}
