//! Where views are kept: in the same container as recordings, sealed the same way.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::renderer::ViewSummary;
use super::writer::WrittenChunk;
use crate::batch::Batch;
use crate::format::{
    Content, Cursor, HEAD, Hash, Head, associated_data, chain_next, chain_start, nonce, put_entry_head,
};
use crate::header::{self, HEADER_FILE, Header, KEYS_FILE, VERSION, WrappedKeys, key_hash};
use crate::identity::Recipients;
use crate::pool::lock;
use crate::sink::LocalDisk;
use crate::writer::{Tools, Writer, segment_path};
use crate::{Class, Clock, Identity, Lane, Random, RecordingFailed, SigningKey, files, rewrap};

/// Names the place of the index, in clear; written last, so a view without it is not whole.
const POINTER_FILE: &str = "index.json";
const MAX_POINTER: u64 = 4096;
/// Bytes that go into one record.
const RECORD: usize = 512 << 10;
/// The longest chunk or index that is read.
const MAX_ENTRY: usize = 1 << 30;

/// A view cannot be written or read. It can be rendered again.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A file cannot be read or written.
    #[error("cannot use {path} for a view: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The container cannot be written.
    #[error("a view cannot be written: {0}")]
    Write(#[from] RecordingFailed),
    /// Its keys cannot be made or opened.
    #[error("a view's keys cannot be used: {0}")]
    Keys(String),
    /// It is not what was written.
    #[error("the view in {0} is damaged; it has to be rendered again")]
    Damaged(PathBuf),
    /// There is no such chunk or thumbnail.
    #[error("the view has no such part")]
    Missing,
}

/// A chunk of a view: one zstd stream that begins with a whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewChunk {
    /// Its number; the first is 0.
    pub number: u32,
    /// From when on it shows the picture, in milliseconds since the recording's start.
    pub from_ms: u32,
    /// Until when.
    pub until_ms: u32,
    /// Size of its zstd stream in bytes.
    pub bytes: u64,
}

/// A thumbnail of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewThumbnail {
    /// Its number; the first is 0.
    pub number: u32,
    /// What time it shows, in milliseconds since the recording's start.
    pub t_ms: u32,
}

/// What there is in a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewIndex {
    /// The chunks, in order and without gaps.
    pub chunks: Vec<ViewChunk>,
    /// The thumbnails, in order.
    pub thumbnails: Vec<ViewThumbnail>,
    /// What there is to say about it.
    pub summary: ViewSummary,
}

/// A place in a container: of a record, and of the chain before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    segment: u32,
    offset: u64,
    record: u64,
    previous: String,
}

/// The index as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredIndex {
    #[serde(flatten)]
    index: ViewIndex,
    chunk_places: Vec<Place>,
    thumbnail_places: Vec<Place>,
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    format: u32,
    index: Place,
}

/// The directory of all views of a gateway.
pub struct ViewStore {
    directory: PathBuf,
    identity: Identity,
    recipients: Recipients,
    tools: Arc<Tools>,
    random: Random,
}

impl ViewStore {
    /// Keeps views in `directory`, each in a directory that has its recording's name, for `identity` to open.
    ///
    /// # Errors
    /// The identity has no recipient.
    pub fn new(
        directory: PathBuf,
        identity: Identity,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
        random: Random,
    ) -> Result<Self, ViewError> {
        let texts = identity.recipients();
        let recipients = Recipients::parse(texts.iter().map(String::as_str)).map_err(ViewError::Keys)?;
        let tools = Arc::new(Tools { sink: Arc::new(LocalDisk), signer, clock, packer: None });
        Ok(Self { directory, identity, recipients, tools, random })
    }

    /// Where the view of the recording `id` is kept.
    #[must_use]
    pub fn directory(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// Begins the view of the recording `id`. What there was of it is removed.
    ///
    /// # Errors
    /// Its files cannot be made.
    pub fn create(&self, id: &str) -> Result<ViewBuilder, ViewError> {
        let dir = self.directory(id);
        self.remove(id)?;
        let created = |path: &Path, made: io::Result<()>| {
            made.map_err(|error| ViewError::File { path: path.to_owned(), error })
        };
        created(&self.directory, files::create_dirs(&self.directory))?;
        created(&dir, files::create_new_dir(&dir))?;
        let keys_failed = |why: String| ViewError::Keys(why);
        let mut sealing = Vec::with_capacity(Class::ALL.len());
        let mut wrapped = WrappedKeys::new();
        let mut opening = None;
        for class in Class::ALL {
            let mut key = Zeroizing::new([0; 32]);
            (self.random)(key.as_mut_slice());
            if class == Class::Screen {
                // Views have nothing of the other classes, so their keys are thrown away.
                let text = self.recipients.wrap(&key).map_err(|error| keys_failed(error.to_string()))?;
                wrapped.insert(class, text);
                opening = data_key(&key);
            }
            sealing.push(data_key(&key).ok_or_else(|| keys_failed("a key is unusable".into()))?);
        }
        let keys =
            <[LessSafeKey; 3]>::try_from(sealing).map_err(|_| keys_failed("a key is missing".into()))?;
        let opening = opening.ok_or_else(|| keys_failed("a key is missing".into()))?;
        let header = Header {
            version: VERSION,
            id: id.to_owned(),
            started: humantime::format_rfc3339_millis(self.tools.clock.wall()).to_string(),
            signer: self.tools.signer.public_key(),
            recipients: self.recipients.texts(),
            keys: wrapped.iter().map(|(class, wrapped)| (*class, key_hash(wrapped))).collect(),
            facts: serde_json::json!({ "view_of": id }),
        };
        let header = header::encode(&header);
        for (name, content) in [(KEYS_FILE, &header::encode(&wrapped)), (HEADER_FILE, &header)] {
            let path = dir.join(name);
            let made = files::create_new(&path).and_then(|mut file| file.write_all(content));
            created(&path, made)?;
        }
        let started = self.tools.clock.monotonic();
        let chain = chain_start(&header);
        let mut writer =
            Writer::new(Arc::clone(&self.tools), dir.clone(), id.to_owned(), keys, started, chain);
        // Nothing of a view needs to survive a power cut.
        drop(writer.begin()?);
        let contents =
            Arc::new(ViewContents { dir: dir.clone(), key: opening, table: Mutex::new(Table::default()) });
        Ok(ViewBuilder { dir, writer, contents, waiting: Vec::new(), place: None, seq: 0 })
    }

    /// Opens the view of the recording `id`. Nothing: there is none that is whole.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    pub fn open(&self, id: &str) -> Result<Option<StoredView>, ViewError> {
        let dir = self.directory(id);
        let path = dir.join(POINTER_FILE);
        let pointer = match files::read_bounded(&path, MAX_POINTER) {
            Ok(pointer) => pointer,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ViewError::File { path, error }),
        };
        let damaged = || ViewError::Damaged(dir.clone());
        let pointer: Pointer = serde_json::from_slice(&pointer).map_err(|_| damaged())?;
        let (header, _) = header::read_header(&dir).map_err(|_| damaged())?;
        let wrapped = rewrap::current(&dir, &header).map_err(|_| damaged())?.wrapped;
        let key = wrapped.get(&Class::Screen).and_then(|wrapped| self.identity.unwrap_key(wrapped));
        let key = key
            .and_then(|key| data_key(&key))
            .ok_or_else(|| ViewError::Keys("they are for others than this gateway".into()))?;
        let bytes = read_entry(&dir, &key, &pointer.index, Lane::Index)?;
        let stored: StoredIndex = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let table = Table {
            chunks: stored.index.chunks.iter().map(|chunk| chunk.from_ms).zip(stored.chunk_places).collect(),
            thumbnails: stored
                .index
                .thumbnails
                .iter()
                .map(|thumbnail| thumbnail.t_ms)
                .zip(stored.thumbnail_places)
                .collect(),
            sizes: stored.index.chunks.iter().map(|chunk| chunk.bytes).collect(),
        };
        let contents = Arc::new(ViewContents { dir, key, table: Mutex::new(table) });
        Ok(Some(StoredView { index: stored.index, contents }))
    }

    /// Removes the view of the recording `id`, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, id: &str) -> Result<(), ViewError> {
        let path = self.directory(id);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ViewError::File { path, error }),
            _ => Ok(()),
        }
    }

    /// Every view: the recording's name, its size in bytes, and when it was last written, or nothing if it is not whole.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> io::Result<Vec<(String, u64, Option<SystemTime>)>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut views = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(id) = entry.file_name().into_string() else { continue };
            let files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let bytes = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
            let written = entry.path().join(POINTER_FILE).metadata().and_then(|file| file.modified()).ok();
            views.push((id, bytes, written));
        }
        Ok(views)
    }
}

/// A view that is whole.
pub struct StoredView {
    /// What there is in it.
    pub index: ViewIndex,
    /// Its parts.
    pub contents: Arc<ViewContents>,
}

/// The parts of a view, be it whole or still being written. Reading one opens only what it needs.
pub struct ViewContents {
    dir: PathBuf,
    key: LessSafeKey,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// When each chunk begins, and where it is.
    chunks: Vec<(u32, Place)>,
    thumbnails: Vec<(u32, Place)>,
    sizes: Vec<u64>,
}

impl ViewContents {
    /// The zstd stream of a chunk. Blocks.
    ///
    /// # Errors
    /// There is no such chunk, or it is damaged.
    pub fn chunk(&self, number: u32) -> Result<Vec<u8>, ViewError> {
        let place = lock(&self.table).chunks.get(number as usize).map(|(_, place)| place.clone());
        read_entry(&self.dir, &self.key, &place.ok_or(ViewError::Missing)?, Lane::View)
    }

    /// A thumbnail: a JPEG file. Blocks.
    ///
    /// # Errors
    /// There is no such thumbnail, or it is damaged.
    pub fn thumbnail(&self, number: u32) -> Result<Vec<u8>, ViewError> {
        let place = lock(&self.table).thumbnails.get(number as usize).map(|(_, place)| place.clone());
        read_entry(&self.dir, &self.key, &place.ok_or(ViewError::Missing)?, Lane::Thumbnail)
    }

    /// What there is so far of a view that goes until `until_ms`.
    #[must_use]
    pub fn index(&self, until_ms: u32, summary: ViewSummary) -> ViewIndex {
        let table = lock(&self.table);
        let starts = table.chunks.iter().map(|(from, _)| *from);
        let ends = starts.clone().skip(1).chain([until_ms]);
        let chunks = (0..).zip(starts.zip(ends).zip(&table.sizes));
        let chunks = chunks.map(|(number, ((from_ms, until_ms), bytes))| ViewChunk {
            number,
            // Before the first picture there is nothing else to show.
            from_ms: if number == 0 { 0 } else { from_ms },
            until_ms,
            bytes: *bytes,
        });
        let thumbnails = (0..).zip(&table.thumbnails);
        let thumbnails = thumbnails.map(|(number, (t_ms, _))| ViewThumbnail { number, t_ms: *t_ms });
        ViewIndex { chunks: chunks.collect(), thumbnails: thumbnails.collect(), summary }
    }
}

/// Writes a view.
pub struct ViewBuilder {
    dir: PathBuf,
    writer: Writer,
    contents: Arc<ViewContents>,
    /// Bytes of the open chunk that no record holds yet.
    waiting: Vec<u8>,
    /// Where the open chunk begins, when a part of it is written.
    place: Option<Place>,
    seq: u64,
}

impl ViewBuilder {
    /// The parts that are written so far, and those that will be.
    #[must_use]
    pub fn contents(&self) -> Arc<ViewContents> {
        Arc::clone(&self.contents)
    }

    /// Adds to the open chunk's zstd stream.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), ViewError> {
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() > RECORD {
            let rest = self.waiting.split_off(RECORD);
            let piece = std::mem::replace(&mut self.waiting, rest);
            let place = self.record(Lane::View, true, &piece)?;
            self.place.get_or_insert(place);
        }
        Ok(())
    }

    /// Ends the open chunk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end_of_chunk(&mut self, chunk: WrittenChunk) -> Result<(), ViewError> {
        let piece = std::mem::take(&mut self.waiting);
        let last = self.record(Lane::View, false, &piece)?;
        let place = self.place.take().unwrap_or(last);
        let mut table = lock(&self.contents.table);
        table.chunks.push((chunk.from_ms, place));
        table.sizes.push(chunk.bytes);
        Ok(())
    }

    /// Adds a thumbnail, also while a chunk is open.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn thumbnail(&mut self, t_ms: u32, file: &[u8]) -> Result<(), ViewError> {
        let place = self.record(Lane::Thumbnail, false, file)?;
        lock(&self.contents.table).thumbnails.push((t_ms, place));
        Ok(())
    }

    /// Writes the index; the view is whole from here on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, summary: ViewSummary) -> Result<ViewIndex, ViewError> {
        let index = self.contents.index(summary.duration_ms, summary);
        let (chunk_places, thumbnail_places) = {
            let table = lock(&self.contents.table);
            let places = |list: &[(u32, Place)]| list.iter().map(|(_, place)| place.clone()).collect();
            (places(&table.chunks), places(&table.thumbnails))
        };
        let stored = StoredIndex { index, chunk_places, thumbnail_places };
        let bytes = serde_json::to_vec(&stored).map_err(|error| ViewError::Keys(error.to_string()))?;
        let mut pieces = bytes.chunks(RECORD).peekable();
        let mut first = None;
        while let Some(piece) = pieces.next() {
            let place = self.record(Lane::Index, pieces.peek().is_some(), piece)?;
            first.get_or_insert(place);
        }
        drop(self.writer.finish("rendered")?);
        let Some(index) = first else { return Err(ViewError::Missing) };
        let path = self.dir.join(POINTER_FILE);
        let pointer = header::encode(&Pointer { format: 1, index });
        files::replace_soon(&path, &pointer).map_err(|error| ViewError::File { path, error })?;
        Ok(stored.index)
    }

    /// Writes a record with one entry, or a piece of one.
    fn record(&mut self, lane: Lane, continued: bool, bytes: &[u8]) -> Result<Place, ViewError> {
        if self.writer.wants_roll() {
            drop(self.writer.roll()?);
        }
        let (segment, offset, record, previous) = self.writer.place();
        let mut buffer = vec![0; HEAD];
        put_entry_head(&mut buffer, lane, continued, self.seq, 0, bytes.len());
        buffer.extend_from_slice(bytes);
        let mut batch = Batch {
            class: Class::Screen,
            more: false,
            t_ms: 0,
            last_t_ms: 0,
            buffer,
            entries: u64::from(!continued),
        };
        self.writer.write(&mut batch)?;
        self.seq += 1;
        Ok(Place { segment, offset, record, previous: HEXLOWER.encode(&previous) })
    }
}

fn data_key(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// Reads the entry of `lane` that begins with the record at `place`.
fn read_entry(dir: &Path, key: &LessSafeKey, place: &Place, lane: Lane) -> Result<Vec<u8>, ViewError> {
    let damaged = || ViewError::Damaged(dir.to_owned());
    let previous = HEXLOWER.decode(place.previous.as_bytes()).map_err(|_| damaged())?;
    let mut chain = Hash::try_from(previous).map_err(|_| damaged())?;
    let mut segment = place.segment;
    let mut record = place.record;
    let mut file = open_segment(dir, segment)?;
    file.seek(SeekFrom::Start(place.offset)).map_err(|_| damaged())?;
    let mut entry = Vec::new();
    loop {
        let mut raw_head = [0; HEAD];
        if let Err(error) = file.read_exact(&mut raw_head) {
            if error.kind() != io::ErrorKind::UnexpectedEof {
                return Err(ViewError::File { path: segment_path(dir, segment), error });
            }
            segment += 1;
            file = open_segment(dir, segment)?;
            continue;
        }
        let head = Head::decode(&raw_head).map_err(|_| damaged())?;
        let mut body = vec![0; head.len as usize];
        file.read_exact(&mut body).map_err(|_| damaged())?;
        let next = chain_next(&chain, &raw_head, &body);
        if matches!(head.content, Content::Batch { .. }) {
            let aad = Aad::from(associated_data(&chain, &raw_head));
            let nonce = Nonce::assume_unique_for_key(nonce(record));
            let clear = key.open_in_place(nonce, aad, &mut body).map_err(|_| damaged())?;
            let piece = Cursor::new(head.t_ms).next(clear).map_err(|_| damaged())?;
            let (piece, _) = piece.ok_or_else(damaged)?;
            // Thumbnails stand between the pieces of a chunk.
            if piece.lane == lane {
                if entry.len() + piece.bytes.len() > MAX_ENTRY {
                    return Err(damaged());
                }
                entry.extend_from_slice(piece.bytes);
                if !piece.continued {
                    return Ok(entry);
                }
            }
        }
        chain = next;
        record += 1;
    }
}

fn open_segment(dir: &Path, number: u32) -> Result<io::BufReader<File>, ViewError> {
    let path = segment_path(dir, number);
    match File::open(&path) {
        Ok(file) => Ok(io::BufReader::with_capacity(64 << 10, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ViewError::Damaged(dir.to_owned())),
        Err(error) => Err(ViewError::File { path, error }),
    }
}
