//! Recordings of hostile targets: whatever comes, the decoder does not panic, and what it shows does not depend on how
//! the bytes are cut.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// One of each thing that a target sends.
fn messages() -> Vec<Vec<u8>> {
    let area = Rect { x: 2, y: 1, width: 70, height: 40 };
    let busy: Vec<u32> = (0..area.pixels()).map(|i| COLOURS[i * i / 7 % 8]).collect();
    let picture = Picture::new(BGRX, area.width, &busy);
    let photo = Rect { width: 32, height: 16, ..area };
    let cursor = Rect { x: 0, y: 0, width: 9, height: 2 };
    let tight = |filter| encode::tight(&picture, filter, 1, &mut None);
    let mut messages: Vec<Vec<u8>> = [
        (area, Encoding::RAW, encode::raw(&picture)),
        (area, Encoding::RRE, encode::rre(&picture, false)),
        (area, Encoding::CORRE, encode::rre(&picture, true)),
        (area, Encoding::HEXTILE, encode::hextile(&picture)),
        (area, Encoding::ZLIB, Deflate::new().prefixed(&encode::raw(&picture))),
        (area, Encoding::TRLE, encode::tiles(&picture, 16)),
        (area, Encoding::ZRLE, Deflate::new().prefixed(&encode::tiles(&picture, 64))),
        (area, Encoding::TIGHT, tight(Filter::None)),
        (area, Encoding::TIGHT, tight(Filter::Palette)),
        (area, Encoding::TIGHT, tight(Filter::Gradient)),
        (photo, Encoding::TIGHT, encode::tight_file(0x9, include_bytes!("photo.jpg"))),
        (area, Encoding::COPY_RECT, vec![0, 0, 0, 0]),
        (cursor, Encoding::CURSOR, vec![0x5a; 9 * 2 * 4 + 4]),
        (cursor, Encoding::X_CURSOR, vec![0x5a; 6 + 8]),
        (cursor, Encoding::CURSOR_WITH_ALPHA, vec![0; 4 + 9 * 2 * 4]),
        (photo, Encoding::DESKTOP_SIZE, vec![]),
    ]
    .map(|(area, encoding, payload)| update(&[rectangle(area, encoding, &payload)]))
    .into();
    messages.push(colour_map());
    messages
}

/// What a recording shows in the end, fed in pieces of `piece` bytes.
fn drawn(
    wire: &[u8],
    format: PixelFormat,
    piece: usize,
) -> (Result<(), DecodeError>, Vec<u32>, Vec<Skipped>) {
    let mut decoder = begun();
    decoder.state(&marker(format)).unwrap();
    let result = wire.chunks(piece).try_for_each(|bytes| decoder.target(bytes));
    let all = Rect::of(decoder.framebuffer().size());
    (result, shown(&decoder, all), decoder.skipped().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes(
        chosen in vec(prop::sample::select(messages()), 1..8),
        damages in vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        format in prop::sample::select(vec![BGRX, BGRX, BGRX, RGB565, RGB332, INDEXED]),
        piece in 1..3000usize,
    ) {
        let mut wire = chosen.concat();
        for (at, byte) in damages {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let at_once = drawn(&wire, format, usize::MAX);
        prop_assert!(at_once == drawn(&wire, format, piece), "{:?}", at_once.2);
    }
}
