//! What the README shows works: its configurations load, and `passerelle explain` says what stands
//! behind each call of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail a test like tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use passerelle_config::{Config, FileError, FragmentFile, Problem, Resolver};
use serde_json::Value;
use zeroize::Zeroizing;

const README: &str = include_str!("../../README.md");

/// Sections for configurations that leave them out.
const USUAL: [(&str, &str); 5] = [
    ("listen", "listen: { vnc: 127.0.0.1:5900, rdp: 127.0.0.1:3389 }\n"),
    ("tls", "tls: { self_signed: true }\n"),
    (
        "users",
        "users:\n  - { name: alice, groups: [helpdesk, seniors] }\n  - { name: bob, groups: [administrators, revision] }\n",
    ),
    (
        "targets",
        "targets:\n  - { name: front-desk, protocol: vnc, address: '10.0.0.5:5900', tags: [office, servers] }\n",
    ),
    ("rules", "rules:\n  - { name: all, users: ['*'], targets: ['*'], permissions: [view] }\n"),
];

/// A block of YAML, complete, with the heading under which it stands.
struct Block {
    heading: &'static str,
    yaml: String,
}

/// Every block of YAML in the README.
fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some((_, title)) = line.split_once("# ").filter(|(hashes, _)| hashes.chars().all(|c| c == '#'))
        {
            heading = title;
        }
        if line == "```yaml" {
            let mut yaml: String =
                lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            for (key, section) in USUAL {
                if !yaml.lines().any(|line| line.starts_with(&format!("{key}:"))) {
                    yaml.push_str(section);
                }
            }
            blocks.push(Block { heading, yaml });
        }
    }
    blocks
}

/// A machine on which every file and variable is as the README's configurations want it.
struct Provided;

/// Passes for whatever secret is asked for: the hash of a password, a webhook's, or a key of 64 digits.
fn secret(name: &str) -> String {
    match name {
        _ if name.contains("hash") => "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA".to_owned(),
        _ if name.contains("whsec") => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        _ => "0123456789abcdef".repeat(4),
    }
}

impl Resolver for Provided {
    fn variable(&self, name: &str) -> Option<String> {
        Some(secret(name))
    }

    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        Ok(Zeroizing::new(secret(&path.to_string_lossy()).into_bytes()))
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => b"{\"keys\": []}".to_vec(),
            _ => rcgen::generate_simple_self_signed(["gateway.example.net".to_owned()])
                .unwrap()
                .cert
                .pem()
                .into_bytes(),
        })
    }

    fn fragments(&self, _: &Path) -> io::Result<Vec<FragmentFile>> {
        Ok(Vec::new())
    }
}

#[test]
fn every_configuration_loads_without_warnings_but_those_that_it_explains() {
    let blocks = blocks();
    assert!(blocks.len() >= 6, "only {} blocks of YAML were found", blocks.len());
    for Block { heading, yaml } in blocks {
        let loaded = Config::parse(&yaml, "/etc/passerelle/passerelle.yaml", &Provided)
            .unwrap_or_else(|errors| panic!("under {heading}:\n{errors}"));
        let explained = |warning: &&Problem| warning.key == "listen.metrics";
        let warnings: Vec<String> =
            loaded.warnings.iter().filter(|warning| !explained(warning)).map(ToString::to_string).collect();
        assert_eq!(warnings, Vec::<String>::new(), "under {heading}");
    }
}

#[test]
fn explanations_come_out_as_shown() {
    let rules = blocks().into_iter().find(|block| block.heading == "Rules by example").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passerelle.yaml");
    fs::write(&path, rules.yaml).unwrap();
    let calls =
        README.lines().filter_map(|line| line.strip_prefix("    passerelle explain ")?.split_once(" # "));
    let mut seen = BTreeMap::new();
    for (arguments, expected) in calls {
        let output = Command::new(env!("CARGO_BIN_EXE_passerelle"))
            .args(["explain", "--json", "--config"])
            .arg(&path)
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{arguments}: {}", String::from_utf8_lossy(&output.stderr)));
        let decision = said["decision"].as_str().unwrap();
        let names = said["missing"].as_array().unwrap().iter().map(|one| match one.as_object() {
            Some(object) => object.keys().next().unwrap().clone(),
            None => one.as_str().unwrap().to_owned(),
        });
        let missing = names.collect::<Vec<_>>().join(", ");
        let shown = if missing.is_empty() { decision.to_owned() } else { format!("{decision}: {missing}") };
        assert_eq!(shown, expected.trim(), "passerelle explain {arguments}");
        assert_eq!(output.status.success(), decision == "granted", "{arguments}");
        *seen.entry(decision.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(
        seen.into_keys().collect::<Vec<_>>(),
        ["denied", "granted", "missing"],
        "each outcome is shown"
    );
}
