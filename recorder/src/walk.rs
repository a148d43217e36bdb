//! Reading a recording's segments record by record, without any key.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::format::{HEAD, Hash, Head, chain_next, chain_start};
use crate::header::{Header, HeaderError, read_header};
use crate::writer::segment_path;

/// A walk over the records of a recording, in order.
pub(crate) struct Walk {
    dir: PathBuf,
    pub(crate) header: Header,
    /// The link after the last record.
    pub(crate) chain: Hash,
    /// The number of the next record.
    pub(crate) seq: u64,
    /// The number of the segment of the last record; 0 before the first.
    pub(crate) segment: u32,
    /// Bytes of whole records in the last record's segment.
    pub(crate) segment_bytes: u64,
    /// Bytes of whole records in all segments.
    pub(crate) bytes: u64,
    file: Option<BufReader<File>>,
}

/// One record of a walk. Its body is in the caller's buffer.
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) head: Head,
    pub(crate) raw_head: [u8; HEAD],
    /// The link before the record.
    pub(crate) previous: Hash,
}

/// What a walk comes to.
pub(crate) enum Step {
    /// A whole record.
    Record(Record),
    /// The end of what is there. The walk can go on when more is written.
    End {
        /// Bytes of a record that is not whole.
        torn_bytes: u64,
    },
}

/// Why a walk cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("segment {0} is missing")]
    Missing(u32),
    #[error("segment {segment}: {what}")]
    Damaged { segment: u32, what: String },
}

impl Walk {
    pub(crate) fn open(dir: &Path) -> Result<Self, WalkError> {
        let (header, bytes) = read_header(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            header,
            chain: chain_start(&bytes),
            seq: 0,
            segment: 0,
            segment_bytes: 0,
            bytes: 0,
            file: None,
        })
    }

    /// Reads the next record and puts its body into `body`.
    pub(crate) fn next(&mut self, body: &mut Vec<u8>) -> Result<Step, WalkError> {
        loop {
            if self.file.is_none() && !self.open_segment()? {
                return Ok(Step::End { torn_bytes: 0 });
            }
            let read = self.read(body).map_err(|error| WalkError::Read { path: self.path(), error })?;
            let torn_bytes = match read {
                Whole::Record(raw_head, head) => {
                    let previous = self.chain;
                    self.chain = chain_next(&previous, &raw_head, body);
                    let size = (HEAD + body.len()) as u64;
                    self.segment_bytes += size;
                    self.bytes += size;
                    let seq = self.seq;
                    self.seq += 1;
                    return Ok(Step::Record(Record { seq, head, raw_head, previous }));
                }
                Whole::Malformed(what) => return Err(WalkError::Damaged { segment: self.segment, what }),
                Whole::Torn(bytes) => bytes,
            };
            if !self.has_later()? {
                return Ok(Step::End { torn_bytes });
            }
            if torn_bytes > 0 {
                let what = "it ends within a record although there is a later segment".to_owned();
                return Err(WalkError::Damaged { segment: self.segment, what });
            }
            self.file = None;
        }
    }

    /// The file of the last record's segment.
    pub(crate) fn path(&self) -> PathBuf {
        segment_path(&self.dir, self.segment)
    }

    /// Opens the next segment. `false`: there is none.
    fn open_segment(&mut self) -> Result<bool, WalkError> {
        let path = segment_path(&self.dir, self.segment + 1);
        match File::open(&path) {
            Ok(file) => {
                self.segment += 1;
                self.segment_bytes = 0;
                self.file = Some(BufReader::with_capacity(64 * 1024, file));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.has_later()? {
                    Err(WalkError::Missing(self.segment + 1))
                } else {
                    Ok(false)
                }
            }
            Err(error) => Err(WalkError::Read { path, error }),
        }
    }

    fn has_later(&self) -> Result<bool, WalkError> {
        if segment_path(&self.dir, self.segment + 1).exists() {
            return Ok(true);
        }
        let last =
            last_segment(&self.dir).map_err(|error| WalkError::Read { path: self.dir.clone(), error })?;
        Ok(last.is_some_and(|last| last > self.segment))
    }

    fn read(&mut self, body: &mut Vec<u8>) -> io::Result<Whole> {
        body.clear();
        let Some(file) = &mut self.file else { return Ok(Whole::Torn(0)) };
        let mut raw_head = [0; HEAD];
        let mut got = 0;
        while let Some(room) = raw_head.get_mut(got..).filter(|room| !room.is_empty()) {
            match file.read(room) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if got < HEAD {
            file.seek(SeekFrom::Start(self.segment_bytes))?;
            return Ok(Whole::Torn(got as u64));
        }
        let head = match Head::decode(&raw_head) {
            Ok(head) => head,
            Err(error) => {
                file.seek(SeekFrom::Start(self.segment_bytes))?;
                return Ok(Whole::Malformed(error.to_string()));
            }
        };
        let len = head.len as usize;
        file.take(u64::from(head.len)).read_to_end(body)?;
        if body.len() < len {
            file.seek(SeekFrom::Start(self.segment_bytes))?;
            return Ok(Whole::Torn((HEAD + body.len()) as u64));
        }
        Ok(Whole::Record(raw_head, head))
    }
}

enum Whole {
    Record([u8; HEAD], Head),
    /// The file ends after this many bytes.
    Torn(u64),
    Malformed(String),
}

/// The highest number of a segment in `dir`.
pub(crate) fn last_segment(dir: &Path) -> io::Result<Option<u32>> {
    let mut last = None;
    for entry in std::fs::read_dir(dir)? {
        last = last.max(entry?.file_name().to_str().and_then(segment_number));
    }
    Ok(last)
}

/// The number in a segment's file name.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    let number: u32 = digits.parse().ok()?;
    (format!("{number:06}") == digits && number > 0).then_some(number)
}
