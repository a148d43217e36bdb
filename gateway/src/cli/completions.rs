//! Shell completions and manual pages.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, CliError};

/// `passerelle completions`
pub(crate) fn completions(shell: Shell) -> Result<ExitCode, CliError> {
    // Into memory first: the generator panics when its output is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "passerelle", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// `passerelle man`
pub(crate) fn man(directory: Option<&Path>) -> Result<ExitCode, CliError> {
    match directory {
        Some(directory) => {
            let failed = |error| {
                CliError::new(format_args!(
                    "the manual pages cannot be written to {}: {error}",
                    directory.display()
                ))
            };
            std::fs::create_dir_all(directory).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
