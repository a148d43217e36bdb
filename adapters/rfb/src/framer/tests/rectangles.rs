//! The length of each kind of rectangle, and what is refused in it.

use super::*;

const BGRX: PixelFormat = PixelFormat::BGRX;
const RGB565: PixelFormat = PixelFormat {
    bits_per_pixel: 16,
    depth: 16,
    red_max: 31,
    green_max: 63,
    blue_max: 31,
    red_shift: 11,
    green_shift: 5,
    ..BGRX
};
const INDEXED: PixelFormat = PixelFormat { bits_per_pixel: 8, depth: 8, true_colour: false, ..BGRX };

fn zeros(head: &[u8], zeros: usize) -> Vec<u8> {
    [head, &vec![0; zeros]].concat()
}

fn prefixed(head: &[u8], len: u32, extra: usize) -> Vec<u8> {
    [head, &len.to_be_bytes(), &vec![7; extra + len as usize]].concat()
}

/// A pixel format, an encoding, the size of a rectangle, and what follows its head.
type Case = (PixelFormat, Encoding, (u16, u16), Vec<u8>);

/// Payloads that fit exactly.
fn fitting() -> Vec<Case> {
    use Encoding as E;
    let tight = |control: u8, rest: &[u8], zeros_: usize| zeros(&[&[control], rest].concat(), zeros_);
    vec![
        (BGRX, E::RAW, (3, 2), zeros(&[], 24)),
        (RGB565, E::RAW, (3, 2), zeros(&[], 12)),
        (INDEXED, E::RAW, (3, 2), zeros(&[], 6)),
        (BGRX, E::RAW, (0, 0), vec![]),
        (BGRX, E::COPY_RECT, (3, 2), vec![0, 1, 0, 2]),
        (BGRX, E::RRE, (3, 2), zeros(&[0, 0, 0, 2], 4 + 2 * 12)),
        (RGB565, E::RRE, (3, 2), zeros(&[0, 0, 0, 2], 2 + 2 * 10)),
        (BGRX, E::RRE, (0, 0), zeros(&[0, 0, 0, 0], 4)),
        (BGRX, E::CORRE, (3, 2), zeros(&[0, 0, 0, 2], 4 + 2 * 8)),
        (INDEXED, E::CORRE, (3, 2), zeros(&[0, 0, 0, 2], 1 + 2 * 5)),
        // Hextile: 17x17 makes tiles of 16x16, 1x16, 16x1 and 1x1.
        (
            BGRX,
            E::HEXTILE,
            (17, 17),
            [zeros(&[1], 1024), zeros(&[1], 64), zeros(&[1], 64), zeros(&[1], 4)].concat(),
        ),
        (RGB565, E::HEXTILE, (16, 16), zeros(&[0b00010], 2)),
        (BGRX, E::HEXTILE, (16, 16), zeros(&[0b00110], 8)),
        (BGRX, E::HEXTILE, (16, 16), zeros(&[0b01110, 0, 0, 0, 0, 0, 0, 0, 0, 3], 6)),
        (BGRX, E::HEXTILE, (16, 16), zeros(&[0b11010, 0, 0, 0, 0, 3], 18)),
        (BGRX, E::HEXTILE, (16, 16), zeros(&[0b01000, 255], 510)),
        (BGRX, E::HEXTILE, (0, 7), vec![]),
        // TRLE: raw, solid, packed palettes, runs, and both forms of reuse.
        (BGRX, E::TRLE, (3, 2), zeros(&[0], 18)),
        (RGB565, E::TRLE, (3, 2), zeros(&[0], 12)),
        (BGRX, E::TRLE, (3, 2), zeros(&[1], 3)),
        (BGRX, E::TRLE, (9, 2), zeros(&[2], 6 + 4)),
        (BGRX, E::TRLE, (9, 2), zeros(&[3], 9 + 6)),
        (BGRX, E::TRLE, (9, 2), zeros(&[16], 48 + 10)),
        (BGRX, E::TRLE, (32, 1), [zeros(&[4], 12 + 4), zeros(&[127], 4)].concat()),
        (BGRX, E::TRLE, (3, 2), vec![128, 9, 9, 9, 4, 8, 8, 8, 0]),
        (BGRX, E::TRLE, (16, 16), vec![128, 9, 9, 9, 255, 0]),
        (BGRX, E::TRLE, (3, 2), vec![130, 9, 9, 9, 8, 8, 8, 0, 1, 0x81, 3]),
        (BGRX, E::TRLE, (32, 1), [&[130, 9, 9, 9, 8, 8, 8, 0x80, 15][..], &[129, 0x81, 15]].concat()),
        // Tight at 24 bits: fill, JPEG, and each filter below and from 12 bytes on.
        (BGRX, E::TIGHT, (64, 64), tight(0x80, &[], 3)),
        (RGB565, E::TIGHT, (64, 64), tight(0x8f, &[], 2)),
        (BGRX, E::TIGHT, (64, 64), tight(0x90, &[5], 5)),
        (BGRX, E::TIGHT, (64, 64), tight(0x90, &[0x80 | 5, 1], 133)),
        (BGRX, E::TIGHT, (64, 64), tight(0x90, &[0x80, 0x80, 1], 16384)),
        (BGRX, E::TIGHT, (64, 64), tight(0x90, &[0xff, 0xff, 0xff], 4_194_303)),
        (BGRX, E::TIGHT, (1, 3), tight(0x00, &[], 9)),
        (BGRX, E::TIGHT, (1, 4), tight(0x30, &[2], 2)),
        (BGRX, E::TIGHT, (1, 3), tight(0x40, &[0], 9)),
        (BGRX, E::TIGHT, (1, 4), tight(0x40, &[0, 2], 2)),
        (BGRX, E::TIGHT, (8, 11), tight(0x50, &[1, 1], 6 + 11)),
        (BGRX, E::TIGHT, (9, 6), tight(0x50, &[1, 1, 1, 1, 1, 1, 1, 1, 3], 3)),
        (BGRX, E::TIGHT, (11, 1), tight(0x60, &[1, 2], 9 + 11)),
        (BGRX, E::TIGHT, (64, 64), tight(0x70, &[&[1, 255][..], &[1; 768], &[4]].concat(), 4)),
        (INDEXED, E::TIGHT, (11, 1), tight(0x60, &[1, 2], 3 + 11)),
        (RGB565, E::TIGHT, (5, 1), tight(0x40, &[2], 10)),
        (BGRX, E::TIGHT, (64, 1), tight(0x40, &[2, 4], 4)),
        (BGRX, E::TIGHT_PNG, (64, 64), tight(0xa0, &[5], 5)),
        (BGRX, E::ZLIB, (3, 2), prefixed(&[], 20, 0)),
        (BGRX, E::ZRLE, (3, 2), prefixed(&[], 20, 0)),
        (BGRX, E::ZYWRLE, (3, 2), prefixed(&[], 0, 0)),
        (BGRX, E::H264, (3, 2), prefixed(&[], 20, 4)),
        (BGRX, E::CURSOR, (9, 2), zeros(&[], 72 + 4)),
        (RGB565, E::CURSOR, (8, 2), zeros(&[], 32 + 2)),
        (BGRX, E::X_CURSOR, (9, 2), zeros(&[], 6 + 8)),
        (BGRX, E::X_CURSOR, (0, 0), vec![]),
        (RGB565, E::CURSOR_WITH_ALPHA, (9, 2), zeros(&[], 4 + 72)),
        (RGB565, E::CURSOR_WITH_ALPHA, (9, 2), prefixed(&[0, 0, 0, 16], 20, 0)),
        (BGRX, E::POINTER_POS, (0, 0), vec![]),
        (BGRX, E::QEMU_POINTER_MOTION, (0, 0), vec![]),
        (BGRX, E::QEMU_EXTENDED_KEY, (0, 0), vec![]),
        (BGRX, E::QEMU_LED_STATE, (0, 0), vec![5]),
    ]
}

fn framer_with(format: PixelFormat) -> ServerFramer {
    let mut framer = framer();
    framer.set_pixel_format(format);
    framer
}

#[test]
fn each_encoding_ends_where_it_ends() {
    for (format, encoding, (width, height), payload) in fitting() {
        let bytes = update(&[rectangle(at(8, 8, width, height), encoding, &payload)]);
        let followed = [&bytes[..], &[2]].concat();
        let pieces = vec![Piece::Passed(bytes.len()), message(ServerMessage::Bell)];
        let mut framer = framer_with(format);
        let context = format!("{encoding} {width}x{height} {:?}", &payload[..payload.len().min(16)]);
        assert_eq!(frame(&mut framer, [&followed[..]], Reach::Buffer), (pieces, Ok(0)), "{context}");
        assert!(framer.at_message());
        if bytes.len() < 2000 {
            for end in 1..bytes.len() {
                let mut framer = framer_with(format);
                let (_, rest) = frame(&mut framer, [&bytes[..end]], Reach::Buffer);
                assert!(rest.is_ok() && !(framer.at_message() && rest == Ok(0)), "{context} cut at {end}");
            }
        }
    }
}

#[test]
fn what_makes_no_sense_in_a_rectangle_is_refused() {
    use Encoding as E;
    use ServerViolation as V;
    let length = |encoding, len: u32, most| V::ImplausibleLength { encoding, len, most };
    let slack = 64 << 10;
    let cases: Vec<(Case, V)> = vec![
        ((BGRX, E::HEXTILE, (16, 16), vec![0b10_0000]), V::HextileMask(32)),
        ((BGRX, E::TRLE, (3, 2), vec![17]), V::TrleSubencoding(17)),
        ((BGRX, E::TRLE, (3, 2), vec![126]), V::TrleSubencoding(126)),
        ((BGRX, E::TRLE, (3, 2), vec![127]), V::TrlePaletteMissing),
        ((BGRX, E::TRLE, (3, 2), vec![129]), V::TrlePaletteMissing),
        ((BGRX, E::TRLE, (3, 2), vec![128, 1, 1, 1, 6]), V::TrleRunTooLong),
        ((BGRX, E::TRLE, (3, 2), vec![128, 1, 1, 1, 255]), V::TrleRunTooLong),
        ((BGRX, E::TRLE, (3, 2), vec![130, 1, 1, 1, 2, 2, 2, 0x81, 6]), V::TrleRunTooLong),
        (
            (BGRX, E::TRLE, (3, 2), vec![130, 1, 1, 1, 2, 2, 2, 2]),
            V::TrlePaletteIndex { index: 2, palette: 2 },
        ),
        ((BGRX, E::TIGHT, (64, 64), vec![0xb0]), V::TightControl(0xb0)),
        ((BGRX, E::TIGHT, (64, 64), vec![0xff]), V::TightControl(0xff)),
        ((BGRX, E::TIGHT, (64, 64), vec![0xa0]), V::TightControl(0xa0)),
        ((BGRX, E::TIGHT, (64, 64), vec![0x40, 3]), V::TightFilter(3)),
        ((INDEXED, E::TIGHT, (64, 64), vec![0x40, 2]), V::TightFilter(2)),
        ((BGRX, E::TIGHT, (64, 64), vec![0x40, 1, 0]), V::TightPaletteOfOne),
        ((BGRX, E::RRE, (3, 2), vec![0, 0, 0, 7]), V::TooManySubrectangles { count: 7, pixels: 6 }),
        ((BGRX, E::CORRE, (3, 2), vec![255; 4]), V::TooManySubrectangles { count: u32::MAX, pixels: 6 }),
        ((BGRX, E::ZLIB, (3, 2), vec![255; 4]), length(E::ZLIB, u32::MAX, 54 + slack)),
        ((BGRX, E::ZRLE, (3, 2), vec![0x80, 0, 0, 0]), length(E::ZRLE, 1 << 31, 54 + slack)),
        ((INDEXED, E::ZYWRLE, (3, 2), vec![0, 1, 0, 19]), length(E::ZYWRLE, 65555, 18 + slack)),
        ((BGRX, E::H264, (3, 2), vec![255; 8]), length(E::H264, u32::MAX, 54 + slack)),
        ((BGRX, E::CURSOR, (1025, 1), vec![]), V::CursorSize { width: 1025, height: 1 }),
        ((BGRX, E::CURSOR, (65535, 65535), vec![]), V::CursorSize { width: 65535, height: 65535 }),
        ((BGRX, E::X_CURSOR, (1, 1025), vec![]), V::CursorSize { width: 1, height: 1025 }),
        ((BGRX, E::CURSOR_WITH_ALPHA, (9, 2), vec![0, 0, 0, 7]), V::CursorEncoding(E::TIGHT)),
        ((BGRX, E::CURSOR_WITH_ALPHA, (9, 2), vec![0, 0, 0, 1]), V::CursorEncoding(E::COPY_RECT)),
        (
            (BGRX, E::CURSOR_WITH_ALPHA, (9, 2), vec![255, 255, 254, 198]),
            V::CursorEncoding(E::CURSOR_WITH_ALPHA),
        ),
        ((BGRX, E::DESKTOP_SIZE, (0, 0), vec![]), V::DesktopSize { width: 0, height: 0 }),
        ((BGRX, E::DESKTOP_SIZE, (65535, 65535), vec![]), V::DesktopSize { width: 65535, height: 65535 }),
        ((BGRX, E::DESKTOP_NAME, (0, 0), vec![0, 0, 16, 1]), V::NameTooLong(4097)),
        ((BGRX, E::DESKTOP_NAME, (0, 0), vec![255; 4]), V::NameTooLong(u32::MAX)),
        ((BGRX, Encoding(21), (3, 2), vec![]), V::EncodingNotOffered(Encoding(21))),
        ((BGRX, Encoding(1000), (3, 2), vec![]), V::EncodingNotOffered(Encoding(1000))),
        ((BGRX, Encoding(-32), (3, 2), vec![]), V::EncodingNotOffered(Encoding(-32))),
        ((BGRX, E::FENCE, (3, 2), vec![]), V::EncodingNotOffered(E::FENCE)),
    ];
    for ((format, encoding, (width, height), payload), violation) in cases {
        let bytes = update(&[rectangle(at(0, 0, width, height), encoding, &payload)]);
        for chunk in [1, bytes.len()] {
            let (_, outcome) = frame(&mut framer_with(format), bytes.chunks(chunk), Reach::Buffer);
            assert_eq!(outcome, Err(violation), "{encoding} {payload:?}");
        }
    }
}

#[test]
fn rectangles_stay_inside_the_framebuffer() {
    let pixels = Encoding::FRAMED.iter().filter(|encoding| (1..=50).contains(&encoding.0));
    for encoding in pixels.chain(&[Encoding::RAW, Encoding::TIGHT_PNG]) {
        for area in [
            at(WIDTH, 0, 1, 1),
            at(0, HEIGHT, 1, 1),
            at(1, 0, WIDTH, 1),
            at(0, 1, 1, HEIGHT),
            at(65535, 65535, 65535, 65535),
            at(0, 0, 65535, 65535),
        ] {
            let bytes = update(&[rectangle(area, *encoding, &[0; 16])]);
            let violation = ServerViolation::OutsideFramebuffer { area, width: WIDTH, height: HEIGHT };
            assert_eq!(whole(&bytes).1, Err(violation), "{encoding}");
        }
    }
    let edge = update(&[rectangle(at(WIDTH - 1, HEIGHT - 1, 1, 1), Encoding::RAW, &[0; 4])]);
    assert_eq!(whole(&edge).1, Ok(0));
    let copy = update(&[rectangle(at(0, 0, 10, 10), Encoding::COPY_RECT, &[2, 119, 0, 0])]);
    let source_area = at(631, 0, 10, 10);
    let outside = ServerViolation::CopySourceOutsideFramebuffer { source_area, width: WIDTH, height: HEIGHT };
    assert_eq!(whole(&copy).1, Err(outside));
}

#[test]
fn a_rectangle_without_anything_to_come_is_over_at_once() {
    for (encoding, payload) in [(Encoding::RAW, &[][..]), (Encoding::CURSOR_WITH_ALPHA, &[0; 4])] {
        let mut framer = framer();
        let update = update(&[rectangle(at(0, 0, 0, 0), encoding, payload)]);
        assert_eq!(frame(&mut framer, [&update[..]], Reach::Rectangle).1, Ok(0));
        assert!(framer.at_message(), "{encoding}");
    }
}
