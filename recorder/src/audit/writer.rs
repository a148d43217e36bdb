//! The thread that writes the log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::sync::{oneshot, watch};

use super::chain::{CheckpointLine, EventLine, Line, LineHash, hash, timestamp};
use super::files::path;
use super::merkle::{Tree, leaf};
use super::note::{TreeHead, origin};
use super::open::Found;
use super::proof::checkpoint_file;
use super::{AuditError, AuditEvent, AuditKind};
use crate::files::{is_full, sync_dir};
use crate::pool::lock;
use crate::{Clock, SigningKey, files};

/// A checkpoint follows after this many events...
const CHECKPOINT_EVENTS: u64 = 64;
/// ...or this long after the first event that none covers.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// After an error, noted events are tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// So many noted events may wait while the log cannot be written.
const MAX_NOTES: usize = 10_000;

type Reply = oneshot::Sender<Result<(), AuditError>>;

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: Vec<(AuditEvent, Option<Reply>)>,
    notes: usize,
    lost: u64,
    closing: Vec<Reply>,
    closed: bool,
}

impl Queue {
    /// Adds an event whose writer waits for it. `Err`: the log is closed.
    pub(crate) fn append(&self, event: AuditEvent, reply: Reply) -> Result<(), AuditError> {
        let mut waiting = lock(&self.state);
        if waiting.closed {
            return Err(AuditError::Closed);
        }
        waiting.events.push((event, Some(reply)));
        self.changed.notify_one();
        Ok(())
    }

    /// Adds an event that nobody waits for. `false`: there is no room, it is counted as lost.
    pub(crate) fn note(&self, event: AuditEvent) -> bool {
        let mut waiting = lock(&self.state);
        if waiting.closed || waiting.notes >= MAX_NOTES {
            waiting.lost += 1;
            return false;
        }
        waiting.notes += 1;
        waiting.events.push((event, None));
        self.changed.notify_one();
        true
    }

    /// Closes the log; `reply` hears when everything is written.
    pub(crate) fn close(&self, reply: Option<Reply>) {
        let mut waiting = lock(&self.state);
        if waiting.closed && waiting.closing.is_empty() {
            if let Some(reply) = reply {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(Ok(()));
            }
            return;
        }
        waiting.closed = true;
        waiting.closing.extend(reply);
        self.changed.notify_one();
    }
}

/// The log's end and what writes to it.
pub(crate) struct LogWriter {
    dir: PathBuf,
    signer: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    max_file: u64,
    number: u32,
    file: File,
    path: PathBuf,
    bytes: u64,
    seq: u64,
    last: LineHash,
    tree: Tree,
    /// Events behind the last checkpoint.
    unsigned: u64,
    unsigned_since: Duration,
    retry_at: Option<Duration>,
    /// Tells the number of the last line that is on disk.
    written: watch::Sender<u64>,
}

impl LogWriter {
    pub(crate) fn open(
        dir: PathBuf,
        found: &Found,
        max_file: u64,
        signer: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let number = found.file.max(1);
        let path = path(&dir, number);
        let file = open_file(&path).map_err(|error| (path.clone(), error))?;
        sync_dir(&dir).map_err(|error| (dir.clone(), error))?;
        let unsigned_since = clock.monotonic();
        let writer = Self {
            dir,
            signer,
            clock,
            max_file,
            number,
            file,
            path,
            bytes: found.bytes,
            seq: found.seq,
            last: found.last,
            tree: found.tree.clone(),
            unsigned: u64::from(found.unsigned),
            unsigned_since,
            retry_at: None,
            written: watch::Sender::new(found.seq),
        };
        // The gateway before this one may have been killed before it did.
        if found.seq > 0 && !found.unsigned {
            writer.publish();
        }
        Ok(writer)
    }

    /// The number of the last line that is on disk, now and from now on.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Writes what comes until the log is closed.
    pub(crate) fn run(mut self, queue: &Queue) {
        loop {
            let (events, lost, closed) = self.wait(queue);
            let outcome = self.write(&events, lost, closed);
            self.settle(queue, events, lost, &outcome);
            let mut waiting = lock(&queue.state);
            if closed && (waiting.events.is_empty() || outcome.is_err()) {
                for reply in waiting.closing.drain(..) {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(outcome.clone());
                }
                return;
            }
        }
    }

    /// Waits for events, the time of a checkpoint, or the end. Takes all that waits, so that one sync
    /// serves it.
    fn wait(&self, queue: &Queue) -> (Vec<(AuditEvent, Option<Reply>)>, u64, bool) {
        let mut waiting = lock(&queue.state);
        while !waiting.closed && waiting.events.iter().all(|(_, reply)| reply.is_none()) {
            let now = self.clock.monotonic();
            let next = if !waiting.events.is_empty() {
                Some(self.retry_at.unwrap_or(now))
            } else if self.unsigned > 0 {
                Some(self.unsigned_since + CHECKPOINT_AFTER)
            } else {
                None
            };
            waiting = match next {
                Some(at) if at <= now => break,
                Some(at) => {
                    let woken = queue.changed.wait_timeout(waiting, at - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            };
        }
        waiting.notes = 0;
        (std::mem::take(&mut waiting.events), std::mem::take(&mut waiting.lost), waiting.closed)
    }

    fn settle(
        &self,
        queue: &Queue,
        events: Vec<(AuditEvent, Option<Reply>)>,
        lost: u64,
        outcome: &Result<(), AuditError>,
    ) {
        let mut kept = Vec::new();
        for (event, reply) in events {
            match reply {
                Some(reply) => {
                    // Whoever waits may have stopped.
                    let _ = reply.send(outcome.clone());
                }
                None if outcome.is_err() => kept.push((event, None)),
                None => {}
            }
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "audit events wait for the log");
            let mut waiting = lock(&queue.state);
            waiting.lost += lost;
            waiting.notes += kept.len();
            kept.append(&mut waiting.events);
            waiting.events = kept;
        }
    }

    /// Writes and syncs the events as a whole; after an error none of them is in the log.
    fn write(
        &mut self,
        events: &[(AuditEvent, Option<Reply>)],
        lost: u64,
        closing: bool,
    ) -> Result<(), AuditError> {
        let before = (self.seq, self.last, self.tree.clone(), self.unsigned, self.unsigned_since);
        let time = timestamp(self.clock.wall());
        let mut lines = Vec::new();
        if lost > 0 {
            let gap = AuditEvent::new(AuditKind::AuditGap)
                .message(format!("{lost} events were lost while the log could not be written"))
                .detail("lost", lost);
            self.add_event(gap, &time, &mut lines);
        }
        for (event, _) in events {
            self.add_event(event.clone(), &time, &mut lines);
        }
        let due = self.clock.monotonic() >= self.unsigned_since + CHECKPOINT_AFTER;
        let roll = self.bytes + lines.len() as u64 >= self.max_file;
        if self.unsigned > 0 && (closing || roll || due || self.unsigned >= CHECKPOINT_EVENTS) {
            let prev = self.last;
            let checkpoint = CheckpointLine::sign(self.seq + 1, time, &prev, &self.signer);
            self.add(&Line::Checkpoint(checkpoint), &mut lines);
            self.unsigned = 0;
        }
        if lines.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            (self.seq, self.last, self.tree, self.unsigned, self.unsigned_since) = before;
            if let Err(error) = self.file.set_len(self.bytes) {
                tracing::error!(path = %self.path.display(), %error, "cannot cut off an unfinished line");
            }
            // What nobody waits for is tried again after a while, not at once.
            self.unsigned_since = self.clock.monotonic();
            self.retry_at = Some(self.unsigned_since + RETRY_AFTER);
            return Err(self.failure(&error));
        }
        self.retry_at = None;
        self.bytes += lines.len() as u64;
        self.written.send_replace(self.seq);
        if self.unsigned == 0 {
            self.publish();
        }
        if roll && !closing {
            self.roll();
        }
        Ok(())
    }

    fn add_event(&mut self, event: AuditEvent, time: &str, lines: &mut Vec<u8>) {
        if self.unsigned == 0 {
            self.unsigned_since = self.clock.monotonic();
        }
        self.unsigned += 1;
        let prev = HEXLOWER.encode(&self.last);
        let line = EventLine { seq: self.seq + 1, time: time.to_owned(), event, prev };
        self.add(&Line::Event(line), lines);
    }

    fn add(&mut self, line: &Line, lines: &mut Vec<u8>) {
        let encoded = line.encode();
        self.seq += 1;
        self.last = hash(&encoded);
        self.tree.push(leaf(&encoded));
        lines.extend_from_slice(&encoded);
        lines.push(b'\n');
    }

    /// Puts the state of the log where other systems collect it.
    fn publish(&self) {
        let head = TreeHead {
            origin: origin(&self.signer.public_key()),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        let file = checkpoint_file(&self.dir);
        if let Err(error) = files::replace_soon(&file, head.sign(&self.signer).as_bytes()) {
            tracing::warn!(path = %file.display(), %error, "cannot write the checkpoint of the audit log");
        }
    }

    /// Goes on in a new file. When that cannot be created, the old one grows on.
    fn roll(&mut self) {
        let path = path(&self.dir, self.number + 1);
        match open_file(&path).and_then(|file| sync_dir(&self.dir).map(|()| file)) {
            Ok(file) => {
                self.number += 1;
                self.file = file;
                self.path = path;
                self.bytes = 0;
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot begin a new file of the audit log");
            }
        }
    }

    fn failure(&self, error: &io::Error) -> AuditError {
        if is_full(error) {
            AuditError::NoSpace(self.path.clone())
        } else {
            AuditError::Write { path: self.path.clone(), error: error.to_string() }
        }
    }
}

fn open_file(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
