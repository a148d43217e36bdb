//! From pictures to chunks of messages.

use std::io;

use passerelle_desktop::{Damage, Framebuffer, Pointer, Rect, Size};

use super::activity::{Meter, Span, add_span};
use super::jpeg;
use super::message::{Message, raw_bands};
use super::motion::Motion;
use super::pointer;
use super::stream::Stream;
use super::tiles::{Changed, Shown, join};

/// A chunk holds this many whole screens of pixels besides its key frame...
const SCREENS: u64 = 20;
/// ...but no more than this many bytes of them, so that no seek takes long: browsers decompress some 200 MB a second...
const PLAIN: u64 = 24 << 20;
/// ...and this many screens at any size.
const FEWEST_SCREENS: u64 = 3;
/// What a message has besides its pixels, in bytes: many small ones make a long chunk, too.
const HEAD: u64 = 17;
/// A chunk that is older ends when something changes, in milliseconds.
const OLDEST: u32 = 300_000;
/// Thumbnails of a recording whose length is known.
const THUMBNAILS: u32 = 50;
/// The shortest time between two thumbnails, in milliseconds.
const BETWEEN: u32 = 2000;

/// Takes what a [`ViewWriter`] writes.
pub trait ViewSink {
    /// The next bytes of the open chunk's zstd stream.
    ///
    /// # Errors
    /// They cannot be taken; the view cannot go on.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The chunk is whole.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    fn end_of_chunk(&mut self, chunk: WrittenChunk) -> io::Result<()>;

    /// What the picture looked like at a time: a JPEG file.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    fn thumbnail(&mut self, t_ms: u32, file: &[u8]) -> io::Result<()>;

    /// A frame's messages as they are, for those who watch; `whole` if they begin a chunk. Only while the writer is
    /// [`tapped`](ViewWriter::tap).
    ///
    /// # Errors
    /// As [`data`](Self::data).
    fn watched(&mut self, whole: bool, messages: &[u8]) -> io::Result<()>;
}

/// A chunk of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenChunk {
    /// The time of its key frame, in milliseconds since the recording's start.
    pub from_ms: u32,
    /// Size of its zstd stream in bytes.
    pub bytes: u64,
    /// Size of its messages in bytes.
    pub plain: u64,
    /// The size of its picture.
    pub size: Size,
}

/// What there is to see at a time.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The picture, without the pointer.
    pub picture: &'a Framebuffer,
    /// The pointer.
    pub pointer: &'a Pointer,
    /// Where the target put the pointer.
    pub position: Option<(u16, u16)>,
}

/// Writes pictures as a view. Holds one picture, one chunk's compressor (some 20 MiB) and a few numbers for each tile.
pub struct ViewWriter {
    chunk: Option<Chunk>,
    shown: Option<Shown>,
    motion: Motion,
    pointer: Option<Pointer>,
    position: Option<(u16, u16)>,
    meter: Meter,
    lossy: Vec<Span>,
    /// Since when regions are in motion.
    moving_since: Option<u32>,
    length_ms: Option<u32>,
    next_thumbnail: u32,
    /// The next frame begins a chunk.
    roll: bool,
    buffer: Vec<u8>,
    tap: Option<Tap>,
}

/// The messages of a frame for those who watch.
#[derive(Default)]
struct Tap {
    whole: bool,
    messages: Vec<u8>,
}

struct Chunk {
    stream: Stream,
    from_ms: u32,
    size: Size,
    /// Bytes of messages after which the chunk ends.
    limit: u64,
    written: u64,
}

impl ViewWriter {
    /// A view of a recording of this length, if that is known: it decides how many thumbnails there are.
    pub fn new(length_ms: Option<u32>) -> Self {
        Self {
            chunk: None,
            shown: None,
            motion: Motion::new(Size { width: 0, height: 0 }, 1, 0),
            pointer: None,
            position: None,
            meter: Meter::new(),
            lossy: Vec::new(),
            moving_since: None,
            length_ms,
            next_thumbnail: 0,
            roll: false,
            buffer: Vec::new(),
            tap: None,
        }
    }

    /// Whether messages also go to the sink as they are.
    pub fn tap(&mut self, on: bool) {
        if self.tap.is_some() != on {
            self.tap = on.then(Tap::default);
        }
    }

    /// Writes the frame of the time `t_ms`, which is not before that of the last frame. `damage` holds at least what
    /// changed in the picture since then.
    ///
    /// # Errors
    /// The sink's, or there is no memory for the compressor. The writer cannot go on.
    pub fn frame(
        &mut self,
        t_ms: u32,
        scene: Scene<'_>,
        damage: &Damage,
        sink: &mut dyn ViewSink,
    ) -> io::Result<()> {
        let size = scene.picture.size();
        let due = std::mem::take(&mut self.roll)
            || self.chunk.as_ref().is_none_or(|chunk| {
                chunk.size != size
                    || chunk.written >= chunk.limit
                    || t_ms.saturating_sub(chunk.from_ms) >= OLDEST
            });
        let changed = self.changed(t_ms, scene.picture, damage);
        if due {
            self.key_frame(t_ms, scene, sink)?;
        } else {
            self.difference(t_ms, scene, changed)?;
        }
        self.pointer(t_ms, scene)?;
        Message::Frame.put(t_ms, &mut self.buffer);
        self.put_buffer()?;
        self.hand_over(sink)?;
        if t_ms >= self.next_thumbnail {
            let between = self.length_ms.map_or(t_ms / 25, |length| length / THUMBNAILS);
            self.next_thumbnail = t_ms.saturating_add(between.max(BETWEEN));
            sink.thumbnail(t_ms, &jpeg::thumbnail(scene.picture)?)?;
        }
        Ok(())
    }

    /// When a frame is due although nothing changes: a region in motion is to be shown, or is at rest.
    #[must_use]
    pub fn next_due(&self) -> Option<u32> {
        self.motion.next_due()
    }

    /// Has the next frame begin a chunk.
    pub fn roll(&mut self) {
        self.roll = true;
    }

    /// Somebody typed or pointed.
    pub fn input(&mut self, t_ms: u32) {
        self.meter.input(t_ms);
    }

    /// Whether the pointer has another shape or place than in the last frame.
    pub(crate) fn points_elsewhere(&self, scene: Scene<'_>) -> bool {
        self.pointer.as_ref() != Some(scene.pointer) || self.position != scene.position
    }

    /// Writes regions in motion as they are, if there are any: the view ends.
    pub(crate) fn settle(&mut self, t_ms: u32, scene: Scene<'_>, sink: &mut dyn ViewSink) -> io::Result<()> {
        let regions = self.motion.stop();
        if regions.is_empty() {
            return Ok(());
        }
        for area in regions {
            self.raw(t_ms, area, scene.picture)?;
        }
        self.end_of_motion(t_ms);
        Message::Frame.put(t_ms, &mut self.buffer);
        self.put_buffer()?;
        self.hand_over(sink)
    }

    /// Hands everything to the sink that was written, for those who watch.
    ///
    /// # Errors
    /// The sink's.
    pub fn flush(&mut self, sink: &mut dyn ViewSink) -> io::Result<()> {
        if let Some(chunk) = &mut self.chunk {
            chunk.stream.flush()?;
        }
        self.hand_over(sink)
    }

    /// What happened until `until_ms`: activity, idle time, and where the picture is not exact.
    #[must_use]
    pub fn happened(&self, until_ms: u32) -> (super::Activity, Vec<Span>, Vec<Span>) {
        let (activity, idle) = self.meter.sum(until_ms);
        let mut lossy = self.lossy.clone();
        if let Some(from_ms) = self.moving_since {
            add_span(&mut lossy, Span { from_ms, until_ms: until_ms.max(from_ms) });
        }
        (activity, idle, lossy)
    }

    /// Ends the last chunk.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(&mut self, sink: &mut dyn ViewSink) -> io::Result<()> {
        let Some(Chunk { stream, from_ms, size, .. }) = self.chunk.take() else { return Ok(()) };
        let plain = stream.plain;
        let (rest, bytes) = stream.finish()?;
        if !rest.is_empty() {
            sink.data(&rest)?;
        }
        sink.end_of_chunk(WrittenChunk { from_ms, bytes, plain, size })
    }

    /// What changed since the last frame. All of it is noted; what lies in regions in motion is left out.
    fn changed(&mut self, t_ms: u32, picture: &Framebuffer, damage: &Damage) -> Vec<Changed> {
        let all = picture.size().pixels();
        let shown = match &mut self.shown {
            Some(shown) if shown.size() == picture.size() => shown,
            shown => {
                let new = shown.insert(Shown::new(picture));
                self.motion = Motion::new(new.size(), new.columns(), new.tiles());
                self.end_of_motion(t_ms);
                self.meter.changed(t_ms, all, all);
                return Vec::new();
            }
        };
        shown.compare(picture, damage);
        let changed = shown.take();
        let pixels: usize = changed.iter().map(|changed| changed.area.pixels()).sum();
        if pixels > 0 {
            self.meter.changed(t_ms, pixels, all);
        }
        self.motion.note(t_ms, changed)
    }

    fn key_frame(&mut self, t_ms: u32, scene: Scene<'_>, sink: &mut dyn ViewSink) -> io::Result<()> {
        self.finish(sink)?;
        let size = scene.picture.size();
        let screen = size.pixels() as u64 * 4;
        self.chunk = Some(Chunk {
            stream: Stream::new()?,
            from_ms: t_ms,
            size,
            limit: (SCREENS * screen).min(PLAIN.max(FEWEST_SCREENS * screen)),
            written: 0,
        });
        if let Some(tap) = &mut self.tap {
            tap.whole = true;
        }
        Message::Size(size).put(t_ms, &mut self.buffer);
        self.put_buffer()?;
        let mut whole = Damage::new();
        whole.add(Rect::of(size));
        let regions: Vec<Rect> = self.motion.regions().iter().map(|region| region.area).collect();
        for area in &regions {
            whole.take_within(*area);
        }
        for rect in whole.rects() {
            self.raw(t_ms, *rect, scene.picture)?;
        }
        for area in regions {
            self.region(t_ms, area, scene.picture)?;
        }
        // The key frame itself is no reason for the next one.
        if let Some(chunk) = &mut self.chunk {
            chunk.written = 0;
        }
        self.pointer = None;
        self.position = None;
        Ok(())
    }

    fn difference(&mut self, t_ms: u32, scene: Scene<'_>, changed: Vec<Changed>) -> io::Result<()> {
        let columns = self.shown.as_ref().map_or(1, Shown::columns);
        for rect in join(changed, columns) {
            self.raw(t_ms, rect, scene.picture)?;
        }
        for area in self.motion.settled(t_ms) {
            self.raw(t_ms, area, scene.picture)?;
        }
        if self.motion.regions().is_empty() {
            self.end_of_motion(t_ms);
        }
        if !self.motion.begun(t_ms).is_empty() {
            self.moving_since.get_or_insert(t_ms);
        }
        for area in self.motion.due(t_ms) {
            self.region(t_ms, area, scene.picture)?;
        }
        Ok(())
    }

    fn end_of_motion(&mut self, until_ms: u32) {
        if let Some(from_ms) = self.moving_since.take() {
            add_span(&mut self.lossy, Span { from_ms, until_ms });
        }
    }

    /// Writes a rectangle as it is.
    fn raw(&mut self, t_ms: u32, area: Rect, picture: &Framebuffer) -> io::Result<()> {
        let Some(chunk) = &mut self.chunk else { return Ok(()) };
        chunk.written += area.pixels() as u64 * 4 + HEAD;
        let before = chunk.stream.bytes + chunk.stream.waiting();
        let (stream, tap) = (&mut chunk.stream, &mut self.tap);
        raw_bands(t_ms, area, picture, &mut self.buffer, |band| {
            if let Some(tap) = tap {
                tap.messages.extend_from_slice(band);
            }
            stream.put(band)
        })?;
        self.buffer.clear();
        self.motion.grew(chunk.stream.bytes + chunk.stream.waiting() - before);
        Ok(())
    }

    /// Writes a region in motion.
    fn region(&mut self, t_ms: u32, area: Rect, picture: &Framebuffer) -> io::Result<()> {
        let file = jpeg::region(picture, area)?;
        self.motion.pictured(area, t_ms, file.len());
        if let Some(chunk) = &mut self.chunk {
            // Such pixels are cheaper to read than to write, and dearer than raw ones.
            chunk.written += area.pixels() as u64 * 2;
        }
        if file.len() + 16 > super::MAX_BODY {
            return self.raw(t_ms, area, picture);
        }
        Message::Jpeg { area, file: &file }.put(t_ms, &mut self.buffer);
        self.put_buffer()
    }

    fn pointer(&mut self, t_ms: u32, scene: Scene<'_>) -> io::Result<()> {
        if self.pointer.as_ref() != Some(scene.pointer) {
            pointer::put(scene.pointer, t_ms, &mut self.buffer);
            self.pointer = Some(scene.pointer.clone());
        }
        if let Some((x, y)) = scene.position
            && self.position != scene.position
        {
            Message::Position(x, y).put(t_ms, &mut self.buffer);
            self.position = scene.position;
        }
        self.put_buffer()
    }

    fn put_buffer(&mut self) -> io::Result<()> {
        if let Some(chunk) = &mut self.chunk {
            chunk.written += self.buffer.len() as u64;
            chunk.stream.put(&self.buffer)?;
            if let Some(tap) = &mut self.tap {
                tap.messages.extend_from_slice(&self.buffer);
            }
        }
        self.buffer.clear();
        Ok(())
    }

    fn hand_over(&mut self, sink: &mut dyn ViewSink) -> io::Result<()> {
        if let Some(chunk) = &mut self.chunk {
            let bytes = chunk.stream.take();
            if !bytes.is_empty() {
                sink.data(&bytes)?;
            }
        }
        if let Some(tap) = &mut self.tap
            && !tap.messages.is_empty()
        {
            let Tap { whole, messages } = std::mem::take(tap);
            sink.watched(whole, &messages)?;
        }
        Ok(())
    }
}
