//! `passerelle service-account`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use passerelle_config::Scope;
use serde_json::json;

use super::{CliError, Json, print_json, print_line};
use crate::api;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccountCommand {
    /// Make a token for a program, and what the configuration needs to know it.
    ///
    /// Prints the token, which nobody can show again, and the entry for `service_accounts` with its hash. The
    /// gateway need not run; it takes over the entry when its configuration is read again.
    #[command(after_long_help = "\
Examples:
  passerelle service-account create portal --scopes tickets:write,sessions:read")]
    Create(CreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The name by which the audit log calls the program.
    name: String,
    /// What it may do, separated by commas: tickets:write, sessions:read and so on.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    #[command(flatten)]
    output: Json,
}

pub(crate) fn run(command: &ServiceAccountCommand) -> Result<ExitCode, CliError> {
    let ServiceAccountCommand::Create(CreateArgs { name, scopes, output }) = command;
    let token = api::mint(api::SERVICE);
    let hash = format!("sha256:{}", api::hash(token.expose()));
    let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    if output.json {
        print_json(&json!({ "name": name, "token": token.expose(), "token_hash": hash, "scopes": names }))?;
    } else {
        print_line(format_args!(
            "Token, shown only now:\n  {}\n\nFor the configuration:\n  service_accounts:\n    - name: {name}\n      \
             token_hash: {hash}\n      scopes: [{}]",
            token.expose(),
            names.join(", ")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
