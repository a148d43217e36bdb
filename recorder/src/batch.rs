//! Entries on their way to the writer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::format::{HEAD, MAX_ENTRY_HEAD, TAG, put_entry_head};
use crate::{Class, Lane};

/// A batch is handed over before it grows beyond this. Fits a core's second-level cache, so that
/// sealing, hashing and writing find it there.
const BATCH: usize = 129 * 1024;
/// A batch whose predecessor was at least this long starts with a buffer of full size.
const BUSY: usize = 16 * 1024;
/// How many buffers of full size are kept for all recordings together.
const MAX_SPARES: usize = 16;

/// A batch of entries of one class, with room for the head in front.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) class: Class,
    /// More batches of the same group follow.
    pub(crate) more: bool,
    /// Time of the first entry, milliseconds since the recording's start.
    pub(crate) t_ms: u32,
    /// Time of the last entry.
    pub(crate) last_t_ms: u32,
    /// `HEAD` bytes to fill in, then the entries.
    pub(crate) buffer: Vec<u8>,
    pub(crate) entries: u64,
}

/// The batches that still grow, one for each class.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    slots: [Slot; 3],
    next_seq: u64,
}

#[derive(Debug, Default)]
struct Slot {
    buffer: Vec<u8>,
    t_ms: u32,
    last_t_ms: u32,
    last_seq: u64,
    entries: u64,
    busy: bool,
}

impl Batches {
    /// Adds an entry. Full batches go to `queue`. Returns how many bytes went there.
    pub(crate) fn push(
        &mut self,
        lane: Lane,
        t_ms: u32,
        mut bytes: &[u8],
        queue: &mut VecDeque<Batch>,
        spares: &Spares,
    ) -> usize {
        let mut queued = 0;
        loop {
            let class = lane.class();
            let used = self.slots[class.index()].buffer.len();
            if used > 0 && used + MAX_ENTRY_HEAD + bytes.len() > BATCH {
                queued += self.ship(queue);
            }
            let slot = &mut self.slots[class.index()];
            let (piece, rest) = bytes.split_at(bytes.len().min(BATCH - HEAD - MAX_ENTRY_HEAD));
            slot.put(lane, !rest.is_empty(), self.next_seq, t_ms, piece, spares);
            self.next_seq += 1;
            bytes = rest;
            if bytes.is_empty() {
                return queued;
            }
        }
    }

    /// Hands over every batch that holds something, as one group: the group's entries have the numbers
    /// from the last group's on, without a gap. A reader restores the order within a group's memory.
    pub(crate) fn ship(&mut self, queue: &mut VecDeque<Batch>) -> usize {
        let mut shipped = 0;
        for class in Class::ALL {
            let slot = &mut self.slots[class.index()];
            if slot.buffer.is_empty() {
                continue;
            }
            shipped += slot.buffer.len();
            slot.busy = slot.buffer.len() >= BUSY;
            queue.push_back(Batch {
                class,
                more: true,
                t_ms: slot.t_ms,
                last_t_ms: slot.last_t_ms,
                buffer: std::mem::take(&mut slot.buffer),
                entries: std::mem::take(&mut slot.entries),
            });
        }
        if shipped > 0
            && let Some(last) = queue.back_mut()
        {
            last.more = false;
        }
        shipped
    }

    /// How many bytes wait to be handed over, and when the first of them came.
    pub(crate) fn waiting(&self) -> (usize, Option<u32>) {
        let slots = || self.slots.iter().filter(|slot| !slot.buffer.is_empty());
        (slots().map(|slot| slot.buffer.len()).sum(), slots().map(|slot| slot.t_ms).min())
    }

    /// Whether nothing waits to be handed over.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.buffer.is_empty())
    }

    /// Forgets what was not handed over.
    pub(crate) fn clear(&mut self) {
        self.slots = Default::default();
    }
}

impl Slot {
    fn put(&mut self, lane: Lane, continued: bool, seq: u64, t_ms: u32, bytes: &[u8], spares: &Spares) {
        let first = self.buffer.is_empty();
        if first {
            let large = self.busy || bytes.len() >= BUSY;
            self.buffer = if large { spares.take() } else { Vec::with_capacity(512) };
            self.buffer.resize(HEAD, 0);
            self.t_ms = t_ms;
        }
        let (seq_step, t_step) = if first { (seq, 0) } else { (seq - self.last_seq, t_ms - self.last_t_ms) };
        put_entry_head(&mut self.buffer, lane, continued, seq_step, t_step, bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.last_seq = seq;
        self.last_t_ms = t_ms;
        self.entries += u64::from(!continued);
    }
}

/// Buffers of full size, shared by all recordings.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<Vec<u8>>>);

impl Spares {
    fn take(&self) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(BATCH + TAG))
    }

    /// Keeps a buffer for later, when it is of full size and not too many are kept already.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= BATCH + TAG {
            buffer.clear();
            let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if spares.len() < MAX_SPARES {
                spares.push(buffer);
            }
        }
    }

    /// Releases everything; nothing is being recorded.
    pub(crate) fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }
}
