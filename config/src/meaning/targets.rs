//! What goes together in a target.

use crate::report::{Report, quoted};
use crate::sections::{WakeOnLan, check_target_tls};
use crate::tree::Node;
use crate::values::HumanDuration;

/// Checks the target at `path`.
pub(super) fn check(target: &Node, path: &str, report: &mut Report) {
    tls(target, &format!("{path}.tls"), report);
    security(target, &format!("{path}.security"), report);
    domain(target, &format!("{path}.credentials.domain"), report);
    wake(target, &format!("{path}.wake_on_lan.wait"), report);
}

fn wake(target: &Node, path: &str, report: &mut Report) {
    let Some(node) = target.get("wake_on_lan").and_then(|wake| wake.get("wait")) else { return };
    let Some(Ok(wait)) = node.text().map(str::parse::<HumanDuration>) else { return };
    let (least, most) = (HumanDuration::from_secs(1), WakeOnLan::LONGEST);
    if !(least..=most).contains(&wait) {
        report.error(node.at, path, format!("must be from {least} to {most}, not {wait}"));
    }
}

fn tls(target: &Node, path: &str, report: &mut Report) {
    let Some(tls) = target.get("tls") else { return };
    let verify = tls.get("verify").map_or(Some("ca"), Node::text).unwrap_or_default();
    let has = |key: &str| tls.get(key).is_some();
    if let Err(error) = check_target_tls(verify, has("ca_file"), has("fingerprint"), has("server_name")) {
        report.error(tls.at, path, error.to_string());
    }
    if verify == "insecure" {
        let at = tls.get("verify").unwrap_or(tls).at;
        let message = "the target's certificate is not checked, so anyone on the way can read the session and the password; use `pin` or `tofu`";
        report.warning(at, &format!("{path}.verify"), message);
    }
}

/// Which protocol's a target's security type is.
fn protocol_of(security: &str) -> &'static str {
    match security {
        "nla" | "tls" => "rdp",
        _ => "vnc",
    }
}

fn security(target: &Node, path: &str, report: &mut Report) {
    let has = |key: &str| target.get("credentials").is_some_and(|credentials| credentials.get(key).is_some());
    let (username, password) = (has("username"), has("password"));
    let protocol = target.get("protocol").and_then(Node::text).unwrap_or_default();
    for (index, node) in target.get("security").map(Node::items).unwrap_or_default().iter().enumerate() {
        let security = node.text().unwrap_or_default();
        let key = format!("{path}[{index}]");
        let known = match protocol {
            "rdp" => "`nla` and `tls`",
            "vnc" => "`x509_plain`, `x509_vnc`, `x509_none`, `ard`, `vnc_auth` and `none`",
            _ => continue,
        };
        if protocol_of(security) != protocol {
            let message =
                format!("{} is not for `protocol: {protocol}`, which has {known}", quoted(security));
            report.error(node.at, &key, message);
            continue;
        }
        let (needs_username, needs_password) = match security {
            "x509_plain" | "ard" | "nla" => (true, true),
            "x509_vnc" | "vnc_auth" => (false, true),
            _ => (false, false),
        };
        let missing = match (needs_username && !username, needs_password && !password) {
            (true, true) => "`credentials.username` and `credentials.password`",
            (true, false) => "`credentials.username`",
            (false, true) => "`credentials.password`",
            (false, false) => continue,
        };
        report.error(node.at, &key, format!("`{security}` needs {missing}"));
    }
}

fn domain(target: &Node, path: &str, report: &mut Report) {
    let Some(credentials) = target.get("credentials") else { return };
    let Some(domain) = credentials.get("domain") else { return };
    if target.get("protocol").and_then(Node::text) == Some("vnc") {
        report.error(domain.at, path, "VNC knows no domains; only a target with `protocol: rdp` has one");
    } else if credentials.get("username").is_none() {
        report.error(domain.at, path, "a domain needs the name of a user in it; add `credentials.username`");
    }
}
