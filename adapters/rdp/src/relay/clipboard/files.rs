//! Files on a side's clipboard: which there are, and what passes of them.

use std::collections::{BTreeMap, VecDeque};

use passerelle_desktop::{Notice, Side};

use super::message::Wanted;
use crate::relay::bytes::{Reader, utf16_name};
use crate::relay::passage::Passage;

/// How long a file list may be that is read, in bytes: some 7,000 files.
pub(super) const LONGEST_LIST: u32 = 4 << 20;

/// How many file lists are held: the newest, and those before it that the other side has locked.
const MOST_LISTS: usize = 4;
/// How many locks are followed.
const MOST_LOCKS: usize = 64;
/// How many files may be under way at a time.
const MOST_TRANSFERS: usize = 256;
/// How many unanswered requests for contents are followed.
const MOST_REQUESTS: usize = 1024;

/// Identifies a file: the clipboard's content that it is part of, and its index in the file list.
pub(super) type FileId = (u64, u32);

/// The files that a side has or had on its clipboard.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Counts the changes of the clipboard's content.
    generation: u64,
    lists: BTreeMap<u64, Vec<File>>,
    locks: BTreeMap<u32, u64>,
    transfers: BTreeMap<FileId, Passage>,
    requests: VecDeque<Request>,
}

/// A file in a list (MS-RDPECLIP 2.2.5.2.3.1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) size: Option<u64>,
}

/// A request for contents that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) stream: u32,
    pub(super) file: FileId,
    pub(super) wanted: Wanted,
}

impl Files {
    /// The number of the clipboard's present content.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The clipboard has new content.
    pub(super) fn changed(&mut self, from: Side, notices: &mut Vec<Notice>) {
        self.generation = self.generation.wrapping_add(1);
        self.drop_unused(from, notices);
    }

    /// The other side wants the present content to stay available under the name `lock`.
    pub(super) fn lock(&mut self, lock: u32) {
        if self.locks.len() < MOST_LOCKS || self.locks.contains_key(&lock) {
            self.locks.insert(lock, self.generation);
        }
    }

    /// The other side needs the content no more.
    pub(super) fn unlock(&mut self, lock: u32, from: Side, notices: &mut Vec<Notice>) {
        self.locks.remove(&lock);
        self.drop_unused(from, notices);
    }

    /// The content `generation` has these files.
    pub(super) fn list(&mut self, generation: u64, files: Vec<File>, from: Side, notices: &mut Vec<Notice>) {
        if !self.is_used(generation) || self.lists.get(&generation) == Some(&files) {
            return;
        }
        self.abandon(from, notices, |(of, _)| of == generation);
        self.lists.insert(generation, files);
        while self.lists.len() > MOST_LISTS
            && let Some(oldest) = self.lists.keys().next().copied()
        {
            self.abandon(from, notices, |(of, _)| of == oldest);
            self.lists.remove(&oldest);
        }
    }

    /// Which file a request means by `lock` and `index`.
    pub(super) fn find(&self, lock: Option<u32>, index: u32) -> Option<(FileId, &File)> {
        let locked = lock.and_then(|lock| self.locks.get(&lock)).copied();
        let id = (locked.unwrap_or(self.generation), index);
        Some((id, self.file(id)?))
    }

    pub(super) fn file(&self, (generation, index): FileId) -> Option<&File> {
        self.lists.get(&generation)?.get(usize::try_from(index).ok()?)
    }

    /// Remembers a request that is passed on. One that was never answered gives way to it.
    pub(super) fn ask(&mut self, request: Request) {
        if self.requests.len() == MOST_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The request that a response on `stream` answers.
    pub(super) fn answered(&mut self, stream: u32) -> Option<Request> {
        let first = self.requests.iter().position(|request| request.stream == stream)?;
        self.requests.remove(first)
    }

    /// The owner has said how large a file is whose list did not say so.
    pub(super) fn learn_size(&mut self, (generation, index): FileId, size: u64) {
        let list = self.lists.get_mut(&generation);
        let file = usize::try_from(index).ok().and_then(|index| list?.get_mut(index));
        if let Some(file) = file {
            file.size.get_or_insert(size);
        }
    }

    /// Contents at `position` of a file begin to pass.
    pub(super) fn seek(&mut self, id: FileId, position: u64, from: Side, notices: &mut Vec<Notice>) {
        if !self.transfers.contains_key(&id) && self.transfers.len() == MOST_TRANSFERS {
            let oldest = self.transfers.keys().next().copied();
            self.abandon(from, notices, |transfer| Some(transfer) == oldest);
        }
        self.transfers.entry(id).or_insert_with(Passage::new).seek(position);
    }

    /// Contents of a file pass.
    pub(super) fn pass(&mut self, id: FileId, bytes: &[u8]) {
        // Abandoned while this part of it was on its way: what still comes is not the whole of it.
        let spoiled = || {
            let mut passage = Passage::new();
            passage.spoil();
            passage
        };
        self.transfers.entry(id).or_insert_with(spoiled).pass(bytes);
    }

    /// Contents of a file have passed; `ended` when no more may. Tells of it when that was all.
    pub(super) fn passed(&mut self, id: FileId, ended: bool, from: Side, notices: &mut Vec<Notice>) {
        let Some(passage) = self.transfers.remove(&id) else { return };
        let file = self.file(id);
        let size = file.and_then(|file| file.size);
        let complete = size.is_some_and(|size| match passage.whole_up_to() {
            Some(up_to) => up_to == size,
            None => passage.passed() >= size,
        });
        if complete || ended || file.is_none() {
            self.tell(id, &passage, complete, from, notices);
        } else if passage.passed() > 0 {
            self.transfers.insert(id, passage);
        }
    }

    /// No more of the files may pass, or will.
    pub(super) fn forbid(&mut self, from: Side, notices: &mut Vec<Notice>) {
        self.abandon(from, notices, |_| true);
    }

    /// The protocol begins anew.
    pub(super) fn reset(&mut self, from: Side, notices: &mut Vec<Notice>) {
        self.requests.clear();
        self.locks.clear();
        self.changed(from, notices);
    }

    fn is_used(&self, generation: u64) -> bool {
        generation == self.generation || self.locks.values().any(|locked| *locked == generation)
    }

    fn drop_unused(&mut self, from: Side, notices: &mut Vec<Notice>) {
        let unused = |generation: &u64| !self.is_used(*generation);
        let unused: Vec<u64> = self.lists.keys().copied().filter(unused).collect();
        for generation in unused {
            self.abandon(from, notices, |(of, _)| of == generation);
            self.lists.remove(&generation);
        }
    }

    /// Tells of the files under way that `which` picks, and forgets them.
    fn abandon(&mut self, from: Side, notices: &mut Vec<Notice>, which: impl Fn(FileId) -> bool) {
        let (abandoned, kept) =
            std::mem::take(&mut self.transfers).into_iter().partition(|(id, _)| which(*id));
        self.transfers = kept;
        let abandoned: BTreeMap<FileId, Passage> = abandoned;
        for (id, passage) in abandoned {
            self.tell(id, &passage, false, from, notices);
        }
    }

    fn tell(&self, id: FileId, passage: &Passage, complete: bool, from: Side, notices: &mut Vec<Notice>) {
        let name = self.file(id).map(|file| file.name.clone()).unwrap_or_default();
        let sha256 = passage.sha256().filter(|_| complete);
        let whole = passage.whole_up_to().filter(|_| complete);
        let bytes = whole.unwrap_or(passage.passed());
        if complete || bytes > 0 {
            notices.push(Notice::File { from, by: "clipboard", name, bytes, sha256 });
        }
    }
}

/// Reads a file list (MS-RDPECLIP 2.2.5.2.3); `None` if it is malformed.
pub(super) fn read_list(list: &[u8]) -> Option<Vec<File>> {
    const FILE_SIZE: u32 = 0x40;
    const NAME: usize = 520;
    let mut reader = Reader::new(list);
    let count = reader.u32()?;
    let mut files = Vec::new();
    for _ in 0..count {
        let flags = reader.u32()?;
        // Attributes, the time of the last write and reserved fields.
        reader.bytes(32 + 4 + 16 + 8)?;
        let (high, low) = (reader.u32()?, reader.u32()?);
        let size = u64::from(high) << 32 | u64::from(low);
        let size = (flags & FILE_SIZE != 0).then_some(size);
        files.push(File { name: utf16_name(reader.bytes(NAME)?), size });
    }
    Some(files)
}
