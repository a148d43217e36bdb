//! What could not be drawn.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A kind of thing that is not in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A PDU or message whose form is broken, or that belongs to nothing known.
    Malformed,
    /// An update whose pixels could not be decoded, or lie outside of the desktop.
    Undecodable,
    /// Bulk-compressed data whose history is lost.
    History,
    /// A message that is longer than what is put together, 64 MiB.
    TooLong,
    /// A command of the graphics pipeline in a message whose commands write many times more than a desktop.
    Excessive,
    /// Drawing orders (MS-RDPEGDI).
    Orders,
    /// A surface command with the codec of this number (MS-RDPBCGR 2.2.9.2.1.1, `codecID`).
    SurfaceCodec(u8),
    /// H.264 in the graphics pipeline, when there is no decoder for it.
    H264,
    /// A surface of the graphics pipeline that is shown in a RemoteApp window.
    Window,
    /// Pixels that the target took from the cache which the viewer kept of an earlier session.
    CacheImport,
    /// The shape of a pointer that is broken or larger than [`passerelle_desktop::Cursor::MAX_SIDE`].
    PointerShape,
    /// An update on which a decoder panicked.
    Panic,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed PDUs",
            Self::Undecodable => "undecodable updates",
            Self::History => "compressed data whose history is lost",
            Self::TooLong => "messages that are too long",
            Self::Excessive => "commands that write too much",
            Self::Orders => "drawing orders",
            Self::SurfaceCodec(codec) => return write!(f, "surface commands with the codec {codec}"),
            Self::H264 => "H.264 updates",
            Self::Window => "RemoteApp windows",
            Self::CacheImport => "pixels from the viewer's persistent cache",
            Self::PointerShape => "pointer shapes",
            Self::Panic => "updates on which a decoder failed",
        })
    }
}

/// How often a [`Part`] was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What was left out.
    pub part: Part,
    /// How many PDUs, updates or commands.
    pub count: u64,
}

/// The list of what was left out. The number of parts is small: variants, and 256 codecs.
#[derive(Default)]
pub(super) struct Tally(Vec<Skipped>);

impl Tally {
    pub(super) fn add(&mut self, part: Part) {
        self.add_many(part, 1);
    }

    pub(super) fn add_many(&mut self, part: Part, count: u64) {
        if count == 0 {
            return;
        }
        match self.0.iter_mut().find(|skipped| skipped.part == part) {
            Some(skipped) => skipped.count = skipped.count.saturating_add(count),
            None => self.0.push(Skipped { part, count }),
        }
    }

    /// What `decode` returns, or nothing, counted, if it panics. What `decode` worked on may then be half done
    /// and is for the caller to replace where that matters. This needs a build that unwinds.
    pub(super) fn contain<T>(&mut self, decode: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(decode));
        if result.is_err() {
            self.add(Part::Panic);
        }
        result.ok()
    }

    pub(super) fn list(&self) -> &[Skipped] {
        &self.0
    }
}
