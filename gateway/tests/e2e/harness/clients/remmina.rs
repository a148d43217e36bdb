//! Remmina, whose VNC is libvncclient.

use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::process::read;
use super::super::screen::{SIZE, Screen};
use super::super::wait::wait_for;
use super::{Login, MIDDLE, Viewer, Window};

/// Nothing that would open a dialog or ask the network.
const PREFERENCES: &str = "[remmina_pref]\nsecret=\nuse_primary_password=false\nhide_connection_toolbar=true\n\
    periodic_news_permitted=false\nperiodic_usage_stats_permitted=false\ndisable_tip=true\nmain_width=600\n";

pub(super) fn connect(lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
    // Room for Remmina's own frame, or it scrolls.
    let screen = Screen::xvfb(lab, "remmina-screen", (SIZE.0 + 200, SIZE.1 + 150))?;
    read(screen.command("xsetroot").args(["-solid", "#ff00ff"]))?;
    let home = lab.subfolder("remmina-home")?;
    lab.subfolder("remmina-home/.config/remmina")?;
    lab.subfolder("remmina-home/.local/share/remmina")?;
    lab.write("remmina-home/.config/remmina/remmina.pref", PREFERENCES)?;
    let user = login.username.as_deref().unwrap_or_default().replace(':', "%3A");
    let uri = format!(
        "vnc://{user}:{password}@127.0.0.1:{port}?VncPassword={password}&VncUsername={user}",
        password = login.password,
        port = login.port
    );
    let mut command = screen.command("dbus-run-session");
    command
        .args(["--", "remmina", "-c", &uri])
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", &home)
        .env("XDG_CONFIG_HOME", home.join(".config"))
        .env("XDG_DATA_HOME", home.join(".local/share"))
        .env("GDK_BACKEND", "x11")
        .env("NO_AT_BRIDGE", "1");
    let mut process = lab.start("remmina", &command)?;
    wait_for("Remmina drawing", Duration::from_secs(30), || match process.ended() {
        Some(status) => Some(Err(format!("Remmina ended with {status} before it drew"))),
        None => {
            let picture = screen.picture().ok()?;
            (picture.share(super::super::servers::BACKGROUND) > 5.0).then_some(Ok(()))
        }
    })??;
    // Without a window manager, the window does not always grow with the desktop.
    let [width, height] = [SIZE.0 + 100, SIZE.1 + 100].map(|side| side.to_string());
    let mut xdotool = screen.command("xdotool");
    read(xdotool.args(["search", "--onlyvisible", "--class", "remmina", "windowsize", &width, &height]))?;
    screen.type_line(MIDDLE, line)?;
    Ok(Viewer { window: Window::Screen(screen), processes: vec![process] })
}
