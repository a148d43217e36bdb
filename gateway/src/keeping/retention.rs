//! Deleting recordings whose time is over.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::Timestamp;
use passerelle_config::Config;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use passerelle_recorder::{State, Stored, Summary, Verdict, Verification, VerifyError, is_hidden};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ambient;
use crate::gateway::Gateway;

/// How long to leave alone what could not be deleted.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// What is known of the recordings whose time is not over.
pub(super) struct Retention {
    /// What the configuration said when this was found out.
    said: Vec<Option<Duration>>,
    /// When to look again.
    next: HashMap<String, Timestamp>,
    /// Recordings whose deletion the audit log has already.
    told: HashSet<String>,
}

/// A recording and why it is to go.
struct Expired {
    id: String,
    technician: Option<String>,
    target: Option<String>,
    /// How long it was kept.
    kept: Duration,
    ended: Timestamp,
}

impl Retention {
    /// Removes what an interrupted deletion left.
    pub(super) async fn new(gateway: &Gateway) -> Self {
        let directory = gateway.policy().config.recordings_dir();
        let swept = tokio::task::spawn_blocking(move || passerelle_recorder::sweep(&directory)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "what is left of deleted recordings cannot be removed");
        }
        Self { said: Vec::new(), next: HashMap::new(), told: HashSet::new() }
    }

    /// Deletes what is to be deleted now.
    pub(super) async fn run(&mut self, gateway: &Arc<Gateway>, stop: &CancellationToken) {
        let policy = gateway.policy();
        let said = said(&policy.config);
        if said.iter().all(Option::is_none) {
            return;
        }
        if said != self.said {
            self.next.clear();
            self.said = said;
        }
        let now = ambient::now();
        let mut next = std::mem::take(&mut self.next);
        let (at, looking) = (policy.clone(), gateway.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let expired = look(&looking, &at.config, &mut next, now);
            (expired, next)
        });
        let expired = match looked.await {
            Ok((expired, next)) => {
                self.next = next;
                expired
            }
            Err(error) => return tracing::error!(%error, "the recordings could not be looked through"),
        };
        for recording in expired {
            // The store may take its time to say that it does not answer.
            let Some(deleted) = stop.run_until_cancelled(self.delete(gateway, &recording)).await else {
                return;
            };
            if let Err(error) = deleted {
                let id = recording.id;
                tracing::error!(session = id, error, "a recording whose time is over could not be deleted");
                self.next.insert(id, now.saturating_add(AGAIN));
            }
        }
    }

    async fn delete(&mut self, gateway: &Arc<Gateway>, recording: &Expired) -> Result<(), String> {
        let directory = gateway.policy().config.recordings_dir();
        let _turn = gateway.keeping.lock().await;
        // Somebody may have thought of it meanwhile.
        if !matches!(passerelle_recorder::hold(&directory.join(&recording.id)), Ok(None)) {
            return Err("it is held now".to_owned());
        }
        if !self.told.contains(&recording.id) {
            let (dir, signer) = (directory.join(&recording.id), gateway.signer);
            let sent = Stored::load(&dir).unwrap_or_default();
            let verified = tokio::task::spawn_blocking(move || passerelle_recorder::verify(&dir, &signer));
            let verified = verified.await.map_err(|error| error.to_string())?;
            let event = deleted(recording, verified, sent);
            gateway.audit.append(event).await.map_err(|error| error.to_string())?;
            self.told.insert(recording.id.clone());
        }
        let remote = gateway.remote().transpose().map_err(|error| error.to_string())?;
        if let Some(remote) = &remote {
            remote.remove(&recording.id).await.map_err(|error| error.to_string())?;
        }
        let id = recording.id.clone();
        tokio::task::spawn_blocking(move || passerelle_recorder::remove(&directory, &id))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        gateway.views.remove(&recording.id).map_err(|error| error.to_string())?;
        gateway.index_forgets(&recording.id);
        // What was on its way there meanwhile.
        if let Some(remote) = &remote
            && let Err(error) = remote.remove(&recording.id).await
        {
            tracing::warn!(session = recording.id, %error, "something of a deleted recording is left in the object store");
        }
        self.told.remove(&recording.id);
        gateway.metrics.recording_deleted();
        tracing::info!(session = recording.id, "a recording was deleted: its time is over");
        Ok(())
    }
}

/// What the configuration says of how long recordings are kept.
fn said(config: &Config) -> Vec<Option<Duration>> {
    let rules = config.rules.iter().map(|rule| rule.retention.map(Duration::from));
    std::iter::once(config.recording.retention.map(Duration::from)).chain(rules).collect()
}

/// How long a recording with these facts is kept after its end: as long as one of the rules says that applied to its
/// session, or else as long as all are.
fn kept(config: &Config, facts: &Value) -> Option<Duration> {
    let applied = |name: &str| {
        facts["rules"].as_array().is_some_and(|rules| rules.iter().any(|rule| rule.as_str() == Some(name)))
    };
    let rules = config.rules.iter().filter(|rule| applied(&rule.name));
    let longest = rules.filter_map(|rule| rule.retention).max();
    longest.or(config.recording.retention).map(Duration::from)
}

/// Finds what has expired `now`; for everything else, keeps in `next` when it has to be looked at again.
fn look(
    gateway: &Gateway,
    config: &Config,
    next: &mut HashMap<String, Timestamp>,
    now: Timestamp,
) -> Vec<Expired> {
    let directory = config.recordings_dir();
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::error!(%error, "the recordings cannot be listed");
            return Vec::new();
        }
    };
    let mut seen = HashSet::new();
    let mut expired = Vec::new();
    for entry in entries.flatten() {
        let Ok(id) = entry.file_name().into_string() else { continue };
        if is_hidden(&id) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        seen.insert(id.clone());
        if next.get(&id).is_some_and(|at| *at > now) || gateway.recorder.is_active(&id) {
            continue;
        }
        match due(&entry.path(), config, now) {
            Ok(recording) => expired.push(recording),
            Err(at) => {
                next.insert(id, at);
            }
        }
    }
    next.retain(|id, _| seen.contains(id));
    expired
}

/// The recording in `dir`, if it has expired; otherwise when to look again.
fn due(dir: &Path, config: &Config, now: Timestamp) -> Result<Expired, Timestamp> {
    let again = now.saturating_add(AGAIN);
    // What cannot be read cannot be judged, and is kept.
    let Summary { header, duration, state, .. } = passerelle_recorder::summary(dir).map_err(|_| again)?;
    let started: Timestamp = header.started.parse().map_err(|_| again)?;
    let Some(kept) = kept(config, &header.facts) else { return Err(Timestamp::MAX) };
    if state == State::Open {
        return Err(again);
    }
    let ended = started.saturating_add(duration);
    let at = ended.saturating_add(kept);
    if at > now {
        return Err(at);
    }
    match passerelle_recorder::hold(dir) {
        Ok(None) => {}
        // Whoever releases it wants it gone soon.
        Ok(Some(_)) => return Err(now.saturating_add(Duration::from_secs(10))),
        Err(error) => {
            tracing::error!(path = %dir.display(), %error, "a hold cannot be read; the recording is kept");
            return Err(again);
        }
    }
    let fact = |name: &str| header.facts[name].as_str().map(str::to_owned);
    let (technician, target) = (fact("technician"), fact("target"));
    Ok(Expired { id: header.id, technician, target, kept, ended })
}

/// What the audit log keeps of a recording that is about to be deleted.
fn deleted(recording: &Expired, verified: Result<Verification, VerifyError>, sent: Stored) -> AuditEvent {
    let mut event = AuditEvent::new(AuditKind::RecordingDeleted)
        .session(&recording.id)
        .outcome(Outcome::Success)
        .message("its time is over")
        .detail("ended", recording.ended.to_string())
        .detail("kept_seconds", recording.kept.as_secs());
    event.technician.clone_from(&recording.technician);
    event.target.clone_from(&recording.target);
    match verified {
        Ok(found) => {
            let event = match &found.verdict {
                Verdict::Sealed { root, .. } | Verdict::Interrupted { root, .. } => {
                    event.detail("root", root.as_str())
                }
                _ => event,
            };
            event.detail("found", found.verdict.to_string()).detail("bytes", found.bytes)
        }
        // What only the object store has is not read once more for this.
        Err(VerifyError::Elsewhere(_)) => {
            let root = sent.complete.and_then(|complete| complete.root).unwrap_or_default();
            event.detail("root", root).detail("found", "in the object store").detail("bytes", sent.bytes)
        }
        Err(error) => event.detail("found", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use passerelle_config::SystemResolver;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_rule_counts_and_then_the_default() {
        let text = "listen: { vnc: '127.0.0.1:0' }\nusers: [{ name: a }]\n\
                    rules:\n\
                    - { name: short, users: [a], targets: ['*'], permissions: [view], retention: 1d }\n\
                    - { name: long, users: [a], targets: ['*'], permissions: [view], retention: 30d }\n\
                    - { name: silent, users: [a], targets: ['*'], permissions: [view] }\n";
        let parse =
            |more: &str| Config::parse(&format!("{text}{more}"), "p.yaml", &SystemResolver).unwrap().config;
        let day = Duration::from_secs(24 * 60 * 60);
        let (without, with) = (parse(""), parse("recording: { retention: 90d }\n"));
        for (rules, alone, beside) in [
            (json!(["short"]), Some(day), Some(day)),
            (json!(["short", "long"]), Some(day * 30), Some(day * 30)),
            (json!(["silent", "short"]), Some(day), Some(day)),
            (json!(["silent"]), None, Some(day * 90)),
            (json!(["renamed"]), None, Some(day * 90)),
            (json!(null), None, Some(day * 90)),
        ] {
            let facts = json!({ "rules": rules });
            assert_eq!(kept(&without, &facts), alone, "{rules}");
            assert_eq!(kept(&with, &facts), beside, "{rules}");
        }
    }
}
