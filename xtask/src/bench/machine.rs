//! What the figures depend on and a reader has to know, and nothing that names the machine.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// The CPU features on which hashing and sealing depend.
const FEATURES: [&str; 6] = ["aes", "pclmulqdq", "vaes", "vpclmulqdq", "avx2", "sha_ni"];

/// Facts about the machine, and the versions of `programs`, each with the argument that makes it say it.
pub(crate) fn facts(programs: &[(&str, &str)]) -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        cpu.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    let flags = field("flags").unwrap_or_default();
    let flags: Vec<&str> = flags.split_whitespace().filter(|flag| FEATURES.contains(flag)).collect();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "cpu": field("model name"),
        "cpu_features": flags,
        "memory_gib": memory.map(|kib: u64| (kib + (1 << 19)) >> 20),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        "load_before": fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse::<f64>().ok()),
        "programs": programs.iter().filter_map(|(program, argument)| first_line(program, argument)).collect::<Vec<_>>(),
    })
}

/// The first line that is not empty of what `program argument` prints.
fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.split(" - ").next().unwrap_or(line).to_owned())
}
