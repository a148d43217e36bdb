//! Proofs that a log only grew between two checkpoints of it, which hold without the log. Their form is that in which
//! C2SP `tlog-witness` sends them to witnesses.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

use data_encoding::BASE64;

use super::merkle::{Prover, TreeHash, roots_by_proof};
use super::note::TreeHead;
use super::proof::{MAX_PROOF, ProofError, compare, last_checkpoint, read_hashes, read_text};
use crate::PublicKey;

/// That the log as an old checkpoint covers it is the beginning of the log as a newer one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The number of lines that the old checkpoint covers.
    old: u64,
    hashes: Vec<TreeHash>,
    /// The newer checkpoint.
    note: String,
}

impl Consistency {
    /// Proves that the log in `dir`, which `signer` signs, still begins with its first `old` lines. Whether they are
    /// those that whoever asks knows, the proof tells them, not us. Reads all of the log.
    ///
    /// # Errors
    /// The log cannot be read, is not longer, or is not what its checkpoint was made of.
    pub fn make(dir: &Path, old: u64, signer: &PublicKey) -> Result<Self, ProofError> {
        let (note, head) = last_checkpoint(dir, signer)?;
        if old == 0 || old > head.size {
            return Err(ProofError::NotOlder { covered: head.size, old });
        }
        let mut prover = Prover::consistency(old, head.size);
        compare(dir, &head, |_, _, hash| prover.pass(hash))?;
        Ok(Self { old, hashes: prover.proof(), note })
    }

    /// Checks that the log that `signer` signs only grew since `old`, and returns how it is now.
    ///
    /// # Errors
    /// It did not, as far as this proves.
    pub fn verify(&self, old: &TreeHead, signer: &PublicKey) -> Result<TreeHead, ProofError> {
        let head = TreeHead::verify(&self.note, signer)?;
        let roots = roots_by_proof(old.size, old.root, head.size, &self.hashes);
        if old.origin != head.origin || old.size != self.old || roots != Some((old.root, head.root)) {
            return Err(ProofError::Inconsistent);
        }
        Ok(head)
    }

    /// Reads a proof from a file.
    ///
    /// # Errors
    /// The file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, ProofError> {
        read_text(path, MAX_PROOF)?.parse()
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        f.write_char('\n')?;
        f.write_str(&self.note)
    }
}

impl FromStr for Consistency {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed;
        let (head, note) = text.split_once("\n\n").ok_or(malformed("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or(malformed("it does not begin with `old` and a number"))?;
        let number: u64 = old.parse().map_err(|_| malformed("the old size is no number"))?;
        if number.to_string() != old {
            return Err(malformed("the old size is not written as it must be"));
        }
        Ok(Self { old: number, hashes: read_hashes(lines)?, note: note.to_owned() })
    }
}
