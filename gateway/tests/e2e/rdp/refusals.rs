//! Who is not let in, and what FreeRDP's users are told.

use std::thread::sleep;
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::clients::Login;
use crate::harness::clients::rdp::{Rdp, attempt, prove};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};
use crate::peers::site::SOON;

const LINE: &str = "let me in";

/// FreeRDP's words for STATUS_LOGON_FAILURE, upon which clients ask for the password again.
const LOGON_FAILURE: (&str, i32) = ("ERRCONNECT_LOGON_FAILURE", 134);
/// What TLS has instead.
const FRESH_CREDENTIALS: (&str, i32) = ("ERRINFO_SERVER_FRESH_CREDENTIALS_REQUIRED", 131);

/// A target and a gateway before it that takes either login.
fn site(lab: &Lab) -> Outcome<(Target, Gateway)> {
    let target = Target::start(lab, Server::ShadowNla)?;
    let gateway = Gateway::start(lab, &["nla", "tls"], &target, Trust::Pin)?;
    Ok((target, gateway))
}

/// Expects that the client ends with these words and status.
fn told(lab: &Lab, login: &Login, security: &str, (words, status): (&str, i32)) -> Outcome {
    let ended = attempt(lab, login, security)?;
    if ended.code == Some(status) && ended.said.contains(words) {
        return Ok(());
    }
    Err(format!(
        "with {security}, xfreerdp ended with {:?} and not with {status}: {}",
        ended.code, ended.said
    ))
}

/// Expects that nothing reached the target and that the audit log has these events.
fn nothing_happened(target: &Target, gateway: &Gateway, events: &[&str]) -> Outcome {
    if !target.typed().is_empty() {
        return Err(format!("{:?} arrived on the target", target.typed()));
    }
    if gateway.audit()?.iter().any(|kind| kind == "session.started") {
        return Err("a session was started".into());
    }
    gateway.expect_audit(events)
}

#[test]
fn a_wrong_ticket_is_refused() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        let mut login = gateway.long_login(&gateway.ticket()?);
        // As long as a ticket, and then something that is none.
        for wrong in ["A".repeat(login.password.len()), "swordfish".to_owned()] {
            login.password = wrong;
            told(lab, &login, "nla", LOGON_FAILURE)?;
            told(lab, &login, "tls", FRESH_CREDENTIALS)?;
        }
        nothing_happened(&target, &gateway, &["login.refused"; 4])
    });
}

#[test]
fn a_ticket_for_another_name_is_refused() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        let mut login = gateway.long_login(&gateway.ticket()?);
        login.username = Some("mallory:desk".into());
        told(lab, &login, "nla", LOGON_FAILURE)?;
        told(lab, &login, "tls", FRESH_CREDENTIALS)?;
        nothing_happened(&target, &gateway, &["login.refused", "login.refused"])
    });
}

#[test]
fn standard_rdp_security_is_refused() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        let login = gateway.long_login(&gateway.ticket()?);
        told(lab, &login, "rdp", ("SSL_REQUIRED_BY_SERVER", 133))?;
        nothing_happened(&target, &gateway, &["viewer.refused"])
    });
}

/// A viewer that comes back within seconds goes on; later its ticket is a used one.
#[test]
fn a_used_ticket_is_refused() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        let login = gateway.long_login(&gateway.ticket()?);
        drop(Rdp::XfreerdpNla(&["/gfx"]).connect(lab, &login, "first")?);
        target.wait_typed("first")?;
        gateway.wait_idle()?;
        drop(Rdp::XfreerdpTls(&["/gfx"]).connect(lab, &login, "second")?);
        target.wait_typed("second")?;
        gateway.wait_idle()?;

        sleep(Duration::from_secs(11));
        told(lab, &login, "nla", LOGON_FAILURE)?;
        told(lab, &login, "tls", FRESH_CREDENTIALS)?;
        if target.typed() != "first\nsecond\n" {
            return Err(format!("{:?} arrived on the target", target.typed()));
        }
        gateway
            .expect_event("login.refused", &[("code", "used_ticket".into()), ("security", "nla".into())])?;
        gateway.expect_audit(&["session.ended", "session.ended", "login.refused", "login.refused"])
    });
}

/// The rules changed after the ticket was issued.
#[test]
fn a_technician_without_a_rule_is_told_so() {
    Lab::run(|lab| {
        let (target, mut gateway) = site(lab)?;
        let login = gateway.long_login(&gateway.ticket()?);
        gateway.reload("targets: [desk]", "targets: [\"tag:elsewhere\"]")?;
        told(lab, &login, "nla", ("ERRINFO_SERVER_INSUFFICIENT_PRIVILEGES", 131))?;
        nothing_happened(&target, &gateway, &["config.reloaded", "login.refused"])
    });
}

#[test]
fn an_unreachable_target_is_told_to_the_technician() {
    Lab::run(|lab| {
        let (mut target, gateway) = site(lab)?;
        let server = target.server().ok_or("the shadow server has no process")?;
        server.signal("KILL")?;
        server.wait(SOON)?;
        for security in ["nla", "tls"] {
            let login = gateway.long_login(&gateway.ticket()?);
            told(lab, &login, security, ("ERRINFO_CB_DESTINATION_NOT_FOUND", 131))?;
        }
        gateway.expect_audit(&["login.accepted", "target.refused", "login.accepted", "target.refused"])
    });
}

/// Restricted admin mode gives the gateway no credentials; the ticket has been proven all the same.
#[test]
fn a_client_in_restricted_admin_mode_is_let_in_by_its_ticket() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        let login = gateway.long_login(&gateway.ticket()?);
        let viewer = Rdp::XfreerdpNla(&["/gfx", "/restricted-admin"]).connect(lab, &login, LINE)?;
        target.wait_typed(LINE)?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_audit(&["login.accepted", "session.started", "session.ended"])
    });
}

/// NLA of a second implementation, which wraps NTLM in SPNEGO.
#[test]
fn another_client_s_nla_is_understood() {
    Lab::run(|lab| {
        let (target, gateway) = site(lab)?;
        for (protocol, answer) in [("hybrid", "authorized: None"), ("hybrid_ex", "authorized: 0")] {
            let mut login = gateway.long_login(&gateway.ticket()?);
            let said = prove(lab, &login, protocol)?;
            if !said.contains(answer) {
                return Err(format!("with {protocol}: {said}"));
            }
            login.password = "A".repeat(login.password.len());
            match prove(lab, &login, protocol) {
                // STATUS_LOGON_FAILURE
                Err(said) if said.contains("0xc000006d") => {}
                other => return Err(format!("a wrong ticket with {protocol}: {other:?}")),
            }
        }
        nothing_happened(&target, &gateway, &["login.refused", "login.refused"])
    });
}
