//! `passerelle approvals`.

use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::Places;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::Decision;
use super::{ApprovalsCommand, CliError, Json, Table, print_json, print_line};
use crate::api::{ApprovalRequest, DecisionRequest, MOST, Page};
use crate::approvals::{Approval, ApprovalState};
use crate::control;

/// The body of a request that has none.
const NOTHING: Option<&()> = None;

/// Asks the running gateway about approvals.
pub(crate) async fn run(command: ApprovalsCommand, config: &Path) -> Result<ExitCode, CliError> {
    let socket = Places::load(config)?.control;
    match command {
        ApprovalsCommand::List { state, output } => {
            let approvals = every(&socket, state.as_deref()).await?;
            if output.json {
                print_json(&approvals)?;
            } else {
                print_line(table(&approvals))?;
            }
        }
        ApprovalsCommand::Show { id, output } => {
            let path = format!("/approvals/{}", segment(&id)?);
            show(&call(&socket, Method::GET, &path, NOTHING).await?, output)?;
        }
        ApprovalsCommand::Request { technician, target, life, purpose, output } => {
            let request = ApprovalRequest {
                technician,
                target,
                reason: purpose.reason,
                ticket_id: purpose.ticket_id,
                life_seconds: life.map(|life| life.get().as_secs()),
            };
            let approval: Approval = call(&socket, Method::POST, "/approvals", Some(&request)).await?;
            if output.json {
                print_json(&approval)?;
            } else {
                print_line(requested(&approval))?;
            }
        }
        ApprovalsCommand::Approve(decision) => decide(&socket, "approve", decision).await?,
        ApprovalsCommand::Deny(decision) => decide(&socket, "deny", decision).await?,
        ApprovalsCommand::Withdraw { id } => {
            let path = format!("/approvals/{}", segment(&id)?);
            control::send(&socket, Method::DELETE, &path, NOTHING).await.map_err(CliError::new)?;
            print_line("It is withdrawn.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn decide(socket: &Path, verdict: &str, decision: Decision) -> Result<(), CliError> {
    let Decision { id, note, output } = decision;
    let path = format!("/approvals/{}/{verdict}", segment(&id)?);
    let approval: Approval = call(socket, Method::POST, &path, Some(&DecisionRequest { note })).await?;
    if output.json {
        print_json(&approval)?;
    } else {
        print_line(decided(&approval))?;
    }
    Ok(())
}

async fn call<A: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&(impl Serialize + Sync)>,
) -> Result<A, CliError> {
    control::call(socket, method, path, body).await.map_err(CliError::new)
}

/// All approvals, in this state if one is given.
async fn every(socket: &Path, state: Option<&str>) -> Result<Vec<Approval>, CliError> {
    let filter = state.map(|state| format!("&state={state}")).unwrap_or_default();
    let first = format!("/approvals?limit={MOST}{filter}");
    let (mut approvals, mut path) = (Vec::new(), first.clone());
    loop {
        let page: Page<Approval> = call(socket, Method::GET, &path, NOTHING).await?;
        approvals.extend(page.items);
        match page.next {
            Some(cursor) => path = format!("{first}&cursor={cursor}"),
            None => return Ok(approvals),
        }
    }
}

/// An approval's name as part of a path.
fn segment(id: &str) -> Result<&str, CliError> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        Ok(id)
    } else {
        Err(CliError::usage(
            "an approval's name has letters and digits only; `passerelle approvals list` shows them",
        ))
    }
}

/// What there is to do after asking.
fn requested(approval: &Approval) -> String {
    let Approval { id, technician, target, expires_at, .. } = approval;
    format!(
        "Somebody else has to approve it before {expires_at}, as\n\
         \x20 POST /api/v1/approvals/{id}/approve\n\
         or as another user of this machine. Then there is one ticket:\n\
         \x20 passerelle ticket {technician} {target} --approval {id}"
    )
}

fn decided(approval: &Approval) -> String {
    let Approval { id, state, technician, target, expires_at, .. } = approval;
    match state {
        ApprovalState::Approved => format!(
            "{technician} can get one ticket for {target} before {expires_at}, with the approval {id}."
        ),
        _ => format!("{technician} gets no ticket for {target} with the approval {id}."),
    }
}

fn table(approvals: &[Approval]) -> String {
    if approvals.is_empty() {
        return "Nobody has asked for an approval.".to_owned();
    }
    let mut table =
        Table::new(&["APPROVAL", "TECHNICIAN", "TARGET", "STATE", "ASKED BY", "EXPIRES", "REASON"]);
    for approval in approvals {
        table.row([
            approval.id.to_string(),
            approval.technician.clone(),
            approval.target.clone(),
            approval.state.name().to_owned(),
            approval.requested_by.clone(),
            approval.expires_at.to_string(),
            approval.reason.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn show(approval: &Approval, output: Json) -> Result<(), CliError> {
    if output.json {
        return Ok(print_json(approval)?);
    }
    let mut table = Table::new(&["APPROVAL", ""]);
    for (what, value) in [
        ("id", Some(approval.id.to_string())),
        ("state", Some(approval.state.name().to_owned())),
        ("technician", Some(approval.technician.clone())),
        ("target", Some(approval.target.clone())),
        ("reason", approval.reason.clone()),
        ("ticket id", approval.ticket_id.clone()),
        ("asked by", Some(approval.requested_by.clone())),
        ("asked", Some(approval.requested_at.to_string())),
        ("expires", Some(approval.expires_at.to_string())),
        ("decided by", approval.decided_by.clone()),
        ("decided", approval.decided_at.map(|at| at.to_string())),
        ("note", approval.note.clone()),
    ] {
        if let Some(value) = value {
            table.row([what.to_owned(), value]);
        }
    }
    Ok(print_line(table)?)
}

#[cfg(test)]
mod tests {
    use passerelle_auth::Timestamp;

    use super::*;

    fn approval(state: ApprovalState) -> Approval {
        Approval {
            id: "01arz3ndektsv4rrffq69g5fav".parse().unwrap(),
            state,
            technician: "alice".to_owned(),
            target: "desk".to_owned(),
            reason: Some("printer".to_owned()),
            ticket_id: None,
            requested_by: "alice".to_owned(),
            requested_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(60_000),
            decided_by: None,
            decided_at: None,
            note: None,
        }
    }

    #[test]
    fn people_are_told_what_to_do_next() {
        let said = requested(&approval(ApprovalState::Pending));
        assert!(said.contains("  POST /api/v1/approvals/01arz3ndektsv4rrffq69g5fav/approve\n"), "{said}");
        assert!(
            said.ends_with("  passerelle ticket alice desk --approval 01arz3ndektsv4rrffq69g5fav"),
            "{said}"
        );
        let listed = table(&[approval(ApprovalState::Pending)]);
        assert!(
            listed.lines().nth(1).is_some_and(|line| line.contains("pending") && line.ends_with("printer"))
        );
        assert!(decided(&approval(ApprovalState::Denied)).contains("gets no ticket"));
    }

    #[test]
    fn names_cannot_lead_elsewhere() {
        for wrong in ["", "..", "a/approve", "a?b", "a b"] {
            assert!(segment(wrong).is_err(), "{wrong}");
        }
    }
}
