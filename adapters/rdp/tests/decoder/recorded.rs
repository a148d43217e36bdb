//! What stock servers sent to a stock client: the last picture is what the client showed.

use passerelle_desktop::{Decoder as _, Pointer, Rect, Size};
use passerelle_rdp::decoder::RdpDecoder;

use crate::harness::{Fixture, begun, picture};

/// Draws a fixture, fed in pieces of `piece` bytes, and compares it with the screenshot: no channel of a pixel
/// differs by more than `most`.
fn check(name: &str, piece: usize, most: u8) -> RdpDecoder {
    let fixture = Fixture::read(name);
    let mut decoder = begun(&fixture.start);
    let mut followed = Vec::new();
    let mut size = Size { width: 0, height: 0 };
    for bytes in fixture.wire.chunks(piece) {
        decoder.target(bytes).unwrap();
        let damage = decoder.take_damage();
        let framebuffer = decoder.framebuffer();
        if size != framebuffer.size() {
            size = framebuffer.size();
            assert_eq!(damage.rects(), [Rect::of(size)], "a new desktop is all damage");
            followed = vec![0; size.pixels()];
        }
        // A viewer that draws nothing but the damage sees the same.
        for rect in damage.rects() {
            for (y, row) in (usize::from(rect.y)..).zip(framebuffer.rows(*rect)) {
                let at = y * usize::from(size.width) + usize::from(rect.x);
                followed[at..at + row.len()].copy_from_slice(row);
            }
        }
    }
    let drawn = picture(&decoder);
    assert_eq!(decoder.framebuffer().size(), fixture.size);
    assert!(followed == drawn, "the damage does not lead to the picture");
    let differs = |(a, b): (&u32, &u32)| {
        a.to_be_bytes().into_iter().zip(b.to_be_bytes()).map(|(a, b)| a.abs_diff(b)).max()
    };
    let worst = drawn.iter().zip(&fixture.screenshot).filter_map(differs).max();
    assert!(worst <= Some(most), "{name}: a channel differs by {worst:?}");
    decoder
}

#[test]
fn classic_bitmaps_with_every_bulk_compression() {
    for name in ["classic-8k", "classic-64k", "classic-ncrush", "classic-xcrush"] {
        let decoder = check(name, 1000, 0);
        assert_eq!(decoder.skipped(), []);
    }
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    check("classic-64k", 1, 0);
}

#[test]
fn slow_path_of_xrdp() {
    let decoder = check("slow-path", 4096, 0);
    assert_eq!(decoder.skipped(), []);
    let Pointer::Shape(cursor) = decoder.pointer() else { panic!("the session set a pointer") };
    assert_eq!(cursor.size(), Size { width: 32, height: 32 });
    assert!(cursor.pixels().iter().any(|pixel| pixel >> 24 == 255));
}

#[test]
fn remotefx_in_surface_commands() {
    assert_eq!(check("remotefx", 4096, 1).skipped(), []);
}

#[test]
fn remotefx_in_the_graphics_pipeline() {
    assert_eq!(check("graphics-remotefx", 4096, 1).skipped(), []);
}

#[test]
fn progressive_remotefx_of_gnome() {
    let decoder = check("graphics-progressive", 4096, 9);
    assert_eq!(decoder.skipped(), []);
    assert!(matches!(decoder.pointer(), Pointer::Shape(_)));
}

#[test]
fn a_resize_in_the_middle() {
    assert_eq!(check("resize", 4096, 0).skipped(), []);
}

#[cfg(feature = "openh264")]
#[test]
fn h264_in_the_graphics_pipeline() {
    assert_eq!(check("graphics-avc420", 4096, 0).skipped(), []);
}

#[cfg(not(feature = "openh264"))]
#[test]
fn without_its_decoder_h264_is_counted() {
    use std::borrow::Cow;

    use passerelle_rdp::decoder::Part;

    let fixture = Fixture::read("graphics-avc420");
    let mut decoder = begun(&fixture.start);
    decoder.target(&fixture.wire).unwrap();
    let [skipped] = decoder.skipped() else { panic!("{:?}", decoder.skipped()) };
    assert!(skipped.what == Cow::from(Part::H264) && skipped.count > 5, "{skipped:?}");
}
