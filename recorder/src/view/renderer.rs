//! From the entries of a recording to a view.

use std::io;

use passerelle_desktop::{Blackout, Damage, Decoder, Size};
use serde::{Deserialize, Serialize};

use super::activity::{Activity, Span};
use super::writer::{Scene, ViewSink, ViewWriter};
use crate::Lane;

/// At most one frame in so many milliseconds: some thirty a second.
const FRAME: u32 = 33;
/// How many kinds of what could not be drawn are listed.
const SKIPPED: usize = 100;
/// How many spans of whose screen nothing was kept are listed.
const BLACKOUTS: usize = 10_000;

/// What a view says of itself besides its chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSummary {
    /// Length of what was rendered, in milliseconds.
    pub duration_ms: u32,
    /// The widest picture, in pixels.
    pub width: u16,
    /// The highest picture, in pixels.
    pub height: u16,
    /// How much happened when.
    pub activity: Activity,
    /// When nothing happened.
    pub idle: Vec<Span>,
    /// When a part of the picture was in motion and is not exact.
    pub lossy: Vec<Span>,
    /// When nothing of the screen was kept.
    #[serde(default)]
    pub blackouts: Vec<BlackoutSpan>,
    /// What could not be drawn.
    pub skipped: Vec<SkippedPart>,
    /// From when on nothing could be drawn any more, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
}

/// A span of whose screen nothing was kept. The picture is black.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlackoutSpan {
    /// From here on, in milliseconds.
    pub from_ms: u32,
    /// Up to here.
    pub until_ms: u32,
    /// Who asked for it, and why.
    #[serde(flatten)]
    pub asked: Blackout,
}

/// Something that is not in a view's pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedPart {
    /// What it is: a noun in the plural.
    pub what: String,
    /// How many of it.
    pub count: u64,
}

/// Where the drawing of a recording ended before the recording did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// When.
    pub t_ms: u32,
    /// Why, in a sentence.
    pub message: String,
}

/// Draws the entries of a recording and writes what is to be seen as a view.
///
/// Everything that comes in 33 ms becomes one frame, at the time of the last of it: a frame shows the picture exactly
/// as it was then.
pub struct Renderer {
    decoder: Box<dyn Decoder>,
    writer: ViewWriter,
    damage: Damage,
    /// When the first came of what no frame shows yet.
    waiting_since: Option<u32>,
    /// The time of the last entry.
    last: u32,
    /// The time of the last frame.
    shown: Option<u32>,
    largest: Size,
    stopped: Option<Stopped>,
    blackouts: Vec<BlackoutSpan>,
    /// The last of them goes on.
    dark: bool,
    roll: bool,
}

impl Renderer {
    /// Renders what `decoder` draws. The length of the recording, if it is known, decides how many thumbnails there are.
    #[must_use]
    pub fn new(decoder: Box<dyn Decoder>, length_ms: Option<u32>) -> Self {
        Self {
            decoder,
            writer: ViewWriter::new(length_ms),
            damage: Damage::new(),
            waiting_since: None,
            last: 0,
            shown: None,
            largest: Size { width: 0, height: 0 },
            stopped: None,
            blackouts: Vec::new(),
            dark: false,
            roll: false,
        }
    }

    /// Takes an entry of one of the screen's lanes; others are passed over. Times never go back.
    ///
    /// What the decoder cannot go on with ends the drawing and not the view: the picture stays as it is, and the
    /// summary says so.
    ///
    /// # Errors
    /// The sink's.
    pub fn entry(&mut self, lane: Lane, t_ms: u32, bytes: &[u8], sink: &mut dyn ViewSink) -> io::Result<()> {
        let t_ms = t_ms.max(self.last);
        self.advance(t_ms, sink)?;
        self.last = t_ms;
        if self.stopped.is_some() {
            return Ok(());
        }
        let fed = match lane {
            Lane::State => self.decoder.state(bytes),
            Lane::Target => self.decoder.target(bytes),
            _ => return Ok(()),
        };
        if let Err(error) = fed {
            self.stopped = Some(Stopped { t_ms, message: error.to_string() });
        }
        self.follow_blackout(t_ms);
        let damage = self.decoder.take_damage();
        let changed = !damage.is_empty() || self.writer.points_elsewhere(scene(&*self.decoder));
        self.damage.add_all(&damage);
        if changed {
            self.waiting_since.get_or_insert(t_ms);
        }
        Ok(())
    }

    fn follow_blackout(&mut self, t_ms: u32) {
        match self.decoder.blackout() {
            Some(asked) if !self.dark && self.blackouts.len() < BLACKOUTS => {
                let span = BlackoutSpan { from_ms: t_ms, until_ms: t_ms, asked: asked.clone() };
                self.blackouts.push(span);
                self.dark = true;
            }
            None if self.dark => {
                if let Some(span) = self.blackouts.last_mut() {
                    span.until_ms = t_ms;
                }
                self.dark = false;
            }
            _ => {}
        }
    }

    /// Somebody typed or pointed at `t_ms`.
    pub fn input(&mut self, t_ms: u32) {
        self.writer.input(t_ms);
    }

    /// Has a chunk begin with the next [`flush`](Self::flush), for somebody who comes to watch.
    pub fn roll(&mut self) {
        self.roll = true;
    }

    /// Whether somebody watches, so that messages also go to the sink as they are.
    pub fn watched(&mut self, on: bool) {
        self.writer.tap(on);
    }

    /// Everything until `t_ms` has come: shows it to those who watch.
    ///
    /// # Errors
    /// The sink's.
    pub fn flush(&mut self, t_ms: u32, sink: &mut dyn ViewSink) -> io::Result<()> {
        let t_ms = t_ms.max(self.last);
        self.advance(t_ms, sink)?;
        let paused = self.shown.is_none_or(|shown| t_ms.saturating_sub(shown) >= FRAME);
        if self.waiting_since.is_some() && paused || self.roll && self.has_picture() {
            if std::mem::take(&mut self.roll) {
                self.writer.roll();
            }
            self.show(self.last, sink)?;
        }
        self.writer.flush(sink)
    }

    /// Ends the view at `t_ms` and answers with what there is to say about it.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self, t_ms: u32, sink: &mut dyn ViewSink) -> io::Result<ViewSummary> {
        let t_ms = t_ms.max(self.last);
        self.advance(t_ms, sink)?;
        if self.waiting_since.is_some() || self.shown.is_none() {
            self.show(self.last, sink)?;
        }
        self.writer.settle(t_ms, scene(&*self.decoder), sink)?;
        self.writer.finish(sink)?;
        Ok(self.summary(t_ms))
    }

    /// What there is to say about the view until `t_ms`.
    #[must_use]
    pub fn summary(&self, t_ms: u32) -> ViewSummary {
        let (activity, idle, lossy) = self.writer.happened(t_ms);
        let mut blackouts = self.blackouts.clone();
        if let Some(open) = blackouts.last_mut().filter(|_| self.dark) {
            open.until_ms = t_ms.max(open.from_ms);
        }
        let skipped = self.decoder.skipped().iter().take(SKIPPED);
        ViewSummary {
            duration_ms: t_ms,
            width: self.largest.width,
            height: self.largest.height,
            activity,
            idle,
            lossy,
            blackouts,
            skipped: skipped
                .map(|skipped| SkippedPart { what: skipped.what.to_string(), count: skipped.count })
                .collect(),
            stopped: self.stopped.clone(),
        }
    }

    /// Shows what is due before something comes at `t_ms`.
    fn advance(&mut self, t_ms: u32, sink: &mut dyn ViewSink) -> io::Result<()> {
        if let Some(since) = self.waiting_since
            && t_ms > self.last
            && t_ms - since >= FRAME
        {
            self.show(self.last, sink)?;
        }
        while let Some(due) = self.writer.next_due()
            && due < t_ms
            && self.last < t_ms
        {
            self.last = self.last.max(due);
            self.show(self.last, sink)?;
        }
        Ok(())
    }

    /// Whether there is anything to show: before the target says how large its desktop is, there is not.
    fn has_picture(&self) -> bool {
        self.decoder.framebuffer().size().pixels() > 1
    }

    fn show(&mut self, t_ms: u32, sink: &mut dyn ViewSink) -> io::Result<()> {
        self.waiting_since = None;
        if !self.has_picture() && self.shown.is_none() && self.stopped.is_none() {
            return Ok(());
        }
        let scene = scene(&*self.decoder);
        let size = scene.picture.size();
        self.largest.width = self.largest.width.max(size.width);
        self.largest.height = self.largest.height.max(size.height);
        self.shown = Some(t_ms);
        self.writer.frame(t_ms, scene, &std::mem::take(&mut self.damage), sink)
    }
}

fn scene(decoder: &dyn Decoder) -> Scene<'_> {
    Scene { picture: decoder.framebuffer(), pointer: decoder.pointer(), position: decoder.pointer_position() }
}
