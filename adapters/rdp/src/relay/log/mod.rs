//! What the target sent, as a recording keeps it: without bulk compression.
//!
//! On the wire a PDU can be read only by whoever read those before it, in classic updates as in the graphics pipeline.
//! In a recording each stands for itself: it can be left out without harm to what follows, and a better compression
//! finds more in it. Nothing else is changed: PDUs keep their form and order, but for updates that no longer fit into one
//! PDU and come in fragments, and for messages of the graphics pipeline, which stand where their last part came. Every
//! decoder draws the same. The coding of bitmaps stays: it costs that compression nothing, and pixels are longer.

mod graphics;
mod share;
mod updates;

use std::collections::VecDeque;
use std::ops::Range;

use passerelle_desktop::{Side, Tally, TargetLog};

use super::frame::{Frame, frame};
use crate::Start;
use crate::decoder::bulk::Bulk;
use graphics::Graphics;
use updates::LeftOut;

/// How many failures are told: a target can fail as often as it likes.
const MOST_FAILURES: u8 = 16;

/// Undoes the bulk compression of what the target sent, for the recording of a session that began with a [`Start`].
///
/// Undone are MPPC, NCRUSH and XCRUSH in the fast path and in share data, and the compression of the graphics pipeline
/// (MS-RDPEGFX 2.2.5). In static channels nothing is compressed: the relay ends a session in which something is. What
/// cannot be decompressed is kept as it came; so is what is compressed with a history that this spoiled.
///
/// Holds what was taken, the histories (some megabytes, when something compressed comes), and one message of the graphics
/// pipeline of at most 64 MiB.
pub struct RdpLog {
    /// What was taken, and up to where it is worked on.
    taken: Vec<u8>,
    done: usize,
    /// What in `taken` is not to be kept.
    left_out: VecDeque<Range<usize>>,
    io_channel: u16,
    drdynvc: Option<u16>,
    bulk: Bulk,
    /// Whether updates could be decompressed last.
    bulk_works: bool,
    /// Whether the target has begun a share.
    active: bool,
    updates: LeftOut,
    graphics: Graphics,
    failure: Option<&'static str>,
    failures: u8,
    /// What came is no sequence of PDUs; the rest is kept as it comes.
    unframed: bool,
}

/// What undoes the compression that updates of all kinds share.
struct Plain<'a> {
    bulk: &'a mut Bulk,
    /// Whether something could not be decompressed.
    failed: bool,
    /// Whether something was.
    worked: bool,
}

impl Plain<'_> {
    /// The plain form of `data` that were compressed with `flags`, if there is one.
    fn of<'d>(&'d mut self, data: &'d [u8], flags: u8) -> Option<&'d [u8]> {
        let plain = self.bulk.plain(data, flags, &mut Tally::default());
        if plain.is_some() {
            self.worked = true;
        } else {
            self.failed = true;
        }
        plain
    }
}

impl RdpLog {
    /// For a session that begins with `start`.
    pub fn new(start: &Start) -> Self {
        Self {
            taken: Vec::new(),
            done: 0,
            left_out: VecDeque::new(),
            io_channel: start.io_channel,
            drdynvc: start.drdynvc(),
            bulk: Bulk::default(),
            bulk_works: true,
            active: false,
            updates: LeftOut::default(),
            graphics: Graphics::default(),
            failure: None,
            failures: 0,
            unframed: false,
        }
    }

    /// Whether what begins at `self.done` is to be kept.
    fn keeps(&mut self) -> bool {
        while self.left_out.front().is_some_and(|range| range.end <= self.done) {
            self.left_out.pop_front();
        }
        !self.left_out.front().is_some_and(|range| range.contains(&self.done))
    }

    fn pdu(&mut self, frame: Frame, pdu: &[u8], keep: bool, out: &mut Vec<u8>) {
        let mut plain = Plain { bulk: &mut self.bulk, failed: false, worked: false };
        match frame {
            Frame::FastPath { header, .. } => {
                updates::rewrite(pdu, header, keep, &mut self.updates, &mut plain, out);
            }
            Frame::Data(header) if header.channel == self.io_channel => {
                share::rewrite(pdu, header, keep, &mut self.active, &mut plain, out);
            }
            Frame::Data(header) if Some(header.channel) == self.drdynvc => {
                if self.graphics.rewrite(pdu, header, keep, out) {
                    self.fail("graphics");
                }
                return;
            }
            Frame::Disconnect { .. } => out.extend_from_slice(pdu),
            Frame::Data(_) if keep => out.extend_from_slice(pdu),
            Frame::Data(_) => {}
        }
        let Plain { failed, worked, .. } = plain;
        if failed && self.bulk_works {
            self.fail("updates");
        }
        self.bulk_works = !failed && (self.bulk_works || worked);
    }

    fn fail(&mut self, what: &'static str) {
        if self.failures < MOST_FAILURES {
            self.failures += 1;
            self.failure = Some(what);
        }
    }
}

impl TargetLog for RdpLog {
    fn take(&mut self, bytes: &[u8], keep: bool) {
        if self.done > 0 {
            self.taken.drain(..self.done);
            for range in &mut self.left_out {
                *range = range.start.saturating_sub(self.done)..range.end.saturating_sub(self.done);
            }
            self.done = 0;
        }
        if !keep {
            let begin = self.taken.len();
            match self.left_out.back_mut().filter(|range| range.end == begin) {
                Some(range) => range.end += bytes.len(),
                None => self.left_out.push_back(begin..begin + bytes.len()),
            }
        }
        self.taken.extend_from_slice(bytes);
    }

    fn waiting(&self) -> usize {
        self.taken.len() - self.done
    }

    fn advance(&mut self, out: &mut Vec<u8>) -> bool {
        let keep = self.keeps();
        let taken = std::mem::take(&mut self.taken);
        let rest = taken.get(self.done..).unwrap_or_default();
        let framed = if rest.is_empty() || self.unframed { Ok(Err(0)) } else { frame(Side::Target, rest) };
        let advanced = match framed {
            Ok(Ok(frame)) => {
                let pdu = rest.get(..frame.len()).unwrap_or(rest);
                self.pdu(frame, pdu, keep, out);
                self.done += pdu.len();
                true
            }
            Ok(Err(_)) if self.unframed => {
                // Nobody knows what it is, nor where it ends.
                if keep && self.left_out.is_empty() {
                    out.extend_from_slice(rest);
                }
                self.done = taken.len();
                false
            }
            Ok(Err(_)) => false,
            Err(_) => {
                // Everything was framed when it passed.
                self.unframed = true;
                self.fail("framing");
                true
            }
        };
        self.taken = taken;
        if self.done == self.taken.len() {
            self.taken.clear();
            self.left_out.clear();
            self.done = 0;
            // After a burst; what comes in ordinary times is short.
            self.taken.shrink_to(1 << 16);
        }
        advanced
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        while self.advance(out) {}
        self.graphics.release(out);
        if self.left_out.is_empty() {
            out.extend(self.taken.iter().skip(self.done));
        }
        self.taken.clear();
        self.done = 0;
    }

    fn take_failure(&mut self) -> Option<&'static str> {
        self.failure.take()
    }
}

impl std::fmt::Debug for RdpLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RdpLog").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
