//! `passerelle recordings list`

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hyper::Method;
use passerelle_auth::Timestamp;
use passerelle_config::Places;
use passerelle_recorder::{State, Summary};
use serde_json::Value;

use super::{CliError, RecordingsArgs, Table, access, bytes, duration, print_json, print_line};
use crate::api::{MOST, Page, Recording};
use crate::control::{self, segment};

/// Recordings that the object store is asked for at a time.
const AT_A_TIME: usize = 8;

pub(super) async fn list(args: RecordingsArgs, config: &Path) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    if let Some(words) = &args.search {
        return search(words, &args, &places).await;
    }
    let mut listed = summaries(&places.recordings)?;
    if args.remote {
        listed.extend(elsewhere(&listed, config).await?);
        listed.sort_by(|a, b| b.header.started.cmp(&a.header.started));
    }
    listed.retain(|summary| fits(summary, &args));
    if args.output.json {
        print_json(&listed)?;
    } else if listed.is_empty() {
        print_line(format_args!("No such recordings in {}.", places.recordings.display()))?;
    } else {
        let mut table =
            Table::new(&["RECORDING", "STARTED", "LENGTH", "SIZE", "TECHNICIAN", "TARGET", "STATE"]);
        for summary in &listed {
            table.row([
                summary.header.id.clone(),
                without_fraction(&summary.header.started),
                duration(summary.duration),
                bytes(summary.bytes),
                fact(&summary.header.facts, "technician"),
                fact(&summary.header.facts, "target"),
                place(&summary.state, summary.offloaded),
            ]);
        }
        print_line(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the running gateway, which has an index and an audit log.
async fn search(words: &str, args: &RecordingsArgs, places: &Places) -> Result<ExitCode, CliError> {
    let mut asked = format!("/recordings?limit={MOST}&q={}", segment(words));
    for (name, value) in [
        ("technician", args.technician.clone()),
        ("target", args.target.clone()),
        ("from", args.from.map(|time| time.to_string())),
        ("until", args.until.map(|time| time.to_string())),
    ] {
        if let Some(value) = value {
            asked += &format!("&{name}={}", segment(&value));
        }
    }
    let mut found: Vec<Recording> = Vec::new();
    let mut path = asked.clone();
    loop {
        let page: Page<Recording> =
            control::call(&places.control, Method::GET, &path, None::<&()>).await.map_err(CliError::new)?;
        found.extend(page.items);
        let Some(cursor) = page.next else { break };
        path = format!("{asked}&cursor={}", segment(&cursor));
    }
    if args.output.json {
        print_json(&found)?;
    } else if found.is_empty() {
        print_line("Nothing was found.")?;
    } else {
        let mut table =
            Table::new(&["RECORDING", "STARTED", "LENGTH", "TECHNICIAN", "TARGET", "AT", "FOUND"]);
        for recording in &found {
            let place = recording.matches.first();
            table.row([
                recording.id.clone(),
                without_fraction(&recording.started),
                duration(Duration::from_millis(recording.duration_ms)),
                fact(&recording.facts, "technician"),
                fact(&recording.facts, "target"),
                place.map_or_else(String::new, |place| duration(Duration::from_millis(place.t_ms.into()))),
                place.map_or_else(String::new, |place| format!("{}: {}", place.kind, place.text)),
            ]);
        }
        print_line(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fits(summary: &Summary, args: &RecordingsArgs) -> bool {
    let is = |wanted: &Option<String>, name: &str| {
        let fact = summary.header.facts.get(name).and_then(Value::as_str);
        wanted.as_deref().is_none_or(|wanted| fact == Some(wanted))
    };
    let started: Option<Timestamp> = summary.header.started.parse().ok();
    is(&args.technician, "technician")
        && is(&args.target, "target")
        && args.from.is_none_or(|from| started.is_some_and(|started| started >= from))
        && args.until.is_none_or(|until| started.is_some_and(|started| started < until))
}

/// No directory is no recordings: the gateway makes it with the first one.
fn summaries(directory: &Path) -> Result<Vec<Summary>, CliError> {
    match passerelle_recorder::list(directory) {
        Ok(summaries) => Ok(summaries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let message = format!("the recordings in {} cannot be listed: {error}", directory.display());
            Err(CliError::new(message).hint("Run this as the gateway's user."))
        }
    }
}

/// The recordings of which only the object store has anything.
async fn elsewhere(here: &[Summary], config: &Path) -> Result<Vec<Summary>, CliError> {
    let Some((remote, _)) = access::remote(config)? else {
        return Err(CliError::usage("the configuration names no object store (recording.object_store)"));
    };
    let mut names = remote.recordings().await.map_err(CliError::new)?;
    names.retain(|name| here.iter().all(|summary| summary.header.id != *name));
    let remote = &remote;
    let asked = stream::iter(names).map(|name| async move { remote.summary(&name).await });
    let found: Vec<_> = asked.buffer_unordered(AT_A_TIME).collect().await;
    let mut summaries = Vec::new();
    for summary in found {
        match summary {
            Ok(summary) => summaries.push(summary),
            // One that cannot be read is no reason to hide the others.
            Err(error) => writeln!(io::stderr().lock(), "note: {error}")?,
        }
    }
    Ok(summaries)
}

fn fact(facts: &Value, name: &str) -> String {
    facts.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}

/// The state, and where the recording is if that is not here.
pub(super) fn place(found: &State, offloaded: bool) -> String {
    let state = state(found);
    if offloaded { format!("{state}, in the object store") } else { state }
}

fn state(state: &State) -> String {
    match state {
        State::Open => "open".to_owned(),
        State::Sealed { end } => format!("sealed ({end})"),
        State::Interrupted => "interrupted".to_owned(),
    }
}

/// `2026-11-22T16:14:37.123Z` to the second.
fn without_fraction(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(without_fraction("2026-11-22T16:14:37.123Z"), "2026-11-22T16:14:37Z");
        assert_eq!(without_fraction("2026-11-22T16:14:37Z"), "2026-11-22T16:14:37Z");
    }
}
