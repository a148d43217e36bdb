//! noVNC in headless Chromium, through websockify.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::{Lab, tools};
use super::super::net::{free_port, wait_listening};
use super::super::wait::wait_for;
use super::{Login, Viewer, Window};

pub(super) fn connect(lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
    let modules = tools().join("npm/node_modules");
    let web = lab.subfolder("novnc")?;
    lab.write("novnc/index.html", include_str!("novnc.html"))?;
    symlink(modules.join("@novnc/novnc"), web.join("novnc")).map_err(|error| format!("noVNC: {error}"))?;

    let port = free_port()?;
    let mut websockify = Command::new("websockify");
    websockify
        .arg("--web")
        .arg(&web)
        .args([format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", login.port)]);
    let mut bridge = lab.start("websockify", &websockify)?;
    wait_listening(&mut bridge, port)?;

    let shot = lab.path("novnc.png");
    let mut node = Command::new("node");
    node.arg(lab.write("novnc.mjs", include_str!("novnc.mjs"))?)
        .args([format!("http://127.0.0.1:{port}/index.html"), line.to_owned()])
        .arg(&shot)
        .env("HOME", lab.subfolder("novnc-home")?)
        .env("E2E_MODULES", modules)
        .env("E2E_PASSWORD", &login.password)
        .env("E2E_USERNAME", login.username.as_deref().unwrap_or_default());
    let mut browser = lab.start("novnc", &node)?;
    wait_for("noVNC drawing", Duration::from_secs(40), || match browser.ended() {
        Some(status) => Some(Err(format!("noVNC ended with {status} before it drew"))),
        None => shot.exists().then_some(Ok(())),
    })??;
    Ok(Viewer { window: Window::File { path: shot, _toolkit: None }, processes: vec![browser, bridge] })
}
