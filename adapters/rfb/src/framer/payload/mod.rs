//! Rectangles whose length is known only from what is in them.

mod hextile;
mod tight;
mod trle;

use super::ServerViolation;
use crate::{Encoding, PixelFormat, Rectangle};

pub(super) use hextile::Hextile;
pub(super) use tight::Tight;
pub(super) use trle::Trle;

/// How far one step through a rectangle went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// The next this many bytes are passed over, whether or not they have been received.
    Over(u64),
    /// Nothing can be said before this many bytes have been received.
    Need(usize),
}

/// The rest of a rectangle. A step that fails or needs more bytes changes nothing.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// A u32 length, `extra` bytes, and as many bytes as the length says.
    Prefixed {
        encoding: Encoding,
        extra: u8,
        most: u64,
    },
    /// A u32 number of subrectangles, a background, and subrectangles.
    Subrectangles {
        background: u8,
        subrectangle: u8,
        pixels: u64,
    },
    Hextile(Hextile),
    Trle(Trle),
    Tight(Tight),
    /// The encoding of a cursor's pixels, and then those.
    CursorWithAlpha(Rectangle),
    /// So many bytes.
    Fixed(u64),
    /// Nothing more.
    Done,
}

impl Payload {
    /// What follows the head of a rectangle in an encoding of pixels, apart from CopyRect.
    pub(super) fn of_pixels(encoding: Encoding, area: Rectangle, format: &PixelFormat) -> Option<Self> {
        let bytes_per_pixel = format.bytes_per_pixel();
        let raw = area.pixels() * bytes_per_pixel as u64;
        let pixel = format.bits_per_pixel / 8;
        let prefixed = |extra| Self::Prefixed { encoding, extra, most: 2 * raw + area.pixels() + SLACK };
        Some(match encoding {
            Encoding::RAW if area.pixels() == 0 => Self::Done,
            Encoding::RAW => Self::Fixed(raw),
            Encoding::RRE => {
                Self::Subrectangles { background: pixel, subrectangle: pixel + 8, pixels: area.pixels() }
            }
            Encoding::CORRE => {
                Self::Subrectangles { background: pixel, subrectangle: pixel + 4, pixels: area.pixels() }
            }
            Encoding::HEXTILE if area.pixels() == 0 => Self::Done,
            Encoding::TRLE if area.pixels() == 0 => Self::Done,
            Encoding::HEXTILE => Self::Hextile(Hextile::new(area, bytes_per_pixel)),
            Encoding::TRLE => Self::Trle(Trle::new(area, format.cpixel_len())),
            Encoding::TIGHT | Encoding::TIGHT_PNG => {
                Self::Tight(Tight::new(area, format, encoding == Encoding::TIGHT_PNG))
            }
            Encoding::ZLIB | Encoding::ZRLE | Encoding::ZYWRLE => prefixed(0),
            Encoding::H264 => prefixed(4),
            _ => return None,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub(super) fn advance(&mut self, rest: &[u8]) -> Result<Advance, ServerViolation> {
        match self {
            Self::Prefixed { encoding, extra, most } => {
                let Some(len) = first_u32(rest) else { return Ok(Advance::Need(4)) };
                if u64::from(len) > *most {
                    return Err(ServerViolation::ImplausibleLength { encoding: *encoding, len, most: *most });
                }
                let over = 4 + u64::from(*extra) + u64::from(len);
                *self = Self::Done;
                Ok(Advance::Over(over))
            }
            Self::Subrectangles { background, subrectangle, pixels } => {
                let Some(count) = first_u32(rest) else { return Ok(Advance::Need(4)) };
                if u64::from(count) > *pixels {
                    return Err(ServerViolation::TooManySubrectangles { count, pixels: *pixels });
                }
                let over = 4 + u64::from(*background) + u64::from(count) * u64::from(*subrectangle);
                *self = Self::Done;
                Ok(Advance::Over(over))
            }
            Self::Hextile(tiles) => {
                let advance = tiles.advance(rest)?;
                if tiles.is_done() {
                    *self = Self::Done;
                }
                Ok(advance)
            }
            Self::Trle(tiles) => {
                let advance = tiles.advance(rest)?;
                if tiles.is_done() {
                    *self = Self::Done;
                }
                Ok(advance)
            }
            Self::Tight(tight) => {
                let advance = tight.advance(rest)?;
                if tight.is_done() {
                    *self = Self::Done;
                }
                Ok(advance)
            }
            Self::CursorWithAlpha(area) => {
                let Some(number) = first_u32(rest) else { return Ok(Advance::Need(4)) };
                let encoding = Encoding(number.cast_signed());
                *self = alpha_cursor(encoding, *area).ok_or(ServerViolation::CursorEncoding(encoding))?;
                Ok(Advance::Over(4))
            }
            Self::Fixed(len) => {
                let over = *len;
                *self = Self::Done;
                Ok(Advance::Over(over))
            }
            Self::Done => Ok(Advance::Over(0)),
        }
    }
}

/// What zlib, tile headers and a codec's parameters may add to a rectangle's pixels.
const SLACK: u64 = 64 << 10;

/// The pixels of an alpha cursor. Encodings whose compact pixels implementations size differently at 32 bits
/// of depth are not accepted.
fn alpha_cursor(encoding: Encoding, area: Rectangle) -> Option<Payload> {
    match encoding {
        Encoding::RAW | Encoding::RRE | Encoding::HEXTILE | Encoding::ZLIB | Encoding::ZRLE => {
            Payload::of_pixels(encoding, area, &PixelFormat::RGBA)
        }
        _ => None,
    }
}

fn first_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The tiles of a rectangle that is not empty, row by row.
#[derive(Clone, Debug)]
struct Tiles {
    width: u16,
    height: u16,
    x: u16,
    y: u16,
}

impl Tiles {
    const SIDE: u16 = 16;

    fn new(area: Rectangle) -> Self {
        Self { width: area.width, height: area.height, x: 0, y: 0 }
    }

    fn is_done(&self) -> bool {
        self.y >= self.height
    }

    /// Width and height of the current tile.
    fn size(&self) -> (usize, usize) {
        let side = |whole: u16, done: u16| usize::from(whole.saturating_sub(done).min(Self::SIDE));
        (side(self.width, self.x), side(self.height, self.y))
    }

    fn next(&mut self) {
        // The last column or row may start closer to 65,535 than a tile is long.
        self.x = self.x.saturating_add(Self::SIDE);
        if self.x >= self.width {
            self.x = 0;
            self.y = self.y.saturating_add(Self::SIDE);
        }
    }
}
