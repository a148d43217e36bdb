//! Which crate may depend on which, checked against what cargo resolves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shell::{self, Outcome};

/// Our crates and those of ours that each may depend on. What is not listed here is refused, so a new
/// crate has to be thought about.
const ALLOWED: &[(&str, &[&str])] = &[
    ("passerelle-desktop", &[]),
    ("passerelle-rfb", &[]),
    ("passerelle-transport", &[]),
    ("passerelle-vnc", &["passerelle-desktop", "passerelle-rfb", "passerelle-transport"]),
    ("passerelle-rdp", &["passerelle-desktop", "passerelle-transport"]),
    ("passerelle-rdp-peers", &["passerelle-transport"]),
    ("passerelle-config", &["passerelle-desktop"]),
    ("passerelle-auth", &["passerelle-desktop"]),
    ("passerelle-recorder", &["passerelle-desktop"]),
    (
        "passerelle",
        &[
            "passerelle-auth",
            "passerelle-config",
            "passerelle-desktop",
            "passerelle-recorder",
            "passerelle-rdp",
            "passerelle-rfb",
            "passerelle-transport",
            "passerelle-vnc",
        ],
    ),
    // The benchmarks measure decisions and claims without a gateway around them, and write and read recordings.
    ("xtask", &["passerelle-auth", "passerelle-desktop", "passerelle-recorder"]),
];

/// Crates that may not reach an I/O runtime, not even through what they depend on: they are given bytes,
/// time and randomness.
const SANS_IO: &[&str] = &["passerelle-desktop", "passerelle-rfb"];

/// What no sans-I/O crate may reach.
const RUNTIMES: &[&str] = &["tokio", "mio", "async-std", "smol"];

pub(crate) fn check() -> Outcome {
    let json = shell::read(shell::cargo().args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]))?;
    let metadata: Value = serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
    let problems = violations(&metadata);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// One sentence for each rule that the resolved workspace breaks.
fn violations(metadata: &Value) -> Vec<String> {
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let members: BTreeSet<&str> = list(&metadata["workspace_members"]).filter_map(Value::as_str).collect();
    let edges: BTreeMap<&str, BTreeSet<&str>> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, normal_dependencies(node))))
        .collect();

    let mut problems = Vec::new();
    for member in &members {
        let name = names.get(member).copied().unwrap_or(member);
        let direct = edges.get(member).cloned().unwrap_or_default();
        let ours: BTreeSet<&str> =
            direct.intersection(&members).filter_map(|id| names.get(id).copied()).collect();
        match ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) {
            None => problems.push(format!("{name} has no entry in the list of allowed dependencies")),
            Some((_, allowed)) => {
                problems.extend(
                    ours.iter()
                        .filter(|other| !allowed.contains(other))
                        .map(|other| format!("{name} may not depend on {other}")),
                );
            }
        }
        if SANS_IO.contains(&name) {
            for id in reachable(member, &edges) {
                let other = names.get(id).copied().unwrap_or(id);
                if RUNTIMES.contains(&other) {
                    problems.push(format!("{name} does no I/O and may not reach {other}"));
                }
            }
        }
    }
    problems
}

/// The packages that a node of the resolved graph needs outside of tests and build scripts.
fn normal_dependencies(node: &Value) -> BTreeSet<&str> {
    list(&node["deps"])
        .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()))
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

fn reachable<'a>(from: &str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = edges.get(from).into_iter().flatten().copied().collect();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(edges.get(id).into_iter().flatten());
        }
    }
    seen
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Metadata of a workspace in which all but `tokio` are members, with these dependencies.
    fn workspace(dependencies: &[(&str, &str, Option<&str>)]) -> Value {
        let names: BTreeSet<&str> = dependencies.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        json!({
            "packages": names.iter().map(|name| json!({"id": name, "name": name})).collect::<Vec<_>>(),
            "workspace_members": names.iter().filter(|name| **name != "tokio" && **name != "between").collect::<Vec<_>>(),
            "resolve": {"nodes": names.iter().map(|name| json!({
                "id": name,
                "deps": dependencies.iter().filter(|(from, ..)| from == name).map(|(_, to, kind)| {
                    json!({"pkg": to, "dep_kinds": [{"kind": kind}]})
                }).collect::<Vec<_>>(),
            })).collect::<Vec<_>>()},
        })
    }

    #[test]
    fn agreed_dependencies_pass() {
        let metadata = workspace(&[
            ("passerelle-vnc", "passerelle-rfb", None),
            ("passerelle-vnc", "tokio", None),
            ("passerelle", "passerelle-vnc", None),
        ]);
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn other_dependencies_between_our_crates_are_named() {
        let metadata =
            workspace(&[("passerelle-config", "passerelle-auth", None), ("xtask", "passerelle", None)]);
        assert_eq!(
            violations(&metadata),
            ["passerelle-config may not depend on passerelle-auth", "xtask may not depend on passerelle"]
        );
    }

    #[test]
    fn a_runtime_is_found_behind_another_crate_but_may_serve_tests() {
        let metadata = workspace(&[("passerelle-rfb", "between", None), ("between", "tokio", None)]);
        assert_eq!(violations(&metadata), ["passerelle-rfb does no I/O and may not reach tokio"]);
        let metadata = workspace(&[("passerelle-rfb", "tokio", Some("dev"))]);
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_rules_is_refused() {
        let metadata = workspace(&[("passerelle-new", "tokio", None)]);
        assert_eq!(
            violations(&metadata),
            ["passerelle-new has no entry in the list of allowed dependencies"]
        );
    }
}
