//! `passerelle recordings hold`, `release`, `erase` and `du`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;
use passerelle_recorder::{State, Stored, Summary, Usage};
use serde::Serialize;

use super::args::{DuArgs, EraseArgs, Group, OrderArgs, RewrapArgs};
use super::{CliError, FAILED, Table, bytes, print_json, print_line};
use crate::api::{EraseRequest, Erased, HoldView, ReasonRequest, RewrapAnswer, RewrapRequest};
use crate::control::{self, ClientError};

/// Holds recordings through the running gateway.
pub(crate) async fn hold(args: OrderArgs, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    let request = ReasonRequest { reason: args.reason };
    for id in &args.recordings {
        let _: HoldView = control::call(&socket, Method::PUT, &path(id, "hold"), Some(&request))
            .await
            .map_err(CliError::new)?;
        print_line(format_args!("{id} is held: it is neither deleted nor erased until it is released."))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends holds through the running gateway.
pub(crate) async fn release(args: OrderArgs, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    let request = ReasonRequest { reason: args.reason };
    for id in &args.recordings {
        control::send(&socket, Method::POST, &path(id, "release"), Some(&request))
            .await
            .map_err(CliError::new)?;
        print_line(format_args!("{id} is not held any more."))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Erases classes through the running gateway.
pub(crate) async fn erase(args: EraseArgs, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    let request = EraseRequest { class: args.class.name().to_owned(), reason: args.order.reason };
    let mut answers = BTreeMap::new();
    for id in &args.order.recordings {
        let answer: Erased = control::call(&socket, Method::POST, &path(id, "erase"), Some(&request))
            .await
            .map_err(CliError::new)?;
        if args.output.json {
            answers.insert(id.clone(), answer);
        } else if answer.erased.is_empty() {
            print_line(format_args!("{id}: there was no key left to destroy."))?;
        } else {
            let classes = answer.erased.join(", ");
            print_line(format_args!("{id}: {classes} erased; nobody can read it again."))?;
        }
    }
    if args.output.json {
        print_json(&answers)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Wraps keys anew through the running gateway.
pub(crate) async fn rewrap(args: RewrapArgs, config: &Path) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    let recordings = if args.all { over(&places.recordings)? } else { args.recordings };
    let identity = match args.identity {
        // The gateway may run elsewhere in the file system.
        Some(file) => Some(std::path::absolute(file).map_err(CliError::new)?),
        None => None,
    };
    let request = RewrapRequest { add: args.add, remove: args.remove, identity };
    let mut failed = false;
    for id in &recordings {
        let answer: Result<RewrapAnswer, _> =
            control::call(&places.control, Method::POST, &path(id, "rewrap"), Some(&request)).await;
        match answer {
            Ok(answer) => print_line(format_args!("{id}: {}", answer.recipients.join(" ")))?,
            // One that cannot be opened is no reason to leave out the others.
            Err(ClientError::Refused(why)) if args.all => {
                failed = true;
                print_line(format_args!("{id}: not wrapped anew: {why}"))?;
            }
            Err(error) => return Err(CliError::new(error)),
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// The names of all recordings that are over.
fn over(directory: &Path) -> Result<Vec<String>, CliError> {
    let listed = match passerelle_recorder::list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(CliError::new)?,
    };
    let over = listed.into_iter().filter(|summary| summary.state != State::Open);
    Ok(over.map(|summary| summary.header.id).collect())
}

fn path(id: &str, order: &str) -> String {
    format!("/recordings/{}/{order}", control::segment(id))
}

/// What a group of recordings takes up.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Share {
    recordings: u64,
    /// On this disk.
    #[serde(flatten)]
    usage: Usage,
    /// In the object store.
    stored: u64,
}

impl Share {
    fn add(&mut self, usage: Usage, stored: u64) {
        self.recordings += 1;
        self.stored += stored;
        self.usage.log += usage.log;
        self.usage.views += usage.views;
    }
}

/// Says what the recordings take up.
pub(crate) fn du(args: &DuArgs, config: &Path) -> Result<ExitCode, CliError> {
    let directory = Places::load(config)?.recordings;
    let unreadable = |error: io::Error| {
        let message = format!("the recordings in {} cannot be read: {error}", directory.display());
        CliError::new(message).hint("Run this as the gateway's user.")
    };
    let summaries = match passerelle_recorder::list(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(unreadable)?,
    };
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let mut all = Share::default();
    for summary in &summaries {
        let dir = directory.join(&summary.header.id);
        let stored = Stored::load(&dir).unwrap_or_default().bytes;
        let usage = match passerelle_recorder::usage(&dir) {
            // It was deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            usage => usage.map_err(unreadable)?,
        };
        shares.entry(group(summary, args.by)).or_default().add(usage, stored);
        all.add(usage, stored);
    }
    if args.output.json {
        print_json(&serde_json::json!({ "groups": shares, "all": all }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = match args.by {
        Group::Technician => "TECHNICIAN",
        Group::Target => "TARGET",
        Group::Month => "MONTH",
    };
    let mut table = Table::new(&[heading, "RECORDINGS", "LOGS", "VIEWS", "STORED"]);
    for (name, share) in shares.iter().chain([(&"all".to_owned(), &all)]) {
        let Share { recordings, usage, stored } = share;
        let cells = [bytes(usage.log), bytes(usage.views), bytes(*stored)];
        table.row([name.clone(), recordings.to_string()].into_iter().chain(cells));
    }
    print_line(table)?;
    Ok(ExitCode::SUCCESS)
}

fn group(summary: &Summary, by: Group) -> String {
    let fact = |name: &str| summary.header.facts[name].as_str().unwrap_or("-").to_owned();
    match by {
        Group::Technician => fact("technician"),
        Group::Target => fact("target"),
        // RFC 3339 begins with year and month.
        Group::Month => summary.header.started.get(..7).unwrap_or("-").to_owned(),
    }
}
