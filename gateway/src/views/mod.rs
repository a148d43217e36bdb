//! Views of recordings: rendering them, keeping them, and watching sessions while they run.
//!
//! What is rendered comes from the peers of a session, so the rendering is done by a process of its own that can do
//! nothing else (`confine`). This end reads the recording, feeds the process and keeps what it answers; when the
//! process ends early there is no view, and neither the recording nor the session notices.

mod alone;
mod confine;
mod eviction;
mod job;
mod process;
mod protocol;
#[cfg(test)]
mod sought;
mod watchers;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use passerelle_auth::Timestamp;
use passerelle_config::{Config, RenderMode};
use passerelle_recorder::view::{StoredView, ViewContents, ViewError, ViewIndex, ViewStore};
use passerelle_recorder::{Identity, Lane, SigningKey, Summary};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::ambient::{self, SystemClock};
use crate::collection::Recordings;
use crate::contents;
use crate::gateway::{Gateway, data};
use job::{Job, LANES, Task};

pub(crate) use alone::{OwnView, render_alone};
pub(crate) use eviction::follow;
pub(crate) use job::RenderError;
pub(crate) use watchers::Watcher;
pub(crate) use worker::work;

/// Running sessions that are rendered at a time.
const LIVE: usize = 32;
/// Those who watch one session.
const WATCHERS: usize = 32;
/// A process that says nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(300);
/// Failures that are remembered.
const FAILURES: usize = 1000;

/// All views of a gateway.
pub(crate) struct Views {
    store: Option<ViewStore>,
    jobs: Mutex<Jobs>,
    /// Renderings of recordings that are over.
    places: Arc<Semaphore>,
    live_places: Arc<Semaphore>,
}

#[derive(Default)]
struct Jobs {
    running: BTreeMap<String, Arc<Job>>,
    failed: BTreeMap<String, RenderError>,
    stopped: bool,
}

/// What there is of a view.
pub(crate) enum Found {
    /// Nothing, and nobody has asked for it.
    None,
    /// It waits for others to be rendered.
    Queued,
    /// It is being rendered, `progress` of it is done.
    Rendering {
        index: ViewIndex,
        progress: f64,
    },
    /// It grows with its session.
    Live {
        index: ViewIndex,
    },
    Ready {
        index: ViewIndex,
    },
    Failed(RenderError),
}

/// Why a session cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("the session is over; its recording can be viewed")]
    Over,
    #[error("{WATCHERS} people watch this session already")]
    Crowded,
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// A store of views in `directory`, sealed under a key that is nowhere but in the memory of this process.
fn store_for_now(directory: PathBuf) -> Result<ViewStore, ViewError> {
    let mut seed = Zeroizing::new([0; 32]);
    ambient::random(seed.as_mut_slice());
    let signer = SigningKey::from_seed(&seed);
    let signer = signer.ok_or_else(|| ViewError::Keys("no key can be made".to_owned()))?;
    store(directory, Identity::generate(), Arc::new(signer))
}

fn store(directory: PathBuf, identity: Identity, signer: Arc<SigningKey>) -> Result<ViewStore, ViewError> {
    ViewStore::new(directory, identity, signer, Arc::new(SystemClock::new()), Arc::new(ambient::random))
}

impl Views {
    /// The views in `config`'s data directory. Without a key that opens recordings there are none.
    pub(crate) fn open(config: &Config, signer: Arc<SigningKey>) -> Result<Self, ViewError> {
        let identity = Identity::load(&config.data_dir.join(data::IDENTITY)).ok();
        Self::with(config.data_dir.join(data::VIEWS), identity, signer, config.recording.views.workers)
    }

    /// The views in `directory`, sealed under a key that is nowhere but in this value.
    pub(crate) fn for_now(directory: PathBuf) -> Result<Self, ViewError> {
        Ok(Self::of(Some(store_for_now(directory)?), None))
    }

    fn with(
        directory: PathBuf,
        identity: Option<Identity>,
        signer: Arc<SigningKey>,
        workers: Option<u32>,
    ) -> Result<Self, ViewError> {
        let store = identity.map(|identity| store(directory, identity, signer)).transpose()?;
        Ok(Self::of(store, workers))
    }

    fn of(store: Option<ViewStore>, workers: Option<u32>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let places = workers.map_or(cores / 2, |workers| workers as usize).max(1);
        Self {
            store,
            jobs: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            live_places: Arc::new(Semaphore::new(LIVE)),
        }
    }

    /// What there is of the view of the recording `id`. Blocks.
    pub(crate) fn find(&self, id: &str) -> Found {
        {
            let jobs = self.lock();
            if let Some(job) = jobs.running.get(id) {
                return if !job.running.load(Relaxed) {
                    Found::Queued
                } else if job.live.load(Relaxed) {
                    Found::Live { index: job.index() }
                } else {
                    Found::Rendering { index: job.index(), progress: job.progress() }
                };
            }
            if let Some(error) = jobs.failed.get(id) {
                return Found::Failed(error.clone());
            }
        }
        match self.stored(id) {
            Ok(Some(view)) => Found::Ready { index: view.index },
            Ok(None) => Found::None,
            // It can be rendered again.
            Err(error) => Found::Failed(error.into()),
        }
    }

    /// The parts of a view, whether it is whole or still being rendered. Blocks.
    pub(crate) fn contents(&self, id: &str) -> Result<Option<(ViewIndex, Arc<ViewContents>)>, ViewError> {
        let job = self.lock().running.get(id).cloned();
        if let Some(job) = job {
            return Ok(job.contents().map(|contents| (job.index(), contents.clone())));
        }
        Ok(self.stored(id)?.map(|view| (view.index, view.contents)))
    }

    fn stored(&self, id: &str) -> Result<Option<StoredView>, ViewError> {
        self.store.as_ref().map_or(Ok(None), |store| store.open(id))
    }

    /// Ends all renderings, as the gateway stops.
    pub(crate) fn stop(&self) {
        // For those who wait for a place.
        self.places.close();
        self.live_places.close();
        let mut jobs = self.lock();
        jobs.stopped = true;
        for job in jobs.running.values() {
            job.stop(RenderError::Stopped);
        }
    }

    /// Whether none is being rendered, or waits to be.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().running.is_empty()
    }

    /// How many are being rendered.
    pub(crate) fn running(&self) -> usize {
        self.lock().running.values().filter(|job| job.running.load(Relaxed)).count()
    }

    /// Removes the view of a recording, and ends its rendering.
    pub(crate) fn remove(&self, id: &str) -> Result<(), ViewError> {
        let job = {
            let mut jobs = self.lock();
            jobs.failed.remove(id);
            jobs.running.get(id).cloned()
        };
        if let Some(job) = job {
            job.stop(RenderError::Stopped);
        }
        self.store.as_ref().map_or(Ok(()), |store| store.remove(id))
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the recording in `directory` rendered, unless it is or is being. Comes back at once.
pub(crate) async fn render(recordings: &Recordings, directory: PathBuf) -> Result<(), RenderError> {
    let store_error = |error: &dyn std::fmt::Display| RenderError::Store(error.to_string());
    let read = directory.clone();
    let summary = tokio::task::spawn_blocking(move || passerelle_recorder::summary(&read));
    let summary = summary.await.map_err(|error| store_error(&error))?;
    let summary = summary.map_err(|error| RenderError::Content(error.to_string()))?;
    let id = summary.header.id.clone();
    let goes_on = recordings.is_running(&id);
    if !goes_on {
        let (recordings, id) = (recordings.clone(), id.clone());
        let ready =
            tokio::task::spawn_blocking(move || matches!(recordings.views().stored(&id), Ok(Some(_))));
        if ready.await.unwrap_or(false) {
            return Ok(());
        }
    }
    let job = Arc::new(Job::default());
    {
        let mut jobs = recordings.views().lock();
        if jobs.stopped {
            return Err(RenderError::Stopped);
        }
        if jobs.running.contains_key(&id) {
            return Ok(());
        }
        jobs.failed.remove(&id);
        jobs.running.insert(id.clone(), job.clone());
    }
    let recordings = recordings.clone();
    // It is on the list of jobs, and the gateway's end ends it.
    tokio::spawn(async move {
        let started = ambient::Stopwatch::start();
        let rendered = run(&recordings, &job, &id, directory, &summary, goes_on).await;
        job.watchers.end();
        let mut jobs = recordings.views().lock();
        jobs.running.remove(&id);
        match rendered {
            Ok(index) => {
                drop(jobs);
                let bytes: u64 = index.chunks.iter().map(|chunk| chunk.bytes).sum();
                let seconds = u64::from(index.summary.duration_ms / 1000);
                recordings.rendered(Some((seconds, bytes)));
                tracing::info!(
                    recording = id,
                    seconds,
                    bytes,
                    took_ms = started.elapsed().as_millis() as u64,
                    "a view was rendered"
                );
            }
            Err(RenderError::Stopped) => {}
            Err(error) => {
                recordings.rendered(None);
                tracing::warn!(recording = id, %error, "a view was not rendered");
                if jobs.failed.len() >= FAILURES {
                    jobs.failed.pop_first();
                }
                jobs.failed.insert(id, error);
            }
        }
    });
    Ok(())
}

async fn run(
    recordings: &Recordings,
    job: &Arc<Job>,
    id: &str,
    directory: PathBuf,
    summary: &Summary,
    goes_on: bool,
) -> Result<ViewIndex, RenderError> {
    let views = recordings.views();
    let places = if goes_on { &views.live_places } else { &views.places };
    let _place = places.acquire().await.map_err(|_| RenderError::Stopped)?;
    let length_ms = u32::try_from(summary.duration.as_millis()).unwrap_or(u32::MAX);
    job.length_ms.store(length_ms, Relaxed);
    let begun = began(summary);
    let protocol = summary.header.facts.get("protocol").and_then(serde_json::Value::as_str);
    let task = Task::new(
        protocol.unwrap_or_default().to_owned(),
        (!goes_on).then_some(length_ms),
        &recordings.view_settings(),
    );
    let rendering = {
        let (recordings, job, id) = (recordings.clone(), job.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || {
            let identity = recordings.identity();
            let reader = contents::open(identity.as_ref(), &directory, &[Lane::Target, Lane::State])?;
            let Some(store) = &recordings.views().store else {
                return Err(RenderError::Content("this gateway has no key for recordings".into()));
            };
            let builder = store.create(&id)?;
            let now_ms = move || u32::try_from(ambient::now().since(begun).as_millis()).unwrap_or(u32::MAX);
            let rendered =
                job.run(&task, reader.only(&LANES), builder, &now_ms, &|| recordings.is_running(&id));
            if rendered.is_err()
                && let Err(error) = store.remove(&id)
            {
                tracing::warn!(recording = id, %error, "an unfinished view cannot be removed");
            }
            rendered
        })
    };
    tokio::select! {
        rendered = rendering => rendered.unwrap_or_else(|error| Err(RenderError::Store(error.to_string()))),
        () = look_after(job) => Err(RenderError::Stuck),
    }
}

/// Ends a process that says nothing any more.
async fn look_after(job: &Job) {
    let mut before = job.signs.load(Relaxed);
    loop {
        tokio::time::sleep(SILENCE).await;
        let signs = job.signs.load(Relaxed);
        if signs == before && job.running.load(Relaxed) {
            job.stop(RenderError::Stuck);
        }
        before = signs;
    }
}

/// When the recording began.
fn began(summary: &Summary) -> Timestamp {
    summary.header.started.parse().unwrap_or_else(|_| ambient::now())
}

/// Watches the session of the recording in `directory` while it runs; whatever the mode, it is rendered for that.
pub(crate) async fn watch(
    recordings: &Recordings,
    id: &str,
    directory: PathBuf,
) -> Result<Watcher, WatchError> {
    if !recordings.is_running(id) {
        return Err(WatchError::Over);
    }
    render(recordings, directory).await?;
    let job = recordings.views().lock().running.get(id).cloned();
    let job = match job {
        Some(job) => job,
        None => {
            let failed = recordings.views().lock().failed.get(id).cloned();
            return Err(failed.map_or(WatchError::Over, WatchError::Render));
        }
    };
    if job.watchers.waiting().0 >= WATCHERS {
        return Err(WatchError::Crowded);
    }
    Ok(job.watchers.join())
}

/// When a session to which these rules applied is rendered: as early as one of them says, or else as all are.
pub(crate) fn mode(config: &Config, rules: &[String]) -> RenderMode {
    let applied = config.rules.iter().filter(|rule| rules.contains(&rule.name));
    applied.filter_map(|rule| rule.views).min().unwrap_or(config.recording.views.mode)
}

/// A session that is recorded has begun.
pub(crate) async fn session_began(gateway: &Arc<Gateway>, id: &str, mode: RenderMode) {
    if mode == RenderMode::Live {
        render_for_session(gateway, id).await;
    }
}

/// A session's recording was sealed.
pub(crate) async fn session_ended(gateway: &Arc<Gateway>, id: &str, mode: RenderMode) {
    if mode == RenderMode::OnClose {
        render_for_session(gateway, id).await;
    }
}

async fn render_for_session(gateway: &Arc<Gateway>, id: &str) {
    if gateway.views.store.is_none() {
        return;
    }
    let directory = gateway.policy().config.recordings_dir().join(id);
    if let Err(error) = render(&Recordings(gateway.clone()), directory).await {
        tracing::warn!(recording = id, %error, "a view is not rendered");
    }
}

/// Names of the recordings that there are.
fn recordings(config: &Config) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(config.recordings_dir())? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use passerelle_config::SystemResolver;

    use super::*;

    #[test]
    fn the_earliest_that_a_rule_says_counts() {
        let rule = |name: &str, views: &str| {
            format!("  - {{ name: {name}, groups: [g], targets: ['*'], permissions: [view]{views} }}\n")
        };
        let text = format!(
            "listen: {{ vnc: '127.0.0.1:0' }}\nrecording: {{ views: {{ mode: on_close }} }}\nrules:\n{}{}{}",
            rule("silent", ""),
            rule("later", ", views: on_demand"),
            rule("now", ", views: live")
        );
        let config = Config::parse(&text, "p.yaml", &SystemResolver).unwrap().config;
        for (rules, wanted) in [
            (&["silent"][..], RenderMode::OnClose),
            (&["silent", "later"], RenderMode::OnDemand),
            (&["later", "now"], RenderMode::Live),
            (&[], RenderMode::OnClose),
        ] {
            let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
            assert_eq!(mode(&config, &rules), wanted, "{rules:?}");
        }
    }
}
