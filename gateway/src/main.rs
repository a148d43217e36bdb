//! Passerelle, a remote-support gateway for stock RDP, VNC and Screen Sharing clients.

mod ambient;
mod anchor;
mod api;
mod approvals;
mod arrival;
mod blackouts;
mod cli;
mod collection;
mod contents;
mod control;
mod demo;
mod descriptors;
mod files;
mod fragments;
mod gateway;
mod http_client;
mod index;
mod jwks;
mod keeping;
mod lifecycle;
mod listener;
mod logging;
mod metrics;
mod opened;
mod orders;
mod policy;
mod positions;
mod preauth;
mod rdp_file;
mod relay;
mod remote;
mod serve;
mod session;
mod store;
mod syslog;
mod targets;
#[cfg(feature = "otel")]
mod telemetry;
mod throttle;
mod tickets;
mod tls;
mod viewings;
mod views;
mod wake;
mod web;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, CliError, Command};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::finish(run(cli))
}

fn run(Cli { config, command }: Cli) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve => {
            runtime()?.block_on(serve::serve(&config)).map_err(CliError::new)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(output) => cli::check(&config, &output),
        Command::Explain(args) => runtime()?.block_on(cli::explain(&args, &config)),
        Command::Ticket(args) => runtime()?.block_on(cli::ticket(args, &config)),
        Command::RdpFile(args) => runtime()?.block_on(cli::rdp_file(args, &config)),
        Command::Approvals(command) => runtime()?.block_on(cli::approvals(command, &config)),
        Command::Sessions(command) => runtime()?.block_on(cli::sessions(command, &config)),
        Command::Targets(command) => runtime()?.block_on(cli::targets(command, &config)),
        Command::Recordings(command) => runtime()?.block_on(cli::recordings(command, &config)),
        Command::Audit(command) => runtime()?.block_on(cli::audit(command, &config)),
        Command::VerifyProof(args) => cli::verify_proof(&args, &config),
        Command::Webhooks(command) => runtime()?.block_on(cli::webhooks(command, &config)),
        Command::HashPassword(args) => cli::hash_password(&args),
        Command::Totp(command) => cli::totp(&command),
        Command::ServiceAccount(command) => cli::service_account(&command),
        Command::Demo(args) => {
            let data_dir = args.data_dir.unwrap_or_else(demo_directory);
            let options = demo::Options { listen: args.vnc, data_dir };
            runtime()?.block_on(demo::run(options)).map_err(CliError::new)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::RenderWorker { memory, unconfined } => Ok(views::work(memory, unconfined)),
        Command::Completions { shell } => cli::completions(shell),
        Command::Man { directory } => cli::man(directory.as_deref()),
    }
}

fn runtime() -> Result<Runtime, CliError> {
    Runtime::new().map_err(|error| CliError::new(format_args!("the runtime cannot start: {error}")))
}

/// `passerelle-demo` in the user's data directory, as the XDG base directory specification has it.
fn demo_directory() -> PathBuf {
    let home = || std::env::home_dir().map(|home| home.join(".local/share"));
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(home)
        .unwrap_or_default()
        .join("passerelle-demo")
}
