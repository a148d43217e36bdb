//! Where the recording gateway's CPU time goes, if `perf` is there to say.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::Process;
use crate::shell;

/// Parts of the gateway's work, and what the names of their functions contain.
const PARTS: [(&str, &[&str]); 6] = [
    ("hashing", &["sha256", "sha512"]),
    ("sealing", &["gcm", "ghash", "aes_", "aesni", "aes_hw"]),
    (
        "files",
        &[
            "ext4",
            "xfs",
            "btrfs",
            "shmem",
            "iomap",
            "vfs_write",
            "generic_perform_write",
            "fault_in",
            "folio",
            "filemap",
            "jbd2",
            "sys_write",
            "balance_dirty",
        ],
    ),
    ("sockets", &["tcp", "sock", "skb", "inet", "ip_", "loopback", "dev_", "napi", "net_", "epoll"]),
    ("copying", &["copy", "memmove", "memcpy", "memset", "rep_movs", "clear_page"]),
    ("scheduling", &["spin", "sched", "task_switch", "futex", "wake"]),
];

/// A running profile of a process.
pub(crate) struct Profile {
    process: Process,
    data: String,
}

impl Profile {
    /// Begins to profile `target`; none when there is no `perf` or it may not.
    pub(crate) fn start(target: &Process, directory: &Path) -> Option<Self> {
        if !shell::has("perf") {
            return None;
        }
        let data = directory.join("perf.data").to_str()?.to_owned();
        let mut perf = Command::new("perf");
        perf.args(["record", "--quiet", "-e", "cpu-clock", "-F", "997", "-o", &data, "-p"])
            .arg(target.id().to_string());
        Some(Self { process: Process::start("perf", perf, directory).ok()?, data })
    }

    /// Ends the profile and says which share of the samples each part has; nothing when it has none.
    pub(crate) fn shares(mut self) -> Vec<(&'static str, f64)> {
        self.process.interrupt();
        let report = Command::new("perf")
            .args(["report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0"])
            .args(["--sort", "symbol", "-t", ";", "-i", &self.data])
            .stderr(Stdio::null())
            .output();
        match report {
            Ok(report) if report.status.success() => sum(&String::from_utf8_lossy(&report.stdout)),
            _ => Vec::new(),
        }
    }
}

/// Adds up the lines ` 12.34%  ;[k] symbol` of a report.
fn sum(report: &str) -> Vec<(&'static str, f64)> {
    let mut shares: Vec<(&'static str, f64)> = PARTS.iter().map(|(part, _)| (*part, 0.0)).collect();
    let mut rest = 0.0;
    for line in report.lines() {
        let Some((percent, symbol)) = line.split_once(';') else { continue };
        let Ok(percent) = percent.trim().trim_end_matches('%').parse::<f64>() else { continue };
        let symbol = symbol.to_lowercase();
        let part = PARTS.iter().position(|(_, names)| names.iter().any(|name| symbol.contains(name)));
        match part.and_then(|part| shares.get_mut(part)) {
            Some((_, share)) => *share += percent / 100.0,
            None => rest += percent / 100.0,
        }
    }
    if shares.iter().all(|(_, share)| *share == 0.0) {
        return Vec::new();
    }
    shares.push(("everything else", rest));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_added_to_their_parts() {
        let report = "# Overhead;Symbol\n  40.00%;[.] ring_core_sha256_block_data_order_hw\n  25.00%;[.] aes_gcm_enc_update\n\
                      20.00%;[k] tcp_sendmsg_locked\n  15.00%;[.] passerelle::relay\n";
        let shares = sum(report);
        assert_eq!(shares.first(), Some(&("hashing", 0.4)));
        assert_eq!(shares.get(1), Some(&("sealing", 0.25)));
        assert_eq!(shares.last(), Some(&("everything else", 0.15)));
        assert!(sum("# nothing").is_empty());
    }
}
