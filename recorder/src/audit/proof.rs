//! Proofs that a line is in the log, which hold without the log: C2SP `tlog-proof`, with the line as its extra data.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use data_encoding::BASE64;

use super::chain::{EventLine, Line};
use super::files::{Lines, MAX_LINE, NextLine, numbers, path};
use super::merkle::{Prover, Tree, TreeHash, leaf, root_by_proof};
use super::note::{MAX_NOTE, NoteError, TreeHead};
use crate::{PublicKey, files};

/// The file with the last checkpoint, beside the log.
const CHECKPOINT: &str = "audit.checkpoint";
/// The first line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// No proof of a log with 64-bit numbers has more hashes.
pub(super) const MAX_HASHES: usize = 64;
/// No proof of ours is longer: a line in base64, the hashes and a checkpoint.
pub(super) const MAX_PROOF: u64 = MAX_LINE * 2 + 8192 + MAX_NOTE as u64;

/// No file with checkpoints is longer: a year of one a minute is 130 MB.
const MAX_LIST: u64 = 256 << 20;

/// Where the log in `dir` has its last checkpoint as a signed note, for other systems to collect.
#[must_use]
pub fn checkpoint_file(dir: &Path) -> PathBuf {
    dir.join(CHECKPOINT)
}

/// That a line is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The line without its line feed.
    line: Vec<u8>,
    /// Its number in the tree: one less than its `seq`.
    index: u64,
    hashes: Vec<TreeHash>,
    /// The checkpoint that it leads to.
    note: String,
}

/// What a proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The state of the log in which the line is.
    pub head: TreeHead,
    /// The line's number, from 1.
    pub seq: u64,
    /// The line without its line feed.
    pub line: Vec<u8>,
}

impl Proved {
    /// The event, if the line is one's and no checkpoint.
    #[must_use]
    pub fn event(&self) -> Option<EventLine> {
        match Line::parse(&self.line) {
            Ok(Line::Event(event)) => Some(event),
            _ => None,
        }
    }
}

/// Why there is no proof, or why it does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The log or its checkpoint cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// What cannot be read.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No checkpoint covers the line.
    #[error("the log's last checkpoint covers {covered} lines, and this is line {seq}")]
    NotCovered {
        /// The lines that it covers.
        covered: u64,
        /// The line's number.
        seq: u64,
    },
    /// The log ends before its checkpoint does.
    #[error("the log has {lines} lines and its checkpoint covers {covered}: the end of the log is missing")]
    CutOff {
        /// The lines that there are.
        lines: u64,
        /// The lines that there were.
        covered: u64,
    },
    /// The lines are not those that the checkpoint was made of.
    #[error("the log's first {0} lines are not those that the checkpoint covers: the log was changed")]
    Changed(u64),
    /// The checkpoint is not this log's.
    #[error("the checkpoint is not to be trusted: {0}")]
    Checkpoint(#[from] NoteError),
    /// There is nothing to prove: the log is not longer than the old checkpoint.
    #[error("the old checkpoint covers {old} lines, and the log's last one covers {covered}")]
    NotOlder {
        /// The lines that the last checkpoint covers.
        covered: u64,
        /// The lines that the old one covers.
        old: u64,
    },
    /// The log as it was is not the beginning of the log as it is.
    #[error("the log was changed between the two checkpoints, or the proof is not of them")]
    Inconsistent,
    /// A text that is no proof.
    #[error("it is not a proof: {0}")]
    Malformed(&'static str),
    /// The hashes do not lead from the line to the checkpoint.
    #[error("the proof does not lead from the line to the checkpoint: one of them was changed")]
    Broken,
}

impl Proof {
    /// Proves that the line with the number `seq` is in the log in `dir`, which `signer` signs. Reads all of it.
    ///
    /// # Errors
    /// The log cannot be read, no checkpoint covers the line, or the log is not what the checkpoint was made of.
    pub fn make(dir: &Path, seq: u64, signer: &PublicKey) -> Result<Self, ProofError> {
        let (note, head) = last_checkpoint(dir, signer)?;
        let index = match seq.checked_sub(1) {
            Some(index) if index < head.size => index,
            _ => return Err(ProofError::NotCovered { covered: head.size, seq }),
        };
        let mut prover = Prover::inclusion(index, head.size);
        let mut wanted = Vec::new();
        compare(dir, &head, |number, line, hash| {
            prover.pass(hash);
            if number == index {
                line.clone_into(&mut wanted);
            }
        })?;
        Ok(Self { line: wanted, index, hashes: prover.proof(), note })
    }

    /// Checks that the line is in the log that `signer` signs.
    ///
    /// # Errors
    /// It is not, as far as this proves.
    pub fn verify(&self, signer: &PublicKey) -> Result<Proved, ProofError> {
        let head = TreeHead::verify(&self.note, signer)?;
        let root = root_by_proof(leaf(&self.line), self.index, head.size, &self.hashes);
        if root != Some(head.root) {
            return Err(ProofError::Broken);
        }
        Ok(Proved { head, seq: self.index + 1, line: self.line.clone() })
    }

    /// Reads a proof from a file.
    ///
    /// # Errors
    /// The file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, ProofError> {
        read_text(path, MAX_PROOF)?.parse()
    }
}

/// Compares the log in `dir` with checkpoints of it that were kept elsewhere, at any time. Reads all of it, once.
///
/// # Errors
/// The log was changed or cut off since, or cannot be read.
pub fn holds(dir: &Path, heads: &[TreeHead]) -> Result<(), ProofError> {
    let Some(last) = heads.iter().max_by_key(|head| head.size) else { return Ok(()) };
    let mut roots: BTreeMap<u64, Vec<TreeHash>> = BTreeMap::new();
    for head in heads {
        roots.entry(head.size).or_default().push(head.root);
    }
    let mut tree = Tree::default();
    let mut changed = None;
    let compared = compare(dir, last, |_, _, hash| {
        tree.push(hash);
        let size = tree.size();
        if changed.is_none()
            && let Some(roots) = roots.get(&size)
            && roots.iter().any(|root| *root != tree.root())
        {
            changed = Some(size);
        }
    });
    match changed {
        // The first that does not hold says the most.
        Some(size) => Err(ProofError::Changed(size)),
        None => compared,
    }
}

/// Reads a checkpoint from a file.
///
/// # Errors
/// The file cannot be read, or `signer` did not sign what it holds.
pub fn read_checkpoint(path: &Path, signer: &PublicKey) -> Result<(String, TreeHead), ProofError> {
    let note = read_text(path, MAX_NOTE as u64)?;
    let head = TreeHead::verify(&note, signer)?;
    Ok((note, head))
}

/// Reads the checkpoints in a file, in their order, with an empty line behind each but a lone or last one.
///
/// # Errors
/// The file cannot be read, or `signer` did not sign all that it holds.
pub fn read_checkpoints(path: &Path, signer: &PublicKey) -> Result<Vec<TreeHead>, ProofError> {
    let text = read_text(path, MAX_LIST)?;
    let mut heads = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        // A note has an empty line before its signatures; the next one is behind it.
        let signatures = rest.find("\n\n").map_or(rest.len(), |at| at + 2);
        let end = rest[signatures..].find("\n\n").map_or(rest.len(), |at| signatures + at + 1);
        heads.push(TreeHead::verify(&rest[..end], signer)?);
        rest = rest[end..].strip_prefix('\n').unwrap_or_default();
    }
    if heads.is_empty() {
        return Err(NoteError::Malformed("it is empty").into());
    }
    Ok(heads)
}

/// The checkpoint beside the log in `dir`, if there is one. The inner error says why it is not one of `signer`'s.
pub(crate) fn own_checkpoint(dir: &Path, signer: &PublicKey) -> io::Result<Result<Option<TreeHead>, String>> {
    match last_checkpoint(dir, signer) {
        Ok((_, head)) => Ok(Ok(Some(head))),
        Err(ProofError::Read { error, .. }) => match error.kind() {
            io::ErrorKind::NotFound => Ok(Ok(None)),
            io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => Ok(Err(error.to_string())),
            _ => Err(error),
        },
        Err(ProofError::Checkpoint(error)) => Ok(Err(error.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    }
}

pub(super) fn last_checkpoint(dir: &Path, signer: &PublicKey) -> Result<(String, TreeHead), ProofError> {
    read_checkpoint(&checkpoint_file(dir), signer)
}

pub(super) fn read_text(path: &Path, most: u64) -> Result<String, ProofError> {
    let content = files::read_bounded(path, most).and_then(|content| {
        String::from_utf8(content).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
    });
    content.map_err(|error| ProofError::Read { path: path.to_owned(), error })
}

/// Shows `see` each line that `head` covers, with its number from 0 and its hash, and checks that their root is there.
pub(super) fn compare(
    dir: &Path,
    head: &TreeHead,
    mut see: impl FnMut(u64, &[u8], TreeHash),
) -> Result<(), ProofError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| ProofError::Read { path, error }
    };
    let mut tree = Tree::default();
    let mut line = Vec::new();
    for number in numbers(dir).map_err(unreadable(dir))? {
        let file = path(dir, number);
        let mut lines = Lines::open(&file).map_err(unreadable(&file))?;
        while tree.size() < head.size {
            match lines.next(&mut line).map_err(unreadable(&file))? {
                NextLine::Whole => {}
                NextLine::Torn | NextLine::End => break,
            }
            let hash = leaf(&line);
            see(tree.size(), &line, hash);
            tree.push(hash);
        }
    }
    if tree.size() < head.size {
        return Err(ProofError::CutOff { lines: tree.size(), covered: head.size });
    }
    if tree.root() == head.root { Ok(()) } else { Err(ProofError::Changed(head.size)) }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", BASE64.encode(&self.line), self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        f.write_char('\n')?;
        f.write_str(&self.note)
    }
}

impl FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed;
        let (head, note) = text.split_once("\n\n").ok_or(malformed("it has no checkpoint"))?;
        let mut lines = head.lines();
        if lines.next() != Some(HEADER) {
            return Err(malformed("its first line is another"));
        }
        let line = lines.next().and_then(|line| line.strip_prefix("extra "));
        let line = line.ok_or(malformed("it has no line of the log as extra data"))?;
        let line =
            BASE64.decode(line.as_bytes()).map_err(|_| malformed("its line of the log is no base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|index| index.parse().ok()).ok_or(malformed("it has no index"))?;
        Ok(Self { line, index, hashes: read_hashes(lines)?, note: note.to_owned() })
    }
}

/// Reads the lines of a proof that are hashes in base64.
pub(super) fn read_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<TreeHash>, ProofError> {
    let mut hashes = Vec::new();
    for hash in lines {
        let hash = BASE64.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        hashes.push(hash.ok_or(ProofError::Malformed("one of its hashes is none"))?);
        if hashes.len() > MAX_HASHES {
            return Err(ProofError::Malformed("it has too many hashes"));
        }
    }
    Ok(hashes)
}
