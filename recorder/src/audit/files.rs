//! The log's files: `audit-000001.jsonl` and so on, read line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The longest line that is read; longer ones count as damaged.
pub(crate) const MAX_LINE: u64 = 4 << 20;

/// The file with the number `number`.
pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("audit-{number:06}.jsonl"))
}

/// The numbers of the files in `dir`, in order.
pub(crate) fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let number: u32 = digits.parse().ok()?;
    (number > 0 && format!("{number:06}") == digits).then_some(number)
}

/// One file of the log, line by line.
pub(crate) struct Lines {
    file: BufReader<File>,
    /// Where the next line begins.
    pub(crate) offset: u64,
}

/// What comes next in a file.
pub(crate) enum NextLine {
    /// A whole line; its bytes without the line feed are in the caller's buffer.
    Whole,
    /// The file ends in a line without a line feed, in the caller's buffer.
    Torn,
    /// The file ends.
    End,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(64 * 1024, File::open(path)?), offset: 0 })
    }

    /// Goes behind the last whole line.
    pub(crate) fn skip_to_end(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        while let NextLine::Whole = self.next(&mut line)? {}
        Ok(())
    }

    /// Goes back to where a line began.
    pub(crate) fn back_to(&mut self, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.file.seek(SeekFrom::Start(offset)).map(drop)
    }

    /// Reads the next line into `line`. After `Torn` and `End` it can be tried again.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<NextLine> {
        line.clear();
        let read = (&mut self.file).take(MAX_LINE).read_until(b'\n', line)? as u64;
        if read == 0 {
            return Ok(NextLine::End);
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            self.file.seek(SeekFrom::Start(self.offset))?;
            return Ok(NextLine::Torn);
        }
        self.offset += read;
        Ok(NextLine::Whole)
    }
}
