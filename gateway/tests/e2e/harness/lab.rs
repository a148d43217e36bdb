//! A test's own folder, and what is shown when the test fails.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Outcome;
use super::process::{Process, read};

/// How much of each log a failure shows.
const TAIL: usize = 40;

/// A test's own folder and the logs of whatever it started.
pub(crate) struct Lab {
    folder: PathBuf,
    logs: RefCell<Vec<(String, PathBuf)>>,
}

impl Lab {
    /// Runs a test in a folder of its own. When it fails, it fails with the tails of all logs, and the
    /// folder stays.
    pub(crate) fn run(test: impl FnOnce(&Self) -> Outcome) {
        let lab = Self::new().expect("a folder for the test");
        let outcome = test(&lab);
        match outcome {
            Ok(()) => {
                let _ = fs::remove_dir_all(&lab.folder);
            }
            Err(error) => panic!("{error}\n{}everything is kept in {}", lab.tails(), lab.folder.display()),
        }
    }

    fn new() -> Outcome<Self> {
        // Below the system's folder for temporary files, because servers that run as another account
        // must reach it.
        let made = read(Command::new("mktemp").args(["--directory", "--tmpdir", "passerelle-e2e.XXXXXXXX"]))?;
        let folder = PathBuf::from(String::from_utf8_lossy(&made).trim());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder, logs: RefCell::default() })
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new folder in the test's folder.
    pub(crate) fn subfolder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// A new folder that only its owner can use, as runtime folders have to be.
    pub(crate) fn private_folder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.subfolder(name)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Writes a file that others can read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.path(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write_secret(&self, name: &str, content: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.path(name);
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, content.as_ref()))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// Starts a process whose log is shown should the test fail.
    pub(crate) fn start(&self, name: &str, command: &Command) -> Outcome<Process> {
        Process::start(name, command, &self.log(name), None)
    }

    /// Starts a process whose standard output goes to a file of its own.
    pub(crate) fn start_with_output(&self, name: &str, command: &Command, output: &Path) -> Outcome<Process> {
        Process::start(name, command, &self.log(name), Some(output))
    }

    /// What a process that was started under this name has printed.
    pub(crate) fn log_of(&self, name: &str) -> Outcome<String> {
        let logs = self.logs.borrow();
        let (_, path) = logs
            .iter()
            .rfind(|(started, _)| started == name)
            .ok_or_else(|| format!("{name} was not started"))?;
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn log(&self, name: &str) -> PathBuf {
        let mut logs = self.logs.borrow_mut();
        let path = self.path(&format!("{:02}-{name}.log", logs.len()));
        logs.push((name.to_owned(), path.clone()));
        path
    }

    fn tails(&self) -> String {
        let mut text = String::new();
        for (name, path) in self.logs.borrow().iter() {
            let log = fs::read(path).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            let _ = writeln!(text, "--- {name}: the last of {} lines", lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }
}

/// The folder that `cargo xtask test` fills with clients from PyPI and npm.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e-tools")
}

/// The account that `cargo xtask test` makes for servers which check a password of the system's, or
/// which do not run as root.
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: String,
    /// Its password.
    pub(crate) password: String,
}

impl Account {
    /// Reads what the setup wrote.
    pub(crate) fn load() -> Outcome<Self> {
        let path = tools().join("account");
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{}: {error}; `cargo xtask test`, run as root, makes the test account", path.display())
        })?;
        let mut lines = text.lines().map(str::to_owned);
        match (lines.next(), lines.next()) {
            (Some(name), Some(password)) => Ok(Self { name, password }),
            _ => Err(format!("{} should hold a name and a password", path.display())),
        }
    }

    /// A command that runs as this account, with `home` as its home and runtime folder.
    pub(crate) fn command(&self, program: &str, home: &Path) -> Command {
        let mut command = Command::new("setpriv");
        // Changing the account clears the tie to the test's thread, so it is made again.
        command
            .args([
                "--reuid",
                &self.name,
                "--regid",
                &self.name,
                "--init-groups",
                "--pdeathsig",
                "KILL",
                "--",
            ])
            .arg(program)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Makes a folder of its own for this account.
    pub(crate) fn folder(&self, lab: &Lab, name: &str) -> Outcome<PathBuf> {
        let folder = lab.private_folder(name)?;
        read(Command::new("chown").arg(format!("{0}:{0}", self.name)).arg(&folder))?;
        Ok(folder)
    }
}
