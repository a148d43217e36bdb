//! Peers that stop taking data.

use std::io::Write;
use std::net::TcpStream;
use std::thread::{sleep, spawn};
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::wait::now;
use crate::peers::site::{SOON, Setup, Site};
use crate::peers::target::{Target, answer, drain};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// By how much the gateway may grow for a session whose peer takes nothing, in KiB: two directions of
/// 512 KiB, a recording's open batches, and what the allocator keeps.
const GROWTH: u64 = 16 * 1024;

/// Sends until the other end takes no more.
fn flood(mut stream: TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

/// Round trips per second: a request, and the screen that answers it. The best of several measurements,
/// since other tests run beside this one.
fn pace(viewer: &mut Viewer) -> Outcome<f64> {
    let mut best = 0.0_f64;
    for _ in 0..8 {
        let (start, mut trips) = (now(), 0_u32);
        while start.elapsed() < Duration::from_millis(250) {
            viewer.refresh()?;
            trips += 1;
        }
        best = best.max(f64::from(trips) / start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn check_growth(site: &mut Site<'_>, before: u64) -> Outcome {
    let after = site.memory()?;
    if after > before + GROWTH {
        return Err(format!("the gateway grew from {before} to {after} KiB"));
    }
    Ok(())
}

#[test]
fn a_viewer_that_does_not_read_costs_little_and_slows_nobody() {
    Lab::run(|lab| {
        let flooding = Target::start(|stream, _| {
            if let Ok(other) = stream.try_clone() {
                spawn(move || drain(other));
            }
            flood(stream, &wire::raw_screen().repeat(16));
        })?;
        let quiet = Target::start(|stream, _| answer(stream))?;
        let mut site = Site::start(lab, Setup::new(&flooding).target("quiet", quiet.port, ""))?;
        let mut other = Viewer::login(&site, &site.ticket_for("bob", "quiet")?)?;
        let free = pace(&mut other)?;
        let before = site.memory()?;

        let mut stalled = Viewer::login(&site, &site.ticket()?)?;
        // The buffers of three sockets fill up first.
        sleep(Duration::from_secs(1));
        let beside = pace(&mut other)?;
        check_growth(&mut site, before)?;
        if beside < free / 3.0 {
            return Err(format!(
                "{beside:.0} round trips a second beside a stalled session, {free:.0} before"
            ));
        }
        // It can be ended like any other.
        let stuck = site.sessions()?.iter().find(|session| session["target"] == "desk").cloned();
        let stuck = stuck.ok_or("the stalled session is not listed")?;
        site.cli(&["sessions", "kill", stuck["id"].as_str().unwrap_or_default()])?;
        stalled.until_closed(SOON)?;
        site.expect_end(1, "killed")?;
        other.refresh()
    });
}

#[test]
fn a_target_that_does_not_read_costs_little_and_can_be_killed() {
    Lab::run(|lab| {
        let deaf = Target::start(|stream, _| {
            // Keeps the connection and takes nothing from it.
            sleep(Duration::from_secs(20));
            drop(stream);
        })?;
        let quiet = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&deaf).target("quiet", quiet.port, ""))?;
        let mut other = Viewer::login(&site, &site.ticket_for("bob", "quiet")?)?;
        other.refresh()?;
        let before = site.memory()?;
        let viewer = Viewer::login(&site, &site.ticket()?)?;
        let sending = viewer.stream.try_clone().map_err(|error| error.to_string())?;
        let flooding = spawn(move || flood(sending, &wire::pointer(0, 1, 1).repeat(1000)));
        sleep(Duration::from_secs(2));
        check_growth(&mut site, before)?;
        other.refresh()?;
        let stuck = site.sessions()?.iter().find(|session| session["target"] == "desk").cloned();
        let stuck = stuck.ok_or("the stalled session is not listed")?;
        let start = now();
        site.cli(&["sessions", "kill", stuck["id"].as_str().unwrap_or_default()])?;
        flooding.join().map_err(|_| "the flood panicked")?;
        // Promised is a second; a busy machine takes its time.
        if start.elapsed() > SOON {
            return Err(format!("the session went on for {:?}", start.elapsed()));
        }
        site.expect_end(1, "killed").map(drop)
    });
}
