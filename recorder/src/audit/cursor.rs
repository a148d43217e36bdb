//! Reading the log from a place in it on.

use std::io;
use std::path::{Path, PathBuf};

use super::chain::{EventLine, Line};
use super::files::{Lines, NextLine, numbers, path};

/// Reads the events of a log in order, a few at a time, from any line on.
pub struct Cursor {
    dir: PathBuf,
    /// Number of the last line that was read or passed over.
    at: u64,
    /// The file that is read; nothing before the first read.
    file: Option<(u32, Lines)>,
}

impl Cursor {
    /// Begins behind line `seq` of the log in `dir`; behind 0 is the whole log. Reads nothing yet.
    #[must_use]
    pub fn behind(dir: &Path, seq: u64) -> Self {
        Self { dir: dir.to_owned(), at: seq, file: None }
    }

    /// The number of the last line that was read, checkpoints included.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The next events with numbers up to `until`, at most `most`. Fewer than that means that there are no more at
    /// present. Lines that cannot be read are left out; [`verify`](super::verify()) names them. So are files that
    /// are gone: the number of the next event tells.
    ///
    /// # Errors
    /// A file cannot be read. The same can be tried again.
    pub fn read(&mut self, until: u64, most: usize) -> io::Result<Vec<EventLine>> {
        let mut events = Vec::new();
        match self.collect(until, most, &mut events) {
            // What was read before counts; the next call meets the error again.
            Err(error) if events.is_empty() => Err(error),
            _ => Ok(events),
        }
    }

    fn collect(&mut self, until: u64, most: usize, events: &mut Vec<EventLine>) -> io::Result<()> {
        while events.len() < most && self.at < until {
            let (number, mut lines) = match self.file.take() {
                Some(open) => open,
                None => match self.find()? {
                    Some(found) => found,
                    None => break,
                },
            };
            // Asked before the read: what is in this file was written before the next one began.
            let next = path(&self.dir, number + 1);
            let over = next.exists();
            let ended = self.read_file(&mut lines, until, most, events)?;
            if ended && over {
                self.file = Some((number + 1, Lines::open(&next)?));
                continue;
            }
            self.file = Some((number, lines));
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// Tells whether the file's last line was reached, rather than one of the limits.
    fn read_file(
        &mut self,
        lines: &mut Lines,
        until: u64,
        most: usize,
        events: &mut Vec<EventLine>,
    ) -> io::Result<bool> {
        let mut line = Vec::new();
        while events.len() < most && self.at < until {
            let begin = lines.offset;
            let NextLine::Whole = lines.next(&mut line)? else { return Ok(true) };
            let Ok(parsed) = Line::parse(&line) else { continue };
            if parsed.seq() > until {
                lines.back_to(begin)?;
                self.at = until;
                break;
            }
            if parsed.seq() > self.at {
                self.at = parsed.seq();
                if let Line::Event(event) = parsed {
                    events.push(event);
                }
            }
        }
        Ok(false)
    }

    /// The last file that begins at or before the next line, or else the first there is.
    fn find(&self) -> io::Result<Option<(u32, Lines)>> {
        let mut found = None;
        for number in numbers(&self.dir)?.into_iter().rev() {
            let mut lines = Lines::open(&path(&self.dir, number))?;
            let mut line = Vec::new();
            let first = match lines.next(&mut line)? {
                NextLine::Whole => Line::parse(&line).ok().map(|line| line.seq()),
                NextLine::Torn | NextLine::End => None,
            };
            lines.back_to(0)?;
            found = Some((number, lines));
            if first.is_some_and(|first| first <= self.at + 1) {
                break;
            }
        }
        Ok(found)
    }
}
