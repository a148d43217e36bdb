//! Rules: whom and what they name, and whether they make sense.

use std::collections::BTreeSet;

use super::{Element, elements, list_of, name_of, texts};
use crate::report::{Report, quoted, suggestion};
use crate::tree::{Node, Value};

/// What rules can name.
struct Names<'a> {
    users: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
    targets: BTreeSet<&'a str>,
    tags: BTreeSet<&'a str>,
    /// Whether identity providers may name others than the users.
    others: bool,
}

/// Checks all rules. What targets there are is only known when all fragments could be read.
pub(super) fn check<'a, I: Iterator<Item = Element<'a>>>(
    root: &'a Node,
    targets: impl Fn() -> I,
    all_targets: bool,
    report: &mut Report,
) {
    let names = Names {
        users: elements(root, "users").filter_map(name_of).collect(),
        groups: elements(root, "users").flat_map(|user| list_of(user, "groups")).collect(),
        targets: targets().filter_map(|target| name_of(target.node)).collect(),
        tags: targets().flat_map(|target| list_of(target.node, "tags")).collect(),
        others: elements(root, "issuers").next().is_some(),
    };
    for (index, rule) in elements(root, "rules").enumerate() {
        let path = format!("rules[{index}]");
        people(rule, &path, &names, report);
        if all_targets {
            places(rule, &path, &names, report);
        }
        if matches!(rule.value, Value::Map(_)) {
            effect(rule, &path, report);
        }
        requirements(rule, &path, report);
        hours(rule, &path, report);
        if is(rule.get("attended"), true) {
            let message = "the rule never applies: no session is attended yet";
            report.warning(rule.at, &format!("{path}.attended"), message);
        }
    }
}

fn people(rule: &Node, path: &str, names: &Names<'_>, report: &mut Report) {
    let nobody = |key: &str| rule.get(key).is_none_or(is_empty);
    if matches!(rule.value, Value::Map(_)) && nobody("users") && nobody("groups") {
        report.error(rule.at, path, "the rule names nobody; add `groups` or `users`");
    }
    for (node, user, key) in texts(rule, "users", path) {
        if user != "*" && !names.users.contains(&user) && !names.others {
            let guess = suggestion(user, names.users.iter().copied());
            report.error(node.at, &key, format!("there is no user {}{guess}", quoted(user)));
        }
    }
    for (node, group, key) in texts(rule, "groups", path) {
        if !names.groups.contains(&group) && !names.others {
            let guess = suggestion(group, names.groups.iter().copied());
            report.warning(node.at, &key, format!("no user is in the group {}{guess}", quoted(group)));
        }
    }
}

fn places(rule: &Node, path: &str, names: &Names<'_>, report: &mut Report) {
    for (node, selector, key) in texts(rule, "targets", path) {
        match selector.strip_prefix("tag:") {
            Some(tag) if !names.tags.contains(&tag) => {
                let guess = suggestion(tag, names.tags.iter().copied());
                report.warning(node.at, &key, format!("no target has the tag {}{guess}", quoted(tag)));
            }
            None if selector != "*" && !names.targets.contains(&selector) => {
                let mut guess = suggestion(selector, names.targets.iter().copied());
                if names.tags.contains(&selector) {
                    guess = format!("; did you mean `tag:{selector}`?");
                }
                report.error(node.at, &key, format!("there is no target {}{guess}", quoted(selector)));
            }
            _ => {}
        }
    }
}

fn effect(rule: &Node, path: &str, report: &mut Report) {
    let key = |name: &str| format!("{path}.{name}");
    let permissions = rule.get("permissions");
    if rule.get("effect").and_then(Node::text) != Some("deny") {
        match permissions {
            None => report.error(rule.at, path, "the key `permissions` is missing"),
            Some(list) if is_empty(list) && rule.get("require").is_none_or(is_empty) => {
                report.warning(list.at, &key("permissions"), "the rule grants nothing");
            }
            Some(_) => {}
        }
        return;
    }
    if let Some(list) = permissions.filter(|list| is_empty(list)) {
        let message = "is an empty list; leave the key out to take away everything";
        report.error(list.at, &key("permissions"), message);
    }
    for (name, message) in [
        ("require", "a rule with `effect: deny` requires nothing; put this into a rule of its own"),
        ("maintenance", "a rule with `effect: deny` lets nobody in; remove this"),
        ("retention", "a rule with `effect: deny` lets nobody in, so nothing is recorded; remove this"),
        ("views", "a rule with `effect: deny` lets nobody in, so nothing is rendered; remove this"),
        ("blackout", "a rule with `effect: deny` lets nobody in, so nothing is recorded; remove this"),
    ] {
        if let Some(node) = rule.get(name) {
            report.error(node.at, &key(name), message);
        }
    }
    let conditions = ["protocols", "sources", "hours", "attended", "permissions"];
    let everybody = texts(rule, "users", path).any(|(_, user, _)| user == "*");
    let everywhere = texts(rule, "targets", path).any(|(_, target, _)| target == "*");
    if everybody && everywhere && conditions.iter().all(|name| rule.get(name).is_none()) {
        report.warning(rule.at, path, "the rule keeps everybody out of everything, so the others do nothing");
    }
}

fn requirements(rule: &Node, path: &str, report: &mut Report) {
    for (node, word, key) in texts(rule, "require", path) {
        if word == "consent" {
            let message =
                "the gateway cannot ask for consent yet, so it lets nobody in to whom this rule applies";
            report.warning(node.at, &key, message);
        }
    }
}

fn hours(rule: &Node, path: &str, report: &mut Report) {
    let Some(hours) = rule.get("hours") else { return };
    let time = |key: &str| hours.get(key).and_then(Node::text);
    if let (Some(from), Some(to)) = (time("from"), time("to"))
        && from == to
    {
        let message = "ends when it begins; for whole days write `from: \"00:00\"` and `to: \"24:00\"`";
        report.error(hours.at, &format!("{path}.hours"), message);
    }
}

fn is_empty(list: &Node) -> bool {
    matches!(&list.value, Value::List(items) if items.is_empty())
}

fn is(node: Option<&Node>, expected: bool) -> bool {
    node.is_some_and(|node| matches!(node.value, Value::Bool(value) if value == expected))
}
