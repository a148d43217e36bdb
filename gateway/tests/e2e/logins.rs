//! Technicians who log in with something else than a ticket.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::harness::clients::rdp::Rdp;
use crate::harness::clients::{Client, Login};
use crate::harness::gateway::{Gateway, Trust};
use crate::harness::lab::{Lab, tools};
use crate::harness::net::free_port;
use crate::harness::process::read;
use crate::harness::servers::{Certificate, Server, Target};
use crate::harness::wait::wait_for;

/// A password that ends in digits, as people have them.
pub(crate) const PASSWORD: &str = "correct horse 7";

/// Gives alice a password and a second factor, as an administrator does.
pub(crate) fn enroll(lab: &Lab, gateway: &mut Gateway) -> Outcome {
    let hash = lab.write_secret("alice.hash", hash_password()?)?;
    let totp = lab.path("alice.totp");
    gateway.cli(&["totp", "enroll", "alice", "--output", &totp.display().to_string()])?;
    let more = format!(
        "groups: [helpdesk], password_hash: file:{}, totp: file:{} }}",
        hash.display(),
        totp.display()
    );
    gateway.reload("groups: [helpdesk] }", &more)
}

fn hash_password() -> Outcome<Vec<u8>> {
    let failed = |error: std::io::Error| format!("passerelle hash-password: {error}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_passerelle"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    child.stdin.take().ok_or("it has no input")?.write_all(PASSWORD.as_bytes()).map_err(failed)?;
    Ok(child.wait_with_output().map_err(failed)?.stdout)
}

/// What an authenticator shows, by another program than the gateway.
pub(crate) fn code(lab: &Lab) -> Outcome<String> {
    let file = lab.path("alice.totp");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let secret = text.split("secret=").nth(1).and_then(|rest| rest.split('&').next());
    let secret = secret.ok_or_else(|| format!("{} has no secret", file.display()))?;
    let code = read(Command::new("oathtool").args(["--totp", "--base32", secret]))?;
    Ok(String::from_utf8_lossy(&code).trim().to_owned())
}

/// What alice enters: not a ticket.
fn login(gateway: &Gateway, password: String) -> Login {
    let authority = gateway.authority().to_owned();
    Login { port: gateway.port, username: Some("alice:desk".to_owned()), password, authority }
}

#[test]
fn tigervnc_logs_in_with_password_and_code() {
    Lab::run(|lab| {
        let client = Client::TigervncX509Plain;
        let target = Target::start(lab, Server::XvncNone)?;
        let mut gateway = Gateway::start(lab, &[client.security()], &target, Trust::Pin)?;
        enroll(lab, &mut gateway)?;
        for wrong in [PASSWORD.to_owned(), format!("{PASSWORD}000000")] {
            if client.connect(lab, &login(&gateway, wrong), "let me in").is_ok() {
                return Err("the password alone was enough".into());
            }
        }
        let both = login(&gateway, format!("{PASSWORD}{}", code(lab)?));
        drop(client.connect(lab, &both, "with a code")?);
        target.wait_typed("with a code")?;
        gateway.wait_idle()?;
        if client.connect(lab, &both, "again").is_ok() {
            return Err("the code was good twice".into());
        }
        gateway.expect_event("login.refused", &[("code", json!("no_code"))])?;
        gateway.expect_event("login.refused", &[("code", json!("wrong_code"))])?;
        gateway.expect_event("login.refused", &[("code", json!("used_code"))])?;
        gateway.expect_event("session.started", &[("method", json!("password")), ("ticket", Value::Null)])
    });
}

#[test]
fn xfreerdp_logs_in_with_password_and_code() {
    Lab::run(|lab| {
        let target = Target::start(lab, Server::ShadowNla)?;
        let mut gateway = Gateway::start(lab, &["tls"], &target, Trust::Pin)?;
        enroll(lab, &mut gateway)?;
        let both = login(&gateway, format!("{PASSWORD}{}", code(lab)?));
        let viewer = Rdp::XfreerdpTls(&[]).connect(lab, &both, "with a code")?;
        target.wait_typed("with a code")?;
        drop(viewer);
        gateway.wait_idle()?;
        gateway.expect_event("session.started", &[("method", json!("password"))])
    });
}

/// An identity provider of stock parts: jwcrypto makes its keys and tokens, OpenSSL serves its keys.
pub(crate) struct Issuer<'a> {
    lab: &'a Lab,
    _server: crate::harness::process::Process,
    section: String,
}

impl<'a> Issuer<'a> {
    pub(crate) fn start(lab: &'a Lab) -> Outcome<Self> {
        let folder = lab.subfolder("issuer")?;
        let made = jose(&["keys"])?;
        std::fs::write(folder.join("jwks.json"), made["public"].to_string())
            .map_err(|error| error.to_string())?;
        lab.write_secret("signing-keys.json", made["private"].to_string())?;
        let certificate = Certificate::make(lab, "issuer")?;
        let port = free_port()?;
        let mut command = Command::new("openssl");
        command.args(["s_server", "-WWW", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
        command.arg(&certificate.file).arg("-key").arg(&certificate.key).current_dir(&folder);
        let mut server = lab.start("issuer", &command)?;
        crate::harness::net::wait_listening(&mut server, port)?;
        let section = format!(
            "issuers:\n  - issuer: https://id.example\n    audience: passerelle\n    \
             jwks_url: https://localhost:{port}/jwks.json\n    ca_file: {}\n    algorithms: [RS256, ES256, EdDSA]\n",
            certificate.authority.display()
        );
        Ok(Self { lab, _server: server, section })
    }

    /// Its section of the configuration.
    pub(crate) fn section(&self) -> &str {
        &self.section
    }

    /// A token that says who helps, and these things besides.
    pub(crate) fn token(&self, algorithm: &str, more: &Value) -> Outcome<String> {
        let now = now();
        let mut claims = json!({
            "iss": "https://id.example", "aud": "passerelle", "jti": format!("{algorithm} {now}"),
            "iat": now, "nbf": now, "exp": now + 120,
            "preferred_username": "carol", "groups": ["helpdesk"],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let key = self.lab.path("signing-keys.json");
        let token = jose(&["token", &key.display().to_string(), algorithm, &claims.to_string()])?;
        token.as_str().map(str::to_owned).ok_or_else(|| "no token was made".to_owned())
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are about the real time")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn jose(arguments: &[&str]) -> Outcome<Value> {
    let python = tools().join("venv/bin/python");
    let printed = read(Command::new(python).args(["-c", include_str!("logins.py")]).args(arguments))?;
    serde_json::from_slice(&printed).map_err(|error| format!("logins.py printed no JSON: {error}"))
}

#[test]
fn tigervnc_logs_in_with_a_token() {
    Lab::run(|lab| {
        let client = Client::TigervncX509Plain;
        let issuer = Issuer::start(lab)?;
        let target = Target::start(lab, Server::XvncNone)?;
        let gateway = Gateway::start_with(lab, &[client.security()], &target, Trust::Pin, &issuer.section)?;
        let carol = |password| Login { username: Some("carol:desk".to_owned()), ..login(&gateway, password) };
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            let token = issuer.token(algorithm, &json!({}))?;
            let line = format!("signed with {algorithm}");
            drop(client.connect(lab, &carol(token.clone()), &line)?);
            wait_for("what was typed", Duration::from_secs(10), || {
                target.typed().contains(&line).then_some(())
            })?;
            gateway.wait_idle()?;
            if client.connect(lab, &carol(token), "again").is_ok() {
                return Err(format!("the {algorithm} token was good twice"));
            }
        }
        let outsider = issuer.token("EdDSA", &json!({ "jti": "x", "groups": ["guests"] }))?;
        let other = issuer.token("EdDSA", &json!({ "jti": "y", "aud": "another" }))?;
        for token in [outsider, other] {
            if client.connect(lab, &carol(token), "let me in").is_ok() {
                return Err("a token that is not for this was taken".into());
            }
        }
        gateway.expect_event("session.started", &[("method", json!("jwt"))])?;
        gateway.expect_event("login.refused", &[("code", json!("used_token"))])?;
        gateway.expect_event("login.refused", &[("code", json!("token_audience"))])?;
        gateway.expect_event("login.refused", &[("code", json!("not_allowed"))])
    });
}
