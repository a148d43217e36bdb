//! What is counted, in the form that Prometheus reads. `METRICS.md` lists it.

mod handshake;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry as Names, Unit};

use self::handshake::Phases;
use crate::session::{Phase, Registry};

pub(crate) use handshake::{Handshake, Step};

/// Lengths of sessions, in seconds: from half a minute to a working day.
const SESSION: [f64; 8] = [30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 28_800.0];

/// Times that the store takes, in seconds: a database in memory, on a disk, over a network, and one that hangs.
const STORE: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 2.5];

/// The methods that have a series.
const STANDARD: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    protocol: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Protocol {
    protocol: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ending {
    protocol: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    protocol: String,
    from: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Login {
    method: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Approval {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Listener {
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    backend: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    webhook: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Upload {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Hook {
    webhook: String,
}

/// All counters of a gateway.
pub(crate) struct Metrics {
    names: Names,
    sessions: Family<State, Gauge>,
    ended: Family<Ending, Counter>,
    seconds: Family<Protocol, Histogram, fn() -> Histogram>,
    bytes: Family<Direction, Counter>,
    logins: Family<Login, Counter>,
    approvals: Family<Approval, Counter>,
    requests: Family<Request, Counter>,
    connections: Family<Listener, Counter>,
    phases: Phases,
    deliveries: Family<Delivery, Counter>,
    lags: Family<Hook, Gauge>,
    syslog: Family<Approval, Counter>,
    waiting: Gauge,
    store: Gauge,
    blackouts: Family<Approval, Counter>,
    recordings_sealed: Counter,
    recordings_failed: Counter,
    recordings_deleted: Counter,
    recordings_free: Gauge,
    uploads: Family<Upload, Counter>,
    uploads_waiting: Gauge,
    uploads_lag: Gauge<f64, AtomicU64>,
    recorder_waiting: Gauge,
    recorder_lag: Gauge<f64, AtomicU64>,
    renders: Gauge,
    renders_failed: Counter,
    rendered: Counter,
    view_bytes: Counter,
    operations: Family<Operation, Histogram, fn() -> Histogram>,
    store_errors: Family<Operation, Counter>,
}

/// What a store adds to.
#[derive(Clone, Debug)]
pub(crate) struct StoreMetrics {
    backend: &'static str,
    operations: Family<Operation, Histogram, fn() -> Histogram>,
    errors: Family<Operation, Counter>,
}

impl StoreMetrics {
    /// The store has done, or failed to do, what it was asked.
    pub(crate) fn done(&self, operation: &'static str, took: Duration, works: bool) {
        let operation = Operation { backend: self.backend, operation };
        self.operations.get_or_create(&operation).observe(took.as_secs_f64());
        if !works {
            self.errors.get_or_create(&operation).inc();
        }
    }
}

/// What a session adds to while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) from_viewer: Counter<u64, AtomicU64>,
    pub(crate) from_target: Counter<u64, AtomicU64>,
    pub(crate) failed_recordings: Counter<u64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut names = Names::with_prefix("passerelle");
        let metrics = Self {
            sessions: Family::default(),
            ended: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SESSION)),
            bytes: Family::default(),
            logins: Family::default(),
            approvals: Family::default(),
            requests: Family::default(),
            connections: Family::default(),
            phases: handshake::phases(),
            deliveries: Family::default(),
            lags: Family::default(),
            syslog: Family::default(),
            waiting: Gauge::default(),
            store: Gauge::default(),
            blackouts: Family::default(),
            recordings_sealed: Counter::default(),
            recordings_failed: Counter::default(),
            recordings_deleted: Counter::default(),
            recordings_free: Gauge::default(),
            uploads: Family::default(),
            uploads_waiting: Gauge::default(),
            uploads_lag: Gauge::default(),
            recorder_waiting: Gauge::default(),
            recorder_lag: Gauge::default(),
            renders: Gauge::default(),
            renders_failed: Counter::default(),
            rendered: Counter::default(),
            view_bytes: Counter::default(),
            operations: Family::new_with_constructor(|| Histogram::new(STORE)),
            store_errors: Family::default(),
            names: Names::default(),
        };
        names.register("sessions", "Sessions that run on this node", metrics.sessions.clone());
        names.register("sessions_ended", "Sessions that have ended, and why", metrics.ended.clone());
        names.register_with_unit(
            "session",
            "How long sessions lasted",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        names.register_with_unit(
            "relayed",
            "Bytes that were passed on, by who sent them",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        names.register("logins", "What became of logins", metrics.logins.clone());
        names.register("approvals", "What became of approvals on this node", metrics.approvals.clone());
        names.register("http_requests", "Requests to the API", metrics.requests.clone());
        names.register("connections", "Connections that were accepted", metrics.connections.clone());
        names.register_with_unit(
            "handshake",
            "How long the parts of a connection up to its first picture took",
            Unit::Seconds,
            metrics.phases.clone(),
        );
        names.register(
            "webhook_deliveries",
            "What became of events for webhooks",
            metrics.deliveries.clone(),
        );
        names.register(
            "webhook_lag_lines",
            "Lines of the audit log that a webhook has not been through",
            metrics.lags.clone(),
        );
        names.register(
            "syslog_messages",
            "Events that were sent to the syslog server, and attempts that failed",
            metrics.syslog.clone(),
        );
        names.register("pre_auth_connections", "Connections that are not logged in", metrics.waiting.clone());
        names.register("store_up", "1 while the store answers, 0 while it does not", metrics.store.clone());
        names.register(
            "blackouts",
            "What became of blackouts that were asked for",
            metrics.blackouts.clone(),
        );
        names.register("recordings_sealed", "Recordings that were sealed", metrics.recordings_sealed.clone());
        names.register(
            "recordings_failed",
            "Recordings that could not begin or go on",
            metrics.recordings_failed.clone(),
        );
        names.register(
            "recordings_deleted",
            "Recordings that were deleted, since their time was over",
            metrics.recordings_deleted.clone(),
        );
        names.register_with_unit(
            "recordings_free",
            "Room for recordings on the disk",
            Unit::Bytes,
            metrics.recordings_free.clone(),
        );
        names.register(
            "uploads",
            "What became of parts of recordings for the object store",
            metrics.uploads.clone(),
        );
        names.register_with_unit(
            "uploads_waiting",
            "What was recorded and could be in the object store, and is not",
            Unit::Bytes,
            metrics.uploads_waiting.clone(),
        );
        names.register_with_unit(
            "uploads_lag",
            "How old the oldest of it is",
            Unit::Seconds,
            metrics.uploads_lag.clone(),
        );
        names.register_with_unit(
            "recorder_waiting",
            "What was recorded and is not written yet, of all sessions",
            Unit::Bytes,
            metrics.recorder_waiting.clone(),
        );
        names.register_with_unit(
            "recorder_lag",
            "For how long the oldest of what is not written yet has been waiting",
            Unit::Seconds,
            metrics.recorder_lag.clone(),
        );
        names.register("renders", "Recordings that are being rendered", metrics.renders.clone());
        names.register(
            "renders_failed",
            "Recordings that could not be rendered",
            metrics.renders_failed.clone(),
        );
        names.register_with_unit(
            "rendered",
            "How much of recordings was rendered",
            Unit::Seconds,
            metrics.rendered.clone(),
        );
        names.register_with_unit(
            "view",
            "Size of what was rendered",
            Unit::Bytes,
            metrics.view_bytes.clone(),
        );
        names.register_with_unit(
            "store_operation",
            "How long the store took",
            Unit::Seconds,
            metrics.operations.clone(),
        );
        names.register("store_errors", "What the store could not do", metrics.store_errors.clone());
        names.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { names, ..metrics }
    }

    /// A request to the API was answered.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode) {
        // Callers may make up methods; each would be a series of its own.
        let method = if STANDARD.contains(method) { method.as_str() } else { "other" };
        let request = Request { method: method.to_owned(), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&request).inc();
    }

    /// A connection was accepted. What it takes from here on is timed.
    pub(crate) fn connection(&self, protocol: &'static str) -> Handshake {
        self.connections.get_or_create(&Listener { protocol }).inc();
        Handshake::new(self.phases.clone(), protocol)
    }

    /// Where a store of this kind counts.
    pub(crate) fn store_metrics(&self, backend: &'static str) -> StoreMetrics {
        StoreMetrics { backend, operations: self.operations.clone(), errors: self.store_errors.clone() }
    }

    /// So many recordings are being rendered.
    pub(crate) fn renders(&self, running: usize) {
        self.renders.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// A recording of so many seconds was rendered to a view of so many bytes.
    pub(crate) fn rendered(&self, seconds: u64, bytes: u64) {
        self.rendered.inc_by(seconds);
        self.view_bytes.inc_by(bytes);
    }

    /// A recording could not be rendered.
    pub(crate) fn render_failed(&self) {
        self.renders_failed.inc();
    }

    /// A recording was sealed.
    pub(crate) fn recording_sealed(&self) {
        self.recordings_sealed.inc();
    }

    /// A recording could not begin.
    pub(crate) fn recording_failed(&self) {
        self.recordings_failed.inc();
    }

    /// A recording was deleted.
    pub(crate) fn recording_deleted(&self) {
        self.recordings_deleted.inc();
    }

    /// A part of a recording was `stored`, or not: `failed`, `differs`.
    pub(crate) fn upload(&self, outcome: &'static str) {
        self.uploads.get_or_create(&Upload { outcome }).inc();
    }

    /// So many bytes wait for the object store, the oldest for so long.
    pub(crate) fn upload_lag(&self, bytes: u64, oldest: Duration) {
        self.uploads_waiting.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.uploads_lag.set(oldest.as_secs_f64());
    }

    /// There is so much room for recordings.
    pub(crate) fn recordings_free(&self, bytes: u64) {
        self.recordings_free.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Somebody tried to log in, by this method and with this outcome.
    pub(crate) fn login(&self, method: &str, outcome: &'static str) {
        self.logins.get_or_create(&Login { method: method.to_owned(), outcome }).inc();
    }

    /// Somebody asked for an approval or decided about one, or it was used.
    pub(crate) fn approval(&self, outcome: &'static str) {
        self.approvals.get_or_create(&Approval { outcome }).inc();
    }

    /// Somebody asked for a blackout.
    pub(crate) fn blackout(&self, outcome: &'static str) {
        self.blackouts.get_or_create(&Approval { outcome }).inc();
    }

    /// Whether the store answers.
    pub(crate) fn store(&self, answers: bool) {
        self.store.set(answers.into());
    }

    /// An event was sent to a webhook, or given up.
    pub(crate) fn webhook(&self, webhook: &str, outcome: &'static str) {
        self.deliveries.get_or_create(&Delivery { webhook: webhook.to_owned(), outcome }).inc();
    }

    /// Where a session of this protocol counts its bytes.
    pub(crate) fn traffic(&self, protocol: &str) -> Traffic {
        let of = |from| {
            let direction = Direction { protocol: protocol.to_owned(), from };
            self.bytes.get_or_create(&direction).clone()
        };
        Traffic {
            from_viewer: of("viewer"),
            from_target: of("target"),
            failed_recordings: self.recordings_failed.clone(),
        }
    }

    /// A session has ended.
    pub(crate) fn session_ended(&self, protocol: &str, reason: &'static str, seconds: u64) {
        let protocol = protocol.to_owned();
        self.seconds.get_or_create(&Protocol { protocol: protocol.clone() }).observe(seconds as f64);
        self.ended.get_or_create(&Ending { protocol, reason }).inc();
    }

    /// Events were sent to the syslog server, or could not be.
    pub(crate) fn syslog(&self, outcome: &'static str, count: u64) {
        self.syslog.get_or_create(&Approval { outcome }).inc_by(count);
    }

    /// Everything, as OpenMetrics 1.0 text. `lags` are those of webhooks.
    pub(crate) fn text(&self, registry: &Registry, waiting: usize, lags: Vec<(String, u64)>) -> String {
        self.sessions.clear();
        let (mut waiting_bytes, mut oldest) = (0, Duration::ZERO);
        for entry in registry.all() {
            let lag = entry.recorder_lag();
            waiting_bytes += lag.bytes;
            oldest = oldest.max(lag.oldest);
            let state = match entry.phase() {
                Phase::Connecting => "connecting",
                Phase::Active => "active",
                Phase::Ending => "ending",
            };
            self.sessions.get_or_create(&State { protocol: entry.facts.protocol.clone(), state }).inc();
        }
        self.recorder_waiting.set(i64::try_from(waiting_bytes).unwrap_or(i64::MAX));
        self.recorder_lag.set(oldest.as_secs_f64());
        self.lags.clear();
        for (webhook, lag) in lags {
            self.lags.get_or_create(&Hook { webhook }).set(i64::try_from(lag).unwrap_or(i64::MAX));
        }
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        let mut encoded = String::new();
        // Writing to a string does not fail.
        text::encode(&mut encoded, &self.names).ok();
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_metrics_names_them_all() {
        let metrics = Metrics::new();
        // What has labels is not there before it was counted once.
        metrics.login("api", "accepted");
        metrics.approval("approved");
        metrics.request(&Method::GET, "/", StatusCode::OK);
        metrics.traffic("vnc").from_target.inc();
        metrics.session_ended("vnc", "closed", 1);
        metrics.connection("vnc").done(Step::Target);
        metrics.store_metrics("embedded").done("claim", Duration::ZERO, false);
        metrics.webhook("siem", "delivered");
        metrics.syslog("sent", 1);
        metrics.upload("stored");
        metrics.blackout("began");
        let text = metrics.text(&Registry::default(), 0, vec![("siem".into(), 5)]);
        let described = include_str!("../METRICS.md");
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut found = 0;
        for (name, kind) in kinds {
            let name = if kind == "info" { format!("{name}_info") } else { name.to_owned() };
            let row = format!("| `{name}` | {kind} |");
            assert!(described.contains(&row), "METRICS.md has no row that begins {row}");
            found += 1;
        }
        // No session runs.
        assert_eq!(found + 1, described.matches("| `passerelle_").count());
    }

    #[test]
    fn counters_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::new();
        metrics.login("api", "refused");
        metrics.store(true);
        metrics.approval("approved");
        metrics.traffic("vnc").from_target.inc_by(17);
        metrics.session_ended("vnc", "closed", 61);
        metrics.recording_failed();
        metrics.connection("vnc").done(Step::Target);
        let store = metrics.store_metrics("redis");
        store.done("claim", Duration::from_micros(700), true);
        store.done("renew", Duration::from_secs(5), false);
        metrics.webhook("siem", "delivered");
        let text = metrics.text(&Registry::default(), 3, vec![("siem".into(), 5)]);
        for line in [
            "passerelle_logins_total{method=\"api\",outcome=\"refused\"} 1",
            "passerelle_approvals_total{outcome=\"approved\"} 1",
            "passerelle_relayed_bytes_total{protocol=\"vnc\",from=\"target\"} 17",
            "passerelle_session_seconds_bucket{le=\"300.0\",protocol=\"vnc\"} 1",
            "passerelle_sessions_ended_total{protocol=\"vnc\",reason=\"closed\"} 1",
            "passerelle_webhook_deliveries_total{webhook=\"siem\",outcome=\"delivered\"} 1",
            "passerelle_webhook_lag_lines{webhook=\"siem\"} 5",
            "passerelle_pre_auth_connections 3",
            "passerelle_store_up 1",
            "passerelle_recordings_sealed_total 0",
            "passerelle_recordings_failed_total 1",
            "passerelle_recorder_waiting_bytes 0",
            "passerelle_recorder_lag_seconds 0.0",
            "passerelle_connections_total{protocol=\"vnc\"} 1",
            "passerelle_handshake_seconds_count{protocol=\"vnc\",phase=\"target\"} 1",
            "passerelle_store_operation_seconds_bucket{le=\"0.0005\",backend=\"redis\",operation=\"claim\"} 0",
            "passerelle_store_operation_seconds_bucket{le=\"0.001\",backend=\"redis\",operation=\"claim\"} 1",
            "passerelle_store_operation_seconds_count{backend=\"redis\",operation=\"renew\"} 1",
            "passerelle_store_errors_total{backend=\"redis\",operation=\"renew\"} 1",
            concat!("passerelle_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
