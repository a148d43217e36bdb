//! `passerelle recordings render`

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use passerelle_config::Places;

use crate::api::RenderProgress;
use crate::cli::output::harmless;
use crate::cli::{CliError, FAILED, Json, print_json, print_line};
use crate::control::{call, segment};

/// How often the gateway is asked.
const PERIOD: Duration = Duration::from_millis(200);
/// The bar's length.
const PARTS: u64 = 1000;

pub(super) async fn run(recording: &str, config: &Path, output: Json) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    let path = format!("/recordings/{}/view", segment(recording));
    let ask = async |method: Method, path: &str| -> Result<RenderProgress, CliError> {
        call(&places.control, method, path, None::<&()>).await.map_err(CliError::new)
    };
    let bar = bar(PARTS);
    let mut found = ask(Method::POST, &path).await?;
    while matches!(&*found.state, "queued" | "rendering") {
        bar.set_message(found.state.clone());
        bar.set_position((found.progress * PARTS as f64) as u64);
        tokio::time::sleep(PERIOD).await;
        found = ask(Method::GET, &format!("{path}/progress")).await?;
    }
    bar.finish_and_clear();
    let done = matches!(&*found.state, "ready" | "live");
    if output.json {
        print_json(&found)?;
    } else if done {
        let what = if found.state == "live" { "is rendered while its session runs" } else { "is rendered" };
        print_line(format_args!("{} {what}.", harmless(recording)))?;
    } else {
        let why = found.message.unwrap_or_else(|| "it was not rendered".to_owned());
        return Err(CliError::new(format_args!("{}: {why}", harmless(recording))));
    }
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// A bar of so many parts on standard error, when somebody looks at it.
pub(in crate::cli) fn bar(parts: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(parts), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:30} {percent}% {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
