//! wayvnc: shows a Wayland desktop, here sway's on a screen that only exists in memory.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::{Account, Lab};
use super::super::net::{free_port, wait_listening};
use super::super::picture::Picture;
use super::super::process::{Process, read};
use super::super::screen::SIZE;
use super::super::wait::wait_for;
use super::{Certificate, Credentials, Target, View, content, make_readable};

/// The compositor, which refuses to run as root.
pub(super) struct Compositor {
    account: Account,
    home: PathBuf,
    socket: String,
    _process: Process,
}

impl Compositor {
    fn start(lab: &Lab, account: Account, typed: &std::path::Path) -> Outcome<Self> {
        let home = account.folder(lab, "sway")?;
        let configuration = lab.write(
            "sway.conf",
            format!(
                "output HEADLESS-1 resolution {}x{} position 0 0\n\
                 output * bg #336699 solid_color\n\
                 default_border none\n\
                 input * repeat_rate 0\n\
                 for_window [app_id=foot] floating enable, resize set 420 300, move position 180 140\n\
                 exec foot --override=colors.background=000000 --override=colors.foreground=ffffff \
                 --override=cursor.blink=no sh -c \"{}\"\n",
                SIZE.0,
                SIZE.1,
                content::terminal_script(typed)
            ),
        )?;
        let mut command = account.command("sway", &home);
        command
            .arg("-c")
            .arg(configuration)
            .env("WLR_BACKENDS", "headless")
            .env("WLR_LIBINPUT_NO_DEVICES", "1")
            .env("WLR_RENDERER", "pixman");
        let mut process = lab.start("sway", &command)?;
        let socket = wait_for("sway opening its socket", Duration::from_secs(20), || {
            if let Some(status) = process.ended() {
                return Some(Err(format!("sway ended with {status}")));
            }
            let entries = fs::read_dir(&home).ok()?;
            let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            names.find(|name| name.starts_with("wayland-") && !name.ends_with(".lock")).map(Ok)
        })??;
        Ok(Self { account, home, socket, _process: process })
    }

    /// What the desktop shows now, without its cursor.
    pub(super) fn picture(&self) -> Outcome<Picture> {
        let shot = self.home.join("shot.png");
        let mut grim = self.account.command("grim", &self.home);
        read(grim.env("WAYLAND_DISPLAY", &self.socket).arg(&shot))?;
        Picture::png(&shot)
    }
}

pub(super) fn start(lab: &Lab, login: bool) -> Outcome<Target> {
    let account = Account::load()?;
    let port = free_port()?;
    let mut configuration = format!("address=127.0.0.1\nport={port}\n");
    let mut credentials = Credentials::default();
    if login {
        let certificate = Certificate::make(lab, "wayvnc")?;
        make_readable(&certificate.key)?;
        let _ = writeln!(
            configuration,
            "enable_auth=true\nusername=helpdesk\npassword=wayvnc-password\nprivate_key_file={}\ncertificate_file={}",
            certificate.key.display(),
            certificate.file.display()
        );
        credentials = Credentials {
            username: Some("helpdesk".to_owned()),
            password: Some("wayvnc-password".to_owned()),
            certificate: Some(certificate),
        };
    }
    let configuration = lab.write("wayvnc.conf", configuration)?;
    let typed = account.folder(lab, "terminal")?.join("typed");
    let compositor = Compositor::start(lab, account, &typed)?;
    let mut command = compositor.account.command("wayvnc", &compositor.home);
    command.env("WAYLAND_DISPLAY", &compositor.socket).arg("-C").arg(configuration).args(["-L", "info"]);
    let mut server = lab.start("wayvnc", &command)?;
    wait_listening(&mut server, port)?;
    wait_for("the terminal opening", Duration::from_secs(15), || typed.exists().then_some(()))?;
    wait_for("the terminal showing itself", Duration::from_secs(15), || {
        compositor.picture().ok().filter(|picture| picture.share([0, 0, 0]) > 10.0)
    })?;
    Ok(Target {
        protocol: "vnc",
        port,
        credentials,
        typed,
        view: View::Wayland(compositor),
        processes: vec![server],
    })
}
