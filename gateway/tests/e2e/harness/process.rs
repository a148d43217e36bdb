//! Processes that cannot outlive their test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::Outcome;
use super::wait::wait_for;

/// A running process and its group.
///
/// Dropping it ends the group, also when the test panics. Should the test itself be killed, the kernel
/// ends the process: it dies with the *thread* that started it, so it has to be started on the thread
/// that owns it.
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `command`. What it prints goes to `log`, or its standard output to `output` if given.
    pub(crate) fn start(name: &str, command: &Command, log: &Path, output: Option<&Path>) -> Outcome<Self> {
        let open = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        let errors = open(log)?;
        let printed = match output {
            Some(path) => open(path)?,
            None => errors.try_clone().map_err(|error| format!("{}: {error}", log.display()))?,
        };
        let child = tied(command)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(printed)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal, such as `TERM`, to the process alone.
    pub(crate) fn signal(&self, signal: &str) -> Outcome {
        kill(signal, &self.child.id().to_string())
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait_for(&what, limit, || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group exists as long as one of its members does, even after its leader has ended. An
        // error means that there is nobody left.
        let _ = kill("KILL", &format!("-{}", self.child.id()));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command, ended by the kernel with the thread that starts it.
fn tied(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

fn kill(signal: &str, id: &str) -> Outcome {
    let output = Command::new("kill")
        .args(["-s", signal, "--", id])
        .output()
        .map_err(|error| format!("cannot run kill: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Runs a short command to its end and returns what it printed.
pub(crate) fn read(command: &mut Command) -> Outcome<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!("cannot run {program}: {error}; `cargo xtask test` installs what is missing")
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{program} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
