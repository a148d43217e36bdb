//! `passerelle ticket`.

use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;
use passerelle_desktop::Permission;

use super::{CliError, TicketArgs, print_json, print_line};
use crate::control::{self, TicketAnswer, TicketRequest};

/// Asks the running gateway for a ticket and prints what to type where.
pub(crate) async fn run(args: TicketArgs, config: &Path) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    let request = TicketRequest {
        technician: args.technician,
        target: args.target,
        life_seconds: args.life.map(|life| life.get().as_secs()),
        permissions: args
            .permissions
            .map(|list| list.into_iter().map(Permission::name).map(str::to_owned).collect()),
    };
    let ticket: TicketAnswer = control::call(&places.control, Method::POST, "/v1/tickets", Some(&request))
        .await
        .map_err(CliError::new)?;
    if args.output.json {
        print_json(&ticket)?;
    } else {
        let TicketAnswer { username, ticket, vnc_password, expires_at } = ticket;
        print_line(format_args!(
            "A viewer that asks for a user name and a password:\n\
             \x20 user name  {username}\n\
             \x20 password   {ticket}\n\
             A viewer that asks for a password only:\n\
             \x20 password   {vnc_password}\n\
             Good for one session that begins before {expires_at}."
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
