//! Share data of the slow path (MS-RDPBCGR 2.2.8.1.1.1).

use passerelle_desktop::Side;

use super::Plain;
use super::updates::{CONTROL_FLAGS, Pdus};
use crate::decoder::share::{DATA, DEMAND_ACTIVE, Reader, SharePdu, desktop_size, split};
use crate::relay::frame::{SendData, send_data};

/// `PDUTYPE2_UPDATE`, and the first byte of those that draw: orders and bitmaps.
const UPDATE: u8 = 2;
const DRAWING: [u8; 2] = [0, 1];
/// Share control and share data header.
const HEADER: usize = 18;
/// Where the share data header has `uncompressedLength`, `pduType2`, `compressedType` and `compressedLength`.
const UNCOMPRESSED_LENGTH: usize = 12;
const KIND_AT: usize = 14;
const COMPRESSION: usize = 15;
/// The most user data that an MCS PDU holds: its length has 15 bits.
const MOST: usize = 0x7fff;

/// The share PDUs in user data of the I/O channel, as a decoder finds them.
struct Shares<'a> {
    /// What follows them: nothing, licensing, or what is damaged for every decoder.
    rest: &'a [u8],
    /// Whether the target has begun a share. What comes before is licensing, with other headers.
    active: bool,
}

impl<'a> Iterator for Shares<'a> {
    type Item = SharePdu<'a>;

    fn next(&mut self) -> Option<SharePdu<'a>> {
        let (share, rest) = split(self.rest, self.active).ok()??;
        self.rest = rest;
        let body = share.bytes.get(6..).filter(|_| share.kind == DEMAND_ACTIVE);
        self.active |= body.is_some_and(|body| desktop_size(Reader(body)).is_some());
        Some(share)
    }
}

impl<'a> SharePdu<'a> {
    /// `pduType2`, the compression flags, and what follows the headers, if it is share data.
    fn data(self) -> Option<(u8, u8, &'a [u8])> {
        let (head, body) = self.bytes.split_at_checked(HEADER).filter(|_| self.kind == DATA)?;
        Some((*head.get(KIND_AT)?, *head.get(COMPRESSION)?, body))
    }

    /// What is compressed, with its compression flags.
    fn compressed(self) -> Option<(u8, &'a [u8])> {
        self.data().filter(|(_, flags, _)| flags & CONTROL_FLAGS != 0).map(|(_, flags, body)| (flags, body))
    }

    /// Whether it draws, where its plain body is `plain` if it was compressed. One that cannot be read may.
    fn draws(self, plain: Option<&[u8]>) -> bool {
        let Some((UPDATE, _, body)) = self.data() else { return false };
        let unread = plain.is_none() && self.compressed().is_some();
        unread || plain.unwrap_or(body).first().is_none_or(|first| DRAWING.contains(first))
    }
}

/// Appends `pdu`, a Send Data Indication of the I/O channel, to `out`, its share data without compression. Without
/// updates that draw, unless what the `screen` shows is to be kept. Whether a share has begun is `active`.
pub(super) fn rewrite(
    pdu: &[u8],
    header: SendData,
    screen: bool,
    active: &mut bool,
    plain: &mut Plain<'_>,
    out: &mut Vec<u8>,
) {
    let all = || Shares { rest: pdu.get(header.header..).unwrap_or_default(), active: *active };
    let mut shares = all();
    if screen && shares.all(|share| share.compressed().is_none()) {
        out.extend_from_slice(pdu);
        *active = shares.active;
        return;
    }
    let mut shares = all();
    let mut gathered = Gathered::new(header, out);
    for share in &mut shares {
        let body = share.compressed().and_then(|(flags, body)| plain.of(body, flags));
        if !screen && share.draws(body) {
            continue;
        }
        match body {
            Some(body) if HEADER + body.len() > MOST => too_long(share, body, &mut gathered),
            Some(body) => gathered.add_plain(share, body),
            None => gathered.add(share.bytes),
        }
    }
    if screen || !shares.active {
        gathered.add(shares.rest);
    }
    gathered.flush();
    *active = shares.active;
}

/// A share PDU that no longer fits. Bitmaps and palettes have the same form in the fast path, which knows fragments.
/// Of what else there is nothing is so long; it is kept as it came.
fn too_long(share: SharePdu<'_>, body: &[u8], gathered: &mut Gathered<'_>) {
    match (share.data(), body) {
        (Some((UPDATE, ..)), &[code @ (1 | 2), 0, ..]) => gathered.fast_path().update(code, body),
        _ => gathered.add(share.bytes),
    }
}

/// Share PDUs on their way into as few Send Data Indications as they need.
struct Gathered<'a> {
    header: SendData,
    data: Vec<u8>,
    out: &'a mut Vec<u8>,
}

impl<'a> Gathered<'a> {
    /// They are appended to `out`, from and to whom `header` says.
    fn new(header: SendData, out: &'a mut Vec<u8>) -> Self {
        Self { header, data: Vec::new(), out }
    }

    /// Adds a share PDU, or what follows the last one.
    fn add(&mut self, share: &[u8]) {
        self.room(share.len());
        self.data.extend_from_slice(share);
    }

    /// Adds a share PDU with the plain `body`, with which it fits.
    fn add_plain(&mut self, share: SharePdu<'_>, body: &[u8]) {
        self.room(HEADER + body.len());
        let begin = self.data.len();
        self.data.extend(share.bytes.iter().take(HEADER));
        self.data.extend_from_slice(body);
        let Some(out) = self.data.get_mut(begin..) else { return };
        let total = u16::try_from(out.len()).unwrap_or(u16::MAX);
        // From `pduType2` on.
        let uncompressed = total.saturating_sub(KIND_AT as u16);
        for (at, field) in [(0, total), (UNCOMPRESSED_LENGTH, uncompressed)] {
            if let Some(place) = out.get_mut(at..at + 2) {
                place.copy_from_slice(&field.to_le_bytes());
            }
        }
        if let Some(place) = out.get_mut(COMPRESSION..HEADER) {
            place.fill(0);
        }
    }

    /// Appends what was gathered if `len` bytes do not fit with it.
    fn room(&mut self, len: usize) {
        if self.data.len() + len > MOST {
            self.flush();
        }
    }

    /// Fast-path PDUs between those gathered so far and what follows.
    fn fast_path(&mut self) -> Pdus<'_> {
        self.flush();
        Pdus::new(0, self.out)
    }

    /// Appends a Send Data Indication with what was gathered.
    fn flush(&mut self) {
        if !self.data.is_empty() {
            let SendData { initiator, channel, .. } = self.header;
            send_data(self.out, Side::Viewer, initiator, channel, self.data.len());
            self.out.append(&mut self.data);
        }
    }
}
