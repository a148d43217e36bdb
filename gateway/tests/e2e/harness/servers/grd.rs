//! gnome-remote-desktop, in its headless way: NLA, and pictures by the graphics pipeline alone.

use std::process::Command;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::net::{free_port, wait_listening};
use super::super::screen::{SIZE, Screen};
use super::super::wait::wait_for;
use super::{Certificate, Credentials, Target, View, content};

const USERNAME: &str = "helper";
const PASSWORD: &str = "gn0me-password";

pub(super) fn start(lab: &Lab) -> Outcome<Target> {
    let certificate = Certificate::make(lab, "grd")?;
    let runtime = lab.private_folder("grd")?;
    // It listens on every address, so it has a network of its own, and a Unix socket leads out of it.
    // Its D-Bus, PipeWire and compositor end with it, because they are in its process namespace.
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "dbus-run-session", "--", "sh"])
        .arg(lab.write("grd.sh", include_str!("grd.sh"))?)
        .args([&certificate.file, &certificate.key])
        .args([USERNAME, PASSWORD, &format!("{}x{}", SIZE.0, SIZE.1)])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("HOME", &runtime)
        .env("XDG_CONFIG_HOME", runtime.join("config"))
        .env("XDG_DATA_HOME", runtime.join("data"))
        .env("XDG_SESSION_TYPE", "wayland")
        .env("GSETTINGS_BACKEND", "keyfile")
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("LC_ALL", "C.UTF-8");
    let mut server = lab.start("grd", &command)?;
    let exit = runtime.join("rdp");
    wait_for("gnome-remote-desktop listening", Duration::from_secs(30), || match server.ended() {
        Some(status) => Some(Err(format!("gnome-remote-desktop ended with {status}"))),
        None => exit.exists().then_some(Ok(())),
    })??;

    let port = free_port()?;
    let mut socat = Command::new("socat");
    socat
        .arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay"))
        .arg(format!("UNIX-CONNECT:{}", exit.display()));
    let mut forward = lab.start("grd-socat", &socat)?;
    wait_listening(&mut forward, port)?;

    let screen = Screen::xwayland(lab, &runtime, &runtime.join("wayland-e2e"))?;
    let typed = lab.path("typed");
    let terminal = content::x11(lab, &screen, &typed)?;
    let credentials = Credentials {
        username: Some(USERNAME.to_owned()),
        password: Some(PASSWORD.to_owned()),
        certificate: Some(certificate),
    };
    Ok(Target {
        protocol: "rdp",
        port,
        credentials,
        typed,
        view: View::X(screen),
        processes: vec![server, forward, terminal],
    })
}
