//! A recording of many hours: a short one whose pictures repeat, written by the recorder itself.
//!
//! A session in an encoding without compression that goes on from message to message (Hextile) can begin again
//! anywhere, for it begins with the whole screen. A quarter of the time is work; in the rest nothing happens.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use passerelle_recorder::{
    Clock, Entry, Identity, Lane, Random, Reader, Recorder, RecorderSettings, SigningKey,
};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

use super::lab::Lab;
use crate::bench::clock;

/// The VNC viewer's flags that have the server use Hextile.
pub(super) const ENCODING: [&str; 4] =
    ["-AutoSelect=0", "-FullColor=1", "-PreferredEncoding=Hextile", "-NoJPEG=1"];
/// The name of the recording.
const ID: &str = "long";
/// For each second of office work, so many in all: nobody works an hour without a pause.
pub(super) const SHARE: u64 = 4;
/// In a pause of so many milliseconds the server is not within a message.
const PAUSE: u32 = 300;
/// Length of what stands before the desktop's name in ServerInit, and where the name's length is (RFC 6143, 7.3.2).
const SERVER_INIT: usize = 24;
const NAME_LENGTH: usize = 20;

/// A clock that is set.
struct Set(AtomicU64);

impl Clock for Set {
    fn wall(&self) -> SystemTime {
        clock::wall()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Lab {
    /// Writes a recording of so many hours in which the one called `id` repeats, and answers with its name.
    pub(super) fn prolong(&self, id: &str, hours: u64) -> Result<String> {
        let identity = Identity::load(&self.data.join("recordings.age"))?;
        let reader = Reader::open(&self.recording(id), &identity)?;
        let header: Value = serde_json::to_value(&reader.header().facts)?;
        let entries: Vec<Entry> = reader.only(&[Lane::Target, Lane::State]).collect::<Result<_, _>>()?;
        let (head, body) = parts(&entries)?;
        ensure!(!body.is_empty(), "nothing of the session can be repeated");

        let elsewhere = self.directory.join("long");
        let random: Random = Arc::new(|bytes: &mut [u8]| {
            // There is no recording without randomness.
            if SystemRandom::new().fill(bytes).is_err() {
                std::process::abort();
            }
        });
        let signer =
            Arc::new(SigningKey::load_or_create(&self.data.join("signing.key"), &|bytes| random(bytes))?);
        let settings = RecorderSettings {
            directory: elsewhere.clone(),
            recipients: identity.recipients(),
            identity_file: None,
            min_free_bytes: 0,
            writers: 1,
        };
        let now = Arc::new(Set(AtomicU64::new(0)));
        let recorder = Recorder::start(settings, signer, Arc::clone(&now) as Arc<dyn Clock>, random)?;
        let recording = recorder.open(ID, &header)?;
        let waiting = tokio::runtime::Builder::new_current_thread().build()?;
        let put = |t_ms: u64, entry: &Entry| -> Result<()> {
            now.0.store(t_ms, Ordering::SeqCst);
            waiting.block_on(recording.ready())?;
            Ok(recording.append(entry.lane, &entry.bytes)?)
        };
        for entry in head {
            put(entry.t_ms.into(), entry)?;
        }
        let from = body.first().map_or(0, |entry| entry.t_ms);
        let length = u64::from(body.last().map_or(0, |entry| entry.t_ms) - from).max(1000);
        let end = hours * 3_600_000;
        let mut start = u64::from(from);
        while start + length < end {
            for entry in body {
                put(start + u64::from(entry.t_ms - from), entry)?;
            }
            start += length * SHARE;
        }
        now.0.store(end, Ordering::SeqCst);
        waiting.block_on(recording.close("synthesised"))?;
        drop(recorder);
        fs::rename(elsewhere.join(ID), self.recording(ID))?;
        Ok(ID.to_owned())
    }
}

/// What comes once, and what can be repeated: the entries after ServerInit and the last change of the pixel format, up to
/// the last pause, at whose place no message is incomplete.
fn parts(entries: &[Entry]) -> Result<(&[Entry], &[Entry])> {
    let init = entries
        .iter()
        .position(|entry| entry.lane == Lane::Target)
        .context("nothing came from the target")?;
    let format = entries.iter().rposition(|entry| entry.lane == Lane::State);
    let first = entries.get(init).map(|entry| &entry.bytes[..]).unwrap_or_default();
    let name =
        first.get(NAME_LENGTH..SERVER_INIT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let name = name.context("the target's first message is no ServerInit")?;
    ensure!(first.len() == SERVER_INIT + name as usize, "the first entry is not ServerInit alone");
    let begin = format.map_or(init, |format| format.max(init)) + 1;
    let later = entries.get(begin..).unwrap_or_default();
    let pause = later
        .windows(2)
        .rposition(|pair| matches!(pair, [one, other] if other.t_ms.saturating_sub(one.t_ms) >= PAUSE));
    let end = pause.context("the session never pauses")? + 1;
    Ok((entries.get(..begin).unwrap_or_default(), later.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(t_ms: u32, lane: Lane, bytes: &[u8]) -> Entry {
        Entry { seq: 0, t_ms, lane, bytes: bytes.to_vec() }
    }

    #[test]
    fn what_repeats_lies_between_the_last_format_and_the_last_pause() {
        let mut init = vec![0; SERVER_INIT];
        init[23] = 3;
        init.extend(b"abc");
        let entries = [
            entry(1, Lane::Target, &init),
            entry(5, Lane::State, b"format"),
            entry(9, Lane::Target, b"all"),
            entry(500, Lane::Target, b"some"),
            entry(900, Lane::Target, b"half of"),
        ];
        let (head, body) = parts(&entries).unwrap();
        assert_eq!((head, body), (&entries[..2], &entries[2..4]));
        assert!(parts(&entries[2..]).is_err());
        assert!(parts(&entries[..3]).is_err());
    }
}
