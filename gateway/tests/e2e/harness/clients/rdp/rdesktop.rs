//! rdesktop, the oldest free client, with code of its own for everything.

use super::super::super::Outcome;
use super::super::super::lab::Lab;
use super::super::super::process::read;
use super::super::super::screen::{SIZE, Screen};
use super::{BLANK, Login, Viewer, Window, type_line, wait_desktop};

pub(super) fn connect(lab: &Lab, login: &Login, options: &[&str], line: &str) -> Outcome<Viewer> {
    let screen = Screen::xvfb(lab, "rdesktop-screen", SIZE)?;
    read(screen.command("xsetroot").args(["-solid", BLANK]))?;
    // It asks on its terminal whether to trust an authority that the system does not know.
    let answer = lab.write("rdesktop-answer", "yes\n")?;
    let mut command = screen.command("sh");
    command
        .args(["-c", "exec rdesktop \"$@\" <\"$0\""])
        .arg(answer)
        .args(["-g", &format!("{}x{}", SIZE.0, SIZE.1), "-D", "-K", "-p", &login.password])
        .args(login.username.iter().flat_map(|name| ["-u", name]))
        .args(options)
        .arg(format!("127.0.0.1:{}", login.port))
        .env("HOME", lab.subfolder("rdesktop-home")?)
        .env_remove("XDG_DATA_HOME");
    let mut process = lab.start("rdesktop", &command)?;
    wait_desktop(&screen, &mut process)?;
    type_line(&screen, line)?;
    Ok(Viewer { window: Window::Screen(screen), processes: vec![process] })
}
