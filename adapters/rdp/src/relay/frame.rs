//! Where a PDU ends, and what kind it is (MS-RDPBCGR 2.2.9.1; T.123 8; X.224 13.7; T.125 7).

use passerelle_desktop::Side;

use super::RelayViolation;

/// TPKT header, X.224 Data TPDU header.
pub(super) const X224_HEADER: usize = 7;

/// The longest header of an MCS SendData PDU, with what comes before it.
pub(super) const SEND_DATA_HEADER: usize = X224_HEADER + 8;

/// The length of a Disconnect Provider Ultimatum with its headers.
const ULTIMATUM: usize = X224_HEADER + 2;

/// Lowest MCS user number; users lie on the wire as their distance from it (T.125 7, `UserId`).
const FIRST_USER: u16 = 1001;

/// The user in whose name servers send (MS-RDPBCGR 3.3.5.2.3, by custom).
pub(super) const SERVER_USER: u16 = 1002;

const DISCONNECT_PROVIDER_ULTIMATUM: u8 = 8;
const SEND_DATA_REQUEST: u8 = 25;
const SEND_DATA_INDICATION: u8 = 26;

/// A whole PDU at the front of a peer's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A fast-path PDU.
    FastPath {
        /// With its header.
        len: usize,
        /// Where its content begins.
        header: usize,
        /// The event count in the first byte; nothing from a server.
        events: u8,
    },
    /// Data in an MCS channel.
    Data(SendData),
    /// A peer ends the connection.
    Disconnect {
        /// With its header.
        len: usize,
        /// MCS `Reason`.
        reason: u8,
    },
}

impl Frame {
    /// Of the whole PDU.
    pub(super) fn len(&self) -> usize {
        match *self {
            Frame::FastPath { len, .. } | Frame::Disconnect { len, .. } => len,
            Frame::Data(SendData { len, .. }) => len,
        }
    }
}

/// The header of an MCS SendData Request or Indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendData {
    /// Of the whole PDU.
    pub(super) len: usize,
    /// Where the user data begin. They end with the PDU.
    pub(super) header: usize,
    /// In whose name it is sent.
    pub(super) initiator: u16,
    /// The channel.
    pub(super) channel: u16,
}

/// Frames the PDU at the front of `input`, of which at least one byte is there. `Err` of a length: that much
/// is needed to say more, never over 64 KiB.
pub(super) fn frame(from: Side, input: &[u8]) -> Result<Result<Frame, usize>, RelayViolation> {
    let &[first, ref rest @ ..] = input else { return Ok(Err(1)) };
    match first & 3 {
        0 => fast_path(first, rest, input.len()),
        3 if first == 3 => x224(from, input),
        _ => Err(RelayViolation::NoPdu(first)),
    }
}

/// MS-RDPBCGR 2.2.8.1.2 and 2.2.9.1.2: action (2 bits), event count (4, from clients), flags (2); length in one or two
/// bytes, with that of the header.
fn fast_path(first: u8, rest: &[u8], held: usize) -> Result<Result<Frame, usize>, RelayViolation> {
    if first >> 6 != 0 {
        return Err(RelayViolation::StandardSecurity);
    }
    let (len, header) = match *rest {
        [short, ..] if short & 0x80 == 0 => (usize::from(short), 2),
        [high, low, ..] => (usize::from(u16::from_be_bytes([high & 0x7f, low])), 3),
        [] => return Ok(Err(2)),
        [_] => return Ok(Err(3)),
    };
    if len <= header {
        return Err(RelayViolation::TooShort(len));
    }
    Ok(if held < len { Err(len) } else { Ok(Frame::FastPath { len, header, events: first >> 2 & 0x0f }) })
}

fn x224(from: Side, input: &[u8]) -> Result<Result<Frame, usize>, RelayViolation> {
    let &[_, _, high, low, ref rest @ ..] = input else { return Ok(Err(4)) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    // Both headers and the shortest MCS PDU.
    if len < X224_HEADER + 2 {
        return Err(RelayViolation::TooShort(len));
    }
    let Some(body) = len.checked_sub(4).and_then(|body| rest.get(..body)) else { return Ok(Err(len)) };
    let [2, 0xf0, 0x80, mcs @ ..] = body else { return Err(RelayViolation::NotData) };
    self::mcs(from, mcs, len).map(Ok)
}

fn mcs(from: Side, mcs: &[u8], len: usize) -> Result<Frame, RelayViolation> {
    let expected = match from {
        Side::Viewer => SEND_DATA_REQUEST,
        Side::Target => SEND_DATA_INDICATION,
    };
    let &[first, second, ref rest @ ..] = mcs else { return Err(RelayViolation::McsLength) };
    match first >> 2 {
        // Some clients write it longer than it need be, see [`short_ultimatum`].
        DISCONNECT_PROVIDER_ULTIMATUM => {
            Ok(Frame::Disconnect { len, reason: (first & 3) << 1 | second >> 7 })
        }
        choice if choice == expected => {
            let &[user_low, channel_high, channel_low, properties, ref rest @ ..] = rest else {
                return Err(RelayViolation::McsLength);
            };
            // The low bits of `properties` are padding; those above say where in a message this part stands.
            if properties & 0x30 != 0x30 {
                return Err(RelayViolation::Segmented);
            }
            let (announced, data) = match *rest {
                [short, ref data @ ..] if short & 0x80 == 0 => (usize::from(short), data),
                // PER has 14 bits here, but servers write and clients read 15.
                [high, low, ref data @ ..] => (usize::from(u16::from_be_bytes([high & 0x7f, low])), data),
                _ => return Err(RelayViolation::McsLength),
            };
            if announced != data.len() {
                return Err(RelayViolation::McsLength);
            }
            Ok(Frame::Data(SendData {
                len,
                header: len.saturating_sub(data.len()),
                initiator: u16::from_be_bytes([second, user_low]).saturating_add(FIRST_USER),
                channel: u16::from_be_bytes([channel_high, channel_low]),
            }))
        }
        other => Err(RelayViolation::McsPdu(other)),
    }
}

/// A Disconnect Provider Ultimatum without what follows its two bytes, if anything does: nobody has looked at that.
pub(super) fn short_ultimatum(pdu: &[u8]) -> Option<Vec<u8>> {
    let ([version, reserved, _, _, rest @ ..], [_, ..]) = pdu.split_first_chunk::<ULTIMATUM>()? else {
        return None;
    };
    let [high, low] = (ULTIMATUM as u16).to_be_bytes();
    Some([&[*version, *reserved, high, low], &rest[..]].concat())
}

/// Puts the numbers of the other leg into the header of a SendData PDU.
pub(super) fn renumber(pdu: &mut [u8], initiator: u16, channel: u16) {
    let numbers = [initiator.saturating_sub(FIRST_USER).to_be_bytes(), channel.to_be_bytes()];
    if let Some(place) = pdu.get_mut(X224_HEADER + 1..X224_HEADER + 5) {
        place.copy_from_slice(numbers.as_flattened());
    }
}

/// Appends the header of a SendData PDU for `to` with `data` bytes, at most [`MOST_DATA`], to `out`.
pub(super) fn send_data(out: &mut Vec<u8>, to: Side, initiator: u16, channel: u16, data: usize) {
    let choice = match to {
        Side::Target => SEND_DATA_REQUEST,
        Side::Viewer => SEND_DATA_INDICATION,
    };
    let data = u16::try_from(data).unwrap_or(u16::MAX);
    let len = data.saturating_add(SEND_DATA_HEADER as u16);
    out.extend([3, 0]);
    out.extend(len.to_be_bytes());
    out.extend([2, 0xf0, 0x80, choice << 2]);
    out.extend(initiator.saturating_sub(FIRST_USER).to_be_bytes());
    out.extend(channel.to_be_bytes());
    // High priority, first and last segment.
    out.push(0x70);
    out.extend((data | 0x8000).to_be_bytes());
}

/// The most that fits behind the header of [`send_data`]: the length has 14 bits.
pub(super) const MOST_DATA: usize = 0x3fff;
