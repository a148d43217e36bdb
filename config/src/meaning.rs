//! What the schema cannot say: references, combinations, and what is doubtful.
//!
//! Most of it looks at the tree and not at the types, so that it is found together with mistakes in the
//! shape.

mod audit;
mod rules;
mod targets;
mod webhooks;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use crate::fragments::Fragments;
use crate::report::{Report, quoted, suggestion};
use crate::resolver::STAND_IN;
use crate::sections::{ClipboardSizes, Config, check_tls};
use crate::tree::{Node, Value};
use crate::values::HumanDuration;

/// Finds what is wrong with the file as far as it has the right shape.
pub(crate) fn check_tree(root: &Node, fragments: &Fragments, report: &mut Report) {
    for section in ["users", "rules", "service_accounts", "webhooks"] {
        distinct_names(section, Element::within(root, section), report);
    }
    let targets = || Element::within(root, "targets").chain(fragments.targets());
    distinct_names("targets", targets(), report);
    rules::check(root, targets, fragments.is_complete(), report);
    own_tls(root, report);
    store(root, report);
    object_store(root, report);
    listeners(root, report);
    telemetry(root, cfg!(feature = "otel"), report);
    viewer_security(root, report);
    roles(root, report);
    issuers(root, report);
    webhooks::check(root, report);
    audit::check(root, report);
    for target in targets() {
        report.in_file(target.file, |report| targets::check(target.node, &target.path("targets"), report));
    }
}

/// Finds what needs the values: what secrets contain, and how long things last.
pub(crate) fn check_config(config: &Config, root: &Node, report: &mut Report) {
    for (index, user) in config.users.iter().enumerate() {
        let Some(hash) = &user.password_hash else { continue };
        if !hash.expose().starts_with("$argon2id$") {
            let at = elements(root, "users")
                .nth(index)
                .and_then(|user| user.get("password_hash"))
                .unwrap_or(root)
                .at;
            let message = "this is not an argon2id hash; make one with `passerelle hash-password`";
            report.error(at, &format!("users[{index}].password_hash"), message);
        }
    }
    for (index, user) in config.users.iter().enumerate() {
        let (Some(_), None) = (&user.totp, &user.password_hash) else { continue };
        let at = elements(root, "users").nth(index).and_then(|user| user.get("totp")).unwrap_or(root).at;
        let message = "a second factor goes with a password; add `password_hash`";
        report.error(at, &format!("users[{index}].totp"), message);
    }
    if let Some(pepper) = config.pepper.as_ref().filter(|pepper| pepper.expose() != STAND_IN) {
        let digits = pepper.expose();
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = "this is not 64 hexadecimal digits; make one with `openssl rand -hex 32`";
            report.error(find(root, "pepper").at, "pepper", message);
        }
    }
    webhooks::check_secrets(&config.webhooks, root, report);
    durations(config, root, report);
    disk_space(config, root, report);
    let sizes = &config.limits.clipboard;
    for (name, size) in [("to_target", sizes.to_target), ("from_target", sizes.from_target)] {
        if size > ClipboardSizes::MAX {
            let key = format!("limits.clipboard.{name}");
            report.error(find(root, &key).at, &key, format!("must be at most {}", ClipboardSizes::MAX));
        }
    }
}

/// An element of a list, in the configuration file or a fragment.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    /// The fragment.
    pub(crate) file: Option<&'a str>,
    pub(crate) index: usize,
    pub(crate) node: &'a Node,
}

impl<'a> Element<'a> {
    fn within(root: &'a Node, section: &str) -> impl Iterator<Item = Self> + use<'a> {
        let items = root.get(section).map(Node::items).unwrap_or_default();
        items.iter().enumerate().map(|(index, node)| Self { file: None, index, node })
    }

    /// Path of the element in its file, which for a fragment is nothing but the list.
    fn path(&self, section: &str) -> String {
        let section = if self.file.is_some() { "" } else { section };
        format!("{section}[{}]", self.index)
    }
}

/// The elements of a list under the root.
fn elements<'a>(root: &'a Node, section: &str) -> impl Iterator<Item = &'a Node> {
    root.get(section).map(Node::items).unwrap_or_default().iter()
}

fn name_of(node: &Node) -> Option<&str> {
    node.get("name").and_then(Node::text)
}

/// The node at a path of keys, or the nearest one above that exists.
fn find<'a>(root: &'a Node, path: &str) -> &'a Node {
    let mut node = root;
    for part in path.split('.') {
        let (key, index) = part.split_once('[').unwrap_or((part, ""));
        let element = |list: &'a Node| match index.trim_end_matches(']').parse::<usize>() {
            Ok(index) => list.items().get(index),
            Err(_) => Some(list),
        };
        match node.get(key).and_then(element) {
            Some(next) => node = next,
            None => break,
        }
    }
    node
}

/// The texts of a list under a key, each with its path.
fn texts<'a>(
    node: &'a Node,
    list: &'a str,
    path: &'a str,
) -> impl Iterator<Item = (&'a Node, &'a str, String)> {
    let items = node.get(list).map(Node::items).unwrap_or_default().iter().enumerate();
    items.filter_map(move |(index, item)| Some((item, item.text()?, format!("{path}.{list}[{index}]"))))
}

/// A name may be used once in a section, in whichever file.
fn distinct_names<'a>(section: &str, elements: impl Iterator<Item = Element<'a>>, report: &mut Report) {
    let mut known: HashMap<&str, (Option<&str>, usize)> = HashMap::new();
    for element in elements {
        let Some(node) = element.node.get("name") else { continue };
        let Some(name) = node.text() else { continue };
        match known.entry(name) {
            Entry::Occupied(first) => {
                let (file, line) = first.get();
                let place = match file {
                    _ if *file == element.file => format!("line {line}"),
                    Some(file) => format!("line {line} of {file}"),
                    None => format!("line {line} of the configuration file"),
                };
                let message = format!("the name {} is already taken in {place}", quoted(name));
                let key = format!("{}.name", element.path(section));
                report.in_file(element.file, |report| report.error(node.at, &key, message));
            }
            Entry::Vacant(place) => {
                place.insert((element.file, node.at.line));
            }
        }
    }
}

/// A role that nobody has is likely a mistyped group, unless groups come from elsewhere.
fn roles(root: &Node, report: &mut Report) {
    if elements(root, "issuers").next().is_some() {
        return;
    }
    let groups: Vec<&str> = elements(root, "users").flat_map(|user| list_of(user, "groups")).collect();
    let Some(roles) = root.get("roles") else { return };
    for role in ["administrator", "supervisor", "auditor"] {
        for (node, group, key) in texts(roles, role, "roles") {
            if !groups.contains(&group) {
                let guess = suggestion(group, groups.iter().copied());
                report.warning(node.at, &key, format!("no user is in the group {}{guess}", quoted(group)));
            }
        }
    }
}

fn list_of<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a str> {
    node.get(key).map(Node::items).unwrap_or_default().iter().filter_map(Node::text)
}

fn own_tls(root: &Node, report: &mut Report) {
    let Some(tls) = root.get("tls").filter(|tls| matches!(tls.value, Value::Map(_))) else { return };
    let self_signed = tls.get("self_signed").is_some_and(|node| matches!(node.value, Value::Bool(true)));
    if let Err(error) = check_tls(tls.get("certificate").is_some(), tls.get("key").is_some(), self_signed) {
        report.error(tls.at, "tls", error.to_string());
    }
}

fn issuers(root: &Node, report: &mut Report) {
    let mut known: Vec<&str> = Vec::new();
    for (index, issuer) in elements(root, "issuers").enumerate() {
        let path = format!("issuers[{index}]");
        match (issuer.get("jwks_url"), issuer.get("jwks_file")) {
            _ if !matches!(issuer.value, Value::Map(_)) => {}
            (None, None) => report.error(issuer.at, &path, "needs `jwks_url` or `jwks_file` for its keys"),
            (Some(_), Some(file)) => {
                let message = "is there beside `jwks_url`; keep one of the two";
                report.error(file.at, &format!("{path}.jwks_file"), message);
            }
            _ => {}
        }
        if let (Some(file), None) = (issuer.get("ca_file"), issuer.get("jwks_url")) {
            report.error(file.at, &format!("{path}.ca_file"), "says nothing without `jwks_url`");
        }
        let Some(node) = issuer.get("issuer") else { continue };
        let Some(name) = node.text() else { continue };
        if known.contains(&name) {
            let message = format!("the issuer {} is there twice", quoted(name));
            report.error(node.at, &format!("{path}.issuer"), message);
        }
        known.push(name);
    }
}

fn store(root: &Node, report: &mut Report) {
    let Some(store) = root.get("store") else { return };
    let url = store.text().or_else(|| store.get("url").and_then(Node::text));
    let Some(url) = url.filter(|url| url.starts_with("redis")) else { return };
    if root.get("pepper").is_none() {
        let message = "gateways that share a store share a pepper; add the key `pepper: file:/path` with the \
                       contents that `openssl rand -hex 32` makes, the same on each";
        report.error(store.at, "store", message);
    }
    if let Some(ca_file) = store.get("ca_file").filter(|_| !url.starts_with("rediss")) {
        report.error(
            ca_file.at,
            "store.ca_file",
            "is for TLS; write `rediss` in place of `redis` in the URL",
        );
    }
    let local = ["://localhost", "://127.", "://[::1]"].iter().any(|place| url.contains(place));
    if !url.starts_with("rediss") && !local {
        let message = "everything on the way to the store can be read and changed; write `rediss` in place of \
                       `redis` for TLS, unless the network is your own";
        report.warning(store.at, "store", message);
    }
}

fn object_store(root: &Node, report: &mut Report) {
    let Some(endpoint) =
        root.get("recording").and_then(|recording| recording.get("object_store")?.get("endpoint"))
    else {
        return;
    };
    let Some(url) = endpoint.text() else { return };
    let local = ["://localhost", "://127.", "://[::1]"].iter().any(|place| url.contains(place));
    if url.starts_with("http://") && !local {
        let message = "what is known of recordings without a key can be read on the way, and recordings can be kept \
                       from the store; write `https`, unless the network is your own";
        report.warning(endpoint.at, "recording.object_store.endpoint", message);
    }
}

fn telemetry(root: &Node, available: bool, report: &mut Report) {
    let Some(telemetry) = root.get("telemetry") else { return };
    if !available {
        let message =
            "this passerelle was built without it; build it with `--features otel`, or remove the section";
        report.error(telemetry.at, "telemetry", message);
    }
    let Some(otlp) = telemetry.get("otlp") else { return };
    let Some(url) = otlp.text() else { return };
    let local = ["://localhost", "://127.", "://[::1]"].iter().any(|place| url.contains(place));
    if url.starts_with("http://") && !local {
        let message = "the traces, and the headers beside them, can be read on their way; write `https`, unless the \
                       network is your own";
        report.warning(otlp.at, "telemetry.otlp", message);
    }
}

fn listeners(root: &Node, report: &mut Report) {
    let Some(listen) = root.get("listen").filter(|listen| matches!(listen.value, Value::Map(_))) else {
        return;
    };
    let rdp = listen.get("rdp");
    if rdp.is_none() && listen.get("vnc").is_none() {
        report.error(listen.at, "listen", "there is nothing to listen on; add `rdp`, `vnc` or both");
    }
    if let Some(https) = listen.get("https").filter(|_| root.get("tls").is_none()) {
        report.error(https.at, "listen.https", "the API needs a certificate; add the section `tls`");
    }
    if let Some(metrics) = listen.get("metrics").filter(|addresses| !only_local(addresses)) {
        let message =
            "whoever reaches this address reads the metrics; nothing there is encrypted or asks for a login";
        report.warning(metrics.at, "listen.metrics", message);
    }
    match (rdp, root.get("rdp")) {
        (Some(rdp), _) if root.get("tls").is_none() => {
            let message = "RDP viewers want to see a certificate; add the section `tls`";
            report.error(rdp.at, "listen.rdp", message);
        }
        (None, Some(section)) => {
            report.warning(section.at, "rdp", "no RDP viewer can connect; add `listen.rdp`");
        }
        _ => {}
    }
    for listener in ["rdp", "vnc", "https"] {
        let Some(networks) = listen.get("proxy_protocol").and_then(|proxies| proxies.get(listener)) else {
            continue;
        };
        let key = format!("listen.proxy_protocol.{listener}");
        if listen.get(listener).is_none() {
            report.warning(networks.at, &key, format!("says nothing without `listen.{listener}`"));
        }
        not_everybody(networks, &key, report);
    }
    let Some(api) = root.get("api") else { return };
    let proxies = api.get("trusted_proxies");
    if let Some(proxies) = proxies {
        if listen.get("https").is_none() {
            report.warning(proxies.at, "api.trusted_proxies", "says nothing without `listen.https`");
        }
        not_everybody(proxies, "api.trusted_proxies", report);
    }
    if let (Some(header), None) = (api.get("forwarded_header"), proxies) {
        report.warning(header.at, "api.forwarded_header", "says nothing without `api.trusted_proxies`");
    }
}

/// Whoever is trusted to say where a connection comes from can be anybody.
fn not_everybody(networks: &Node, key: &str, report: &mut Report) {
    for (index, network) in networks.items().iter().enumerate() {
        if network.text().is_some_and(|text| text.ends_with("/0")) {
            let message =
                "lets everybody say that they come from anywhere; write the addresses of your proxies";
            report.error(network.at, &format!("{key}[{index}]"), message);
        }
    }
}

fn viewer_security(root: &Node, report: &mut Report) {
    let encrypted = root.get("tls").is_some();
    let local = root.get("listen").and_then(|listen| listen.get("vnc")).is_some_and(only_local);
    let Some(vnc) = root.get("vnc") else { return };
    for (node, security, key) in texts(vnc, "security", "vnc") {
        match security {
            "x509_plain" | "x509_vnc" if !encrypted => {
                report.error(
                    node.at,
                    &key,
                    format!("`{security}` needs a certificate; add the section `tls`"),
                );
            }
            "ard" if !local => {
                let message = "with `ard` the login is encrypted but the session is not; use it in networks that you trust";
                report.warning(node.at, &key, message);
            }
            "vnc_auth" if !local => {
                let message = "with `vnc_auth` nothing is encrypted; use it in networks that you trust";
                report.warning(node.at, &key, message);
            }
            _ => {}
        }
    }
}

/// Whether everything that is listened on can be reached from this machine only.
fn only_local(addresses: &Node) -> bool {
    let local = |node: &Node| {
        let address = node.text().and_then(|text| text.parse::<SocketAddr>().ok());
        address.is_some_and(|address| address.ip().is_loopback())
    };
    local(addresses) || (!addresses.items().is_empty() && addresses.items().iter().all(local))
}

fn durations(config: &Config, root: &Node, report: &mut Report) {
    let second = HumanDuration::from_secs(1);
    let day = HumanDuration::from_secs(24 * 60 * 60);
    let limits = &config.limits;
    let lockout = &config.lockout;
    let bounds = [
        ("limits.idle", limits.idle, second, HumanDuration::from_secs(7 * 24 * 60 * 60)),
        ("limits.session", limits.session, second, HumanDuration::from_secs(30 * 24 * 60 * 60)),
        ("limits.handshake", limits.handshake, second, HumanDuration::from_secs(5 * 60)),
        (
            "limits.drain_delay",
            limits.drain_delay,
            HumanDuration::from_secs(0),
            HumanDuration::from_secs(60 * 60),
        ),
        ("limits.drain", limits.drain, HumanDuration::from_secs(0), day),
        ("limits.store_grace", limits.store_grace, second, HumanDuration::from_secs(30 * 24 * 60 * 60)),
        ("tickets.life", config.tickets.life, second, day),
        ("approvals.life", config.approvals.life, second, HumanDuration::from_secs(7 * 24 * 60 * 60)),
        ("api.token_life", config.api.token_life, second, day),
    ];
    let mut bounds: Vec<_> =
        bounds.map(|(key, found, least, most)| (key.to_owned(), found, least, most)).into();
    let century = HumanDuration::from_secs(100 * 365 * 24 * 60 * 60);
    if let Some(retention) = config.recording.retention {
        bounds.push(("recording.retention".to_owned(), retention, second, century));
    }
    let longest = config.recording.blackout_max.0;
    bounds.push(("recording.blackout_max".to_owned(), longest, second, day));
    if let Some(store) = &config.recording.object_store {
        let minute = HumanDuration::from_secs(10 * 60);
        bounds.push(("recording.object_store.timeout".to_owned(), store.timeout, second, minute));
        if let Some(keep) = store.keep_local {
            let none = HumanDuration::from_secs(0);
            bounds.push(("recording.object_store.keep_local".to_owned(), keep, none, century));
        }
    }
    for (index, rule) in config.rules.iter().enumerate() {
        if let Some(retention) = rule.retention {
            bounds.push((format!("rules[{index}].retention"), retention, second, century));
        }
    }
    for (index, issuer) in config.issuers.iter().enumerate() {
        bounds.push((format!("issuers[{index}].longest_life"), issuer.longest_life, second, day));
        let none = HumanDuration::from_secs(0);
        bounds.push((format!("issuers[{index}].leeway"), issuer.leeway, none, HumanDuration::from_secs(300)));
    }
    for (index, webhook) in config.webhooks.iter().enumerate() {
        let (minute, month) = (HumanDuration::from_secs(60), HumanDuration::from_secs(30 * 24 * 60 * 60));
        bounds.push((format!("webhooks[{index}].timeout"), webhook.timeout, second, minute));
        bounds.push((format!("webhooks[{index}].retry_for"), webhook.retry_for, second, month));
    }
    if let Some(anchor) = &config.audit.anchor {
        bounds.push(("audit.anchor.every".to_owned(), anchor.every, second, day));
    }
    for (name, backoff) in [
        ("address", lockout.address.get()),
        ("technician", lockout.technician.get()),
        ("global", lockout.global.get()),
    ] {
        bounds.push((format!("lockout.{name}.first"), backoff.first, second, day));
        bounds.push((format!("lockout.{name}.longest"), backoff.longest, backoff.first, day));
        bounds.push((
            format!("lockout.{name}.forget"),
            backoff.forget,
            second,
            HumanDuration::from_secs(30 * 24 * 60 * 60),
        ));
    }
    for (key, found, least, most) in &bounds {
        if found < least || found > most {
            report.error(find(root, key).at, key, format!("must be from {least} to {most}, not {found}"));
        }
    }
    if limits.idle > limits.session {
        let message =
            format!("is longer than `limits.session` ({}), which ends every session before", limits.session);
        report.warning(find(root, "limits.idle").at, "limits.idle", message);
    }
    if config.tickets.life > HumanDuration::from_secs(15 * 60) {
        let message = "is long for a ticket: what is written down or sniffed stays usable until then";
        report.warning(find(root, "tickets.life").at, "tickets.life", message);
    }
}

/// Whoever ends recordings before they refuse new ones, or refuses them before warning, has mixed something up.
fn disk_space(config: &Config, root: &Node, report: &mut Report) {
    let disk = config.recording.disk;
    for (key, more, less, message) in [
        (
            "recording.disk.warn",
            Some(disk.refuse),
            disk.warn,
            "is less than `recording.disk.refuse`, so nobody is warned",
        ),
        (
            "recording.disk.stop",
            disk.stop,
            Some(disk.refuse),
            "is more than `recording.disk.refuse`, so recordings end that have just begun",
        ),
    ] {
        let (Some(more), Some(less)) = (more, less) else { continue };
        if more.exceeds(less) == Some(true) {
            report.error(find(root, key).at, key, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_needs_a_build_with_it() {
        let text = "listen: { vnc: '127.0.0.1:0' }\ntelemetry: { otlp: 'http://[::1]:4318' }";
        let found = |available| {
            let mut report = Report::new("p.yaml");
            let root = crate::tree::parse(text, &mut report).unwrap();
            telemetry(&root, available, &mut report);
            report.has_errors().then(|| report.fail().to_string())
        };
        assert_eq!(found(true), None);
        let without = "p.yaml:2:12: telemetry: this passerelle was built without it; build it with `--features otel`, or remove the section";
        assert_eq!(found(false).as_deref(), Some(without));
    }
}
