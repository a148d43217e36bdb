//! What the viewer says in the graphics pipeline's channel (MS-RDPEGFX), in sessions that are recorded.

use super::RelayViolation;

const CAPS_ADVERTISE: u16 = 0x12;
const CACHE_IMPORT_OFFER: u16 = 0x10;

/// `RDPGFX_HEADER`: cmdId, flags, pduLength.
const HEADER: usize = 8;

/// Versions of capability sets (2.2.3).
mod version {
    pub(super) const V8: u32 = 0x0008_0004;
    pub(super) const V8_1: u32 = 0x0008_0105;
    pub(super) const V10: u32 = 0x000a_0002;
    pub(super) const V10_1: u32 = 0x000a_0100;
    pub(super) const V10_2: u32 = 0x000a_0200;
    pub(super) const V10_3: u32 = 0x000a_0301;
    pub(super) const V10_4: u32 = 0x000a_0400;
    pub(super) const V10_5: u32 = 0x000a_0502;
    pub(super) const V10_6: u32 = 0x000a_0600;
    pub(super) const V10_6_ERRATUM: u32 = 0x000a_0601;
    pub(super) const V10_7: u32 = 0x000a_0701;
}

/// `RDPGFX_CAPS_FLAG_AVC420_ENABLED`, of version 8.1.
const AVC420_ENABLED: u32 = 0x10;

/// `RDPGFX_CAPS_FLAG_AVC_DISABLED`, of version 10 and later.
const AVC_DISABLED: u32 = 0x20;

/// Whether a message that comes in parts and begins with `beginning` is withheld whole.
pub(super) fn is_withheld(beginning: &[u8]) -> bool {
    beginning.first_chunk().map(|id| u16::from_le_bytes(*id)) == Some(CACHE_IMPORT_OFFER)
}

/// What goes on in the place of `message`, all of a message of the viewer: without what no decoder of ours follows.
/// Nothing if it passes as it is. `avc` tells whether H.264 is decoded.
pub(super) fn edit(message: &[u8], avc: bool) -> Result<Option<Vec<u8>>, RelayViolation> {
    let malformed =
        RelayViolation::Channel { channel: "graphics", what: "a PDU does not fit into its message" };
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let header: &[u8; HEADER] = rest.first_chunk().ok_or(malformed.clone())?;
        let &[id0, id1, _, _, l0, l1, l2, l3] = header;
        let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let (pdu, after) = rest.split_at_checked(len).filter(|_| len >= HEADER).ok_or(malformed.clone())?;
        match u16::from_le_bytes([id0, id1]) {
            CAPS_ADVERTISE => out.extend(advertise(pdu, avc).ok_or(malformed.clone())?),
            CACHE_IMPORT_OFFER => {}
            _ => out.extend(pdu),
        }
        rest = after;
    }
    Ok((out != message).then_some(out))
}

/// A capabilities advertisement with the sets that a decoder of ours follows.
fn advertise(pdu: &[u8], avc: bool) -> Option<Vec<u8>> {
    let (count, mut rest) = pdu.get(HEADER..)?.split_first_chunk()?;
    let mut sets = Vec::with_capacity(pdu.len());
    let mut kept = 0_u16;
    for _ in 0..u16::from_le_bytes(*count) {
        let (version, after) = rest.split_first_chunk()?;
        let (len, after) = after.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (data, after) = after.split_at_checked(len)?;
        rest = after;
        if let Some(data) = set(u32::from_le_bytes(*version), data, avc) {
            sets.extend(version);
            sets.extend(u32::try_from(data.len()).ok()?.to_le_bytes());
            sets.extend(data);
            kept = kept.checked_add(1)?;
        }
    }
    if kept == 0 {
        // Every client of the pipeline knows its first version.
        kept = 1;
        sets.extend([version::V8, 4, 0].map(u32::to_le_bytes).as_flattened());
    }
    let len = u32::try_from(HEADER + 2 + sets.len()).ok()?;
    let mut out = pdu.get(..4)?.to_vec();
    out.extend(len.to_le_bytes());
    out.extend(kept.to_le_bytes());
    out.extend(sets);
    Some(out)
}

/// The data of a capability set, changed as need be; nothing if it is not to be offered.
fn set(version: u32, data: &[u8], avc: bool) -> Option<Vec<u8>> {
    let mut data = data.to_vec();
    let with_flags = |data: &mut Vec<u8>, change: fn(u32) -> u32| {
        let flags = data.first_chunk_mut::<4>()?;
        *flags = change(u32::from_le_bytes(*flags)).to_le_bytes();
        Some(())
    };
    match version {
        version::V8 => {}
        version::V8_1 if !avc => with_flags(&mut data, |flags| flags & !AVC420_ENABLED)?,
        // It has no flag that would turn H.264 off.
        version::V10_1 if !avc => return None,
        version::V8_1 | version::V10_1 => {}
        version::V10
        | version::V10_2
        | version::V10_3
        | version::V10_4
        | version::V10_5
        | version::V10_6
        | version::V10_6_ERRATUM
        | version::V10_7 => {
            if !avc {
                with_flags(&mut data, |flags| flags | AVC_DISABLED)?;
            }
        }
        _ => return None,
    }
    Some(data)
}
