//! Reading the log's last events, and those that come.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::chain::{EventLine, Line};
use super::files::{Lines, NextLine, numbers, path};

/// The last `count` events of the log in `dir`, the oldest first. Lines that cannot be read are left out;
/// [`verify`](super::verify()) names them.
///
/// # Errors
/// A file cannot be read.
pub fn tail(dir: &Path, count: usize) -> io::Result<Vec<EventLine>> {
    let mut last = VecDeque::new();
    for number in numbers(dir)?.into_iter().rev() {
        let mut of_file = VecDeque::new();
        let mut lines = Lines::open(&path(dir, number))?;
        let mut line = Vec::new();
        while let NextLine::Whole = lines.next(&mut line)? {
            if let Ok(Line::Event(event)) = Line::parse(&line) {
                of_file.push_back(event);
                if of_file.len() + last.len() > count {
                    of_file.pop_front();
                }
            }
        }
        of_file.append(&mut last);
        last = of_file;
        if last.len() >= count {
            break;
        }
    }
    Ok(last.into())
}

/// The last `count` events of the log in `dir` that are `wanted` and have a number below `before`, if one is given,
/// the newest first. Lines that cannot be read are left out.
///
/// # Errors
/// A file cannot be read.
pub fn select(
    dir: &Path,
    before: Option<u64>,
    count: usize,
    wanted: impl Fn(&EventLine) -> bool,
) -> io::Result<Vec<EventLine>> {
    let before = before.unwrap_or(u64::MAX);
    let mut found = Vec::new();
    for number in numbers(dir)?.into_iter().rev() {
        let missing = count - found.len();
        if missing == 0 {
            break;
        }
        let mut of_file = VecDeque::new();
        let mut lines = Lines::open(&path(dir, number))?;
        let mut line = Vec::new();
        while let NextLine::Whole = lines.next(&mut line)? {
            let Ok(Line::Event(event)) = Line::parse(&line) else { continue };
            if event.seq >= before {
                break;
            }
            if wanted(&event) {
                of_file.push_back(event);
                if of_file.len() > missing {
                    of_file.pop_front();
                }
            }
        }
        found.extend(of_file.into_iter().rev());
    }
    Ok(found)
}

/// The event that says with what root the recording of this name was sealed.
///
/// # Errors
/// A file cannot be read.
pub fn sealing(dir: &Path, recording: &str) -> io::Result<Option<EventLine>> {
    let sealing =
        |line: &EventLine| line.event.is_sealing() && line.event.session.as_deref() == Some(recording);
    Ok(select(dir, None, 1, sealing)?.pop())
}

/// The roots with which recordings were sealed, in hex, by their names; only of those that are `wanted`. Reads the
/// whole log. Lines that cannot be read are left out.
///
/// # Errors
/// A file cannot be read.
pub fn sealed_roots(dir: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<BTreeMap<String, String>> {
    let mut roots = BTreeMap::new();
    for number in numbers(dir)? {
        let mut lines = Lines::open(&path(dir, number))?;
        let mut line = Vec::new();
        while let NextLine::Whole = lines.next(&mut line)? {
            // Most lines are of other kinds, and need not be parsed.
            if !std::str::from_utf8(&line).is_ok_and(|line| line.contains("\"kind\":\"recording.")) {
                continue;
            }
            let Ok(Line::Event(EventLine { event, .. })) = Line::parse(&line) else { continue };
            let root = event.detail.get("root").and_then(Value::as_str).filter(|_| event.is_sealing());
            if let Some((recording, root)) = event.session.as_deref().zip(root)
                && wanted(recording)
            {
                roots.insert(recording.to_owned(), root.to_owned());
            }
        }
    }
    Ok(roots)
}

/// Reads the events that are added to a log.
pub struct Follower {
    dir: PathBuf,
    number: u32,
    lines: Option<Lines>,
}

impl Follower {
    /// Begins at the end of the log in `dir`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn at_end(dir: &Path) -> io::Result<Self> {
        let number = numbers(dir)?.last().copied().unwrap_or(1);
        let mut follower = Self { dir: dir.to_owned(), number, lines: None };
        if follower.open()? {
            follower.lines.as_mut().map_or(Ok(()), Lines::skip_to_end)?;
        }
        Ok(follower)
    }

    /// The events that were added since the last call. Does not wait; call it every so often.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn poll(&mut self) -> io::Result<Vec<EventLine>> {
        let mut events = Vec::new();
        let mut line = Vec::new();
        loop {
            if self.lines.is_none() && !self.open()? {
                return Ok(events);
            }
            // Asked before the read: what is in this file was written before the next one began.
            let over = path(&self.dir, self.number + 1).exists();
            while let Some(lines) = &mut self.lines
                && let NextLine::Whole = lines.next(&mut line)?
            {
                if let Ok(Line::Event(event)) = Line::parse(&line) {
                    events.push(event);
                }
            }
            if !over {
                return Ok(events);
            }
            self.number += 1;
            self.lines = None;
        }
    }

    fn open(&mut self) -> io::Result<bool> {
        match Lines::open(&path(&self.dir, self.number)) {
            Ok(lines) => {
                self.lines = Some(lines);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
