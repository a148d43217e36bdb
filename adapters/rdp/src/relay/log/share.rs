//! Share data of the slow path (MS-RDPBCGR 2.2.8.1.1.1).

use passerelle_desktop::Side;

use super::Plain;
use super::updates::{CONTROL_FLAGS, HIGHEST_KIND, KIND, Pdus};
use crate::relay::frame::{SendData, send_data};

/// `TYPE` bits of `pduType`, and the types that matter.
const PDU_TYPE: u8 = 0x0f;
pub(super) const DEMAND_ACTIVE: u8 = 1;
pub(super) const DATA: u8 = 7;
/// `PDUTYPE2_UPDATE`, and the first byte of those that draw: orders and bitmaps.
pub(super) const UPDATE: u8 = 2;
const DRAWING: [u8; 2] = [0, 1];
/// Share control and share data header.
pub(super) const HEADER: usize = 18;
/// Where the share data header has `uncompressedLength`, `pduType2`, `compressedType` and `compressedLength`.
const UNCOMPRESSED_LENGTH: usize = 12;
pub(super) const KIND_AT: usize = 14;
const COMPRESSION: usize = 15;
/// The most user data that an MCS PDU holds: its length has 15 bits.
pub(super) const MOST: usize = 0x7fff;

/// What is known of the I/O channel.
#[derive(Default)]
pub(super) struct Share {
    /// Whether the target has begun a share. What comes before is licensing, with other headers.
    active: bool,
}

impl Share {
    /// Appends `pdu`, a Send Data Indication of the I/O channel, to `out`, its share data without compression. Without
    /// updates that draw, unless what the `screen` shows is to be kept.
    pub(super) fn rewrite(
        &mut self,
        pdu: &[u8],
        header: SendData,
        screen: bool,
        plain: &mut Plain<'_>,
        out: &mut Vec<u8>,
    ) {
        let data = pdu.get(header.header..).unwrap_or_default();
        self.active |= split(data).is_some_and(|(share, _)| share.get(2).is_some_and(is(DEMAND_ACTIVE)));
        if !self.active || screen && !is_compressed(data) {
            out.extend_from_slice(pdu);
            return;
        }
        let mut gathered = Vec::new();
        let mut rest = data;
        while !rest.is_empty() {
            let (share, after) = split(rest).unwrap_or((rest, &[]));
            rest = after;
            let body = compression(share).and_then(|flags| plain.of(share.get(HEADER..)?, flags));
            if !screen && draws(share, body) {
                continue;
            }
            match body {
                Some(body) if HEADER + body.len() > MOST => {
                    flush(&mut gathered, header, out);
                    too_long(share, body, header, out);
                }
                Some(body) => {
                    let with = rebuilt(share, body);
                    if gathered.len() + with.len() > MOST {
                        flush(&mut gathered, header, out);
                    }
                    gathered.extend(with);
                }
                None => {
                    if gathered.len() + share.len() > MOST {
                        flush(&mut gathered, header, out);
                    }
                    gathered.extend_from_slice(share);
                }
            }
        }
        flush(&mut gathered, header, out);
    }
}

pub(super) fn is(kind: u8) -> impl Fn(&u8) -> bool {
    move |byte| byte & PDU_TYPE == kind
}

/// The first share PDU of `data` and what follows it. A Flow PDU, and what has no or no right length, is not split off.
pub(super) fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(u16::from_le_bytes(*data.first_chunk()?));
    data.split_at_checked(len).filter(|(share, _)| share.len() > 2)
}

/// The compression flags of a share PDU, if it is compressed.
pub(super) fn compression(share: &[u8]) -> Option<u8> {
    share.get(2).filter(|kind| is(DATA)(kind))?;
    let flags = share.get(..HEADER)?.get(COMPRESSION).copied()?;
    (flags & CONTROL_FLAGS != 0 && flags & KIND <= HIGHEST_KIND).then_some(flags)
}

/// Whether a share PDU, whose plain body is `body` if it was compressed, draws. One that cannot be read may.
fn draws(share: &[u8], body: Option<&[u8]>) -> bool {
    if !share.get(2).is_some_and(is(DATA)) || share.get(KIND_AT) != Some(&UPDATE) {
        return false;
    }
    let unread = body.is_none() && compression(share).is_some();
    let first = body.or_else(|| share.get(HEADER..)).and_then(<[u8]>::first);
    unread || first.is_none_or(|first| DRAWING.contains(first))
}

fn is_compressed(mut data: &[u8]) -> bool {
    while let Some((share, after)) = split(data) {
        if compression(share).is_some() {
            return true;
        }
        data = after;
    }
    false
}

/// `share` with the plain `body`.
pub(super) fn rebuilt(share: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend(share.iter().take(HEADER));
    out.extend_from_slice(body);
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
    out
}

/// A share PDU that no longer fits. Bitmaps and palettes have the same form in the fast path, which knows fragments.
/// Of what else there is nothing is so long; it is kept as it came.
fn too_long(share: &[u8], body: &[u8], header: SendData, out: &mut Vec<u8>) {
    match (share.get(KIND_AT), body) {
        (Some(&UPDATE), &[code @ (1 | 2), 0, ..]) => Pdus::new(0, out).update(code, body),
        _ => flush(&mut share.to_vec(), header, out),
    }
}

/// Appends a Send Data Indication with what was gathered.
pub(super) fn flush(gathered: &mut Vec<u8>, header: SendData, out: &mut Vec<u8>) {
    if !gathered.is_empty() {
        send_data(out, Side::Viewer, header.initiator, header.channel, gathered.len());
        out.append(gathered);
    }
}
