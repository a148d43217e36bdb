//! What a recording keeps instead of the wire: the same pictures, without compression that needs what came before.

use ironrdp_bulk::{BulkCompressor, CompressionType};
use ironrdp_core::encode_vec;
use ironrdp_dvc::pdu::{CreateRequestPdu, DataPdu, DrdynvcDataPdu, DrdynvcServerPdu};
use ironrdp_egfx::CHANNEL_NAME;
use ironrdp_graphics::zgfx::{Compressor, wrap_compressed};
use passerelle_desktop::{Decoder as _, Rect, Skipped, TargetLog as _};
use passerelle_rdp::decoder::{Part, RdpDecoder};
use passerelle_rdp::{RdpLog, Start};

use crate::harness::{
    DRDYNVC, Fixture, IO, begun, bitmap, demand_active, fast_path, pdus, picture, send_data, share_data,
    start,
};

const AREA: Rect = Rect { x: 8, y: 4, width: 32, height: 20 };
/// `updateCode` of a bitmap, and `fragmentation`.
const BITMAP: u8 = 0x01;
const LAST: u8 = 0x10;
const FIRST: u8 = 0x20;
const FRAGMENTATION: u8 = 0x30;

/// What is stored of `wire`, which passes in pieces of `piece` bytes, and what could not be decompressed.
pub(crate) fn stored(start: &Start, wire: &[u8], piece: usize) -> (Vec<u8>, Vec<&'static str>) {
    let mut log = RdpLog::new(start);
    let (mut out, mut failures) = (Vec::new(), Vec::new());
    for bytes in wire.chunks(piece) {
        log.take(bytes, true);
        while log.advance(&mut out) {}
        failures.extend(log.take_failure());
    }
    log.finish(&mut out);
    assert_eq!(log.waiting(), 0);
    (out, failures)
}

/// A decoder of what was stored.
pub(crate) fn decoded(start: &Start, log: &[u8]) -> RdpDecoder {
    let mut decoder = begun(&Start { plain: true, ..start.clone() });
    decoder.target(log).unwrap();
    decoder
}

fn of_wire(start: &Start, wire: &[u8]) -> RdpDecoder {
    let mut decoder = begun(start);
    decoder.target(wire).unwrap();
    decoder
}

/// Stores what a target sent, looks whether it draws the same, and whether nothing failed.
pub(crate) fn store(start: &Start, wire: &[u8]) -> Vec<u8> {
    let (log, failures) = stored(start, wire, wire.len());
    let (before, after) = (of_wire(start, wire), decoded(start, &log));
    assert!(picture(&before) == picture(&after), "the pictures differ");
    assert_eq!(before.skipped(), after.skipped());
    assert_eq!(failures, [""; 0]);
    log
}

/// A compressor and what it makes of `data`, with its flags.
fn compressed(compressor: &mut BulkCompressor, data: &[u8]) -> (Vec<u8>, u8) {
    let (len, flags) = compressor.compress(data).unwrap();
    assert!(flags & 0x20 != 0, "it is compressed");
    (compressor.compressed_data(len).to_vec(), u8::try_from(flags).unwrap())
}

#[test]
fn sessions_of_stock_servers_draw_the_same() {
    for name in [
        "classic-8k",
        "classic-64k",
        "classic-ncrush",
        "classic-xcrush",
        "graphics-progressive",
        "graphics-remotefx",
        "remotefx",
        "resize",
        "slow-path",
    ] {
        let fixture = Fixture::read(name);
        let log = store(&fixture.start, &fixture.wire);
        let compressed = name != "remotefx" && name != "graphics-remotefx";
        assert_eq!(log != fixture.wire, compressed, "{name}");
        // Where it is cut does not matter, and what is plain stays as it is.
        assert!(log == stored(&fixture.start, &fixture.wire, 1009).0, "{name}");
        assert!(log == stored(&fixture.start, &log, log.len()).0, "{name}");
    }
}

#[test]
fn a_pdu_can_be_left_out_without_harm_to_the_others() {
    let fixture = Fixture::read("classic-64k");
    let log = store(&fixture.start, &fixture.wire);
    let all = pdus(&log);
    // Every third update is missing; what is there is drawn.
    let some: Vec<u8> = all
        .iter()
        .enumerate()
        .filter(|(at, pdu)| pdu[0] == 3 || at % 3 > 0)
        .flat_map(|(_, pdu)| pdu.clone())
        .collect();
    assert!(some.len() < log.len());
    assert_eq!(decoded(&fixture.start, &some).skipped(), []);
}

#[test]
fn every_kind_of_share_data_loses_its_compression() {
    let update = bitmap(AREA, 0x0012_3456);
    for kind in [CompressionType::Rdp4, CompressionType::Rdp5, CompressionType::Rdp6, CompressionType::Rdp61]
    {
        let mut compressor = BulkCompressor::new(kind);
        let mut wire = demand_active(64, 48);
        for _ in 0..2 {
            let (data, flags) = compressed(&mut compressor, &update);
            wire.extend(send_data(IO, &share_data(2, flags, &data)));
            let (data, flags) = compressed(&mut compressor, &update);
            wire.extend(fast_path(BITMAP, Some(flags), &data));
        }
        let mut plain = demand_active(64, 48);
        for _ in 0..2 {
            let mut share = share_data(2, 0, &update);
            // `uncompressedLength` counts from `pduType2` on.
            share[12..14].copy_from_slice(&u16::try_from(update.len() + 4).unwrap().to_le_bytes());
            plain.extend(send_data(IO, &share));
            plain.extend(fast_path(BITMAP, None, &update));
        }
        assert!(store(&start(), &wire) == plain, "{kind:?}");
    }
}

#[test]
fn several_share_pdus_in_one_stay_together() {
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    let (left, right) = (Rect { width: 16, ..AREA }, Rect { x: 24, width: 16, ..AREA });
    let mut data = share_data(0x1f, 0, &[1, 0, 0, 0]);
    for (area, colour) in [(left, 0x0000_ff00), (right, 0x00ff_0000)] {
        let (body, flags) = compressed(&mut compressor, &bitmap(area, colour));
        data.extend(share_data(2, flags, &body));
    }
    let wire = [demand_active(64, 48), send_data(IO, &data)].concat();
    assert_eq!(pdus(&store(&start(), &wire)).len(), 2);
}

#[test]
fn what_no_longer_fits_into_a_pdu_comes_in_fragments() {
    // Rows of one rectangle, each of 250 pixels.
    let large = Rect { x: 0, y: 0, width: 250, height: 60 };
    let update = bitmap(large, 0x0001_0203);
    assert!(update.len() > 0x7fff);
    let mut history = BulkCompressor::new(CompressionType::Rdp61);
    // A compressor takes less than 16 KiB; a fragment for each.
    let mut wire = demand_active(256, 64);
    let parts: Vec<_> = update.chunks(16_000).collect();
    for (at, part) in parts.iter().enumerate() {
        let fragmentation = match at {
            0 => FIRST,
            at if at + 1 == parts.len() => LAST,
            _ => FRAGMENTATION,
        };
        let (data, flags) = compressed(&mut history, part);
        wire.extend(fast_path(BITMAP | fragmentation, Some(flags), &data));
    }
    // All of them in one PDU, which is too long for them when they are plain.
    let updates: Vec<u8> = pdus(&wire)[1..].iter().flat_map(|pdu| pdu[3..].to_vec()).collect();
    let mut joined = demand_active(256, 64);
    joined.push(0);
    joined.extend((u16::try_from(updates.len() + 3).unwrap() | 0x8000).to_be_bytes());
    joined.extend(updates);
    let log = store(&start(), &joined);
    assert!(pdus(&log).len() > 2);
    assert!(pdus(&log).iter().all(|pdu| pdu.len() <= 0x7fff));
    let log = store(&start(), &wire);
    assert_eq!(log.len(), pdus(&log).len() * 6 + update.len() - 6 + demand_active(256, 64).len());
}

/// MPPC that repeats its last byte until there are `len` bytes, of which the first few are `head`.
fn repeated(head: &[u8], len: usize) -> Vec<u8> {
    let mut bits = String::new();
    for byte in head {
        match byte {
            0..0x80 => bits += &format!("{byte:08b}"),
            _ => bits += &format!("10{:07b}", byte & 0x7f),
        }
    }
    // An offset of 1 in the form for less than 64, then the length in the form for its power of two.
    let mut left = len - head.len();
    while left > 0 {
        let run = left.clamp(3, 8191);
        assert!(run <= left, "choose another length");
        bits += "11111000001";
        if run == 3 {
            bits += "0";
        } else {
            let power = run.ilog2();
            let low = format!("{:b}", run - (1 << power));
            bits += &"1".repeat(power as usize - 1);
            bits += "0";
            bits += &format!("{low:0>width$}", width = power as usize);
        }
        left -= run;
    }
    while !bits.len().is_multiple_of(8) {
        bits += "0";
    }
    bits.as_bytes().chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0'))).collect()
}

#[test]
fn an_update_of_the_slow_path_that_no_longer_fits_goes_over_to_the_fast_path() {
    let large = Rect { x: 0, y: 0, width: 250, height: 60 };
    let update = bitmap(large, 0x0707_0707);
    let data = repeated(&update[..40], update.len());
    let flags = 0x20 | 0x80 | 1;
    let slow = [demand_active(256, 64), send_data(IO, &share_data(2, flags, &data))].concat();
    let fast = [demand_active(256, 64), fast_path(BITMAP, Some(flags), &data)].concat();
    let log = store(&start(), &slow);
    assert!(log == store(&start(), &fast));
    let log = pdus(&log);
    assert_eq!(log.iter().map(|pdu| pdu[0]).collect::<Vec<_>>(), [3, 0, 0]);
    assert_eq!([log[1][3], log[2][3]], [BITMAP | FIRST, BITMAP | LAST]);
}

#[test]
fn what_cannot_be_decompressed_stays_as_it_came() {
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    let update = bitmap(AREA, 0x0012_3456);
    let (data, flags) = compressed(&mut compressor, &update);
    let begin = [demand_active(64, 48), fast_path(BITMAP, Some(flags), &data)].concat();
    let broken = fast_path(BITMAP, Some(0x21), &[0xff; 8]);
    let (data, flags) = compressed(&mut compressor, &update);
    let after = fast_path(BITMAP, Some(flags), &data);
    let mut fresh = BulkCompressor::new(CompressionType::Rdp5);
    let (data, flags) = compressed(&mut fresh, &bitmap(AREA, 0x0065_4321));
    let anew = fast_path(BITMAP, Some(flags | 0x80), &data);
    let wire = [&begin[..], &broken, &after, &broken, &anew].concat();
    let (log, failures) = stored(&start(), &wire, wire.len());
    let plain = |colour| fast_path(BITMAP, None, &bitmap(AREA, colour));
    let expected =
        [demand_active(64, 48), plain(0x0012_3456), broken.clone(), after, broken, plain(0x0065_4321)];
    assert!(log == expected.concat());
    // Told once for what follows one another.
    assert_eq!(failures, ["updates"]);
    let decoder = decoded(&start(), &log);
    assert_eq!(decoder.skipped(), [Skipped { what: Part::History.into(), count: 3 }]);
    assert!(picture(&decoder) == picture(&of_wire(&start(), &wire)));
}

/// How something compressed is sent where no decoder looks.
type Hide = Box<dyn Fn(&[u8]) -> Vec<u8>>;

#[test]
fn what_a_decoder_does_not_read_changes_no_history() {
    let update = |colour| bitmap(AREA, colour);
    // Before it: a number that no update has; behind a share PDU: one of no type, and one that says it is longer.
    let unknown = |compressed: &[u8]| {
        let mut pdu = fast_path(0x07, None, &[]);
        pdu.extend(&fast_path(BITMAP, Some(0x21), compressed)[3..]);
        let len = u16::try_from(pdu.len()).unwrap() | 0x8000;
        pdu[1..3].copy_from_slice(&len.to_be_bytes());
        pdu
    };
    let share = |place: usize, value: u8| {
        move |compressed: &[u8]| {
            let mut share = share_data(2, 0x21, compressed);
            share[place] = value;
            send_data(IO, &share)
        }
    };
    let hidden: [Hide; 4] =
        [Box::new(unknown), Box::new(share(2, 0)), Box::new(share(1, 0x70)), Box::new(share(15, 0x24))];
    for (at, hidden) in hidden.iter().enumerate() {
        let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
        let mut send = |colour| {
            let (data, flags) = compressed(&mut compressor, &update(colour));
            fast_path(BITMAP, Some(flags), &data)
        };
        let (first, last) = (send(0x0012_3456), send(0x0012_3456));
        // Something of the right form that the target's own compressor does not know of.
        let mut other = BulkCompressor::new(CompressionType::Rdp5);
        let (stray, _) = compressed(&mut other, &update(0x0065_4321));
        let wire = [demand_active(64, 48), first, hidden(&stray), last].concat();
        let (log, _) = stored(&start(), &wire, wire.len());
        assert!(picture(&of_wire(&start(), &wire)) == picture(&decoded(&start(), &log)), "{at}");
        assert_eq!(of_wire(&start(), &wire).skipped(), decoded(&start(), &log).skipped(), "{at}");
    }
}

#[test]
fn a_target_that_always_fails_is_not_told_for_ever() {
    let broken = fast_path(BITMAP, Some(0x21), &[0xff; 8]);
    let plain = fast_path(BITMAP, Some(0x80 | 1), &[1, 0, 0, 0]);
    let wire = [broken, plain].concat().repeat(100);
    let (_, failures) = stored(&start(), &wire, 1);
    assert_eq!(failures.len(), 16);
}

/// A PDU of the target's in the graphics channel, which has the number 7.
fn graphics(message: &[u8]) -> Vec<u8> {
    let data = DrdynvcServerPdu::Data(DrdynvcDataPdu::Data(DataPdu::new(7, message.to_vec())));
    chunk(&encode_vec(&data).unwrap(), 3)
}

fn chunk(content: &[u8], flags: u32) -> Vec<u8> {
    let mut chunk = u32::try_from(content.len()).unwrap().to_le_bytes().to_vec();
    chunk.extend(flags.to_le_bytes());
    chunk.extend(content);
    send_data(DRDYNVC, &chunk)
}

fn create() -> Vec<u8> {
    let create = DrdynvcServerPdu::Create(CreateRequestPdu::new(7, CHANNEL_NAME.to_owned()));
    chunk(&encode_vec(&create).unwrap(), 3)
}

#[test]
fn messages_of_the_graphics_pipeline_become_plain_segments() {
    let mut compressor = Compressor::new();
    let commands: Vec<u8> = b"the same command again and again; ".repeat(1000);
    let mut wire = create();
    let mut plain = create();
    let mut others = 0;
    for commands in [&commands[..20_000], &commands[..300], &commands[..30_000]] {
        let message = wrap_compressed(&compressor.compress(commands).unwrap());
        // In two chunks, and between them a PDU of another channel.
        let data = DrdynvcServerPdu::Data(DrdynvcDataPdu::Data(DataPdu::new(7, message)));
        let data = encode_vec(&data).unwrap();
        let total = u32::try_from(data.len()).unwrap().to_le_bytes();
        let (first, last) = data.split_at(5);
        let piece = |flags: u8, content: &[u8]| {
            send_data(DRDYNVC, &[&total[..], &[flags, 0, 0, 0], content].concat())
        };
        let other = fast_path(0x05, None, &[]);
        wire.extend([piece(1, first), other, piece(2, last)].concat());
        others += 1;
        let message = [&[0xe0, 0x04], commands].concat();
        let mut rest = &message[..];
        let fits = message.len() < 16_000;
        while !rest.is_empty() {
            let head = match (rest.len() == message.len(), fits) {
                (true, false) => {
                    let [a, b, c, d] = u32::try_from(message.len()).unwrap().to_le_bytes();
                    vec![0x28, 7, a, b, c, d]
                }
                _ => vec![0x30, 7],
            };
            let (part, after) = rest.split_at(rest.len().min(16_256 - head.len()));
            plain.extend(chunk(&[&head[..], part].concat(), 3));
            rest = after;
        }
    }
    let (log, failures) = stored(&start(), &wire, 7);
    let log: Vec<u8> = pdus(&log).into_iter().filter(|pdu| pdu[0] == 3).flatten().collect();
    assert!(log == plain);
    assert_eq!((failures, others), (vec![], 3));
    assert!(graphics(&[0xe0, 4]) == stored(&start(), &graphics(&[0xe0, 4]), 9).0);
}

#[test]
fn a_graphics_message_that_cannot_be_decompressed_stays_as_it_came() {
    let plain = graphics(&[0xe0, 0x04, 1, 2, 3]);
    for bad in [
        graphics(&[0xe2, 1]),
        graphics(&[0xe0, 0x24, 0xff, 0xff, 0x07]),
        // Announced: more than there is of memory, and less than comes.
        chunk(&[0x28, 7, 0xff, 0xff, 0xff, 0xff, 1], 3),
        chunk(&[0x28, 7, 1, 0, 0, 0, 1, 2, 3], 3),
    ] {
        let wire = [create(), plain.clone(), bad.clone(), plain.clone(), bad].concat();
        let (log, failures) = stored(&start(), &wire, 3);
        assert!(log == wire);
        assert_eq!(failures, ["graphics"]);
    }
    // A message without its end, which a close or the end of the session cuts off.
    let begun = chunk(&[0x28, 7, 9, 0, 0, 0, 1], 3);
    let close = chunk(&[0x40, 7], 3);
    for wire in [[create(), begun.clone(), close].concat(), [create(), begun].concat()] {
        assert!(stored(&start(), &wire, 5) == (wire, vec![]));
    }
}

#[test]
fn what_is_no_pdu_stays_as_it_came() {
    let wire = [demand_active(64, 48), vec![0xff; 100]].concat();
    assert!(stored(&start(), &wire, 9) == (wire, vec!["framing"]));
}

#[test]
fn what_is_left_out_serves_what_follows() {
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    let update = bitmap(AREA, 0x0012_3456);
    let [first, second] = [(), ()].map(|()| {
        let (data, flags) = compressed(&mut compressor, &update);
        fast_path(BITMAP, Some(flags), &data)
    });
    assert!(second.len() < first.len() / 2, "it refers to the first");
    let mut compressor = Compressor::new();
    let commands = b"the same command again and again; ".repeat(100);
    let [one, two] = [(), ()].map(|()| graphics(&wrap_compressed(&compressor.compress(&commands).unwrap())));
    assert!(two.len() < one.len());
    for piece in [1, 2, 3, 6] {
        let mut log = RdpLog::new(&start());
        let mut out = Vec::new();
        for (at, pdus) in [
            (create(), true),
            (first.clone(), false),
            (one.clone(), false),
            (second.clone(), true),
            (two.clone(), true),
            (second.clone(), false),
        ]
        .chunks(piece)
        .enumerate()
        {
            for (pdu, keep) in pdus {
                log.take(pdu, *keep);
            }
            while log.advance(&mut out) {}
            assert_eq!(log.waiting(), 0, "{at}");
        }
        log.finish(&mut out);
        let two = graphics(&[&[0xe0, 0x04], &commands[..]].concat());
        assert!(out == [create(), fast_path(BITMAP, None, &update), two].concat());
        assert_eq!(log.take_failure(), None);
    }
}

#[test]
fn of_an_update_nothing_is_kept_after_a_fragment_that_is_left_out() {
    let update = bitmap(AREA, 0x0012_3456);
    let count = update.chunks(600).len();
    let parts: Vec<_> = update
        .chunks(600)
        .enumerate()
        .map(|(at, part)| match at {
            0 => fast_path(BITMAP | FIRST, None, part),
            at if at + 1 == count => fast_path(BITMAP | LAST, None, part),
            _ => fast_path(BITMAP | FRAGMENTATION, None, part),
        })
        .collect();
    assert!(parts.len() > 3);
    let (begin, whole) = (demand_active(64, 48), parts.concat());
    // All before the first that is left out; then an update that begins anew.
    for left_out in 0..parts.len() {
        let mut log = RdpLog::new(&start());
        let mut out = Vec::new();
        log.take(&begin, true);
        for (at, part) in parts.iter().enumerate() {
            log.take(part, at != left_out);
        }
        log.take(&whole, true);
        log.finish(&mut out);
        assert!(out == [&begin[..], &parts[..left_out].concat(), &whole].concat(), "{left_out}");
    }
}

#[test]
fn nothing_of_a_message_is_kept_when_a_part_is_left_out() {
    let parts = [chunk(&[0x28, 7, 4, 0, 0, 0, 0xe0], 3), chunk(&[0x30, 7, 4, 1], 3), chunk(&[0x30, 7, 2], 3)];
    for left_out in 0..3 {
        let mut log = RdpLog::new(&start());
        let mut out = Vec::new();
        log.take(&create(), true);
        for (at, part) in parts.iter().enumerate() {
            log.take(part, at != left_out);
        }
        log.take(&parts.concat(), true);
        log.finish(&mut out);
        assert!(out == [create(), parts.concat()].concat());
    }
}
