//! The gateway's own log, on standard error.

use std::io::{self, IsTerminal as _};

use passerelle_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts the log. `PASSERELLE_LOG` overrules the configured level, in the form of `tracing`'s filters.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::try_from_env("PASSERELLE_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,passerelle={level}", level = log.level.name())));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    // An error means that a log was started before, as tests do.
    match log.format {
        LogFormat::Human => lines.try_init().ok(),
        LogFormat::Json => lines.json().flatten_event(true).try_init().ok(),
    };
}
