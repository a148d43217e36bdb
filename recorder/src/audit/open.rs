//! What is found when the log is opened: its end, a torn line, sessions and a gateway without an end.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::chain::{EventLine, Line, LineHash, hash};
use super::files::{Lines, NextLine, numbers, path};
use super::merkle::{Tree, leaf};
use super::proof::{checkpoint_file, own_checkpoint};
use super::{AuditKind, UnfinishedSession};
use crate::PublicKey;
use crate::files::{sync_dir, write_new};

/// The state of a log at its end.
#[derive(Default)]
pub(crate) struct Found {
    /// Number of the last file; 0 when there is none.
    pub(crate) file: u32,
    /// Length of the last file's whole lines in bytes.
    pub(crate) bytes: u64,
    /// Number of the last line.
    pub(crate) seq: u64,
    /// Hash of the last line.
    pub(crate) last: LineHash,
    /// The tree over all lines.
    pub(crate) tree: Tree,
    /// The last line is no checkpoint.
    pub(crate) unsigned: bool,
    pub(crate) unfinished: Vec<UnfinishedSession>,
    pub(crate) interrupted_at: Option<String>,
    /// Where a torn last line was put, and its length.
    pub(crate) torn: Option<(PathBuf, u64)>,
    /// Where a checkpoint was put that is not of this log, and what is wrong with it.
    pub(crate) mismatch: Option<(PathBuf, String)>,
}

/// Reads the log in `dir` and puts aside a torn last line and a checkpoint that is not of it: `signer` signs those that
/// are. An error names its file.
pub(crate) fn survey(dir: &Path, signer: &PublicKey) -> Result<Found, (PathBuf, io::Error)> {
    let checkpoint = own_checkpoint(dir, signer).map_err(|error| (checkpoint_file(dir), error))?;
    let covered = checkpoint.as_ref().ok().and_then(Option::as_ref);
    let mut root = None;
    let mut found = Found::default();
    let mut sessions = BTreeMap::new();
    let mut running = false;
    let mut last_time = String::new();
    let mut line = Vec::new();
    for number in numbers(dir).map_err(|error| (dir.to_owned(), error))? {
        let file = path(dir, number);
        let at = |error| (file.clone(), error);
        let mut lines = Lines::open(&file).map_err(at)?;
        found.file = number;
        loop {
            match lines.next(&mut line).map_err(at)? {
                NextLine::Whole => {}
                NextLine::End => break,
                NextLine::Torn => {
                    found.torn = Some(put_aside(&file, lines.offset, found.seq).map_err(at)?);
                    break;
                }
            }
            found.last = hash(&line);
            found.tree.push(leaf(&line));
            if covered.is_some_and(|head| head.size == found.tree.size()) {
                root = Some(found.tree.root());
            }
            match Line::parse(&line) {
                Ok(Line::Event(event)) => {
                    found.seq = event.seq;
                    found.unsigned = true;
                    last_time.clone_from(&event.time);
                    match event.event.kind {
                        AuditKind::GatewayStarted => running = true,
                        AuditKind::GatewayStopped | AuditKind::GatewayInterrupted => running = false,
                        _ => {}
                    }
                    follow(&mut sessions, event);
                }
                Ok(Line::Checkpoint(checkpoint)) => {
                    found.seq = checkpoint.seq;
                    found.unsigned = false;
                }
                // `verify` will name it; the chain goes on from its bytes.
                Err(_) => {
                    found.seq += 1;
                    found.unsigned = true;
                }
            }
        }
        found.bytes = lines.offset;
    }
    found.unfinished = sessions.into_values().collect();
    found.unfinished.sort_by(|a, b| a.started.cmp(&b.started));
    found.interrupted_at = running.then_some(last_time);
    let wrong = match &checkpoint {
        Ok(Some(head)) if head.size > found.tree.size() => Some(format!(
            "the end of the log is missing: it has {} lines, and its last checkpoint covers {}",
            found.tree.size(),
            head.size
        )),
        Ok(Some(head)) if root != Some(head.root) => {
            Some(format!("the log's first {} lines are not those that its last checkpoint covers", head.size))
        }
        Ok(_) => None,
        Err(what) => Some(format!("the log's last checkpoint was changed: {what}")),
    };
    if let Some(wrong) = wrong {
        let file = checkpoint_file(dir);
        let aside = put_checkpoint_aside(&file, found.seq).map_err(|error| (file, error))?;
        found.mismatch = Some((aside, wrong));
    }
    Ok(found)
}

/// Keeps a checkpoint that is not of this log, which has `seq` lines: the next one would replace it.
fn put_checkpoint_aside(file: &Path, seq: u64) -> io::Result<PathBuf> {
    for more in 0u32.. {
        let number = if more == 0 { String::new() } else { format!("-{more}") };
        let aside = file.with_extension(format!("mismatch-{seq}{number}"));
        if !aside.exists() {
            std::fs::rename(file, &aside)?;
            file.parent().map_or(Ok(()), sync_dir)?;
            return Ok(aside);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn follow(sessions: &mut BTreeMap<String, UnfinishedSession>, line: EventLine) {
    let EventLine { time: started, event, .. } = line;
    let Some(session) = event.session else { return };
    match event.kind {
        AuditKind::SessionStarted => {
            let unfinished = UnfinishedSession {
                session: session.clone(),
                technician: event.technician,
                target: event.target,
                address: event.address,
                started,
            };
            sessions.insert(session, unfinished);
        }
        AuditKind::SessionEnded => {
            sessions.remove(&session);
        }
        _ => {}
    }
}

/// Moves what stands behind `len` in `file` to a file of its own.
fn put_aside(file: &Path, len: u64, seq: u64) -> io::Result<(PathBuf, u64)> {
    let content = std::fs::read(file)?;
    let torn = usize::try_from(len).ok().and_then(|len| content.get(len..)).unwrap_or_default();
    let mut aside = file.with_extension(format!("torn-{seq}"));
    // A crash between the two steps leaves the copy behind; the same line may then come again.
    for more in 1u32.. {
        match write_new(&aside, torn) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                aside = file.with_extension(format!("torn-{seq}-{more}"));
            }
            outcome => {
                outcome?;
                break;
            }
        }
    }
    file.parent().map_or(Ok(()), sync_dir)?;
    let file = OpenOptions::new().write(true).mode(0o600).open(file)?;
    file.set_len(len)?;
    file.sync_all()?;
    Ok((aside, torn.len() as u64))
}
