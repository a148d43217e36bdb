//! From pixels on the wire to colours.

use std::sync::Arc;

use passerelle_rfb::PixelFormat;

/// The three forms in which encodings send the pixels of one format.
#[derive(Clone)]
pub(super) struct Pixels {
    /// `PIXEL`: as the format says.
    pub(super) whole: Layout,
    /// `CPIXEL` of TRLE and ZRLE: without a byte that holds no colour.
    pub(super) compact: Layout,
    /// `TPIXEL` of Tight: red, green and blue where they have a byte each.
    pub(super) tight: Layout,
    /// Where `tight` has the three colours.
    channels: [Channel; 3],
}

/// How the bytes of a pixel become a colour, `0x00RRGGBB`, or in case of [`Pixels::rgba`] `0xAARRGGBB`.
#[derive(Clone)]
pub(super) struct Layout {
    len: usize,
    big_endian: bool,
    colours: Colours,
}

#[derive(Clone)]
enum Colours {
    /// Each colour is a byte at this shift.
    Bytes([u8; 3]),
    /// The number of the pixel in a table: a pixel of 8 or 16 bits, or an index into the colour map.
    Table(Arc<[u32]>),
    /// Each colour is so many values at this shift, in 32 bits.
    Scaled([Channel; 3]),
    /// The bytes are red, green, blue and alpha, multiplied by alpha.
    Alpha,
}

/// One colour of a pixel.
#[derive(Clone, Copy)]
struct Channel {
    max: u16,
    shift: u8,
}

impl Channel {
    fn value(self, pixel: u32) -> u16 {
        // What is masked has 16 bits.
        (pixel.checked_shr(self.shift.into()).unwrap_or_default() & u32::from(self.max)) as u16
    }

    /// The value as one of 256.
    fn scaled(self, value: u16) -> u8 {
        let (value, max) = (u32::from(value), u32::from(self.max).max(1));
        u8::try_from((value * 255 + max / 2) / max).unwrap_or(u8::MAX)
    }
}

fn channels(format: &PixelFormat) -> [Channel; 3] {
    [
        Channel { max: format.red_max, shift: format.red_shift },
        Channel { max: format.green_max, shift: format.green_shift },
        Channel { max: format.blue_max, shift: format.blue_shift },
    ]
}

fn joined(channels: [Channel; 3], values: [u16; 3]) -> u32 {
    let [red, green, blue] = channels;
    let [r, g, b] = values;
    u32::from_be_bytes([0, red.scaled(r), green.scaled(g), blue.scaled(b)])
}

impl Pixels {
    /// The pixels of `format`; `map` has the colours of those that are indices.
    pub(super) fn new(format: &PixelFormat, map: &ColourMap) -> Self {
        let big_endian = format.big_endian;
        let layout = |len, colours: &Colours| Layout { len, big_endian, colours: colours.clone() };
        let channels = channels(format);
        let byte_colours = format.true_colour && channels.iter().all(|channel| channel.max == 255);
        if format.bits_per_pixel < 32 || !format.true_colour {
            let table = if format.true_colour {
                let count = 1u32 << format.bits_per_pixel;
                (0..count)
                    .map(|pixel| joined(channels, channels.map(|channel| channel.value(pixel))))
                    .collect()
            } else {
                map.table(format.bits_per_pixel)
            };
            let whole = layout(format.bytes_per_pixel(), &Colours::Table(table));
            return Self { compact: whole.clone(), tight: whole.clone(), whole, channels };
        }
        let colours = |less: u8| {
            let channels =
                channels.map(|channel| Channel { shift: channel.shift.saturating_sub(less), ..channel });
            if byte_colours {
                Colours::Bytes(channels.map(|channel| channel.shift))
            } else {
                Colours::Scaled(channels)
            }
        };
        let whole = layout(4, &colours(0));
        let compact = match format.cpixel_len() {
            3 => {
                // A compact pixel is the three bytes of a pixel that hold its colours. Where both ends have none, the
                // first three bytes are sent.
                let used = channels.iter().fold(0u32, |used, channel| {
                    used | u32::from(channel.max).checked_shl(channel.shift.into()).unwrap_or_default()
                });
                let upper = if big_endian { used & 0xff == 0 } else { used & 0xff00_0000 != 0 };
                layout(3, &colours(if upper { 8 } else { 0 }))
            }
            _ => whole.clone(),
        };
        if format.tpixel_len() == 3 {
            let shifts = [16, 8, 0];
            let tight = Layout { len: 3, big_endian: true, colours: Colours::Bytes(shifts) };
            return Self { whole, compact, tight, channels: shifts.map(|shift| Channel { max: 255, shift }) };
        }
        Self { compact, tight: whole.clone(), whole, channels }
    }

    /// The pixels of a cursor with an alpha channel.
    pub(super) fn rgba() -> Self {
        let layout = Layout { len: 4, big_endian: true, colours: Colours::Alpha };
        Self {
            channels: channels(&PixelFormat::BGRX),
            whole: layout.clone(),
            compact: layout.clone(),
            tight: layout,
        }
    }
}

impl Layout {
    /// Bytes that a pixel takes: 1 to 4.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The pixel that `bytes`, of which there are [`len`](Self::len), hold, as a number.
    fn number(&self, bytes: &[u8]) -> u32 {
        match (bytes, self.big_endian) {
            ([a], _) => u32::from(*a),
            ([a, b], true) => u16::from_be_bytes([*a, *b]).into(),
            ([a, b], false) => u16::from_le_bytes([*a, *b]).into(),
            ([a, b, c], true) => u32::from_be_bytes([0, *a, *b, *c]),
            ([a, b, c], false) => u32::from_le_bytes([*a, *b, *c, 0]),
            ([a, b, c, d], true) => u32::from_be_bytes([*a, *b, *c, *d]),
            ([a, b, c, d], false) => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => 0,
        }
    }

    /// The colour of one pixel.
    pub(super) fn colour(&self, bytes: &[u8]) -> u32 {
        self.colours.of(self.number(bytes))
    }

    /// Appends the colours of all pixels in `bytes`.
    pub(super) fn extend(&self, bytes: &[u8], colours: &mut Vec<u32>) {
        // The loops over common layouts have nothing in them to decide.
        match (&self.colours, self.len, self.big_endian) {
            (Colours::Bytes([16, 8, 0]), 4, false) => {
                colours
                    .extend(bytes.as_chunks().0.iter().map(|pixel| u32::from_le_bytes(*pixel) & 0x00ff_ffff));
            }
            (Colours::Bytes([16, 8, 0]), 3, false) => {
                colours
                    .extend(bytes.as_chunks().0.iter().map(|[b, g, r]| u32::from_le_bytes([*b, *g, *r, 0])));
            }
            (Colours::Bytes([16, 8, 0]), 3, true) => {
                colours
                    .extend(bytes.as_chunks().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])));
            }
            (Colours::Table(table), 1, _) => {
                colours.extend(
                    bytes.iter().map(|index| table.get(usize::from(*index)).copied().unwrap_or_default()),
                );
            }
            (Colours::Table(table), 2, false) => {
                let index = |pixel: &[u8; 2]| usize::from(u16::from_le_bytes(*pixel));
                let pixels = bytes.as_chunks().0.iter();
                colours.extend(pixels.map(|pixel| table.get(index(pixel)).copied().unwrap_or_default()));
            }
            _ => colours.extend(bytes.chunks_exact(self.len).map(|pixel| self.colour(pixel))),
        }
    }
}

/// The values of the three colours of a `TPIXEL`, which the gradient filter of Tight predicts one by one.
impl Pixels {
    pub(super) fn values(&self, tight: &[u8]) -> [u16; 3] {
        let pixel = self.tight.number(tight);
        self.channels.map(|channel| channel.value(pixel))
    }

    pub(super) fn largest(&self) -> [u16; 3] {
        self.channels.map(|channel| channel.max)
    }

    pub(super) fn joined(&self, values: [u16; 3]) -> u32 {
        joined(self.channels, values)
    }
}

impl Colours {
    fn of(&self, pixel: u32) -> u32 {
        match self {
            Self::Bytes(shifts) => {
                // What is kept of a shifted pixel is one byte.
                let [r, g, b] = shifts.map(|shift| pixel.checked_shr(shift.into()).unwrap_or_default() as u8);
                u32::from_be_bytes([0, r, g, b])
            }
            Self::Table(table) => table.get(pixel as usize).copied().unwrap_or_default(),
            Self::Scaled(channels) => joined(*channels, channels.map(|channel| channel.value(pixel))),
            Self::Alpha => {
                let [r, g, b, alpha] = pixel.to_be_bytes();
                let plain = |colour: u8| match alpha {
                    0 => 0,
                    _ => {
                        let (colour, alpha) = (u32::from(colour), u32::from(alpha));
                        u8::try_from((colour * 255 + alpha / 2) / alpha).unwrap_or(u8::MAX)
                    }
                };
                u32::from_be_bytes([alpha, plain(r), plain(g), plain(b)])
            }
        }
    }
}

/// The colours of pixels that are indices; black where the target set none. A change holds for what is drawn later:
/// what is on the screen keeps its colours.
pub(super) struct ColourMap(Vec<u32>);

impl ColourMap {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes over the entries of a SetColourMapEntries message (RFC 6143, section 7.6.2) of which `message` is all.
    pub(super) fn set(&mut self, message: &[u8]) {
        let Some(([_, _, high, low, _, _], entries)) = message.split_first_chunk() else { return };
        let first = usize::from(u16::from_be_bytes([*high, *low]));
        let entries = entries.as_chunks::<6>().0;
        let end = (first + entries.len()).min(1 << 16);
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        let known = self.0.get_mut(first..).unwrap_or_default();
        for (colour, [r, _, g, _, b, _]) in known.iter_mut().zip(entries) {
            *colour = u32::from_be_bytes([0, *r, *g, *b]);
        }
    }

    fn table(&self, bits_per_pixel: u8) -> Arc<[u32]> {
        let most = 1usize << bits_per_pixel.min(16);
        self.0.iter().copied().take(most).collect()
    }
}

#[cfg(test)]
mod tests {
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

    /// A pixel with these values of its colours, in each of its three forms.
    fn forms(format: PixelFormat, values: [u32; 3]) -> [Vec<u8>; 3] {
        let [r, g, b] = values;
        let number = r << format.red_shift | g << format.green_shift | b << format.blue_shift;
        let all = if format.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
        let len = format.bytes_per_pixel();
        let whole = if format.big_endian { all[4 - len..].to_vec() } else { all[..len].to_vec() };
        let compact = match format.cpixel_len() {
            3 if all[3] == 0 => all[..3].to_vec(),
            3 => all[1..].to_vec(),
            _ => whole.clone(),
        };
        let tight = if format.tpixel_len() == 3 { values.map(|v| v as u8).to_vec() } else { whole.clone() };
        [whole, compact, tight]
    }

    #[test]
    fn every_form_of_every_format_has_its_colour() {
        let rgb332 = PixelFormat {
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
        let rgbx = PixelFormat { red_shift: 0, green_shift: 8, blue_shift: 16, ..BGRX };
        // Six bits each, which leave a byte free in a pixel of 32 bits.
        let six = PixelFormat {
            depth: 18,
            red_max: 63,
            green_max: 63,
            blue_max: 63,
            red_shift: 12,
            green_shift: 6,
            ..BGRX
        };
        let deep = PixelFormat { depth: 32, ..BGRX };
        for (format, values, colour) in [
            (BGRX, [0x12, 0x34, 0x56], 0x12_3456),
            (rgbx, [0x12, 0x34, 0x56], 0x12_3456),
            (high, [0x12, 0x34, 0x56], 0x12_3456),
            (deep, [0x12, 0x34, 0x56], 0x12_3456),
            (RGB565, [31, 0, 31], 0xff_00ff),
            (RGB565, [16, 32, 1], 0x84_8208),
            (rgb332, [7, 2, 3], 0xff_49ff),
            (ten, [1023, 512, 4], 0xff_8001),
            (six, [63, 0, 21], 0xff_0055),
        ] {
            for big_endian in [false, true] {
                let format = PixelFormat { big_endian, ..format };
                let pixels = Pixels::new(&format, &ColourMap::new());
                let layouts = [&pixels.whole, &pixels.compact, &pixels.tight];
                for (layout, bytes) in layouts.into_iter().zip(forms(format, values)) {
                    assert_eq!(layout.len(), bytes.len(), "{format:?}");
                    assert_eq!(layout.colour(&bytes), colour, "{bytes:x?} of {format:?}");
                    let mut both = Vec::new();
                    layout.extend(&bytes.repeat(2), &mut both);
                    assert_eq!(both, [colour; 2], "{bytes:x?} of {format:?}");
                }
            }
        }
    }

    #[test]
    fn indices_have_the_colours_of_the_map() {
        let mut map = ColourMap::new();
        map.set(&[1, 0, 0, 3, 0, 2, 0x11, 0xff, 0x22, 0xff, 0x33, 0xff, 0x44, 0, 0x55, 0, 0x66, 0]);
        // Beyond the last index, and cut off.
        map.set(&[1, 0, 0xff, 0xff, 0, 2, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
        map.set(&[1, 0, 0]);
        for bits_per_pixel in [8u8, 16, 32] {
            let format =
                PixelFormat { bits_per_pixel, depth: 8, true_colour: false, big_endian: true, ..BGRX };
            let pixels = Pixels::new(&format, &map);
            let pixel = |index: u32| index.to_be_bytes()[4 - format.bytes_per_pixel()..].to_vec();
            let colours = [3, 4, 5].map(|index| pixels.whole.colour(&pixel(index)));
            assert_eq!(colours, [0x11_2233, 0x44_5566, 0]);
            let last = pixels.whole.colour(&pixel(0xffff));
            assert_eq!(last, if bits_per_pixel == 8 { 0 } else { 0x01_0203 });
        }
    }

    #[test]
    fn alpha_is_taken_out_of_the_colours() {
        let layout = Pixels::rgba().whole;
        for (bytes, colour) in [
            ([0x40, 0x20, 0, 0x80], 0x8080_4000),
            ([9, 9, 9, 0], 0),
            ([1, 2, 3, 255], 0xff01_0203),
            ([200, 0, 0, 100], 0x64ff_0000),
        ] {
            assert_eq!(layout.colour(&bytes), colour);
        }
    }
}
