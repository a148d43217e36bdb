//! Who is not let in.

use crate::harness::Outcome;
use crate::harness::clients::{Client, Login};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};
use crate::peers::site::SOON;

const LINE: &str = "let me in";

/// Expects that a login fails, that nothing reached the target and that the audit log says so.
fn refused(lab: &Lab, gateway: &Gateway, target: &Target, client: Client, login: &Login) -> Outcome {
    if client.connect(lab, login, LINE).is_ok() {
        return Err("the viewer was let in".into());
    }
    if !target.typed().is_empty() {
        return Err(format!("{:?} arrived on the target", target.typed()));
    }
    gateway.expect_audit(&["login.refused"])
}

#[test]
fn a_wrong_password_is_refused() {
    Lab::run(|lab| {
        let client = Client::VncdotoolVncAuth;
        let target = Target::start(lab, Server::XvncNone)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let mut login = gateway.login(client, &gateway.ticket()?);
        login.password = "00000000".into();
        refused(lab, &gateway, &target, client, &login)
    });
}

#[test]
fn a_ticket_for_another_name_is_refused() {
    Lab::run(|lab| {
        let client = Client::VncdotoolArd;
        let target = Target::start(lab, Server::XvncNone)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let mut login = gateway.login(client, &gateway.ticket()?);
        login.username = Some("mallory:desk".into());
        refused(lab, &gateway, &target, client, &login)
    });
}

#[test]
fn a_used_ticket_is_refused() {
    Lab::run(|lab| {
        let client = Client::VncdotoolArd;
        let target = Target::start(lab, Server::XvncNone)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let login = gateway.login(client, &gateway.ticket()?);
        drop(client.connect(lab, &login, "first")?);
        target.wait_typed("first")?;
        gateway.wait_idle()?;
        if client.connect(lab, &login, LINE).is_ok() {
            return Err("the ticket was good for a second session".into());
        }
        if target.typed() != "first\n" {
            return Err(format!("{:?} arrived on the target", target.typed()));
        }
        gateway.expect_audit(&["session.ended", "login.refused"])
    });
}

/// The technician's viewer shows the gateway's reason, and no session began.
#[test]
fn an_unreachable_target_is_told_to_the_technician() {
    Lab::run(|lab| {
        let client = Client::GtkvncVncAuth;
        let mut target = Target::start(lab, Server::X11vnc)?;
        let gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let login = gateway.login(client, &gateway.ticket()?);
        let server = target.server().ok_or("x11vnc has no process")?;
        server.signal("KILL")?;
        server.wait(SOON)?;
        if client.connect(lab, &login, LINE).is_ok() {
            return Err("there was something to see on a target that does not exist".into());
        }
        let said = lab.log_of("gtkvnc")?;
        if !said.contains("error: desk: ") || !said.contains("cannot be reached") {
            return Err(format!("the viewer shows no reason that names the target: {said}"));
        }
        gateway.expect_audit(&["login.accepted", "target.refused"])
    });
}
