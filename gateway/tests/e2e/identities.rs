//! Who somebody proved to be over the API, and what their tickets are then good for in stock clients.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::api::Api;
use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clients::{Client, Login};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::harness::servers::{Server, Target};
use crate::logins::{Issuer, PASSWORD, code, enroll, now};

/// A gateway with its API, and somebody who vouches for people.
struct Site<'lab> {
    gateway: Gateway,
    api: Api,
    issuer: Issuer<'lab>,
}

impl<'lab> Site<'lab> {
    fn start(lab: &'lab Lab, security: &str, target: &Target) -> Outcome<Self> {
        let issuer = Issuer::start(lab)?;
        let port = free_port()?;
        let listen = format!("https: 127.0.0.1:{port}");
        let more = format!("{}roles: {{ supervisor: [chiefs] }}\n", issuer.section());
        let gateway = Gateway::start_listening(lab, &[security], target, Trust::Pin, &listen, &more)?;
        let api = Api { authority: gateway.authority().to_owned(), port, version: "--http2" };
        Ok(Self { gateway, api, issuer })
    }

    /// Has rules require more than a recording.
    fn require(&mut self, what: &str) -> Outcome {
        self.gateway.reload("require: [recording]", &format!("require: [recording, {what}]"))
    }

    fn log_in(&self, credentials: Value) -> Outcome<String> {
        let (status, answer) = self.api.call("POST", "/api/v1/login", None, Some(credentials))?;
        let token = answer["token"].as_str().filter(|_| status == 200);
        token.map(str::to_owned).ok_or_else(|| format!("no login: {status} {answer}"))
    }

    /// A login of carol, whom only the identity provider knows.
    fn carol(&self, more: &Value) -> Outcome<String> {
        self.log_in(json!({ "token": self.issuer.token("EdDSA", more)? }))
    }

    /// What goes into a client that asks for a user name.
    fn login(&self, ticket: &Value) -> Outcome<Login> {
        let field = |name: &str| {
            ticket[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name}: {ticket}"))
        };
        Ok(Login {
            port: self.gateway.port,
            username: Some(field("username")?),
            password: field("ticket")?,
            authority: self.gateway.authority().to_owned(),
        })
    }
}

fn expect_kind(answer: &Value, kind: &str) -> Outcome {
    if answer["type"] == format!("urn:passerelle:problem:{kind}") {
        Ok(())
    } else {
        Err(format!("not the problem {kind}: {answer}"))
    }
}

/// A technician whom only an identity provider knows, a supervisor likewise, and a session in TigerVNC in the end.
#[test]
fn an_approved_technician_gets_in_with_tigervnc() {
    Lab::run(|lab| {
        let client = Client::TigervncX509Plain;
        let target = Target::start(lab, Server::XvncNone)?;
        let mut site = Site::start(lab, client.security(), &target)?;
        site.require("approval, reason")?;
        let api = &site.api;
        let carol = site.carol(&json!({ "jti": "carol" }))?;

        // Neither a token alone nor a ticket without approval is enough.
        let direct = site.login(&json!({
            "username": "carol:desk", "ticket": site.issuer.token("ES256", &json!({ "jti": "direct" }))?,
        }))?;
        if client.connect(lab, &direct, "let me in").is_ok() {
            return Err("a token got in without an approval".into());
        }
        let missing = [("code", json!("not_allowed")), ("missing", json!(["reason", "approval"]))];
        site.gateway.expect_event("login.refused", &missing)?;
        let wanted = json!({ "technician": "carol", "target": "desk", "reason": "the printer is stuck" });
        let alone = api.expect(403, "POST", "/api/v1/tickets", &carol, Some(wanted.clone()))?;
        expect_kind(&alone, "approval")?;

        let wish = api.expect(201, "POST", "/api/v1/approvals", &carol, Some(wanted))?;
        let id = wish["id"].as_str().ok_or("the approval has no name")?.to_owned();
        let approve = format!("/api/v1/approvals/{id}/approve");
        api.expect(403, "POST", &approve, &carol, Some(json!({})))?;
        let again = json!({ "jti": "carol 2", "groups": ["helpdesk", "chiefs"] });
        let own = api.expect(403, "POST", &approve, &site.issuer.token("EdDSA", &again)?, Some(json!({})))?;
        expect_kind(&own, "second-person")?;
        let chief = json!({ "jti": "chief", "preferred_username": "chief", "groups": ["chiefs"] });
        let chief = site.issuer.token("RS256", &chief)?;
        api.expect(200, "POST", &approve, &chief, Some(json!({ "note": "called carol" })))?;
        api.expect(401, "GET", "/api/v1/me", &chief, None)?;
        let shown = site.gateway.cli(&["approvals", "show", &id])?;
        if !shown.contains("chief") || !shown.contains("called carol") {
            return Err(format!("the command line does not show who approved:\n{shown}"));
        }

        let with = json!({ "technician": "carol", "target": "desk", "approval": id });
        let ticket = api.expect(201, "POST", "/api/v1/tickets", &carol, Some(with.clone()))?;
        drop(client.connect(lab, &site.login(&ticket)?, "with four eyes")?);
        target.wait_typed("with four eyes")?;
        site.gateway.wait_idle()?;
        let used = api.expect(409, "POST", "/api/v1/tickets", &carol, Some(with))?;
        expect_kind(&used, "approval")?;
        let started = [
            ("method", json!("ticket")),
            ("approved_by", json!("chief")),
            ("reason", json!("the printer is stuck")),
        ];
        site.gateway.expect_event("session.started", &started)?;
        site.gateway.expect_audit(&[
            "approval.requested",
            "approval.refused",
            "approval.approved",
            "approval.used",
            "ticket.issued",
            "session.started",
            "session.ended",
        ])?;
        site.gateway.verify_recording().map(drop)
    });
}

/// The gateway's own user approves for a local user on the command line.
#[test]
fn an_administrator_approves_on_the_command_line() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncNone)?;
        let mut site = Site::start(lab, client.security(), &target)?;
        enroll(lab, &mut site.gateway)?;
        site.require("approval")?;
        let alice = json!({ "username": "alice", "password": PASSWORD, "code": code(lab)? });
        let alice = site.log_in(alice)?;
        let wanted = json!({ "technician": "alice", "target": "desk" });
        let wish = site.api.expect(201, "POST", "/api/v1/approvals", &alice, Some(wanted))?;
        let id = wish["id"].as_str().ok_or("the approval has no name")?;
        let pending = site.gateway.cli(&["approvals", "list", "--state", "pending"])?;
        if !pending.contains(id) {
            return Err(format!("{id} is not listed:\n{pending}"));
        }
        site.gateway.cli(&["approvals", "approve", id, "--note", "it is urgent"])?;
        // Whoever approved does not get the ticket as well.
        if site.gateway.ticket_with(&["--approval", id]).is_ok() {
            return Err("the approver got the ticket".into());
        }
        let with = json!({ "technician": "alice", "target": "desk", "approval": id });
        let ticket = site.api.expect(201, "POST", "/api/v1/tickets", &alice, Some(with))?;
        let password = ticket["vnc_password"].as_str().unwrap_or_default().to_owned();
        let login = Login { username: None, password, ..site.login(&ticket)? };
        drop(client.connect(lab, &login, "approved")?);
        target.wait_typed("approved")?;
        site.gateway.wait_idle()?;

        // What was asked for on the command line is somebody else's to approve.
        let asked = site.gateway.cli(&["approvals", "request", "alice", "desk", "--json"])?;
        let asked: Value = serde_json::from_str(&asked).map_err(|error| format!("{error}: {asked}"))?;
        let id = asked["id"].as_str().ok_or("the approval has no name")?;
        if site.gateway.cli(&["approvals", "approve", id]).is_ok() {
            return Err("the one who asked could approve".into());
        }
        let chief = json!({ "jti": "chief", "preferred_username": "chief", "groups": ["chiefs"] });
        let chief = site.log_in(json!({ "token": site.issuer.token("EdDSA", &chief)? }))?;
        site.api.expect(200, "POST", &format!("/api/v1/approvals/{id}/approve"), &chief, Some(json!({})))?;
        let ticket = site.gateway.ticket_with(&["--approval", id])?;
        drop(client.connect(lab, &site.gateway.login(client, &ticket), "again")?);
        target.wait_typed("again")?;
        site.gateway.wait_idle()?;
        site.gateway.expect_event("session.started", &[("approved_by", json!("chief"))])
    });
}

/// VncAuth has no room for a code; a ticket says that there was one.
#[test]
fn a_code_over_the_api_counts_in_a_viewer_without_room_for_one() {
    Lab::run(|lab| {
        let client = Client::TigervncVncAuth;
        let target = Target::start(lab, Server::XvncNone)?;
        let mut site = Site::start(lab, client.security(), &target)?;
        enroll(lab, &mut site.gateway)?;
        site.require("second_factor")?;
        match site.gateway.ticket() {
            Ok(_) => return Err("a ticket was issued without a second factor".into()),
            Err(said) if said.contains("a second factor is missing") => {}
            Err(said) => return Err(format!("it is not said what is missing: {said}")),
        }
        if site.log_in(json!({ "username": "alice", "password": PASSWORD })).is_ok() {
            return Err("the password alone was enough".into());
        }
        let alice = json!({ "username": "alice", "password": PASSWORD, "code": code(lab)? });
        let alice = site.log_in(alice)?;
        let wanted = json!({ "technician": "alice", "target": "desk" });
        let ticket = site.api.expect(201, "POST", "/api/v1/tickets", &alice, Some(wanted))?;
        let password = ticket["vnc_password"].as_str().unwrap_or_default().to_owned();
        let login = Login { username: None, password, ..site.login(&ticket)? };
        drop(client.connect(lab, &login, "with two factors")?);
        target.wait_typed("with two factors")?;
        site.gateway.wait_idle()?;
        site.gateway
            .expect_event("session.started", &[("second_factor", json!(true)), ("method", json!("ticket"))])
    });
}

/// A token is too long for a routing token or a preconnection blob; what it is exchanged for is not.
#[test]
fn a_token_becomes_a_reference_for_xfreerdp() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::ShadowNla)?;
        let site = Site::start(lab, "tls", &target)?;
        // Without a microphone: FreeRDP gives up where the machine has none.
        let most = json!(["view", "pointer", "keyboard", "resize"]);
        let claims = json!({ "passerelle_target": "desk", "passerelle_permissions": most });
        for option in ["/load-balance-info", "/pcb"] {
            let mut claims = claims.clone();
            claims["jti"] = json!(option);
            let carol = site.carol(&claims)?;
            let wanted = json!({ "technician": "carol", "target": "desk", "reference": true });
            let ticket = site.api.expect(201, "POST", "/api/v1/tickets", &carol, Some(wanted))?;
            if ticket["permissions"] != most {
                return Err(format!("the token's limits do not hold: {ticket}"));
            }
            let reference = ticket["reference"].as_str().ok_or("the ticket has no reference")?;
            let argument: &'static str = Box::leak(format!("{option}:{reference}").into_boxed_str());
            let client = Rdp::XfreerdpTls(Box::leak(Box::new([argument])));
            let line = format!("with {}", option.trim_start_matches('/'));
            let nothing = Login { password: "-".to_owned(), ..site.login(&ticket)? };
            drop(client.connect(lab, &nothing, &line)?);
            target.wait_typed(&line)?;
            site.gateway.wait_idle()?;
        }
        site.gateway.expect_event("session.started", &[("method", json!("ticket")), ("permissions", most)])
    });
}

/// The tokens are jwcrypto's; what is wrong with each stands in the audit log and nowhere else.
#[test]
fn wrong_tokens_are_refused_over_the_api() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::XvncNone)?;
        let site = Site::start(lab, "vnc_auth", &target)?;
        let used = site.issuer.token("EdDSA", &json!({ "jti": "used" }))?;
        site.api.expect(200, "GET", "/api/v1/me", &used, None)?;
        let other = site.issuer.token("RS256", &json!({ "jti": "a", "aud": "another" }))?;
        let old = json!({ "jti": "b", "iat": now() - 900, "nbf": now() - 900, "exp": now() - 600 });
        let old = site.issuer.token("ES256", &old)?;
        let unsigned = unsigned(&other)?;
        for (code, token) in [
            ("used_token", &used),
            ("token_audience", &other),
            ("expired_token", &old),
            ("token_algorithm", &unsigned),
        ] {
            for status in [
                site.api.call("GET", "/api/v1/me", Some(token), None)?.0,
                site.api.call("POST", "/api/v1/login", None, Some(json!({ "token": token })))?.0,
            ] {
                if status != 401 {
                    return Err(format!("{code}: {status}"));
                }
            }
            site.gateway
                .expect_event("login.refused", &[("code", json!(code)), ("security", json!("api"))])?;
            // What is right forgives the address what was wrong.
            site.carol(&json!({ "jti": format!("after {code}") }))?;
        }
        Ok(())
    });
}

/// The same claims without a signature.
fn unsigned(token: &str) -> Outcome<String> {
    let claims = token.split('.').nth(1).ok_or("a token without claims")?;
    Ok(format!("{}.{claims}.", BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#)))
}
