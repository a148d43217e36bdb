//! The threads that write all recordings, and the one alarm clock that they share.
//!
//! A recording is handled by one writer at a time. Among the idle threads one, the leader, sleeps until
//! the earliest timer; the others sleep until there is work. Nothing runs while nothing is appended.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::batch::Spares;
use crate::core::{Core, Due};
use crate::recording::Sealed;
use crate::writer::{ToSync, Tools};

/// Threads that wait for the disk. Writers never do, so that one slow disk does not delay the recordings
/// on the others.
const SYNCERS: usize = 4;
/// A writer's turn is over in less than this, unless the disk is slow.
const SOON: Duration = Duration::from_millis(5);

/// What all recordings of a recorder share.
pub(crate) struct Pool {
    pub(crate) tools: Arc<Tools>,
    pub(crate) spares: Spares,
    state: Mutex<State>,
    leader: Condvar,
    followers: Condvar,
    syncs: Mutex<Syncs>,
    sync_ready: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Core>>,
    timers: BinaryHeap<Reverse<Timer>>,
    /// A thread sleeps until the earliest timer.
    led: bool,
    following: usize,
    /// Names of the recordings that are not yet closed.
    active: HashSet<String>,
    stopping: bool,
}

#[derive(Default)]
struct Syncs {
    queue: VecDeque<SyncJob>,
    stopping: bool,
}

/// Something to make durable.
pub(crate) struct SyncJob {
    pub(crate) core: Arc<Core>,
    pub(crate) what: Option<ToSync>,
    pub(crate) then: Then,
}

/// What follows a sync.
pub(crate) enum Then {
    /// Nothing; the recording goes on meanwhile.
    Nothing,
    /// The recording, which was held, goes on.
    Resume,
    /// The recording is sealed.
    Finish(Sealed),
}

struct Timer {
    at: Duration,
    core: Weak<Core>,
    due: Due,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Pool {
    pub(crate) fn new(tools: Tools) -> Self {
        Self {
            tools: Arc::new(tools),
            spares: Spares::default(),
            state: Mutex::default(),
            leader: Condvar::new(),
            followers: Condvar::new(),
            syncs: Mutex::default(),
            sync_ready: Condvar::new(),
        }
    }

    /// Notes that the recording `id` begins. `false`: one of that name is running.
    pub(crate) fn enter(&self, id: &str) -> bool {
        self.state().active.insert(id.to_owned())
    }

    /// Notes that the recording `id` is over.
    pub(crate) fn leave(&self, id: &str) {
        let mut state = self.state();
        state.active.remove(id);
        if state.stopping && state.active.is_empty() {
            self.leader.notify_all();
            self.followers.notify_all();
        }
    }

    /// Whether the recording `id` is running.
    pub(crate) fn is_active(&self, id: &str) -> bool {
        self.state().active.contains(id)
    }

    /// Has a writer run `core`, which must be marked as scheduled.
    pub(crate) fn schedule(&self, core: Arc<Core>) {
        let mut state = self.state();
        state.ready.push_back(core);
        self.wake_one(&state);
    }

    /// Has a writer run `core` at the time `at` for what is then `due`.
    pub(crate) fn arm(&self, at: Duration, core: Weak<Core>, due: Due) {
        let mut state = self.state();
        let earliest = state.timers.peek().is_none_or(|Reverse(timer)| at < timer.at);
        state.timers.push(Reverse(Timer { at, core, due }));
        if state.led {
            if earliest {
                self.leader.notify_one();
            }
        } else {
            self.wake_one(&state);
        }
    }

    /// Has `job` done by a thread that may wait for the disk.
    pub(crate) fn sync(&self, job: SyncJob) {
        lock(&self.syncs).queue.push_back(job);
        self.sync_ready.notify_one();
    }

    fn wake_one(&self, state: &State) {
        if state.following > 0 {
            self.followers.notify_one();
        } else if state.led {
            self.leader.notify_one();
        }
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            let now = self.tools.clock.monotonic();
            let wait = match state.timers.peek() {
                Some(Reverse(timer)) if timer.at <= now => {
                    if let Some(Reverse(timer)) = state.timers.pop() {
                        self.hand_over(&state, now);
                        drop(state);
                        if let Some(core) = timer.core.upgrade()
                            && core.fire(timer.due)
                        {
                            core.run();
                        }
                        state = self.state();
                    }
                    continue;
                }
                Some(Reverse(timer)) => Some(timer.at - now),
                None => None,
            };
            if let Some(core) = state.ready.pop_front() {
                self.hand_over(&state, now);
                drop(state);
                core.run();
                drop(core);
                state = self.state();
                continue;
            }
            if state.stopping && state.active.is_empty() {
                return;
            }
            state = if state.led { self.follow(state) } else { self.lead(state, wait) };
        }
    }

    /// Has another thread look after the timers, unless this one will be back before the next.
    fn hand_over(&self, state: &State, now: Duration) {
        let soon = |Reverse(timer): &Reverse<Timer>| timer.at <= now + SOON;
        if !state.led && state.following > 0 && state.timers.peek().is_some_and(soon) {
            self.followers.notify_one();
        }
    }

    fn follow<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.following += 1;
        let mut state = self.followers.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.following -= 1;
        state
    }

    fn lead<'a>(&self, mut state: MutexGuard<'a, State>, wait: Option<Duration>) -> MutexGuard<'a, State> {
        state.led = true;
        let mut state = match wait {
            Some(wait) => self.leader.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => {
                self.spares.release();
                self.leader.wait(state).unwrap_or_else(PoisonError::into_inner)
            }
        };
        state.led = false;
        state
    }

    fn sync_work(&self) {
        let mut syncs = lock(&self.syncs);
        loop {
            if let Some(job) = syncs.queue.pop_front() {
                drop(syncs);
                let outcome = job.what.as_ref().map_or(Ok(()), ToSync::sync);
                job.core.synced(outcome, job.then);
                syncs = lock(&self.syncs);
            } else if syncs.stopping {
                return;
            } else {
                syncs = self.sync_ready.wait(syncs).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Locks without regard to a panic elsewhere: no lock of this crate is held in an inconsistent state.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads of a pool. Dropping it waits until every recording is closed, so it must go last.
pub(crate) struct Threads {
    pool: Arc<Pool>,
    writers: Vec<JoinHandle<()>>,
    syncers: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn start(pool: Arc<Pool>, writers: usize) -> io::Result<Self> {
        let mut threads = Self { pool, writers: Vec::new(), syncers: Vec::new() };
        for _ in 0..writers {
            let pool = Arc::clone(&threads.pool);
            let thread = thread::Builder::new().name("recorder-write".into());
            threads.writers.push(thread.spawn(move || pool.work())?);
        }
        for _ in 0..SYNCERS {
            let pool = Arc::clone(&threads.pool);
            let thread = thread::Builder::new().name("recorder-sync".into());
            threads.syncers.push(thread.spawn(move || pool.sync_work())?);
        }
        Ok(threads)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.pool.state().stopping = true;
        self.pool.leader.notify_all();
        self.pool.followers.notify_all();
        for thread in self.writers.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a writer of recordings panicked");
            }
        }
        lock(&self.pool.syncs).stopping = true;
        self.pool.sync_ready.notify_all();
        for thread in self.syncers.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a syncer of recordings panicked");
            }
        }
    }
}
