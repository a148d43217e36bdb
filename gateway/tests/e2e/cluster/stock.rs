//! Stock clients and desktops through a cluster.

use super::{Cluster, PATIENCE};
use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clients::{Client, Login, Viewer};
use crate::harness::lab::Lab;
use crate::harness::servers::{Server, Target};
use crate::peers::redis::Variant;
use crate::peers::site::{Setup, Ticket};

/// Connects through the second gateway with a ticket of the first, types, and is sent away by the first.
fn helps_and_is_sent_away(
    lab: &Lab,
    setup: &Setup,
    desktop: &Target,
    variant: Variant,
    connect: impl Fn(&Ticket, Login) -> Outcome<Viewer>,
) -> Outcome {
    let Cluster { redis: _redis, a, b } = Cluster::start(lab, variant, setup)?;
    let login = |ticket: &Ticket| Login {
        port: b.site.port,
        username: Some(ticket.username.clone()),
        password: ticket.ticket.clone(),
        authority: b.site.data().join("self-signed.crt"),
    };
    let ticket = a.site.ticket()?;
    let mut viewer = connect(&ticket, login(&ticket))?;
    desktop.wait_typed("typed through b")?;
    a.wait_listed(&[("alice", "b")])?;
    a.site.cli(&["sessions", "kill", &a.session_of("alice")?, "--reason", "done"])?;
    viewer.client().ok_or("the client has no process")?.wait(PATIENCE)?;
    b.site.expect_end(1, "killed")?;
    b.site.expect_sealed()?;
    if connect(&ticket, login(&ticket)).is_ok() {
        return Err("the ticket was good twice".into());
    }
    Ok(())
}

/// Over TLS, with a user that may do no more than it must.
#[test]
fn tigervnc_over_a_redis_with_tls() {
    Lab::run(|lab| {
        let desktop = Target::start(lab, Server::XvncNone)?;
        let setup = Setup::vnc().target("desk", desktop.port, "");
        let variant = Variant { tls: true, ..Variant::default() };
        helps_and_is_sent_away(lab, &setup, &desktop, variant, |ticket, login| {
            let login = Login { username: None, password: ticket.vnc_password.clone(), ..login };
            Client::TigervncVncAuth.connect(lab, &login, "typed through b")
        })
    });
}

#[test]
fn xfreerdp_over_a_redis_without_its_channel() {
    Lab::run(|lab| {
        let desktop = Target::start(lab, Server::ShadowNla)?;
        let credentials = &desktop.credentials;
        let (username, password) = (credentials.username.as_deref(), credentials.password.as_deref());
        let file = lab.write_secret("desk.password", password.ok_or("the desktop has no password")?)?;
        let more = format!(
            "credentials: {{ username: \"{}\", password: \"file:{}\" }}",
            username.ok_or("the desktop has no user")?,
            file.display()
        );
        let setup = Setup::rdp().target("desk", desktop.port, &more);
        let variant = Variant { silent: true, ..Variant::default() };
        helps_and_is_sent_away(lab, &setup, &desktop, variant, |_, login| {
            Rdp::XfreerdpNla(&[]).connect(lab, &login, "typed through b")
        })
    });
}
