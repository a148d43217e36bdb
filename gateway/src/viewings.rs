//! Who views which recording, and what of it they were shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use passerelle_auth::{Pepper, Seal, Timestamp};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::gateway::Gateway;

/// How long a viewing lasts at most.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// How often the audit log tells what was shown.
const TOLD: Duration = Duration::from_secs(60);

/// How many spans an event has at most; those with the least between them are told as one.
const SPANS: usize = 64;

/// The viewings of recordings.
///
/// What lets somebody view is sealed under a key derived from the pepper and kept by whoever views, so every node of a
/// store knows it and none has to remember it.
pub(crate) struct Viewings {
    seal: Seal,
    /// By viewing, what the audit log does not tell yet. Each entry is small and gone after a minute, and making one
    /// takes an event in the log.
    shown: Mutex<BTreeMap<String, Shown>>,
}

/// What lets somebody view a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// The name of the viewing.
    pub(crate) viewing: String,
    /// Of which recording.
    pub(crate) recording: String,
    /// Who views.
    pub(crate) caller: Caller,
    /// When it is over.
    pub(crate) expires_at: Timestamp,
}

/// Who views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// The name in the audit log.
    pub(crate) by: String,
    /// Whether they came by the control socket.
    pub(crate) owner: bool,
    /// The hash of the login's token, if the gateway issued one.
    pub(crate) token: Option<String>,
}

/// Why somebody may not view a recording now.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ViewingError {
    #[error("this is no viewing of this gateway's")]
    Unknown,
    #[error("this viewing is of another recording")]
    OtherRecording,
    #[error("this viewing is another caller's, or of another login")]
    OtherCaller,
    #[error("the viewing has expired")]
    Expired,
}

/// What can be shown of a recording.
#[allow(dead_code, reason = "not all of it is shown yet")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// The picture.
    Picture,
    /// The picture of a session while it runs.
    Live,
    /// Small pictures.
    Thumbnails,
    /// Events.
    Events,
    /// What the viewer sent: pointer and keys.
    Input,
}

impl Content {
    /// The name in the audit log.
    const fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Live => "live",
            Self::Thumbnails => "thumbnails",
            Self::Events => "events",
            Self::Input => "input",
        }
    }
}

/// What was shown in one viewing.
struct Shown {
    recording: String,
    by: String,
    spans: BTreeMap<Content, Spans>,
}

impl Viewings {
    pub(crate) fn new(pepper: &Pepper) -> Self {
        Self { seal: Seal::new(pepper, "viewing"), shown: Mutex::default() }
    }

    /// A new viewing, and what its viewer has to show each time.
    pub(crate) fn begin(
        &self,
        recording: &str,
        caller: Caller,
        until: Option<Timestamp>,
        now: Timestamp,
        random: passerelle_auth::Random<'_>,
    ) -> (Pass, String) {
        let mut viewing = [0; 8];
        random(&mut viewing);
        let longest = now.saturating_add(LIFE);
        let pass = Pass {
            viewing: HEXLOWER.encode(&viewing),
            recording: recording.to_owned(),
            caller,
            expires_at: until.map_or(longest, |until| until.min(longest)),
        };
        let clear = serde_json::to_vec(&pass).unwrap_or_default();
        let sealed = self.seal.seal("", &clear, random);
        (pass, BASE64URL_NOPAD.encode(&sealed))
    }

    /// The viewing that `shown` stands for.
    ///
    /// # Errors
    /// It is none, or not this caller's of this recording at this time.
    pub(crate) fn check(
        &self,
        shown: &str,
        recording: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Pass, ViewingError> {
        let sealed = BASE64URL_NOPAD.decode(shown.as_bytes()).map_err(|_| ViewingError::Unknown)?;
        let clear = self.seal.open("", &sealed).ok_or(ViewingError::Unknown)?;
        let pass: Pass = serde_json::from_slice(&clear).map_err(|_| ViewingError::Unknown)?;
        if pass.caller != *caller {
            Err(ViewingError::OtherCaller)
        } else if pass.recording != recording {
            Err(ViewingError::OtherRecording)
        } else if pass.expires_at <= now {
            Err(ViewingError::Expired)
        } else {
            Ok(pass)
        }
    }

    /// Remembers that a span in milliseconds was shown, for the audit log.
    pub(crate) fn shown(&self, pass: &Pass, content: Content, from_ms: u64, until_ms: u64) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shown.entry(pass.viewing.clone()).or_insert_with(|| Shown {
            recording: pass.recording.clone(),
            by: pass.caller.by.clone(),
            spans: BTreeMap::new(),
        });
        entry.spans.entry(content).or_default().add(from_ms, until_ms);
    }

    /// What was shown since the last call, as events.
    pub(crate) fn take(&self) -> Vec<AuditEvent> {
        let shown = std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner));
        let event = |(viewing, shown): (String, Shown)| {
            let mut event = AuditEvent::new(AuditKind::RecordingViewed)
                .session(shown.recording)
                .outcome(Outcome::Success)
                .detail("by", shown.by)
                .detail("viewing", viewing);
            for (content, spans) in shown.spans {
                event = event.detail(content.name(), json!(spans.0));
            }
            event
        };
        shown.into_iter().map(event).collect()
    }
}

/// Tells the audit log every minute what was shown.
pub(crate) async fn follow(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(TOLD).await;
        gateway.tell_viewed();
    }
}

impl Gateway {
    /// Tells the audit log what was shown since it was told last.
    pub(crate) fn tell_viewed(&self) {
        for event in self.viewings.take() {
            self.audit.note(event);
        }
    }
}

/// Times that do not touch each other, in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spans(Vec<(u64, u64)>);

impl Spans {
    fn add(&mut self, from: u64, until: u64) {
        let (mut from, mut until) = (from, until.max(from));
        self.0.retain(|&(start, end)| {
            let apart = end < from || start > until;
            if !apart {
                (from, until) = (from.min(start), until.max(end));
            }
            apart
        });
        let place = self.0.partition_point(|&(start, _)| start < from);
        self.0.insert(place, (from, until));
        if self.0.len() > SPANS {
            let gaps = self.0.windows(2).map(|pair| pair[1].0 - pair[0].1).enumerate();
            if let Some((first, _)) = gaps.min_by_key(|&(_, gap)| gap) {
                let (_, end) = self.0.remove(first + 1);
                self.0[first].1 = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewings(pepper: u8) -> Viewings {
        Viewings::new(&Pepper::from_bytes([pepper; 32]))
    }

    fn caller(by: &str, token: Option<&str>) -> Caller {
        Caller { by: by.to_owned(), owner: false, token: token.map(str::to_owned) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_viewing_is_good_for_its_caller_recording_and_time_on_every_node() {
        let (one, other) = (viewings(1), viewings(1));
        let rita = caller("rita", Some("aa"));
        let mut random = |bytes: &mut [u8]| bytes.fill(7);
        let (pass, shown) = one.begin("r1", rita.clone(), None, at(0), &mut random);
        assert_eq!(pass.expires_at, at(12 * 3600));
        assert_eq!(other.check(&shown, "r1", &rita, at(100)), Ok(pass));
        for (recording, caller, time, error) in [
            ("r2", rita.clone(), 1, ViewingError::OtherRecording),
            ("r1", caller("eve", Some("aa")), 1, ViewingError::OtherCaller),
            ("r1", caller("rita", Some("bb")), 1, ViewingError::OtherCaller),
            ("r1", caller("rita", None), 1, ViewingError::OtherCaller),
            ("r1", Caller { owner: true, ..rita.clone() }, 1, ViewingError::OtherCaller),
            ("r1", rita.clone(), 12 * 3600, ViewingError::Expired),
        ] {
            assert_eq!(other.check(&shown, recording, &caller, at(time)), Err(error));
        }
        assert_eq!(viewings(2).check(&shown, "r1", &rita, at(1)), Err(ViewingError::Unknown));
        for wrong in ["", "x", "====", &shown[1..], &format!("{shown}A")] {
            assert_eq!(one.check(wrong, "r1", &rita, at(1)), Err(ViewingError::Unknown), "{wrong}");
        }
        let (short, _) = one.begin("r1", rita, Some(at(60)), at(0), &mut random);
        assert_eq!(short.expires_at, at(60), "it ends with the login");
    }

    #[test]
    fn what_was_shown_is_summed_up() {
        let viewings = viewings(1);
        let (pass, _) = viewings.begin("r1", caller("rita", None), None, at(0), &mut |bytes| bytes.fill(7));
        for (from, until) in [(0, 1000), (5000, 6000), (1000, 2000), (5500, 5600)] {
            viewings.shown(&pass, Content::Picture, from, until);
        }
        viewings.shown(&pass, Content::Input, 10, 20);
        let events = viewings.take();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].session.as_deref(), Some("r1"));
        assert_eq!(events[0].detail["picture"], json!([[0, 2000], [5000, 6000]]));
        assert_eq!(events[0].detail["input"], json!([[10, 20]]));
        assert_eq!(events[0].detail["by"], "rita");
        assert!(viewings.take().is_empty(), "it is told once");
    }

    #[test]
    fn many_spans_are_told_as_few_that_cover_them() {
        let mut spans = Spans::default();
        for at in 0..1000_u64 {
            spans.add(at * at, at * at);
        }
        assert_eq!(spans.0.len(), SPANS);
        assert!((0..1000).all(|at| spans.0.iter().any(|&(from, until)| (from..=until).contains(&(at * at)))));
        assert_eq!(spans.0.last(), Some(&(999 * 999, 999 * 999)), "what lies far apart stays apart");
    }
}
