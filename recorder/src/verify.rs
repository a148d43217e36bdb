//! Verifying a recording without any decryption key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::format::{Checkpoint, Content, Mark, Place};
use crate::header::{Header, HeaderError};
use crate::recording::as_millis;
use crate::stored::is_offloaded;
use crate::walk::{Record, Step, Walk, WalkError};
use crate::{Class, PublicKey, rewrap};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The recording, as its header names it; empty when there is no header.
    pub id: String,
    /// The answer.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Bytes of whole records that were looked at.
    pub bytes: u64,
    /// Number of segments that were looked at.
    pub segments: u32,
    /// Number of records, checkpoints included.
    pub records: u64,
    /// Number of checkpoints whose signature holds.
    pub checkpoints: u64,
    /// Time from the recording's start to the last whole record.
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
    /// Classes whose key was destroyed; nobody can read them.
    pub erased: Vec<Class>,
}

/// The answer of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Complete and unchanged since it was sealed.
    Sealed {
        /// Why the recording ended.
        end: String,
        /// Root of the chain, in hex; the audit log has it too.
        root: String,
    },
    /// The gateway was killed while it recorded, and sealed afterwards what there was. Unchanged since.
    Interrupted {
        /// Root of the chain, in hex.
        root: String,
        /// The recording is whole until this time after its start.
        #[serde(rename = "until_ms", serialize_with = "as_millis")]
        until: Duration,
    },
    /// Not sealed: still being written, interrupted and not yet recovered, or its end was removed.
    IntactUpTo {
        /// Unchanged until this time after its start, as the last signature proves.
        #[serde(rename = "until_ms", serialize_with = "as_millis")]
        until: Duration,
        /// Whole records behind the last signature.
        unsigned_records: u64,
        /// Bytes of a last record that is not whole.
        torn_bytes: u64,
    },
    /// Something was changed, exchanged, inserted or removed.
    Tampered {
        /// The segment in which it shows; 0 stands for the files in clear.
        segment: u32,
        /// The first record that is in doubt. Everything before it is proven.
        first_record: u64,
        /// The record at which it shows.
        last_record: u64,
        /// What does not fit.
        what: String,
    },
    /// A segment is missing although later ones are there.
    SegmentMissing {
        /// Its number.
        number: u32,
    },
    /// Its end was removed: the audit log has the root with which it was sealed.
    CutOff {
        /// That root, in hex.
        root: String,
        /// Unchanged until this time after its start, as the last signature that is left proves.
        #[serde(rename = "until_ms", serialize_with = "as_millis")]
        until: Duration,
    },
    /// It is whole, and not what was sealed: the audit log has another root.
    OtherRoot {
        /// Root of the chain, in hex.
        root: String,
        /// The one in the audit log.
        logged: String,
    },
    /// The recording names another signer than the one that was asked for.
    OtherSigner {
        /// Who signed it.
        signer: PublicKey,
    },
}

/// A recording could not be read, so that nothing can be said about it.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no recording.
    #[error("{0} is not a recording: it has neither header nor segments")]
    NotARecording(PathBuf),
    /// Its segments are in the object store.
    #[error("the segments of {0} are in the object store; they have to be fetched")]
    Elsewhere(PathBuf),
    /// The system refuses to read a file.
    #[error("cannot verify: {0}")]
    Read(String),
}

/// Verifies the recording in `dir` against the key that signs this gateway's recordings. Reads all of it,
/// in constant memory; needs no decryption key.
///
/// The records behind the last signature, at most a second's, are checked for form only.
///
/// # Errors
/// There is no recording, or a file cannot be read.
pub fn verify(dir: &Path, signer: &PublicKey) -> Result<Verification, VerifyError> {
    if is_offloaded(dir) {
        return Err(VerifyError::Elsewhere(dir.to_owned()));
    }
    let mut survey = Survey::default();
    let mut walk = match Walk::open(dir) {
        Ok(walk) => walk,
        Err(WalkError::Header(error)) => {
            let verdict = header_verdict(dir, error)?;
            return Ok(survey.conclude(String::new(), verdict, None));
        }
        Err(error) => return Err(VerifyError::Read(error.to_string())),
    };
    if walk.header.signer != *signer {
        let verdict = Verdict::OtherSigner { signer: walk.header.signer };
        return Ok(survey.conclude(walk.header.id.clone(), verdict, Some(&walk)));
    }
    let verdict = survey.walk(&mut walk, signer)?;
    let intact = !matches!(verdict, Verdict::Tampered { .. } | Verdict::SegmentMissing { .. });
    let verdict = match survey.look_at_keys(dir, &walk.header) {
        Err(HeaderError::Read { path, error }) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(VerifyError::Read(HeaderError::Read { path, error }.to_string()));
        }
        Err(error) if intact => clear_part_changed(error.to_string()),
        _ => verdict,
    };
    Ok(survey.conclude(walk.header.id.clone(), verdict, Some(&walk)))
}

fn header_verdict(dir: &Path, error: HeaderError) -> Result<Verdict, VerifyError> {
    let missing = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
    };
    match &error {
        HeaderError::Read { error: cause, .. } if missing(cause) => match crate::walk::last_segment(dir) {
            Ok(Some(_)) => Ok(clear_part_changed("the header is missing".into())),
            _ => Err(VerifyError::NotARecording(dir.to_owned())),
        },
        HeaderError::Read { error: cause, .. } if cause.kind() != std::io::ErrorKind::FileTooLarge => {
            Err(VerifyError::Read(error.to_string()))
        }
        _ => Ok(clear_part_changed(error.to_string())),
    }
}

fn clear_part_changed(what: String) -> Verdict {
    Verdict::Tampered { segment: 0, first_record: 0, last_record: 0, what }
}

/// What a walk has seen so far.
#[derive(Default)]
pub(crate) struct Survey {
    records: u64,
    checkpoints: u64,
    last_t_ms: u32,
    signed_t_ms: u32,
    signed_records: u64,
    ended: Option<Checkpoint>,
    erased: Vec<Class>,
}

impl Survey {
    /// Walks to the end of the recording, checking every signature.
    pub(crate) fn walk(&mut self, walk: &mut Walk, signer: &PublicKey) -> Result<Verdict, VerifyError> {
        let mut body = Vec::new();
        loop {
            let step = match walk.next(&mut body) {
                Ok(step) => step,
                Err(error) => return self.stopped(error),
            };
            match step {
                Step::Record(record) => {
                    if let Err(what) = self.look(walk, &record, &body, signer) {
                        return Ok(Verdict::Tampered {
                            segment: walk.segment,
                            first_record: self.signed_records,
                            last_record: record.seq,
                            what,
                        });
                    }
                }
                Step::End { torn_bytes } => return Ok(self.at_end(walk, torn_bytes)),
            }
        }
    }

    fn look(&mut self, walk: &Walk, record: &Record, body: &[u8], signer: &PublicKey) -> Result<(), String> {
        if self.ended.is_some() {
            return Err("there are records behind the end".into());
        }
        let t_ms = record.head.t_ms;
        self.records += 1;
        if record.head.content != Content::Checkpoint {
            self.last_t_ms = self.last_t_ms.max(t_ms);
            return Ok(());
        }
        let place = Place { id: &walk.header.id, seq: record.seq, previous: &record.previous, t_ms };
        let checkpoint = Checkpoint::decode(body, &place, signer)
            .ok_or("the signature does not cover what precedes it")?;
        self.checkpoints += 1;
        self.last_t_ms = self.last_t_ms.max(t_ms);
        self.signed_t_ms = t_ms;
        self.signed_records = record.seq + 1;
        if checkpoint.mark != Mark::GoesOn {
            self.ended = Some(checkpoint);
        }
        Ok(())
    }

    fn at_end(&self, walk: &Walk, torn_bytes: u64) -> Verdict {
        let root = || HEXLOWER.encode(&walk.chain);
        match &self.ended {
            Some(_) if torn_bytes > 0 => Verdict::Tampered {
                segment: walk.segment,
                first_record: self.signed_records,
                last_record: walk.seq,
                what: "there are bytes behind the end".into(),
            },
            Some(Checkpoint { mark: Mark::Recovered, .. }) => {
                Verdict::Interrupted { root: root(), until: self.signed() }
            }
            Some(checkpoint) => Verdict::Sealed { end: checkpoint.end.clone(), root: root() },
            None => Verdict::IntactUpTo {
                until: self.signed(),
                unsigned_records: walk.seq - self.signed_records,
                torn_bytes,
            },
        }
    }

    fn stopped(&self, error: WalkError) -> Result<Verdict, VerifyError> {
        match error {
            WalkError::Missing(number) => Ok(Verdict::SegmentMissing { number }),
            WalkError::Damaged { segment, what } => Ok(Verdict::Tampered {
                segment,
                first_record: self.signed_records,
                last_record: self.records,
                what,
            }),
            error => Err(VerifyError::Read(error.to_string())),
        }
    }

    fn look_at_keys(&mut self, dir: &Path, header: &Header) -> Result<(), HeaderError> {
        let keys = rewrap::current(dir, header)?.wrapped;
        self.erased = Class::ALL
            .into_iter()
            .filter(|class| header.keys.contains_key(class) && !keys.contains_key(class))
            .collect();
        Ok(())
    }

    fn signed(&self) -> Duration {
        Duration::from_millis(u64::from(self.signed_t_ms))
    }

    /// Time of the last whole record.
    pub(crate) fn last_t_ms(&self) -> u32 {
        self.last_t_ms
    }

    fn conclude(self, id: String, verdict: Verdict, walk: Option<&Walk>) -> Verification {
        Verification {
            id,
            verdict,
            bytes: walk.map_or(0, |walk| walk.bytes),
            segments: walk.map_or(0, |walk| walk.segment),
            records: self.records,
            checkpoints: self.checkpoints,
            duration: Duration::from_millis(u64::from(self.last_t_ms)),
            erased: self.erased,
        }
    }
}

impl Verification {
    /// Compares it with what the audit log knew of the recording *before* it was verified: the root with which it was
    /// sealed, in hex, if it was ([`sealed_roots`](crate::audit::sealed_roots)).
    #[must_use]
    pub fn compared(mut self, logged: Option<&str>) -> Self {
        let Some(logged) = logged.map(str::to_owned) else { return self };
        self.verdict = match self.verdict {
            Verdict::IntactUpTo { until, .. } => Verdict::CutOff { root: logged, until },
            Verdict::Sealed { root, .. } | Verdict::Interrupted { root, .. } if root != logged => {
                Verdict::OtherRoot { root, logged }
            }
            verdict => verdict,
        };
        self
    }

    /// Whether nothing speaks against the recording: sealed, sealed after an interruption, or open.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        matches!(
            self.verdict,
            Verdict::Sealed { .. } | Verdict::Interrupted { .. } | Verdict::IntactUpTo { .. }
        )
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.id.is_empty() { "recording" } else { &self.id }, self.verdict)?;
        for class in &self.erased {
            write!(f, "; the {class} key was destroyed")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Sealed { end, root } => write!(f, "sealed and unchanged ({end}), root {root}"),
            Verdict::Interrupted { root, until } => {
                write!(f, "interrupted and sealed afterwards, intact up to {}, root {root}", Time(*until))
            }
            Verdict::IntactUpTo { until, unsigned_records, torn_bytes } => {
                write!(f, "not sealed, intact up to {}", Time(*until))?;
                if *unsigned_records > 0 {
                    write!(f, ", followed by {unsigned_records} records without a signature")?;
                }
                if *torn_bytes > 0 {
                    write!(f, ", ends within a record")?;
                }
                Ok(())
            }
            Verdict::Tampered { segment: 0, what, .. } => write!(f, "tampered with: {what}"),
            Verdict::Tampered { segment, first_record, last_record, what } if first_record == last_record => {
                write!(f, "tampered with at record {last_record} (segment {segment}): {what}")
            }
            Verdict::Tampered { segment, first_record, last_record, what } => write!(
                f,
                "tampered with between record {first_record} and record {last_record} (segment {segment}): {what}"
            ),
            Verdict::SegmentMissing { number } => write!(f, "segment {number} is missing"),
            Verdict::CutOff { root, until } => write!(
                f,
                "cut off: intact up to {}, but the audit log says that it was sealed, with root {root}",
                Time(*until)
            ),
            Verdict::OtherRoot { root, logged } => {
                write!(f, "not the one that was sealed: its root is {root}, and the audit log has {logged}")
            }
            Verdict::OtherSigner { signer } => {
                write!(f, "signed by another gateway, whose key is {signer}")
            }
        }
    }
}

/// A time within a recording, for people.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours}:{minutes:02}:{seconds:02}.{:03}", self.0.subsec_millis())
    }
}
