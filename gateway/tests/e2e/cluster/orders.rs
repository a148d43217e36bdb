//! Sessions are seen and ordered about from every gateway.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use passerelle_rfb::{ClientMessage, Rectangle};

use super::{Cluster, PATIENCE};
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::wait_for;
use crate::peers::read_some;
use crate::peers::redis::Variant;
use crate::peers::site::Setup;
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// What a target was sent.
type Heard = Arc<Mutex<Vec<u8>>>;

/// A target that answers each message with an update and keeps what it was sent.
fn listening(heard: &Heard) -> Outcome<Target> {
    let heard = Arc::clone(heard);
    Target::start(move |mut stream, _| {
        let update = wire::raw_screen();
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = read_some(&mut stream, &mut bytes) {
            heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
            if stream.write_all(&update).is_err() {
                return;
            }
        }
    })
}

fn has(heard: &Heard, message: &[u8]) -> bool {
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.windows(message.len()).any(|window| window == message)
}

/// Presses a key, and says whether it arrives: what is sent behind it always does.
fn press(viewer: &mut Viewer, heard: &Heard, keysym: u32) -> Outcome<bool> {
    let key = wire::key(true, keysym);
    let x = u16::try_from(keysym).unwrap_or_default() % wire::SIZE.0;
    let area = Rectangle { x, y: 0, width: 1, height: 1 };
    let behind = ClientMessage::UpdateRequest { incremental: true, area }.encode();
    viewer.send(&[&key[..], &behind].concat())?;
    wait_for("that a request arrives at the target", PATIENCE, || has(heard, &behind).then_some(()))?;
    Ok(has(heard, &key))
}

fn orders_reach_the_other_gateway(silent: bool) {
    Lab::run(|lab| {
        let heard = Heard::default();
        let target = listening(&heard)?;
        let Cluster { redis, a, b } =
            Cluster::start(lab, Variant { silent, ..Variant::default() }, &Setup::new(&target))?;
        let listeners = redis.command(&["PUBSUB", "NUMSUB", "{passerelle:1}:events"])?;
        if listeners.ends_with(if silent { "2" } else { "0" }) {
            return Err(format!("silent: {silent}, but {listeners}"));
        }

        let mut alice = Viewer::login(&b.site, &a.site.ticket()?)?;
        let mut bob = Viewer::login(&a.site, &b.site.ticket_for("bob", "desk")?)?;
        for node in [&a, &b] {
            node.wait_listed(&[("alice", "b"), ("bob", "a")])?;
            let table = String::from_utf8_lossy(&node.site.cli(&["sessions", "list"])?).into_owned();
            let row =
                |name: &str| table.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
            if !row("alice").contains(" b ") || !row("bob").contains(" a ") {
                return Err(format!("the table does not name the nodes:\n{table}"));
            }
        }
        a.wait_metric("passerelle_sessions{protocol=\"vnc\",state=\"active\"} 1")?;
        let id = a.session_of("alice")?;
        let shown = a.site.json(&["sessions", "show", &id])?;
        if shown["node"] != "b" || shown["technician"] != "alice" || shown["target"] != "desk" {
            return Err(format!("{id} is shown as {shown}"));
        }

        if !press(&mut alice, &heard, 0x61)? {
            return Err("a key that is permitted did not arrive".into());
        }
        a.site.cli(&["sessions", "permit", &id, "view"])?;
        wait_for("the permissions of the other gateway's session", PATIENCE, || {
            let shown = b.site.json(&["sessions", "show", &id]).ok()?;
            (shown["permissions"] == serde_json::json!(["view"])).then_some(())
        })?;
        let by = b.wait_event("permission.changed")?;
        if by["detail"]["by"] != "another node" || by["session"] != *id {
            return Err(format!("the audit log of the session's gateway says {by}"));
        }
        if press(&mut alice, &heard, 0x62)? {
            return Err("a key arrived after the permission was taken away on the other gateway".into());
        }

        a.site.cli(&["sessions", "kill", &id, "--reason", "the wrong machine"])?;
        alice.until_closed(PATIENCE)?;
        let end = b.site.expect_end(1, "killed")?;
        let ordered = a.wait_event("session.killed")?;
        if !end["message"].to_string().contains("the wrong machine") || ordered["detail"]["node"] != "b" {
            return Err(format!("{end} does not go with {ordered}"));
        }
        bob.refresh()?;
        for node in [&a, &b] {
            node.wait_listed(&[("bob", "a")])?;
        }
        let again = a.site.run(&["sessions", "kill", &id])?;
        if again.success { Err("a session that is over was killed again".into()) } else { Ok(()) }
    });
}

#[test]
fn orders_reach_sessions_of_the_other_gateway() {
    orders_reach_the_other_gateway(false);
}

/// Publish and subscribe only make it faster: without them, the renewal of the lease brings orders.
#[test]
fn orders_arrive_without_the_channel() {
    orders_reach_the_other_gateway(true);
}
