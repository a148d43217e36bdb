//! Why a command failed, for the person who typed it.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use passerelle_config::ConfigErrors;

/// Exit code of a command whose answer is no, or that failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a command that was typed wrong.
pub(crate) const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CliError {
    message: String,
    hint: Option<String>,
    code: u8,
    /// Whoever read the output stopped reading: nothing failed and nothing is to be said.
    quiet: bool,
}

impl CliError {
    /// Something failed.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, code: FAILED, quiet: false }
    }

    /// The command was typed in a way that cannot be meant.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

/// Errors of writing the command's output.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Self { quiet, ..Self::new(format_args!("the output cannot be written: {error}")) }
    }
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(errors).hint("Another file can be named with --config or PASSERELLE_CONFIG.")
    }
}

/// Says what went wrong, if anything did, and turns it into an exit code.
pub(crate) fn finish(outcome: Result<ExitCode, CliError>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if error.quiet => ExitCode::SUCCESS,
        Err(error) => {
            // When standard error is gone too, the exit code has to do.
            let _ = writeln!(io::stderr().lock(), "passerelle: {error}");
            ExitCode::from(error.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_reading_is_no_failure() {
        let broken = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(broken.quiet);
        let full = CliError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(!full.quiet && full.code == FAILED);
    }

    #[test]
    fn hints_stand_below() {
        let error = CliError::usage("there is no X").hint("Try Y.");
        assert_eq!(error.to_string(), "there is no X\n  Try Y.");
        assert_eq!(error.code, USAGE);
    }
}
