//! What stands in a recording besides its pictures: where the technician's pointer was, and what happened.

use std::collections::VecDeque;
use std::iter::Peekable;

use passerelle_desktop::{InputReader, RecordedInput};
use passerelle_recorder::{Lane, ReadError, Reader};

use super::super::report;
use crate::contents;

/// Something to be drawn over the pictures or below them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The technician moved the pointer there.
    Pointer(u16, u16),
    /// Something happened.
    Event(String),
}

/// Finds them, in order, as the recording is read.
pub(super) struct Overlay {
    entries: Peekable<Reader>,
    input: Option<Box<dyn InputReader>>,
    waiting: VecDeque<(u32, Item)>,
    found: Vec<RecordedInput>,
}

impl Overlay {
    /// Reads the lanes `viewer` and `events` of `reader`, as far as these are wanted.
    pub(super) fn new(reader: Reader, pointer: bool, events: bool) -> Self {
        let lanes: Vec<Lane> = [(pointer, Lane::Viewer), (events, Lane::Events)]
            .into_iter()
            .filter_map(|(wanted, lane)| wanted.then_some(lane))
            .collect();
        // A protocol whose input nobody can read has no pictures either.
        let input = contents::input_reader(reader.header()).ok();
        let entries = reader.only(&lanes).peekable();
        Self { entries, input, waiting: VecDeque::new(), found: Vec::new() }
    }

    /// The next one that is not after `t_ms`, and its time.
    pub(super) fn next_until(&mut self, t_ms: u32) -> Result<Option<(u32, Item)>, ReadError> {
        loop {
            if let Some(item) = self.waiting.pop_front() {
                return Ok(Some(item));
            }
            // Errors come at once.
            let due = |entry: &Result<passerelle_recorder::Entry, _>| {
                entry.as_ref().map_or(true, |entry| entry.t_ms <= t_ms)
            };
            let Some(entry) = self.entries.next_if(due).transpose()? else { return Ok(None) };
            if entry.lane == Lane::Events {
                let (t_ms, kind, detail) = report::event(&entry);
                let line = format!("{}  {kind}  {}", report::time(t_ms), report::details(&detail));
                self.waiting.push_back((t_ms, Item::Event(line)));
            } else if let Some(input) = &mut self.input {
                if input.read(&entry.bytes, &mut self.found).is_err() {
                    // What follows cannot be read; the pointer stays where it is.
                    self.input = None;
                }
                let moves = self.found.drain(..).filter_map(|input| match input {
                    RecordedInput::Pointer { x, y, .. } => Some((entry.t_ms, Item::Pointer(x, y))),
                    RecordedInput::Key { .. } => None,
                });
                self.waiting.extend(moves);
            }
        }
    }
}
