//! `passerelle recordings hold`, `release`, `erase` and `du`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;
use passerelle_recorder::{Summary, Usage};
use serde::Serialize;

use super::args::{DuArgs, EraseArgs, Group, OrderArgs};
use super::{CliError, Table, bytes, print_json, print_line};
use crate::api::{EraseRequest, Erased, HoldView, ReasonRequest};
use crate::control;

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

fn path(id: &str, order: &str) -> String {
    format!("/recordings/{}/{order}", control::segment(id))
}

/// What a group of recordings takes up.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Share {
    recordings: u64,
    #[serde(flatten)]
    usage: Usage,
}

impl Share {
    fn add(&mut self, usage: Usage) {
        self.recordings += 1;
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
        let usage = match passerelle_recorder::usage(&directory.join(&summary.header.id)) {
            // It was deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            usage => usage.map_err(unreadable)?,
        };
        shares.entry(group(summary, args.by)).or_default().add(usage);
        all.add(usage);
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
    let mut table = Table::new(&[heading, "RECORDINGS", "LOGS", "VIEWS"]);
    for (name, share) in shares.iter().chain([(&"all".to_owned(), &all)]) {
        let Share { recordings, usage } = share;
        table.row([name.clone(), recordings.to_string(), bytes(usage.log), bytes(usage.views)]);
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
