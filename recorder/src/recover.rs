//! Sealing what a killed gateway left open.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::files;
use crate::format::{Checkpoint, HEAD, Mark, Place, chain_next};
use crate::list::{State, state};
use crate::recording::as_millis;
use crate::remove::is_hidden;
use crate::verify::{Survey, Verdict};
use crate::walk::{Walk, last_segment};
use crate::writer::{Tools, checkpoint_record, segment_path, wall_millis};

/// A recording that was found open at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The recording.
    pub id: String,
    /// The session facts of its header; null when it has none.
    pub facts: serde_json::Value,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RecoveryOutcome,
}

/// What became of a recording that was found open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RecoveryOutcome {
    /// It was sealed with the end `interrupted`.
    Sealed {
        /// Root of the chain, in hex.
        root: String,
        /// It is whole until this time after its start.
        #[serde(rename = "until_ms", serialize_with = "as_millis")]
        until: Duration,
        /// Bytes of a record that was not finished; they were cut off.
        torn_bytes: u64,
    },
    /// It had not begun to hold anything and was removed.
    Removed,
    /// It was left as it is, because it was changed, is incomplete or cannot be written.
    Left {
        /// Why.
        why: String,
    },
}

/// Recovers every recording in `directory` that is neither sealed nor active.
pub(crate) fn recover_all(
    directory: &Path,
    tools: &Tools,
    is_active: &dyn Fn(&str) -> bool,
) -> Vec<Recovered> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::error!(path = %directory.display(), %error, "cannot look for open recordings");
            return Vec::new();
        }
    };
    let mut recovered = Vec::new();
    for entry in entries.flatten() {
        let dir = entry.path();
        let Ok(id) = entry.file_name().into_string() else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || is_hidden(&id) || is_active(&id) {
            continue;
        }
        if matches!(state(&dir), Ok(State::Sealed { .. } | State::Interrupted)) {
            continue;
        }
        recovered.push(recover(&dir, id, tools));
    }
    recovered.sort_by(|a, b| a.id.cmp(&b.id));
    recovered
}

fn recover(dir: &Path, id: String, tools: &Tools) -> Recovered {
    let left = |why: String| RecoveryOutcome::Left { why };
    let facts = serde_json::Value::Null;
    let mut walk = match Walk::open(dir) {
        Ok(walk) => walk,
        // The header is written before the first segment; without both, nothing was ever recorded.
        Err(error) => {
            let outcome = match last_segment(dir) {
                Ok(None) if only_ours(dir) => std::fs::remove_dir_all(dir)
                    .map_or_else(|error| left(error.to_string()), |()| RecoveryOutcome::Removed),
                _ => left(error.to_string()),
            };
            return Recovered { id, facts, outcome };
        }
    };
    let facts = walk.header.facts.clone();
    let signer = tools.signer.public_key();
    if walk.header.signer != signer {
        return Recovered { id, facts, outcome: left("another gateway signed it".into()) };
    }
    let mut survey = Survey::default();
    let outcome = match survey.walk(&mut walk, &signer) {
        Ok(Verdict::IntactUpTo { torn_bytes, .. }) => seal(dir, &walk, survey.last_t_ms(), torn_bytes, tools)
            .unwrap_or_else(|error| left(format!("it cannot be sealed: {error}"))),
        Ok(verdict) => left(verdict.to_string()),
        Err(error) => left(error.to_string()),
    };
    Recovered { id, facts, outcome }
}

/// Whether the directory holds nothing but what the opening of a recording writes first.
fn only_ours(dir: &Path) -> bool {
    use crate::header::{HEADER_FILE, KEYS_FILE};
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries.flatten().all(|entry| [HEADER_FILE, KEYS_FILE].iter().any(|name| entry.file_name() == *name))
    })
}

/// Cuts the unfinished record off and signs the end.
fn seal(dir: &Path, walk: &Walk, t_ms: u32, torn_bytes: u64, tools: &Tools) -> io::Result<RecoveryOutcome> {
    let place = Place { id: &walk.header.id, seq: walk.seq, previous: &walk.chain, t_ms };
    let wall_ms = wall_millis(tools.clock.wall());
    let end = Checkpoint { mark: Mark::Recovered, wall_ms, end: "interrupted".into() };
    let record = checkpoint_record(&end, &place, &tools.signer);
    let path = segment_path(dir, walk.segment.max(1));
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    file.set_len(walk.segment_bytes)?;
    file.write_all(&record)?;
    file.sync_all()?;
    files::sync_dir(dir)?;
    let (head, body) = record.split_at(HEAD);
    let root = HEXLOWER.encode(&chain_next(&walk.chain, head, body));
    let until = Duration::from_millis(u64::from(t_ms));
    Ok(RecoveryOutcome::Sealed { root, until, torn_bytes })
}
