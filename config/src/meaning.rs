//! What the schema cannot say: references, combinations, and what is doubtful.
//!
//! Most of it looks at the tree and not at the types, so that it is found together with mistakes in the
//! shape.

use std::net::SocketAddr;

use crate::report::{Report, quoted, suggestion};
use crate::sections::{ClipboardSizes, Config, check_target_tls, check_tls};
use crate::tree::{Node, Value};
use crate::values::HumanDuration;

/// Finds what is wrong with the file as far as it has the right shape.
pub(crate) fn check_tree(root: &Node, report: &mut Report) {
    for section in ["users", "targets", "rules", "service_accounts"] {
        distinct_names(root, section, report);
    }
    rules(root, report);
    own_tls(root, report);
    listeners(root, report);
    viewer_security(root, report);
    roles(root, report);
    issuers(root, report);
    for (index, target) in elements(root, "targets").enumerate() {
        target_tls(target, &format!("targets[{index}].tls"), report);
        target_security(target, &format!("targets[{index}].security"), report);
        target_domain(target, &format!("targets[{index}].credentials.domain"), report);
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
    durations(config, root, report);
    let sizes = &config.limits.clipboard;
    for (name, size) in [("to_target", sizes.to_target), ("from_target", sizes.from_target)] {
        if size > ClipboardSizes::MAX {
            let key = format!("limits.clipboard.{name}");
            report.error(find(root, &key).at, &key, format!("must be at most {}", ClipboardSizes::MAX));
        }
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

fn distinct_names(root: &Node, section: &str, report: &mut Report) {
    let mut known: Vec<(&str, &Node)> = Vec::new();
    for (index, element) in elements(root, section).enumerate() {
        let Some(node) = element.get("name") else { continue };
        let Some(name) = node.text() else { continue };
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => {
                let message = format!("the name {} is already taken in line {}", quoted(name), first.at.line);
                report.error(node.at, &format!("{section}[{index}].name"), message);
            }
            None => known.push((name, node)),
        }
    }
}

fn rules(root: &Node, report: &mut Report) {
    let users: Vec<&str> = elements(root, "users").filter_map(name_of).collect();
    let groups: Vec<&str> = elements(root, "users").flat_map(|user| list_of(user, "groups")).collect();
    let targets: Vec<&str> = elements(root, "targets").filter_map(name_of).collect();
    let tags: Vec<&str> = elements(root, "targets").flat_map(|target| list_of(target, "tags")).collect();

    for (index, rule) in elements(root, "rules").enumerate() {
        let path = format!("rules[{index}]");
        let nobody = |key: &str| {
            rule.get(key).is_none_or(|list| matches!(&list.value, Value::List(items) if items.is_empty()))
        };
        if matches!(rule.value, Value::Map(_)) && nobody("users") && nobody("groups") {
            report.error(rule.at, &path, "the rule names nobody; add `groups` or `users`");
        }
        for (node, user, key) in texts(rule, "users", &path) {
            if !users.contains(&user) {
                let guess = suggestion(user, users.iter().copied());
                report.error(node.at, &key, format!("there is no user {}{guess}", quoted(user)));
            }
        }
        for (node, group, key) in texts(rule, "groups", &path) {
            if !groups.contains(&group) {
                let guess = suggestion(group, groups.iter().copied());
                report.warning(node.at, &key, format!("no user is in the group {}{guess}", quoted(group)));
            }
        }
        for (node, selector, key) in texts(rule, "targets", &path) {
            match selector.strip_prefix("tag:") {
                Some(tag) if !tags.contains(&tag) => {
                    let guess = suggestion(tag, tags.iter().copied());
                    report.warning(node.at, &key, format!("no target has the tag {}{guess}", quoted(tag)));
                }
                None if selector != "*" && !targets.contains(&selector) => {
                    let mut guess = suggestion(selector, targets.iter().copied());
                    if tags.contains(&selector) {
                        guess = format!("; did you mean `tag:{selector}`?");
                    }
                    report.error(node.at, &key, format!("there is no target {}{guess}", quoted(selector)));
                }
                _ => {}
            }
        }
        if let Some(list) = rule
            .get("permissions")
            .filter(|list| matches!(&list.value, Value::List(items) if items.is_empty()))
        {
            report.warning(list.at, &format!("{path}.permissions"), "the rule grants nothing");
        }
    }
}

/// A role that nobody has is likely a mistyped group.
fn roles(root: &Node, report: &mut Report) {
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

fn target_tls(target: &Node, path: &str, report: &mut Report) {
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

fn target_security(target: &Node, path: &str, report: &mut Report) {
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

fn target_domain(target: &Node, path: &str, report: &mut Report) {
    let Some(credentials) = target.get("credentials") else { return };
    let Some(domain) = credentials.get("domain") else { return };
    if target.get("protocol").and_then(Node::text) == Some("vnc") {
        report.error(domain.at, path, "VNC knows no domains; only a target with `protocol: rdp` has one");
    } else if credentials.get("username").is_none() {
        report.error(domain.at, path, "a domain needs the name of a user in it; add `credentials.username`");
    }
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
        ("limits.drain", limits.drain, HumanDuration::from_secs(0), day),
        ("tickets.life", config.tickets.life, second, day),
        ("api.token_life", config.api.token_life, second, day),
    ];
    let mut bounds: Vec<_> =
        bounds.map(|(key, found, least, most)| (key.to_owned(), found, least, most)).into();
    for (index, issuer) in config.issuers.iter().enumerate() {
        bounds.push((format!("issuers[{index}].longest_life"), issuer.longest_life, second, day));
        let none = HumanDuration::from_secs(0);
        bounds.push((format!("issuers[{index}].leeway"), issuer.leeway, none, HumanDuration::from_secs(300)));
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
