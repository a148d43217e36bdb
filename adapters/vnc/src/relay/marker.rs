//! What the recording of a target's bytes needs beside them.

use passerelle_desktop::Blackout;
use passerelle_rfb::PixelFormat;
use serde::{Deserialize, Serialize};

/// State that a decoder of the target's bytes must know from a point on. Pushed as JSON in
/// [`Notice::Marker`](passerelle_desktop::Notice::Marker): `{"pixel_format":{"bits_per_pixel":32,…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// Pixels have this format from here on.
    PixelFormat(MarkedFormat),
    /// From here on updates and sound are missing.
    Blackout(Blackout),
    /// From here on they are there again, beginning with a message. A picture of the whole desktop comes soon.
    BlackoutEnd {
        /// The desktop's width in pixels.
        width: u16,
        /// Its height.
        height: u16,
        /// The format of pixels.
        pixel_format: MarkedFormat,
        /// Compressed streams were used in the span, so that what they carry from here on cannot be drawn.
        streams_lost: bool,
    },
}

/// A [`PixelFormat`] with names for its fields in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of PixelFormat")]
pub struct MarkedFormat {
    pub bits_per_pixel: u8,
    pub depth: u8,
    pub big_endian: bool,
    pub true_colour: bool,
    pub red_max: u16,
    pub green_max: u16,
    pub blue_max: u16,
    pub red_shift: u8,
    pub green_shift: u8,
    pub blue_shift: u8,
}

impl Marker {
    /// Reads a marker from a recording.
    ///
    /// # Errors
    /// The bytes are no marker that this version knows.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The marker as it is recorded.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and booleans always make JSON")
    }
}

impl From<PixelFormat> for MarkedFormat {
    fn from(format: PixelFormat) -> Self {
        let PixelFormat {
            bits_per_pixel,
            depth,
            big_endian,
            true_colour,
            red_max,
            green_max,
            blue_max,
            red_shift,
            green_shift,
            blue_shift,
        } = format;
        Self {
            bits_per_pixel,
            depth,
            big_endian,
            true_colour,
            red_max,
            green_max,
            blue_max,
            red_shift,
            green_shift,
            blue_shift,
        }
    }
}

impl From<MarkedFormat> for PixelFormat {
    fn from(format: MarkedFormat) -> Self {
        let MarkedFormat {
            bits_per_pixel,
            depth,
            big_endian,
            true_colour,
            red_max,
            green_max,
            blue_max,
            red_shift,
            green_shift,
            blue_shift,
        } = format;
        Self {
            bits_per_pixel,
            depth,
            big_endian,
            true_colour,
            red_max,
            green_max,
            blue_max,
            red_shift,
            green_shift,
            blue_shift,
        }
    }
}
