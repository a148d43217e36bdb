//! An approval is asked for on one gateway, given on another, and good for one ticket on whichever.

use std::sync::Barrier;
use std::thread;

use data_encoding::HEXLOWER;
use passerelle_rfb::security::TargetSecurity;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::Node;
use crate::api::Api;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::free_port;
use crate::peers::redis::{Redis, Variant};
use crate::peers::site::Setup;
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// How many ask for a ticket with the same approval.
const CALLERS: usize = 40;

/// The token of the program that asks, and of the one that approves.
const PORTAL: &str = "psa_portal";
const DUTY: &str = "psa_duty";

/// Permissions of the one rule, with what it requires.
const STRICT: &str = "view]\n    require: [approval";

fn service_account(name: &str, token: &str, scopes: &str) -> String {
    let hash = HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref());
    format!("  - {{ name: {name}, token_hash: 'sha256:{hash}', scopes: [{scopes}] }}")
}

#[test]
fn an_approval_is_good_for_one_ticket_on_whichever_gateway() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let redis = Redis::start(lab, Variant::default())?;
        let setup = Setup::new(&target)
            .permissions(STRICT)
            .with(&redis.section())
            .with("tls: { self_signed: true }\nservice_accounts:")
            .with(&service_account("portal", PORTAL, "tickets:write, approvals:read"))
            .with(&service_account("duty", DUTY, "approvals:read, approvals:write"));
        let node = |name| -> Outcome<(Node<'_>, Api)> {
            let https = free_port()?;
            let setup = setup.clone().listen(&format!("https: 127.0.0.1:{https}")).node(name);
            let node = Node::start(lab, setup)?;
            let api = Api::of(&node.site, https, "--http2");
            Ok((node, api))
        };
        let ((mut a, on_a), (b, on_b)) = (node("a")?, node("b")?);

        let wanted = json!({ "technician": "alice", "target": "desk" });
        let wish = on_a.expect(201, "POST", "/api/v1/approvals", PORTAL, Some(wanted))?;
        let id = wish["id"].as_str().ok_or("the approval has no name")?;
        a.site.kill()?;
        let pending = on_b.expect(200, "GET", "/api/v1/approvals?state=pending", DUTY, None)?;
        if pending["items"][0]["id"] != id {
            return Err(format!("{id} is not listed on the other gateway: {pending}"));
        }
        on_b.expect(200, "POST", &format!("/api/v1/approvals/{id}/approve"), DUTY, Some(json!({})))?;
        a.site.restart()?;

        let with = json!({ "technician": "alice", "target": "desk", "approval": id });
        let start = Barrier::new(CALLERS);
        let answers: Vec<Outcome<(u16, Value)>> = thread::scope(|scope| {
            let caller = |index: usize| {
                let api = [&on_a, &on_b][index % 2];
                let (start, with) = (&start, &with);
                scope.spawn(move || {
                    start.wait();
                    api.call("POST", "/api/v1/tickets", Some(PORTAL), Some(with.clone()))
                })
            };
            let callers: Vec<_> = (0..CALLERS).map(caller).collect();
            let joined = callers.into_iter().map(|caller| caller.join());
            joined.map(|answer| answer.unwrap_or_else(|_| Err("a caller panicked".into()))).collect()
        });
        let answers = answers.into_iter().collect::<Outcome<Vec<_>>>()?;
        let tickets: Vec<&Value> =
            answers.iter().filter(|(status, _)| *status == 201).map(|(_, ticket)| ticket).collect();
        let late = answers.iter().filter(|(status, _)| *status == 409).count();
        let ([ticket], true) = (&tickets[..], late == CALLERS - 1) else {
            return Err(format!("{} tickets were issued, {late} callers came too late", tickets.len()));
        };
        let password = ticket["vnc_password"].as_str().unwrap_or_default();
        let viewer = Viewer::login_with(b.site.port, TargetSecurity::VncAuth, "", password)?;
        let started = b.wait_event("session.started")?;
        if started["detail"]["approved_by"] != "service duty" {
            return Err(format!("it is not known who approved: {started}"));
        }
        drop(viewer);
        Ok(())
    });
}
