//! One recording between its session, which appends, and the writers.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::Lane;
use crate::batch::{Batch, Batches};
use crate::pool::{Pool, SyncJob, Then, lock};
use crate::recording::{Lag, RecordingFailed, Sealed};
use crate::writer::{ToSync, Writer, failure, millis};

/// What is appended reaches the file after at most this, and the time of writing it.
const FLUSH_AFTER: Duration = Duration::from_millis(50);
/// What is written is signed and then synced after at most this.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(750);
/// From here on `ready` waits.
const QUEUE: usize = 512 * 1024;
/// From here on the recording fails: its session does not wait for `ready`.
const MAX_QUEUE: usize = 64 * 1024 * 1024;

type Reply = oneshot::Sender<Result<Sealed, RecordingFailed>>;

/// What a timer or a request wants a writer to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    flush: bool,
    checkpoint: bool,
    /// Roll the segment with this number, if it is still open.
    roll: Option<u32>,
}

/// A recording's state.
pub(crate) struct Core {
    pub(crate) id: String,
    pool: Arc<Pool>,
    started: Duration,
    me: Weak<Core>,
    open: Mutex<Open>,
    writer: Mutex<Writer>,
    /// Bytes that were handed over and are not yet written.
    queued: AtomicUsize,
    failed: OnceLock<RecordingFailed>,
    changed: Notify,
}

#[derive(Default)]
struct Open {
    batches: Batches,
    queue: VecDeque<Batch>,
    /// A timer for the batches runs.
    flush_armed: bool,
    checkpoint_armed: bool,
    roll_armed: Option<u32>,
    /// A writer or a syncer has the recording, or will have it.
    scheduled: bool,
    due: Due,
    /// When the oldest came of what a writer has now, in milliseconds since the recording's start.
    writing: Option<u32>,
    /// Nothing may be appended any more.
    closed: bool,
    closing: Option<Closing>,
}

struct Closing {
    end: String,
    reply: Option<Reply>,
}

impl Core {
    pub(crate) fn new(id: String, pool: Arc<Pool>, started: Duration, writer: Writer) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            pool,
            started,
            me: Weak::clone(me),
            open: Mutex::default(),
            writer: Mutex::new(writer),
            queued: AtomicUsize::new(0),
            failed: OnceLock::new(),
            changed: Notify::new(),
        })
    }

    /// Arms what the records that were written before the recording is shared need.
    pub(crate) fn begin(&self, first: SyncJob) {
        self.arm_after_write(&lock(&self.writer));
        self.pool.sync(first);
    }

    pub(crate) fn append(&self, lane: Lane, bytes: &[u8]) -> Result<(), RecordingFailed> {
        let mut open = lock(&self.open);
        if open.closed {
            return Err(self.failure());
        }
        let now = self.pool.tools.clock.monotonic();
        let Open { batches, queue, .. } = &mut *open;
        let t_ms = millis(now.saturating_sub(self.started));
        let shipped = batches.push(lane, t_ms, bytes, queue, &self.pool.spares);
        if shipped > 0 {
            let waiting = self.queued.fetch_add(shipped, Ordering::Relaxed) + shipped;
            if waiting > MAX_QUEUE {
                let error = RecordingFailed::TooSlow { id: self.id.clone(), waiting };
                self.fail(&mut open, error.clone());
                return Err(error);
            }
            self.schedule(&mut open);
        }
        if !open.flush_armed && !open.batches.is_empty() {
            open.flush_armed = true;
            let due = Due { flush: true, ..Due::default() };
            self.pool.arm(now + FLUSH_AFTER, Weak::clone(&self.me), due);
        }
        Ok(())
    }

    pub(crate) fn lag(&self) -> Lag {
        if self.failed.get().is_some() {
            return Lag::default();
        }
        let open = lock(&self.open);
        let (growing, first) = open.batches.waiting();
        let handed_over = open.queue.front().map(|batch| batch.t_ms);
        let bytes = growing + self.queued.load(Ordering::Relaxed);
        let oldest = [open.writing, handed_over, first].into_iter().flatten().min();
        drop(open);
        let now = millis(self.pool.tools.clock.monotonic().saturating_sub(self.started));
        let waited = oldest.map_or(0, |oldest| now.saturating_sub(oldest));
        Lag { bytes, oldest: Duration::from_millis(waited.into()) }
    }

    pub(crate) async fn ready(&self) -> Result<(), RecordingFailed> {
        if self.queued.load(Ordering::Relaxed) <= QUEUE && self.failed.get().is_none() {
            return Ok(());
        }
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(error) = self.failed.get() {
                return Err(error.clone());
            }
            if self.queued.load(Ordering::Relaxed) <= QUEUE {
                return Ok(());
            }
            changed.await;
        }
    }

    pub(crate) async fn failed(&self) -> RecordingFailed {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(error) = self.failed.get() {
                return error.clone();
            }
            changed.await;
        }
    }

    /// Ends the recording; `reply` hears how it went.
    pub(crate) fn close(&self, end: &str, reply: Option<Reply>) -> Result<(), RecordingFailed> {
        let mut open = lock(&self.open);
        let failed = self.failed.get();
        if open.closed && failed.is_none() || open.closing.is_some() {
            return Err(self.failure());
        }
        if failed.is_none() {
            let Open { batches, queue, .. } = &mut *open;
            let shipped = batches.ship(queue);
            self.queued.fetch_add(shipped, Ordering::Relaxed);
        }
        open.closed = true;
        open.closing = Some(Closing { end: end.to_owned(), reply });
        self.schedule(&mut open);
        Ok(())
    }

    /// Fails the recording from outside, unless it is over.
    pub(crate) fn stop(&self, error: RecordingFailed) {
        let mut open = lock(&self.open);
        if !open.closed {
            self.fail(&mut open, error);
        }
    }

    /// A timer went off. `true`: the caller is the writer whose turn it is and must [`run`](Self::run).
    pub(crate) fn fire(&self, due: Due) -> bool {
        let mut open = lock(&self.open);
        open.due.flush |= due.flush;
        open.due.checkpoint |= due.checkpoint;
        open.due.roll = open.due.roll.or(due.roll);
        !std::mem::replace(&mut open.scheduled, true)
    }

    /// A writer's turn: writes what waits and does what is due. At most one thread is here.
    pub(crate) fn run(&self) {
        loop {
            let mut open = lock(&self.open);
            let due = std::mem::take(&mut open.due);
            if due.flush {
                open.flush_armed = false;
                let Open { batches, queue, .. } = &mut *open;
                let shipped = batches.ship(queue);
                self.queued.fetch_add(shipped, Ordering::Relaxed);
            }
            open.checkpoint_armed &= !due.checkpoint;
            let queue = std::mem::take(&mut open.queue);
            open.writing = queue.front().map(|batch| batch.t_ms);
            let closing = if queue.is_empty() { open.closing.take() } else { None };
            let idle = queue.is_empty() && closing.is_none() && !due.checkpoint && due.roll.is_none();
            if idle {
                open.scheduled = false;
                return;
            }
            drop(open);
            let turn = match (self.failed.get(), closing) {
                (Some(error), Some(closing)) => {
                    let error = error.clone();
                    lock(&self.writer).give_up(&error);
                    self.over(closing.reply, Err(error));
                    return;
                }
                (Some(_), None) => Ok(Turn::GoOn),
                (None, Some(closing)) => self.finish(closing),
                (None, None) => self.write(queue, due),
            };
            match turn {
                Ok(Turn::GoOn) => {}
                Ok(Turn::Held) => return,
                Err(error) => {
                    lock(&self.writer).give_up(&error);
                    self.fail(&mut lock(&self.open), error);
                }
            }
        }
    }

    /// A syncer is done.
    pub(crate) fn synced(&self, outcome: Result<(), (PathBuf, io::Error)>, then: Then) {
        let outcome = outcome.map_err(|(path, error)| failure(&self.id, &path, &error));
        if let Err(error) = &outcome {
            self.fail(&mut lock(&self.open), error.clone());
        }
        match then {
            Then::Nothing => {}
            Then::Resume => {
                if let Some(me) = self.me.upgrade() {
                    self.pool.schedule(me);
                }
            }
            Then::Finish(sealed) => {
                let reply = lock(&self.open).closing.take().and_then(|closing| closing.reply);
                self.over(reply, outcome.map(|()| sealed));
            }
        }
    }

    fn write(&self, mut queue: VecDeque<Batch>, due: Due) -> Result<Turn, RecordingFailed> {
        let mut writer = lock(&self.writer);
        while let Some(mut batch) = queue.pop_front() {
            let (waited, batch_more) = (batch.buffer.len(), batch.more);
            writer.write(&mut batch)?;
            self.pool.spares.give(batch.buffer);
            let before = self.queued.fetch_sub(waited, Ordering::Relaxed);
            if before > QUEUE && before.saturating_sub(waited) <= QUEUE {
                self.changed.notify_waiters();
            }
            // A group is never parted by a checkpoint.
            if !batch_more && writer.wants_roll() {
                let mut open = lock(&self.open);
                queue.append(&mut open.queue);
                open.queue = queue;
                open.writing = None;
                drop(open);
                return self.roll(&mut writer);
            }
        }
        if due.roll.is_some() && due.roll == writer.open_segment() && writer.wants_roll() {
            return self.roll(&mut writer);
        }
        if due.checkpoint
            && let Some(what) = writer.checkpoint()?
        {
            self.submit(Some(what), Then::Nothing);
        }
        self.arm_after_write(&writer);
        Ok(Turn::GoOn)
    }

    fn roll(&self, writer: &mut Writer) -> Result<Turn, RecordingFailed> {
        let what = writer.roll()?;
        self.submit(what, Then::Resume);
        Ok(Turn::Held)
    }

    fn finish(&self, closing: Closing) -> Result<Turn, RecordingFailed> {
        let finished = lock(&self.writer).finish(&closing.end);
        // Put back, for whoever finishes or fails to.
        lock(&self.open).closing = Some(closing);
        let (what, sealed) = finished?;
        self.submit(what, Then::Finish(sealed));
        Ok(Turn::Held)
    }

    fn submit(&self, what: Option<ToSync>, then: Then) {
        if let Some(core) = self.me.upgrade() {
            self.pool.sync(SyncJob { core, what, then });
        }
    }

    fn arm_after_write(&self, writer: &Writer) {
        let mut open = lock(&self.open);
        let now = self.pool.tools.clock.monotonic();
        if writer.is_unsigned() && !open.checkpoint_armed {
            open.checkpoint_armed = true;
            let due = Due { checkpoint: true, ..Due::default() };
            self.pool.arm(now + CHECKPOINT_AFTER, Weak::clone(&self.me), due);
        }
        if let Some(number) = writer.open_segment()
            && open.roll_armed != Some(number)
        {
            open.roll_armed = Some(number);
            let due = Due { roll: Some(number), ..Due::default() };
            self.pool.arm(now + Writer::roll_after(), Weak::clone(&self.me), due);
        }
    }

    fn schedule(&self, open: &mut Open) {
        if !open.scheduled
            && let Some(me) = self.me.upgrade()
        {
            open.scheduled = true;
            self.pool.schedule(me);
        }
    }

    /// Lets go of everything that waits and tells everybody.
    fn fail(&self, open: &mut Open, error: RecordingFailed) {
        tracing::debug!(session = self.id, %error, "recording failed");
        open.closed = true;
        open.batches.clear();
        open.queue = VecDeque::new();
        // The first failure is the one that counts.
        let _ = self.failed.set(error);
        self.changed.notify_waiters();
    }

    fn over(&self, reply: Option<Reply>, outcome: Result<Sealed, RecordingFailed>) {
        if let Err(error) = &outcome
            && reply.is_none()
        {
            tracing::warn!(session = self.id, %error, "an abandoned recording was not sealed");
        }
        self.pool.leave(&self.id);
        if let Some(reply) = reply {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(outcome);
        }
    }

    fn failure(&self) -> RecordingFailed {
        let closed = || RecordingFailed::Closed { id: self.id.clone() };
        self.failed.get().cloned().unwrap_or_else(closed)
    }
}

/// How a writer's turn ended.
enum Turn {
    /// There may be more to do.
    GoOn,
    /// A syncer has the recording now.
    Held,
}
