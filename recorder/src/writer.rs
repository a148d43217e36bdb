//! Sealing, hashing and writing the records of one recording.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use ring::aead::{Aad, LessSafeKey, Nonce};

use crate::batch::Batch;
use crate::format::{
    Checkpoint, Content, HEAD, Hash, Head, Mark, Packing, Place, TAG, associated_data, chain_next, nonce,
};
use crate::packing::{Packer, Stream};
use crate::recording::{RecordingFailed, Sealed};
use crate::sink::{Segment, SegmentSink};
use crate::{Class, Clock, SigningKey, files};

/// A segment is rolled when it is this old or this long...
const ROLL_AGE: Duration = Duration::from_secs(15);
const ROLL_BYTES: u64 = 1 << 20;
/// ...but no younger than this, so that a fast session does not make a thousand files a second...
const ROLL_MIN_AGE: Duration = Duration::from_secs(1);
/// ...unless it is this long.
const ROLL_MAX_BYTES: u64 = 64 << 20;

/// What a writer needs besides its files.
pub(crate) struct Tools {
    pub(crate) sink: Arc<dyn SegmentSink>,
    pub(crate) signer: Arc<SigningKey>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Makes batches shorter; nothing does where they are compressed already.
    pub(crate) packer: Option<Packer>,
}

/// The end of a recording's chain and the segment that holds it.
pub(crate) struct Writer {
    tools: Arc<Tools>,
    dir: PathBuf,
    id: String,
    keys: [LessSafeKey; 3],
    /// Monotonic time of the recording's start.
    started: Duration,
    chain: Hash,
    seq: u64,
    segment: Option<OpenSegment>,
    /// What packs the screen's batches of a busy segment together.
    stream: Option<Stream>,
    segments: u32,
    closed_bytes: u64,
    entries: u64,
    last_t_ms: u32,
    unsigned: bool,
    new_names: bool,
}

struct OpenSegment {
    path: PathBuf,
    file: Arc<dyn Segment>,
    bytes: u64,
    opened: Duration,
}

/// What must be synced so that everything written so far is durable.
pub(crate) struct ToSync {
    pub(crate) path: PathBuf,
    pub(crate) segment: Arc<dyn Segment>,
    /// The recording's directory, when names in it are new.
    pub(crate) dir: Option<PathBuf>,
}

impl ToSync {
    pub(crate) fn sync(&self) -> Result<(), (PathBuf, io::Error)> {
        if let Some(dir) = &self.dir {
            sync_names(dir).map_err(|error| (dir.clone(), error))?;
        }
        self.segment.sync().map_err(|error| (self.path.clone(), error))
    }
}

/// Makes a recording's clear files and all its names durable.
fn sync_names(dir: &Path) -> io::Result<()> {
    use crate::header::{HEADER_FILE, KEYS_FILE};
    for file in [HEADER_FILE, KEYS_FILE] {
        std::fs::File::open(dir.join(file))?.sync_all()?;
    }
    files::sync_dir(dir)?;
    dir.parent().map_or(Ok(()), files::sync_dir)
}

impl Writer {
    pub(crate) fn new(
        tools: Arc<Tools>,
        dir: PathBuf,
        id: String,
        keys: [LessSafeKey; 3],
        started: Duration,
        chain: Hash,
    ) -> Self {
        Self {
            tools,
            dir,
            id,
            keys,
            started,
            chain,
            seq: 0,
            segment: None,
            stream: None,
            segments: 0,
            closed_bytes: 0,
            entries: 0,
            last_t_ms: 0,
            unsigned: false,
            new_names: false,
        }
    }

    /// Signs the header, so that nothing about the recording is ever unsigned.
    pub(crate) fn begin(&mut self) -> Result<Option<ToSync>, RecordingFailed> {
        self.sign(Mark::GoesOn, String::new())?;
        Ok(self.take_unsynced())
    }

    /// Whether something was written since the last checkpoint.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.unsigned
    }

    /// Number of the open segment; `None` when the last one is closed.
    pub(crate) fn open_segment(&self) -> Option<u32> {
        self.segment.as_ref().map(|_| self.segments)
    }

    /// Where the next record will be: its segment and place there, its number, and the link before it.
    pub(crate) fn place(&self) -> (u32, u64, u64, Hash) {
        let (segment, offset) = match &self.segment {
            Some(segment) => (self.segments, segment.bytes),
            None => (self.segments + 1, 0),
        };
        (segment, offset, self.seq, self.chain)
    }

    /// Compresses and seals the batch in place, and appends it.
    pub(crate) fn write(&mut self, batch: &mut Batch) -> Result<(), RecordingFailed> {
        let buffer = &mut batch.buffer;
        let packing = match &self.tools.packer {
            Some(packer) if batch.class == Class::Screen => packer.pack_on(&mut self.stream, buffer, HEAD),
            Some(packer) => packer.pack(buffer, HEAD),
            None => Packing::Plain,
        };
        let len = u32::try_from(buffer.len() - HEAD + TAG).unwrap_or(u32::MAX);
        let content = Content::Batch { class: batch.class, more: batch.more, packing };
        let head = Head { len, content, t_ms: batch.t_ms }.encode();
        let (room, payload) = buffer.split_at_mut(HEAD);
        room.copy_from_slice(&head);
        let tag = self.keys[batch.class.index()]
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce(self.seq)),
                Aad::from(associated_data(&self.chain, &head)),
                payload,
            )
            .map_err(|_| self.failure(&io::Error::other("the batch is too long to seal")))?;
        buffer.extend_from_slice(tag.as_ref());
        self.append(&batch.buffer)?;
        self.unsigned = true;
        self.entries += batch.entries;
        self.last_t_ms = self.last_t_ms.max(batch.last_t_ms);
        Ok(())
    }

    /// Whether the open segment is due to be rolled.
    pub(crate) fn wants_roll(&self) -> bool {
        self.segment.as_ref().is_some_and(|segment| {
            let age = self.tools.clock.monotonic().saturating_sub(segment.opened);
            let due = age >= ROLL_AGE || segment.bytes >= ROLL_BYTES;
            due && (age >= ROLL_MIN_AGE || segment.bytes >= ROLL_MAX_BYTES)
        })
    }

    /// How long a segment that stays short lives.
    pub(crate) const fn roll_after() -> Duration {
        ROLL_AGE
    }

    /// Signs what was written. `None` when nothing was.
    pub(crate) fn checkpoint(&mut self) -> Result<Option<ToSync>, RecordingFailed> {
        if !self.unsigned {
            return Ok(None);
        }
        self.sign(Mark::GoesOn, String::new())?;
        Ok(self.take_unsynced())
    }

    /// Signs and closes the segment. Nothing may be written before it is synced, so that after a power
    /// cut only the last segment can lack something.
    pub(crate) fn roll(&mut self) -> Result<Option<ToSync>, RecordingFailed> {
        if self.unsigned {
            self.sign(Mark::GoesOn, String::new())?;
        }
        let sync = self.take_unsynced();
        if let Some(segment) = self.segment.take() {
            self.closed_bytes += segment.bytes;
        }
        // Nothing may ever come in the next one.
        self.stream = None;
        Ok(sync)
    }

    /// Signs the end.
    pub(crate) fn finish(&mut self, end: &str) -> Result<(Option<ToSync>, Sealed), RecordingFailed> {
        let duration = self.tools.clock.monotonic().saturating_sub(self.started);
        self.last_t_ms = self.last_t_ms.max(millis(duration));
        self.sign(Mark::End, end.to_owned())?;
        let sync = self.take_unsynced();
        let open = self.segment.take().map_or(0, |segment| segment.bytes);
        self.stream = None;
        self.closed_bytes += open;
        let sealed = Sealed {
            root: HEXLOWER.encode(&self.chain),
            end: end.to_owned(),
            bytes: self.closed_bytes,
            segments: self.segments,
            entries: self.entries,
            duration,
        };
        Ok((sync, sealed))
    }

    /// After a failure: cuts the unfinished record off and tries to sign the end, which may well fit in
    /// what the cut set free. Without it the recording stays open and is sealed at the next start.
    pub(crate) fn give_up(&mut self, why: &RecordingFailed) {
        let Some(segment) = &self.segment else { return };
        let len = segment.bytes;
        if let Err(error) = segment.file.truncate(len) {
            tracing::warn!(session = self.id, %error, "cannot cut off an unfinished record");
            return;
        }
        let end = format!("failed: {why}");
        match self.sign(Mark::End, end) {
            Ok(()) => {
                if let Some(Err((path, error))) = self.take_unsynced().map(|sync| sync.sync()) {
                    tracing::warn!(session = self.id, path = %path.display(), %error, "cannot sync");
                }
            }
            Err(_) => {
                if let Some(segment) = &self.segment
                    && let Err(error) = segment.file.truncate(segment.bytes)
                {
                    tracing::warn!(session = self.id, %error, "cannot cut off an unfinished record");
                }
            }
        }
        self.segment = None;
        self.stream = None;
    }

    fn sign(&mut self, mark: Mark, end: String) -> Result<(), RecordingFailed> {
        let wall_ms = wall_millis(self.tools.clock.wall());
        let place = Place { id: &self.id, seq: self.seq, previous: &self.chain, t_ms: self.last_t_ms };
        let record = checkpoint_record(&Checkpoint { mark, wall_ms, end }, &place, &self.tools.signer);
        self.append(&record)?;
        self.unsigned = false;
        Ok(())
    }

    fn append(&mut self, record: &[u8]) -> Result<(), RecordingFailed> {
        if self.segment.is_none() {
            self.open_next()?;
        }
        let (head, body) = record.split_at(HEAD);
        let next = chain_next(&self.chain, head, body);
        let written = self.segment.as_mut().map_or(Ok(()), |segment| {
            segment.file.append(record)?;
            segment.bytes += record.len() as u64;
            Ok(())
        });
        written.map_err(|error: io::Error| self.failure(&error))?;
        self.chain = next;
        self.seq += 1;
        Ok(())
    }

    fn open_next(&mut self) -> Result<(), RecordingFailed> {
        let path = segment_path(&self.dir, self.segments + 1);
        let file = self.tools.sink.create(&path).map_err(|error| failure(&self.id, &path, &error))?;
        self.segments += 1;
        self.new_names = true;
        let opened = self.tools.clock.monotonic();
        self.segment = Some(OpenSegment { path, file, bytes: 0, opened });
        Ok(())
    }

    fn take_unsynced(&mut self) -> Option<ToSync> {
        let segment = self.segment.as_ref()?;
        let dir = std::mem::take(&mut self.new_names).then(|| self.dir.clone());
        Some(ToSync { path: segment.path.clone(), segment: Arc::clone(&segment.file), dir })
    }

    fn failure(&self, error: &io::Error) -> RecordingFailed {
        let path = self.segment.as_ref().map_or(&self.dir, |segment| &segment.path);
        failure(&self.id, path, error)
    }
}

/// The words for a file that cannot be written.
pub(crate) fn failure(id: &str, path: &Path, error: &io::Error) -> RecordingFailed {
    let (id, path) = (id.to_owned(), path.to_owned());
    if files::is_full(error) {
        RecordingFailed::NoSpace { id, path }
    } else {
        RecordingFailed::Write { id, path, error: error.to_string() }
    }
}

/// A checkpoint as it is stored.
pub(crate) fn checkpoint_record(checkpoint: &Checkpoint, place: &Place<'_>, signer: &SigningKey) -> Vec<u8> {
    let body = checkpoint.encode(place, signer);
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut record = Head { len, content: Content::Checkpoint, t_ms: place.t_ms }.encode().to_vec();
    record.extend_from_slice(&body);
    record
}

/// The name of the segment with the number `number`; the first is 1.
pub(crate) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.seg"))
}

/// Milliseconds, as records keep them; a recording's clock stands still after 49 days.
pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Milliseconds since 1970.
pub(crate) fn wall_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
