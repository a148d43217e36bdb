//! Share control and share data headers (MS-RDPBCGR 2.2.8.1.1.1).

use passerelle_desktop::Side;

use crate::relay::RelayViolation;

/// `totalLength` of a flow PDU (T.128 8.5), which has no length.
const FLOW: u16 = 0x8000;
const FLOW_LEN: usize = 8;

/// Share control header, then share data header.
pub(super) const DATA_HEADER: usize = 18;

pub(super) const DEMAND_ACTIVE: u8 = 1;
pub(super) const CONFIRM_ACTIVE: u8 = 3;
pub(super) const DEACTIVATE_ALL: u8 = 6;
pub(super) const DATA: u8 = 7;
pub(super) const SERVER_REDIRECTION: u8 = 0x0a;

/// `pduType2` of share data.
pub(super) mod data {
    pub(in super::super) const UPDATE: u8 = 2;
    pub(in super::super) const CONTROL: u8 = 20;
    pub(in super::super) const POINTER: u8 = 27;
    pub(in super::super) const INPUT: u8 = 28;
    pub(in super::super) const SYNCHRONIZE: u8 = 31;
    pub(in super::super) const REFRESH_RECT: u8 = 33;
    pub(in super::super) const PLAY_SOUND: u8 = 34;
    pub(in super::super) const SUPPRESS_OUTPUT: u8 = 35;
    pub(in super::super) const SHUTDOWN_REQUEST: u8 = 36;
    pub(in super::super) const SHUTDOWN_DENIED: u8 = 37;
    pub(in super::super) const SAVE_SESSION_INFO: u8 = 38;
    pub(in super::super) const FONT_LIST: u8 = 39;
    pub(in super::super) const FONT_MAP: u8 = 40;
    pub(in super::super) const SET_KEYBOARD_INDICATORS: u8 = 41;
    pub(in super::super) const BITMAP_CACHE_PERSISTENT_LIST: u8 = 43;
    pub(in super::super) const BITMAP_CACHE_ERROR: u8 = 44;
    pub(in super::super) const SET_KEYBOARD_IME_STATUS: u8 = 45;
    pub(in super::super) const SET_ERROR_INFO: u8 = 47;
    pub(in super::super) const OFFSCREEN_CACHE_ERROR: u8 = 46;
    pub(in super::super) const DRAW_NINE_GRID_ERROR: u8 = 48;
    pub(in super::super) const DRAW_GDI_PLUS_ERROR: u8 = 49;
    pub(in super::super) const AUTO_RECONNECT_STATUS: u8 = 50;
    pub(in super::super) const FRAME_ACKNOWLEDGE: u8 = 56;
}

/// One share PDU of those that an MCS PDU holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share<'a> {
    /// `pduType` without the version; 0 for what is to be ignored: a flow PDU, or an update without content that some
    /// servers give the length 0.
    pub(super) kind: u8,
    /// All of it.
    pub(super) bytes: &'a [u8],
}

/// A share data header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShareData<'a> {
    /// `pduType2`.
    pub(super) kind: u8,
    /// `compressedType`: algorithm and flags.
    pub(super) compression: u8,
    /// What follows the header.
    pub(super) body: &'a [u8],
}

/// Splits the first share PDU off `data`.
pub(super) fn split<'a>(from: Side, data: &'a [u8]) -> Result<(Share<'a>, &'a [u8]), RelayViolation> {
    let malformed = RelayViolation::Share("its length is not that of a PDU");
    let &[low, high, kind, ..] = data else { return Err(malformed) };
    let total = u16::from_le_bytes([low, high]);
    let kind = kind & 0x0f;
    let second = data.get(14).copied().filter(|_| kind == DATA && from == Side::Target);
    let (kind, len) = match (total, second) {
        (FLOW, _) => (0, FLOW_LEN),
        (0, Some(data::UPDATE | data::POINTER)) => (0, data.len()),
        // Some servers leave the body out of a font map's length.
        (18, Some(data::FONT_MAP)) => (kind, data.len()),
        // Deactivate All may end before the source.
        (4.., _) => (kind, usize::from(total)),
        _ => return Err(malformed),
    };
    let (bytes, rest) = data.split_at_checked(len).ok_or(malformed)?;
    // Clients ignore what is too short for another header.
    let rest = if rest.len() > 3 { rest } else { &[] };
    Ok((Share { kind, bytes }, rest))
}

/// Whether `data` are one share PDU and nothing else, judged by their header.
pub(super) fn is_share(data: &[u8]) -> bool {
    let &[low, high, kind, version, ..] = data else { return false };
    usize::from(u16::from_le_bytes([low, high])) == data.len()
        && matches!((kind & 0x0f, kind >> 4, version), (1..=7, 1, 0) | (SERVER_REDIRECTION, 0 | 1, 0))
}

impl<'a> Share<'a> {
    /// The share data header behind the share control header.
    pub(super) fn data(&self) -> Result<ShareData<'a>, RelayViolation> {
        let malformed = RelayViolation::Share("share data end before their header does");
        let (header, body) = self.bytes.split_at_checked(DATA_HEADER).ok_or(malformed.clone())?;
        let &[.., kind, compression, _, _] = header else { return Err(malformed) };
        Ok(ShareData { kind, compression, body })
    }
}

/// `uncompressedLength` of share data that are `total` bytes with all headers: what `pduType2` begins.
fn uncompressed_length(total: u16) -> u16 {
    total.saturating_sub(14)
}

/// Share data of a client, with its headers.
pub(super) fn client_data(source: u16, share_id: u32, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut pdu = Vec::with_capacity(DATA_HEADER + body.len());
    let total = u16::try_from(DATA_HEADER + body.len()).unwrap_or(u16::MAX);
    pdu.extend(total.to_le_bytes());
    pdu.extend([0x10 | DATA, 0]);
    pdu.extend(source.to_le_bytes());
    pdu.extend(share_id.to_le_bytes());
    // Padding; low priority.
    pdu.extend([0, 1]);
    pdu.extend(uncompressed_length(total).to_le_bytes());
    pdu.extend([kind, 0, 0, 0]);
    pdu.extend(body);
    pdu
}

/// `pdu`, share data of a client, with `body` in the place of its own, which was compressed.
pub(super) fn plain(pdu: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = pdu.iter().take(DATA_HEADER).copied().chain(body.iter().copied()).collect();
    let total = u16::try_from(out.len()).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(..2) {
        place.copy_from_slice(&total.to_le_bytes());
    }
    if let Some(place) = out.get_mut(12..14) {
        place.copy_from_slice(&uncompressed_length(total).to_le_bytes());
    }
    // compressedType and compressedLength.
    if let Some(place) = out.get_mut(15..DATA_HEADER) {
        place.fill(0);
    }
    out
}
