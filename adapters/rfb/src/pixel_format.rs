//! How a pixel is laid out on the wire.

use crate::wire::Reader;

/// `PIXEL_FORMAT` (RFC 6143, section 7.4): how a pixel is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// Bits that a pixel takes on the wire: 8, 16 or 32.
    pub bits_per_pixel: u8,
    /// Useful bits in a pixel.
    pub depth: u8,
    /// Whether multi-byte pixels are sent with the most significant byte first.
    pub big_endian: bool,
    /// Whether a pixel is made of three intensities; otherwise it is an index into a colour map.
    pub true_colour: bool,
    /// Largest red value.
    pub red_max: u16,
    /// Largest green value.
    pub green_max: u16,
    /// Largest blue value.
    pub blue_max: u16,
    /// Right shift that brings red to the least significant bit.
    pub red_shift: u8,
    /// Right shift that brings green to the least significant bit.
    pub green_shift: u8,
    /// Right shift that brings blue to the least significant bit.
    pub blue_shift: u8,
}

/// A pixel format that no peer can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PixelFormatError {
    /// RFC 6143 knows 8, 16 and 32.
    #[error("the pixel format has {0} bits per pixel instead of 8, 16 or 32")]
    BitsPerPixel(u8),
    /// No useful bits, or more than a pixel has.
    #[error("the pixel format has depth {depth} with {bits_per_pixel} bits per pixel")]
    Depth {
        /// The announced depth.
        depth: u8,
        /// The announced size.
        bits_per_pixel: u8,
    },
    /// A colour has no values, or its bits lie outside the pixel.
    #[error("the pixel format puts a colour of maximum {max} at bit {shift} of {bits_per_pixel}")]
    Colour {
        /// The colour's largest value.
        max: u16,
        /// The colour's shift.
        shift: u8,
        /// The announced size.
        bits_per_pixel: u8,
    },
    /// 24-bit colour whose components straddle bytes: implementations disagree about the size of a
    /// compact pixel in it, so that Tight could not be framed.
    #[error("the pixel format has 8-bit colours that do not lie in whole bytes")]
    StraddlingColours,
}

impl PixelFormat {
    /// Bytes that a `PIXEL_FORMAT` takes on the wire.
    pub const LEN: usize = 16;

    /// 32 bits per pixel, 8 bits per colour, little-endian with blue first in memory: what most desktops use.
    pub const BGRX: Self = Self {
        bits_per_pixel: 32,
        depth: 24,
        big_endian: false,
        true_colour: true,
        red_max: 255,
        green_max: 255,
        blue_max: 255,
        red_shift: 16,
        green_shift: 8,
        blue_shift: 0,
    };

    /// The pixels of a CursorWithAlpha rectangle, for the purpose of their size.
    pub(crate) const RGBA: Self = Self { depth: 32, ..Self::BGRX };

    /// Parses the 16 bytes.
    ///
    /// # Errors
    /// The format makes no sense.
    pub fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, PixelFormatError> {
        let [
            bits_per_pixel,
            depth,
            big_endian,
            true_colour,
            r0,
            r1,
            g0,
            g1,
            b0,
            b1,
            red_shift,
            green_shift,
            blue_shift,
            _,
            _,
            _,
        ] = *bytes;
        let format = Self {
            bits_per_pixel,
            depth,
            big_endian: big_endian != 0,
            true_colour: true_colour != 0,
            red_max: u16::from_be_bytes([r0, r1]),
            green_max: u16::from_be_bytes([g0, g1]),
            blue_max: u16::from_be_bytes([b0, b1]),
            red_shift,
            green_shift,
            blue_shift,
        };
        format.check()?;
        Ok(format)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Result<Self, PixelFormatError>> {
        reader.array().map(|bytes| Self::parse(&bytes))
    }

    /// The 16 bytes that stand for this format.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [r0, r1] = self.red_max.to_be_bytes();
        let [g0, g1] = self.green_max.to_be_bytes();
        let [b0, b1] = self.blue_max.to_be_bytes();
        [
            self.bits_per_pixel,
            self.depth,
            u8::from(self.big_endian),
            u8::from(self.true_colour),
            r0,
            r1,
            g0,
            g1,
            b0,
            b1,
            self.red_shift,
            self.green_shift,
            self.blue_shift,
            0,
            0,
            0,
        ]
    }

    fn check(&self) -> Result<(), PixelFormatError> {
        let Self { bits_per_pixel, depth, .. } = *self;
        if !matches!(bits_per_pixel, 8 | 16 | 32) {
            return Err(PixelFormatError::BitsPerPixel(bits_per_pixel));
        }
        if depth == 0 || depth > bits_per_pixel {
            return Err(PixelFormatError::Depth { depth, bits_per_pixel });
        }
        if !self.true_colour {
            return Ok(());
        }
        for (max, shift) in self.colours() {
            let bits = u16::BITS - max.leading_zeros();
            if max == 0 || u32::from(shift) + bits > u32::from(bits_per_pixel) {
                return Err(PixelFormatError::Colour { max, shift, bits_per_pixel });
            }
        }
        if self.has_byte_colours() && self.colours().iter().any(|(_, shift)| shift % 8 != 0) {
            return Err(PixelFormatError::StraddlingColours);
        }
        Ok(())
    }

    /// Bytes per pixel: 1, 2 or 4.
    pub const fn bytes_per_pixel(&self) -> usize {
        self.bits_per_pixel as usize / 8
    }

    /// Bytes per `TPIXEL` of Tight: 3 for 24-bit colour, otherwise as in a full pixel.
    pub const fn tpixel_len(&self) -> usize {
        if self.has_byte_colours() { 3 } else { self.bytes_per_pixel() }
    }

    /// Bytes per `CPIXEL` of TRLE and ZRLE (RFC 6143, section 7.7.5): 3 when a 32-bit pixel has a byte
    /// without colour at either end, otherwise as in a full pixel.
    pub fn cpixel_len(&self) -> usize {
        if !(self.true_colour && self.bits_per_pixel == 32 && self.depth <= 24) {
            return self.bytes_per_pixel();
        }
        let used = self.colours().iter().fold(0u32, |used, (max, shift)| {
            used | u32::from(*max).checked_shl(u32::from(*shift)).unwrap_or(u32::MAX)
        });
        if used & 0xff00_0000 == 0 || used & 0xff == 0 { 3 } else { 4 }
    }

    const fn has_byte_colours(&self) -> bool {
        self.true_colour
            && self.bits_per_pixel == 32
            && self.depth == 24
            && self.red_max == 255
            && self.green_max == 255
            && self.blue_max == 255
    }

    const fn colours(&self) -> [(u16, u8); 3] {
        [(self.red_max, self.red_shift), (self.green_max, self.green_shift), (self.blue_max, self.blue_shift)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RGB565: PixelFormat = PixelFormat {
        bits_per_pixel: 16,
        depth: 16,
        red_max: 31,
        green_max: 63,
        blue_max: 31,
        red_shift: 11,
        green_shift: 5,
        ..PixelFormat::BGRX
    };
    const INDEXED: PixelFormat =
        PixelFormat { bits_per_pixel: 8, depth: 8, true_colour: false, ..PixelFormat::BGRX };

    #[test]
    fn formats_round_trip_and_know_their_sizes() {
        let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..PixelFormat::BGRX };
        let deep = PixelFormat { depth: 32, ..PixelFormat::BGRX };
        let ten_bit =
            PixelFormat { depth: 30, red_max: 1023, red_shift: 20, green_shift: 10, ..PixelFormat::BGRX };
        for (format, pixel, tpixel, cpixel) in [
            (PixelFormat::BGRX, 4, 3, 3),
            (high, 4, 3, 3),
            (deep, 4, 4, 4),
            (ten_bit, 4, 4, 4),
            (RGB565, 2, 2, 2),
            (INDEXED, 1, 1, 1),
        ] {
            assert_eq!(PixelFormat::parse(&format.encode()), Ok(format));
            let sizes = (format.bytes_per_pixel(), format.tpixel_len(), format.cpixel_len());
            assert_eq!(sizes, (pixel, tpixel, cpixel), "{format:?}");
        }
    }

    #[test]
    fn senseless_formats_are_refused() {
        use PixelFormatError as E;
        let base = PixelFormat::BGRX;
        for (format, error) in [
            (PixelFormat { bits_per_pixel: 0, ..base }, E::BitsPerPixel(0)),
            (PixelFormat { bits_per_pixel: 24, ..base }, E::BitsPerPixel(24)),
            (PixelFormat { depth: 0, ..base }, E::Depth { depth: 0, bits_per_pixel: 32 }),
            (PixelFormat { depth: 33, ..base }, E::Depth { depth: 33, bits_per_pixel: 32 }),
            (PixelFormat { red_max: 0, ..base }, E::Colour { max: 0, shift: 16, bits_per_pixel: 32 }),
            (PixelFormat { red_shift: 25, ..base }, E::Colour { max: 255, shift: 25, bits_per_pixel: 32 }),
            (PixelFormat { red_shift: 255, ..base }, E::Colour { max: 255, shift: 255, bits_per_pixel: 32 }),
            (PixelFormat { red_shift: 17, ..base }, E::StraddlingColours),
        ] {
            assert_eq!(PixelFormat::parse(&format.encode()), Err(error));
        }
    }
}
