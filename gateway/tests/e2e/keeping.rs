//! What becomes of recordings: holds, erasure, deletion, room on the disk.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::disk::SmallDisk;
use crate::harness::lab::Lab;
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// How long something may take that the gateway does when it next looks.
const PATIENCE: Duration = Duration::from_secs(60);

/// Records a session and returns its name.
fn record(site: &Site<'_>) -> Outcome<String> {
    let before = site.audit_of("session.ended")?.len();
    let viewer = Viewer::login(site, &site.ticket()?)?;
    drop(viewer);
    let end = site.wait_ends(before + 1)?;
    end["session"].as_str().map(str::to_owned).ok_or_else(|| format!("an end without a session: {end}"))
}

/// The names of the recordings that there are, in order.
fn recordings(site: &Site<'_>) -> Outcome<Vec<String>> {
    let list = site.json(&["recordings", "list"])?;
    let ids = list.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().map(str::to_owned));
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    Ok(ids)
}

#[test]
fn recordings_are_held_erased_and_deleted_when_their_time_is_over() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target))?;
        let (held, erased) = (record(&site)?, record(&site)?);

        site.cli(&["recordings", "hold", &held, "--reason", "case 7"])?;
        let refused = site.run(&["recordings", "erase", &held, "--class", "all", "--reason", "tidy"])?;
        if refused.success || !refused.stderr.contains("case 7") {
            return Err(format!("a held recording is erased: {}", refused.stderr));
        }
        let answer =
            site.json(&["recordings", "erase", &erased, "--class", "screen", "--reason", "private"])?;
        if answer[&erased]["erased"] != json!(["screen"]) {
            return Err(format!("the answer to an erasure: {answer}"));
        }
        let verified = site.json(&["recordings", "verify", "--all", "--require-sealed"])?;
        let of = |id: &str| verified.as_array().into_iter().flatten().find(|one| one["id"] == id).cloned();
        if of(&erased).is_none_or(|one| one["verdict"] != "sealed" || one["erased"] != json!(["screen"])) {
            return Err(format!("an erased recording verifies as {verified}"));
        }
        let cat = site.run(&["recordings", "cat", &erased, "--lane", "target"])?;
        if cat.success || !cat.stderr.contains("destroyed") {
            return Err(format!("what was erased can be read: {}", cat.stderr));
        }
        site.cli(&["recordings", "cat", &erased, "--lane", "events"])?;
        let du = site.json(&["recordings", "du", "--by", "target"])?;
        if du["groups"]["desk"]["recordings"] != 2 || du["all"]["log"].as_u64() < Some(1000) {
            return Err(format!("what they take up: {du}"));
        }

        site.reload(|site| site.append("recording: { retention: 1s }\n"))?;
        wait_for("that only the held recording is left", PATIENCE, || {
            (recordings(&site).ok()? == [held.clone()]).then_some(())
        })?;
        let deleted = site.audit_of("recording.deleted")?;
        let sealed = site.audit_of("recording.sealed")?;
        let root = |events: &[Value]| {
            let event = events.iter().find(|event| event["session"] == erased.as_str())?;
            event["detail"]["root"].as_str().map(str::to_owned)
        };
        if deleted.len() != 1 || root(&deleted).is_none() || root(&deleted) != root(&sealed) {
            return Err(format!("the log says of what was deleted: {deleted:?}; of its end: {sealed:?}"));
        }
        site.cli(&["recordings", "release", &held, "--reason", "case 7 is closed"])?;
        wait_for("that no recording is left", PATIENCE, || recordings(&site).ok()?.is_empty().then_some(()))?;
        let kinds = ["recording.held", "recording.released", "recording.erased", "recording.deleted"];
        let counts = kinds.map(|kind| site.audit_of(kind).map_or(0, |events| events.len()));
        if counts != [1, 1, 1, 2] {
            return Err(format!("of {kinds:?} there are {counts:?}"));
        }
        Ok(())
    });
}

#[test]
fn little_room_is_told_of_and_no_room_ends_recordings_in_order() {
    Lab::run(|lab| {
        let small = SmallDisk::mount(lab, 32)?;
        let target = Target::quiet()?;
        let recording = format!(
            "recording: {{ directory: {}, disk: {{ warn: 50%, refuse: 8MiB, stop: 4MiB }} }}",
            small.path().display()
        );
        let site = Site::start(lab, Setup::new(&target).with(&recording))?;
        let viewer = Viewer::login(&site, &site.ticket()?)?;
        let filler = small.path().join("filler");
        let fill = |mebibytes: usize| {
            fs::write(&filler, vec![1; mebibytes << 20]).map_err(|error| error.to_string())
        };
        let levels = || -> Outcome<Vec<String>> {
            let low = site.audit_of("disk.low")?;
            Ok(low.iter().map(|event| event["detail"]["level"].as_str().unwrap_or_default().into()).collect())
        };
        let wait_level = |level: &str| {
            wait_for(&format!("the level {level}"), PATIENCE, || {
                (levels().ok()?.last()?.as_str() == level).then_some(())
            })
        };

        fill(18)?;
        wait_level("low")?;
        // Sessions still begin.
        drop(Viewer::login(&site, &site.ticket()?)?);
        site.wait_ends(1)?;
        fill(26)?;
        wait_level("refusing")?;
        expect_refusal(Viewer::login(&site, &site.ticket()?), "cannot record it at the moment")?;
        if site.sessions()?.len() != 1 {
            return Err("a session has ended that may go on".into());
        }
        fill(29)?;
        wait_level("stopping")?;
        site.expect_end(2, "recording_failed")?;
        drop(viewer);
        // There was room to seal them.
        site.expect_sealed()?;

        fs::remove_file(&filler).map_err(|error| error.to_string())?;
        wait_for("the recovery", PATIENCE, || {
            site.audit_of("disk.recovered").is_ok_and(|events| events.len() == 1).then_some(())
        })?;
        drop(Viewer::login(&site, &site.ticket()?)?);
        site.expect_end(3, "viewer_closed")?;
        site.expect_sealed()?;
        drop(site);
        drop(small);
        Ok(())
    });
}
