//! `cargo xtask fuzz`: the parsers against cargo-fuzz, with the targets in `xtask/fuzz`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::shell::{self, Outcome};

/// How long the targets share when nobody says: what a check of every change can afford.
pub(crate) const SMOKE_SECONDS: u64 = 60;

/// libFuzzer's seed for the smoke, which judges a change by much the same inputs each time.
const SMOKE_SEED: u32 = 1;

/// libFuzzer's name for a seed of its own choice.
const ANY_SEED: u32 = 0;

pub(crate) fn run(args: &[String]) -> Outcome {
    let known = targets()?;
    let mut chosen = Vec::new();
    let mut seconds = SMOKE_SECONDS;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => {
                println!("{}", known.join("\n"));
                return Ok(());
            }
            "--seconds" => {
                let value = args.next().ok_or("--seconds needs a number")?;
                seconds =
                    value.parse().map_err(|_| format!("--seconds {value}: that is no number of seconds"))?;
            }
            name if known.iter().any(|target| target == name) => chosen.push(name.to_owned()),
            name => return Err(format!("there is no fuzz target `{name}`; there are {}", known.join(", "))),
        }
    }
    fuzz(if chosen.is_empty() { known } else { chosen }, seconds, ANY_SEED)
}

/// All targets, each for its share of 60 seconds.
pub(crate) fn smoke() -> Outcome {
    fuzz(targets()?, SMOKE_SECONDS, SMOKE_SEED)
}

fn fuzz(targets: Vec<String>, seconds: u64, seed: u32) -> Outcome {
    shell::cargo_tool("cargo-fuzz")?;
    let start = shell::now();
    shell::run(&mut cargo_fuzz("build"))
        .map_err(|error| format!("{error}\nrepeat it with: cargo xtask fuzz {}", targets.join(" ")))?;
    println!("fuzz: built in {}", shell::seconds(start.elapsed()));

    let each = (seconds / targets.len().max(1) as u64).max(1);
    let mut failed = Vec::new();
    for target in &targets {
        let start = shell::now();
        let outcome = fuzz_one(target, each, seed);
        let time = shell::seconds(start.elapsed());
        match outcome {
            Ok(()) => println!("fuzz {target:20} ok      {time:>8}"),
            Err(error) => {
                println!("fuzz {target:20} FAILED  {time:>8}  {error}");
                failed.push(target.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "fuzzing found something in: {0}\n\
         repeat it with: cargo xtask fuzz {0}\n\
         keep the input: copy it from xtask/fuzz/artifacts/TARGET to xtask/fuzz/seeds/TARGET, and the tests replay it",
        failed.join(" ")
    ))
}

/// Starts from the committed seeds; what is found on the way is kept below `target`.
fn fuzz_one(target: &str, seconds: u64, seed: u32) -> Outcome {
    let corpus = shell::root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let output = cargo_fuzz("run")
        .arg(target)
        .arg(&corpus)
        .arg(folder().join("seeds").join(target))
        .args([
            "--",
            &format!("-max_total_time={seconds}"),
            &format!("-seed={seed}"),
            "-max_len=4096",
            "-rss_limit_mb=2048",
            // In real time, of which a machine that is shared may lose much.
            "-timeout=60",
        ])
        .output()
        .map_err(|error| format!("cannot run cargo fuzz: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(findings(&String::from_utf8_lossy(&output.stderr)))
}

/// What somebody needs of libFuzzer's report: what broke and the input that broke it, or else its end.
fn findings(report: &str) -> String {
    let lines: Vec<&str> = report.lines().collect();
    let tells = |line: &&&str| {
        ["panicked at", "ERROR:", "SUMMARY:", "Test unit written to"].iter().any(|word| line.contains(word))
    };
    let mut found: Vec<&str> = Vec::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| tells(line)) {
        found.push(line);
        // A panic's message stands on the line after its place.
        found.extend(lines.get(index + 1).filter(|_| line.contains("panicked at")));
    }
    if found.is_empty() {
        found.extend(lines.iter().skip(lines.len().saturating_sub(20)));
    }
    found.join("\n")
}

/// No address sanitizer: our crates forbid `unsafe` code, it takes twice the time, and without it the
/// stable compiler will do.
fn cargo_fuzz(command: &str) -> Command {
    let mut cargo = shell::cargo();
    cargo.env_remove("CARGO_TARGET_DIR").current_dir(folder()).args(["fuzz", command, "--sanitizer", "none"]);
    cargo
}

fn folder() -> PathBuf {
    shell::root().join("xtask/fuzz")
}

/// The targets are the files in `fuzz_targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = folder().join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    if names.is_empty() { Err(format!("{} holds no targets", folder.display())) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn a_report_is_cut_down_to_what_broke() {
        let report = "INFO: Seed: 1\nthread panicked at src/rfb.rs:1:2:\n0 of 4 bytes were taken\nstack\n\
                      ==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1\n";
        assert_eq!(
            findings(report),
            "thread panicked at src/rfb.rs:1:2:\n0 of 4 bytes were taken\n\
             ==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1"
        );
    }

    #[test]
    fn without_a_finding_the_end_of_the_report_is_shown() {
        assert_eq!(findings("error: no such target"), "error: no such target");
    }
}
