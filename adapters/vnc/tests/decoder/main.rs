//! What stock servers send, drawn by the decoder of recordings and by a client that we did not write.

#![expect(clippy::unwrap_used, reason = "what fails in a test is to fail the test")]

use std::path::PathBuf;
use std::time::Duration;

use passerelle_desktop::{Decoder as _, Rect};
use passerelle_vnc::decoder::VncDecoder;
use tokio::io::AsyncWriteExt as _;
use vnc::{VncConnector, VncEncoding, VncEvent};

const WIDTH: usize = 200;
const HEIGHT: usize = 120;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/decoder/fixtures").join(name))
        .unwrap()
}

/// What the desktop looked like.
fn screenshot() -> Vec<u32> {
    let file = fixture("screenshot.png");
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width as usize, frame.height as usize), (WIDTH, HEIGHT));
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    pixels.as_chunks().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])).collect()
}

fn draw(name: &str) -> VncDecoder {
    let mut decoder = VncDecoder::new();
    for bytes in fixture(&format!("{name}.bin")).chunks(1000) {
        decoder.target(bytes).unwrap();
    }
    assert_eq!(decoder.skipped(), [], "{name}");
    decoder
}

fn picture(decoder: &VncDecoder) -> Vec<u32> {
    let framebuffer = decoder.framebuffer();
    framebuffer.rows(Rect::of(framebuffer.size())).flatten().copied().collect()
}

/// How many pixels have a colour that differs by more than `most`.
fn far(drawn: &[u32], expected: &[u32], most: u8) -> usize {
    assert_eq!(drawn.len(), expected.len());
    let differs = |(a, b): &(&u32, &u32)| {
        a.to_be_bytes().into_iter().zip(b.to_be_bytes()).any(|(a, b)| a.abs_diff(b) > most)
    };
    drawn.iter().zip(expected).filter(differs).count()
}

/// The pixels of the pointer, which Xvnc draws into the picture of a client that did not move it yet.
const POINTER: usize = 28;

#[test]
fn lossless_encodings_are_the_screenshot() {
    for name in ["x11vnc-corre", "x11vnc-zlib", "x11vnc-zrle", "x11vnc-tight"] {
        assert_eq!(far(&picture(&draw(name)), &screenshot(), 0), 0, "{name}");
    }
    for name in ["xvnc-hextile", "xvnc-zrle", "xvnc-tight"] {
        assert_eq!(far(&picture(&draw(name)), &screenshot(), 0), POINTER, "{name}");
    }
}

#[test]
fn few_bits_are_near_the_screenshot() {
    let first = picture(&draw("xvnc-zrle-565"));
    for name in ["xvnc-hextile-565", "xvnc-zrle-565", "xvnc-tight-565"] {
        let drawn = picture(&draw(name));
        assert_eq!(far(&drawn, &screenshot(), 8), POINTER, "{name}");
        assert!(drawn == first, "{name}");
    }
}

#[test]
fn photographs_are_near_the_screenshot() {
    let drawn = picture(&draw("xvnc-tight-jpeg"));
    assert!(far(&drawn, &screenshot(), 0) > 10_000, "there is JPEG in it");
    assert!(far(&drawn, &screenshot(), 16) <= POINTER + WIDTH * HEIGHT / 100);
}

/// What the other client makes of a recorded lane: a server without a password sends it.
async fn drawn_by_another(name: &str, expected: &[u32]) -> Vec<u32> {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let wire = [&b"RFB 003.008\n\x01\x01\0\0\0\0"[..], &fixture(&format!("{name}.bin"))].concat();
    ours.write_all(&wire).await.unwrap();
    let client = VncConnector::new(theirs)
        .set_auth_method(async move { Ok(String::new()) })
        .set_pixel_format(vnc::PixelFormat::bgra())
        .add_encoding(VncEncoding::Tight)
        .add_encoding(VncEncoding::Zrle)
        .add_encoding(VncEncoding::Raw)
        .add_encoding(VncEncoding::CursorPseudo)
        .build()
        .unwrap();
    let client = client.try_start().await.unwrap().finish().unwrap();
    let mut pixels = vec![0; WIDTH * HEIGHT];
    // Nobody says that everything was drawn; it was once the picture is the expected one.
    let draw = async {
        while pixels != *expected {
            match client.recv_event().await.unwrap() {
                VncEvent::RawImage(area, data) => {
                    for (index, pixel) in data.as_chunks::<4>().0.iter().enumerate() {
                        let x = usize::from(area.x) + index % usize::from(area.width);
                        let y = usize::from(area.y) + index / usize::from(area.width);
                        pixels[y * WIDTH + x] = u32::from_le_bytes(*pixel) & 0x00ff_ffff;
                    }
                }
                VncEvent::Error(error) => panic!("{error}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), draw).await.ok();
    pixels
}

#[tokio::test]
async fn another_client_draws_the_same() {
    for name in ["xvnc-zrle", "xvnc-tight", "x11vnc-zrle", "x11vnc-tight"] {
        let ours = picture(&draw(name));
        let other = drawn_by_another(name, &ours).await;
        assert_eq!(far(&ours, &other, 0), 0, "{name}");
    }
}
