//! One rendering: from a recording to its view.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use passerelle_config::{Confinement, Views};
use passerelle_desktop::Size;
use passerelle_recorder::view::{
    Message, ViewBuilder, ViewContents, ViewError, ViewIndex, ViewSummary, WrittenChunk,
};
use passerelle_recorder::{Entry, Lane, ReadError};

use super::process::{Feed, Kill, Process, Sandbox, ended};
use super::protocol::{Answer, Order, Setup, answer};
use super::watchers::Watchers;
use crate::ambient::Stopwatch;
use crate::contents::ContentError;

/// How long a running session's recording is left alone when there was nothing new in it.
const PAUSE: Duration = Duration::from_millis(100);
/// What a recording is behind its session, at most, in milliseconds.
const LAG: u32 = 250;
/// A whole picture is not asked for again before.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of entries after which those who watch get to see something while the rendering catches up.
const GLIMPSE: usize = 1 << 20;
/// Those who watch are told the time so often, in milliseconds of the session, also when nothing changes.
const STILL: u32 = 1000;
/// The most chunks and thumbnails of a view.
const PARTS: usize = 100_000;
/// The largest thumbnail, in bytes.
const THUMBNAIL: usize = 256 << 10;
/// The longest summary, in bytes.
const SUMMARY: usize = 4 << 20;

/// What is drawn, and when there was input.
pub(super) const LANES: [Lane; 3] = [Lane::Target, Lane::State, Lane::Viewer];

/// Why there is no view of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("{0}")]
    Content(String),
    #[error("the view cannot be kept: {0}")]
    Store(String),
    #[error("no process can be started that renders: {0}")]
    Start(String),
    #[error("the process that renders came to an end: {0}")]
    Process(&'static str),
    #[error("{0}")]
    Refused(String),
    #[error("the process that renders was stuck and had to be ended")]
    Stuck,
    #[error("the view is larger than `recording.views.max_size`")]
    TooLarge,
    #[error("the gateway stops")]
    Stopped,
}

impl From<ContentError> for RenderError {
    fn from(error: ContentError) -> Self {
        Self::Content(error.to_string())
    }
}

impl From<ReadError> for RenderError {
    fn from(error: ReadError) -> Self {
        Self::Content(error.to_string())
    }
}

impl From<ViewError> for RenderError {
    fn from(error: ViewError) -> Self {
        Self::Store(error.to_string())
    }
}

/// The entries of [`LANES`] of a recording, in order. After the last one there may be more later.
pub(super) trait Entries: Iterator<Item = Result<Entry, ReadError>> + Send {}

impl<T: Iterator<Item = Result<Entry, ReadError>> + Send> Entries for T {}

/// How it is to be rendered.
pub(super) struct Task {
    pub(super) protocol: String,
    /// Length of the recording, if it is over.
    pub(super) length_ms: Option<u32>,
    pub(super) sandbox: Sandbox,
    /// Bytes that the view may have.
    pub(super) max_size: u64,
}

impl Task {
    /// A recording over `protocol`, of this length if it is over, within what `views` allows.
    pub(super) fn new(protocol: String, length_ms: Option<u32>, views: &Views) -> Self {
        let sandbox =
            Sandbox { memory: views.memory.bytes(), unconfined: views.confinement == Confinement::Off };
        Self { protocol, length_ms, sandbox, max_size: views.max_size.bytes() }
    }
}

/// A rendering that goes on, as others see it.
#[derive(Default)]
pub(super) struct Job {
    /// It has a process.
    pub(super) running: AtomicBool,
    /// The recording still grows.
    pub(super) live: AtomicBool,
    pub(super) reached_ms: AtomicU32,
    pub(super) length_ms: AtomicU32,
    /// Rises with whatever the process says.
    pub(super) signs: AtomicU64,
    pub(super) watchers: Watchers,
    contents: OnceLock<Arc<ViewContents>>,
    summary: Mutex<ViewSummary>,
    kill: Mutex<Option<Arc<Kill>>>,
    stopped: OnceLock<RenderError>,
}

impl Job {
    /// Ends it, for this reason unless there was one before.
    pub(super) fn stop(&self, why: RenderError) {
        let _ = self.stopped.set(why);
        if let Some(kill) = &*lock(&self.kill) {
            kill.kill();
        }
    }

    /// The parts that are rendered so far.
    pub(super) fn contents(&self) -> Option<&Arc<ViewContents>> {
        self.contents.get()
    }

    /// What there is so far.
    pub(super) fn index(&self) -> ViewIndex {
        let mut summary = lock(&self.summary).clone();
        let until = self.reached_ms.load(Relaxed);
        summary.duration_ms = until.max(summary.duration_ms);
        self.contents.get().map(|contents| contents.index(until, summary)).unwrap_or_default()
    }

    /// How much of the recording is rendered, from 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        let (reached, length) = (self.reached_ms.load(Relaxed), self.length_ms.load(Relaxed));
        if length == 0 { 0.0 } else { (f64::from(reached) / f64::from(length)).min(1.0) }
    }

    /// Renders `entries`, and blocks until that is done. `now_ms` tells how long ago the recording began, and `goes_on`
    /// whether it still grows.
    pub(super) fn run(
        &self,
        task: &Task,
        entries: impl Entries,
        builder: ViewBuilder,
        now_ms: &(dyn Fn() -> u32 + Sync),
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<ViewIndex, RenderError> {
        let (process, feed, mut output) =
            Process::start(task.sandbox).map_err(|error| RenderError::Start(error.to_string()))?;
        *lock(&self.kill) = Some(process.killer());
        // Whoever stopped it before there was anything to end.
        if let Some(why) = self.stopped.get() {
            return Err(why.clone());
        }
        let _ = self.contents.set(builder.contents());
        self.running.store(true, Relaxed);
        let rendered = std::thread::scope(|scope| {
            let feeding = scope.spawn(|| {
                let fed = Feeding { job: self, task, now_ms, goes_on }.feed(entries, feed);
                if let Err(FeedError::Content(_)) = &fed {
                    // The process would wait for what does not come.
                    self.kill_process();
                }
                fed
            });
            let rendered = self.receive(&mut output, builder, task.max_size);
            if rendered.is_err() {
                self.kill_process();
            }
            let fed = feeding.join().unwrap_or(Ok(()));
            match (rendered, fed) {
                (_, Err(FeedError::Content(error))) => Err(error),
                (rendered, _) => rendered,
            }
        });
        let status = process.wait();
        let rendered = match rendered {
            Err(Ending::Silent) => Err(ended(status)),
            Err(Ending::Told(why)) => Err(why),
            Ok(index) => Ok(index),
        };
        match self.stopped.get() {
            Some(why) => Err(why.clone()),
            None => rendered,
        }
    }

    fn kill_process(&self) {
        if let Some(kill) = &*lock(&self.kill) {
            kill.kill();
        }
    }

    /// Puts what the process says where it belongs.
    fn receive(
        &self,
        output: &mut impl io::Read,
        mut builder: ViewBuilder,
        max_size: u64,
    ) -> Result<ViewIndex, Ending> {
        let mut body = Vec::new();
        let (mut bytes, mut parts, mut told) = (0u64, 0usize, 0u32);
        loop {
            let (answer, t_ms) = match answer(output, &mut body) {
                Ok(Some(answer)) => answer,
                Ok(None) | Err(_) => return Err(Ending::Silent),
            };
            self.signs.fetch_add(1, Relaxed);
            match answer {
                Answer::Data => {
                    bytes += body.len() as u64;
                    builder.data(&body)?;
                }
                Answer::EndOfChunk => {
                    parts += 1;
                    builder.end_of_chunk(chunk(t_ms, &body).ok_or(Ending::Silent)?)?;
                }
                Answer::Thumbnail if body.len() <= THUMBNAIL => {
                    parts += 1;
                    bytes += body.len() as u64;
                    builder.thumbnail(t_ms, &body)?;
                }
                Answer::Watched | Answer::WatchedWhole => {
                    let messages = Bytes::from(std::mem::take(&mut body));
                    self.watchers.show(answer == Answer::WatchedWhole, &messages);
                    told = self.reached_ms.load(Relaxed);
                }
                Answer::Reached => {
                    self.reached_ms.fetch_max(t_ms, Relaxed);
                    if t_ms.saturating_sub(told) >= STILL {
                        // What they see is not old, it is still so.
                        let mut frame = Vec::new();
                        Message::Frame.put(t_ms, &mut frame);
                        self.watchers.show(false, &Bytes::from(frame));
                        told = t_ms;
                    }
                }
                Answer::Summary => *lock(&self.summary) = summary(&body)?,
                Answer::Done => return Ok(builder.finish(summary(&body)?)?),
                Answer::Failed => {
                    let why = String::from_utf8_lossy(&body).chars().take(500).collect();
                    return Err(Ending::Told(RenderError::Refused(why)));
                }
                Answer::Thumbnail => return Err(Ending::Silent),
            }
            if bytes > max_size {
                return Err(Ending::Told(RenderError::TooLarge));
            }
            if parts > PARTS {
                return Err(Ending::Silent);
            }
        }
    }
}

/// Why the process's answers end.
enum Ending {
    /// It ended without a word, or says what it never would.
    Silent,
    Told(RenderError),
}

impl From<ViewError> for Ending {
    fn from(error: ViewError) -> Self {
        Self::Told(error.into())
    }
}

fn summary(body: &[u8]) -> Result<ViewSummary, Ending> {
    let fits = body.len() <= SUMMARY;
    fits.then(|| serde_json::from_slice(body).ok()).flatten().ok_or(Ending::Silent)
}

fn chunk(from_ms: u32, body: &[u8]) -> Option<WrittenChunk> {
    let (bytes, rest) = body.split_first_chunk::<8>()?;
    let (plain, rest) = rest.split_first_chunk::<8>()?;
    let [w0, w1, h0, h1] = *rest.first_chunk::<4>()?;
    let size = Size { width: u16::from_le_bytes([w0, w1]), height: u16::from_le_bytes([h0, h1]) };
    let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    Some(WrittenChunk { from_ms, bytes: number(bytes), plain: number(plain), size })
}

/// Why nothing more is fed.
enum FeedError {
    Content(Ending),
    /// The process has gone, or was ended; its answers tell why.
    Gone,
}

impl From<io::Error> for FeedError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

struct Feeding<'a> {
    job: &'a Job,
    task: &'a Task,
    now_ms: &'a (dyn Fn() -> u32 + Sync),
    goes_on: &'a (dyn Fn() -> bool + Sync),
}

impl Feeding<'_> {
    /// Sends the process the recording's entries, as long as it grows.
    fn feed(&self, mut entries: impl Entries, mut feed: Feed) -> Result<(), FeedError> {
        let setup = Setup { protocol: self.task.protocol.clone(), length_ms: self.task.length_ms };
        let setup = serde_json::to_vec(&setup).map_err(io::Error::from)?;
        feed.send(Order::Setup, 0, &setup)?;
        let (mut last, mut since, mut watched) = (0, 0, Watched::default());
        let mut over = !(self.goes_on)();
        loop {
            match entries.next() {
                Some(Ok(entry)) => {
                    last = entry.t_ms.max(last);
                    since += entry.bytes.len();
                    self.entry(&entry, &mut feed)?;
                    if since < GLIMPSE {
                        continue;
                    }
                    since = 0;
                    self.job.length_ms.fetch_max(last, Relaxed);
                    if self.look(&mut feed, last, &mut watched)? {
                        feed.send(Order::Flush, last, &[])?;
                    }
                }
                Some(Err(error)) => return Err(FeedError::Content(Ending::Told(error.into()))),
                None if over => break,
                None => {
                    since = 0;
                    // Looked at before what may be the end is read.
                    over = !(self.goes_on)();
                    if over {
                        continue;
                    }
                    let now = (self.now_ms)().saturating_sub(LAG).max(last);
                    self.job.live.store(true, Relaxed);
                    self.job.length_ms.fetch_max(now, Relaxed);
                    self.look(&mut feed, now, &mut watched)?;
                    feed.send(Order::Flush, now, &[])?;
                    feed.flush()?;
                    std::thread::sleep(PAUSE);
                    if self.job.stopped.get().is_some() {
                        return Err(FeedError::Gone);
                    }
                }
            }
        }
        let end = self.task.length_ms.unwrap_or(last).max(last);
        self.job.length_ms.fetch_max(end, Relaxed);
        feed.send(Order::End, end, &[])?;
        Ok(feed.flush()?)
    }

    fn entry(&self, entry: &Entry, feed: &mut Feed) -> Result<(), FeedError> {
        let order = match entry.lane {
            Lane::Target => Order::Target,
            Lane::State => Order::State,
            // That there was input, not which.
            _ => return Ok(feed.send(Order::Input, entry.t_ms, &[])?),
        };
        Ok(feed.send(order, entry.t_ms, &entry.bytes)?)
    }

    /// Tells the process whether somebody watches, and whether they need a whole picture.
    fn look(&self, feed: &mut Feed, now: u32, watched: &mut Watched) -> Result<bool, FeedError> {
        let (watchers, waiting) = self.job.watchers.waiting();
        if (watchers > 0) != watched.told {
            watched.told = watchers > 0;
            feed.send(Order::Watched, now, &[u8::from(watchers > 0)])?;
        }
        if !waiting {
            watched.asked = None;
        } else if watched.asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            watched.asked = Some(Stopwatch::start());
            feed.send(Order::Whole, now, &[])?;
        }
        Ok(watchers > 0)
    }
}

/// What the process knows of those who watch.
#[derive(Default)]
struct Watched {
    told: bool,
    /// When a whole picture was asked for that has not come.
    asked: Option<Stopwatch>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
