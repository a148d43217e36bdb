//! Sending recordings to the object store, behind the local disk.
//!
//! What is on the disk says what there is to send, and a file beside each recording says what was sent. Whatever is lost
//! on the way, an answer, a connection or the gateway itself, the next pass goes on from there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use passerelle_auth::Timestamp;
use passerelle_config::ObjectStore;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use passerelle_recorder::{
    Complete, HEADER, Parts, PublicKey, STORED, State, Stored, Verdict, is_hidden, segment_name, sha256,
};
use tokio_util::sync::CancellationToken;

use crate::ambient;
use crate::gateway::Gateway;
use crate::remote::{Remote, RemoteError};
use crate::webhooks::pause;

/// How often to look what there is to send.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often to look at recordings that were sent as a whole, in case that somebody changed something of them.
const SETTLED: Duration = Duration::from_secs(10 * 60);
/// So many recordings are sent at a time. Of each one segment is in memory.
const TOGETHER: usize = 3;

/// Sends recordings until `stop`, if the configuration names an object store.
pub(crate) async fn upload(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut uploads = Uploads::default();
    let mut failures = 0;
    let mut told = false;
    loop {
        let passed = stop.run_until_cancelled(uploads.pass(&gateway)).await;
        let pause = match passed {
            None => return,
            Some(Ok(())) => {
                if std::mem::take(&mut told) {
                    tracing::info!("recordings are sent to the object store again");
                }
                failures = 0;
                INTERVAL
            }
            Some(Err(error)) => {
                gateway.metrics.upload("failed");
                // A store that takes some of it is not away.
                if uploads.progress.swap(false, Relaxed) {
                    failures = 0;
                }
                failures += 1;
                let mut chance = [0; 2];
                ambient::random(&mut chance);
                let pause = pause(failures, None, u16::from_ne_bytes(chance));
                let seconds = pause.as_secs_f64();
                // Told once; the metrics say how long it goes on.
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "recordings are not sent to the object store; trying again");
                } else {
                    tracing::debug!(%error, failures, seconds, "the object store fails again");
                }
                pause
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Why a pass was broken off.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("{0}")]
    Config(RemoteError),
    #[error("{}: {error}", path.display())]
    Local { path: PathBuf, error: std::io::Error },
    #[error("{0}")]
    Task(#[from] tokio::task::JoinError),
}

#[derive(Default)]
struct Uploads {
    /// When to look again at a recording that needs nothing now.
    next: HashMap<String, Timestamp>,
    /// What the configuration said when this was found out.
    config: Option<ObjectStore>,
    /// A recording whose turn was last when the store failed: others come first.
    last: Option<String>,
    /// Something was stored since this was last asked.
    progress: Arc<AtomicBool>,
}

/// What there is to do for a recording.
struct Work {
    id: String,
    dir: PathBuf,
    parts: Parts,
    stored: Stored,
    /// Nothing more is written to it.
    over: bool,
}

impl Work {
    /// Segments that can be sent now, each with its size.
    fn waiting(&self) -> impl Iterator<Item = (u32, u64)> {
        let last = self.parts.segments.last().map_or(0, |(number, _)| *number);
        let until = if self.over { last } else { last.saturating_sub(1) };
        let sent = self.stored.segments;
        self.parts.segments.iter().copied().filter(move |(number, _)| *number > sent && *number <= until)
    }

    /// Files in clear that the store has not or has otherwise.
    fn changed(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.parts.clear.iter().filter(|(name, bytes)| self.stored.clear.get(name) != Some(&sha256(bytes)))
    }
}

impl Uploads {
    async fn pass(&mut self, gateway: &Arc<Gateway>) -> Result<(), UploadError> {
        let remote = match gateway.remote() {
            None => return Ok(()),
            Some(remote) => remote.map_err(UploadError::Config)?,
        };
        let config = gateway.policy().config.recording.object_store.clone();
        if config != self.config {
            self.next.clear();
            self.config = config;
        }
        for id in std::mem::take(&mut *gateway.changed.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.next.remove(&id);
        }
        let now = ambient::now();
        let (looking, mut next) = (gateway.clone(), std::mem::take(&mut self.next));
        let looked = tokio::task::spawn_blocking(move || {
            let found = look(&looking, &mut next, now);
            (found, next)
        });
        let (found, next) = looked.await?;
        self.next = next;
        let mut works = found.map_err(|(path, error)| UploadError::Local { path, error })?;
        tell_lag(gateway, &works);
        if let Some(last) = &self.last {
            works.sort_by_key(|work| work.id == *last);
        }
        let send_one = |work: Work| {
            let (gateway, remote, progress) = (gateway.clone(), remote.clone(), self.progress.clone());
            async move { (work.id.clone(), send(&gateway, &remote, work, &progress).await) }
        };
        let works: Vec<_> = works.into_iter().map(send_one).collect();
        let mut sending = futures_util::stream::iter(works).buffer_unordered(TOGETHER);
        while let Some((id, sent)) = sending.next().await {
            match sent {
                Ok(settled) => {
                    if let Some(at) = settled {
                        self.next.insert(id, at);
                    }
                }
                Err(error) => {
                    self.last = Some(id);
                    return Err(error);
                }
            }
        }
        self.last = None;
        Ok(())
    }
}

/// Finds the recordings that need something.
fn look(
    gateway: &Gateway,
    next: &mut HashMap<String, Timestamp>,
    now: Timestamp,
) -> Result<Vec<Work>, (PathBuf, std::io::Error)> {
    let directory = gateway.policy().config.recordings_dir();
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err((directory, error)),
    };
    let mut works = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in entries.flatten() {
        let Ok(id) = entry.file_name().into_string() else { continue };
        if is_hidden(&id) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        seen.insert(id.clone());
        if next.get(&id).is_some_and(|at| *at > now) {
            continue;
        }
        let dir = entry.path();
        // Before the files are listed: what is over then has all of them.
        let over = !gateway.recorder.is_active(&id)
            && passerelle_recorder::summary(&dir).is_ok_and(|summary| summary.state != State::Open);
        let found = passerelle_recorder::parts(&dir).and_then(|parts| Ok((parts, Stored::load(&dir)?)));
        match found {
            Ok((parts, stored)) if stored.differs.is_none() && !parts.clear.is_empty() => {
                works.push(Work { id, dir, parts, stored, over });
            }
            Ok(_) => {
                next.insert(id, now.saturating_add(SETTLED));
            }
            // It was deleted meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::error!(session = id, %error, "a recording cannot be read to be sent");
                next.insert(id, now.saturating_add(SETTLED));
            }
        }
    }
    next.retain(|id, _| seen.contains(id));
    works.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(works)
}

/// Says in the metrics how far behind the store is.
fn tell_lag(gateway: &Gateway, works: &[Work]) {
    let bytes = works.iter().flat_map(Work::waiting).map(|(_, bytes)| bytes).sum();
    let written = |work: &Work| {
        let (number, _) = work.waiting().next()?;
        std::fs::metadata(work.dir.join(segment_name(number))).ok()?.modified().ok()
    };
    let oldest: Option<SystemTime> = works.iter().filter_map(written).min();
    let age = oldest.and_then(|oldest| ambient::wall().duration_since(oldest).ok());
    gateway.metrics.upload_lag(bytes, age.unwrap_or_default());
}

/// Sends what can be sent of a recording. Says when to look again if it needs nothing more for now.
async fn send(
    gateway: &Gateway,
    remote: &Remote,
    mut work: Work,
    progress: &AtomicBool,
) -> Result<Option<Timestamp>, UploadError> {
    match send_parts(gateway, remote, &mut work, progress).await {
        Err(UploadError::Remote(RemoteError::Differs(what))) => {
            differs(gateway, &mut work, what)?;
            return Ok(None);
        }
        sent => sent?,
    }
    if !work.over {
        return Ok(None);
    }
    if work.stored.complete.is_none() && !conclude(gateway, remote, &mut work).await? {
        return Ok(None);
    }
    let now = ambient::now();
    let settled = now.saturating_add(SETTLED);
    let keep = gateway.policy().config.recording.object_store.as_ref().and_then(|store| store.keep_local);
    let (Some(keep), Some(complete)) = (keep, &work.stored.complete) else { return Ok(Some(settled)) };
    let leaves = complete.at.parse::<Timestamp>().map_or(Timestamp::MAX, |at| at.saturating_add(keep.get()));
    if work.parts.segments.is_empty() || complete.root.is_none() {
        return Ok(Some(settled));
    }
    if leaves > now {
        return Ok(Some(leaves.min(settled)));
    }
    // Seen once more before the only other copy goes.
    if !is_whole(remote, &work).await? {
        let why = "the object store does not have all of it any more; the local copy stays".to_owned();
        differs(gateway, &mut work, why)?;
        return Ok(None);
    }
    let dir = work.dir.clone();
    let offloaded = tokio::task::spawn_blocking(move || passerelle_recorder::offload(&dir)).await?;
    offloaded.map_err(|error| UploadError::Local { path: work.dir, error })?;
    tracing::info!(session = work.id, "the local copy of a recording was removed; the object store has it");
    Ok(Some(settled))
}

async fn send_parts(
    gateway: &Gateway,
    remote: &Remote,
    work: &mut Work,
    progress: &AtomicBool,
) -> Result<(), UploadError> {
    let clear: Vec<_> = work.changed().cloned().collect();
    for (name, bytes) in clear {
        let hash = sha256(&bytes);
        if name == HEADER {
            remote.create(&work.id, &name, bytes).await?;
        } else {
            // Erasing destroys keys there as it did here.
            remote.replace(&work.id, &name, bytes).await?;
        }
        progress.store(true, Relaxed);
        work.stored.clear.insert(name, hash);
        save(work, false)?;
    }
    let gone: Vec<String> = work
        .stored
        .clear
        .keys()
        .filter(|name| !work.parts.clear.iter().any(|(known, _)| known == *name))
        .cloned()
        .collect();
    for name in gone {
        remote.discard(&work.id, &name).await?;
        work.stored.clear.remove(&name);
        save(work, false)?;
    }
    let waiting: Vec<_> = work.waiting().collect();
    for (number, _) in waiting {
        let dir = work.dir.clone();
        let read =
            tokio::task::spawn_blocking(move || passerelle_recorder::read_segment(&dir, number)).await?;
        let content = read.map_err(|error| UploadError::Local { path: work.dir.clone(), error })?;
        let bytes = content.len() as u64;
        remote.create(&work.id, &segment_name(number), content).await?;
        gateway.metrics.upload("stored");
        progress.store(true, Relaxed);
        work.stored.segments = number;
        work.stored.bytes += bytes;
        save(work, false)?;
    }
    Ok(())
}

/// Whether the store has every segment, each with the size that it has here.
async fn is_whole(remote: &Remote, work: &Work) -> Result<bool, UploadError> {
    let there = remote.parts(&work.id).await?;
    let segments = there.into_iter().filter(|(name, _)| name.ends_with(".seg"));
    let here = work.parts.segments.iter().map(|(number, bytes)| (segment_name(*number), *bytes));
    Ok(segments.eq(here))
}

/// Writes down that a recording is in the store as a whole. `false`: it is not.
async fn conclude(gateway: &Gateway, remote: &Remote, work: &mut Work) -> Result<bool, UploadError> {
    if !is_whole(remote, work).await? {
        let why = "the object store has other segments than this disk".to_owned();
        differs(gateway, work, why)?;
        return Ok(false);
    }
    let (dir, signer) = (work.dir.clone(), gateway.signer);
    let local = |error| UploadError::Local { path: work.dir.clone(), error };
    let described = tokio::task::spawn_blocking(move || describe(&dir, &signer)).await?;
    let (complete, found) = described.map_err(local)?;
    let root = complete.root.clone();
    work.stored.complete = Some(complete);
    // For whoever has nothing but the object store.
    if let Err(error) = remote.replace(&work.id, STORED, work.stored.encode()).await {
        work.stored.complete = None;
        return Err(error.into());
    }
    save(work, true)?;
    let outcome = if root.is_some() { Outcome::Success } else { Outcome::Failed };
    let event = AuditEvent::new(AuditKind::RecordingStored).session(&work.id).outcome(outcome).message(found);
    let event = event.detail("bytes", work.stored.bytes).detail("segments", work.stored.segments);
    gateway.audit.note(match root {
        Some(root) => event.detail("root", root),
        None => event,
    });
    tracing::info!(
        session = work.id,
        bytes = work.stored.bytes,
        "the object store has a recording as a whole"
    );
    Ok(true)
}

/// What to keep of a recording that is sent, and what it verifies as.
fn describe(dir: &Path, signer: &PublicKey) -> std::io::Result<(Complete, String)> {
    let summary = passerelle_recorder::summary(dir)?;
    let verification = passerelle_recorder::verify(dir, signer).map_err(std::io::Error::other)?;
    let root = match &verification.verdict {
        Verdict::Sealed { root, .. } | Verdict::Interrupted { root, .. } => Some(root.clone()),
        _ => None,
    };
    let complete = Complete {
        at: ambient::now().to_string(),
        root,
        state: summary.state,
        duration_ms: u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
    };
    Ok((complete, verification.verdict.to_string()))
}

/// Gives up a recording of which the store has something else. Somebody has to look.
fn differs(gateway: &Gateway, work: &mut Work, what: String) -> Result<(), UploadError> {
    tracing::error!(
        session = work.id,
        what,
        "the object store differs; nothing more of this recording is sent"
    );
    gateway.metrics.upload("differs");
    let event = AuditEvent::new(AuditKind::RecordingDiffers).session(&work.id).outcome(Outcome::Failed);
    gateway.audit.note(event.message(&*what));
    work.stored.differs = Some(what);
    save(work, true)
}

fn save(work: &Work, durably: bool) -> Result<(), UploadError> {
    let saved = if durably { work.stored.save_durably(&work.dir) } else { work.stored.save(&work.dir) };
    saved.map_err(|error| UploadError::Local { path: work.dir.clone(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_sent_when_nothing_more_is_written_to_it() {
        let work = |sent, over| Work {
            id: "one".into(),
            dir: PathBuf::new(),
            parts: Parts {
                clear: vec![("header.json".into(), b"{}".to_vec()), ("keys.json".into(), b"{}".to_vec())],
                segments: vec![(1, 10), (2, 20), (3, 30)],
            },
            stored: Stored {
                segments: sent,
                clear: [("keys.json".to_owned(), sha256(b"{}"))].into(),
                ..Stored::default()
            },
            over,
        };
        for (sent, over, waiting) in [
            (0, false, vec![1, 2]),
            (1, false, vec![2]),
            (2, false, vec![]),
            (2, true, vec![3]),
            (3, true, vec![]),
        ] {
            let found: Vec<_> = work(sent, over).waiting().map(|(number, _)| number).collect();
            assert_eq!(found, waiting, "{sent} sent, over: {over}");
        }
        let work = work(0, false);
        let changed: Vec<_> = work.changed().map(|(name, _)| name.as_str()).collect();
        assert_eq!(changed, ["header.json"]);
    }
}
