//! A disk that is full.

use std::fs;
use std::io::Write;
use std::thread::spawn;
use std::time::Duration;

use crate::harness::disk::SmallDisk;
use crate::harness::lab::Lab;
use crate::peers::site::{Setup, Site, expect_refusal};
use crate::peers::target::{Target, drain};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

#[test]
fn a_full_disk_ends_and_refuses_sessions_until_there_is_room() {
    Lab::run(|lab| {
        let small = SmallDisk::mount(lab, 24)?;
        let target = Target::start(|mut stream, _| {
            if let Ok(other) = stream.try_clone() {
                spawn(move || drain(other));
            }
            let mut noise = wire::Noise::new();
            while stream.write_all(&noise.updates(32)).is_ok() {}
        })?;
        let recording = format!(
            "recording: {{ directory: {}, disk: {{ refuse: 4MiB, stop: 2MiB }} }}",
            small.path().display()
        );
        let site = Site::start(lab, Setup::new(&target).with(&recording))?;

        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        let shown = viewer.until_closed(Duration::from_secs(30))?;
        // Most of what has room was shown before.
        if shown.len() < 8 << 20 {
            return Err(format!("only {} bytes were shown", shown.len()));
        }
        site.expect_end(1, "recording_failed")?;
        site.wait_logged("the recording failed")?;
        if site.audit_of("recording.failed")?.len() != 1 {
            return Err("the audit log does not have one recording.failed".into());
        }

        expect_refusal(Viewer::login(&site, &site.ticket()?), "cannot record it at the moment")?;
        site.wait_logged("a session that must be recorded was refused")?;
        let reasons = site.audit_of("recording.failed")?;
        let why = reasons.last().and_then(|event| event["message"].as_str()).unwrap_or_default().to_owned();
        if !why.contains("min_free") && !why.contains("free") && !why.contains("space") {
            return Err(format!("the reason says nothing of the disk: {why:?}"));
        }

        for entry in fs::read_dir(small.path()).map_err(|error| error.to_string())?.flatten() {
            // Beside the recordings lies a file that says whose they are.
            if entry.path().is_dir() {
                fs::remove_dir_all(entry.path()).map_err(|error| error.to_string())?;
            }
        }
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        viewer.receive(wire::raw_screen().len())?;
        drop(viewer);
        let end = site.wait_ends(2)?;
        if end["detail"]["reason"] != "viewer_closed" {
            return Err(format!("the session with room on the disk: {end}"));
        }
        site.expect_sealed()?;
        drop(site);
        drop(small);
        Ok(())
    });
}
