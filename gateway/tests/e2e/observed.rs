//! What programs learn about a gateway that runs: metrics and its log.

use std::fs::File;
use std::process::Command;

use serde_json::Value;

use crate::harness::Outcome;
use crate::harness::lab::{Lab, tools};
use crate::harness::net::free_port;
#[cfg(feature = "otel")]
use crate::harness::net::wait_listening;
use crate::harness::process::read;
use crate::peers::site::{SOON, Setup, Site, expect_refusal};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// What a Prometheus client made of the metrics: name, labels, value.
struct Samples(Vec<(String, Value, f64)>);

impl Samples {
    fn read(lab: &Lab, port: u16) -> Outcome<Self> {
        let text = read(Command::new("curl").args([
            "--silent",
            "--show-error",
            "--fail",
            &format!("http://127.0.0.1:{port}/metrics"),
        ]))?;
        let file = lab.write("metrics.txt", text)?;
        let file = File::open(&file).map_err(|error| error.to_string())?;
        // Not by `read`, which leaves nothing to read from.
        let parsed = Command::new(tools().join("venv/bin/python"))
            .args(["-c", include_str!("observed.py")])
            .stdin(file)
            .output()
            .map_err(|error| format!("python cannot be run: {error}"))?;
        if !parsed.status.success() {
            let why = String::from_utf8_lossy(&parsed.stderr);
            return Err(format!("a Prometheus client does not understand the metrics: {why}"));
        }
        serde_json::from_slice(&parsed.stdout).map(Self).map_err(|error| error.to_string())
    }

    /// The sum of all samples of this name that have these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |found: &Value| labels.iter().all(|(label, value)| found[label] == *value);
        let found = self.0.iter().filter(|(found, labels, _)| found == name && fits(labels));
        found.map(|(_, _, value)| value).sum()
    }

    fn expect(&self, name: &str, labels: &[(&str, &str)], wanted: f64) -> Outcome {
        let found = self.sum(name, labels);
        if found == wanted { Ok(()) } else { Err(format!("{name} {labels:?} is {found} and not {wanted}")) }
    }

    fn expect_some(&self, name: &str, labels: &[(&str, &str)]) -> Outcome {
        if self.sum(name, labels) > 0.0 { Ok(()) } else { Err(format!("{name} {labels:?} is 0")) }
    }
}

#[test]
fn another_program_reads_the_metrics_of_a_session() {
    Lab::run(|lab| {
        let metrics = free_port()?;
        let target = Target::quiet()?;
        let site = Site::start(lab, Setup::new(&target).listen(&format!("metrics: 127.0.0.1:{metrics}")))?;
        let mut wrong = site.ticket()?;
        wrong.vnc_password = "00000000".into();
        expect_refusal(Viewer::login(&site, &wrong).map(drop), "")?;
        let mut viewer = Viewer::login(&site, &site.ticket()?)?;
        viewer.refresh()?;

        let running = Samples::read(lab, metrics)?;
        running.expect("passerelle_sessions", &[("protocol", "vnc"), ("state", "active")], 1.0)?;
        for phase in ["login", "admission", "target", "viewer", "first_picture"] {
            let labels = [("protocol", "vnc"), ("phase", phase)];
            running.expect("passerelle_handshake_seconds_count", &labels, 1.0)?;
            running.expect_some("passerelle_handshake_seconds_sum", &labels)?;
        }
        // Who was refused had presented something, too.
        let negotiation = [("protocol", "vnc"), ("phase", "negotiation")];
        running.expect("passerelle_handshake_seconds_count", &negotiation, 2.0)?;
        running.expect("passerelle_handshake_seconds_count", &[("phase", "proxy_header")], 0.0)?;
        for (outcome, count) in [("accepted", 1.0), ("refused", 1.0), ("locked", 0.0)] {
            running.expect(
                "passerelle_logins_total",
                &[("method", "VncAuth"), ("outcome", outcome)],
                count,
            )?;
        }
        for from in ["viewer", "target"] {
            running.expect_some("passerelle_relayed_bytes_total", &[("protocol", "vnc"), ("from", from)])?;
        }
        for operation in ["issue", "claim", "lease"] {
            let labels = [("backend", "embedded"), ("operation", operation)];
            running.expect_some("passerelle_store_operation_seconds_count", &labels)?;
            running.expect_some("passerelle_store_operation_seconds_sum", &labels)?;
        }
        running.expect("passerelle_store_errors_total", &[], 0.0)?;
        running.expect("passerelle_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0)?;

        drop(viewer);
        site.wait_ends(1)?;
        let ended = Samples::read(lab, metrics)?;
        ended.expect("passerelle_recordings_sealed_total", &[], 1.0)?;
        ended.expect("passerelle_recordings_failed_total", &[], 0.0)?;
        ended.expect("passerelle_recorder_waiting_bytes", &[], 0.0)?;
        ended.expect("passerelle_recorder_lag_seconds", &[], 0.0)?;
        ended.expect("passerelle_sessions", &[], 0.0)?;
        ended.expect("passerelle_session_seconds_count", &[("protocol", "vnc")], 1.0)
    });
}

#[test]
fn every_line_about_a_session_says_so() {
    Lab::run(|lab| {
        let target = Target::quiet()?;
        let mut site = Site::start(lab, Setup::new(&target).json_log())?;
        for _ in 0..2 {
            Viewer::login(&site, &site.ticket()?)?.refresh()?;
        }
        let sessions: Vec<Value> = {
            site.wait_ends(2)?;
            site.audit_of("session.started")?.into_iter().map(|mut event| event["session"].take()).collect()
        };
        site.process()?.signal("TERM")?;
        site.process()?.wait(SOON)?;
        let log = site.log()?;
        let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
        let lines: Vec<Value> = log.lines().map(parse).collect::<Outcome<_>>()?;
        for session in &sessions {
            let of_session: Vec<&Value> =
                lines.iter().filter(|line| line["span"]["session"] == *session).collect();
            let Some(first) = of_session.first() else { return Err(format!("{session} is not in the log")) };
            let connection = &first["span"]["connection"];
            let peer = first["span"]["peer"].as_str().unwrap_or_default();
            if first["span"]["protocol"] != "vnc" || !peer.starts_with("127.0.0.1:") || !connection.is_u64() {
                return Err(format!("the span does not say what connection it is: {first}"));
            }
            // Between its start and its end every line of the connection names the session.
            let position = |message: &str| of_session.iter().position(|line| line["message"] == message);
            let (Some(_), Some(_)) = (position("session started"), position("session ended")) else {
                return Err(format!("{session} has no beginning or no end: {of_session:?}"));
            };
            let of_connection = lines.iter().filter(|line| line["span"]["connection"] == *connection);
            let after = of_connection.skip_while(|line| line["message"] != "session started");
            if let Some(line) = after.into_iter().find(|line| line["span"]["session"] != *session) {
                return Err(format!("this line of {session} does not name it: {line}"));
            }
        }
        Ok(())
    });
}

/// Traces of a session and of a request arrive at a collector that is not ours.
#[cfg(feature = "otel")]
#[test]
fn a_collector_gets_the_spans_of_sessions_and_requests() {
    Lab::run(|lab| {
        let (otlp, https) = (free_port()?, free_port()?);
        let spans = lab.path("spans.jsonl");
        let mut collector = Command::new(tools().join("venv/bin/python"));
        collector.args(["-c", include_str!("collector.py"), &otlp.to_string()]);
        let mut collector = lab.start_with_output("collector", &collector, &spans)?;
        wait_listening(&mut collector, otlp)?;
        let key = lab.write_secret("key", "only-between-us")?;
        let target = Target::quiet()?;
        let setup = Setup::new(&target).listen(&format!("https: 127.0.0.1:{https}")).with(&format!(
            "tls: {{ self_signed: true }}\n\
             telemetry: {{ otlp: 'http://127.0.0.1:{otlp}', headers: [{{ name: x-api-key, value: 'file:{}' }}] }}",
            key.display()
        ));
        let mut site = Site::start(lab, setup)?;
        Viewer::login(&site, &site.ticket()?)?.refresh()?;
        site.wait_ends(1)?;
        read(
            Command::new("curl")
                .args(["--silent", "--http2", "--output", "/dev/null", "--cacert"])
                .arg(site.data().join("self-signed.crt"))
                .arg(format!("https://localhost:{https}/healthz")),
        )?;
        let session = site.audit_of("session.started")?.remove(0)["session"].take();
        // What is not sent yet is sent before the gateway ends.
        site.process()?.signal("TERM")?;
        site.process()?.wait(SOON)?;
        if site.log()?.contains("only-between-us") {
            return Err("the collector's key stands in the log".into());
        }

        let text = std::fs::read_to_string(&spans).map_err(|error| error.to_string())?;
        let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
        let found: Vec<Value> = text.lines().map(parse).collect::<Outcome<_>>()?;
        let of = |what: &str, fits: &dyn Fn(&Value) -> bool| {
            found.iter().find(|span| fits(span)).ok_or_else(|| format!("no span of {what} arrived:\n{text}"))
        };
        let connection = of("the session", &|span| span["attributes"]["session"] == session)?;
        for (name, value) in [
            ("name", "connection"),
            ("path", "/v1/traces"),
            ("type", "application/x-protobuf"),
            ("key", "only-between-us"),
            ("parent", ""),
        ] {
            if connection[name] != value {
                return Err(format!("{name} is not {value}: {connection}"));
            }
        }
        let about = &connection["attributes"];
        let peer = about["peer"].as_str().unwrap_or_default();
        if about["protocol"] != "vnc" || !peer.starts_with("127.0.0.1:") {
            return Err(format!("the span does not say whose connection it is: {connection}"));
        }
        let events = connection["events"].to_string();
        if !events.contains("session started") || !events.contains("session ended") {
            return Err(format!("the log's lines are not in the span: {connection}"));
        }
        if connection["resource"]["service.name"] != "passerelle" || connection["nanoseconds"] == 0 {
            return Err(format!("no service, or no time: {connection}"));
        }
        let request = of("the request", &|span| span["attributes"]["path"] == "/healthz")?;
        let parent = of("the request's connection", &|span| span["id"] == request["parent"])?;
        if parent["attributes"]["protocol"] != "https" || parent["trace"] != request["trace"] {
            return Err(format!("the request is not part of its connection: {request} {parent}"));
        }
        Ok(())
    });
}
