//! `passerelle rdp-file`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;
use passerelle_desktop::Permission;

use super::{CliError, RdpFileArgs, print_line};
use crate::api::{RdpFileAnswer, RdpFileRequest};
use crate::{control, files, rdp_file};

/// Asks the running gateway for a ticket in a `.rdp` file, and prints the file or writes it.
pub(crate) async fn run(args: RdpFileArgs, config: &Path) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    let request = RdpFileRequest {
        technician: args.technician,
        target: args.target,
        life_seconds: args.life.map(|life| life.get().as_secs()),
        permissions: args
            .permissions
            .map(|list| list.into_iter().map(Permission::name).map(str::to_owned).collect()),
        address: args.address.map(|address| address.to_string()),
        sign: args.sign,
        reason: args.given.purpose.reason,
        ticket_id: args.given.purpose.ticket_id,
        approval: args.given.approval,
    };
    let RdpFileAnswer { file, username, expires_at } =
        control::call(&places.control, Method::POST, "/rdp-files", Some(&request))
            .await
            .map_err(CliError::new)?;
    let bytes = rdp_file::bytes(&file);
    if args.output == Path::new("-") {
        io::stdout().lock().write_all(&bytes)?;
    } else {
        let path = args.output.display();
        // Whoever has the file can begin the session.
        files::write_private(&args.output, &bytes)
            .map_err(|error| CliError::new(format_args!("{path} cannot be written: {error}")))?;
        print_line(format_args!(
            "{path} lets {username} in for one session that begins before {expires_at}."
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
