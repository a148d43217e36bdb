//! `passerelle audit`

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use passerelle_config::Places;
use passerelle_recorder::PublicKey;
use passerelle_recorder::audit::{self as log, EventLine, Follower};
use serde_json::Value;

use super::output::harmless;
use super::{AuditCommand, CliError, FAILED, access, audit_export, print_json, print_line, proof};
use crate::gateway::data;

/// How often a followed log is looked at.
const PERIOD: Duration = Duration::from_millis(250);

pub(crate) async fn run(command: AuditCommand, config: &Path) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Tail { lines, follow, output } => {
            let directory = Places::load(config)?.data_dir.join(data::AUDIT);
            tail(&directory, lines, follow, output.json).await
        }
        AuditCommand::Verify { directory, signer, checkpoint, output } => {
            let directory = log_directory(directory, config)?;
            let signer = access::signer(signer, config)?;
            verify(&directory, &signer, checkpoint.as_deref(), output.json)
        }
        AuditCommand::Prove(args) => proof::prove(args, config),
        AuditCommand::Export(args) => audit_export::run(args, config),
        AuditCommand::Key(output) => key(&access::signer(None, config)?, output.json),
    }
}

/// The given directory of a log, or else this gateway's.
pub(super) fn log_directory(given: Option<PathBuf>, config: &Path) -> Result<PathBuf, CliError> {
    let directory = match given {
        Some(directory) => directory,
        None => Places::load(config)?.data_dir.join(data::AUDIT),
    };
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(CliError::new(format_args!("there is no audit log in {}", directory.display())))
}

async fn tail(directory: &Path, lines: usize, follow: bool, json: bool) -> Result<ExitCode, CliError> {
    // Before the last events are read, so that none falls in between; those in both are left out by their number.
    let mut follower = match follow {
        true => Some(none_yet(Follower::at_end(directory).map(Some), directory)?),
        false => None,
    };
    let events = none_yet(log::tail(directory, lines), directory)?;
    if events.is_empty() && !json && follower.is_none() {
        print_line(format_args!("No events yet in {}.", directory.display()))?;
    }
    print(&events, json)?;
    let mut last = events.last().map_or(0, |event| event.seq);
    while let Some(follower) = &mut follower {
        tokio::time::sleep(PERIOD).await;
        match follower {
            Some(follower) => {
                let mut events = follower.poll().map_err(|error| unreadable(directory, &error))?;
                events.retain(|event| event.seq > last);
                print(&events, json)?;
                last = events.last().map_or(last, |event| event.seq);
            }
            // The gateway has not started for the first time. What it writes then is all new.
            None => {
                let events = none_yet(log::tail(directory, usize::MAX), directory)?;
                if !events.is_empty() {
                    print(&events, json)?;
                    last = events.last().map_or(last, |event| event.seq);
                    *follower = none_yet(Follower::at_end(directory).map(Some), directory)?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// No directory is no events: the gateway makes it at its first start.
fn none_yet<T: Default>(outcome: io::Result<T>, directory: &Path) -> Result<T, CliError> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        outcome => outcome.map_err(|error| unreadable(directory, &error)),
    }
}

pub(super) fn unreadable(directory: &Path, error: &io::Error) -> CliError {
    CliError::new(format_args!("the audit log in {} cannot be read: {error}", directory.display()))
        .hint("Run this as the gateway's user.")
}

fn print(events: &[EventLine], json: bool) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    for event in events {
        if json {
            serde_json::to_writer(&mut out, event).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            writeln!(out, "{}", sentence(event))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// An event in a line for people.
pub(super) fn sentence(line: &EventLine) -> String {
    let event = &line.event;
    let mut text = format!("{}  {}", line.time, event.kind);
    let named = [
        ("technician", &event.technician),
        ("target", &event.target),
        ("session", &event.session),
        ("address", &event.address),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            text.push_str(&format!("  {name}={}", harmless(value)));
        }
    }
    for (name, value) in &event.detail {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("  {}={}", harmless(name), harmless(&value)));
    }
    if let Some(message) = &event.message {
        text.push_str(&format!("  {}", harmless(message)));
    }
    text
}

fn verify(
    directory: &Path,
    signer: &PublicKey,
    checkpoint: Option<&Path>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let found = log::verify(directory, signer).map_err(|error| unreadable(directory, &error))?;
    if json {
        print_json(&found)?;
    } else {
        print_line(format_args!("{}: {}", directory.display(), harmless(&found.to_string())))?;
    }
    if !found.is_intact() {
        return Ok(ExitCode::from(FAILED));
    }
    if let Some(path) = checkpoint {
        let named = |error| CliError::new(format_args!("{}: {error}", path.display()));
        let heads = log::read_checkpoints(path, signer).map_err(named)?;
        log::holds(directory, &heads).map_err(named)?;
        if !json {
            let size = heads.iter().map(|head| head.size).max().unwrap_or_default();
            print_line(format_args!("{}: its {size} lines are still the log's first", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn key(key: &PublicKey, json: bool) -> Result<ExitCode, CliError> {
    let (public, verifier) = (key.to_string(), log::verifier_key(key));
    if json {
        print_json(&serde_json::json!({ "public_key": public, "verifier_key": verifier }))?;
    } else {
        print_line(format_args!("{public}\n{verifier}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use passerelle_recorder::audit::{AuditEvent, AuditKind};

    use super::*;

    #[test]
    fn events_read_as_sentences() {
        let event = AuditEvent::new(AuditKind::LoginRefused)
            .technician("alice")
            .address("192.0.2.7:1")
            .message("the ticket\x1b[2J has expired")
            .detail("method", "VncAuth")
            .detail("attempt", 2);
        let line = EventLine { seq: 1, time: "2026-11-22T16:14:37Z".into(), event, prev: String::new() };
        assert_eq!(
            sentence(&line),
            "2026-11-22T16:14:37Z  login.refused  technician=alice  address=192.0.2.7:1  attempt=2  method=VncAuth  \
             the ticket\u{fffd}[2J has expired"
        );
    }

    #[test]
    fn a_missing_log_is_an_empty_one() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(none_yet::<Vec<u8>>(Err(missing), Path::new("/x")).unwrap(), Vec::<u8>::new());
        assert!(none_yet::<Vec<u8>>(Err(io::Error::other("broken")), Path::new("/x")).is_err());
    }
}
