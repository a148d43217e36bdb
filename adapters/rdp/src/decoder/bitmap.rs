//! Pixels of bitmap updates (MS-RDPBCGR 2.2.9.1.1.3.1.2.2).

use ironrdp_graphics::color_conversion::{rdp_15bit_to_rgb, rdp_16bit_to_rgb};
use ironrdp_graphics::rdp6::BitmapStreamDecoder;
use ironrdp_graphics::rle;
use ironrdp_pdu::bitmap::{BitmapData, Compression};
use passerelle_desktop::{Rect, Size, Tally};

/// Draws bitmaps of colours, without a picture of its own; those of a palette it leaves to others.
#[derive(Default)]
pub(super) struct Bitmaps {
    planar: BitmapStreamDecoder,
    plain: Vec<u8>,
    pixels: Vec<u32>,
}

/// How the pixels of a bitmap lie in memory. Numbers are little-endian.
#[derive(Clone, Copy)]
enum Form {
    /// Of RDP 6.0 planar: red, green, blue.
    Rgb,
    Bgr,
    /// With a byte that means nothing.
    Bgrx,
    Rgb565,
    Rgb555,
}

impl Form {
    fn bytes(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Bgrx => 4,
            Self::Rgb565 | Self::Rgb555 => 2,
        }
    }
}

/// Whether pixels of this depth are colours.
pub(super) fn is_coloured(bitmap: &BitmapData<'_>) -> bool {
    matches!(bitmap.bits_per_pixel, 15 | 16 | 24 | 32)
}

/// Whether a bitmap is in interleaved RLE or RDP 6.0 planar.
fn is_compressed(bitmap: &BitmapData<'_>) -> bool {
    bitmap.compression_flags.contains(Compression::BITMAP_COMPRESSION)
}

/// Fills `out` with the pixels of a compressed bitmap: red, green and blue where it has 32 bits, else as it has them. Whether
/// that could be done.
fn decompress(
    bitmap: &BitmapData<'_>,
    planar: &mut BitmapStreamDecoder,
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> bool {
    let (data, width, height) = (bitmap.bitmap_data, bitmap.width.into(), bitmap.height.into());
    out.clear();
    let decoded = tally.contain(|| match bitmap.bits_per_pixel {
        32 => planar.decode_bitmap_stream_to_rgb24(data, out, width, height).is_ok(),
        depth => rle::decompress(data, out, width, height, depth.into()).is_ok(),
    });
    decoded == Some(true)
}

/// Where a bitmap goes in a picture of `size`: one that reaches beyond it, or has not the size of its place, goes nowhere.
/// Columns that it has besides fill its rows up.
pub(super) fn destination(bitmap: &BitmapData<'_>, size: Size) -> Option<Rect> {
    let place = &bitmap.rectangle;
    let side = |from: u16, to: u16| to.checked_sub(from)?.checked_add(1);
    let (width, height) = (side(place.left, place.right)?, side(place.top, place.bottom)?);
    let fits = place.right < size.width && place.bottom < size.height;
    let whole = bitmap.width >= width && bitmap.height == height;
    (fits && whole).then_some(Rect { x: place.left, y: place.top, width, height })
}

impl Bitmaps {
    /// The pixels of a coloured bitmap, `0x00RRGGBB`, the rows of `area` from top to bottom; nothing if it is damaged.
    pub(super) fn pixels(
        &mut self,
        bitmap: &BitmapData<'_>,
        area: Rect,
        tally: &mut Tally,
    ) -> Option<&[u32]> {
        let (width, height) = (usize::from(bitmap.width), usize::from(bitmap.height));
        let compressed = is_compressed(bitmap);
        let form = match bitmap.bits_per_pixel {
            32 if compressed => Form::Rgb,
            32 => Form::Bgrx,
            24 => Form::Bgr,
            16 => Form::Rgb565,
            15 => Form::Rgb555,
            _ => return None,
        };
        let row = width * form.bytes();
        let (plain, row, padded) = if compressed {
            let Self { planar, plain, .. } = self;
            if !decompress(bitmap, planar, plain, tally) {
                return None;
            }
            (plain.as_slice(), row, row)
        } else {
            // Rows are filled up to four bytes.
            (bitmap.bitmap_data, row, row.next_multiple_of(4))
        };
        if row == 0 {
            return None;
        }
        let plain = plain.get(..padded * height)?;
        let shown = usize::from(area.width) * form.bytes();
        // From the bottom to the top.
        let rows = plain.chunks_exact(padded).rev().filter_map(|row| row.get(..shown));
        let pixels = &mut self.pixels;
        pixels.clear();
        pixels.reserve(area.pixels());
        match form {
            Form::Rgb => convert(rows, pixels, |[r, g, b]| u32::from_be_bytes([0, r, g, b])),
            Form::Bgr => convert(rows, pixels, |[b, g, r]| u32::from_be_bytes([0, r, g, b])),
            Form::Bgrx => convert(rows, pixels, |[b, g, r, _]| u32::from_be_bytes([0, r, g, b])),
            Form::Rgb565 => {
                convert(rows, pixels, |pixel| colour(rdp_16bit_to_rgb(u16::from_le_bytes(pixel))))
            }
            Form::Rgb555 => {
                convert(rows, pixels, |pixel| colour(rdp_15bit_to_rgb(u16::from_le_bytes(pixel))))
            }
        }
        Some(pixels)
    }
}

fn colour([r, g, b]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, r, g, b])
}

fn convert<'a, const N: usize>(
    rows: impl Iterator<Item = &'a [u8]>,
    pixels: &mut Vec<u32>,
    colour: impl Fn([u8; N]) -> u32,
) {
    for row in rows {
        pixels.extend(row.as_chunks().0.iter().map(|pixel| colour(*pixel)));
    }
}
