//! Reading a recording with an identity that its keys were wrapped for.

use std::collections::VecDeque;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::format::{Content, Cursor, Packing, associated_data, nonce};
use crate::packing::{Unpacker, unpack};
use crate::stored::is_offloaded;
use crate::walk::{Record, Step, Walk, WalkError};
use crate::{Class, Header, Identity, Lane, rewrap};

/// The longest entry that is put together again from its pieces.
const MAX_ENTRY: usize = 64 << 20;

/// One entry of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place among all entries. Numbers may be skipped, never repeated.
    pub seq: u64,
    /// Milliseconds since the recording's start.
    pub t_ms: u32,
    /// What it is.
    pub lane: Lane,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// A recording cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file is missing, malformed or cannot be read.
    #[error("cannot read the recording: {0}")]
    Unreadable(String),
    /// A record is not what was written.
    #[error("record {record} in segment {segment} is not what was written")]
    Damaged {
        /// The record's number.
        record: u64,
        /// The segment's number.
        segment: u32,
    },
    /// What [`Reader::stop_when`] was given said so.
    #[error("nobody waits for what is read of the recording any more")]
    Stopped,
}

impl From<WalkError> for ReadError {
    fn from(error: WalkError) -> Self {
        ReadError::Unreadable(error.to_string())
    }
}

/// Reads the entries of a recording in the order in which they were appended, in bounded memory: a
/// group's records (at most one a class) and one entry.
///
/// Every record's authenticity is checked against the data keys; the signatures are
/// [`verify`](crate::verify())'s business. At the end of what is written the iterator answers `None`, and
/// goes on when there is more: a running session can be followed.
pub struct Reader {
    walk: Walk,
    keys: [Option<LessSafeKey>; 3],
    /// What continues a segment's zstd stream of each class.
    unpackers: [Unpacker; 3],
    missing: Vec<Class>,
    erased: Vec<Class>,
    wanted: [bool; 3],
    lanes: Vec<Lane>,
    group: Vec<Batch>,
    joining: VecDeque<Entry>,
    stop: Option<Box<dyn Fn() -> bool + Send>>,
    failed: bool,
}

struct Batch {
    payload: Vec<u8>,
    cursor: Cursor,
    segment: u32,
    record: u64,
}

impl Reader {
    /// Opens the recording in `dir`.
    ///
    /// # Errors
    /// The recording's clear part cannot be read.
    pub fn open(dir: &Path, identity: &Identity) -> Result<Self, ReadError> {
        if is_offloaded(dir) {
            let why = "its segments are in the object store and have to be fetched";
            return Err(ReadError::Unreadable(why.to_owned()));
        }
        let walk = Walk::open(dir)?;
        let wrapped = rewrap::current(dir, &walk.header)
            .map_err(|error| ReadError::Unreadable(error.to_string()))?
            .wrapped;
        let mut missing = Vec::new();
        let erased = Class::ALL.into_iter().filter(|class| !wrapped.contains_key(class)).collect();
        let keys = Class::ALL.map(|class| {
            let key = wrapped
                .get(&class)
                .and_then(|wrapped| identity.unwrap_key(wrapped))
                .and_then(|key| UnboundKey::new(&AES_256_GCM, key.as_slice()).ok())
                .map(LessSafeKey::new);
            if key.is_none() {
                missing.push(class);
            }
            key
        });
        Ok(Self {
            walk,
            keys,
            unpackers: Default::default(),
            missing,
            erased,
            wanted: [true; 3],
            lanes: Lane::ALL.to_vec(),
            group: Vec::new(),
            joining: VecDeque::new(),
            stop: None,
            failed: false,
        })
    }

    /// Leaves out all lanes but these. What is left out is not decrypted where its whole class is.
    #[must_use]
    pub fn only(mut self, lanes: &[Lane]) -> Self {
        self.lanes = lanes.to_vec();
        self.wanted = Class::ALL.map(|class| lanes.iter().any(|lane| lane.class() == class));
        self
    }

    /// Ends with [`ReadError::Stopped`] when `stop`, which is asked before each group of records, says so.
    #[must_use]
    pub fn stop_when(mut self, stop: impl Fn() -> bool + Send + 'static) -> Self {
        self.stop = Some(Box::new(stop));
        self
    }

    /// The recording's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.walk.header
    }

    /// The classes that are skipped because their key was destroyed or wrapped for others only.
    #[must_use]
    pub fn missing(&self) -> &[Class] {
        &self.missing
    }

    /// Those of the [missing](Self::missing) classes whose key was destroyed.
    #[must_use]
    pub fn erased(&self) -> &[Class] {
        &self.erased
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            while let Some(entry) = self.next_of_group()? {
                if self.lanes.contains(&entry.lane) {
                    return Ok(Some(entry));
                }
            }
            if !self.read_group()? {
                return Ok(None);
            }
        }
    }

    /// The entry with the lowest number in the group; `None` when the group is used up.
    fn next_of_group(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            let mut lowest: Option<(usize, u64)> = None;
            for (index, batch) in self.group.iter().enumerate() {
                if let Some((piece, _)) = batch.peek()?
                    && lowest.is_none_or(|(_, seq)| piece.seq < seq)
                {
                    lowest = Some((index, piece.seq));
                }
            }
            let Some(batch) = lowest.and_then(|(index, _)| self.group.get_mut(index)) else {
                self.group.clear();
                return Ok(None);
            };
            let Some((piece, next)) = batch.cursor.next(&batch.payload).map_err(|_| batch.damaged())? else {
                continue;
            };
            let open = self.joining.iter().position(|entry| entry.lane == piece.lane);
            let mut entry = open.and_then(|open| self.joining.remove(open)).unwrap_or_else(|| Entry {
                seq: piece.seq,
                t_ms: piece.t_ms,
                lane: piece.lane,
                bytes: Vec::new(),
            });
            if entry.bytes.len() + piece.bytes.len() > MAX_ENTRY {
                return Err(batch.damaged());
            }
            entry.bytes.extend_from_slice(piece.bytes);
            let continued = piece.continued;
            batch.cursor = next;
            if !continued {
                return Ok(Some(entry));
            }
            self.joining.push_back(entry);
        }
    }

    /// Reads the records up to the end of a group. `false`: nothing more is written.
    fn read_group(&mut self) -> Result<bool, ReadError> {
        if self.stop.as_ref().is_some_and(|stop| stop()) {
            return Err(ReadError::Stopped);
        }
        let mut body = Vec::new();
        let mut read = false;
        for _ in 0..=Class::ALL.len() {
            let record = match self.walk.next(&mut body)? {
                Step::Record(record) => record,
                Step::End { .. } => return Ok(read),
            };
            read = true;
            let Content::Batch { class, more, packing } = record.head.content else { return Ok(true) };
            self.open_record(&record, class, packing, &mut body)?;
            if !more {
                return Ok(true);
            }
        }
        Err(ReadError::Damaged { record: self.walk.seq, segment: self.walk.segment })
    }

    fn open_record(
        &mut self,
        record: &Record,
        class: Class,
        packing: Packing,
        body: &mut Vec<u8>,
    ) -> Result<(), ReadError> {
        let Some(key) = self.keys.get(class.index()).and_then(Option::as_ref) else { return Ok(()) };
        if !self.wanted.get(class.index()).copied().unwrap_or(false) {
            return Ok(());
        }
        let damaged = ReadError::Damaged { record: record.seq, segment: self.walk.segment };
        let aad = Aad::from(associated_data(&record.previous, &record.raw_head));
        let len = match key.open_in_place(Nonce::assume_unique_for_key(nonce(record.seq)), aad, body) {
            Ok(payload) => payload.len(),
            Err(_) => return Err(damaged),
        };
        body.truncate(len);
        let unpacked = match packing {
            Packing::Plain => Some(std::mem::take(body)),
            Packing::Frame => unpack(body),
            Packing::First | Packing::Next => {
                let begins = packing == Packing::First;
                let unpacker = self.unpackers.get_mut(class.index());
                unpacker.and_then(|unpacker| unpacker.unpack(body, self.walk.segment, begins))
            }
        };
        self.group.push(Batch {
            payload: unpacked.ok_or(damaged)?,
            cursor: Cursor::new(record.head.t_ms),
            segment: self.walk.segment,
            record: record.seq,
        });
        Ok(())
    }
}

impl Batch {
    fn peek(&self) -> Result<Option<(crate::format::Piece<'_>, Cursor)>, ReadError> {
        self.cursor.next(&self.payload).map_err(|_| self.damaged())
    }

    fn damaged(&self) -> ReadError {
        ReadError::Damaged { record: self.record, segment: self.segment }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_entry();
        self.failed = next.is_err();
        next.transpose()
    }
}
