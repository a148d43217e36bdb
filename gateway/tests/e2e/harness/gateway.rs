//! The gateway itself, as an administrator runs it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Outcome;
use super::clients::{Client, Login};
use super::lab::Lab;
use super::net::{free_port, wait_listening};
use super::process::{Process, read};
use super::servers::{Certificate, Target};
use super::wait::wait_for;

/// How the gateway decides whether a target's certificate is the right one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trust {
    /// It is signed by an authority in a file.
    Authority,
    /// It has a known fingerprint.
    Pin,
    /// It is the first one seen.
    FirstUse,
}

/// Everything that a session can be allowed to do on a target.
const PERMISSIONS: &str = "view, pointer, keyboard, clipboard.to_target, clipboard.from_target, \
    images.to_target, images.from_target, files.to_target, files.from_target, drives, printers, \
    smart_cards, ports, audio.out, audio.in, camera, location, usb, resize, remote_apps, other_channels";

/// A running gateway with one technician, `alice`, and one target, `desk`.
pub(crate) struct Gateway {
    /// Where viewers connect.
    pub(crate) port: u16,
    configuration: PathBuf,
    authority: PathBuf,
    process: Process,
}

/// What `passerelle ticket` says.
pub(crate) struct Ticket {
    username: String,
    ticket: String,
    vnc_password: String,
}

impl Gateway {
    /// Starts a gateway that offers `security` to viewers and knows `target`.
    pub(crate) fn start(lab: &Lab, security: &[&str], target: &Target, trust: Trust) -> Outcome<Self> {
        Self::start_with(lab, security, target, trust, "")
    }

    /// As [`start`](Self::start), with more sections for the configuration.
    pub(crate) fn start_with(
        lab: &Lab,
        security: &[&str],
        target: &Target,
        trust: Trust,
        more: &str,
    ) -> Outcome<Self> {
        Self::start_listening(lab, security, target, trust, "", more)
    }

    /// As [`start_with`](Self::start_with), with more listeners, as in `https: 127.0.0.1:443`.
    pub(crate) fn start_listening(
        lab: &Lab,
        security: &[&str],
        target: &Target,
        trust: Trust,
        listen: &str,
        more: &str,
    ) -> Outcome<Self> {
        let port = free_port()?;
        let certificate = Certificate::make(lab, "gateway")?;
        let configuration = format!(
            "data_dir: {data}\n\
             listen: {{ {protocol}: 127.0.0.1:{port}, {listen} }}\n\
             tls: {{ certificate: {certificate}, key: file:{key} }}\n\
             {protocol}: {{ security: [{security}] }}\n\
             users:\n  - {{ name: alice, groups: [helpdesk] }}\n\
             targets:\n{target}\
             rules:\n  - name: helpdesk\n    groups: [helpdesk]\n    targets: [desk]\n    \
             permissions: [{PERMISSIONS}]\n    \
             require: [recording]\n\
             log: {{ level: debug }}\n{more}",
            protocol = target.protocol,
            data = lab.path("data").display(),
            certificate = certificate.file.display(),
            key = certificate.key.display(),
            security = security.join(", "),
            target = describe(lab, target, trust)?,
        );
        let configuration = lab.write("passerelle.yaml", configuration)?;
        let mut command = passerelle();
        command.arg("serve").arg("--config").arg(&configuration);
        let mut process = lab.start("gateway", &command)?;
        wait_listening(&mut process, port)?;
        let gateway = Self { port, configuration, authority: certificate.authority, process };
        wait_for("the gateway answering its control socket", Duration::from_secs(10), || {
            gateway.sessions().ok().map(drop)
        })?;
        Ok(gateway)
    }

    /// Runs `passerelle` with this gateway's configuration and returns what it printed.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Outcome<String> {
        let output = read(passerelle().args(arguments).arg("--config").arg(&self.configuration))?;
        String::from_utf8(output).map_err(|_| format!("{arguments:?} printed something that is not UTF-8"))
    }

    fn json(&self, arguments: &[&str]) -> Outcome<Value> {
        let text = self.cli(&[arguments, &["--json"]].concat())?;
        serde_json::from_str(&text).map_err(|error| format!("{arguments:?} printed no JSON: {error}: {text}"))
    }

    /// A ticket for alice at the desk.
    pub(crate) fn ticket(&self) -> Outcome<Ticket> {
        self.ticket_with(&[])
    }

    /// As [`ticket`](Self::ticket), with more options.
    pub(crate) fn ticket_with(&self, options: &[&str]) -> Outcome<Ticket> {
        let json = self.json(&[&["ticket", "alice", "desk"], options].concat())?;
        let field = |name: &str| {
            json[name].as_str().map(str::to_owned).ok_or_else(|| format!("the ticket has no {name}: {json}"))
        };
        if field("expires_at")?.is_empty() {
            return Err("the ticket never expires".into());
        }
        Ok(Ticket {
            username: field("username")?,
            ticket: field("ticket")?,
            vnc_password: field("vnc_password")?,
        })
    }

    /// What a technician with this ticket gives to this client.
    pub(crate) fn login(&self, client: Client, ticket: &Ticket) -> Login {
        let long = self.long_login(ticket);
        if client.gives_username() {
            return long;
        }
        Login { username: None, password: ticket.vnc_password.clone(), ..long }
    }

    /// What a technician with this ticket gives to a client that asks for a user name.
    pub(crate) fn long_login(&self, ticket: &Ticket) -> Login {
        Login {
            port: self.port,
            username: Some(ticket.username.clone()),
            password: ticket.ticket.clone(),
            authority: self.authority.clone(),
        }
    }

    /// The running sessions, as `passerelle sessions list` tells them.
    pub(crate) fn sessions(&self) -> Outcome<Vec<Value>> {
        match self.json(&["sessions", "list"])? {
            Value::Array(sessions) => Ok(sessions),
            other => Err(format!("the sessions are no list: {other}")),
        }
    }

    /// Waits until a session runs and returns its name.
    pub(crate) fn wait_session(&self) -> Outcome<String> {
        wait_for("a session running", Duration::from_secs(10), || {
            self.sessions().ok()?.first().and_then(|session| session["id"].as_str().map(str::to_owned))
        })
    }

    /// Waits until no session runs.
    pub(crate) fn wait_idle(&self) -> Outcome {
        wait_for("the end of the session", Duration::from_secs(10), || {
            self.sessions().is_ok_and(|sessions| sessions.is_empty()).then_some(())
        })
    }

    /// Verifies that there is one recording and that it is sealed and unchanged. Returns its name.
    pub(crate) fn verify_recording(&self) -> Outcome<String> {
        let answers = self.json(&["recordings", "verify", "--all", "--require-sealed"])?;
        match answers.as_array().map(Vec::as_slice) {
            Some([answer]) if answer["verdict"] == "sealed" => {
                answer["id"].as_str().map(str::to_owned).ok_or_else(|| format!("it has no name: {answer}"))
            }
            _ => Err(format!("one sealed recording was expected: {answers}")),
        }
    }

    /// The names of all recordings.
    pub(crate) fn recordings(&self) -> Outcome<Vec<String>> {
        let answers = self.json(&["recordings", "verify", "--all"])?;
        let answers = answers.as_array().ok_or_else(|| format!("the verification is no list: {answers}"))?;
        Ok(answers.iter().filter_map(|answer| answer["id"].as_str().map(str::to_owned)).collect())
    }

    /// Verifies that there is one recording, whose end is missing. Returns its name.
    pub(crate) fn interrupted_recording(&self) -> Outcome<String> {
        let answers = self.json(&["recordings", "verify", "--all"])?;
        match (answers.as_array().map(Vec::as_slice), answers[0]["id"].as_str()) {
            (Some([answer]), Some(id)) if answer["verdict"] == "intact_up_to" => Ok(id.to_owned()),
            _ => Err(format!("one interrupted recording was expected: {answers}")),
        }
    }

    /// Changes the configuration and has it read again.
    pub(crate) fn reload(&mut self, old: &str, new: &str) -> Outcome {
        let path = &self.configuration;
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if !text.contains(old) {
            return Err(format!("the configuration has no {old:?}"));
        }
        let reloads = |kinds: &[String]| kinds.iter().filter(|kind| *kind == "config.reloaded").count();
        let before = reloads(&self.audit()?);
        fs::write(path, text.replace(old, new)).map_err(|error| format!("{}: {error}", path.display()))?;
        self.process.signal("HUP")?;
        wait_for("the reload in the audit log", Duration::from_secs(5), || {
            (reloads(&self.audit().ok()?) > before).then_some(())
        })
    }

    /// The certificate of the authority that signed what viewers are shown.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The bytes that a recording keeps of a lane.
    pub(crate) fn recorded(&self, recording: &str, lane: &str) -> Outcome<Vec<u8>> {
        read(
            passerelle()
                .args(["recordings", "cat", recording, "--lane", lane, "--raw", "--config"])
                .arg(&self.configuration),
        )
    }

    /// All events in the audit log, which is verified first.
    pub(crate) fn events(&self) -> Outcome<Vec<Value>> {
        self.cli(&["audit", "verify"])?;
        let lines = self.cli(&["audit", "tail", "-n", "1000", "--json"])?;
        let event = |line| serde_json::from_str(line).map_err(|error| format!("audit: {error}: {line}"));
        lines.lines().map(event).collect()
    }

    /// The kinds of all events in the audit log.
    pub(crate) fn audit(&self) -> Outcome<Vec<String>> {
        let kind = |event: &Value| {
            event["kind"].as_str().map(str::to_owned).ok_or_else(|| format!("audit: no kind: {event}"))
        };
        self.events()?.iter().map(kind).collect()
    }

    /// Checks that the audit log has an event of this kind with these details.
    pub(crate) fn expect_event(&self, kind: &str, details: &[(&str, Value)]) -> Outcome {
        let events = self.events()?;
        let of_kind: Vec<&Value> = events.iter().filter(|event| event["kind"] == kind).collect();
        let fits = |event: &&&Value| details.iter().all(|(name, value)| event["detail"][name] == *value);
        match of_kind.iter().find(fits) {
            Some(_) => Ok(()),
            None => Err(format!("the audit log has no {kind} with {details:?}: {of_kind:?}")),
        }
    }

    /// Checks that the audit log is intact and has events of these kinds, in this order.
    pub(crate) fn expect_audit(&self, expected: &[&str]) -> Outcome {
        let kinds = self.audit()?;
        let mut rest = kinds.iter();
        match expected.iter().find(|wanted| !rest.any(|kind| kind == *wanted)) {
            None => Ok(()),
            Some(missing) => Err(format!("the audit log has no {missing} where it should be: {kinds:?}")),
        }
    }

    /// The gateway's process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn passerelle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_passerelle"))
}

/// The target's entry in the configuration.
fn describe(lab: &Lab, target: &Target, trust: Trust) -> Outcome<String> {
    let mut text = format!(
        "  - name: desk\n    protocol: {}\n    address: 127.0.0.1:{}\n",
        target.protocol, target.port
    );
    let credentials = &target.credentials;
    if let Some(password) = &credentials.password {
        let file = lab.write_secret("desk.password", password)?;
        text.push_str("    credentials:\n");
        if let Some(username) = &credentials.username {
            let _ = writeln!(text, "      username: {username}");
        }
        let _ = writeln!(text, "      password: file:{}", file.display());
    }
    if let Some(certificate) = &credentials.certificate {
        let tls = match trust {
            Trust::Authority => format!("verify: ca, ca_file: {}", certificate.authority.display()),
            Trust::Pin => {
                let fingerprint = read(
                    Command::new("openssl")
                        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
                        .arg(&certificate.file),
                )?;
                let fingerprint = String::from_utf8_lossy(&fingerprint).into_owned();
                let (_, hex) = fingerprint.trim().split_once('=').ok_or("openssl printed no fingerprint")?;
                format!("verify: pin, fingerprint: \"{hex}\"")
            }
            Trust::FirstUse => "verify: tofu".to_owned(),
        };
        let _ = writeln!(text, "    tls: {{ {tls} }}");
    }
    Ok(text)
}
