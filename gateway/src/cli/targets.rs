//! `passerelle targets`.

use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;

use super::{CliError, Table, TargetsCommand, print_json, print_line};
use crate::api::{MOST, Page, TargetView};
use crate::control;

/// The body of a request that has none.
const NOTHING: Option<&()> = None;

/// Asks the running gateway about its targets.
pub(crate) async fn run(command: TargetsCommand, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    match command {
        TargetsCommand::List(output) => {
            let targets = every(&socket).await?;
            if output.json { print_json(&targets)? } else { print_line(table(&targets))? }
        }
        TargetsCommand::Show { name, output } => {
            let path = format!("/targets/{}", control::segment(&name));
            let target: TargetView =
                control::call(&socket, Method::GET, &path, NOTHING).await.map_err(CliError::new)?;
            if output.json { print_json(&target)? } else { print_line(details(target))? }
        }
        TargetsCommand::Wake { name } => {
            let path = format!("/targets/{}/wake", control::segment(&name));
            control::send(&socket, Method::POST, &path, NOTHING).await.map_err(CliError::new)?;
            print_line(format_args!("What wakes {name} was sent."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn every(socket: &Path) -> Result<Vec<TargetView>, CliError> {
    let mut targets = Vec::new();
    let mut path = format!("/targets?limit={MOST}");
    loop {
        let page: Page<TargetView> =
            control::call(socket, Method::GET, &path, NOTHING).await.map_err(CliError::new)?;
        targets.extend(page.items);
        match page.next {
            Some(cursor) => {
                path = format!("/targets?limit={MOST}&cursor={}", control::segment(&cursor));
            }
            None => return Ok(targets),
        }
    }
}

fn table(targets: &[TargetView]) -> String {
    if targets.is_empty() {
        return "There is no target.".to_owned();
    }
    let mut table = Table::new(&["TARGET", "PROTOCOL", "ADDRESS", "TAGS", "SOURCE", "STATE"]);
    for target in targets {
        table.row([
            target.name.clone(),
            target.protocol.clone(),
            target.address.clone(),
            target.tags.join(", "),
            target.source.clone(),
            state(target).to_owned(),
        ]);
    }
    table.to_string()
}

fn details(target: TargetView) -> Table {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut table = Table::new(&["TARGET", ""]);
    let state = state(&target).to_owned();
    for (what, value) in [
        ("name", target.name),
        ("protocol", target.protocol),
        ("address", target.address),
        ("tags", target.tags.join(", ")),
        ("description", target.description.unwrap_or_default()),
        ("state", state),
        ("source", target.source),
        ("has a password", yes(target.has_password)),
        ("can be woken", yes(target.wakes)),
    ] {
        table.row([what.to_owned(), value]);
    }
    table
}

fn state(target: &TargetView) -> &'static str {
    if target.maintenance { "under maintenance" } else { "in use" }
}
