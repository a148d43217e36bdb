mod encode;
mod hostile;

use passerelle_desktop::{DecodeError, Decoder as _, Pointer, Rect, Size, Skipped};
use passerelle_rfb::{Encoding, PixelFormat, Rectangle, ServerInit, rectangle_header, update_header};

use super::{Part, VncDecoder};
use crate::Marker;
use encode::{COLOURS, Deflate, Filter, Picture};

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
const RGB332: PixelFormat = PixelFormat {
    bits_per_pixel: 8,
    depth: 8,
    red_max: 7,
    green_max: 7,
    blue_max: 3,
    red_shift: 0,
    green_shift: 3,
    blue_shift: 6,
    ..BGRX
};
const INDEXED: PixelFormat = PixelFormat { bits_per_pixel: 8, depth: 8, true_colour: false, ..BGRX };

const DESKTOP: Size = Size { width: 160, height: 90 };
/// Where rectangles are drawn: with tiles cut off at the right and at the bottom.
const AREA: Rect = Rect { x: 3, y: 5, width: 150, height: 70 };

/// What a target sends first.
fn init() -> Vec<u8> {
    let Size { width, height } = DESKTOP;
    ServerInit { width, height, pixel_format: BGRX, name: "desk".into() }.encode()
}

/// A decoder that knows the desktop.
fn begun() -> VncDecoder {
    let mut decoder = VncDecoder::new();
    decoder.target(&init()).unwrap();
    decoder.take_damage();
    decoder
}

fn rectangle(area: Rect, encoding: Encoding, payload: &[u8]) -> Vec<u8> {
    let Rect { x, y, width, height } = area;
    [&rectangle_header(Rectangle { x, y, width, height }, encoding)[..], payload].concat()
}

fn update(rectangles: &[Vec<u8>]) -> Vec<u8> {
    [update_header(rectangles.len() as u16).to_vec(), rectangles.concat()].concat()
}

/// A change of the pixel format, as the recording has it.
fn marker(format: PixelFormat) -> Vec<u8> {
    Marker::PixelFormat(format.into()).encode()
}

/// SetColourMapEntries with [`COLOURS`].
fn colour_map() -> Vec<u8> {
    let mut message = vec![1, 0, 0, 0, 0, COLOURS.len() as u8];
    for colour in COLOURS {
        let [_, r, g, b] = colour.to_be_bytes();
        message.extend([r, r, g, g, b, b]);
    }
    message
}

/// Some areas of one colour, some of two, some busy ones.
fn colours(salt: usize) -> Vec<u32> {
    let pixel = |x: usize, y: usize| match (x / 24 + y / 20 + salt) % 4 {
        0 => COLOURS[(salt + x / 48) % 8],
        1 => COLOURS[(x + y) / 5 % 2 + salt % 7],
        2 => COLOURS[(x * x / 9 + y * 3 + salt) % 8],
        _ => COLOURS[x * y / 40 % 3 + salt % 6],
    };
    let (width, height) = (usize::from(AREA.width), usize::from(AREA.height));
    (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
}

fn shown(decoder: &VncDecoder, area: Rect) -> Vec<u32> {
    decoder.framebuffer().rows(area).flatten().copied().collect()
}

fn skipped(part: Part, count: u64) -> [Skipped; 1] {
    [Skipped { what: part.into(), count }]
}

#[test]
fn every_encoding_in_every_format() {
    let ten = PixelFormat {
        depth: 30,
        red_max: 1023,
        green_max: 1023,
        blue_max: 1023,
        red_shift: 20,
        green_shift: 10,
        ..BGRX
    };
    let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..BGRX };
    let deep = PixelFormat { depth: 32, red_shift: 0, blue_shift: 16, ..BGRX };
    let mut decoder = begun();
    let mut slow = begun();
    let (mut zlib, mut zrle) = (Deflate::new(), Deflate::new());
    let mut tight = [const { None }; 4];
    let mut salt = 0;
    for format in [BGRX, high, deep, ten, RGB565, RGB332, INDEXED] {
        for big_endian in [false, true] {
            let format = PixelFormat { big_endian, ..format };
            for decoder in [&mut decoder, &mut slow] {
                decoder.state(&marker(format)).unwrap();
                decoder.target(&colour_map()).unwrap();
            }
            let mut check = |name: &str, encoding, encode: &mut dyn FnMut(&Picture) -> Vec<u8>| {
                salt += 1;
                let colours = colours(salt);
                let picture = Picture::new(format, AREA.width, &colours);
                let message = update(&[rectangle(AREA, encoding, &encode(&picture))]);
                decoder.target(&message).unwrap();
                assert!(shown(&decoder, AREA) == colours, "{name} of {format:?}: {:?}", decoder.skipped());
                let damage = decoder.take_damage();
                assert!(
                    damage.rects().iter().all(|rect| rect.intersection(AREA) == Some(*rect)),
                    "{damage:?}"
                );
                message.iter().for_each(|byte| slow.target(&[*byte]).unwrap());
            };
            check("raw", Encoding::RAW, &mut |picture| encode::raw(picture));
            check("rre", Encoding::RRE, &mut |picture| encode::rre(picture, false));
            check("corre", Encoding::CORRE, &mut |picture| encode::rre(picture, true));
            check("hextile", Encoding::HEXTILE, &mut |picture| encode::hextile(picture));
            check("zlib", Encoding::ZLIB, &mut |picture| zlib.prefixed(&encode::raw(picture)));
            check("trle", Encoding::TRLE, &mut |picture| encode::tiles(picture, 16));
            check("zrle", Encoding::ZRLE, &mut |picture| zrle.prefixed(&encode::tiles(picture, 64)));
            let filters = [Filter::None, Filter::Copy, Filter::Palette, Filter::Gradient];
            for (number, filter) in (0u8..).zip(filters) {
                if filter == Filter::Gradient && format.bits_per_pixel == 8 {
                    continue;
                }
                // Streams begin anew now and then.
                let stream = &mut tight[usize::from(number)];
                stream.take_if(|_| big_endian);
                let name = format!("tight, {filter:?}");
                check(&name, Encoding::TIGHT, &mut |picture| encode::tight(picture, filter, number, stream));
            }
        }
    }
    assert_eq!(decoder.skipped(), []);
    assert_eq!(slow.skipped(), []);
    let all = Rect::of(DESKTOP);
    assert!(shown(&slow, all) == shown(&decoder, all));
}

#[test]
fn few_pixels_are_not_compressed() {
    let area = Rect { x: 9, y: 9, width: 3, height: 1 };
    let colours = [0xff_0000, 0, 0xff_0000];
    let mut decoder = begun();
    for filter in [Filter::None, Filter::Palette, Filter::Gradient] {
        let picture = Picture::new(BGRX, 3, &colours);
        let payload = encode::tight(&picture, filter, 0, &mut Some(Deflate::new()));
        decoder.target(&update(&[rectangle(area, Encoding::TIGHT, &payload)])).unwrap();
        assert_eq!(shown(&decoder, area), colours, "{filter:?}");
        let payload = encode::tight_fill(&Picture::new(BGRX, 3, &[0x00_ff00; 3]));
        decoder.target(&update(&[rectangle(area, Encoding::TIGHT, &payload)])).unwrap();
        assert_eq!(shown(&decoder, area), [0x00_ff00; 3]);
    }
    assert_eq!(decoder.skipped(), []);
}

#[test]
fn pictures_in_files() {
    let area = Rect { x: 10, y: 10, width: 32, height: 16 };
    let near =
        |a: u32, b: u32| a.to_be_bytes().into_iter().zip(b.to_be_bytes()).all(|(a, b)| a.abs_diff(b) <= 3);
    let mut decoder = begun();
    for (file, left, right) in [
        (&include_bytes!("photo.jpg")[..], 0x20_4060, 0xe0_c0a0),
        (include_bytes!("grey.jpg"), 0x3a_3a3a, 0xc6_c6c6),
    ] {
        let payload = encode::tight_file(0x9, file);
        decoder.target(&update(&[rectangle(area, Encoding::TIGHT, &payload)])).unwrap();
        let shown = shown(&decoder, area);
        let (first, last) = (shown[8 * 32 + 4], shown[8 * 32 + 27]);
        assert!(near(first, left) && near(last, right), "{first:06x} {last:06x}");
    }
    for (colour, samples, expected) in [
        (png::ColorType::Rgb, 3, 0x01_0203),
        (png::ColorType::Rgba, 4, 0x01_0203),
        (png::ColorType::Grayscale, 1, 0x01_0101),
        (png::ColorType::GrayscaleAlpha, 2, 0x01_0101),
    ] {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 32, 16);
        encoder.set_color(colour);
        let pixels = [1, 2, 3, 4][..samples].repeat(32 * 16);
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        let payload = encode::tight_file(0xa, &file);
        decoder.target(&update(&[rectangle(area, Encoding::TIGHT_PNG, &payload)])).unwrap();
        assert!(shown(&decoder, area).iter().all(|pixel| *pixel == expected), "{colour:?}");
    }
    assert_eq!(decoder.skipped(), []);
    // Of another size than their rectangle, and broken.
    let other = Rect { width: 31, ..area };
    let photo = include_bytes!("photo.jpg");
    for (kind, file) in [(0x9, &photo[..]), (0x9, &photo[..40]), (0xa, b"no png")] {
        let payload = encode::tight_file(kind, file);
        decoder.target(&update(&[rectangle(other, Encoding::TIGHT_PNG, &payload)])).unwrap();
    }
    assert_eq!(decoder.skipped(), skipped(Part::Undecodable, 3));
}

#[test]
fn copies_and_sizes() {
    let mut decoder = begun();
    let picture = Picture::new(BGRX, AREA.width, &colours(1));
    decoder.target(&update(&[rectangle(AREA, Encoding::RAW, &encode::raw(&picture))])).unwrap();
    let before = shown(&decoder, AREA);
    let moved = Rect { x: 5, y: 1, ..AREA };
    decoder.target(&update(&[rectangle(moved, Encoding::COPY_RECT, &[0, 3, 0, 5])])).unwrap();
    assert!(shown(&decoder, moved) == before);
    decoder.take_damage();
    // A smaller desktop shows what is left of it, and another layout of the same size changes nothing.
    let smaller = Rect { x: 0, y: 0, width: 100, height: 60 };
    let left = shown(&decoder, smaller);
    decoder.target(&update(&[rectangle(smaller, Encoding::DESKTOP_SIZE, &[])])).unwrap();
    assert_eq!(decoder.framebuffer().size(), Size { width: 100, height: 60 });
    assert_eq!(decoder.take_damage().rects(), [smaller]);
    decoder.target(&update(&[rectangle(smaller, Encoding::EXTENDED_DESKTOP_SIZE, &[0; 4])])).unwrap();
    assert!(decoder.take_damage().is_empty());
    assert!(shown(&decoder, smaller) == left);
    // A wish that was refused changes nothing, one that was granted does.
    for (status, width) in [(1, 100), (0, 200)] {
        let layout = Rect { x: 1, y: status, width: 200, height: 60 };
        decoder.target(&update(&[rectangle(layout, Encoding::EXTENDED_DESKTOP_SIZE, &[0; 4])])).unwrap();
        assert_eq!(decoder.framebuffer().size().width, width);
    }
    assert_eq!(decoder.skipped(), []);
}

#[test]
fn what_has_no_picture_is_passed_over() {
    let mut decoder = begun();
    let area = Rect { x: 0, y: 0, width: 1, height: 1 };
    let anywhere = Rect { x: 9, y: 60_000, width: 60_000, height: 60_000 };
    let mut wire = vec![2];
    wire.extend([3, 0, 0, 0, 0, 0, 0, 4]);
    wire.extend(b"text");
    // A clipboard message of the extension, with nothing in it.
    wire.extend([3, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0]);
    wire.extend([150]);
    wire.extend([&[248, 0, 0, 0, 0, 0, 0, 0, 3][..], b"any"].concat());
    wire.extend([255, 1, 0, 2, 0, 0, 0, 5, 1, 2, 3, 4, 5]);
    wire.extend(update(&[
        rectangle(area, Encoding::DESKTOP_NAME, &[0, 0, 0, 2, b'h', b'i']),
        rectangle(anywhere, Encoding::QEMU_EXTENDED_KEY, &[]),
        rectangle(anywhere, Encoding::QEMU_LED_STATE, &[7]),
        rectangle(anywhere, Encoding::QEMU_POINTER_MOTION, &[]),
        rectangle(area, Encoding::EXTENDED_MOUSE_BUTTONS, &[]),
        rectangle(area, Encoding::RAW, &[0x33, 0x22, 0x11, 0]),
    ]));
    wire.extend([update_header(0xffff).to_vec(), rectangle(anywhere, Encoding::LAST_RECT, &[])].concat());
    wire.extend(update(&[rectangle(Rect { x: 7, y: 8, ..area }, Encoding::POINTER_POS, &[])]));
    decoder.target(&wire).unwrap();
    assert_eq!(shown(&decoder, area), [0x11_2233]);
    assert_eq!(decoder.pointer_position(), Some((7, 8)));
    assert_eq!(decoder.skipped(), []);
}

#[test]
fn every_kind_of_cursor() {
    let area = Rect { x: 1, y: 0, width: 9, height: 2 };
    let mask = [0b1000_0000, 0x80, 0, 0];
    let mut pixels = [9; 9 * 2 * 4];
    pixels[..4].copy_from_slice(&[0x33, 0x22, 0x11, 0]);
    let bitmap = [&[1, 2, 3, 4, 5, 6, 0, 0x80, 0, 0][..], &mask].concat();
    let alpha = [vec![0; 4], [0x40, 0x20, 0, 0x80].repeat(18)].concat();
    let mut zlib = Deflate::new();
    let zrle_alpha =
        [&16u32.to_be_bytes()[..], &zlib.prefixed(&[&[1][..], &[0x40, 0x20, 0, 0x80]].concat())].concat();
    let mut decoder = begun();
    assert!(matches!(decoder.pointer(), Pointer::Default));
    let masked = [&pixels[..], &mask].concat();
    for (encoding, payload, first, last_of_row) in [
        (Encoding::CURSOR, &masked, 0xff11_2233, 0xff09_0909),
        (Encoding::X_CURSOR, &bitmap, 0xff04_0506, 0xff01_0203),
        (Encoding::CURSOR_WITH_ALPHA, &alpha, 0x8080_4000, 0x8080_4000),
        (Encoding::CURSOR_WITH_ALPHA, &zrle_alpha, 0x8080_4000, 0x8080_4000),
    ] {
        decoder.target(&update(&[rectangle(area, encoding, payload)])).unwrap();
        let Pointer::Shape(cursor) = decoder.pointer() else { panic!("{encoding}: {:?}", decoder.skipped()) };
        assert_eq!((cursor.size(), cursor.hotspot()), (Size { width: 9, height: 2 }, (1, 0)));
        assert_eq!((cursor.pixels()[0], cursor.pixels()[8]), (first, last_of_row), "{encoding}");
        if encoding != Encoding::CURSOR_WITH_ALPHA {
            assert_eq!(cursor.pixels()[1], 0, "{encoding}");
        }
        // Without pixels there is none to be seen.
        let empty = Rect { width: 0, height: 0, ..area };
        let nothing = if encoding == Encoding::CURSOR_WITH_ALPHA { &[0; 4][..] } else { &[] };
        decoder.target(&update(&[rectangle(empty, encoding, nothing)])).unwrap();
        assert!(matches!(decoder.pointer(), Pointer::Hidden), "{encoding}");
    }
    assert_eq!(decoder.skipped(), []);
    let large = Rect { width: 257, ..area };
    decoder.target(&update(&[rectangle(large, Encoding::CURSOR, &vec![0; 257 * 8 + 66])])).unwrap();
    assert_eq!(decoder.skipped(), skipped(Part::PointerShape, 1));
}

#[test]
fn a_format_holds_from_the_rectangle_on_that_follows() {
    let area = Rect { x: 0, y: 0, width: 1, height: 1 };
    let mut decoder = begun();
    let whole = update(&[rectangle(area, Encoding::RAW, &[0x33, 0x22, 0x11, 0])]);
    // The rectangle has begun with the old one.
    let (head, payload) = whole.split_at(whole.len() - 1);
    decoder.target(head).unwrap();
    decoder.state(&marker(RGB565)).unwrap();
    decoder.target(payload).unwrap();
    assert_eq!(shown(&decoder, area), [0x11_2233]);
    decoder.target(&update(&[rectangle(area, Encoding::RAW, &[0x00, 0xf8])])).unwrap();
    assert_eq!(shown(&decoder, area), [0xff_0000]);
}

#[test]
fn what_is_not_drawn_is_counted_and_the_rest_goes_on() {
    let area = Rect { x: 0, y: 0, width: 2, height: 1 };
    let raw = |colour: u8| rectangle(area, Encoding::RAW, &[colour; 8]);
    let empty = Deflate::new().prefixed(b"x");
    for (encoding, payload, part) in [
        (Encoding::H264, &[0, 0, 0, 3, 0, 0, 0, 0, 7, 7, 7][..], Part::H264),
        (Encoding::ZYWRLE, &[0, 0, 0, 1, 7], Part::Zywrle),
        (Encoding::ZRLE, &[0, 0, 0, 1, 7], Part::Undecodable),
        (Encoding::ZRLE, &empty, Part::Undecodable),
        (Encoding::ZLIB, &empty, Part::Undecodable),
        // An index beyond the palette, and a length of one byte more than there is.
        (Encoding::TRLE, &[3, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0xff], Part::Undecodable),
        (Encoding::TIGHT, &[0x90, 1, 1], Part::Undecodable),
    ] {
        let mut decoder = begun();
        decoder.target(&update(&[rectangle(area, encoding, payload), raw(5)])).unwrap();
        assert_eq!(shown(&decoder, area), [0x05_0505; 2], "{encoding}");
        assert_eq!(decoder.skipped(), skipped(part, 1), "{encoding}");
    }
    // A stream of which something is missing is not read any further.
    let mut decoder = begun();
    let broken = rectangle(area, Encoding::ZRLE, &[0, 0, 0, 1, 7]);
    let mut zrle = Deflate::new();
    let mut good = || rectangle(area, Encoding::ZRLE, &zrle.prefixed(&[1, 1, 2, 3]));
    decoder.target(&update(&[good(), broken, good()])).unwrap();
    assert_eq!(decoder.skipped(), [skipped(Part::Undecodable, 1), skipped(Part::History, 1)].concat());
}

#[test]
fn what_an_update_may_write_is_bounded() {
    let all = Rect::of(DESKTOP);
    let copy = rectangle(Rect { x: 1, width: 159, ..all }, Encoding::COPY_RECT, &[0; 4]);
    let mut decoder = begun();
    let bounded = |decoder: &VncDecoder| decoder.skipped().iter().map(|skipped| skipped.count).sum::<u64>();
    for _ in 0..3 {
        decoder.target(&update(&vec![copy.clone(); 20])).unwrap();
        assert_eq!(bounded(&decoder), 0);
    }
    decoder.target(&update(&vec![copy.clone(); 1000])).unwrap();
    assert!((500..1000).contains(&bounded(&decoder)));
    assert_eq!(decoder.skipped(), skipped(Part::Excessive, bounded(&decoder)));
    // The same of subrectangles, each as large as the rectangle.
    let mut decoder = begun();
    let speck = [&[1, 2, 3, 0, 0, 0, 0, 0][..], &[0, 160, 0, 90]].concat();
    let payload = [&1000u32.to_be_bytes()[..], &[0; 4], &speck.repeat(1000)].concat();
    decoder.target(&update(&[rectangle(all, Encoding::RRE, &payload)])).unwrap();
    assert_eq!(decoder.skipped(), skipped(Part::Excessive, 1));
}

#[test]
fn rectangles_beyond_the_longest_are_not_kept() {
    let mut decoder = VncDecoder { longest: 1000, ..begun() };
    let compressed = [&2000u32.to_be_bytes()[..], &[7; 2000]].concat();
    let area = Rect { x: 0, y: 0, width: 40, height: 20 };
    let wire = update(&[
        rectangle(area, Encoding::ZLIB, &compressed),
        rectangle(Rect { width: 1, height: 1, ..area }, Encoding::RAW, &[0x33, 0x22, 0x11, 0]),
        rectangle(area, Encoding::ZLIB, &Deflate::new().prefixed(&[0; 9])),
    ]);
    for bytes in wire.chunks(100) {
        decoder.target(bytes).unwrap();
        assert!(decoder.received.len() <= 1200, "{}", decoder.received.len());
    }
    assert_eq!(shown(&decoder, Rect { width: 1, height: 1, ..area }), [0x11_2233]);
    assert_eq!(decoder.skipped(), [skipped(Part::TooLong, 1), skipped(Part::History, 1)].concat());
}

#[test]
fn what_cannot_be_understood_ends_it() {
    let mut decoder = VncDecoder::new();
    assert_eq!(decoder.framebuffer().size(), Size { width: 1, height: 1 });
    assert!(matches!(decoder.state(&marker(BGRX)), Err(DecodeError::State(_))));
    let senseless = PixelFormat { bits_per_pixel: 24, ..BGRX };
    for entry in [&marker(senseless)[..], br#"{"later":1}"#, b""] {
        assert!(matches!(begun().state(entry), Err(DecodeError::State(_))));
    }
    let huge = ServerInit { width: 65_535, height: 65_535, pixel_format: BGRX, name: String::new() }.encode();
    assert!(matches!(decoder.target(&huge), Err(DecodeError::Framing(_))));
    for wire in [vec![77], update(&[rectangle(Rect::default(), Encoding(21), &[])])] {
        assert!(matches!(begun().target(&wire), Err(DecodeError::Framing(_))));
    }
    let huge = rectangle(Rect { x: 0, y: 0, width: 65_535, height: 65_535 }, Encoding::DESKTOP_SIZE, &[]);
    assert!(matches!(begun().target(&update(&[huge])), Err(DecodeError::Framing(_))));
}
