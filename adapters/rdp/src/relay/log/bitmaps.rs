//! Bitmap updates on their way into a recording.

use passerelle_desktop::{Side, Size};

use super::rectangles::Rectangles;
use super::share::{Gathered, HEADER, MOST, Shares};
use super::updates::{BITMAP, CODE, FIRST, FRAGMENTATION, LAST, NEXT, Pdus, SINGLE, Update};
use crate::relay::frame::{Frame, SendData, frame};

/// `TS_UPDATE_BITMAP_DATA` as share data begins with it, in both bytes of `updateType`.
const BITMAP_UPDATE: [u8; 2] = [1, 0];
/// The longest update that is put together of fragments. A decoder puts together no longer one.
const LONGEST: usize = 64 << 20;

/// Makes the bitmaps in what the target draws plain: interleaved RLE and RDP 6.0 planar.
///
/// An update that comes in fragments is held until its last one has come, and stands where that stood.
pub(super) struct Bitmaps {
    io_channel: u16,
    /// The bitmap update that is coming in fragments.
    held: Option<Vec<u8>>,
    /// An update of another kind is.
    other: bool,
    /// Whether the target has begun a share. What comes before is licensing, with other headers.
    active: bool,
    rectangles: Rectangles,
}

impl Bitmaps {
    /// For a session with a desktop of `size` until the target says which it has.
    pub(super) fn new(io_channel: u16, size: Size) -> Self {
        Self { io_channel, held: None, other: false, active: false, rectangles: Rectangles::new(size) }
    }

    /// The graphics pipeline has been opened: it changes the size of the desktop, too.
    pub(super) fn forget_size(&mut self) {
        self.rectangles.desktop = None;
    }

    /// Nothing of what waits for its last fragment is to be kept.
    pub(super) fn discard(&mut self) {
        self.held = None;
    }

    /// Appends `pdus`, whole ones without bulk compression, to `out`, with plain bitmaps.
    pub(super) fn rewrite(&mut self, pdus: &[u8], out: &mut Vec<u8>) {
        let mut rest = pdus;
        while let Some((Ok(Ok(next)), first)) = rest.first().map(|first| (frame(Side::Target, rest), *first))
        {
            let (pdu, after) = rest.split_at(next.len().min(rest.len()));
            match next {
                Frame::FastPath { header, .. } => self.fast_path(pdu, header, first, out),
                Frame::Data(header) if header.channel == self.io_channel => self.share(pdu, header, out),
                Frame::Data(_) | Frame::Disconnect { .. } => out.extend_from_slice(pdu),
            }
            rest = after;
        }
        out.extend_from_slice(rest);
    }

    /// Appends what waits for more to `out`.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(&mut Pdus::new(0, out));
    }

    fn fast_path(&mut self, pdu: &[u8], header: usize, first: u8, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut pdus = Pdus::new(first, out);
        let mut changed = false;
        let mut rest = pdu.get(header..).unwrap_or_default();
        while !rest.is_empty() {
            let Some((update, after)) = Update::split(rest) else {
                // What follows is damaged for every reader.
                changed |= self.release(&mut pdus);
                self.other = false;
                pdus.put(rest);
                break;
            };
            changed |= self.update(&update, &mut pdus);
            rest = after;
        }
        if !changed {
            out.truncate(begin);
            out.extend_from_slice(pdu);
        }
    }

    /// Writes what becomes of an update. Whether that is something else than the update.
    fn update(&mut self, update: &Update<'_>, pdus: &mut Pdus<'_>) -> bool {
        let fragmentation = update.header & FRAGMENTATION;
        if update.header & CODE == BITMAP && update.flags.is_none() {
            match (fragmentation, &mut self.held) {
                (SINGLE, _) => {
                    if let Some(plain) = self.rectangles.plain(update.data) {
                        self.release(pdus);
                        self.other = false;
                        plain.iter().for_each(|update| pdus.update(BITMAP, update));
                        return true;
                    }
                }
                (FIRST, _) => {
                    self.release(pdus);
                    self.other = false;
                    self.held = Some(update.data.to_vec());
                    return true;
                }
                (NEXT, Some(held)) if held.len() + update.data.len() <= LONGEST => {
                    held.extend_from_slice(update.data);
                    return true;
                }
                (LAST, Some(held)) if held.len() + update.data.len() <= LONGEST => {
                    held.extend_from_slice(update.data);
                    let whole = self.held.take().unwrap_or_default();
                    let updates = self.rectangles.plain(&whole).unwrap_or_else(|| vec![whole]);
                    updates.iter().for_each(|update| pdus.update(BITMAP, update));
                    return true;
                }
                _ => {}
            }
        }
        let released = self.release(pdus);
        self.other = fragmentation == FIRST || self.other && fragmentation == NEXT;
        pdus.put(update.bytes);
        released
    }

    /// Writes what is held, as the beginning of an update that does not end. Whether there was something.
    fn release(&mut self, pdus: &mut Pdus<'_>) -> bool {
        let Some(held) = self.held.take() else { return false };
        pdus.update(BITMAP | FIRST, &held);
        true
    }

    /// Share data of the slow path.
    fn share(&mut self, pdu: &[u8], header: SendData, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut gathered = Gathered::new(header, out);
        let mut changed = false;
        let mut shares = Shares { rest: pdu.get(header.header..).unwrap_or_default(), active: self.active };
        while let Some(share) = shares.next() {
            if let (Some(desktop), Some(size)) = (&mut self.rectangles.desktop, share.desktop()) {
                *desktop = size;
            }
            let bitmaps = share.update().filter(|update| shares.active && update.starts_with(&BITMAP_UPDATE));
            let plain = bitmaps.and_then(|update| self.rectangles.plain(update));
            // What fits into no PDU goes over to the fast path, where it must not cut through another update.
            let fits = |body: &Vec<u8>| HEADER + body.len() <= MOST;
            changed |= plain.is_some();
            match plain.filter(|updates| !self.other || updates.iter().all(fits)) {
                Some(updates) => {
                    for body in updates {
                        if fits(&body) {
                            gathered.add(&share.with(&body));
                        } else {
                            gathered.fast_path().update(BITMAP, &body);
                        }
                    }
                }
                None => gathered.add(share.bytes),
            }
        }
        self.active = shares.active;
        if changed {
            gathered.add(shares.rest);
            gathered.flush();
        } else {
            out.truncate(begin);
            out.extend_from_slice(pdu);
        }
    }
}
