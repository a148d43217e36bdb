//! Screenshots, and how far two of them are apart.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use super::Outcome;

/// How far a colour may be off before a pixel counts as different: JPEG within Tight is allowed to be
/// this inexact, another picture is not.
const TOLERANCE: u8 = 48;

/// A picture of 8-bit red, green and blue.
#[derive(Clone, PartialEq)]
pub(crate) struct Picture {
    /// Pixels in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    rgb: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG file.
    pub(crate) fn png(path: &Path) -> Outcome<Self> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::decode_png(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn decode_png(bytes: &[u8]) -> Outcome<Self> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
        let size = reader.output_buffer_size().ok_or("too large")?;
        let mut data = vec![0; size];
        let frame = reader.next_frame(&mut data).map_err(|error| error.to_string())?;
        let samples = frame.color_type.samples();
        if samples < 3 {
            return Err("a grey picture is no screenshot".into());
        }
        let rgb = data.chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Ok(Self { width: frame.width as usize, height: frame.height as usize, rgb })
    }

    /// Reads the output of `xwd`, version 7, of a 24-bit display.
    pub(crate) fn xwd(bytes: &[u8]) -> Outcome<Self> {
        let field = |index: usize| -> Outcome<usize> {
            let word = bytes.get(index * 4..index * 4 + 4).ok_or("xwd: the header is cut off")?;
            Ok(u32::from_be_bytes([word[0], word[1], word[2], word[3]]) as usize)
        };
        let (header, width, height) = (field(0)?, field(4)?, field(5)?);
        let (lsb_first, bits, stride, colours) = (field(7)? == 0, field(11)?, field(12)?, field(19)?);
        // 24 is what `xwd` makes of a screen with windows of several depths.
        if !matches!(bits, 24 | 32) || field(14)? != 0xff_0000 {
            return Err(format!("xwd: {bits} bits per pixel in an order nobody expected"));
        }
        let data = bytes.get(header + colours * 12..).ok_or("xwd: there are no pixels")?;
        let mut rgb = Vec::with_capacity(width * height);
        for row in data.chunks_exact(stride).take(height) {
            for pixel in row.chunks_exact(bits / 8).take(width) {
                let end = pixel.len();
                rgb.push(if lsb_first {
                    [pixel[2], pixel[1], pixel[0]]
                } else {
                    [pixel[end - 3], pixel[end - 2], pixel[end - 1]]
                });
            }
        }
        if rgb.len() != width * height {
            return Err("xwd: the picture is cut off".into());
        }
        Ok(Self { width, height, rgb })
    }

    /// A picture of pixels that are `0x00RRGGBB`, row by row.
    pub(crate) fn from_pixels(width: usize, pixels: impl Iterator<Item = u32>) -> Self {
        let rgb: Vec<[u8; 3]> =
            pixels.map(|pixel| pixel.to_be_bytes()).map(|[_, r, g, b]| [r, g, b]).collect();
        Self { width, height: rgb.len() / width.max(1), rgb }
    }

    /// Writes a PNG file, for people to look at.
    pub(crate) fn save(&self, path: &Path) -> Outcome {
        let file = fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(self.rgb.as_flattened()))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// How many percent of the pixels differ; all of them when the sizes do.
    pub(crate) fn difference(&self, other: &Self) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 100.0;
        }
        let count = self.rgb.iter().zip(&other.rgb).filter(|(a, b)| far(a, b)).count();
        100.0 * count as f64 / self.rgb.len().max(1) as f64
    }

    /// How many percent of the pixels have about this colour.
    pub(crate) fn share(&self, colour: [u8; 3]) -> f64 {
        let near = |pixel: &&[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= TOLERANCE);
        100.0 * self.rgb.iter().filter(near).count() as f64 / self.rgb.len().max(1) as f64
    }

    /// How many percent of the pixels differ where this picture shows `other` best: clients put frames
    /// and toolbars around the desktop.
    pub(crate) fn difference_within(&self, other: &Self) -> f64 {
        if self.width < other.width || self.height < other.height {
            return 100.0;
        }
        let mut best = (usize::MAX, 0, 0);
        for top in 0..=self.height - other.height {
            for left in 0..=self.width - other.width {
                let wrong = self.sampled_difference(other, left, top, best.0);
                best = best.min((wrong, left, top));
            }
        }
        self.crop(best.1, best.2, other.width, other.height).difference(other)
    }

    /// How many of some thousand pixels differ at an offset; stops counting above `enough`.
    fn sampled_difference(&self, other: &Self, left: usize, top: usize, enough: usize) -> usize {
        let mut wrong = 0;
        for y in (0..other.height).step_by(13) {
            for x in (0..other.width).step_by(17) {
                if far(&self.rgb[(top + y) * self.width + left + x], &other.rgb[y * other.width + x]) {
                    wrong += 1;
                }
            }
            if wrong > enough {
                break;
            }
        }
        wrong
    }

    fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = self.rgb.chunks_exact(self.width).skip(top).take(height);
        Self { width, height, rgb: rows.flat_map(|row| row[left..left + width].to_vec()).collect() }
    }
}

fn far(a: &[u8; 3], b: &[u8; 3]) -> bool {
    a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > TOLERANCE)
}
