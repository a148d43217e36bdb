//! Audit events that leave the gateway: to a syslog server as they happen, and in the forms of other systems.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::{Lab, tools};
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::{Process, read};
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site};
use crate::peers::target::Target;

const SOON: Duration = Duration::from_secs(60);

/// rsyslog with TLS. What arrives is a line each in `got`, with the structured data as rsyslog's parser has it.
fn rsyslog(lab: &Lab, port: u16) -> Outcome<Process> {
    let work = lab.subfolder("rsyslog")?;
    let (crt, key, work) = (lab.path("log.crt"), lab.path("log.key"), work.display());
    let config = format!(
        r#"global(workDirectory="{work}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{crt}" defaultNetstreamDriverCertFile="{crt}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="mmpstrucdata")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="line" type="list") {{
  constant(value="{{\"id\":\"") property(name="msgid" format="json")
  constant(value="\",\"app\":\"") property(name="app-name" format="json")
  constant(value="\",\"facility\":\"") property(name="syslogfacility-text")
  constant(value="\",\"time\":\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\",\"data\":") property(name="$!rfc5424-sd") constant(value="}}\n")
}}
action(type="mmpstrucdata")
action(type="omfile" file="{got}" template="line" flushOnTXEnd="on")
"#,
        crt = crt.display(),
        key = key.display(),
        got = lab.path("got").display(),
    );
    let config = lab.write("rsyslog.conf", config)?;
    let mut command = Command::new("rsyslogd");
    command.arg("-n").arg("-f").arg(config).arg("-i").arg(lab.path("rsyslog.pid"));
    let mut process = lab.start("rsyslog", &command)?;
    wait_listening(&mut process, port)?;
    Ok(process)
}

fn certificate(lab: &Lab) -> Outcome {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    command.arg("-keyout").arg(lab.path("log.key")).arg("-out").arg(lab.path("log.crt"));
    read(&mut command).map(drop)
}

/// Events by their number, each with what the server said of it.
type Events = BTreeMap<u64, Vec<Value>>;

/// What the server has: events, and checkpoints.
fn received(lab: &Lab) -> Outcome<(Events, Vec<Value>)> {
    let (mut events, mut checkpoints) = (Events::new(), Vec::new());
    let text = fs::read_to_string(lab.path("got")).unwrap_or_default();
    // The last line may not be whole yet.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let mut line: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        if line["id"] == "checkpoint" {
            checkpoints.push(line["data"]["checkpoint@32473"].take());
            continue;
        }
        let seq = line["data"]["passerelle@32473"]["seq"].as_str().and_then(|seq| seq.parse().ok());
        events
            .entry(seq.ok_or_else(|| format!("a message without a number: {line}"))?)
            .or_default()
            .push(line);
    }
    Ok((events, checkpoints))
}

/// Waits until everything is there that the log has behind the line `first`, and compares it.
fn expect_all(lab: &Lab, site: &Site<'_>, first: u64) -> Outcome {
    let log = site.audit()?;
    let wanted: Vec<&Value> = log.iter().filter(|event| event["seq"].as_u64() > Some(first)).collect();
    let got = wait_for("every event at the syslog server", SOON, || {
        let (events, _) = received(lab).ok()?;
        let all =
            wanted.iter().all(|event| event["seq"].as_u64().is_some_and(|seq| events.contains_key(&seq)));
        all.then_some(events)
    });
    let got = got.map_err(|error| format!("{error}; it has {:?} of {wanted:?}", received(lab)))?;
    for event in wanted {
        let messages = &got[&event["seq"].as_u64().unwrap_or_default()];
        if messages.iter().any(|message| *message != messages[0]) {
            return Err(format!("two messages of one event differ: {messages:?}"));
        }
        let message = &messages[0];
        let fields = &message["data"]["passerelle@32473"];
        let same = |name: &str| fields[name] == event[name];
        let good = message["id"] == event["kind"]
            && (message["app"] == "passerelle" && message["facility"] == "audit")
            && ["outcome", "session", "technician", "target", "address", "prev"].into_iter().all(same);
        if !good {
            return Err(format!("{message} is not what the log has: {event}"));
        }
    }
    Ok(())
}

/// Over TLS, through an outage of the server and a restart of the gateway: no event is missing. The checkpoints that
/// arrive beside them, and those in the file, hold.
#[test]
fn a_syslog_server_gets_every_event_and_the_checkpoints() {
    Lab::run(|lab| {
        certificate(lab)?;
        let port = free_port()?;
        let mut server = rsyslog(lab, port)?;
        let target = Target::quiet()?;
        let anchors = lab.path("anchors");
        let mut site = Site::start(
            lab,
            Setup::new(&target).with(&format!(
                "audit:\n  syslog: {{ address: 'localhost:{port}', ca_file: '{}', facility: audit }}\n  \
                 anchor: {{ every: 1s, file: '{}', syslog: true }}",
                lab.path("log.crt").display(),
                anchors.display(),
            )),
        )?;
        // It begins with the first event after the one that the log had at that moment.
        let first = wait_for("the first event at the server", SOON, || {
            site.ticket().ok()?;
            received(lab).ok()?.0.keys().next().copied()
        })? - 1;
        expect_all(lab, &site, first)?;

        server.signal("TERM")?;
        server.wait(SOON)?;
        for _ in 0..3 {
            site.ticket()?;
        }
        let server = rsyslog(lab, port)?;
        expect_all(lab, &site, first)?;
        site.kill()?;
        site.restart()?;
        site.ticket()?;
        expect_all(lab, &site, first)?;

        let notes = wait_for("a checkpoint at the server and one in the file", SOON, || {
            let (_, checkpoints) = received(lab).ok()?;
            let has = fs::read_to_string(&anchors).is_ok_and(|text| text.contains("passerelle-audit/"));
            (has && !checkpoints.is_empty()).then_some(checkpoints)
        })?;
        let note = notes[0]["note"].as_str().ok_or("a checkpoint without its note")?;
        let decoded = read(Command::new("sh").args(["-c", &format!("echo {note} | base64 -d")]))?;
        let kept = lab.write("kept.checkpoint", decoded)?;
        for kept in [&kept, &anchors] {
            let said = site.cli(&["audit", "verify", "--checkpoint", &kept.display().to_string()])?;
            if !String::from_utf8_lossy(&said).contains("are still the log's first") {
                return Err(format!("{} was not compared", kept.display()));
            }
        }
        drop(server);
        exports(lab, &site)
    });
}

/// What programs of others make of the exports.
fn exports(lab: &Lab, site: &Site<'_>) -> Outcome {
    let path = |form: &str| lab.path(form).display().to_string();
    for form in ["json", "ocsf", "csv", "syslog"] {
        site.cli(&[
            "audit",
            "export",
            "--format",
            form,
            "--output",
            &path(form),
            "--until",
            "2100-01-01T00:00:00Z",
        ])?;
    }
    let none = site.cli(&["audit", "export", "--format", "json", "--from", "2100-01-01T00:00:00Z"])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/exports.py");
    let python = tools().join("venv/bin/python");
    let count = read(Command::new(python).arg(script).args([path("json"), path("ocsf"), path("csv")]))?;
    let lines = fs::read_to_string(path("syslog")).map_err(|error| error.to_string())?.lines().count();
    if !none.is_empty() || String::from_utf8_lossy(&count).trim() != lines.to_string() {
        return Err(format!("{lines} lines of syslog, and {none:?} from the future"));
    }
    Ok(())
}
