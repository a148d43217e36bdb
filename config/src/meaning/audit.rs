//! What goes together in the exports of the audit log.

use std::net::IpAddr;

use crate::report::Report;
use crate::tree::{Node, Value};
use crate::values::HostPort;

pub(super) fn check(root: &Node, report: &mut Report) {
    let Some(audit) = root.get("audit") else { return };
    let syslog = audit.get("syslog");
    if let Some(syslog) = syslog
        && let Some(transport) = syslog.get("transport").filter(|node| node.text() == Some("tcp"))
    {
        if let Some(file) = syslog.get("ca_file") {
            report.error(file.at, "audit.syslog.ca_file", "says nothing about a connection without TLS");
        }
        let address =
            syslog.get("address").and_then(Node::text).and_then(|text| text.parse::<HostPort>().ok());
        if address.is_some_and(|address| !is_local(address.host())) {
            let message = "everybody on the way can read and change what is sent here; use `tls`";
            report.warning(transport.at, "audit.syslog.transport", message);
        }
    }
    if let Some(anchor) = audit.get("anchor") {
        let by_syslog = anchor.get("syslog").filter(|node| matches!(node.value, Value::Bool(true)));
        if let (Some(node), None) = (by_syslog, syslog) {
            let message = "there is no syslog server; add `audit.syslog`";
            report.error(node.at, "audit.anchor.syslog", message);
        }
        if by_syslog.is_none() && anchor.get("file").is_none() {
            let message = "this does not say where checkpoints go; add `file`, or `syslog: true`";
            report.error(anchor.at, "audit.anchor", message);
        }
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
