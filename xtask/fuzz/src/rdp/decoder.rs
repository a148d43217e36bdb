//! What draws recordings, and what writes them.

use ironrdp_core::decode;
use ironrdp_pdu::mcs::McsMessage;
use ironrdp_pdu::x224::X224;
use ironrdp_pdu::{Action, find_size};
use passerelle_desktop::{Decoder as _, TargetLog as _};
use passerelle_rdp::decoder::RdpDecoder;
use passerelle_rdp::{RdpLog, Start};

use super::super::drawn::{Drawn, check_damage};
use super::turns;

const IO: u16 = 1003;
const DRDYNVC: u16 = 1007;

/// A dynamic channel that short turns speak in.
const GRAPHICS: u8 = 7;

/// So small that each piece may be one byte.
const SLOW: usize = 16 * 1024;

/// The picture does not depend on how the recording is read, nor does what is counted as missing from it, and
/// what changes is said. What is stored instead of the wire draws the same.
///
/// The input is a list of turns, see [`turn`].
pub(crate) fn decoder(data: &[u8]) {
    let wire: Vec<u8> =
        turns(data).flat_map(|turn| self::turn(turn.what, turn.argument, turn.bytes)).collect();
    let whole = draw(&start(), &wire, usize::MAX);
    if wire.len() <= SLOW && whole.pixels.len() <= 1 << 20 {
        assert_eq!(whole, draw(&start(), &wire, 1));
    }
    let stored = stored(&wire, usize::MAX);
    assert!(stored == self::stored(&wire, 61), "it depends on how the wire was read");
    let drawn = draw(&Start { plain: true, ..start() }, &stored, usize::MAX);
    if whole.is_whole() && !has_compressed_chunk(&wire) {
        assert!(whole.pixels == drawn.pixels, "what is stored draws something else");
    }
}

/// Whether something is compressed in a static channel, where the relay ends the session.
fn has_compressed_chunk(mut wire: &[u8]) -> bool {
    while let Ok(Some(info)) = find_size(wire) {
        let (pdu, rest) = wire.split_at(info.length.clamp(1, wire.len()));
        wire = rest;
        if info.action == Action::X224
            && let Ok(X224(McsMessage::SendDataIndication(data))) = decode::<X224<McsMessage<'_>>>(pdu)
            && data.channel_id != IO
            && data.user_data.get(6).is_some_and(|compression| compression & 0xe0 != 0)
        {
            return true;
        }
    }
    false
}

/// What a recording keeps of the wire.
fn stored(wire: &[u8], piece: usize) -> Vec<u8> {
    let mut log = RdpLog::new(&start());
    let mut out = Vec::new();
    for piece in wire.chunks(piece) {
        log.take(piece, true);
        while log.advance(&mut out) {}
    }
    log.finish(&mut out);
    out
}

fn draw(start: &Start, wire: &[u8], piece: usize) -> Drawn {
    let mut decoder = RdpDecoder::new();
    decoder.state(&start.encode()).expect("a known version");
    let result = wire.chunks(piece).try_for_each(|piece| {
        let result = decoder.target(piece);
        check_damage(&mut decoder);
        result
    });
    Drawn::end(&decoder, result)
}

/// As in the recordings of which there are seeds.
fn start() -> Start {
    let channels = ["rdpdr", "rdpsnd", "cliprdr", "drdynvc"];
    Start {
        version: 1,
        width: 320,
        height: 240,
        user_channel: 1009,
        io_channel: IO,
        message_channel: Some(1008),
        static_channels: channels.into_iter().map(str::to_owned).zip(IO + 1..).collect(),
        compression: Some(3),
        plain: false,
    }
}

/// The bytes of a turn: as they are; an update of the fast path, whose header and perhaps compression are in
/// `argument`; a share data PDU of the type `argument`, with its compression in front; user data of the I/O
/// channel; a message of `drdynvc`, or of the graphics pipeline in it; user data of `drdynvc`.
fn turn(what: u8, argument: u8, bytes: &[u8]) -> Vec<u8> {
    match what & 7 {
        1 => {
            let compressed = usize::from(argument & 0x80 != 0).min(bytes.len());
            let (compression, update) = bytes.split_at(compressed);
            let size = u16::try_from(update.len()).unwrap_or(u16::MAX);
            let len = u16::try_from(bytes.len() + 6).unwrap_or(u16::MAX);
            [&[0][..], &(len | 0x8000).to_be_bytes(), &[argument], compression, &size.to_le_bytes(), update]
                .concat()
        }
        2 => {
            let (compression, body) = bytes.split_at(bytes.len().min(1));
            let compression = compression.first().copied().unwrap_or_default();
            let total = u16::try_from(body.len() + 18).unwrap_or(u16::MAX).to_le_bytes();
            let header = [0x17, 0, 0xea, 3, 0, 0, 1, 0, 0, 1, 0, 0, argument, compression, 0, 0];
            data(IO, &[&total[..], &header, body].concat())
        }
        3 => data(IO, bytes),
        4 => message(bytes),
        5 => {
            // Data (MS-RDPEDYC 2.2.3.2), one segment without compression (MS-RDPEGFX 2.2.5.1).
            message(&[&[0x30, GRAPHICS, 0xe0, 0x04][..], bytes].concat())
        }
        6 => data(DRDYNVC, bytes),
        _ => bytes.to_vec(),
    }
}

/// A message of `drdynvc` in one chunk.
fn message(bytes: &[u8]) -> Vec<u8> {
    let total = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    data(DRDYNVC, &[&total.to_le_bytes()[..], &[3, 0, 0, 0], bytes].concat())
}

/// A Send Data Indication.
fn data(channel: u16, bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX).min(0x3fff);
    let [high, low] = channel.to_be_bytes();
    let mut pdu = vec![3, 0];
    pdu.extend((len + 15).to_be_bytes());
    pdu.extend([2, 0xf0, 0x80, 0x68, 0, 1, high, low, 0x70]);
    pdu.extend((len | 0x8000).to_be_bytes());
    pdu.extend(&bytes[..len.into()]);
    pdu
}
