//! Child processes: every one is owned, ended by its process id, and measured from `/proc`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::clock;

/// How long a server may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// How long a process may take to end after it was asked to.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A child process in a process group of its own, which ends with this value.
pub(crate) struct Process {
    name: String,
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `directory/name.log`. The main thread must call this: the
    /// kernel ends the process when the thread that started it is gone, whatever ended that.
    pub(crate) fn start(name: &str, command: Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let mut guarded = Command::new("setpriv");
        guarded
            .args(["--pdeathsig", "TERM", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = guarded.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), command: guarded, child, log })
    }

    /// Ends the process and starts it anew, for figures that earlier use would change; waits until it
    /// listens at `address` again.
    pub(crate) fn restart(&mut self, address: SocketAddr) -> Result<()> {
        self.stop();
        self.child = self.command.spawn().with_context(|| format!("cannot start {} again", self.name))?;
        self.wait_listening(address)
    }

    /// Waits until the process accepts TCP connections at `address`, by looking for the listener and not
    /// by connecting, so that the server sees no connection.
    pub(crate) fn wait_listening(&mut self, address: SocketAddr) -> Result<()> {
        let deadline = clock::now() + START_DEADLINE;
        while clock::now() < deadline {
            if listens(address.port())? {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, self.log_tail());
            }
            thread::sleep(Duration::from_millis(2));
        }
        bail!("{} does not listen after {START_DEADLINE:?}: {}", self.name, self.log_tail())
    }

    /// CPU seconds that the process and its descendants have used, dead and reaped ones included. The
    /// kernel counts in hundredths.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        tree(self.child.id()).into_iter().filter_map(cpu_ticks).sum::<u64>() as f64 / 100.0
    }

    /// CPU seconds of those of its threads that have a name which begins so.
    pub(crate) fn thread_seconds(&self, name: &str) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let named = threads.filter(|thread| {
            fs::read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
        });
        // Nanoseconds on a processor come first (Documentation/scheduler/sched-stats.rst).
        let spent = named.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        spent.sum::<u64>() as f64 / 1e9
    }

    /// Resident memory in KiB of the process and its descendants, each shared page divided among those
    /// that share it (proportional set size).
    pub(crate) fn resident_kib(&self) -> f64 {
        tree(self.child.id()).into_iter().filter_map(proportional_kib).sum::<u64>() as f64
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the process group to end and waits for it; kills it when it does not.
    pub(crate) fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal("TERM");
        self.wait_ended();
    }

    fn wait_ended(&mut self) {
        let deadline = clock::now() + STOP_DEADLINE;
        while clock::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.signal("KILL");
        // The group was killed: the wait can only fail when the child has been reaped already.
        self.child.wait().ok();
    }

    /// Asks the process group to finish as Ctrl-C does, and waits for it.
    pub(crate) fn interrupt(&mut self) {
        self.signal("INT");
        self.wait_ended();
    }

    fn signal(&self, signal: &str) {
        // The child has not been reaped, so its id cannot belong to anybody else.
        Command::new("kill")
            .args([&format!("-{signal}"), "--", &format!("-{}", self.child.id())])
            .status()
            .ok();
    }

    /// The last lines that it printed.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A command with `arguments`.
pub(crate) fn command<I, S>(program: impl AsRef<OsStr>, arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// A loopback address with a port that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Whether some socket of this machine listens on `port` (proc(5), `net/tcp`: state 0A).
fn listens(port: u16) -> Result<bool> {
    let suffix = format!(":{port:04X}");
    // Some servers open sockets of IPv6 for addresses of IPv4.
    let table = fs::read_to_string("/proc/net/tcp")? + &fs::read_to_string("/proc/net/tcp6")?;
    Ok(table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next().is_some_and(|local| local.ends_with(&suffix)) && columns.nth(1) == Some("0A")
    }))
}

/// `root` and all its descendants.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&process) = found.get(next) {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    found
}

/// User and system ticks of a process and of its reaped children (proc(5), `stat` fields 14 to 17).
fn cpu_ticks(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

fn proportional_kib(process: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
