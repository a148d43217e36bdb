//! Bitmaps without their run-length coding, as a recording keeps them.

use ironrdp_graphics::rdp6::{BitmapStreamEncoder, RgbChannels};
use passerelle_desktop::{Decoder as _, Rect, Size, TargetLog as _};
use passerelle_rdp::RdpLog;
use proptest::prelude::*;

use crate::harness::{IO, begun, demand_active, fast_path, pdus, picture, send_data, share_data, start};
use crate::stored::{decoded, store, stored};

const BITMAP: u8 = 0x01;
const POSITION: u8 = 0x08;
const LAST: u8 = 0x10;
const FIRST: u8 = 0x20;
const NEXT: u8 = 0x30;
/// `BITMAP_COMPRESSION` and `NO_BITMAP_COMPRESSION_HDR`.
const COMPRESSED: u16 = 0x0401;

const AREA: Rect = Rect { x: 8, y: 4, width: 21, height: 13 };

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761).rotate_left(9) >> 11) as u8).collect()
}

/// A rectangle of a bitmap update with `data`.
fn rectangle(area: Rect, depth: u16, flags: u16, data: &[u8]) -> Vec<u8> {
    let (right, bottom) = (area.x + area.width - 1, area.y + area.height - 1);
    let len = u16::try_from(data.len()).unwrap();
    let fields = [area.x, area.y, right, bottom, area.width, area.height, depth, flags, len];
    [fields.map(u16::to_le_bytes).as_flattened(), data].concat()
}

fn update(rectangles: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(rectangles.len()).unwrap().to_le_bytes();
    [&[1, 0, count[0], count[1]][..], &rectangles.concat()].concat()
}

/// Pixels in interleaved RLE as they are: a Mega Mega Color Image.
fn literal(depth: u16, pixels: &[u8]) -> Vec<u8> {
    let count = pixels.len() / usize::from(depth).div_ceil(8);
    [&[0xf4][..], &u16::try_from(count).unwrap().to_le_bytes(), pixels].concat()
}

/// RDP 6.0 planar, of pixels in the order red, green, blue.
fn planar(area: Rect, rgb: &[u8], compressed: bool) -> Vec<u8> {
    let mut out = vec![0; rgb.len() * 2 + 64];
    let mut encoder = BitmapStreamEncoder::new(area.width.into(), area.height.into());
    let len = encoder.encode_bitmap::<RgbChannels>(rgb, &mut out, compressed).unwrap();
    out.truncate(len);
    out
}

/// Rows filled up to a multiple of four bytes.
fn filled(row: usize, tight: &[u8]) -> Vec<u8> {
    let fill = vec![0; row.next_multiple_of(4) - row];
    tight.chunks(row).flat_map(|row| [row, &fill].concat()).collect()
}

/// A bitmap of each kind, as it comes and as it is kept.
fn each() -> Vec<(Vec<u8>, Vec<u8>)> {
    let (width, pixels) = (usize::from(AREA.width), AREA.pixels());
    let mut all = Vec::new();
    for depth in [8, 15, 16, 24] {
        let bytes = usize::from(depth).div_ceil(8);
        let noise = noise(pixels * bytes);
        let came = rectangle(AREA, depth, COMPRESSED, &literal(depth, &noise));
        // The same with its header, which says nothing more.
        let data = [&[0, 0, 0, 0, 4, 0, 0, 0][..], &literal(depth, &noise)].concat();
        let headed = rectangle(AREA, depth, 1, &data);
        let kept = rectangle(AREA, depth, 0, &filled(width * bytes, &noise));
        all.extend([(came, kept.clone()), (headed, kept)]);
    }
    let rgb = noise(pixels * 3);
    let bgr: Vec<u8> = rgb.chunks(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    for compressed in [false, true] {
        let came = rectangle(AREA, 32, COMPRESSED, &planar(AREA, &rgb, compressed));
        all.push((came, rectangle(AREA, 24, 0, &filled(width * 3, &bgr))));
    }
    all
}

#[test]
fn every_kind_of_bitmap_becomes_plain_on_both_paths() {
    let begin = demand_active(64, 48);
    let empty = picture(&decoded(&start(), &begin));
    for (came, kept) in each() {
        let (came, kept) = (update(&[came]), update(&[kept]));
        let log = store(&start(), &[&begin[..], &fast_path(BITMAP, None, &came)].concat());
        assert!(log == [&begin[..], &fast_path(BITMAP, None, &kept)].concat());
        assert!(picture(&decoded(&start(), &log)) != empty || kept[16] == 8, "it is drawn");
        let log = store(&start(), &[&begin[..], &send_data(IO, &share_data(2, 0, &came))].concat());
        let mut share = share_data(2, 0, &kept);
        share[12..14].copy_from_slice(&u16::try_from(kept.len() + 4).unwrap().to_le_bytes());
        assert!(log == [&begin[..], &send_data(IO, &share)].concat());
    }
}

#[test]
fn several_in_one_update_keep_their_order() {
    let (came, kept): (Vec<_>, Vec<_>) = each().into_iter().unzip();
    let plain = rectangle(AREA, 32, 0, &noise(AREA.pixels() * 4));
    let came = update(&[&came[..], std::slice::from_ref(&plain)].concat());
    let kept = update(&[&kept[..], &[plain]].concat());
    let pointer = fast_path(POSITION, None, &[1, 0, 2, 0]);
    // In one PDU with something before and behind.
    let inner = [&pointer[3..], &fast_path(BITMAP, None, &came)[3..], &pointer[3..]].concat();
    let len = (u16::try_from(inner.len() + 3).unwrap() | 0x8000).to_be_bytes();
    let wire = [demand_active(64, 48), [&[0, len[0], len[1]], &inner[..]].concat()].concat();
    let inner = [&pointer[3..], &fast_path(BITMAP, None, &kept)[3..], &pointer[3..]].concat();
    let len = (u16::try_from(inner.len() + 3).unwrap() | 0x8000).to_be_bytes();
    let expected = [demand_active(64, 48), [&[0, len[0], len[1]], &inner[..]].concat()].concat();
    assert!(store(&start(), &wire) == expected);
}

/// Fast-path PDUs with an update in fragments.
fn fragments(update: &[u8], len: usize) -> Vec<Vec<u8>> {
    let count = update.len().div_ceil(len);
    let fragmentation = |at| match at {
        0 => FIRST,
        at if at + 1 == count => LAST,
        _ => NEXT,
    };
    let parts = update.chunks(len).enumerate();
    parts.map(|(at, part)| fast_path(BITMAP | fragmentation(at), None, part)).collect()
}

#[test]
fn what_comes_in_fragments_is_kept_in_pdus_that_stand_alone() {
    let begin = demand_active(256, 220);
    // Longer than a PDU, and longer than a rectangle can be.
    let middle = Rect { x: 3, y: 5, width: 160, height: 160 };
    let large = Rect { x: 9, y: 2, width: 200, height: 200 };
    let run = [&[0xf3][..], &25_000_u16.to_le_bytes(), &[7, 9]].concat();
    let data = [literal(16, &noise(30_000)), run].concat();
    let data = [
        rectangle(middle, 16, COMPRESSED, &literal(16, &noise(51_200))),
        rectangle(large, 16, COMPRESSED, &data),
    ];
    let wire = [begin.clone(), fragments(&update(&data), 10_000).concat()].concat();
    let log = store(&start(), &wire);
    let kept = pdus(&log);
    assert!(log.len() > 131_000 && kept.len() > 5);
    assert!(kept[1..].iter().all(|pdu| pdu[3] == BITMAP), "no fragments");
    assert!(stored(&start(), &log, 999) == (log.clone(), vec![]));
    // Each draws its part.
    for left_out in 1..kept.len() {
        let some: Vec<u8> = [&kept[..left_out], &kept[left_out + 1..]].concat().concat();
        assert_eq!(decoded(&start(), &some).skipped(), []);
    }
    // The same update in the slow path becomes several there.
    let slow = update(&[rectangle(middle, 16, COMPRESSED, &literal(16, &noise(30_000)))]);
    let wire = [begin.clone(), send_data(IO, &share_data(2, 0, &slow))].concat();
    let log = store(&start(), &wire);
    assert!(pdus(&log).iter().all(|pdu| pdu[0] == 3) && log.len() > 51_200, "{}", log.len());
    // What reaches beyond the desktop is drawn by nobody, and isn't cut.
    let beyond = [demand_active(208, 220), fragments(&update(&data[1..]), 40_000).concat()].concat();
    assert!(store(&start(), &beyond) == beyond);
}

#[test]
fn what_gains_nothing_or_cannot_be_read_stays_as_it_came() {
    let solid = [&[0xf3][..], &(AREA.pixels() as u16).to_le_bytes(), &[1, 2]].concat();
    let good = rectangle(AREA, 16, COMPRESSED, &literal(16, &noise(AREA.pixels() * 2)));
    // With chroma, which is turned into colours.
    let mut chroma = planar(AREA, &noise(AREA.pixels() * 3), false);
    chroma[0] |= 1;
    let cases = [
        update(&[rectangle(AREA, 16, COMPRESSED, &solid)]),
        update(&[rectangle(AREA, 32, COMPRESSED, &chroma)]),
        update(&[rectangle(AREA, 16, COMPRESSED, &literal(16, &noise(AREA.pixels() * 4)))]),
        update(&[rectangle(AREA, 12, COMPRESSED, &literal(16, &noise(AREA.pixels() * 2)))]),
        update(&[rectangle(Rect { height: 0x7fff, ..AREA }, 16, COMPRESSED, &noise(500))]),
        update(&[rectangle(AREA, 32, COMPRESSED, &[])]),
        // The second rectangle is missing, so that the first is not drawn either.
        [&[1, 0, 2, 0][..], &good].concat(),
        [&[2, 0, 1, 0][..], &good].concat(),
        vec![1, 0],
    ];
    for case in cases {
        let wire = [demand_active(64, 48), fast_path(BITMAP, None, &case)].concat();
        assert!(store(&start(), &wire) == wire);
    }
    // Before the target begins a share this is none.
    let early = send_data(IO, &share_data(2, 0, &update(&[good])));
    assert!(stored(&start(), &early, 7).0 == early);
}

#[test]
fn fragments_of_what_does_not_end_stay_what_they_are() {
    let (came, _) = each().swap_remove(4);
    let whole = update(&[came]);
    let parts = fragments(&whole, 200);
    assert!(parts.len() > 2);
    let pointer = fast_path(POSITION, None, &[1, 0, 2, 0]);
    let begin = demand_active(64, 48);
    let (all, last) = (parts.concat(), parts.last().unwrap().clone());
    let cut = |between: &[u8]| [&begin[..], &parts[0], between, &parts[1..].concat()].concat();
    let unknown = [0, 0x80, 6, 7, 0, 0];
    for wire in [
        // Another update ends it, as does a damaged one; then what begins anew is whole.
        cut(&pointer),
        [&cut(&unknown)[..], &all].concat(),
        [&cut(&parts[0])[..], &all].concat(),
        [&begin[..], &parts[0], &all].concat(),
        [&begin[..], &last, &all, &last].concat(),
        // A PDU of the slow path does not.
        cut(&send_data(IO, &share_data(2, 0, &whole))),
        [&begin[..], &parts[0]].concat(),
    ] {
        let (log, failures) = stored(&start(), &wire, 50);
        assert_eq!(failures, [""; 0]);
        let mut before = begun(&start());
        before.target(&wire).unwrap();
        let after = decoded(&start(), &log);
        assert!(picture(&before) == picture(&after));
        assert_eq!(before.skipped(), after.skipped());
    }
    // What is not to be kept takes along what waits for it.
    let mut log = RdpLog::new(&start());
    let mut out = Vec::new();
    for (part, keep) in [(&begin, true), (&parts[0], true), (&parts[1], false), (&last, true)] {
        log.take(part, keep);
    }
    log.finish(&mut out);
    assert!(out == begin);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_bitmaps_the_picture_is_the_same(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..40),
        len in 30..3000usize,
    ) {
        let large = Rect { x: 3, y: 5, width: 60, height: 40 };
        let mut updates: Vec<_> = each().into_iter().map(|(came, _)| update(&[came])).collect();
        updates.push(update(&[rectangle(large, 16, COMPRESSED, &literal(16, &noise(4800)))]));
        let mut wire = vec![demand_active(64, 48)];
        for (at, update) in updates.iter().enumerate() {
            match at % 3 {
                0 => wire.push(fast_path(BITMAP, None, update)),
                1 => wire.extend(fragments(update, len.min(update.len() / 2))),
                _ => wire.push(send_data(IO, &share_data(2, 0, update))),
            }
        }
        for (pdu, at, byte) in &damages {
            let pdu = 1 + pdu.index(wire.len() - 1);
            // Behind what frames it.
            let frame = if wire[pdu][0] == 3 { 15 } else { 3 };
            let at = frame + at.index((wire[pdu].len() - frame).min(if byte % 2 == 0 { 40 } else { usize::MAX }));
            wire[pdu][at] = *byte;
        }
        let wire = wire.concat();
        let mut before = begun(&start());
        before.target(&wire).unwrap();
        let (log, _) = stored(&start(), &wire, len);
        let after = decoded(&start(), &log);
        let size = Size { width: 64, height: 48 };
        prop_assert_eq!(after.framebuffer().size(), size);
        prop_assert!(picture(&before) == picture(&after));
    }
}
