//! PDUs of the I/O channel (MS-RDPBCGR 2.2.8.1.1).

use ironrdp_core::ReadCursor;
use ironrdp_pdu::fast_path::UpdateCode;
use ironrdp_pdu::slow_path::decode_slow_path_pointer;
use passerelle_desktop::{FramebufferError, Size, Tally};

use super::bulk::Bulk;
use super::screen::Screen;
use super::skipped::Part;

/// `TYPE` bits of `pduType` (MS-RDPBCGR 2.2.8.1.1.1.1).
const PDU_TYPE: u16 = 0x000f;
/// `PDUTYPE_DEMANDACTIVEPDU`.
pub(crate) const DEMAND_ACTIVE: u16 = 1;
/// `PDUTYPE_DATAPDU`.
pub(crate) const DATA: u16 = 7;
/// `totalLength` of a Flow PDU, which has no further header (MS-RDPBCGR 2.2.8.1.1.1.1; T.128, 8.5).
const FLOW: u16 = 0x8000;
/// `SEC_LICENSE_PKT` (MS-RDPBCGR 2.2.8.1.1.2.1).
const SEC_LICENSE_PKT: u16 = 0x0080;
/// `PDUTYPE2_UPDATE` (MS-RDPBCGR 2.2.8.1.1.1.2).
const UPDATE: u8 = 0x02;
/// `PDUTYPE2_POINTER`.
const POINTER: u8 = 0x1b;
/// `CAPSTYPE_BITMAP` (MS-RDPBCGR 2.2.7.1.2).
const BITMAP_CAPABILITIES: u16 = 2;

/// Draws what the share PDUs in one Send Data Indication of the I/O channel hold.
///
/// Between Demand Active and Font Map come the PDUs of the finalization; they and others that draw nothing are
/// passed over.
pub(super) fn receive(
    mut data: &[u8],
    bulk: &mut Bulk,
    screen: &mut Screen,
    tally: &mut Tally,
) -> Result<(), FramebufferError> {
    loop {
        let (pdu, rest) = match split(data, screen.is_active()) {
            Ok(Some(split)) => split,
            Ok(None) => return Ok(()),
            Err(part) => {
                tally.add(part);
                return Ok(());
            }
        };
        data = rest;
        // Past `totalLength`, `pduType` and `pduSource`.
        let body = Reader(pdu.bytes.get(6..).unwrap_or_default());
        match pdu.kind {
            DEMAND_ACTIVE => match desktop_size(body) {
                Some(size) => screen.activate(size)?,
                None => tally.add(Part::Malformed),
            },
            DATA => share_data(body, bulk, screen, tally),
            _ => {}
        }
    }
}

/// A share PDU.
#[derive(Clone, Copy)]
pub(crate) struct SharePdu<'a> {
    /// `pduType` without the version.
    pub(crate) kind: u16,
    /// All of it.
    pub(crate) bytes: &'a [u8],
}

/// The share PDU that `data` begin with, and what follows it; nothing where no more follow. Whether the target has begun a
/// share is `active`.
pub(crate) fn split(data: &[u8], active: bool) -> Result<Option<(SharePdu<'_>, &[u8])>, Part> {
    if data.is_empty() {
        return Ok(None);
    }
    let mut header = Reader(data);
    let (Some(total), Some(kind)) = (header.u16(), header.u16()) else { return Err(Part::Malformed) };
    // Licensing PDUs begin with a basic security header instead of a share control header, and fill the rest.
    // Its `flagsHi`, where a share control header has its protocol version, should be zero, but xrdp puts
    // a length there.
    let licensing = !active && total & SEC_LICENSE_PKT != 0 && usize::from(total) != data.len();
    if kind == 0 || licensing || total == FLOW {
        return Ok(None);
    }
    let split = data.split_at_checked(total.into()).filter(|(pdu, _)| !pdu.is_empty());
    let (bytes, rest) = split.ok_or(Part::Malformed)?;
    Ok(Some((SharePdu { kind: kind & PDU_TYPE, bytes }, rest)))
}

/// Draws one share data PDU (MS-RDPBCGR 2.2.8.1.1.1.2).
fn share_data(mut body: Reader<'_>, bulk: &mut Bulk, screen: &mut Screen, tally: &mut Tally) {
    // Past `shareId`, `pad1`, `streamId` and `uncompressedLength`, and at the end `compressedLength`.
    let header = (|| {
        body.skip(8)?;
        let header = (body.u8()?, body.u8()?);
        body.skip(2)?;
        Some(header)
    })();
    let Some((kind, compression)) = header else { return tally.add(Part::Malformed) };
    // Even of PDUs that draw nothing: the history needs them.
    let Some(data) = bulk.plain(body.0, compression, tally) else { return };
    match kind {
        UPDATE => match Reader(data).u16() {
            Some(0) => tally.add(Part::Orders),
            // These have the fast path's form, `updateType` included.
            Some(1) => screen.update(UpdateCode::Bitmap, data, tally),
            Some(2) => screen.update(UpdateCode::Palette, data, tally),
            Some(3) => {}
            _ => tally.add(Part::Malformed),
        },
        POINTER => match decode_slow_path_pointer(&mut ReadCursor::new(data)) {
            Ok(pointer) => screen.pointer_update(pointer, tally),
            Err(_) => tally.add(Part::Malformed),
        },
        _ => {}
    }
}

/// The desktop's size in a Demand Active PDU (MS-RDPBCGR 2.2.1.13.1.1), from its bitmap capability set
/// (2.2.7.1.2). The other sets are not looked into: none of them is worth losing a recording for.
pub(crate) fn desktop_size(mut body: Reader<'_>) -> Option<Size> {
    body.skip(4)?;
    let source = body.u16()?;
    body.skip(2)?;
    body.skip(source.into())?;
    let sets = body.u16()?;
    body.skip(2)?;
    for _ in 0..sets {
        let kind = body.u16()?;
        let len = usize::from(body.u16()?).checked_sub(4)?;
        let (set, rest) = body.0.split_at_checked(len)?;
        body = Reader(rest);
        if kind == BITMAP_CAPABILITIES {
            let mut set = Reader(set);
            set.skip(8)?;
            return Some(Size { width: set.u16()?, height: set.u16()? });
        }
    }
    None
}

/// Reads little-endian numbers off the front.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn skip(&mut self, len: usize) -> Option<&'a [u8]> {
        let (skipped, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(skipped)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}
