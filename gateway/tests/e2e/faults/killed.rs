//! A gateway that is killed while a session streams.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::site::{Setup, Site};
use crate::peers::target::{Target, drain};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// How often the gateway is killed.
const ROUNDS: u64 = 8;

/// How much of a session may be lost.
const LOSS: Duration = Duration::from_millis(100);

/// By how much the measurement may be off: the target sends every 5 ms at best, and on a machine with
/// more to do than processors its thread, the gateway's and the test's wait for each other.
const SLACK: Duration = Duration::from_millis(150);

/// What a target sent and when: the number of all bytes after each piece.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    pieces: Vec<(usize, Instant)>,
}

/// Sends a piece every few milliseconds; no two are alike.
fn stream(mut stream: TcpStream, sent: &Mutex<Sent>) {
    if let Ok(other) = stream.try_clone() {
        spawn(move || drain(other));
    }
    for number in 0_u32.. {
        let y = u16::try_from(number % u32::from(wire::SIZE.1)).unwrap_or(0);
        let piece = wire::raw_row(y, &number.to_be_bytes().repeat(32));
        if stream.write_all(&piece).is_err() {
            return;
        }
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.bytes.extend(piece);
        let total = sent.bytes.len();
        sent.pieces.push((total, now()));
        drop(sent);
        sleep(Duration::from_millis(5));
    }
}

/// Moments spread over a second and a half, other ones in each run.
fn moment(round: u64) -> Duration {
    let seed = u64::from(std::process::id()) * ROUNDS + round;
    let random = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
    Duration::from_millis(20 + random % 1500)
}

#[test]
fn a_killed_gateway_leaves_an_intact_prefix() {
    Lab::run(|lab| {
        let sent: Arc<Mutex<Sent>> = Arc::default();
        let sending = Arc::clone(&sent);
        let target = Target::start(move |connection, _| stream(connection, &sending))?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        let mut seen = BTreeSet::new();
        for round in 0..ROUNDS {
            *sent.lock().unwrap_or_else(PoisonError::into_inner) = Sent::default();
            let viewer = Viewer::login(&site, &site.ticket()?)?;
            let reading = viewer.stream.try_clone().map_err(|error| error.to_string())?;
            let reader = spawn(move || drain(reading));
            sleep(moment(round));
            let killed = now();
            site.kill()?;
            reader.join().map_err(|_| "the viewer panicked")?;
            let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
            let what = |error| format!("round {round}, killed after {:?}: {error}", moment(round));
            let id = check_prefix(&site, &mut seen, &sent, killed).map_err(what)?;
            site.restart()?;
            check_recovery(&site, &id).map_err(what)?;
        }
        check_audit(&site)
    });
}

/// The recording that was not there before is a prefix of what was sent, and only just shorter.
fn check_prefix(
    site: &Site<'_>,
    seen: &mut BTreeSet<String>,
    sent: &Sent,
    killed: Instant,
) -> Outcome<String> {
    let answers = site.json(&["recordings", "verify", "--all"])?;
    let answers = answers.as_array().ok_or("the verification is no list")?;
    let is_new = |answer: &&Value| answer["id"].as_str().is_some_and(|id| !seen.contains(id));
    let [answer] = answers.iter().filter(is_new).collect::<Vec<_>>()[..] else {
        return Err(format!("one new recording was expected: {answers:?}"));
    };
    if answer["verdict"] != "intact_up_to" {
        return Err(format!("no intact prefix: {answer}"));
    }
    let id = answer["id"].as_str().unwrap_or_default().to_owned();
    seen.insert(id.clone());

    let recorded = site.cli(&["recordings", "cat", &id, "--lane", "target", "--raw"])?;
    let init = wire::init().encode();
    let recorded = match recorded.strip_prefix(&init[..]) {
        Some(rest) => rest,
        None if init.starts_with(&recorded) => &[],
        None => return Err("the recording does not begin with ServerInit".into()),
    };
    if !sent.bytes.starts_with(recorded) {
        return Err(format!("{} recorded bytes are not what the target sent", recorded.len()));
    }
    // What was sent before the kill and is not in the recording is lost.
    let lost = sent.pieces.iter().find(|(total, _)| *total > recorded.len());
    let loss = lost.map_or(Duration::ZERO, |(_, at)| killed.saturating_duration_since(*at));
    if loss > LOSS + SLACK { Err(format!("the last {loss:?} are lost")) } else { Ok(id) }
}

/// After the next start the recording is sealed as what it is.
fn check_recovery(site: &Site<'_>, id: &str) -> Outcome {
    let answers = site.json(&["recordings", "verify", id, "--require-sealed"])?;
    if answers[0]["verdict"] == "interrupted" { Ok(()) } else { Err(format!("not interrupted: {answers}")) }
}

/// Each start of a session has its end, with the reason.
fn check_audit(site: &Site<'_>) -> Outcome {
    let events = site.audit()?;
    let of = |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["kind"] == kind).collect() };
    let sessions =
        |kind: &str| -> Vec<_> { of(kind).iter().map(|event| event["session"].to_string()).collect() };
    if sessions("session.started").len() != ROUNDS as usize {
        return Err(format!("{} sessions have started", sessions("session.started").len()));
    }
    if sessions("session.started") != sessions("session.ended") {
        return Err("the sessions that started are not those that ended".into());
    }
    if let Some(end) = of("session.ended").iter().find(|end| end["detail"]["reason"] != "interrupted") {
        return Err(format!("not interrupted: {end}"));
    }
    for kind in ["gateway.interrupted", "recording.interrupted"] {
        if of(kind).len() != ROUNDS as usize {
            return Err(format!("{} times {kind} after {ROUNDS} kills", of(kind).len()));
        }
    }
    Ok(())
}
