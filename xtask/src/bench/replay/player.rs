//! The web application's player in Chromium.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use passerelle_recorder::view::{Message, Messages};
use serde::Deserialize;

use super::lab::{AUDITOR, Lab, PASSWORD};
use super::render::Manifest;
use crate::bench::clock;
use crate::bench::figures::{Spread, spread};
use crate::bench::process::{Process, command};
use crate::shell;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What drives the browser.
const SCRIPT: &str = include_str!("player.mjs");

/// What the script prints.
#[derive(Deserialize)]
struct Printed {
    first: f64,
    sought: Vec<f64>,
    played: Vec<PrintedPlay>,
}

#[derive(Deserialize)]
struct PrintedPlay {
    speed: u32,
    from: u32,
    to: u32,
    seconds: f64,
    drawn: f64,
    ticks: f64,
}

/// What the player came to. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Player {
    /// From having said why to the first picture.
    pub(super) first: f64,
    /// From the click on the time line to the picture.
    pub(super) seeks: Spread,
    pub(super) played: Vec<Played>,
}

/// How it played at one speed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Played {
    /// Times as fast as the session was.
    pub(super) speed: u32,
    /// Pictures drawn a second.
    pub(super) drawn: f64,
    /// Moments a second in which the browser could have drawn, and the player did what it had to.
    pub(super) moments: f64,
    /// Pictures a second that the view has for this time at this speed.
    pub(super) there: f64,
}

impl Lab {
    /// Plays a recording in Chromium, and seeks in it so many times.
    pub(super) fn play(&self, id: &str, seeks: u32) -> Result<Player> {
        let folder = self.directory.join("player");
        fs::create_dir(&folder)?;
        let script = folder.join("player.mjs");
        fs::write(&script, SCRIPT)?;
        let url = format!("https://localhost:{}", self.https.port());
        let mut node = command("node", [script.as_os_str()]);
        node.args([&url, id, &seeks.to_string()])
            .env("MODULES", shell::root().join("target/e2e-tools/npm/node_modules"))
            .env("USER_NAME", AUDITOR)
            .env("PASSWORD", PASSWORD)
            .env("HOME", &folder);
        let mut process = Process::start("player", node, &folder)?;
        let deadline = clock::now() + PATIENCE;
        let status = loop {
            if let Some(status) = process.ended()? {
                break status;
            }
            ensure!(clock::now() < deadline, "the browser is not done after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(100));
        };
        let log = fs::read_to_string(folder.join("player.log"))?;
        ensure!(status.success(), "the browser ended with {status}: {log}");
        let line = log.lines().find(|line| line.starts_with('{')).context("the browser printed no result")?;
        let Printed { first, sought, played } = serde_json::from_str(line)?;
        let viewing = self.view(id)?;
        let manifest = self.manifest(id, &viewing)?;
        let played = played.into_iter().map(|play| {
            let there = self.frames(id, &viewing, &manifest, play.from, play.to)?;
            let each = |count: f64| count / play.seconds;
            Ok(Played {
                speed: play.speed,
                drawn: each(play.drawn),
                moments: each(play.ticks),
                there: each(there),
            })
        });
        Ok(Player {
            first,
            seeks: spread(&sought).context("no seek showed another picture")?,
            played: played.collect::<Result<_>>()?,
        })
    }

    /// How many frames a view has between two times.
    fn frames(&self, id: &str, viewing: &str, manifest: &Manifest, from: u32, to: u32) -> Result<f64> {
        let mut frames = 0u32;
        let mut control = self.control()?;
        for chunk in &manifest.chunks {
            if chunk.until_ms < u64::from(from) || chunk.from_ms > u64::from(to) {
                continue;
            }
            let path = format!("/api/v1/recordings/{id}/view/chunks/{}", chunk.number);
            let bytes = control.get(&path, Some(viewing))?;
            let mut messages = Messages::new(&bytes[..])?;
            while let Some((t_ms, message)) = messages.next_message()? {
                frames += u32::from(message == Message::Frame && (from..=to).contains(&t_ms));
            }
        }
        Ok(f64::from(frames))
    }
}
