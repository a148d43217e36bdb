//! Recordings in an object store of a stock server, moto, behind a proxy that loses things on purpose.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::{Lab, tools};
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::{Process, read};
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site};
use crate::peers::target::{Target, drain};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// How long something may take that waits for another attempt.
const PATIENCE: Duration = Duration::from_secs(60);

/// How curl asks the store, which lets nobody read who has signed nothing.
const CURL: [&str; 7] =
    ["--silent", "--show-error", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "id:key"];

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It answers 500 and passes nothing on.
    Broken,
    /// It takes the request and never answers.
    Silent,
    /// It passes the request on, and loses the answer to every other one that writes.
    Forgetful,
}

/// Stands between the gateway and the store, with one connection for each request.
struct Proxy {
    port: u16,
    fault: Arc<AtomicU8>,
    met: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(upstream: u16) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let (fault, met) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicUsize::new(0)));
        let (mode, count) = (fault.clone(), met.clone());
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mode, count) = (mode.clone(), count.clone());
                // A connection that breaks is what this is about.
                spawn(move || drop(pass(stream, upstream, &mode, &count)));
            }
        });
        Ok(Self { port, fault, met })
    }

    /// From now on.
    fn set(&self, fault: Fault) {
        self.met.store(0, Ordering::SeqCst);
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Waits until so many requests have met the fault.
    fn wait_met(&self, times: usize) -> Outcome {
        wait_for(&format!("{times} requests that meet the fault"), PATIENCE, || {
            (self.met.load(Ordering::SeqCst) >= times).then_some(())
        })
    }
}

fn pass(mut client: TcpStream, upstream: u16, mode: &AtomicU8, count: &AtomicUsize) -> std::io::Result<()> {
    let request = request(&mut client)?;
    let fault = mode.load(Ordering::SeqCst);
    if fault == Fault::Broken as u8 {
        count.fetch_add(1, Ordering::SeqCst);
        return client.write_all(
            b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    }
    if fault == Fault::Silent as u8 {
        count.fetch_add(1, Ordering::SeqCst);
        drain(client);
        return Ok(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if fault == Fault::Forgetful as u8 && request.starts_with(b"PUT") {
        // Only now, when the store has it.
        if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return client.shutdown(Shutdown::Both);
        }
    }
    client.write_all(&answer)
}

/// A whole request, as its `content-length` says.
fn request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut room = [0; 64 * 1024];
    loop {
        let count = stream.read(&mut room)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&room[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0_usize) {
            return Ok(bytes);
        }
    }
}

/// moto's server with a bucket.
struct Store {
    port: u16,
    _process: Process,
}

impl Store {
    fn start(lab: &Lab) -> Outcome<Self> {
        let port = free_port()?;
        let mut command = Command::new(tools().join("venv/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut process = lab.start("moto", &command)?;
        wait_listening(&mut process, port)?;
        let store = Self { port, _process: process };
        store.curl(&["-X", "PUT", &store.url("")])?;
        Ok(store)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/recordings{path}", self.port)
    }

    fn curl(&self, arguments: &[&str]) -> Outcome<String> {
        let answer = read(Command::new("curl").args(CURL).args(arguments))?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The names of a recording's objects as moto lists them.
    fn objects(&self, id: &str) -> Outcome<Vec<String>> {
        let list = self.curl(&[&self.url(&format!("?list-type=2&prefix=site/{id}/"))])?;
        let keys = list.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(keys.map(|(key, _)| key.rsplit('/').next().unwrap_or_default().to_owned()).collect())
    }
}

/// The section of the configuration.
fn section(port: u16, more: &str) -> String {
    format!(
        "recording:\n  object_store:\n    url: s3://recordings/site\n    endpoint: http://127.0.0.1:{port}\n    \
         access_key: insecure-inline:id\n    secret_key: insecure-inline:key\n    timeout: 2s\n{more}"
    )
}

/// A target that sends pictures all the time, so that segments fill.
fn busy() -> Outcome<Target> {
    Target::start(|mut stream, _| {
        if let Ok(other) = stream.try_clone() {
            spawn(move || drain(other));
        }
        let mut noise = wire::Noise::new();
        while stream.write_all(&noise.updates(4)).is_ok() {
            sleep(Duration::from_millis(50));
        }
    })
}

fn stored(site: &Site<'_>, id: &str) -> Outcome<Value> {
    wait_for(&format!("that the store has all of {id}"), PATIENCE, || {
        let events = site.audit_of("recording.stored").ok()?;
        events.into_iter().find(|event| event["session"] == id)
    })
}

fn segments(site: &Site<'_>, id: &str) -> Outcome<Vec<String>> {
    let directory = site.data().join("recordings").join(id);
    let entries = std::fs::read_dir(&directory).map_err(|error| error.to_string())?;
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".seg"));
    names.sort();
    Ok(names)
}

#[test]
fn recordings_reach_the_object_store_whatever_gets_lost() {
    Lab::run(|lab| {
        let store = Store::start(lab)?;
        let proxy = Proxy::start(store.port)?;
        let target = busy()?;
        proxy.set(Fault::Broken);
        let mut site = Site::start(lab, Setup::new(&target).with(&section(proxy.port, "")))?;

        // While the store fails, sessions go on as always.
        let viewer = Viewer::login(&site, &site.ticket()?)?;
        let reading = viewer.stream.try_clone().map_err(|error| error.to_string())?;
        let reader = spawn(move || drain(reading));
        let id = site.wait_sessions(1)?.remove(0);
        proxy.wait_met(2)?;
        proxy.set(Fault::Silent);
        proxy.wait_met(1)?;
        wait_for("three segments", PATIENCE, || (segments(&site, &id).ok()?.len() > 2).then_some(()))?;
        proxy.set(Fault::Forgetful);
        proxy.wait_met(3)?;
        // In the middle of it the gateway is killed.
        site.kill()?;
        reader.join().map_err(|_| "the viewer panicked")?;
        drop(viewer);
        site.restart()?;
        let event = stored(&site, &id)?;
        let root = event["detail"]["root"].as_str().ok_or("a stored recording without a root")?.to_owned();
        let local = segments(&site, &id)?;
        let there = store.objects(&id)?;
        let sent: Vec<_> = there.iter().filter(|name| name.ends_with(".seg")).cloned().collect();
        if sent != local || there.len() != local.len() + 3 {
            return Err(format!("here is {local:?}, there is {there:?}"));
        }
        if !site.audit_of("recording.differs")?.is_empty() {
            return Err("what was sent twice was taken for something else".into());
        }

        // The copy here goes; what is read comes from there, and is what it was.
        proxy.set(Fault::None);
        site.replace("    timeout: 2s\n", "    timeout: 2s\n    keep_local: 0s\n")?;
        site.process()?.signal("HUP")?;
        wait_for("that nothing is left here", PATIENCE, || {
            segments(&site, &id).ok()?.is_empty().then_some(())
        })?;
        let list = site.json(&["recordings", "list"])?;
        if list[0]["offloaded"] != true || list[0]["state"] != "interrupted" {
            return Err(format!("the list says {list}"));
        }
        let verified = site.json(&["recordings", "verify", &id])?;
        if verified[0]["verdict"] != "interrupted" || verified[0]["root"] != root.as_str() {
            return Err(format!("what came back verifies as {verified}"));
        }
        let bytes = site.cli(&["recordings", "cat", &id, "--lane", "target", "--raw"])?;
        if bytes.len() < 1 << 20 {
            return Err(format!("only {} bytes came back", bytes.len()));
        }
        // Even when this machine has lost everything of it.
        let directory = site.data().join("recordings").join(&id);
        std::fs::rename(&directory, lab.path("lost")).map_err(|error| error.to_string())?;
        site.cli(&["recordings", "verify", &id])?;
        let (here, there) =
            (site.json(&["recordings", "list"])?, site.json(&["recordings", "list", "--remote"])?);
        let before = &list[0];
        let same =
            ["id", "state", "duration_ms", "bytes", "facts"].iter().all(|key| there[0][key] == before[key]);
        if here.as_array().is_none_or(|here| !here.is_empty()) || !same {
            return Err(format!("here is {here}, and the store is said to have {there} instead of {before}"));
        }
        std::fs::rename(lab.path("lost"), &directory).map_err(|error| error.to_string())?;

        // Erasing and deleting reach the store.
        site.cli(&["recordings", "erase", &id, "--class", "input", "--reason", "private"])?;
        wait_for("that the key is destroyed there", PATIENCE, || {
            let keys = store.curl(&[&store.url(&format!("/site/{id}/keys.json"))]).ok()?;
            (!keys.contains("\"input\"")).then_some(())
        })?;
        site.reload(|site| site.replace("recording:\n", "recording:\n  retention: 1s\n"))?;
        wait_for("that the store has nothing of it", PATIENCE, || {
            store.objects(&id).ok()?.is_empty().then_some(())
        })?;
        wait_for("that nothing of it is here", PATIENCE, || (!directory.exists()).then_some(()))?;
        let deleted = site.audit_of("recording.deleted")?;
        if deleted.len() != 1 || deleted[0]["detail"]["root"] != root.as_str() {
            return Err(format!("the log says of the deletion: {deleted:?}"));
        }
        Ok(())
    });
}

#[test]
fn an_object_that_differs_is_told_of_and_not_replaced() {
    Lab::run(|lab| {
        let store = Store::start(lab)?;
        let target = Target::quiet()?;
        let proxy = Proxy::start(store.port)?;
        proxy.set(Fault::Broken);
        let site = Site::start(lab, Setup::new(&target).with(&section(proxy.port, "")))?;
        drop(Viewer::login(&site, &site.ticket()?)?);
        let end = site.wait_ends(1)?;
        let id = end["session"].as_str().ok_or("a session without a name")?;
        let object = store.url(&format!("/site/{id}/000001.seg"));
        // Or else moto takes it for a form.
        let kind = "content-type: application/octet-stream";
        store.curl(&["-X", "PUT", "-H", kind, "--data-binary", "something else", &object])?;
        proxy.set(Fault::None);
        let event =
            wait_for("that it is told of", PATIENCE, || site.audit_of("recording.differs").ok()?.pop())?;
        if event["session"] != id || !event["message"].as_str().is_some_and(|why| why.contains("000001.seg"))
        {
            return Err(format!("the log says {event}"));
        }
        if store.curl(&[&object])? != "something else" {
            return Err("the object was replaced".into());
        }
        site.expect_sealed()
    });
}
