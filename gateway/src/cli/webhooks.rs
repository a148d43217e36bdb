//! `passerelle webhooks`.

use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;

use super::{CliError, FAILED, Table, WebhooksCommand, print_json, print_line};
use crate::api::{MOST, Page, TestAnswer};
use crate::control;
use crate::webhooks::{State, View};

/// The body of a request that has none.
const NOTHING: Option<&()> = None;

/// Asks the running gateway about its webhooks.
pub(crate) async fn run(command: WebhooksCommand, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    match command {
        WebhooksCommand::List(output) => {
            let path = format!("/webhooks?limit={MOST}");
            let page: Page<View> =
                control::call(&socket, Method::GET, &path, NOTHING).await.map_err(CliError::new)?;
            if output.json {
                print_json(&page.items)?
            } else {
                print_line(table(&page.items))?
            }
            Ok(ExitCode::SUCCESS)
        }
        WebhooksCommand::Test { name, output } => {
            let path = format!("/webhooks/{}/test", control::segment(&name));
            let answer: TestAnswer =
                control::call(&socket, Method::POST, &path, NOTHING).await.map_err(CliError::new)?;
            match (output.json, answer.delivered) {
                (true, _) => print_json(&answer)?,
                (false, true) => print_line(format_args!("{name} took the test event: {}.", answer.message))?,
                (false, false) => {
                    return Err(CliError::new(format_args!("{name} was not reached: {}", answer.message)));
                }
            }
            Ok(if answer.delivered { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
        }
    }
}

fn table(webhooks: &[View]) -> String {
    if webhooks.is_empty() {
        return "The configuration has no webhooks.".to_owned();
    }
    let mut table = Table::new(&["WEBHOOK", "URL", "EVENTS", "LAG", "STATE"]);
    for webhook in webhooks {
        let state = match &webhook.state {
            State::Working => "working".to_owned(),
            State::Failing { since, error } => format!("failing since {since}: {error}"),
            State::Disabled { since } => format!("disabled by its receiver since {since}"),
        };
        table.row([
            webhook.name.clone(),
            webhook.url.clone(),
            webhook.events.join(", "),
            webhook.lag.to_string(),
            state,
        ]);
    }
    table.to_string()
}
