//! Webhooks with a receiver whose signatures another program checks, and which is not always there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::{Lab, tools};
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::Process;
use crate::harness::servers::Certificate;
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// What requests are signed with; 32 bytes.
const SECRET: &str = "whsec_c2VjcmV0IG9mIGEgdGVzdCwgd2l0aCAzMiBieXRlcyE=";

/// How long deliveries may take that wait for another attempt.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver of stock parts: Python's HTTP server, OpenSSL, and the library of Standard Webhooks.
struct Receiver<'a> {
    lab: &'a Lab,
    port: u16,
    certificate: Certificate,
    folder: PathBuf,
    process: Option<Process>,
}

impl<'a> Receiver<'a> {
    /// One that does not listen yet.
    fn new(lab: &'a Lab) -> Outcome<Self> {
        let (certificate, folder) = (Certificate::make(lab, "receiver")?, lab.subfolder("receiver")?);
        Ok(Self { lab, port: free_port()?, certificate, folder, process: None })
    }

    /// Its section of the gateway's configuration, with these keys besides.
    fn section(&self, more: &str) -> Outcome<String> {
        let secret = self.lab.write_secret("webhook.secret", SECRET)?;
        Ok(format!(
            "webhooks:\n  - name: siem\n    url: https://localhost:{}/in?token=hunter2\n    \
             secret: file:{}\n    ca_file: {}\n    timeout: 1s\n    {more}",
            self.port,
            secret.display(),
            self.certificate.authority.display()
        ))
    }

    /// Says how to answer from now on.
    fn mode(&self, mode: &str) -> Outcome {
        // As a whole: it may be read at any time.
        let (new, path) = (self.folder.join("mode.new"), self.folder.join("mode"));
        std::fs::write(&new, mode)
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(|error| error.to_string())
    }

    fn start(&mut self) -> Outcome {
        let mut command = Command::new(tools().join("venv/bin/python"));
        command.args(["-c", include_str!("webhooks.py"), &self.port.to_string()]);
        command
            .arg(&self.certificate.file)
            .arg(&self.certificate.key)
            .arg(&self.folder)
            .env("SECRET", SECRET);
        let mut process = self.lab.start("receiver", &command)?;
        wait_listening(&mut process, self.port)?;
        self.process = Some(process);
        Ok(())
    }

    /// What has come so far.
    fn received(&self) -> Outcome<Vec<Value>> {
        let text = std::fs::read_to_string(self.folder.join("received")).unwrap_or_default();
        let line = |line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(line).collect()
    }

    /// Waits until it has answered so often in this mode, and checks that nothing came that was not signed well.
    fn wait_answered(&self, mode: &str, times: usize) -> Outcome {
        let what = format!("that the receiver is asked {times} times in the mode {mode}");
        wait_for(&what, PATIENCE, || {
            let received = self.received().ok()?;
            (received.iter().filter(|line| line["mode"] == mode).count() >= times).then_some(())
        })?;
        match self
            .received()?
            .iter()
            .find(|line| matches!(line["mode"].as_str(), Some("unverified" | "followed")))
        {
            None => Ok(()),
            Some(wrong) => Err(format!("a request that should not be: {wrong}")),
        }
    }

    /// The numbers of the events that it took, each once, in the order in which they came first. Each is as the audit
    /// log has it, and has an identifier of its own.
    fn taken(&self, log: &[Value]) -> Outcome<Vec<u64>> {
        let mut ids = BTreeMap::new();
        let mut taken = Vec::new();
        for line in self.received()?.iter().filter(|line| line["event"]["seq"] != 0) {
            let event = &line["event"];
            let seq = event["seq"].as_u64().ok_or_else(|| format!("an event without a number: {line}"))?;
            if !log.contains(event) {
                return Err(format!("this is not in the audit log: {event}"));
            }
            let id = ids.entry(seq).or_insert_with(|| line["id"].clone());
            if *id != line["id"] {
                return Err(format!("event {seq} came with the identifiers {id} and {}", line["id"]));
            }
            if line["status"] == 204 && !taken.contains(&seq) {
                taken.push(seq);
            }
        }
        if ids.values().map(ToString::to_string).collect::<BTreeSet<_>>().len() != ids.len() {
            return Err(format!("several events have one identifier: {ids:?}"));
        }
        Ok(taken)
    }

    /// Waits until it has taken all events that begin so, in their order and without a gap.
    fn wait_all(&self, site: &Site<'_>, starts: &[&str]) -> Outcome {
        let compared = || -> Outcome<(Vec<u64>, Vec<u64>)> {
            let log = site.audit()?;
            let wanted = |event: &&Value| {
                event["kind"].as_str().is_some_and(|kind| starts.iter().any(|start| kind.starts_with(start)))
            };
            let seqs = log.iter().filter(wanted).filter_map(|event| event["seq"].as_u64());
            // A webhook that the gateway has never seen begins where the log is then.
            let taken = self.taken(&log)?;
            let first = taken.first().copied().unwrap_or(0);
            Ok((seqs.filter(|seq| *seq >= first).collect(), taken))
        };
        let mut last = String::new();
        let same = wait_for("that every event is taken", PATIENCE, || match compared() {
            Ok((wanted, taken)) if wanted == taken => Some(Ok(taken.len())),
            Ok(both) => {
                last = format!("{both:?}");
                None
            }
            Err(error) => Some(Err(error)),
        });
        match same.map_err(|error| format!("{error}: {last}"))?? {
            0 => Err("no event was taken".into()),
            _ => Ok(()),
        }
    }
}

/// Refused, failing, hanging, restarted in between: in the end every event was taken, in order, signed.
#[test]
fn every_event_arrives_whatever_happens_to_either_side() {
    Lab::run(|lab| {
        let mut receiver = Receiver::new(lab)?;
        let target = Target::quiet()?;
        let section = receiver.section("events: [session.*, ticket.*, gateway.*]")?;
        let mut site = Site::start(lab, Setup::new(&target).with(&section))?;
        // Nobody listens.
        for _ in 0..3 {
            site.ticket()?;
        }
        site.wait_logged("events are not delivered")?;
        receiver.mode("500")?;
        receiver.start()?;
        receiver.wait_answered("500", 1)?;
        receiver.mode("hang")?;
        receiver.wait_answered("hang", 1)?;
        // Nobody waits for the receiver.
        drop(Viewer::login(&site, &site.ticket()?)?);
        site.expect_end(1, "viewer_closed")?;
        receiver.mode("busy")?;
        receiver.wait_answered("busy", 1)?;
        receiver.mode("204")?;
        site.cli(&["webhooks", "test", "siem"])?;
        receiver.wait_all(&site, &["session.", "ticket.", "gateway."])?;

        for _ in 0..3 {
            receiver.mode("500")?;
            let before = receiver.received()?.iter().filter(|line| line["mode"] == "500").count();
            for _ in 0..5 {
                site.ticket()?;
            }
            receiver.wait_answered("500", before + 1)?;
            site.kill()?;
            receiver.mode("204")?;
            site.restart()?;
        }
        receiver.wait_all(&site, &["session.", "ticket.", "gateway."])?;

        let listed = site.json(&["webhooks", "list"])?;
        let secret = SECRET.trim_start_matches("whsec_");
        if listed[0]["state"] != "working" || listed.to_string().contains("hunter2") {
            return Err(format!("the webhook is not shown as it is: {listed}"));
        }
        let log = site.log()?;
        if log.contains(secret) || log.contains("hunter2") {
            return Err("a secret stands in the log".into());
        }
        // One connection serves several events.
        let received = receiver.received()?;
        let ports: BTreeSet<_> = received.iter().map(|line| line["port"].to_string()).collect();
        if ports.len() >= received.len() { Err("no connection was used twice".into()) } else { Ok(()) }
    });
}

/// A receiver that is gone is left alone until somebody tests it; a redirection is not followed.
#[test]
fn a_receiver_that_wants_no_more_gets_no_more() {
    Lab::run(|lab| {
        let mut receiver = Receiver::new(lab)?;
        let target = Target::quiet()?;
        let section = receiver.section("events: ['ticket.issued']")?;
        let site = Site::start(lab, Setup::new(&target).with(&section))?;
        receiver.mode("redirect")?;
        receiver.start()?;
        site.ticket()?;
        receiver.wait_answered("redirect", 2)?;
        receiver.mode("410")?;
        receiver.wait_answered("410", 1)?;
        wait_for("webhook.disabled in the audit log", PATIENCE, || {
            site.audit_of("webhook.disabled").is_ok_and(|events| events.len() == 1).then_some(())
        })?;
        let told = site.run(&["webhooks", "test", "siem"])?;
        if told.success || !told.stderr.contains("410") {
            return Err(format!("a receiver that is gone took the test: {}", told.stderr));
        }
        site.ticket()?;
        if site.json(&["webhooks", "list"])?[0]["state"] != "disabled" {
            return Err("the webhook is not shown as disabled".into());
        }
        receiver.mode("204")?;
        site.cli(&["webhooks", "test", "siem"])?;
        receiver.wait_all(&site, &["ticket.issued"])?;
        let gone = receiver.received()?.iter().filter(|line| line["mode"] == "410").count();
        if gone != 2 {
            return Err(format!("a receiver that was gone was asked {gone} times, and tested once"));
        }
        let unknown = site.run(&["webhooks", "test", "pager"])?;
        match unknown.stderr.contains("there is no webhook `pager`") {
            true => Ok(()),
            false => Err(unknown.stderr),
        }
    });
}

/// What cannot be delivered in time is given up, counted and told; what comes later arrives.
#[test]
fn events_are_given_up_when_they_are_too_old() {
    Lab::run(|lab| {
        let mut receiver = Receiver::new(lab)?;
        let target = Target::quiet()?;
        let section = receiver.section("retry_for: 3s\n    events: ['ticket.issued']")?;
        let site = Site::start(lab, Setup::new(&target).with(&section))?;
        receiver.mode("500")?;
        receiver.start()?;
        for _ in 0..4 {
            site.ticket()?;
        }
        let dropped = || -> Option<u64> {
            let events = site.audit_of("webhook.dropped").ok()?;
            (!events.is_empty())
                .then(|| events.iter().filter_map(|event| event["detail"]["count"].as_u64()).sum())
        };
        wait_for("webhook.dropped in the audit log", PATIENCE, dropped)?;
        receiver.mode("204")?;
        let taken = wait_for("that a later event is taken", PATIENCE, || {
            site.ticket().ok()?;
            let taken = receiver.received().ok()?;
            let seqs: Vec<u64> = taken
                .iter()
                .filter(|line| line["status"] == 204)
                .filter_map(|line| line["event"]["seq"].as_u64())
                .collect();
            (!seqs.is_empty()).then_some(seqs)
        })?;
        // Every event before was given up, and that is in the log.
        let before = || -> Outcome<u64> {
            let issued = site.audit_of("ticket.issued")?;
            Ok(issued.iter().filter(|event| event["seq"].as_u64() < taken.first().copied()).count() as u64)
        };
        let wanted = before()?;
        wait_for("that all that was given up is told", PATIENCE, || (dropped() == Some(wanted)).then_some(()))
            .map_err(|error| format!("{error}: {:?} instead of {wanted}", dropped()))
    });
}
