//! xrdp: logs in to an account of the system and starts a desktop for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::Outcome;
use super::super::lab::{Account, Lab};
use super::super::net::{free_port, wait_listening};
use super::super::picture::Picture;
use super::super::process::{Process, read};
use super::super::screen;
use super::{Certificate, Credentials, Target, View, content};

/// Debian's settings for the X server that sesman starts, without its clutter.
const XORG: &str = "[Xorg]\nparam=/usr/lib/xorg/Xorg\nparam=-config\nparam=xrdp/xorg.conf\nparam=-noreset\n\
    param=-r\nparam=-nolisten\nparam=tcp\nparam=-logfile\nparam=.xorgxrdp.%s.log\n";

/// The desktop that begins with the first login.
pub(super) struct Session {
    account: String,
    home: PathBuf,
}

impl Session {
    /// The name of its X display, once somebody has logged in.
    pub(super) fn display(&self) -> Outcome<String> {
        let path = self.home.join("display");
        fs::read_to_string(path)
            .map(|name| name.trim().to_owned())
            .map_err(|error| format!("xrdp has no session yet: {error}"))
    }

    /// What the desktop shows now, without its cursor.
    pub(super) fn picture(&self) -> Outcome<Picture> {
        screen::picture_of(&self.display()?)
    }
}

impl Session {
    /// Runs a shell command as the user who has logged in, where that user sees files.
    pub(super) fn run(&self, server: &Process, script: &str) -> Outcome<String> {
        let children = format!("/proc/{0}/task/{0}/children", server.id());
        let children = fs::read_to_string(&children).map_err(|error| format!("{children}: {error}"))?;
        let first = children.split_whitespace().next().ok_or("xrdp does not run")?;
        let mut command = Command::new("nsenter");
        command
            .args(["--target", first, "--mount", "--pid", "--", "setpriv", "--init-groups"])
            .args(["--reuid", &self.account, "--regid", &self.account, "--", "sh", "-c"])
            .arg(format!("cd ~{} && {{ {script}; }}", self.account));
        read(&mut command).map(|printed| String::from_utf8_lossy(&printed).into_owned())
    }
}

pub(super) fn start(lab: &Lab) -> Outcome<Target> {
    let account = Account::load()?;
    let home = account.folder(lab, "xrdp-home")?;
    let typed = home.join("typed");
    let certificate = Certificate::make(lab, "xrdp")?;
    let (port, sesman_port) = (free_port()?, free_port()?);
    // sesman takes the first number whose ports are free, from 6000 on for X.
    let display = free_port()?.saturating_sub(6000);

    let window_manager = lab.write("xrdp-session", content::x11_session(&home, &typed))?;
    read(Command::new("chmod").arg("a+x").arg(&window_manager))?;
    let sesman = format!(
        "[Globals]\nListenAddress=127.0.0.1\nListenPort={sesman_port}\nEnableUserWindowManager=false\n\
         DefaultWindowManager={manager}\n\
         [Security]\nAllowRootLogin=false\nAlwaysGroupCheck=false\n\
         RestrictOutboundClipboard=none\nRestrictInboundClipboard=none\n\
         [Sessions]\nX11DisplayOffset={display}\nMaxSessions=10\nKillDisconnected=true\nPolicy=Default\n\
         [Logging]\nLogFile={log}\nLogLevel=INFO\nEnableSyslog=false\n\
         {XORG}[Chansrv]\nFuseMountName=thinclient_drives\nFileUmask=077\n\
         [ChansrvLogging]\nLogLevel=INFO\nEnableSyslog=false\n",
        manager = window_manager.display(),
        log = lab.path("xrdp-sesman.log").display(),
    );
    let xrdp = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\ntcp_nodelay=true\n\
         security_layer=tls\ncertificate={certificate}\nkey_file={key}\nssl_protocols=TLSv1.2, TLSv1.3\n\
         autorun=Xorg\nallow_channels=true\nbitmap_cache=true\nbitmap_compression=true\n\
         bulk_compression=true\nhidelogwindow=true\nmax_bpp=32\nnew_cursors=true\nuse_fastpath=both\n\
         [Logging]\nLogFile={log}\nLogLevel=INFO\nEnableSyslog=false\n\
         [Channels]\nrdpdr=true\nrdpsnd=true\ndrdynvc=true\ncliprdr=true\nrail=false\n\
         [Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n",
        certificate = certificate.file.display(),
        key = certificate.key.display(),
        log = lab.path("xrdp-detail.log").display(),
    );
    let (sesman, xrdp) = (lab.write("sesman.ini", sesman)?, lab.write("xrdp.ini", xrdp)?);
    let mut server = lab.start("xrdp", &apart(lab, &account, &home, &sesman, &xrdp)?)?;
    wait_listening(&mut server, port)?;
    wait_listening(&mut server, sesman_port)?;
    let session = Session { account: account.name.clone(), home };
    let credentials = Credentials {
        username: Some(account.name),
        password: Some(account.password),
        certificate: Some(certificate),
    };
    Ok(Target {
        protocol: "rdp",
        port,
        credentials,
        typed,
        view: View::Xrdp(session),
        processes: vec![server],
    })
}

/// A command that runs xrdp and sesman with files and process numbers of their own: both insist on fixed
/// paths, and their sessions leave the process group.
fn apart(lab: &Lab, account: &Account, home: &Path, sesman: &Path, xrdp: &Path) -> Outcome<Command> {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
        .arg(lab.write("xrdp.sh", include_str!("xrdp.sh"))?)
        .arg(lab.path(""))
        .args([&account.name, "--"])
        .args([home, sesman, xrdp]);
    Ok(command)
}
