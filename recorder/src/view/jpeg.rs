//! JPEG pictures of regions in motion, and thumbnails.

use std::io;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use passerelle_desktop::{Framebuffer, Rect};

/// Quality of regions in motion: at full motion nobody reads.
const REGION: u8 = 65;
/// Quality of thumbnails.
const THUMBNAIL: u8 = 70;
/// The widest thumbnail in pixels.
pub(crate) const THUMBNAIL_WIDTH: u16 = 320;
/// The highest, for desktops that are higher than wide.
const THUMBNAIL_HEIGHT: u16 = 400;

/// The pixels of `area` as a JPEG file.
pub(crate) fn region(picture: &Framebuffer, area: Rect) -> io::Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(area.pixels() * 3);
    for row in picture.rows(area) {
        for pixel in row {
            let [_, r, g, b] = pixel.to_be_bytes();
            pixels.extend_from_slice(&[r, g, b]);
        }
    }
    encode(&pixels, area.width, area.height, REGION)
}

/// The whole picture as a small JPEG file.
pub(crate) fn thumbnail(picture: &Framebuffer) -> io::Result<Vec<u8>> {
    let size = picture.size();
    let (width, height) = (u32::from(size.width), u32::from(size.height));
    let across = width.div_ceil(THUMBNAIL_WIDTH.into());
    let down = height.div_ceil(THUMBNAIL_HEIGHT.into());
    // Each pixel is the mean of a square; what is left over at the right and at the bottom is not shown.
    let side = across.max(down).max(1);
    let (columns, rows) = ((width / side).max(1), (height / side).max(1));
    let step = usize::try_from(side).unwrap_or(1);
    let mut sums = vec![[0u32; 3]; columns as usize];
    let mut pixels = Vec::with_capacity((columns * rows * 3) as usize);
    let mut lines = picture.rows(Rect::of(size));
    for _ in 0..rows {
        sums.fill([0; 3]);
        for line in lines.by_ref().take(step) {
            for (sum, square) in sums.iter_mut().zip(line.chunks(step)) {
                for pixel in square {
                    let [_, r, g, b] = pixel.to_be_bytes();
                    *sum = [sum[0] + u32::from(r), sum[1] + u32::from(g), sum[2] + u32::from(b)];
                }
            }
        }
        let count = side * side;
        // A mean of bytes is one.
        pixels.extend(sums.iter().flatten().map(|sum| (sum / count) as u8));
    }
    // Neither is more than what a thumbnail may be.
    encode(&pixels, columns as u16, rows as u16, THUMBNAIL)
}

fn encode(pixels: &[u8], width: u16, height: u16, quality: u8) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(pixels, width, height, ColorType::Rgb).map_err(io::Error::other)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use passerelle_desktop::Size;
    use zune_jpeg::JpegDecoder;
    use zune_jpeg::zune_core::bytestream::ZCursor;

    use super::*;

    #[test]
    fn thumbnails_are_small_and_look_alike() {
        for (size, expected) in [
            ((1280, 720), (320, 180)),
            ((1366, 768), (273, 153)),
            ((320, 200), (320, 200)),
            ((1080, 1920), (216, 384)),
            ((3, 1), (3, 1)),
        ] {
            let size = Size { width: size.0, height: size.1 };
            let mut picture = Framebuffer::new(size).unwrap();
            picture.write(Rect::of(size), vec![0x0020_c040; size.pixels()]);
            let file = thumbnail(&picture).unwrap();
            let mut decoder = JpegDecoder::new(ZCursor::new(&file));
            let pixels = decoder.decode().unwrap();
            let (width, height) = decoder.dimensions().unwrap();
            assert_eq!((width, height), expected);
            let [r, g, b] = *pixels.first_chunk().unwrap();
            for (found, wanted) in [(r, 0x20u8), (g, 0xc0), (b, 0x40)] {
                assert!(found.abs_diff(wanted) < 8, "{r:x} {g:x} {b:x}");
            }
        }
    }
}
