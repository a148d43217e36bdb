//! Tight and TightPNG (community specification, Tight encoding).

use std::io::Cursor;

use passerelle_desktop::{Rect, Size};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::inflate::Source as _;
use super::part::Part;
use super::pixels::Pixels;
use super::rectangle::Drawing;
use super::rows::{self, Memory, Rows};
use super::surface::Surface;

/// Below this size, filtered pixels are sent as they are.
const LEAST_COMPRESSED: usize = 12;

/// What was done to pixels before they were compressed.
enum Filter {
    Copy,
    Palette(Vec<u32>),
    Gradient,
}

pub(super) fn draw(drawing: &mut Drawing<'_>, area: Rect, body: &[u8]) -> Result<(), Part> {
    let mut rest = body;
    let control = rest.byte()?;
    for (index, stream) in drawing.streams.tight.iter_mut().enumerate() {
        if control >> index & 1 == 1 {
            stream.reset();
        }
    }
    let layout = &drawing.pixels.tight;
    match control >> 4 {
        0b1000 => {
            drawing.surface.fill(area, layout.colour(rest.take(layout.len())?));
            Ok(())
        }
        0b1001 => photo(drawing, area, behind_length(rest)?, jpeg),
        0b1010 => photo(drawing, area, behind_length(rest)?, png),
        kind => {
            let filter =
                if kind & 0b0100 == 0 { Filter::Copy } else { Filter::read(&mut rest, drawing.pixels)? };
            let row = match &filter {
                Filter::Palette(palette) if palette.len() == 2 => usize::from(area.width).div_ceil(8),
                Filter::Palette(_) => area.width.into(),
                Filter::Copy | Filter::Gradient => usize::from(area.width) * layout.len(),
            };
            let Drawing { surface, pixels, streams, memory, .. } = drawing;
            if row * usize::from(area.height) < LEAST_COMPRESSED {
                return filter.draw(*surface, area, row, pixels, memory, &mut rest);
            }
            let stream = streams.tight.get_mut(usize::from(kind & 0b0011)).ok_or(Part::Undecodable)?;
            let compressed = behind_length(rest)?;
            stream.read(compressed, |inflated| filter.draw(*surface, area, row, pixels, memory, inflated))
        }
    }
}

/// What follows a compact length, which the framer has made sure of: one to three bytes, of which all but the third
/// say whether another one follows.
fn behind_length(bytes: &[u8]) -> Result<&[u8], Part> {
    let more = bytes.iter().take(2).take_while(|byte| **byte & 0x80 != 0).count();
    bytes.get(more + 1..).ok_or(Part::Undecodable)
}

impl Filter {
    fn read(rest: &mut &[u8], pixels: &Pixels) -> Result<Self, Part> {
        Ok(match rest.byte()? {
            0 => Self::Copy,
            1 => {
                let colours = usize::from(rest.byte()?) + 1;
                let mut palette = Vec::with_capacity(colours);
                pixels.tight.extend(rest.take(colours * pixels.tight.len())?, &mut palette);
                Self::Palette(palette)
            }
            2 => Self::Gradient,
            _ => return Err(Part::Undecodable),
        })
    }

    /// Draws rows of `row` bytes.
    fn draw(
        &self,
        surface: &mut dyn Surface,
        area: Rect,
        row: usize,
        pixels: &Pixels,
        memory: &mut Memory,
        rows: &mut impl Rows,
    ) -> Result<(), Part> {
        match self {
            Self::Copy => rows::draw(surface, area, &pixels.tight, memory, rows),
            Self::Palette(palette) => match palette[..] {
                [first, second] => rows::bands(surface, area, row, memory, rows, |bytes, colours| {
                    let width = usize::from(area.width);
                    for row in bytes.chunks_exact(row) {
                        let bits = row.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
                        colours.extend(bits.take(width).map(|bit| if bit == 0 { first } else { second }));
                    }
                    Ok(())
                }),
                _ => rows::bands(surface, area, row, memory, rows, |bytes, colours| {
                    let last = bytes.iter().max().copied().unwrap_or_default();
                    let palette = palette.get(..=usize::from(last)).ok_or(Part::Undecodable)?;
                    colours.extend(bytes.iter().filter_map(|index| palette.get(usize::from(*index))));
                    Ok(())
                }),
            },
            Self::Gradient => {
                let mut above = vec![[0; 3]; area.width.into()];
                rows::bands(surface, area, row, memory, rows, |bytes, colours| {
                    for row in bytes.chunks_exact(row) {
                        gradient(row, pixels, &mut above, colours);
                    }
                    Ok(())
                })
            }
        }
    }
}

/// Undoes the gradient filter for one row: each value of a pixel was predicted from its neighbours to the left, above,
/// and above to the left, and what is sent is by how much the prediction was wrong. `above` becomes this row.
fn gradient(row: &[u8], pixels: &Pixels, above: &mut [[u16; 3]], colours: &mut Vec<u32>) {
    let largest = pixels.largest();
    let (mut left, mut above_left) = ([0; 3], [0; 3]);
    for (bytes, above) in row.chunks_exact(pixels.tight.len()).zip(above) {
        let mut values = pixels.values(bytes);
        for (((value, left), (above, above_left)), max) in
            values.iter_mut().zip(left).zip(above.iter().zip(above_left)).zip(largest)
        {
            let guess = i32::from(left) + i32::from(*above) - i32::from(above_left);
            let guess = u16::try_from(guess.clamp(0, max.into())).unwrap_or_default();
            *value = value.wrapping_add(guess) & max;
        }
        colours.push(pixels.joined(values));
        above_left = std::mem::replace(above, values);
        left = values;
    }
}

/// Draws a picture that a library decodes.
fn photo(
    drawing: &mut Drawing<'_>,
    area: Rect,
    bytes: &[u8],
    decode: fn(&[u8], Size, &mut Vec<u32>) -> Option<()>,
) -> Result<(), Part> {
    let Drawing { surface, memory, tally, .. } = drawing;
    let size = Size { width: area.width, height: area.height };
    memory.colours.clear();
    let decoded = tally.contain(|| decode(bytes, size, &mut memory.colours)).flatten();
    decoded.ok_or(Part::Undecodable)?;
    surface.blit(area, &memory.colours);
    Ok(())
}

/// The pixels of a JPEG image of this size.
fn jpeg(bytes: &[u8], size: Size, colours: &mut Vec<u32>) -> Option<()> {
    let options = DecoderOptions::default()
        .set_max_width(size.width.into())
        .set_max_height(size.height.into())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    if decoder.dimensions()? != (size.width.into(), size.height.into()) {
        return None;
    }
    let pixels = decoder.decode().ok()?;
    colours.extend(pixels.as_chunks().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])));
    Some(())
}

/// The pixels of a PNG image of this size.
fn png(bytes: &[u8], size: Size, colours: &mut Vec<u32>) -> Option<()> {
    // Four samples of two bytes for each pixel, and the rows' filters.
    let limits = png::Limits { bytes: 8 * size.pixels() + (1 << 20) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    if (reader.info().width, reader.info().height) != (size.width.into(), size.height.into()) {
        return None;
    }
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut pixels).ok()?;
    let grey = |value: u8| u32::from_be_bytes([0, value, value, value]);
    match frame.color_type {
        png::ColorType::Rgb => {
            colours.extend(pixels.as_chunks().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])));
        }
        png::ColorType::Rgba => {
            colours
                .extend(pixels.as_chunks().0.iter().map(|[r, g, b, _]| u32::from_be_bytes([0, *r, *g, *b])));
        }
        png::ColorType::Grayscale => colours.extend(pixels.iter().map(|value| grey(*value))),
        png::ColorType::GrayscaleAlpha => {
            colours.extend(pixels.as_chunks().0.iter().map(|[value, _]| grey(*value)));
        }
        png::ColorType::Indexed => return None,
    }
    Some(())
}
