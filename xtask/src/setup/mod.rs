//! What the end-to-end tests need: real servers and clients from Debian, PyPI and npm.
//!
//! Everything that does not come from Debian lives below `target/e2e-tools`, where the tests look for it.

mod packages;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};

/// The account that test servers check passwords against and that Wayland servers run as, since they
/// refuse to run as root.
const ACCOUNT: &str = "passerelle-e2e";

/// Installs what is missing.
pub(crate) fn ensure() -> Outcome {
    let start = shell::now();
    let tools = tools()?;
    let _only_one = lock(&tools)?;
    debian(&packages())?;
    python(&tools)?;
    npm(&tools)?;
    account(&tools)?;
    println!("setup ok, {}", shell::seconds(start.elapsed()));
    Ok(())
}

/// Installs what is missing for benchmarks of recordings: servers, clients and the browser of the tests, and programs
/// that record screens.
#[cfg(feature = "bench")]
pub(crate) fn for_benchmarks() -> Outcome {
    let tools = tools()?;
    let _only_one = lock(&tools)?;
    debian(&[&packages()[..], packages::BENCHMARKS].concat())?;
    npm(&tools)
}

/// Where it goes what does not come from Debian.
fn tools() -> Result<PathBuf, String> {
    let tools = shell::root().join("target/e2e-tools");
    fs::create_dir_all(&tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    Ok(tools)
}

/// The tests' packages of Debian.
fn packages() -> Vec<&'static str> {
    packages::DEBIAN.iter().flat_map(|(_, names)| names.iter().copied()).collect()
}

/// Two package managers at once would fail on each other's locks, so a second setup waits.
fn lock(tools: &Path) -> Result<File, String> {
    let path = tools.join("setup.lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(file)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn debian(packages: &[&str]) -> Outcome {
    if !shell::has("dpkg-query") {
        return Err(
            "the end-to-end tests' servers and clients are packages of Debian 12, and this is no Debian"
                .into(),
        );
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if !is_root() {
        return Err(format!("packages are missing; as root, run:\n  {install}"));
    }
    println!("setup: {install}");
    let apt = |arguments: &[&str]| {
        shell::run(
            Command::new("apt-get")
                .args(["--quiet=2", "-o", "DPkg::Lock::Timeout=600"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(Stdio::null()),
        )
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat())
}

/// A package counts as present, too, when its program comes from elsewhere, as Node.js often does.
fn installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output();
    status.is_ok_and(|output| output.stdout == b"installed") || shell::has(package)
}

fn python(tools: &Path) -> Outcome {
    let wanted = packages::PYPI.join("\n");
    unless_done(&tools.join("venv.done"), &wanted, || {
        let venv = tools.join("venv");
        shell::run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        shell::run(
            Command::new(venv.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "--no-input"])
                .args(packages::PYPI),
        )
    })
}

fn npm(tools: &Path) -> Outcome {
    let wanted = packages::NPM.join("\n");
    unless_done(&tools.join("npm.done"), &wanted, || {
        let folder = tools.join("npm");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        shell::run(
            Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"])
                .arg(&folder)
                .args(packages::NPM)
                .current_dir(&folder),
        )
    })
}

/// Makes the test account with a password of its own on this machine. Nobody can log in with it: it
/// has no shell.
fn account(tools: &Path) -> Outcome {
    let file = tools.join("account");
    let exists = Command::new("id").arg(ACCOUNT).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let exists = exists.is_ok_and(|status| status.success());
    if !is_root() {
        if !exists || !file.is_file() {
            println!("setup: only root can make the account {ACCOUNT}; tests that need it will say so");
        }
        return Ok(());
    }
    // The password is new each time: another checkout may have set its own since.
    if !exists {
        shell::run(Command::new("useradd").args([
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            ACCOUNT,
        ]))?;
    }
    let password = random_hex()?;
    let mut chpasswd = Command::new("chpasswd")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run chpasswd: {error}"))?;
    let mut input = chpasswd.stdin.take().ok_or("chpasswd takes no input")?;
    writeln!(input, "{ACCOUNT}:{password}").map_err(|error| format!("chpasswd: {error}"))?;
    drop(input);
    match chpasswd.wait() {
        Ok(status) if status.success() => write_private(&file, &format!("{ACCOUNT}\n{password}\n")),
        Ok(status) => Err(format!("chpasswd failed: {status}")),
        Err(error) => Err(format!("chpasswd: {error}")),
    }
}

fn random_hex() -> Result<String, String> {
    let mut bytes = [0; 12];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn write_private(path: &Path, text: &str) -> Outcome {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Does something once for each version of what is wanted.
fn unless_done(stamp: &PathBuf, wanted: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    if fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}
