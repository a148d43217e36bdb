//! `passerelle sessions`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use passerelle_config::Places;
use passerelle_desktop::{Permission, Permissions};
use serde::Serialize;

use super::{CliError, Json, SessionsCommand, Table, bytes, duration, print_json, print_line};
use crate::api::{BlackoutRequest, KillRequest, MOST, PermissionsRequest, SessionPage};
use crate::control;
use crate::orders::{Elsewhere, Located};
use crate::session::{BlackoutView, Phase, View};

/// The body of a request that has none.
const NOTHING: Option<&()> = None;

/// Asks the running gateway about its sessions.
pub(crate) async fn run(command: SessionsCommand, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    match command {
        SessionsCommand::List(output) => {
            let (sessions, incomplete) = every(&socket).await?;
            if let Some(why) = incomplete {
                writeln!(io::stderr(), "warning: {why}")?;
            }
            if output.json {
                print_json(&sessions)?;
            } else {
                print_line(table(&sessions))?;
            }
        }
        SessionsCommand::Show { id, output } => {
            let path = format!("/sessions/{}", segment(&id)?);
            match call(&socket, Method::GET, &path, NOTHING).await? {
                Located::Here(view) => show(&view, output)?,
                Located::Elsewhere(session) if output.json => print_json(&session)?,
                elsewhere @ Located::Elsewhere(_) => print_line(table(&[elsewhere]))?,
            }
        }
        SessionsCommand::Permit { id, permissions, output } => {
            let path = format!("/sessions/{}/permissions", segment(&id)?);
            let request = PermissionsRequest { permissions };
            match call(&socket, Method::POST, &path, Some(&request)).await? {
                Located::Here(view) => show(&view, output)?,
                Located::Elsewhere(session) if output.json => print_json(&session)?,
                Located::Elsewhere(session) => print_line(format_args!(
                    "{}'s session on {} runs on node {}, which was told.",
                    session.technician, session.target, session.node
                ))?,
            }
        }
        SessionsCommand::Blackout { id, reason, whose, end, output } => {
            let path = format!("/sessions/{}/blackout", segment(&id)?);
            let session: Located = if end {
                call(&socket, Method::DELETE, &path, NOTHING).await?
            } else {
                let request = BlackoutRequest { reason: reason.unwrap_or_default(), whose };
                call(&socket, Method::PUT, &path, Some(&request)).await?
            };
            match session {
                Located::Here(view) => show(&view, output)?,
                // The gateway refuses what concerns sessions of other nodes.
                elsewhere @ Located::Elsewhere(_) => print_line(table(&[elsewhere]))?,
            }
        }
        SessionsCommand::Kill { id, reason, output } => {
            let path = format!("/sessions/{}/kill", segment(&id)?);
            let ordered: Located = call(&socket, Method::POST, &path, Some(&KillRequest { reason })).await?;
            match ordered {
                _ if output.json => print_json(&ordered)?,
                Located::Here(View { facts, .. }) => {
                    print_line(format_args!(
                        "{}'s session on {} was ended.",
                        facts.technician, facts.target
                    ))?;
                }
                Located::Elsewhere(session) => print_line(format_args!(
                    "{}'s session on {} was ended on node {}.",
                    session.technician, session.target, session.node
                ))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn call<A: serde::de::DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&(impl Serialize + Sync)>,
) -> Result<A, CliError> {
    control::call(socket, method, path, body).await.map_err(CliError::new)
}

/// The running sessions of all nodes, and why some are missing if they are.
async fn every(socket: &Path) -> Result<(Vec<Located>, Option<String>), CliError> {
    let mut sessions = Vec::new();
    let mut path = format!("/sessions?limit={MOST}");
    loop {
        let SessionPage { page, incomplete } = call(socket, Method::GET, &path, NOTHING).await?;
        sessions.extend(page.items);
        match page.next {
            Some(cursor) => path = format!("/sessions?limit={MOST}&cursor={cursor}"),
            None => return Ok((sessions, incomplete)),
        }
    }
}

/// A session's name as part of a path.
fn segment(id: &str) -> Result<&str, CliError> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        Ok(id)
    } else {
        Err(CliError::usage(
            "a session's name has letters and digits only; `passerelle sessions list` shows them",
        ))
    }
}

fn table(sessions: &[Located]) -> String {
    if sessions.is_empty() {
        return "No session is running.".to_owned();
    }
    let mut table =
        Table::new(&["SESSION", "NODE", "TECHNICIAN", "TARGET", "FROM", "TIME", "RECEIVED", "STATE"]);
    for session in sessions {
        table.row(match session {
            Located::Here(View { facts, phase, blackout, seconds, bytes_from_target, .. }) => [
                facts.id.to_string(),
                facts.node.clone(),
                facts.technician.clone(),
                facts.target.clone(),
                facts.address.ip().to_string(),
                duration(Duration::from_secs(*seconds)),
                bytes(*bytes_from_target),
                match blackout {
                    Some(blackout) => format!("{}, blackout {}", state(*phase), blackout.state),
                    None => state(*phase).to_owned(),
                },
            ],
            Located::Elsewhere(Elsewhere {
                id, node, technician, target, address, seconds, phase, ..
            }) => [
                id.to_string(),
                node.clone(),
                technician.clone(),
                target.clone(),
                address.to_string(),
                duration(Duration::from_secs(*seconds)),
                "-".to_owned(),
                phase.map_or("-", state).to_owned(),
            ],
        });
    }
    table.to_string()
}

fn show(view: &View, output: Json) -> Result<(), CliError> {
    if output.json {
        return Ok(print_json(view)?);
    }
    let View {
        facts,
        phase,
        permissions,
        at_next_connection,
        blackout,
        seconds,
        bytes_from_viewer,
        bytes_from_target,
    } = view;
    let mut table = Table::new(&["SESSION", ""]);
    for (what, value) in [
        ("id", facts.id.to_string()),
        ("node", facts.node.clone()),
        ("technician", facts.technician.clone()),
        ("target", facts.target.clone()),
        ("protocol", facts.protocol.clone()),
        ("from", facts.address.to_string()),
        ("login", facts.viewer_security.clone()),
        ("approved by", facts.approved_by.clone().unwrap_or_else(|| "-".to_owned())),
        ("started", facts.started.to_string()),
        ("lasts", duration(Duration::from_secs(*seconds))),
        ("state", state(*phase).to_owned()),
        ("recorded", if facts.recorded { "yes" } else { "no" }.to_owned()),
        ("permissions", names(*permissions)),
        ("from target", bytes(*bytes_from_target)),
        ("from viewer", bytes(*bytes_from_viewer)),
    ] {
        table.row([what.to_owned(), value]);
    }
    if *at_next_connection != Permissions::NONE {
        table.row(["at reconnection".to_owned(), late(*at_next_connection)]);
    }
    if let Some(BlackoutView { state, whose, by, reason, until }) = blackout.as_deref() {
        let until = until.map(|until| format!(", until {until} at most")).unwrap_or_default();
        table.row(["blackout".to_owned(), format!("{state}{until}: {reason} (for the {whose}, by {by})")]);
    }
    Ok(print_line(table)?)
}

fn names(permissions: Permissions) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(", ")
}

/// Says that permissions do not take effect at once.
fn late(permissions: Permissions) -> String {
    format!("{} (takes full effect only when the technician connects anew)", names(permissions))
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Active => "active",
        Phase::Ending => "ending",
    }
}
