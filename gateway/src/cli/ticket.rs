//! `passerelle ticket`.

use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use passerelle_config::{Places, Protocol};
use passerelle_desktop::Permission;

use super::{CliError, TicketArgs, print_json, print_line};
use crate::api::{TicketAnswer, TicketRequest};
use crate::control;

/// Asks the running gateway for a ticket and prints what to type where.
pub(crate) async fn run(args: TicketArgs, config: &Path) -> Result<ExitCode, CliError> {
    let places = Places::load(config)?;
    let request = TicketRequest {
        technician: args.technician,
        target: args.target,
        life_seconds: args.life.map(|life| life.get().as_secs()),
        permissions: args
            .permissions
            .map(|list| list.into_iter().map(Permission::name).map(str::to_owned).collect()),
        reference: args.reference,
        reason: args.given.purpose.reason,
        ticket_id: args.given.purpose.ticket_id,
        approval: args.given.approval,
    };
    let ticket: TicketAnswer = control::call(&places.control, Method::POST, "/tickets", Some(&request))
        .await
        .map_err(CliError::new)?;
    if args.output.json {
        print_json(&ticket)?;
    } else {
        print_line(instructions(&ticket))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the technician types where. The clients of a protocol ask for the same things.
fn instructions(answer: &TicketAnswer) -> String {
    let TicketAnswer { username, ticket, vnc_password, reference, expires_at, protocol, .. } = answer;
    let mut text = match protocol {
        Protocol::Rdp => format!(
            "An RDP client (mstsc, FreeRDP, Remmina, Windows App), without a domain:\n\
             \x20 user name  {username}\n\
             \x20 password   {ticket}\n"
        ),
        Protocol::Vnc => format!(
            "A viewer that asks for a user name and a password:\n\
             \x20 user name  {username}\n\
             \x20 password   {ticket}\n\
             A viewer that asks for a password only:\n\
             \x20 password   {vnc_password}\n"
        ),
    };
    if let Some(reference) = reference {
        text.push_str(&format!(
            "An RDP client that takes a routing token instead (loadbalanceinfo, /load-balance-info), without NLA:\n\
             \x20 token      {reference}\n"
        ));
    }
    text.push_str(&format!("Good for one session that begins before {expires_at}."));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(protocol: Protocol, reference: Option<&str>) -> TicketAnswer {
        TicketAnswer {
            id: "01arz3ndektsv4rrffq69g5fav".parse().unwrap(),
            username: "alice:desk".to_owned(),
            ticket: "0123456789ABCDEF".to_owned(),
            vnc_password: "7K2M9Q4X".to_owned(),
            reference: reference.map(str::to_owned),
            expires_at: "2026-01-31T09:30:00.000Z".to_owned(),
            protocol,
            permissions: [Permission::View].into_iter().collect(),
        }
    }

    #[test]
    fn what_to_type_depends_on_the_protocol() {
        let vnc = instructions(&answer(Protocol::Vnc, None));
        assert!(vnc.contains("  password   0123456789ABCDEF\n") && vnc.contains("  password   7K2M9Q4X\n"));
        let rdp = instructions(&answer(Protocol::Rdp, None));
        assert!(rdp.contains("  user name  alice:desk\n") && rdp.contains("  password   0123456789ABCDEF\n"));
        assert!(!rdp.contains("7K2M9Q4X") && !rdp.contains("token"), "{rdp}");
        let both = instructions(&answer(Protocol::Rdp, Some("passerelle-x")));
        assert!(both.contains("  token      passerelle-x\n"), "{both}");
        assert!(both.ends_with("begins before 2026-01-31T09:30:00.000Z."));
    }

    #[test]
    fn programs_find_the_keys_that_they_know() {
        let json = serde_json::to_value(answer(Protocol::Vnc, None)).unwrap();
        for key in ["username", "ticket", "vnc_password", "expires_at"] {
            assert!(json[key].is_string(), "{key}");
        }
        assert_eq!(json.get("reference"), None, "it is there only when it was asked for");
        assert_eq!((&json["protocol"], &json["permissions"][0]), (&"vnc".into(), &"view".into()));
    }
}
