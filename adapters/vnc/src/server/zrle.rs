//! The ZRLE encoding (RFC 6143, section 7.7.6).

use flate2::{Compress, Compression, FlushCompress, Status};
use passerelle_desktop::{Framebuffer, Rect};

use super::pixels::Translator;

const TILE: u16 = 64;
/// The largest palette that can be run-length encoded.
const LARGEST_PALETTE: usize = 127;
/// The largest palette whose indices can be packed.
const LARGEST_PACKED: usize = 16;

/// A ZRLE encoder with the zlib stream that lasts as long as its connection.
pub(super) struct Zrle {
    stream: Compress,
    tiles: Vec<u8>,
}

impl Zrle {
    pub(super) fn new() -> Self {
        Self { stream: Compress::new(Compression::fast(), true), tiles: Vec::new() }
    }

    /// Appends the content of `area`, which lies within the framebuffer: length, then zlib data.
    pub(super) fn encode(
        &mut self,
        framebuffer: &Framebuffer,
        area: Rect,
        translator: &Translator,
        out: &mut Vec<u8>,
    ) {
        let length_at = out.len();
        out.extend([0; 4]);
        let mut tile = Tile::default();
        for y in (0..area.height).step_by(TILE.into()) {
            for x in (0..area.width).step_by(TILE.into()) {
                let part = Rect {
                    x: area.x + x,
                    y: area.y + y,
                    width: TILE.min(area.width - x),
                    height: TILE.min(area.height - y),
                };
                tile.load(framebuffer, part, translator);
                tile.encode(translator, &mut self.tiles);
            }
            // A row of tiles at a time, so that no copy of the whole area is held.
            self.deflate(FlushCompress::None, out);
        }
        self.deflate(FlushCompress::Sync, out);
        let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn deflate(&mut self, flush: FlushCompress, out: &mut Vec<u8>) {
        let mut rest = self.tiles.as_slice();
        loop {
            out.reserve(rest.len() / 2 + 1024);
            let before = self.stream.total_in();
            let status = self.stream.compress_vec(rest, out, flush);
            let taken = usize::try_from(self.stream.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // Output is complete once the stream leaves room that it was given.
            if rest.is_empty() && out.len() < out.capacity() || !matches!(status, Ok(Status::Ok)) {
                break;
            }
        }
        self.tiles.clear();
    }
}

/// One tile's pixels in the viewer's format, and what is to know about them.
#[derive(Default)]
struct Tile {
    width: usize,
    values: Vec<u32>,
    /// Every value with the number of times that it follows itself.
    runs: Vec<(u32, usize)>,
    /// The different values, unless there are too many for a palette.
    palette: Option<Vec<u32>>,
}

impl Tile {
    fn load(&mut self, framebuffer: &Framebuffer, area: Rect, translator: &Translator) {
        self.width = area.width.into();
        self.values.clear();
        self.runs.clear();
        for pixel in framebuffer.rows(area).flatten() {
            let value = translator.value(*pixel);
            self.values.push(value);
            match self.runs.last_mut() {
                Some((last, length)) if *last == value => *length += 1,
                _ => self.runs.push((value, 1)),
            }
        }
        let mut palette = Vec::new();
        for (value, _) in &self.runs {
            if !palette.contains(value) {
                palette.push(*value);
                if palette.len() > LARGEST_PALETTE {
                    break;
                }
            }
        }
        self.palette = (palette.len() <= LARGEST_PALETTE).then_some(palette);
    }

    /// Appends the tile in the form that takes the fewest bytes before compression.
    fn encode(&self, translator: &Translator, out: &mut Vec<u8>) {
        let pixel = translator.compact_len();
        let raw = self.values.len() * pixel;
        let plain_runs: usize = self.runs.iter().map(|(_, length)| pixel + length_bytes(*length)).sum();

        let Some(palette) = &self.palette else {
            return if plain_runs < raw {
                self.plain_rle(translator, out)
            } else {
                self.raw(translator, out)
            };
        };
        if let [only] = palette.as_slice() {
            out.push(1);
            translator.push_compact(*only, out);
            return;
        }
        let colours = palette.len() * pixel;
        let indexed_runs: usize = colours
            + self
                .runs
                .iter()
                .map(|(_, length)| if *length == 1 { 1 } else { 1 + length_bytes(*length) })
                .sum::<usize>();
        let packed = (palette.len() <= LARGEST_PACKED).then(|| {
            let row = (self.width * index_bits(palette.len())).div_ceil(8);
            colours + row * self.values.len() / self.width.max(1)
        });
        let least = raw.min(plain_runs).min(indexed_runs);
        if packed.is_some_and(|packed| packed <= least) {
            self.packed(palette, translator, out);
        } else if indexed_runs == least {
            self.palette_rle(palette, translator, out);
        } else if plain_runs == least {
            self.plain_rle(translator, out);
        } else {
            self.raw(translator, out);
        }
    }

    fn raw(&self, translator: &Translator, out: &mut Vec<u8>) {
        out.push(0);
        for value in &self.values {
            translator.push_compact(*value, out);
        }
    }

    fn plain_rle(&self, translator: &Translator, out: &mut Vec<u8>) {
        out.push(128);
        for (value, length) in &self.runs {
            translator.push_compact(*value, out);
            push_length(*length, out);
        }
    }

    fn packed(&self, palette: &[u32], translator: &Translator, out: &mut Vec<u8>) {
        push_palette(palette, 0, translator, out);
        let bits = index_bits(palette.len());
        for row in self.values.chunks(self.width.max(1)) {
            for group in row.chunks(8 / bits) {
                let packed = group.iter().fold(0, |packed, value| packed << bits | index(palette, *value));
                // A last group that is not full leaves the low bits of its byte unused.
                let unused = 8 - bits * group.len();
                out.push(packed << unused);
            }
        }
    }

    fn palette_rle(&self, palette: &[u32], translator: &Translator, out: &mut Vec<u8>) {
        push_palette(palette, 128, translator, out);
        for (value, length) in &self.runs {
            if *length == 1 {
                out.push(index(palette, *value));
            } else {
                out.push(128 | index(palette, *value));
                push_length(*length, out);
            }
        }
    }
}

/// Appends the subencoding byte, `base` plus the palette's size, and the palette.
fn push_palette(palette: &[u32], base: u8, translator: &Translator, out: &mut Vec<u8>) {
    out.push(base + u8::try_from(palette.len()).unwrap_or(0));
    for value in palette {
        translator.push_compact(*value, out);
    }
}

/// The place of `value` in `palette`, which holds it.
fn index(palette: &[u32], value: u32) -> u8 {
    let place = palette.iter().position(|entry| *entry == value).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}

const fn index_bits(colours: usize) -> usize {
    match colours {
        0..=2 => 1,
        3..=4 => 2,
        _ => 4,
    }
}

/// Bytes that the length of a run takes.
const fn length_bytes(length: usize) -> usize {
    (length - 1) / 255 + 1
}

/// Appends a run's length: one less than it, as bytes to be added up, the last one less than 255.
fn push_length(length: usize, out: &mut Vec<u8>) {
    let rest = length - 1;
    out.extend(std::iter::repeat_n(255, rest / 255));
    out.push(u8::try_from(rest % 255).unwrap_or(0));
}
