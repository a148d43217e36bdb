//! Events in the Open Cybersecurity Schema Framework. `OCSF.md` says which become what.

use std::net::{IpAddr, SocketAddr};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::Weight;
use crate::audit::{AuditEvent, EventLine, Outcome};

/// The version of the schema.
pub const OCSF_VERSION: &str = "1.7.0";

/// What an event is in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Authentication,
    AuthorizeSession,
    EntityManagement,
    RemoteDesktop,
    Lifecycle,
    Api,
}

/// An activity that the class has no number for.
const OTHER: u64 = 99;

impl Class {
    /// The class of a kind of event and its activity.
    fn of(kind: &str) -> (Self, u64) {
        let (group, what) = kind.split_once('.').unwrap_or((kind, ""));
        match (group, what) {
            ("login", _) => (Self::Authentication, 1),
            ("token", _) => (Self::Authentication, 2),
            ("permission", "changed") => (Self::AuthorizeSession, 1),
            ("api", _) => (Self::Api, OTHER),
            ("session", "started") => (Self::RemoteDesktop, 4),
            ("session", "ended" | "killed") | ("peer", _) => (Self::RemoteDesktop, 7),
            ("session", "redirected") => (Self::RemoteDesktop, 8),
            ("viewer" | "proxy", _) => (Self::RemoteDesktop, 1),
            ("target", "refused" | "woken") => (Self::RemoteDesktop, 3),
            (
                "session" | "permission" | "blackout" | "events" | "clipboard" | "desktop" | "channel"
                | "file" | "protocol",
                _,
            ) => (Self::RemoteDesktop, 6),
            ("ticket" | "approval" | "target" | "lockout" | "recording", what) => {
                (Self::EntityManagement, managed(what))
            }
            ("audit", "read") => (Self::EntityManagement, 2),
            ("gateway", "started") => (Self::Lifecycle, 3),
            ("gateway", "stopped" | "interrupted") => (Self::Lifecycle, 4),
            ("config", _) => (Self::Lifecycle, 8),
            _ => (Self::Lifecycle, OTHER),
        }
    }

    const fn uid(self) -> u64 {
        match self {
            Self::Authentication => 3002,
            Self::AuthorizeSession => 3003,
            Self::EntityManagement => 3004,
            Self::RemoteDesktop => 4005,
            Self::Lifecycle => 6002,
            Self::Api => 6003,
        }
    }
}

/// What is done to something that is kept.
fn managed(what: &str) -> u64 {
    match what {
        "issued" | "requested" | "opened" => 1,
        "read" | "verified" | "viewed" => 2,
        "withdrawn" | "removed" | "cleared" | "erased" | "deleted" => 4,
        _ => 3,
    }
}

/// An event of the log that `origin` names ([`origin`](crate::audit::origin())), as a JSON object.
#[must_use]
pub fn ocsf(line: &EventLine, origin: &str) -> Value {
    let event = &line.event;
    let kind = event.kind.name();
    let (class, activity) = Class::of(kind);
    let uid = class.uid();
    let mut object = json!({
        "class_uid": uid,
        "category_uid": uid / 1000,
        "activity_id": activity,
        "type_uid": uid * 100 + activity,
        "severity_id": match Weight::of(line) {
            Weight::Usual => 1,
            Weight::Refused => 2,
            Weight::Failed => 3,
            Weight::Evidence => 4,
        },
        "status_id": match event.outcome {
            Some(Outcome::Success) => 1,
            Some(Outcome::Refused | Outcome::Failed) => 2,
            None => 0,
        },
        "time": milliseconds(&line.time),
        "metadata": {
            "version": OCSF_VERSION,
            "product": product(),
            "uid": format!("{origin}/{}", line.seq),
            "sequence": line.seq,
            "event_code": kind,
            "log_name": "audit",
            "original_time": line.time,
        },
        "unmapped": { "kind": kind, "detail": event.detail, "prev": line.prev },
    });
    if activity == OTHER {
        object["activity_name"] = kind.into();
    }
    if let Some(message) = &event.message {
        object["message"] = message.as_str().into();
    }
    if let Some(session) = &event.session {
        object["metadata"]["correlation_uid"] = session.as_str().into();
    }
    if let Some(fields) = object.as_object_mut() {
        class_fields(class, event, fields);
    }
    object
}

fn product() -> Value {
    json!({ "name": "Passerelle", "vendor_name": "Passerelle", "version": env!("CARGO_PKG_VERSION") })
}

/// Adds what the class asks for.
fn class_fields(class: Class, event: &AuditEvent, fields: &mut Map<String, Value>) {
    let detail = |name: &str| event.detail.get(name).and_then(Value::as_str);
    let by = detail("by");
    let user = |name: Option<&str>| json!({ "name": name.unwrap_or("unknown") });
    let technician = event.technician.as_deref();
    let source = event.address.as_deref().and_then(endpoint);
    let target = event.target.as_deref().map(|name| json!({ "name": name }));
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let session = event.session.as_deref().map(|uid| json!({ "uid": uid, "is_remote": true }));
    match class {
        Class::Authentication => {
            add("user", Some(user(technician.or(detail("login")).or(by))));
            add("service", Some(json!({ "name": "passerelle" })));
            add("is_remote", Some(true.into()));
            add("src_endpoint", source);
            add("dst_endpoint", target);
            add("session", session);
        }
        Class::AuthorizeSession => {
            add("user", Some(user(technician)));
            let privileges = event.detail.get("permissions").filter(|value| value.is_array());
            add("privileges", Some(privileges.cloned().unwrap_or_else(|| json!([]))));
            add("session", session);
            add("dst_endpoint", target);
            add("actor", by.map(|by| json!({ "user": user(Some(by)) })));
        }
        Class::EntityManagement => {
            let group = event.kind.name().split('.').next().unwrap_or_default();
            let uid = match group {
                "ticket" | "approval" => detail(group),
                "lockout" => detail("key"),
                "target" => event.target.as_deref(),
                "audit" => Some("audit"),
                _ => event.session.as_deref(),
            };
            add("entity", Some(json!({ "type": group, "uid": uid.unwrap_or("unknown") })));
            add("actor", by.or(technician).map(|name| json!({ "user": user(Some(name)) })));
            add("src_endpoint", source);
        }
        Class::RemoteDesktop => {
            add("user", technician.map(|name| user(Some(name))));
            add("src_endpoint", source);
            add("dst_endpoint", target);
            add("actor", by.map(|by| json!({ "user": user(Some(by)) })));
            let file = detail("name").filter(|_| event.kind.name().starts_with("file."));
            add("file", file.map(|name| json!({ "name": name, "type_id": 1 })));
        }
        Class::Lifecycle => add("app", Some(product())),
        Class::Api => {
            add("actor", Some(json!({ "user": user(by.or(technician)) })));
            add("api", Some(json!({ "operation": detail("route").unwrap_or("unknown") })));
            add("src_endpoint", Some(source.unwrap_or_else(|| json!({ "name": "unknown" }))));
        }
    }
}

fn endpoint(address: &str) -> Option<Value> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Some(json!({ "ip": address.ip().to_canonical().to_string(), "port": address.port() }));
    }
    address.parse::<IpAddr>().ok().map(|ip| json!({ "ip": ip.to_canonical().to_string() }))
}

/// A time of the log as milliseconds since 1970.
fn milliseconds(time: &str) -> u64 {
    let time = humantime::parse_rfc3339(time).unwrap_or(UNIX_EPOCH);
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::samples::one_of_each;
    use super::*;

    /// Base attributes and, for each class, what `OCSF.md` promises of it.
    #[test]
    fn every_kind_has_what_its_class_requires() {
        for line in one_of_each() {
            let event = ocsf(&line, "passerelle-audit/00");
            let kind = line.event.kind;
            let class = event["class_uid"].as_u64().unwrap();
            assert_eq!(event["category_uid"], class / 1000, "{kind}");
            assert_eq!(event["type_uid"], class * 100 + event["activity_id"].as_u64().unwrap(), "{kind}");
            assert_eq!(event["time"], 1_795_414_338_250_u64, "{kind}");
            assert_eq!(event["metadata"]["uid"], format!("passerelle-audit/00/{}", line.seq));
            let required: &[&str] = match class {
                3002 => &["user", "service"],
                3003 => &["user", "privileges"],
                3004 => &["entity"],
                4005 => &["src_endpoint", "dst_endpoint"],
                6002 => &["app"],
                6003 => &["actor", "api", "src_endpoint"],
                other => panic!("{kind} is of class {other}"),
            };
            for name in required {
                assert!(event[name].is_object() || event[name].is_array(), "{kind} has no {name}: {event}");
            }
        }
    }

    #[test]
    fn every_kind_is_documented() {
        let text = include_str!("../../../OCSF.md");
        for kind in crate::audit::AuditKind::ALL {
            let (group, _) = kind.name().split_once('.').unwrap();
            let class = Class::of(kind.name()).0.uid().to_string();
            let documented = text.lines().filter(|line| line.starts_with('|')).any(|line| {
                line.contains(&class)
                    && (line.contains(&format!("`{kind}`")) || line.contains(&format!("`{group}.*`")))
            });
            // The last row is for all others.
            assert!(documented || class == "6002", "{kind} is not in OCSF.md under {class}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (text, ip, port) in [
            ("192.0.2.7:50112", "192.0.2.7", Some(50112)),
            ("[::ffff:192.0.2.7]:1", "192.0.2.7", Some(1)),
            ("[2001:db8::1]:1", "2001:db8::1", Some(1)),
            ("2001:db8::1", "2001:db8::1", None),
        ] {
            let endpoint = endpoint(text).unwrap();
            assert_eq!((endpoint["ip"].as_str(), endpoint["port"].as_u64()), (Some(ip), port), "{text}");
        }
        assert_eq!(endpoint("unix"), None);
    }
}
