//! The HTTP API as programs use it: curl over TLS, and requests that nobody would think of.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::lab::{Lab, tools};
use crate::harness::net::free_port;
use crate::harness::process::read;
use crate::harness::wait::wait_for;
use crate::peers::site::{SOON, Setup, Site, Ticket};
use crate::peers::target::Target;
use crate::peers::viewer::Viewer;

/// What alice and the chief log in with.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The API of a gateway.
pub(crate) struct Api {
    /// The certificate of the authority to trust.
    pub(crate) authority: PathBuf,
    pub(crate) port: u16,
    /// `--http1.1` or `--http2`.
    pub(crate) version: &'static str,
}

impl Api {
    /// The API of a site that made its own certificate.
    pub(crate) fn of(site: &Site, port: u16, version: &'static str) -> Self {
        Self { authority: site.data().join("self-signed.crt"), port, version }
    }

    /// Sends a request with curl; the answer's status, and its body if it is JSON.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Outcome<(u16, Value)> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", self.version, "--max-time", "30", "--request", method])
            .arg("--cacert")
            .arg(&self.authority)
            .args(["--write-out", "\n%{http_version} %{http_code}"])
            .arg(format!("https://localhost:{}{path}", self.port));
        if let Some(token) = token {
            curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        if let Some(body) = body {
            curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
        }
        let output = String::from_utf8(read(&mut curl)?).map_err(|error| error.to_string())?;
        let (body, end) = output.rsplit_once('\n').ok_or("curl printed no status")?;
        let (version, status) = end.split_once(' ').ok_or("curl printed no status")?;
        if self.version.strip_prefix("--http") != Some(version) {
            return Err(format!("HTTP/{version} was spoken instead of {}", self.version));
        }
        let status = status.parse().map_err(|_| format!("{status} is no status"))?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Sends a request that has to be answered with this status.
    pub(crate) fn expect(
        &self,
        status: u16,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Outcome<Value> {
        match self.call(method, path, Some(token), body)? {
            (found, answer) if found == status => Ok(answer),
            (found, answer) => Err(format!("{method} {path}: {found} instead of {status}: {answer}")),
        }
    }

    pub(crate) fn log_in(&self, user: &str) -> Outcome<String> {
        let body = json!({ "username": user, "password": PASSWORD });
        let (status, answer) = self.call("POST", "/api/v1/login", None, Some(body))?;
        let token = answer["token"].as_str().filter(|_| status == 200);
        token.map(str::to_owned).ok_or_else(|| format!("no login: {status} {answer}"))
    }
}

fn setup(lab: &Lab, target: &Target, https: u16, metrics: u16) -> Outcome<Setup> {
    let hash = lab.write_secret("hash", hash(lab)?)?;
    Ok(Setup::new(target)
        .listen(&format!("https: 127.0.0.1:{https}, metrics: 127.0.0.1:{metrics}"))
        .user(&format!("{{ name: carol, groups: [helpdesk], password_hash: 'file:{}' }}", hash.display()))
        .user(&format!("{{ name: chief, groups: [chiefs], password_hash: 'file:{}' }}", hash.display()))
        .with("tls: { self_signed: true }")
        .with("roles: { administrator: [chiefs] }"))
}

/// The password's hash, from the command that administrators use.
pub(crate) fn hash(lab: &Lab) -> Outcome<String> {
    let file = lab.write_secret("password", PASSWORD)?;
    let command = format!("{} hash-password < {}", env!("CARGO_BIN_EXE_passerelle"), file.display());
    let printed = read(Command::new("sh").args(["-c", &command]))?;
    String::from_utf8(printed).map(|text| text.trim().to_owned()).map_err(|error| error.to_string())
}

/// From the login over the ticket and the session to its end, over both versions of HTTP.
#[test]
fn programs_log_in_and_let_technicians_in_and_out() {
    Lab::run(|lab| {
        let (https, metrics) = (free_port()?, free_port()?);
        let target = Target::quiet()?;
        let site = Site::start(lab, setup(lab, &target, https, metrics)?)?;
        for (sessions, version) in [(1, "--http1.1"), (2, "--http2")] {
            let api = Api::of(&site, https, version);
            let (carol, chief) = (api.log_in("carol")?, api.log_in("chief")?);
            let wanted = json!({ "technician": "carol", "target": "desk" });
            let ticket = api.expect(201, "POST", "/api/v1/tickets", &carol, Some(wanted))?;
            let field = |name: &str| ticket[name].as_str().unwrap_or_default().to_owned();
            let ticket = Ticket {
                username: field("username"),
                ticket: field("ticket"),
                vnc_password: field("vnc_password"),
            };
            let viewer = Viewer::login(&site, &ticket)?;

            let id = site.wait_sessions(1)?.remove(0);
            let listed = api.expect(200, "GET", "/api/v1/sessions?technician=carol", &chief, None)?;
            if listed["items"][0]["id"] != *id {
                return Err(format!("{id} is not listed: {listed}"));
            }
            let kill = format!("/api/v1/sessions/{id}/kill");
            api.expect(403, "POST", &kill, &carol, Some(json!({})))?;
            api.expect(200, "POST", &kill, &chief, Some(json!({ "reason": "enough" })))?;
            site.expect_end(sessions, "killed")?;
            drop(viewer);
            api.expect(200, "GET", "/api/v1/recordings?technician=carol&state=sealed", &chief, None)?;
            let found =
                api.expect(200, "POST", &format!("/api/v1/recordings/{id}/verify"), &chief, Some(json!({})))?;
            if found["intact"] != true {
                return Err(format!("the recording is not intact: {found}"));
            }
            let events = api.expect(
                200,
                "GET",
                &format!("/api/v1/audit?session={id}&kind=session.killed"),
                &chief,
                None,
            )?;
            if events["items"][0]["detail"]["by"] != "chief" {
                return Err(format!("the audit log does not say who ended it: {events}"));
            }
            api.expect(204, "POST", "/api/v1/logout", &carol, None)?;
            api.expect(401, "GET", "/api/v1/me", &carol, None)?;
        }
        let counted =
            read(Command::new("curl").args(["--silent", &format!("http://127.0.0.1:{metrics}/metrics")]))?;
        let counted = String::from_utf8_lossy(&counted);
        for line in [
            "passerelle_sessions_ended_total{protocol=\"vnc\",reason=\"killed\"} 2",
            "passerelle_logins_total{method=\"VncAuth\",outcome=\"accepted\"} 2",
            "passerelle_logins_total{method=\"api\",outcome=\"accepted\"} 4",
        ] {
            if !counted.contains(line) {
                return Err(format!("{line} is not in\n{counted}"));
            }
        }
        // Nothing of what lets somebody in stands in the log, however much of it is written.
        if site.log()?.contains("pat_") || site.log()?.contains(PASSWORD) {
            return Err("a secret stands in the log".into());
        }
        Ok(())
    });
}

/// While sessions end, the gateway answers and says that it takes no new ones.
#[test]
fn a_gateway_that_stops_says_so_until_its_sessions_have_ended() {
    Lab::run(|lab| {
        let (https, metrics) = (free_port()?, free_port()?);
        let target = Target::quiet()?;
        let setup = setup(lab, &target, https, metrics)?.with("limits: { drain: 1m }");
        let mut site = Site::start(lab, setup)?;
        let status = |path: &str| -> Outcome<String> {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
            let printed = read(curl.arg(format!("http://127.0.0.1:{metrics}{path}")))?;
            Ok(String::from_utf8_lossy(&printed).into_owned())
        };
        if (status("/healthz")?.as_str(), status("/readyz")?.as_str()) != ("200", "200") {
            return Err("a gateway that runs is not ready".into());
        }
        let viewer = Viewer::login(&site, &site.ticket()?)?;
        site.wait_sessions(1)?;
        site.process()?.signal("TERM")?;
        wait_for("the gateway not to be ready", SOON, || (status("/readyz").ok()? == "503").then_some(()))?;
        if status("/healthz")? != "200" {
            return Err("a gateway whose sessions end is not alive".into());
        }
        let api = Api::of(&site, https, "--http2");
        let chief = api.log_in("chief")?;
        let listed = api.expect(200, "GET", "/api/v1/sessions", &chief, None)?;
        if listed["items"].as_array().is_none_or(|items| items.len() != 1) {
            return Err(format!("the session is not listed while it may go on: {listed}"));
        }
        drop(viewer);
        site.process()?.wait(SOON).map(drop)
    });
}

/// Requests made up from the description: none breaks the gateway, and no answer is another than described.
#[test]
fn no_request_gets_an_answer_that_is_not_described() {
    Lab::run(|lab| {
        let (https, metrics) = (free_port()?, free_port()?);
        let target = Target::quiet()?;
        let setup = setup(lab, &target, https, metrics)?.with("api: { requests_per_minute: 1000000 }");
        let site = Site::start(lab, setup)?;
        let api = Api::of(&site, https, "--http2");
        let chief = api.log_in("chief")?;
        let mut schemathesis = Command::new(tools().join("venv/bin/schemathesis"));
        schemathesis
            .arg("run")
            .arg(format!("https://localhost:{https}/api/v1/openapi.json"))
            .args(["--header", &format!("Authorization: Bearer {chief}")])
            .arg("--tls-verify")
            .arg(site.data().join("self-signed.crt"))
            // A login that fails waits a second, a stream does not end, and who logs out is refused from then on.
            .args(["--exclude-path", "/api/v1/login", "--exclude-path", "/api/v1/logout"])
            // These are for the command line, and the network is refused whatever it sends.
            .args(["--exclude-path", "/api/v1/status", "--exclude-path-regex", "/accesses$"])
            .args(["--exclude-path-regex", "/stream$"])
            .args([
                "--checks",
                "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                 response_schema_conformance,unsupported_method,ignored_auth",
            ])
            .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--generation-deterministic"])
            .args(["--request-timeout", "30", "--no-color"])
            .current_dir(lab.subfolder("schemathesis")?)
            .env("HOME", lab.subfolder("schemathesis-home")?);
        let mut process = lab.start("schemathesis", &schemathesis)?;
        let status = process.wait(std::time::Duration::from_secs(300))?;
        if !status.success() {
            return Err(format!("schemathesis ended with {status}:\n{}", lab.log_of("schemathesis")?));
        }
        // The gateway still does its work.
        drop(Viewer::login(&site, &site.ticket()?)?);
        Ok(())
    });
}
