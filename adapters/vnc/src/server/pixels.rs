//! Translation of our pixels into a viewer's pixel format.

use passerelle_rfb::PixelFormat;

/// Turns `0x00RRGGBB` into what a viewer's pixel format makes of it.
pub(super) struct Translator {
    red: [u32; 256],
    green: [u32; 256],
    blue: [u32; 256],
    pixel_len: usize,
    big_endian: bool,
    /// The bytes of a pixel that a compact one keeps (RFC 6143, section 7.7.5).
    compact: std::ops::Range<usize>,
}

impl Translator {
    /// `None` for a format with a colour map, which is not served.
    pub(super) fn new(format: &PixelFormat) -> Option<Self> {
        format.true_colour.then(|| Self::for_true_colour(format))
    }

    /// For [`PixelFormat::BGRX`].
    pub(super) fn bgrx() -> Self {
        Self::for_true_colour(&PixelFormat::BGRX)
    }

    fn for_true_colour(format: &PixelFormat) -> Self {
        let pixel_len = format.bytes_per_pixel();
        let red = intensities(format.red_max, format.red_shift);
        let green = intensities(format.green_max, format.green_shift);
        let blue = intensities(format.blue_max, format.blue_shift);
        let compact = if format.cpixel_len() == pixel_len {
            0..pixel_len
        } else {
            // One byte of four is unused: the most significant one, if that is possible.
            let in_low_bytes = (red[255] | green[255] | blue[255]) & 0xff00_0000 == 0;
            if in_low_bytes == format.big_endian { 1..4 } else { 0..3 }
        };
        Self { red, green, blue, pixel_len, big_endian: format.big_endian, compact }
    }

    /// The value of a pixel in the viewer's format.
    pub(super) fn value(&self, pixel: u32) -> u32 {
        let [_, red, green, blue] = pixel.to_be_bytes();
        self.red[usize::from(red)] | self.green[usize::from(green)] | self.blue[usize::from(blue)]
    }

    /// Appends a value as a whole pixel.
    pub(super) fn push(&self, value: u32, out: &mut Vec<u8>) {
        let bytes = self.bytes(value);
        out.extend(bytes.iter().take(self.pixel_len));
    }

    /// Appends a value as a compact pixel.
    pub(super) fn push_compact(&self, value: u32, out: &mut Vec<u8>) {
        let bytes = self.bytes(value);
        out.extend(bytes.get(self.compact.clone()).unwrap_or_default());
    }

    /// Bytes of a whole pixel.
    pub(super) fn pixel_len(&self) -> usize {
        self.pixel_len
    }

    /// Bytes of a compact pixel.
    pub(super) fn compact_len(&self) -> usize {
        self.compact.len()
    }

    /// The value's bytes in the viewer's order, the first [`Self::pixel_len`] of them.
    fn bytes(&self, value: u32) -> [u8; 4] {
        let shift = 32 - 8 * u32::try_from(self.pixel_len).unwrap_or(4);
        if self.big_endian { (value << shift).to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// For each 8-bit intensity the nearest one of `0..=max`, at its place.
fn intensities(max: u16, shift: u8) -> [u32; 256] {
    let mut table = [0; 256];
    for (intensity, entry) in (0_u32..).zip(&mut table) {
        *entry = ((intensity * u32::from(max) + 127) / 255).checked_shl(shift.into()).unwrap_or(0);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_table() {
        let rgb565 = PixelFormat {
            bits_per_pixel: 16,
            depth: 16,
            red_max: 31,
            green_max: 63,
            blue_max: 31,
            red_shift: 11,
            green_shift: 5,
            blue_shift: 0,
            ..PixelFormat::BGRX
        };
        let bgr233 = PixelFormat {
            bits_per_pixel: 8,
            depth: 8,
            red_max: 7,
            green_max: 7,
            blue_max: 3,
            red_shift: 0,
            green_shift: 3,
            blue_shift: 6,
            ..PixelFormat::BGRX
        };
        let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..PixelFormat::BGRX };
        let ten_bit = PixelFormat {
            depth: 30,
            red_max: 1023,
            green_max: 1023,
            blue_max: 1023,
            red_shift: 20,
            green_shift: 10,
            ..PixelFormat::BGRX
        };
        let big = |format: PixelFormat| PixelFormat { big_endian: true, ..format };
        let pixel = 0x00ff_8001;
        let table: &[(PixelFormat, &[u8], &[u8])] = &[
            (PixelFormat::BGRX, &[0x01, 0x80, 0xff, 0], &[0x01, 0x80, 0xff]),
            (big(PixelFormat::BGRX), &[0, 0xff, 0x80, 0x01], &[0xff, 0x80, 0x01]),
            (high, &[0, 0x01, 0x80, 0xff], &[0x01, 0x80, 0xff]),
            (big(high), &[0xff, 0x80, 0x01, 0], &[0xff, 0x80, 0x01]),
            // 0x80 is 128 of 255, 31.6 of 63.
            (rgb565, &[0x00, 0xfc], &[0x00, 0xfc]),
            (big(rgb565), &[0xfc, 0x00], &[0xfc, 0x00]),
            // 128 of 255 is 3.5 of 7, rounded up.
            (bgr233, &[0b00_100_111], &[0b00_100_111]),
            (big(bgr233), &[0b00_100_111], &[0b00_100_111]),
            // 1023, 514 and 4.
            (ten_bit, &0x3ff8_0804_u32.to_le_bytes(), &0x3ff8_0804_u32.to_le_bytes()),
        ];
        for (format, whole, compact) in table {
            let translator = Translator::new(format).unwrap();
            let value = translator.value(pixel);
            let (mut pixel_bytes, mut compact_bytes) = (Vec::new(), Vec::new());
            translator.push(value, &mut pixel_bytes);
            translator.push_compact(value, &mut compact_bytes);
            assert_eq!(pixel_bytes, *whole, "{format:?}");
            assert_eq!(compact_bytes, *compact, "{format:?}");
            assert_eq!(translator.pixel_len(), format.bytes_per_pixel());
            assert_eq!(translator.compact_len(), format.cpixel_len());
        }
    }

    #[test]
    fn colour_maps_are_not_served() {
        assert!(Translator::new(&PixelFormat { true_colour: false, ..PixelFormat::BGRX }).is_none());
    }
}
