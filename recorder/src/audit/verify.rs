//! Verifying the log.

use std::fmt;
use std::io;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::chain::{Line, LineHash, hash};
use super::files::{Lines, NextLine, numbers, path};
use super::merkle::{Tree, TreeHash, leaf};
use super::proof::own_checkpoint;
use crate::PublicKey;

/// What a verification of the audit log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditVerification {
    /// The answer.
    #[serde(flatten)]
    pub verdict: AuditVerdict,
    /// Number of files that were looked at.
    pub files: u32,
    /// Number of events in good order.
    pub events: u64,
    /// Number of checkpoints whose signature holds.
    pub checkpoints: u64,
    /// Events behind the last signature; the chain covers them, no signature does.
    pub unsigned: u64,
    /// Time of the last line that a signature covers, RFC 3339.
    pub signed_until: Option<String>,
    /// How many lines the `audit.checkpoint` beside the log covers; `None` when there is none.
    pub checkpoint: Option<u64>,
}

/// The answer of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum AuditVerdict {
    /// Unchanged, as far as signatures reach.
    Intact,
    /// Unchanged, but the last line is not whole: the gateway was killed while it wrote.
    Torn {
        /// The file.
        file: u32,
        /// Bytes of the last line.
        bytes: u64,
    },
    /// Something was changed, removed or inserted.
    Tampered {
        /// The file's number.
        file: u32,
        /// The line in it at which it shows; the first is 1.
        line: u64,
        /// What does not fit.
        what: String,
    },
    /// A file is missing although later ones are there.
    FileMissing {
        /// Its number.
        file: u32,
    },
    /// The `audit.checkpoint` beside the log covers more lines than there are: the end of the log was removed.
    CutOff {
        /// The lines that there are.
        lines: u64,
        /// The lines that there were.
        covered: u64,
    },
    /// The `audit.checkpoint` beside the log is not of this log.
    Checkpoint {
        /// What is wrong with it.
        what: String,
    },
}

/// Verifies the log in `dir` against the key that signs it, and the `audit.checkpoint` beside it, which may be older
/// than the log's last lines or missing. Reads all of it, in constant memory.
///
/// A log that was cut off at its end together with that file verifies: what proves that lines are missing is a copy of
/// a checkpoint that was kept elsewhere ([`holds`](super::holds())).
///
/// # Errors
/// A file cannot be read.
pub fn verify(dir: &Path, signer: &PublicKey) -> io::Result<AuditVerification> {
    // Before the log, so that a running gateway cannot write one of lines that were not looked at.
    let head = own_checkpoint(dir, signer)?;
    let mut check = Check {
        signer,
        seq: 0,
        last: [0; 32],
        tree: Tree::default(),
        covered: head.as_ref().ok().and_then(Option::as_ref).map(|head| (head.size, head.root)),
        matches: true,
        found: AuditVerification {
            verdict: AuditVerdict::Intact,
            files: 0,
            events: 0,
            checkpoints: 0,
            unsigned: 0,
            signed_until: None,
            checkpoint: None,
        },
    };
    check.found.checkpoint = check.covered.map(|(size, _)| size);
    check.compare();
    let numbers = numbers(dir)?;
    for (index, number) in (1..).zip(&numbers) {
        let last = numbers.len() as u64 == u64::from(index);
        let verdict = if index == *number {
            check.file(dir, index, last)?
        } else {
            Some(AuditVerdict::FileMissing { file: index })
        };
        if let Some(verdict) = verdict {
            check.found.verdict = verdict;
            break;
        }
    }
    if let Some(verdict) = check.checkpoint(head.err()) {
        check.found.verdict = verdict;
    }
    Ok(check.found)
}

struct Check<'a> {
    signer: &'a PublicKey,
    seq: u64,
    last: LineHash,
    tree: Tree,
    /// What the checkpoint beside the log covers, and its root.
    covered: Option<(u64, TreeHash)>,
    /// Whether the lines that it covers have that root.
    matches: bool,
    found: AuditVerification,
}

impl Check<'_> {
    /// `Some` when there is nothing to be said about what follows.
    fn file(&mut self, dir: &Path, file: u32, is_last: bool) -> io::Result<Option<AuditVerdict>> {
        let mut lines = Lines::open(&path(dir, file))?;
        self.found.files += 1;
        let mut line = Vec::new();
        for number in 1.. {
            let what = match lines.next(&mut line)? {
                NextLine::Whole => self.line(&line),
                NextLine::End => break,
                NextLine::Torn if is_last => {
                    return Ok(Some(AuditVerdict::Torn { file, bytes: line.len() as u64 }));
                }
                NextLine::Torn => Err("the line is not whole although there is a later file".into()),
            };
            if let Err(what) = what {
                return Ok(Some(AuditVerdict::Tampered { file, line: number, what }));
            }
        }
        Ok(None)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let parsed = Line::parse(line).map_err(|error| format!("the line is malformed: {error}"))?;
        if parsed.seq() != self.seq + 1 {
            return Err(format!("the line has the number {} instead of {}", parsed.seq(), self.seq + 1));
        }
        if parsed.prev() != HEXLOWER.encode(&self.last) {
            return Err("the line does not follow the one before".into());
        }
        match &parsed {
            Line::Event(_) => {
                self.found.events += 1;
                self.found.unsigned += 1;
            }
            Line::Checkpoint(checkpoint) => {
                if checkpoint.signer != *self.signer {
                    return Err(format!("the checkpoint is another gateway's ({})", checkpoint.signer));
                }
                // Every byte of a checkpoint counts, also of one that no later line covers.
                if parsed.encode() != line || !checkpoint.holds(&self.last, self.signer) {
                    return Err("the checkpoint's signature does not cover what precedes it".into());
                }
                self.found.checkpoints += 1;
                self.found.unsigned = 0;
                self.found.signed_until = Some(parsed.time().to_owned());
            }
        }
        self.seq += 1;
        self.last = hash(line);
        self.tree.push(leaf(line));
        self.compare();
        Ok(())
    }

    /// Compares the lines so far with the checkpoint if it is of so many.
    fn compare(&mut self) {
        if let Some((size, root)) = self.covered
            && size == self.tree.size()
        {
            self.matches = root == self.tree.root();
        }
    }

    /// What the checkpoint beside the log says against it; what the lines themselves say goes before.
    fn checkpoint(&self, malformed: Option<String>) -> Option<AuditVerdict> {
        if !self.found.is_intact() {
            return None;
        }
        if let Some(what) = malformed {
            return Some(AuditVerdict::Checkpoint { what });
        }
        let (covered, _) = self.covered?;
        let lines = self.tree.size();
        if lines < covered {
            return Some(AuditVerdict::CutOff { lines, covered });
        }
        let what = format!("it is not of the log's first {covered} lines");
        (!self.matches).then_some(AuditVerdict::Checkpoint { what })
    }
}

impl fmt::Display for AuditVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, unsigned, .. } = self;
        match &self.verdict {
            AuditVerdict::Intact => write!(f, "intact with {events} events")?,
            AuditVerdict::Torn { file, bytes } => write!(
                f,
                "intact with {events} events, and {bytes} bytes of an unfinished line at the end of file {file}"
            )?,
            AuditVerdict::Tampered { file, line, what } => {
                write!(f, "tampered with at line {line} of file {file}: {what}")?;
            }
            AuditVerdict::FileMissing { file } => write!(f, "file {file} is missing")?,
            AuditVerdict::CutOff { lines, covered } => write!(
                f,
                "the end is missing: there are {lines} lines, and audit.checkpoint beside them covers {covered}"
            )?,
            AuditVerdict::Checkpoint { what } => write!(f, "audit.checkpoint is not of this log: {what}")?,
        }
        match &self.signed_until {
            Some(time) => write!(f, "; signed until {time}")?,
            None => write!(f, "; nothing is signed")?,
        }
        if *unsigned > 0 {
            write!(f, ", followed by {unsigned} events without a signature")?;
        }
        Ok(())
    }
}

impl AuditVerification {
    /// Whether nothing speaks against the log.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        matches!(self.verdict, AuditVerdict::Intact | AuditVerdict::Torn { .. })
    }
}
