//! What is counted, in the form that Prometheus reads.

use std::sync::atomic::AtomicU64;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry as Names, Unit};

use crate::session::{Phase, Registry};

/// Lengths of sessions, in seconds: from half a minute to a working day.
const SESSION: [f64; 8] = [30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 28_800.0];

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
struct Request {
    method: String,
    route: String,
    status: u16,
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
    waiting: Gauge,
    store: Gauge,
}

/// What a session adds to while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) from_viewer: Counter<u64, AtomicU64>,
    pub(crate) from_target: Counter<u64, AtomicU64>,
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
            waiting: Gauge::default(),
            store: Gauge::default(),
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
        names.register("relayed_bytes", "Bytes that came from viewers and targets", metrics.bytes.clone());
        names.register("logins", "What became of logins", metrics.logins.clone());
        names.register("approvals", "What became of approvals on this node", metrics.approvals.clone());
        names.register("http_requests", "Requests to the API", metrics.requests.clone());
        names.register("pre_auth_connections", "Connections that are not logged in", metrics.waiting.clone());
        names.register("store_up", "1 while the store answers, 0 while it does not", metrics.store.clone());
        Self { names, ..metrics }
    }

    /// A request to the API was answered.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode) {
        // Callers may make up methods; each would be a series of its own.
        let method = if STANDARD.contains(method) { method.as_str() } else { "other" };
        let request = Request { method: method.to_owned(), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&request).inc();
    }

    /// Somebody tried to log in, by this method and with this outcome.
    pub(crate) fn login(&self, method: &str, outcome: &'static str) {
        self.logins.get_or_create(&Login { method: method.to_owned(), outcome }).inc();
    }

    /// Somebody asked for an approval or decided about one, or it was used.
    pub(crate) fn approval(&self, outcome: &'static str) {
        self.approvals.get_or_create(&Approval { outcome }).inc();
    }

    /// Whether the store answers.
    pub(crate) fn store(&self, answers: bool) {
        self.store.set(answers.into());
    }

    /// Where a session of this protocol counts its bytes.
    pub(crate) fn traffic(&self, protocol: &str) -> Traffic {
        let of = |from| {
            let direction = Direction { protocol: protocol.to_owned(), from };
            self.bytes.get_or_create(&direction).clone()
        };
        Traffic { from_viewer: of("viewer"), from_target: of("target") }
    }

    /// A session has ended.
    pub(crate) fn session_ended(&self, protocol: &str, reason: &'static str, seconds: u64) {
        let protocol = protocol.to_owned();
        self.seconds.get_or_create(&Protocol { protocol: protocol.clone() }).observe(seconds as f64);
        self.ended.get_or_create(&Ending { protocol, reason }).inc();
    }

    /// Everything, as OpenMetrics 1.0 text.
    pub(crate) fn text(&self, registry: &Registry, waiting: usize) -> String {
        self.sessions.clear();
        for entry in registry.all() {
            let state = match entry.phase() {
                Phase::Connecting => "connecting",
                Phase::Active => "active",
                Phase::Ending => "ending",
            };
            self.sessions.get_or_create(&State { protocol: entry.facts.protocol.clone(), state }).inc();
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
    fn counters_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::new();
        metrics.login("api", "refused");
        metrics.store(true);
        metrics.approval("approved");
        metrics.traffic("vnc").from_target.inc_by(17);
        metrics.session_ended("vnc", "closed", 61);
        let text = metrics.text(&Registry::default(), 3);
        for line in [
            "passerelle_logins_total{method=\"api\",outcome=\"refused\"} 1",
            "passerelle_approvals_total{outcome=\"approved\"} 1",
            "passerelle_relayed_bytes_total{protocol=\"vnc\",from=\"target\"} 17",
            "passerelle_session_seconds_bucket{le=\"300.0\",protocol=\"vnc\"} 1",
            "passerelle_sessions_ended_total{protocol=\"vnc\",reason=\"closed\"} 1",
            "passerelle_pre_auth_connections 3",
            "passerelle_store_up 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
