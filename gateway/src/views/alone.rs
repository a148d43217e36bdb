//! Views that a command renders for itself: no gateway has to run, and nothing is left of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use passerelle_config::Views;
use passerelle_recorder::view::{ViewContents, ViewIndex};
use passerelle_recorder::{Class, Reader};
use serde_json::Value;
use tempfile::TempDir;

use super::job::{Job, LANES, RenderError, Task};
use super::{look_after, store_for_now};

/// How often is told how far it is.
const PERIOD: Duration = Duration::from_millis(100);

/// A view in a directory of its own, which is removed when this is dropped.
pub(crate) struct OwnView {
    /// What there is in it.
    pub(crate) index: ViewIndex,
    /// Its parts.
    pub(crate) contents: Arc<ViewContents>,
    _directory: TempDir,
}

/// Renders what `reader` reads up to `until_ms` (milliseconds since its start; its length, for all of it), for the caller
/// alone. Works without a gateway and on a copy.
///
/// The bytes of the recording are decoded by a process that can do nothing else, as the gateway does it; `views` says
/// what that process may take (`Views::default()` where there is no configuration). The picture at `until_ms` is exact.
///
/// The view is kept in the system's directory for temporary files (`TMPDIR`), where it may grow to `views.max_size`. It is
/// sealed under a key that is in the memory of this process only, so nobody can read what a crash leaves. `progress` is
/// told from time to time how much is done, from 0 to 1. Dropping the future ends the process and removes everything.
///
/// # Errors
/// `reader` has no key for the pictures, the recording is damaged, or the process cannot be started or comes to an end.
pub(crate) async fn render_alone(
    reader: Reader,
    until_ms: u32,
    views: &Views,
    progress: impl Fn(f64),
) -> Result<OwnView, RenderError> {
    if reader.missing().contains(&Class::Screen) {
        let why = if reader.erased().contains(&Class::Screen) {
            "the key of this recording's pictures was destroyed: nobody can see them again"
        } else {
            "this recording's pictures are sealed for others, and cannot be opened with this key"
        };
        return Err(RenderError::Content(why.to_owned()));
    }
    let protocol = reader.header().facts.get("protocol").and_then(Value::as_str).unwrap_or_default();
    let task = Task::new(protocol.to_owned(), Some(until_ms), views);
    let job = Arc::new(Job::default());
    let _stopped_when_dropped = Stop(Arc::clone(&job));
    let rendering = {
        let job = Arc::clone(&job);
        tokio::task::spawn_blocking(move || render(&job, &task, reader, until_ms))
    };
    let tell = async {
        loop {
            tokio::time::sleep(PERIOD).await;
            progress(job.progress());
        }
    };
    tokio::select! {
        rendered = rendering => rendered.unwrap_or_else(|error| Err(RenderError::Store(error.to_string()))),
        () = look_after(&job) => Err(RenderError::Stuck),
        () = tell => Err(RenderError::Stopped),
    }
}

fn render(job: &Job, task: &Task, reader: Reader, until_ms: u32) -> Result<OwnView, RenderError> {
    let directory = tempfile::Builder::new()
        .prefix("passerelle-")
        .tempdir()
        .map_err(|error| RenderError::Store(error.to_string()))?;
    let store = store_for_now(directory.path().to_owned())?;
    // Not the recording's name: whoever made the copy chose that.
    let builder = store.create("view")?;
    let contents = builder.contents();
    let entries = reader.only(&LANES);
    // What a running session adds meanwhile belongs to another view.
    let entries = entries.take_while(|entry| entry.as_ref().map_or(true, |entry| entry.t_ms <= until_ms));
    job.length_ms.store(until_ms, Relaxed);
    let index = job.run(task, entries, builder, &|| until_ms, &|| false)?;
    Ok(OwnView { index, contents, _directory: directory })
}

/// Ends a rendering whose result nobody waits for any more.
struct Stop(Arc<Job>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop(RenderError::Stopped);
    }
}
