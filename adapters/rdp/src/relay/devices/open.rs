//! Open files on the viewer's drives, and print jobs.

use passerelle_desktop::{Notice, Side};

use crate::relay::passage::Passage;

/// A write at this offset appends (MS-RDPEFS 2.2.1.4.4).
const APPEND: u64 = u64::MAX;

/// A file that the target has opened.
#[derive(Debug)]
pub(super) struct Open {
    by: &'static str,
    pub(super) name: String,
    /// What passed to the target since the last time that it was told.
    read: Option<Passage>,
    /// How large the file is, as far as that was told.
    size: Option<u64>,
    /// What passed from the target.
    written: Option<Passage>,
    /// How large a file is that was empty when it was opened.
    new_size: Option<u64>,
}

impl Open {
    /// A file of that path on a drive; `empty` if it has no content yet.
    pub(super) fn file(name: String, empty: bool) -> Self {
        let new_size = empty.then_some(0);
        Self { by: "drive", name, read: None, size: None, written: None, new_size }
    }

    /// A print job on a printer.
    pub(super) fn print_job(printer: String) -> Self {
        Self { by: "printer", ..Self::file(printer, true) }
    }

    /// Whether it is a file on a drive.
    pub(super) fn is_file(&self) -> bool {
        self.by == "drive"
    }

    /// The viewer has said how large the file is.
    pub(super) fn learn_size(&mut self, size: u64) {
        self.size = Some(size);
    }

    /// Content at `offset` begins to pass to the target.
    pub(super) fn read_at(&mut self, offset: u64) {
        self.read.get_or_insert_with(Passage::new).seek(offset);
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.read.get_or_insert_with(Passage::new).pass(bytes);
    }

    /// Content has passed to the target; `at_end` if it ended where the file does. Tells of a file that passed
    /// whole.
    pub(super) fn has_read(&mut self, at_end: bool, notices: &mut Vec<Notice>) {
        let Some(read) = &self.read else { return };
        let whole = read.whole_up_to().filter(|up_to| at_end || Some(*up_to) == self.size);
        if let Some(bytes) = whole
            && read.passed() > 0
        {
            let sha256 = read.sha256();
            self.read = None;
            self.tell(Side::Viewer, bytes, sha256, notices);
        }
    }

    /// Content for `offset` begins to pass from the target. A print job has no offsets.
    pub(super) fn write_at(&mut self, offset: u64, len: u32) {
        let appends = !self.is_file() || offset == APPEND;
        let written = self.written.get_or_insert_with(Passage::new);
        let next = written.whole_up_to();
        if !appends && next != Some(offset) {
            written.spoil();
        }
        if let (Some(size), Some(next)) = (&mut self.new_size, next) {
            *size = (*size).max(next.saturating_add(len.into()));
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written.get_or_insert_with(Passage::new).pass(bytes);
    }

    /// The viewer did not take all that was written.
    pub(super) fn write_failed(&mut self) {
        self.written.get_or_insert_with(Passage::new).spoil();
    }

    /// The target has cut the file off at `size`, or made room up to there. Content that is thrown away has
    /// passed all the same.
    pub(super) fn set_size(&mut self, size: u64, notices: &mut Vec<Notice>) {
        let next = self.written.as_ref().and_then(Passage::whole_up_to).unwrap_or_default();
        if size == 0 {
            self.end_writing(false, notices);
            self.new_size = Some(0);
        } else if size < next {
            self.write_failed();
        } else if let Some(new_size) = &mut self.new_size {
            *new_size = size;
        }
    }

    /// No more of it is read: tells of what was.
    pub(super) fn end_reading(&mut self, notices: &mut Vec<Notice>) {
        let bytes = self.read.take().map_or(0, |read| read.passed());
        if bytes > 0 {
            self.tell(Side::Viewer, bytes, None, notices);
        }
    }

    /// No more of it is written: tells of what was. `closed` if the target is done with it.
    pub(super) fn end_writing(&mut self, closed: bool, notices: &mut Vec<Notice>) {
        let Some(written) = self.written.take() else { return };
        let whole = written.whole_up_to().filter(|up_to| closed && Some(*up_to) == self.new_size);
        let sha256 = whole.and_then(|_| written.sha256());
        if written.passed() > 0 {
            self.tell(Side::Target, whole.unwrap_or(written.passed()), sha256, notices);
        }
        self.new_size = None;
    }

    /// It is `closed`, or has to be given up: tells of what passed.
    pub(super) fn end(mut self, closed: bool, notices: &mut Vec<Notice>) {
        self.end_reading(notices);
        self.end_writing(closed, notices);
    }

    fn tell(&self, from: Side, bytes: u64, sha256: Option<[u8; 32]>, notices: &mut Vec<Notice>) {
        notices.push(Notice::File { from, by: self.by, name: self.name.clone(), bytes, sha256 });
    }
}
