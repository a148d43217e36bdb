//! Listing recordings without reading them whole.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Header;
use crate::format::{Checkpoint, Content, HEAD, Head, Mark};
use crate::header::{parse_header, read_header};
use crate::recording::as_millis;
use crate::remove::is_hidden;
use crate::stored::{Complete, Stored};
use crate::walk::{last_segment, segment_number};
use crate::writer::segment_path;

/// What a listing says about a recording. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The recording's header.
    #[serde(flatten)]
    pub header: Header,
    /// Time from its start to its last record.
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
    /// Size of its segments in bytes.
    pub bytes: u64,
    /// Whether its segments are in the object store and not on this disk.
    pub offloaded: bool,
    /// Whether it is over.
    #[serde(flatten)]
    pub state: State,
}

/// Whether a recording is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is being written, or was interrupted and not yet recovered.
    Open,
    /// It was sealed when it ended.
    Sealed {
        /// Why it ended.
        end: String,
    },
    /// The gateway was killed while it recorded, and sealed it at the next start.
    Interrupted,
}

/// The recordings in `directory`, the newest first. Reads each one's header and last segment; whatever
/// has no readable header is left out.
///
/// # Errors
/// The directory cannot be read.
pub fn list(directory: &Path) -> io::Result<Vec<Summary>> {
    let mut summaries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && !is_hidden(&entry.file_name().to_string_lossy())
            && let Ok(summary) = summary(&entry.path())
        {
            summaries.push(summary);
        }
    }
    summaries
        .sort_by(|a, b| b.header.started.cmp(&a.header.started).then_with(|| a.header.id.cmp(&b.header.id)));
    Ok(summaries)
}

/// What a listing says about the recording in `dir`.
///
/// # Errors
/// It has no readable header, or a file cannot be read.
pub fn summary(dir: &Path) -> io::Result<Summary> {
    let (header, _) = read_header(dir).map_err(io::Error::other)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(segment_number).is_some() {
            bytes += entry.metadata()?.len();
        }
    }
    let (state, t_ms) = last_record(dir)?;
    let duration = Duration::from_millis(u64::from(t_ms));
    match elsewhere(dir)? {
        Some((stored, complete)) => {
            let duration = Duration::from_millis(complete.duration_ms);
            Ok(Summary { header, duration, bytes: stored.bytes, offloaded: true, state: complete.state })
        }
        None => Ok(Summary { header, duration, bytes, offloaded: false, state }),
    }
}

/// What a listing says about a recording that is elsewhere, by its header and its last segment; all segments have so
/// many `bytes`.
///
/// # Errors
/// They are no header and no segment.
pub fn summary_of(header: &[u8], last_segment: &[u8], bytes: u64) -> io::Result<Summary> {
    let header = parse_header(header).map_err(io::Error::other)?;
    let (state, t_ms) = survey(Cursor::new(last_segment))?;
    Ok(Summary { header, duration: Duration::from_millis(t_ms.into()), bytes, offloaded: true, state })
}

/// Whether the recording in `dir` is over.
pub(crate) fn state(dir: &Path) -> io::Result<State> {
    match elsewhere(dir)? {
        Some((_, complete)) => Ok(complete.state),
        None => last_record(dir).map(|(state, _)| state),
    }
}

/// What is known of a recording that was sent to the object store as a whole and whose end is not here any more.
fn elsewhere(dir: &Path) -> io::Result<Option<(Stored, Complete)>> {
    let stored = Stored::load(dir)?;
    let here = last_segment(dir)?;
    let complete = stored.complete.clone().filter(|_| here.is_none_or(|last| last < stored.segments));
    Ok(complete.map(|complete| (stored, complete)))
}

/// What the last segment ends with.
fn last_record(dir: &Path) -> io::Result<(State, u32)> {
    let Some(last) = last_segment(dir)? else { return Ok((State::Open, 0)) };
    survey(BufReader::new(File::open(segment_path(dir, last))?))
}

/// Skips through a segment.
fn survey(mut file: impl Read + Seek) -> io::Result<(State, u32)> {
    let mut state = State::Open;
    let mut t_ms = 0;
    let mut body = Vec::new();
    loop {
        let mut head = [0; HEAD];
        match file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
        let Ok(head) = Head::decode(&head) else { return Ok((State::Open, t_ms)) };
        state = State::Open;
        if head.content == Content::Checkpoint {
            body.clear();
            (&mut file).take(u64::from(head.len)).read_to_end(&mut body)?;
            if body.len() < head.len as usize {
                break;
            }
            let Some(checkpoint) = Checkpoint::parse(&body) else { break };
            state = match checkpoint.mark {
                Mark::GoesOn => State::Open,
                Mark::End => State::Sealed { end: checkpoint.end },
                Mark::Recovered => State::Interrupted,
            };
        } else {
            file.seek_relative(i64::from(head.len))?;
        }
        t_ms = t_ms.max(head.t_ms);
    }
    Ok((state, t_ms))
}
