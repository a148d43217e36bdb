//! Plays a view: from its messages, and what lies over them, to the pictures that there are to see.

use std::collections::VecDeque;

use passerelle_recorder::ReadError;
use passerelle_recorder::view::{Message, Messages, ViewChunk, ViewContents, ViewPicture};

use super::canvas::Canvas;
use super::overlay::{Item, Overlay};
use super::timeline::Timeline;
use crate::cli::export::ExportError;

/// What the pointer does in so many milliseconds becomes one frame, as in the view itself.
const FRAME: u32 = 33;
/// Events that are to be seen at a time.
pub(super) const LINES: usize = 2;

/// Where items come from; a recording, but for tests.
pub(super) trait Items {
    /// The next item that is not after `t_ms`, and its time.
    fn next_until(&mut self, t_ms: u32) -> Result<Option<(u32, Item)>, ReadError>;
}

impl Items for Overlay {
    fn next_until(&mut self, t_ms: u32) -> Result<Option<(u32, Item)>, ReadError> {
        Self::next_until(self, t_ms)
    }
}

/// Takes a picture and its time in milliseconds since the video's start. Times rise.
pub(super) type Sink<'a> = dyn FnMut(u64, &Canvas) -> Result<(), ExportError> + 'a;

/// Plays a view on a canvas.
pub(super) struct Show<'a, I> {
    picture: ViewPicture,
    items: I,
    pointer: bool,
    /// Where it is, and where the target last put it.
    position: Option<(u16, u16)>,
    target_position: Option<(u16, u16)>,
    /// The first chunk that is played is not the recording's first.
    midway: bool,
    lines: VecDeque<String>,
    canvas: Canvas,
    timeline: Timeline,
    sink: &'a mut Sink<'a>,
    /// How far it has been played.
    now: u32,
    /// There has been a whole picture.
    seen: bool,
    /// When the first and the last change were that no frame shows yet.
    waiting: Option<(u32, u32)>,
    /// The time of the last frame in the video.
    last: Option<u64>,
}

impl<'a, I: Items> Show<'a, I> {
    /// Draws on `canvas`; the pointer only if it is wanted.
    pub(super) fn new(
        canvas: Canvas,
        timeline: Timeline,
        items: I,
        pointer: bool,
        sink: &'a mut Sink<'a>,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            picture: ViewPicture::new()?,
            items,
            pointer,
            position: None,
            target_position: None,
            midway: false,
            lines: VecDeque::new(),
            canvas,
            timeline,
            sink,
            now: 0,
            seen: false,
            waiting: None,
            last: None,
        })
    }

    /// Plays chunks that follow each other to the end of the timeline. `progress` is told the time that it has come to.
    pub(super) fn play(
        &mut self,
        contents: &ViewContents,
        chunks: &[ViewChunk],
        progress: &dyn Fn(u32),
    ) -> Result<(), ExportError> {
        self.midway = chunks.first().is_some_and(|chunk| chunk.number > 0);
        for chunk in chunks {
            let stream = contents.chunk(chunk.number)?;
            let mut messages = Messages::new(&stream[..])?;
            while let Some((t_ms, message)) = messages.next_message()? {
                self.message(t_ms, &message)?;
                progress(self.now);
            }
        }
        self.end()
    }

    /// Plays a chunk to the end of the timeline and answers with what is to be seen then, in its own size. Nothing: it would
    /// be too large.
    pub(super) fn still(
        mut self,
        contents: &ViewContents,
        chunk: ViewChunk,
        lines: usize,
    ) -> Result<Option<Canvas>, ExportError> {
        self.play(contents, &[chunk], &|_| ())?;
        let size = self.picture.framebuffer().size();
        let Some(canvas) = Canvas::new(size, lines, false) else { return Ok(None) };
        self.canvas = canvas;
        self.draw();
        Ok(Some(self.canvas))
    }

    fn message(&mut self, t_ms: u32, message: &Message<'_>) -> Result<(), ExportError> {
        if t_ms > self.now {
            // The picture is whole until its next change begins.
            self.advance(t_ms)?;
            self.now = t_ms;
        }
        self.picture.apply(message)?;
        match *message {
            Message::Position(x, y) => self.target_put_pointer((x, y)),
            Message::Frame => {
                self.seen = true;
                self.changed(t_ms);
                self.frame(t_ms)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Chunks begin with saying again where the target put the pointer, which the technician may have moved since.
    fn target_put_pointer(&mut self, at: (u16, u16)) {
        let before = self.target_position.replace(at);
        let again = before == Some(at) || before.is_none() && self.midway && self.position.is_some();
        if !again {
            self.position = Some(at);
        }
    }

    /// Shows what happens besides the picture until `t_ms`.
    fn advance(&mut self, t_ms: u32) -> Result<(), ExportError> {
        let from = self.timeline.begin_ms();
        if self.last.is_none() && self.seen && self.now <= from && from < t_ms {
            // What was there before the video begins.
            self.items_until(from)?;
            self.frame(from)?;
        }
        self.items_until(t_ms)?;
        match self.waiting {
            Some((since, last)) if t_ms.saturating_sub(since) >= FRAME => self.frame(last),
            _ => Ok(()),
        }
    }

    fn items_until(&mut self, t_ms: u32) -> Result<(), ExportError> {
        while let Some((at, item)) = self.items.next_until(t_ms)? {
            if let Some((since, last)) = self.waiting
                && at.saturating_sub(since) >= FRAME
            {
                self.frame(last)?;
            }
            match item {
                Item::Pointer(x, y) => self.position = Some((x, y)),
                Item::Event(line) => {
                    self.lines.push_back(line);
                    if self.lines.len() > LINES {
                        self.lines.pop_front();
                    }
                }
            }
            self.changed(at);
        }
        Ok(())
    }

    fn changed(&mut self, t_ms: u32) {
        let since = self.waiting.map_or(t_ms, |(since, _)| since);
        self.waiting = Some((since, t_ms));
    }

    /// Shows what there is at `t_ms`, unless that belongs to no moment of the video of its own.
    fn frame(&mut self, t_ms: u32) -> Result<(), ExportError> {
        if !self.seen || t_ms < self.timeline.begin_ms() {
            return Ok(());
        }
        // Before the first picture there is nothing else to show.
        let place = if self.last.is_none() { 0 } else { self.timeline.place(t_ms) };
        if self.last.is_some_and(|last| place <= last) {
            return Ok(());
        }
        self.show(place)
    }

    fn show(&mut self, place: u64) -> Result<(), ExportError> {
        self.draw();
        self.waiting = None;
        self.last = Some(place);
        (self.sink)(place, &self.canvas)
    }

    fn draw(&mut self) {
        let pointer = self.position.filter(|_| self.pointer).map(|at| (self.picture.pointer(), at));
        self.canvas.draw(self.picture.framebuffer(), pointer, self.lines.iter().map(String::as_str));
    }

    /// The last frame stands at the very end, so that the video is as long as the recording.
    fn end(&mut self) -> Result<(), ExportError> {
        self.advance(self.timeline.end_ms())?;
        if self.last.is_none() {
            self.show(0)?;
        }
        let end = self.last.map_or(0, |last| last + 1).max(self.timeline.length());
        self.show(end)
    }
}

#[cfg(test)]
mod tests {
    use passerelle_desktop::Size;
    use passerelle_recorder::view::Span;

    use super::*;

    impl Items for VecDeque<(u32, Item)> {
        fn next_until(&mut self, t_ms: u32) -> Result<Option<(u32, Item)>, ReadError> {
            Ok(self.pop_front_if(|(at, _)| *at <= t_ms))
        }
    }

    const SIZE: Size = Size { width: 8, height: 8 };

    /// Times of the frames of a video, and the colour of a pixel far from the pointer.
    fn video(
        frames: &[(u32, u8)],
        items: Vec<(u32, Item)>,
        (from, until): (u32, u32),
        idle: &[Span],
    ) -> Vec<(u64, u8)> {
        let mut found = Vec::new();
        let mut sink = |t_ms: u64, canvas: &Canvas| {
            found.push((t_ms, canvas.bgr0()[0]));
            Ok(())
        };
        let canvas = Canvas::new(SIZE, 0, true).unwrap();
        let timeline = Timeline::new(from, until, idle);
        let mut show = Show::new(canvas, timeline, VecDeque::from(items), true, &mut sink).unwrap();
        let area = passerelle_desktop::Rect::of(SIZE);
        for (number, (t_ms, blue)) in frames.iter().enumerate() {
            if number == 0 {
                show.message(*t_ms, &Message::Size(SIZE)).unwrap();
            }
            let pixels = [0, 0, *blue, 255].repeat(64);
            show.message(*t_ms, &Message::Raw { area, pixels: &pixels }).unwrap();
            show.message(*t_ms, &Message::Frame).unwrap();
        }
        show.end().unwrap();
        drop(show);
        found
    }

    #[test]
    fn every_frame_has_its_time_and_the_video_the_length_of_the_recording() {
        let frames = [(300, 1), (340, 2), (9000, 3)];
        assert_eq!(video(&frames, vec![], (0, 10_000), &[]), [(0, 1), (340, 2), (9000, 3), (10_000, 3)]);
        assert_eq!(video(&[(0, 9)], vec![], (0, 0), &[]), [(0, 9), (1, 9)]);
    }

    #[test]
    fn a_part_begins_with_what_was_there_before() {
        let frames = [(300, 1), (340, 2), (5000, 3), (9000, 4)];
        assert_eq!(video(&frames, vec![], (1000, 6000), &[])[..2], [(0, 2), (4000, 3)]);
        assert_eq!(video(&frames[..2], vec![], (1000, 6000), &[]), [(0, 2), (5000, 2)]);
    }

    #[test]
    fn what_happens_in_time_that_is_left_out_is_seen_behind_it() {
        let idle = [Span { from_ms: 1000, until_ms: 8000 }];
        let frames = [(0, 1), (3000, 2), (4000, 3), (9000, 4)];
        let expected = [(0, 1), (1500, 2), (3000, 4), (4000, 4)];
        assert_eq!(video(&frames, vec![], (0, 10_000), &idle), expected);
    }

    #[test]
    fn the_pointer_moves_between_the_frames_but_not_more_often_than_they_come() {
        let at = |t_ms| (t_ms, Item::Pointer(7, 7));
        let moves = [0, 100, 110, 120, 140, 500, 5000].map(at).into_iter().collect();
        let times: Vec<u64> =
            video(&[(0, 1), (505, 2)], moves, (0, 6000), &[]).iter().map(|(t_ms, _)| *t_ms).collect();
        assert_eq!(times, [0, 100, 140, 505, 5000, 6000]);
    }
}
