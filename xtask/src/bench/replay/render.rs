//! Rendering a recording.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lab::Lab;
use crate::bench::clock;

/// How long a rendering may take.
const PATIENCE: Duration = Duration::from_secs(1200);
/// A region that moves is in motion, for the view, after so long; chunks that begin later show it so, in milliseconds.
const MOVING: u64 = 8000;

/// A part of a view.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) number: u32,
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
    pub(super) bytes: u64,
}

/// A part of the time.
#[derive(Clone, Debug, Deserialize)]
struct Span {
    from_ms: u64,
    until_ms: u64,
}

/// What the API tells of a view.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Manifest {
    duration_ms: u64,
    pub(super) chunks: Vec<Chunk>,
    lossy: Vec<Span>,
    message: Option<String>,
}

/// What rendering came to.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Length of what is rendered, in seconds.
    pub(super) duration: f64,
    /// CPU seconds of the gateway and the process that renders.
    pub(super) cpu: f64,
    /// Seconds that it took.
    pub(super) took: f64,
    /// Bytes of its chunks.
    pub(super) bytes: u64,
    /// Bytes of its largest chunk.
    pub(super) largest: u64,
    /// Bytes a second once regions were in motion, if they were.
    pub(super) moving: Option<f64>,
    /// Seconds in which a part of it was not exact.
    pub(super) lossy: f64,
    /// From when on nothing could be drawn, and why.
    pub(super) message: Option<String>,
}

impl Lab {
    /// Has a recording rendered.
    pub(super) fn render(&mut self, id: &str) -> Result<View> {
        let path = format!("/api/v1/recordings/{id}/view");
        let process = self.gateway.process();
        let (began, used) = (clock::now(), process.cpu_seconds());
        let mut found = self.control()?.post(&path, &json!({}))?;
        let state = |found: &Value| found.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
        while ["queued", "rendering"].contains(&&*state(&found)) {
            ensure!(clock::now() < began + PATIENCE, "the view is not rendered: {found}");
            thread::sleep(Duration::from_millis(10));
            found = serde_json::from_slice(&self.control()?.get(&format!("{path}/progress"), None)?)?;
        }
        ensure!(state(&found) == "ready", "the view is not rendered: {found}");
        let took = clock::now().duration_since(began).as_secs_f64();
        let cpu = process.cpu_seconds() - used;
        let manifest = self.manifest(id, &self.view(id)?)?;
        let moving: Vec<&Chunk> = manifest.chunks.iter().filter(|chunk| chunk.from_ms >= MOVING).collect();
        let moved: u64 = moving.iter().map(|chunk| chunk.bytes).sum();
        let during: u64 = moving.iter().map(|chunk| chunk.until_ms - chunk.from_ms).sum();
        let lossy: u64 = manifest.lossy.iter().map(|span| span.until_ms - span.from_ms).sum();
        let bytes = manifest.chunks.iter().map(|chunk| chunk.bytes);
        Ok(View {
            duration: manifest.duration_ms as f64 / 1e3,
            cpu,
            took,
            bytes: bytes.clone().sum(),
            largest: bytes.max().unwrap_or(0),
            moving: (lossy > 0 && during > 0).then(|| moved as f64 * 1e3 / during as f64),
            lossy: lossy as f64 / 1e3,
            message: manifest.message,
        })
    }

    /// What lets us view a recording.
    pub(super) fn view(&self, id: &str) -> Result<String> {
        let path = format!("/api/v1/recordings/{id}/viewings");
        let answer = self.control()?.post(&path, &json!({ "reason": "to measure how long it takes" }))?;
        answer.get("viewing").and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{answer}"))
    }

    /// What there is of its view.
    pub(super) fn manifest(&self, id: &str, viewing: &str) -> Result<Manifest> {
        let path = format!("/api/v1/recordings/{id}/view");
        Ok(serde_json::from_slice(&self.control()?.get(&path, Some(viewing))?)?)
    }
}
