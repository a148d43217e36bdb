//! A gateway with a configuration of the test's own, which can be killed and started again.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::target::Target;
use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::harness::net::{free_port, wait_listening};
use crate::harness::process::Process;
use crate::harness::wait::wait_for;

/// How long something may take that takes no time when the machine has nothing else to do.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// What the technician alice may do unless a test says otherwise.
const PERMISSIONS: &str = "view, pointer, keyboard, clipboard.to_target, clipboard.from_target, resize";

/// What a test's gateway is configured with.
#[derive(Clone)]
pub(crate) struct Setup {
    /// The protocol of viewers and targets.
    protocol: &'static str,
    /// The gateway's name, where there are several.
    node: Option<&'static str>,
    listen: String,
    users: String,
    targets: String,
    permissions: String,
    more: String,
    log: &'static str,
    /// How many files and connections the gateway may have open.
    files: Option<u32>,
}

impl Setup {
    /// VNC, one technician, `alice`, and one target, `desk`.
    pub(crate) fn new(target: &Target) -> Self {
        Self::vnc().target("desk", target.port, "")
    }

    /// VNC, one technician, `alice`, and no target yet.
    pub(crate) fn vnc() -> Self {
        Self::of("vnc")
    }

    /// RDP, one technician, `alice`, and no target yet.
    pub(crate) fn rdp() -> Self {
        Self::of("rdp")
    }

    fn of(protocol: &'static str) -> Self {
        Self {
            protocol,
            node: None,
            listen: String::new(),
            users: String::new(),
            targets: String::new(),
            permissions: PERMISSIONS.to_owned(),
            more: String::new(),
            log: "level: trace",
            files: None,
        }
    }

    /// One more target; `more` is one more of its keys, without indentation.
    pub(crate) fn target(mut self, name: &str, port: u16, more: &str) -> Self {
        // RDP's targets have TLS, with a certificate that nobody knows.
        let more = match self.protocol {
            "rdp" => format!("tls: {{ verify: insecure }}\n    {more}"),
            _ => more.to_owned(),
        };
        let _ = writeln!(
            self.targets,
            "  - name: {name}\n    protocol: {}\n    address: 127.0.0.1:{port}\n    {more}",
            self.protocol
        );
        self
    }

    /// One gateway of several in the same folder, of which each has a name.
    pub(crate) fn node(mut self, name: &'static str) -> Self {
        self.node = Some(name);
        self.with(&format!("node: {name}"))
    }

    /// More listeners, as in `https: 127.0.0.1:443`.
    pub(crate) fn listen(mut self, listeners: &str) -> Self {
        let _ = write!(self.listen, ", {listeners}");
        self
    }

    /// One more user.
    pub(crate) fn user(mut self, user: &str) -> Self {
        let _ = writeln!(self.users, "  - {user}");
        self
    }

    /// Another list of permissions.
    pub(crate) fn permissions(mut self, permissions: &str) -> Self {
        permissions.clone_into(&mut self.permissions);
        self
    }

    /// More sections.
    pub(crate) fn with(mut self, sections: &str) -> Self {
        self.more.push_str(sections);
        self.more.push('\n');
        self
    }

    /// Logs objects, for programs to read.
    pub(crate) fn json_log(mut self) -> Self {
        self.log = "level: debug, format: json";
        self
    }

    /// How many files and connections the gateway may have open.
    pub(crate) fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }
}

/// A ticket as `passerelle ticket --json` prints it.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) username: String,
    pub(crate) ticket: String,
    pub(crate) vnc_password: String,
}

/// What a command came to.
pub(crate) struct Done {
    pub(crate) success: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A gateway, running or not.
pub(crate) struct Site<'lab> {
    /// Where viewers connect.
    pub(crate) port: u16,
    lab: &'lab Lab,
    setup: Setup,
    process: Option<Process>,
}

impl<'lab> Site<'lab> {
    /// Starts a gateway.
    pub(crate) fn start(lab: &'lab Lab, setup: Setup) -> Outcome<Self> {
        let mut site = Self { port: free_port()?, lab, setup, process: None };
        site.configure()?;
        site.restart()?;
        Ok(site)
    }

    /// Writes the configuration.
    fn configure(&self) -> Outcome {
        let Setup { protocol, listen, users, targets, permissions, more, log, .. } = &self.setup;
        let security = match *protocol {
            "rdp" => "tls: { self_signed: true }\nrdp: { security: [nla, tls] }",
            _ => "vnc: { security: [ard, vnc_auth] }",
        };
        let configuration = format!(
            "data_dir: {data}\n\
             listen: {{ {protocol}: 127.0.0.1:{port}{listen} }}\n\
             {security}\n\
             users:\n  - {{ name: alice, groups: [helpdesk] }}\n  - {{ name: bob, groups: [helpdesk] }}\n{users}\
             targets:\n{targets}\
             rules:\n  - name: helpdesk\n    groups: [helpdesk]\n    targets: [\"*\"]\n    \
             permissions: [{permissions}]\n\
             log: {{ {log} }}\n{more}",
            data = self.data().display(),
            port = self.port,
        );
        self.lab.write(&self.named("passerelle", ".yaml"), configuration).map(drop)
    }

    /// The name of a file or process, with the gateway's in it where there are several.
    fn named(&self, name: &str, ending: &str) -> String {
        match self.setup.node {
            None => format!("{name}{ending}"),
            Some(node) => format!("{name}-{node}{ending}"),
        }
    }

    /// Starts the gateway again, after it has ended.
    pub(crate) fn restart(&mut self) -> Outcome {
        let passerelle = env!("CARGO_BIN_EXE_passerelle");
        let mut command = match self.setup.files {
            None => Command::new(passerelle),
            Some(files) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={files}:{files}")).arg(passerelle);
                command
            }
        };
        command.arg("serve").arg("--config").arg(self.configuration());
        let mut process = self.lab.start(&self.named("gateway", ""), &command)?;
        wait_listening(&mut process, self.port)?;
        self.process = Some(process);
        wait_for("the gateway answering its control socket", SOON, || self.sessions().ok().map(drop))
    }

    /// Kills the gateway where it stands.
    pub(crate) fn kill(&mut self) -> Outcome {
        // Not by the harness, which starts a program for it: the moment counts.
        let pid = i32::try_from(self.process()?.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("the gateway has no process")?, Signal::KILL)
            .map_err(|error| format!("the gateway cannot be killed: {error}"))?;
        self.process()?.wait(SOON)?;
        self.process = None;
        Ok(())
    }

    /// The gateway's process.
    pub(crate) fn process(&mut self) -> Outcome<&mut Process> {
        self.process.as_mut().ok_or_else(|| "the gateway does not run".into())
    }

    /// Changes the configuration and tells the gateway to read it again.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        change(self)?;
        self.process()?.signal("HUP")
    }

    /// Writes the configuration with one more target.
    pub(crate) fn add_target(&mut self, name: &str, port: u16) -> Outcome {
        self.setup = self.setup.clone().target(name, port, "");
        self.configure()
    }

    /// Writes the configuration with other permissions.
    pub(crate) fn set_permissions(&mut self, permissions: &str) -> Outcome {
        permissions.clone_into(&mut self.setup.permissions);
        self.configure()
    }

    /// Changes what the configuration's file says.
    pub(crate) fn replace(&self, from: &str, to: &str) -> Outcome {
        let old = fs::read_to_string(self.configuration()).map_err(|error| error.to_string())?;
        self.lab.write("passerelle.yaml", old.replace(from, to)).map(drop)
    }

    /// Appends to the configuration's file.
    pub(crate) fn append(&self, text: &str) -> Outcome {
        let old = fs::read_to_string(self.configuration()).map_err(|error| error.to_string())?;
        self.lab.write(&self.named("passerelle", ".yaml"), old + text).map(drop)
    }

    fn configuration(&self) -> PathBuf {
        self.lab.path(&self.named("passerelle", ".yaml"))
    }

    /// Where the gateway keeps everything.
    pub(crate) fn data(&self) -> PathBuf {
        self.lab.path(&self.named("data", ""))
    }

    /// What the gateway has logged since its last start.
    pub(crate) fn log(&self) -> Outcome<String> {
        self.lab.log_of(&self.named("gateway", ""))
    }

    /// Waits until the gateway has logged this.
    pub(crate) fn wait_logged(&self, text: &str) -> Outcome {
        wait_for(&format!("{text:?} in the gateway's log"), SOON, || {
            self.log().is_ok_and(|log| log.contains(text)).then_some(())
        })
    }

    /// Runs `passerelle` with this gateway's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome<Done> {
        let output = Command::new(env!("CARGO_BIN_EXE_passerelle"))
            .args(arguments)
            .arg("--config")
            .arg(self.configuration())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("passerelle cannot be run: {error}"))?;
        Ok(Done {
            success: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// As [`run`](Self::run); a command that fails is an error.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Outcome<Vec<u8>> {
        let done = self.run(arguments)?;
        if done.success { Ok(done.stdout) } else { Err(format!("{arguments:?} failed: {}", done.stderr)) }
    }

    /// What a command prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Outcome<Value> {
        let printed = self.cli(&[arguments, &["--json"]].concat())?;
        serde_json::from_slice(&printed).map_err(|error| format!("{arguments:?} printed no JSON: {error}"))
    }

    /// A ticket for alice at the desk.
    pub(crate) fn ticket(&self) -> Outcome<Ticket> {
        self.ticket_for("alice", "desk")
    }

    /// A ticket.
    pub(crate) fn ticket_for(&self, technician: &str, target: &str) -> Outcome<Ticket> {
        self.ticket_with(technician, target, &[])
    }

    /// As [`ticket_for`](Self::ticket_for), with more options.
    pub(crate) fn ticket_with(&self, technician: &str, target: &str, options: &[&str]) -> Outcome<Ticket> {
        let json = self.json(&[&["ticket", technician, target], options].concat())?;
        let field = |name: &str| {
            json[name].as_str().map(str::to_owned).ok_or_else(|| format!("a ticket without {name}"))
        };
        Ok(Ticket {
            username: field("username")?,
            ticket: field("ticket")?,
            vnc_password: field("vnc_password")?,
        })
    }

    /// The running sessions.
    pub(crate) fn sessions(&self) -> Outcome<Vec<Value>> {
        match self.json(&["sessions", "list"])? {
            Value::Array(sessions) => Ok(sessions),
            other => Err(format!("the sessions are no list: {other}")),
        }
    }

    /// Waits until so many sessions run, and returns their names, oldest first.
    pub(crate) fn wait_sessions(&self, count: usize) -> Outcome<Vec<String>> {
        wait_for(&format!("that {count} sessions run"), SOON, || {
            let sessions = self.sessions().ok().filter(|sessions| sessions.len() == count)?;
            sessions.iter().map(|session| session["id"].as_str().map(str::to_owned)).collect()
        })
    }

    /// The audit log, which is verified first.
    pub(crate) fn audit(&self) -> Outcome<Vec<Value>> {
        self.cli(&["audit", "verify"])?;
        let lines = self.cli(&["audit", "tail", "-n", "100000", "--json"])?;
        let lines = String::from_utf8(lines).map_err(|error| error.to_string())?;
        let event = |line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
        lines.lines().map(event).collect()
    }

    /// The events of one kind.
    pub(crate) fn audit_of(&self, kind: &str) -> Outcome<Vec<Value>> {
        let mut events = self.audit()?;
        events.retain(|event| event["kind"] == kind);
        Ok(events)
    }

    /// Waits until `count` sessions have ended in all; returns the end of the last.
    pub(crate) fn wait_ends(&self, count: usize) -> Outcome<Value> {
        wait_for(&format!("the end of session {count}"), SOON, || {
            let mut ends = self.audit_of("session.ended").ok()?;
            if ends.len() < count { None } else { ends.pop() }
        })
    }

    /// Waits until `count` sessions have ended in all, the last for this reason.
    pub(crate) fn expect_end(&self, count: usize, reason: &str) -> Outcome<Value> {
        let end = self.wait_ends(count)?;
        if end["detail"]["reason"] == reason { Ok(end) } else { Err(format!("not {reason}: {end}")) }
    }

    /// Checks that every recording is sealed and unchanged.
    pub(crate) fn expect_sealed(&self) -> Outcome {
        self.cli(&["recordings", "verify", "--all", "--require-sealed"]).map(drop)
    }

    /// Memory that the gateway holds, in KiB.
    pub(crate) fn memory(&mut self) -> Outcome<u64> {
        let path = format!("/proc/{}/status", self.process()?.id());
        let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
            .ok_or_else(|| format!("{path} has no VmRSS"))
    }
}

/// Checks that a refusal says this.
pub(crate) fn expect_refusal<T>(attempt: Outcome<T>, wanted: &str) -> Outcome {
    match attempt {
        Ok(_) => Err(format!("let in, instead of refused with {wanted:?}")),
        Err(said) if said.contains(wanted) => Ok(()),
        Err(said) => Err(format!("{said:?} does not say {wanted:?}")),
    }
}
