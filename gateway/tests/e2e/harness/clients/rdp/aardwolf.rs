//! aardwolf, in Python, with an NLA of its own: NTLM within SPNEGO, where FreeRDP sends NTLM bare.

use std::process::Command;

use super::super::super::Outcome;
use super::super::super::lab::{Lab, tools};
use super::super::super::process::read;
use super::Login;

/// Proves with NLA that the login is known and returns what the client found. `protocol` is `hybrid`,
/// or `hybrid_ex`, where the server says at once whether the user may come in.
pub(crate) fn prove(lab: &Lab, login: &Login, protocol: &str) -> Outcome<String> {
    let mut command = Command::new(tools().join("venv/bin/python"));
    command
        .arg(lab.write("prove.py", include_str!("aardwolf.py"))?)
        .args([login.port.to_string(), protocol.to_owned()])
        .env("HOME", lab.subfolder("aardwolf-home")?)
        .env("E2E_PASSWORD", &login.password)
        .env("E2E_USERNAME", login.username.as_deref().unwrap_or_default());
    read(&mut command).map(|printed| String::from_utf8_lossy(&printed).into_owned())
}
