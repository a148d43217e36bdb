//! Recordings that their gateway cannot read, opened by an auditor who has the key, on a machine without a gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use passerelle_desktop::{Framebuffer, Rect};
use passerelle_recorder::view::{Messages, ViewPicture};
use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::clients::{Client, Login};
use crate::harness::lab::Lab;
use crate::harness::picture::Picture;
use crate::harness::process::{Process, read};
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site};
use crate::web::Browser;

/// What the technician types.
const LINE: &str = "sealed for the auditor";
/// How many percent of the pixels may differ: the technician's pointer, which is drawn beside the picture.
const DIFFERENCE: f64 = 1.0;
/// Machines that run these tests stall.
const LONG: Duration = Duration::from_secs(60);

/// A key as the stock program makes it: its file, and its public half.
fn auditor(lab: &Lab, name: &str) -> Outcome<(String, String)> {
    let file = lab.path(name);
    read(Command::new("age-keygen").arg("-o").arg(&file))?;
    let public = read(Command::new("age-keygen").arg("-y").arg(&file))?;
    Ok((file.to_string_lossy().into_owned(), String::from_utf8_lossy(&public).trim().to_owned()))
}

/// `recordings open` where there is no configuration.
struct Player {
    process: Process,
    /// Where it listens, such as `127.0.0.1:4000`.
    host: String,
    token: String,
    temporary: PathBuf,
}

impl Player {
    fn start(lab: &Lab, name: &str, arguments: &[&str]) -> Outcome<Self> {
        let temporary = lab.subfolder(&format!("{name}-temporary"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_passerelle"));
        command
            .args(["recordings", "open"])
            .args(arguments)
            .args(["--config", "/nonexistent"])
            .env("TMPDIR", &temporary);
        let mut process = lab.start(name, &command)?;
        let url = wait_for("the address of the player", LONG, || {
            let log = lab.log_of(name).unwrap_or_default();
            let url = log.lines().find_map(|line| line.trim().strip_prefix("http://").map(str::to_owned));
            let ended = process.ended().map(|status| Err(format!("it ended with {status}: {log}")));
            url.map(Ok).or(ended)
        })??;
        let (host, rest) = url.split_once('/').ok_or("the address has no path")?;
        let (_, token) = rest.split_once("#token=").ok_or("the address has no token")?;
        Ok(Self { process, host: host.to_owned(), token: token.to_owned(), temporary })
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*"])
            .args(arguments)
            .arg(format!("http://{}/api/v1{path}", self.host));
        curl
    }

    fn get(&self, path: &str, arguments: &[&str]) -> Outcome<Vec<u8>> {
        let token = format!("Authorization: Bearer {}", self.token);
        read(self.curl(path, &["--fail-with-body", "--header", &token]).args(arguments))
    }

    fn json(&self, path: &str, arguments: &[&str]) -> Outcome<Value> {
        let text = self.get(path, arguments)?;
        serde_json::from_slice(&text).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&text)))
    }

    /// Ends it as Ctrl-C does, and checks that it leaves nothing behind.
    fn end(mut self) -> Outcome {
        if files(&self.temporary)?.is_empty() {
            return Err("it keeps what it makes elsewhere".into());
        }
        self.process.signal("INT")?;
        let status = self.process.wait(LONG)?;
        let left = files(&self.temporary)?;
        if status.success() && left.is_empty() { Ok(()) } else { Err(format!("{status}; it left {left:?}")) }
    }

    /// Checks that nobody else gets anything.
    fn check_door(&self) -> Outcome {
        let right = format!("Authorization: Bearer {}", self.token);
        for (what, path, headers, status) in [
            ("no token", "/recordings", vec![], "401"),
            ("a wrong token", "/recordings", vec!["Authorization: Bearer AAAA"], "401"),
            ("another name", "/recordings", vec![&*right, "Host: evil.example:80"], "421"),
            ("another site", "/recordings", vec![&*right, "Origin: http://evil.example"], "403"),
            ("another route", "/sessions", vec![&*right], "404"),
            ("nothing wrong", "/recordings", vec![&*right], "200"),
        ] {
            let mut curl = self.curl(path, &["--output", "/dev/null", "--write-out", "%{http_code}"]);
            for header in headers {
                curl.args(["--header", header]);
            }
            let answered = String::from_utf8_lossy(&read(&mut curl)?).into_owned();
            if answered != status {
                return Err(format!("with {what} the answer is {answered}"));
            }
        }
        Ok(())
    }

    /// What is shown at the end of the recording.
    fn last_picture(&self, id: &str) -> Outcome<Picture> {
        let body = ["--json", r#"{"reason":"to see it"}"#];
        let viewing = self.json(&format!("/recordings/{id}/viewings"), &body)?;
        let viewing = viewing["viewing"].as_str().ok_or_else(|| format!("no viewing: {viewing}"))?.to_owned();
        let header = format!("Passerelle-Viewing: {viewing}");
        let viewing = ["--header", &*header];
        let view = wait_for("the view", LONG, || {
            let view = self.json(&format!("/recordings/{id}/view"), &viewing);
            let over = |view: &Value| view["state"] == "ready" || view["state"] == "failed";
            view.as_ref().map_or(true, over).then_some(view)
        })??;
        let mut picture = ViewPicture::new().map_err(|error| error.to_string())?;
        for chunk in view["chunks"].as_array().ok_or("no chunks")? {
            let path = format!("/recordings/{id}/view/chunks/{}", chunk["number"]);
            let chunk = self.get(&path, &viewing)?;
            let mut messages = Messages::new(&chunk[..]).map_err(|error| error.to_string())?;
            while let Some((_, message)) = messages.next_message().map_err(|error| error.to_string())? {
                picture.apply(&message).map_err(|error| error.to_string())?;
            }
        }
        Ok(pixels(picture.framebuffer()))
    }
}

fn pixels(framebuffer: &Framebuffer) -> Picture {
    let size = framebuffer.size();
    Picture::from_pixels(size.width.into(), framebuffer.rows(Rect::of(size)).flatten().copied())
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// The gateway's own answer for a recording that it cannot read.
fn check_sealed(site: &Site<'_>, id: &str) -> Outcome {
    let api = format!("http://localhost/api/v1/recordings/{id}");
    let curl = |path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--unix-socket"])
            .arg(site.data().join("control.sock"))
            .arg(format!("{api}/{path}"));
        curl
    };
    let answer = read(curl("viewings").args(["--json", r#"{"reason":"to see it"}"#]))?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    let header = format!("Passerelle-Viewing: {}", answer["viewing"].as_str().unwrap_or_default());
    let refused = read(curl("events").args(["--header", &header]))?;
    let refused = String::from_utf8_lossy(&refused);
    if !refused.contains("problem:sealed") || !refused.contains("recordings open") {
        return Err(format!("the gateway says of its sealed recording: {refused}"));
    }
    Ok(())
}

/// Replaces the first auditor by the late one, and checks with the stock program that the keys are for that one only.
fn check_rewrapped(
    lab: &Lab,
    site: &Site<'_>,
    id: &str,
    first: &(String, String),
    late: &(String, String),
) -> Outcome {
    let (identity, removed) = first;
    let (added_identity, added) = late;
    site.cli(&["recordings", "rewrap", id, "--add", added, "--remove", removed, "--identity", identity])?;
    let recording = site.data().join("recordings").join(id);
    let newest = files(&recording)?
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("keys-")));
    let newest = newest.max().ok_or("there are no new keys")?;
    let keys = fs::read(&newest).map_err(|error| format!("{}: {error}", newest.display()))?;
    let keys: Value = serde_json::from_slice(&keys).map_err(|error| error.to_string())?;
    let wrapped = keys["wrapped"].as_object().ok_or_else(|| format!("no keys in {keys}"))?;
    for (class, wrapped) in wrapped {
        let file = lab.write("wrapped.age", wrapped.as_str().unwrap_or_default())?;
        let unwrap = |identity: &str| read(Command::new("age").args(["-d", "-i", identity]).arg(&file));
        let key = unwrap(added_identity)?;
        if key.len() != 32 || unwrap(identity).is_ok() {
            return Err(format!("the key of {class} is not for who was added, or still for who was removed"));
        }
    }
    if wrapped.len() != 3 {
        return Err(format!("there are other keys than those of three classes: {keys}"));
    }
    let cat =
        |identity: &str| site.run(&["recordings", "cat", id, "--lane", "events", "--identity", identity]);
    if cat(identity)?.success || !cat(added_identity)?.success {
        return Err("who was removed can read it, or who was added cannot".into());
    }
    site.expect_sealed()
}

/// A gateway that records for an auditor only cannot show what it wrote. The auditor takes a copy away and plays it;
/// then another auditor takes their place, who plays it in a browser. Nothing of it stays behind.
#[test]
fn a_sealed_recording_is_played_on_the_auditors_machine() {
    Lab::run(|lab| {
        let (key, public) = auditor(lab, "auditor.key")?;
        let late = auditor(lab, "late.key")?;
        let desk = Target::start(lab, Server::XvncNone)?;
        let setup = Setup::vnc()
            .target("desk", desk.port, "")
            .with("tls: { self_signed: true }")
            .with(&format!("recording: {{ recipients: ['{public}'] }}"));
        let site = Site::start(lab, setup)?;
        let login = Login {
            port: site.port,
            username: None,
            password: site.ticket()?.vnc_password,
            authority: site.data().join("self-signed.crt"),
        };
        let viewer = Client::TigervncVncAuth.connect(lab, &login, LINE)?;
        desk.wait_typed(LINE)?;
        let id = site.wait_sessions(1)?.remove(0);
        let last = desk.picture()?;
        drop(viewer);
        site.wait_ends(1)?;
        check_sealed(&site, &id)?;
        let signer =
            site.json(&["recordings", "show", &id])?["signer"].as_str().unwrap_or_default().to_owned();
        let take = |folder: &str| {
            let copy = lab.subfolder(folder)?.join(&id);
            read(Command::new("cp").arg("-r").arg(site.data().join("recordings").join(&id)).arg(&copy))?;
            Ok::<_, String>(copy.to_string_lossy().into_owned())
        };
        let copy = take("copy")?;
        check_rewrapped(lab, &site, &id, &(key.clone(), public), &late)?;
        let later = take("later")?;
        drop(site);

        let player = Player::start(lab, "proven", &[&copy, "--identity", &key, "--signer", &signer])?;
        player.check_door()?;
        let list = player.json("/recordings", &[])?;
        let found = &list["items"][0];
        let verified = &found["verification"];
        if found["id"] != *id || verified["verdict"] != "sealed" || verified.get("unproven").is_some() {
            return Err(format!("the list is {list}"));
        }
        let shown = player.last_picture(&id)?;
        let difference = shown.difference_within(&last);
        if difference > DIFFERENCE {
            return Err(format!("{difference:.2} % of the pixels differ from what the technician saw"));
        }
        player.end()?;

        let player = Player::start(lab, "unproven", &[&later, "--identity", &late.0])?;
        let verified = player.json(&format!("/recordings/{id}/verify"), &["--request", "POST"])?;
        if verified["unproven"] != true || verified["intact"] != true {
            return Err(format!("nobody named a signer, and the answer is {verified}"));
        }
        let base = format!("http://{}", player.host);
        let mut browser = Browser::start(lab, "open", &base, &id, &player.token)?;
        browser.wait_same("opened.png", || Ok(last.clone()))?;
        browser.answer("same")?;
        browser.finish()?;
        player.end()
    });
}
