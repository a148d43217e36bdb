//! The gateway's end of the process that renders.

use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::RenderError;
use super::protocol::{Order, send_order};

/// Processor time that the process may take before it was sent anything, in seconds...
const CPU: u64 = 60;
/// ...for each MiB of entries...
const CPU_PER_MIB: u64 = 30;
/// ...and for each second of the session.
const CPU_PER_SECOND: u64 = 2;
const MIB: u64 = 1 << 20;
/// How often is looked whether a process has ended before it is killed.
const ENDING: u32 = 250;

/// How the process is run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sandbox {
    /// Bytes of address space.
    pub(super) memory: u64,
    /// Do without the filter of system calls.
    pub(super) unconfined: bool,
}

/// A process that renders. Dropping it ends it.
pub(super) struct Process {
    child: Arc<Kill>,
}

/// Ends a process, from wherever.
pub(super) struct Kill(Mutex<Child>);

impl Kill {
    pub(super) fn kill(&self) {
        // One that has ended already cannot be ended.
        let _ = self.lock().kill();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts one. It has its pipes and nothing else of the gateway's.
    pub(super) fn start(sandbox: Sandbox) -> io::Result<(Self, Feed, BufReader<ChildStdout>)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("render-worker").arg("--memory").arg(sandbox.memory.to_string());
        if sandbox.unconfined {
            command.arg("--unconfined");
        }
        command.env_clear().current_dir("/");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let id = child.id();
        let process = Self { child: Arc::new(Kill(Mutex::new(child))) };
        let (input, output) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        let feed = Feed { pipe: BufWriter::with_capacity(64 << 10, input), id, fed: 0, allowed: 0 };
        Ok((process, feed, BufReader::with_capacity(256 << 10, output)))
    }

    pub(super) fn killer(&self) -> Arc<Kill> {
        Arc::clone(&self.child)
    }

    /// Waits for the end of a process that has closed its output, and helps where it does not come.
    pub(super) fn wait(&self) -> Option<ExitStatus> {
        for _ in 0..ENDING {
            if let Ok(Some(status)) = self.child.lock().try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill();
        self.child.lock().wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill();
        // Nothing is left of it.
        let _ = self.child.lock().wait();
    }
}

/// What the process is sent.
pub(super) struct Feed {
    pipe: BufWriter<ChildStdin>,
    id: u32,
    fed: u64,
    /// Seconds of processor time.
    allowed: u64,
}

impl Feed {
    pub(super) fn send(&mut self, order: Order, t_ms: u32, body: &[u8]) -> io::Result<()> {
        self.fed += body.len() as u64;
        let due = CPU + self.fed / MIB * CPU_PER_MIB + u64::from(t_ms) / 1000 * CPU_PER_SECOND;
        // In steps, to spare calls.
        if due >= self.allowed + CPU / 2 || self.allowed == 0 {
            self.allowed = due + CPU / 2;
            self.allow(self.allowed);
        }
        send_order(&mut self.pipe, order, t_ms, body)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }

    /// Lets the process use so many seconds of processor time in all.
    fn allow(&self, seconds: u64) {
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: Some(seconds), maximum: None };
        if let Some(pid) = pid
            && let Err(error) = prlimit(Some(pid), Resource::Cpu, limit)
        {
            tracing::debug!(%error, "the processor time of a process that renders is not bounded");
        }
    }
}

/// Why a process ended that did not say so itself.
pub(super) fn ended(status: Option<ExitStatus>) -> RenderError {
    let why = match status.and_then(|status| status.signal()) {
        Some(libc::SIGSYS) => "it tried what it is not allowed to do",
        Some(libc::SIGXCPU) => "it took more processor time than what it was given to render is worth",
        Some(libc::SIGABRT) => "it needed more memory than `recording.views.memory` allows",
        Some(libc::SIGKILL) => "it was killed",
        Some(_) => "it crashed",
        None => "it ended too early",
    };
    RenderError::Process(why)
}
