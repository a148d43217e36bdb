//! What a peer of the gateway must be able to rely on, whoever the other peer is.

use passerelle_desktop::Side;
use passerelle_rdp::Channels;

/// Splits off the PDU at the front: a TPKT or a fast-path PDU.
fn pdu<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = match **rest {
        [] => return None,
        [3, _, high, low, ..] => u16::from_be_bytes([high, low]),
        [first, short, ..] if first & 3 == 0 && short & 0x80 == 0 => short.into(),
        [first, high, low, ..] if first & 3 == 0 => u16::from_be_bytes([high & 0x7f, low]),
        _ => panic!("no PDU begins with {:02x?}", &rest[..rest.len().min(4)]),
    };
    let len = usize::from(len);
    assert!((2..=rest.len()).contains(&len), "a PDU of {len} bytes was sent with {}", rest.len());
    let (pdu, tail) = rest.split_at(len);
    *rest = tail;
    Some(pdu)
}

/// All of `bytes` are whole PDUs.
pub(super) fn assert_framed(mut bytes: &[u8]) {
    while pdu(&mut bytes).is_some() {}
}

/// What was sent to `to` are whole PDUs, each of a kind that `to` receives, in its own numbers, and messages of
/// static channels come one after the other.
pub(super) fn assert_sound(to: Side, channels: &Channels, mut bytes: &[u8]) {
    let mut open = vec![None; channels.statics.len()];
    while let Some(pdu) = pdu(&mut bytes) {
        let [3, _, _, _, 2, 0xf0, 0x80, choice, user_high, user_low, high, low, _, content @ ..] = pdu else {
            let fast_path = pdu[0] & 3 == 0;
            let ultimatum = pdu.len() == 9 && pdu[7] >> 2 == 8;
            assert!(fast_path || ultimatum, "an unknown PDU: {pdu:02x?}");
            continue;
        };
        let (user, channel) =
            (u16::from_be_bytes([*user_high, *user_low]), u16::from_be_bytes([*high, *low]));
        // The low bits are padding.
        match to {
            Side::Target => assert_eq!((choice >> 2, user), (25, channels.user - 1001), "{pdu:02x?}"),
            Side::Viewer => assert_eq!(choice >> 2, 26, "{pdu:02x?}"),
        }
        let data = match *content {
            [short, ref data @ ..] if short & 0x80 == 0 => (usize::from(short), data),
            [high, low, ref data @ ..] => (usize::from(u16::from_be_bytes([high & 0x7f, low])), data),
            _ => panic!("an MCS PDU without length: {pdu:02x?}"),
        };
        assert_eq!(data.0, data.1.len(), "lengths differ: {pdu:02x?}");
        if let Some(index) = channels.statics.iter().position(|there| there.id == channel) {
            chunk(&mut open[index], data.1);
        } else {
            assert!(channel == channels.io || Some(channel) == channels.message, "channel {channel}");
        }
    }
}

/// Follows a channel: `open` is how long the message is that has not ended, and how much of it there was.
fn chunk(open: &mut Option<(u32, u32)>, chunk: &[u8]) {
    let ([t0, t1, t2, t3, f0, f1, f2, f3], data) = chunk.split_first_chunk().expect("a chunk's header");
    let (total, flags) = (u32::from_le_bytes([*t0, *t1, *t2, *t3]), u32::from_le_bytes([*f0, *f1, *f2, *f3]));
    assert_eq!(flags & 1 != 0, open.is_none(), "a message within another, or without a beginning");
    let (announced, seen) = open.unwrap_or((total, 0));
    let seen = seen + u32::try_from(data.len()).expect("a short chunk");
    assert!(announced == total && seen <= total, "{seen} of {total} bytes, where {announced} were announced");
    *open = (flags & 2 == 0).then_some((total, seen));
}
