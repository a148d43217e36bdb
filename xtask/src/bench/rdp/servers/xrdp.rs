//! xrdp with TLS, a clipboard and drives. It logs in to an account that only its own mount namespace has, so
//! the system needs none. Its one desktop begins with the first login and stays when viewers leave.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Target;
use crate::bench::clock;
use crate::bench::content::{self, Content};
use crate::bench::process::{Process, command, free_address};
use crate::bench::rdp::display::Display;
use crate::bench::rdp::peers::Endpoint;
use crate::bench::rdp::viewer::Viewer;

/// Whom it lets in.
pub(super) const USERNAME: &str = "passerelle-bench";
/// With this password.
pub(super) const PASSWORD: &str = "xrdppass1";
/// The number of that account and of its group, which nobody should have.
const ACCOUNT: u32 = 64_321;
/// How long the first login may take until there is a desktop.
const PATIENCE: Duration = Duration::from_secs(40);
/// The end-to-end tests' way to run xrdp where only it sees the folders that it writes to.
const APART: &str = include_str!("../../../../../gateway/tests/e2e/harness/servers/xrdp.sh");
/// The X server that sesman starts; its screen stays on.
const XORG: &str = "[Xorg]\nparam=/usr/lib/xorg/Xorg\nparam=-config\nparam=xrdp/xorg.conf\nparam=-noreset\n\
    param=-nolisten\nparam=tcp\nparam=-s\nparam=0\nparam=-logfile\nparam=.xorgxrdp.%s.log\n";

/// A running server.
pub(crate) struct Xrdp {
    // Fields are dropped in this order: the content ends before its X server.
    content: Option<Process>,
    process: Process,
    address: SocketAddr,
    directory: PathBuf,
    display: u32,
}

impl Xrdp {
    /// Whether this process may start it: it takes root to mount and to change accounts.
    pub(crate) fn possible() -> bool {
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
    }

    /// Starts it, logs in once with a viewer on `screen`, and shows nothing but a coloured ground.
    pub(crate) fn start(parent: &Path, screen: &Display) -> Result<Self> {
        let directory = parent.join("xrdp");
        fs::create_dir(&directory)?;
        let (address, sesman) = (free_address()?, free_address()?);
        let start = configure(&directory, address, sesman)?;
        let mut process = Process::start("xrdp", start, &directory)?;
        process.wait_listening(address)?;
        process.wait_listening(sesman)?;

        let named = directory.join("home/display");
        let viewer = Viewer::start(&Endpoint::direct(Target::Xrdp, address), screen, &directory)?;
        let deadline = clock::now() + PATIENCE;
        while !named.exists() {
            ensure!(
                clock::now() < deadline,
                "xrdp starts no desktop, see {}: {}",
                directory.display(),
                process.log_tail()
            );
            thread::sleep(Duration::from_millis(50));
        }
        drop(viewer);
        let display = fs::read_to_string(&named)?;
        let number = display.trim().trim_start_matches(':').split('.').next().and_then(|n| n.parse().ok());
        let display = number.with_context(|| format!("xrdp's display is called {display}"))?;
        let mut xrdp = Self { content: None, process, address, directory, display };
        xrdp.show(None)?;
        Ok(xrdp)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name of its X display.
    pub(crate) fn display(&self) -> String {
        format!(":{}", self.display)
    }

    /// Replaces what is on its screen. The content is outside of xrdp's namespaces and reaches its X server by
    /// the abstract socket.
    pub(crate) fn show(&mut self, content: Option<Content>) -> Result<()> {
        content::replace(&mut self.content, content, self.display, &self.directory)
    }

    /// Runs a shell command in the home of the user who has logged in, and returns what it printed.
    pub(crate) fn run(&self, script: &str) -> Result<String> {
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = fs::read_to_string(children)?;
        let first = children.split_whitespace().next().context("xrdp does not run")?;
        let account = ACCOUNT.to_string();
        let output = command("nsenter", ["--target", first, "--mount", "--pid", "--", "setpriv"])
            .args(["--init-groups", "--reuid", &account, "--regid", &account, "--", "sh", "-c"])
            .arg(format!("cd ~{USERNAME} && {{ {script}; }}"))
            .output()
            .context("cannot run nsenter")?;
        ensure!(
            output.status.success(),
            "`{script}` failed on xrdp: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Writes what xrdp needs below `directory` and returns how to start it.
fn configure(directory: &Path, address: SocketAddr, sesman: SocketAddr) -> Result<Command> {
    // The account has to reach its session's script and its home.
    for path in [directory.parent().unwrap_or(directory), directory] {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    let home = directory.join("home");
    fs::create_dir(&home)?;
    chown(&home, Some(ACCOUNT), Some(ACCOUNT))?;
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).map(|()| path)
    };
    accounts(directory)?;
    let (key, certificate) = (directory.join("key.pem"), directory.join("certificate.pem"));
    let made = command("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .context("cannot run openssl")?;
    ensure!(made.status.success(), "openssl makes no certificate");

    let session = write(
        "session",
        format!(
            "#!/bin/sh\nset -eu\nxhost +local: >&2\necho \"$DISPLAY\" >'{0}.new'\nmv '{0}.new' '{0}'\n\
             exec sleep infinity\n",
            home.join("display").display()
        ),
    )?;
    fs::set_permissions(&session, Permissions::from_mode(0o755))?;
    // sesman takes the first number whose ports are free, from 6000 on for X.
    let display = free_address()?.port().saturating_sub(6000);
    let log = |name: &str| {
        format!("LogFile={}\nLogLevel=INFO\nEnableSyslog=false\n", directory.join(name).display())
    };
    let sesman_ini = format!(
        "[Globals]\nListenAddress=127.0.0.1\nListenPort={}\nEnableUserWindowManager=false\n\
         DefaultWindowManager={}\n\
         [Security]\nAllowRootLogin=false\nAlwaysGroupCheck=false\n\
         RestrictOutboundClipboard=none\nRestrictInboundClipboard=none\n\
         [Sessions]\nX11DisplayOffset={display}\nMaxSessions=10\nKillDisconnected=false\nPolicy=Default\n\
         [Logging]\n{}{XORG}[Chansrv]\nFuseMountName=thinclient_drives\nFileUmask=077\n\
         [ChansrvLogging]\nLogLevel=INFO\nEnableSyslog=false\n",
        sesman.port(),
        session.display(),
        log("sesman.log"),
    );
    // What xrdp draws before the desktop is there is black, which is no picture yet.
    let xrdp_ini = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://{address}\ntcp_nodelay=true\nsecurity_layer=tls\n\
         certificate={}\nkey_file={}\nssl_protocols=TLSv1.2, TLSv1.3\nautorun=Xorg\nallow_channels=true\n\
         bitmap_cache=true\nbitmap_compression=true\nbulk_compression=true\nhidelogwindow=true\nmax_bpp=32\n\
         new_cursors=true\nuse_fastpath=both\nblack=000000\nbackground=000000\nls_top_window_bg_color=000000\n\
         [Logging]\n{}[Channels]\nrdpdr=true\nrdpsnd=true\ndrdynvc=true\ncliprdr=true\nrail=false\n\
         [Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n",
        certificate.display(),
        key.display(),
        log("xrdp-detail.log"),
    );
    let (sesman_ini, xrdp_ini) = (write("sesman.ini", sesman_ini)?, write("xrdp.ini", xrdp_ini)?);

    // unshare ignores SIGTERM while it waits for its child, so it has to be killed when the benchmark is.
    let mut start = command("setpriv", ["--pdeathsig", "KILL", "--", "unshare", "--mount", "--ipc", "--pid"]);
    start
        .args(["--fork", "--kill-child", "--mount-proc", "sh"])
        .arg(write("account.sh", include_str!("account.sh").to_owned())?)
        .arg(directory)
        .arg(write("xrdp.sh", APART.to_owned())?)
        .arg(directory)
        .args([USERNAME, "--"])
        .args([home, sesman_ini, xrdp_ini]);
    Ok(start)
}

/// Writes the system's accounts with one more, which is the only one with a password.
fn accounts(directory: &Path) -> Result<()> {
    let hash = command("openssl", ["passwd", "-6", PASSWORD]).output().context("cannot run openssl")?;
    ensure!(hash.status.success(), "openssl hashes no password");
    let hash = String::from_utf8(hash.stdout)?;
    let (passwd, group) = (fs::read_to_string("/etc/passwd")?, fs::read_to_string("/etc/group")?);
    let home = format!("/home/{USERNAME}");
    fs::write(
        directory.join("passwd"),
        format!("{passwd}{USERNAME}:x:{ACCOUNT}:{ACCOUNT}::{home}:/bin/sh\n"),
    )?;
    fs::write(directory.join("group"), format!("{group}{USERNAME}:x:{ACCOUNT}:\n"))?;
    let shadow = directory.join("shadow");
    fs::write(&shadow, format!("{USERNAME}:{}:20000:0:99999:7:::\n", hash.trim()))?;
    fs::set_permissions(&shadow, Permissions::from_mode(0o600))?;
    Ok(())
}
