//! Views of recordings: rendered by a confined process, watched live, sought in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use passerelle_desktop::{Framebuffer, Rect};
use passerelle_recorder::view::{Message, Messages, ViewPicture};
use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::Lab;
use crate::harness::picture::Picture;
use crate::harness::process::read;
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;

/// What technicians type.
const LINE: &str = "watch me type";
/// How many percent of the pixels may differ: a pointer that the viewer draws, blurred edges in JPEG.
const DIFFERENCE: f64 = 1.0;
/// Machines that run these tests stall.
const LONG: Duration = Duration::from_secs(60);

/// The API on the control socket, for one recording.
pub(crate) struct Recording<'a> {
    lab: &'a Lab,
    id: String,
    viewing: String,
}

impl<'a> Recording<'a> {
    pub(crate) fn view(lab: &'a Lab, id: String) -> Outcome<Self> {
        let recording = Self { lab, id, viewing: String::new() };
        let body = json!({ "reason": "to see whether it can be seen" }).to_string();
        let mut curl = recording.curl("viewings");
        let answer = json_of(curl.args(["--header", "Content-Type: application/json", "--data", &body]))?;
        let viewing = answer["viewing"].as_str().ok_or_else(|| format!("no viewing: {answer}"))?;
        Ok(Self { viewing: viewing.to_owned(), ..recording })
    }

    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--no-buffer", "--unix-socket"])
            .arg(self.lab.path("data").join("control.sock"))
            .args(["--header", &format!("Passerelle-Viewing: {}", self.viewing)])
            .arg(format!("http://localhost/api/v1/recordings/{}/{path}", self.id));
        curl
    }

    fn get(&self, path: &str) -> Outcome<Vec<u8>> {
        read(&mut self.curl(path))
    }

    fn manifest(&self) -> Outcome<Value> {
        json_of(&mut self.curl("view"))
    }

    /// Waits until the view is in this state.
    pub(crate) fn wait(&self, state: &str) -> Outcome<Value> {
        let mut found = Value::Null;
        let waited = wait_for(&format!("the view being {state}"), LONG, || {
            found = self.manifest().ok()?;
            (found["state"] == state).then(|| found.clone())
        });
        waited.map_err(|error| format!("{error}: {found}"))
    }

    /// The messages of each chunk, and from when on each is to be shown.
    pub(crate) fn chunks(&self, manifest: &Value) -> Outcome<Vec<(u32, Vec<u8>)>> {
        let chunks = manifest["chunks"].as_array().ok_or("the manifest has no chunks")?;
        let chunk = |chunk: &Value| {
            let bytes = self.get(&format!("view/chunks/{}", chunk["number"]))?;
            let from = chunk["from_ms"].as_u64().and_then(|from| u32::try_from(from).ok());
            Ok((from.ok_or("a chunk has no beginning")?, bytes))
        };
        chunks.iter().map(chunk).collect()
    }
}

fn json_of(curl: &mut Command) -> Outcome<Value> {
    let text = read(curl)?;
    serde_json::from_slice(&text).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&text)))
}

/// The same as what a person would see.
fn pixels(framebuffer: &Framebuffer) -> Picture {
    let size = framebuffer.size();
    Picture::from_pixels(size.width.into(), framebuffer.rows(Rect::of(size)).flatten().copied())
}

/// What a stream of messages that is not over shows.
fn shown(path: &PathBuf) -> Outcome<Picture> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut picture = ViewPicture::new().map_err(|error| error.to_string())?;
    let mut rest = &bytes[..];
    while let Some((_, message, len)) = Message::parse(rest).map_err(|error| error.to_string())? {
        picture.apply(&message).map_err(|error| error.to_string())?;
        rest = &rest[len..];
    }
    Ok(pixels(picture.framebuffer()))
}

/// The time of the last frame in a stream of messages that is not over.
fn last_frame(path: &PathBuf) -> Outcome<u32> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (mut rest, mut last) = (&bytes[..], 0);
    while let Some((t_ms, message, len)) = Message::parse(rest).map_err(|error| error.to_string())? {
        if message == Message::Frame {
            last = t_ms;
        }
        rest = &rest[len..];
    }
    Ok(last)
}

/// Plays a chunk up to a time on top of what was shown before.
fn play(picture: &mut ViewPicture, chunk: &[u8], until_ms: u32) -> Outcome {
    let mut messages = Messages::new(chunk).map_err(|error| error.to_string())?;
    while let Some((t_ms, message)) = messages.next_message().map_err(|error| error.to_string())? {
        if t_ms > until_ms {
            break;
        }
        picture.apply(&message).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Seeks to 200 times and compares with playing there; answers with the last picture.
fn seek(chunks: &[(u32, Vec<u8>)], duration: u32) -> Outcome<Picture> {
    let new = || ViewPicture::new().map_err(|error| error.to_string());
    let mut state = 1u32;
    let mut times: Vec<u32> = Vec::new();
    for _ in 0..200 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        times.push(state % duration.max(1));
    }
    times.sort_unstable();
    times.push(duration);
    let (mut played, mut next) = (new()?, 0);
    for t_ms in times {
        let at = chunks.iter().rposition(|(from, _)| *from <= t_ms).ok_or("no chunk shows the beginning")?;
        while next < at {
            play(&mut played, &chunks[next].1, u32::MAX)?;
            next += 1;
        }
        play(&mut played, &chunks[at].1, t_ms)?;
        let mut sought = new()?;
        play(&mut sought, &chunks[at].1, t_ms)?;
        let all = Rect::of(played.framebuffer().size());
        let same = played.framebuffer().size() == sought.framebuffer().size()
            && played.framebuffer().rows(all).eq(sought.framebuffer().rows(all));
        if !same || played.pointer() != sought.pointer() {
            return Err(format!("seeking to {t_ms} ms shows something else than playing"));
        }
    }
    Ok(pixels(played.framebuffer()))
}

/// The process that renders for this gateway.
fn worker(gateway: &mut Gateway) -> Option<u32> {
    let parent = gateway.process().id();
    let children = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let ours = status
            .lines()
            .any(|line| line.strip_prefix("PPid:").is_some_and(|line| line.trim() == parent.to_string()));
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        (ours && command.split(|byte| *byte == 0).any(|argument| argument == b"render-worker")).then_some(pid)
    });
    children.into_iter().next()
}

/// Checks that the kernel confines the process.
fn check_confined(pid: u32) -> Outcome {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        if !status.lines().any(|found| found == line) {
            return Err(format!("the process that renders has not {line}: {status}"));
        }
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).map_err(|error| error.to_string())?;
    if environment.is_empty() { Ok(()) } else { Err("the process that renders has an environment".into()) }
}

fn like(a: &Picture, b: &Picture) -> bool {
    (a.width, a.height) == (b.width, b.height) && a.difference_within(b) < DIFFERENCE
}

/// Somebody watches while the technician types, and the process that renders is killed meanwhile. Afterwards the view is
/// sought in, lost, and rendered again.
#[test]
fn an_rdp_session_is_watched_and_then_sought_in() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::ShadowTls)?;
        let client = Rdp::XfreerdpTls(&[]);
        let mut gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        let viewer = client.connect(lab, &gateway.long_login(&gateway.ticket()?), LINE)?;
        let id = gateway.wait_session()?;
        let recording = Recording::view(lab, id.clone())?;
        if recording.manifest()?["state"] != "none" {
            return Err("it is rendered although nobody asked for it".into());
        }
        killed_while_watched(lab, &mut gateway, &recording)?;

        // The session does not notice, and can be watched again.
        let messages = lab.path("second.messages");
        let mut watching = lab.start_with_output("second", &recording.curl("live"), &messages)?;
        target.wait_typed(LINE)?;
        let seen = wait_for("the watcher seeing what the technician sees", LONG, || {
            let seen = viewer.picture().ok()?;
            (like(&seen, &target.picture().ok()?) && like(&shown(&messages).ok()?, &seen)).then_some(seen)
        })?;
        // Nothing changes now, and the watcher is told so.
        let before = last_frame(&messages)?;
        wait_for("frames although nothing changes", LONG, || {
            last_frame(&messages).ok().filter(|t_ms| *t_ms >= before + 2000)
        })?;
        drop(viewer);
        gateway.wait_idle()?;
        watching.wait(LONG)?;
        check_view(lab, &recording, &seen)?;
        let over = recording.curl("live").output().map_err(|error| error.to_string())?;
        if !String::from_utf8_lossy(&over.stdout).contains("the session is over") {
            return Err(format!("a session that is over can be watched: {over:?}"));
        }

        // A view is no evidence, and is protected all the same.
        let view = lab.path("data").join("views").join(&id);
        let segment = fs::read(view.join("000001.seg")).map_err(|error| error.to_string())?;
        if segment.windows(4).any(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]) {
            return Err("the view is kept in clear".into());
        }
        fs::remove_dir_all(&view).map_err(|error| format!("{}: {error}", view.display()))?;
        let said = gateway.cli(&["recordings", "render", &id])?;
        if !said.contains("is rendered") {
            return Err(format!("it was not rendered: {said}"));
        }
        check_view(lab, &recording, &seen)?;
        gateway.verify_recording()?;
        gateway.expect_audit(&["recording.viewing", "recording.sealed"])
    });
}

/// Ends the process that renders while somebody watches.
fn killed_while_watched(lab: &Lab, gateway: &mut Gateway, recording: &Recording<'_>) -> Outcome {
    let messages = lab.path("first.messages");
    let _watching = lab.start_with_output("first", &recording.curl("live"), &messages)?;
    let pid = wait_for("a process that renders", LONG, || worker(gateway))?;
    wait_for("something to watch", LONG, || {
        fs::metadata(&messages).ok().filter(|file| file.len() > 10_000).map(drop)
    })?;
    check_confined(pid)?;
    read(Command::new("kill").args(["-KILL", &pid.to_string()]))?;
    let failed = recording.wait("failed")?;
    if failed["message"].as_str().is_some_and(|message| message.contains("killed")) {
        Ok(())
    } else {
        Err(format!("it does not say that it was killed: {failed}"))
    }
}

/// Checks that every time of the view can be sought, and that it ends with what was `seen`.
fn check_view(lab: &Lab, recording: &Recording<'_>, seen: &Picture) -> Outcome {
    let manifest = recording.wait("ready")?;
    let chunks = recording.chunks(&manifest)?;
    let duration = manifest["duration_ms"].as_u64().and_then(|ms| u32::try_from(ms).ok()).unwrap_or(0);
    let last = seek(&chunks, duration)?;
    if !like(&last, seen) {
        last.save(&lab.path("view.png"))?;
        seen.save(&lab.path("viewer.png"))?;
        return Err("the view does not end with what was seen, see view.png and viewer.png".into());
    }
    let small = recording.get("view/thumbnails/0")?;
    if small.starts_with(b"\xff\xd8\xff") { Ok(()) } else { Err("the thumbnail is no JPEG file".into()) }
}
