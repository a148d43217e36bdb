//! Where secrets must not be found.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use passerelle_rfb::security::TargetSecurity;

use crate::harness::Outcome;
use crate::harness::lab::Lab;
use crate::peers::site::{Setup, Site};
use crate::peers::target::{Target, answer};
use crate::peers::viewer::Viewer;
use crate::peers::wire;

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())?),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether `secret` stands in `bytes`, in any case.
pub(crate) fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret))
}

#[test]
fn no_stored_byte_shows_a_secret() {
    const PASSWORD: &str = "tgt-P4ss";
    const TYPED: &str = "typed-in-place-of-a-ticket";
    Lab::run(|lab| {
        let target = Target::with_password(PASSWORD, |stream, _| answer(stream))?;
        let file = lab.write_secret("target.password", PASSWORD)?;
        let credentials = format!("credentials: {{ password: file:{} }}", file.display());
        let setup = Setup::new(&target).target("locked", target.port, &credentials);
        let mut site = Site::start(lab, setup)?;

        let (short, long, unused) =
            (site.ticket_for("alice", "locked")?, site.ticket_for("bob", "locked")?, site.ticket()?);
        Viewer::login(&site, &short)?.refresh()?;
        let mut viewer = Viewer::login_ard(&site, &long)?;
        viewer.refresh()?;
        for key in TYPED.bytes() {
            viewer.send(&wire::key(true, key.into()))?;
        }
        viewer.refresh()?;
        drop(viewer);
        site.wait_ends(2)?;
        // Nor do those that were refused: used, and never a ticket.
        for (username, password) in [(&long.username, &long.ticket), (&long.username, &TYPED.to_owned())] {
            if Viewer::login_with(site.port, TargetSecurity::Ard, username, password).is_ok() {
                return Err("a used ticket was good".into());
            }
        }

        let mut secrets = vec![PASSWORD.to_owned(), TYPED.to_owned()];
        for ticket in [&short, &long, &unused] {
            secrets.extend([ticket.ticket.clone(), ticket.vnc_password.clone()]);
        }
        let mut places = files(&site.data())?;
        if !places.iter().any(|path| path.extension().is_some_and(|kind| kind == "seg")) {
            return Err("there is no recording to search".into());
        }
        let log = site.log()?;
        // Once while it runs, and once after it has stopped: SQLite's log is merged then.
        for stopped in [false, true] {
            if stopped {
                site.process()?.signal("TERM")?;
                site.process()?.wait(crate::peers::site::SOON)?;
                places = files(&site.data())?;
            }
            for path in &places {
                let bytes = match fs::read(path) {
                    Ok(bytes) => bytes,
                    // A running gateway renames what it has written under a passing name.
                    Err(error) if !stopped && error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(format!("{}: {error}", path.display())),
                };
                if let Some(secret) = secrets.iter().find(|secret| holds(&bytes, secret.as_bytes())) {
                    return Err(format!("{} holds {secret}", path.display()));
                }
            }
        }
        match secrets.iter().find(|secret| holds(log.as_bytes(), secret.as_bytes())) {
            Some(secret) => Err(format!("the log holds {secret}")),
            None => Ok(()),
        }
    });
}
