//! Rectangles of pixels.

use passerelle_desktop::{Rect, Tally};
use passerelle_rfb::Encoding;

use super::effort::Effort;
use super::inflate::{Buffered, Stream};
use super::part::Part;
use super::pixels::Pixels;
use super::rows::{self, Memory};
use super::surface::Surface;
use super::{hextile, rre, tight, trle};

/// Where a rectangle is, and how it is encoded.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) area: Rect,
    pub(super) encoding: Encoding,
}

impl Head {
    /// How many bytes of a rectangle that is not drawn are looked at.
    pub(super) const LOOKED_AT: usize = 12;

    /// Reads the head of a rectangle off the front.
    pub(super) fn read(rectangle: &[u8]) -> Option<(Self, &[u8])> {
        let ([x0, x1, y0, y1, w0, w1, h0, h1, e0, e1, e2, e3], body) =
            rectangle.split_first_chunk::<{ Self::LOOKED_AT }>()?;
        let number = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
        let area =
            Rect { x: number(x0, x1), y: number(y0, y1), width: number(w0, w1), height: number(h0, h1) };
        Some((Self { area, encoding: Encoding(i32::from_be_bytes([*e0, *e1, *e2, *e3])) }, body))
    }
}

/// What a CopyRect rectangle copies from.
pub(super) fn source(body: &[u8]) -> Option<(u16, u16)> {
    let [x0, x1, y0, y1] = body.first_chunk()?;
    Some((u16::from_be_bytes([*x0, *x1]), u16::from_be_bytes([*y0, *y1])))
}

/// The zlib streams of a session.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) zlib: Stream,
    /// Of ZRLE, and of ZYWRLE.
    pub(super) zrle: Stream,
    pub(super) tight: [Stream; 4],
}

impl Streams {
    /// Rectangles of every kind were not read.
    pub(super) fn lose_all(&mut self) {
        for encoding in [Encoding::ZLIB, Encoding::ZRLE, Encoding::TIGHT] {
            self.lose(encoding);
        }
    }

    /// A rectangle was not read.
    pub(super) fn lose(&mut self, encoding: Encoding) {
        match encoding {
            Encoding::ZLIB => self.zlib.lose(),
            Encoding::ZRLE | Encoding::ZYWRLE => self.zrle.lose(),
            Encoding::TIGHT | Encoding::TIGHT_PNG => self.tight.iter_mut().for_each(Stream::lose),
            _ => {}
        }
    }
}

/// What drawing a rectangle needs.
pub(super) struct Drawing<'a> {
    pub(super) surface: &'a mut dyn Surface,
    pub(super) pixels: &'a Pixels,
    pub(super) streams: &'a mut Streams,
    pub(super) effort: &'a mut Effort,
    pub(super) memory: &'a mut Memory,
    pub(super) tally: &'a mut Tally,
}

impl Drawing<'_> {
    /// Rectangles without pixels, whose place and size mean something else.
    const PSEUDO: [Encoding; 4] = [
        Encoding::LAST_RECT,
        Encoding::QEMU_POINTER_MOTION,
        Encoding::QEMU_EXTENDED_KEY,
        Encoding::QEMU_LED_STATE,
    ];

    /// Draws the rectangle, of which `body` is what follows the head.
    pub(super) fn draw(&mut self, head: Head, body: &[u8]) -> Result<(), Part> {
        let Head { area, encoding } = head;
        if Self::PSEUDO.contains(&encoding) {
            return Ok(());
        }
        if let Err(part) = self.effort.spend(area) {
            self.streams.lose(encoding);
            return Err(part);
        }
        match encoding {
            Encoding::RAW => {
                let Self { surface, pixels, memory, .. } = self;
                rows::draw(*surface, area, &pixels.whole, memory, &mut { body })
            }
            Encoding::RRE => rre::draw(self, area, body, rre::Numbers::Long),
            Encoding::CORRE => rre::draw(self, area, body, rre::Numbers::Short),
            Encoding::HEXTILE => hextile::draw(self, area, body),
            Encoding::ZLIB => {
                let Self { surface, pixels, streams, memory, .. } = self;
                let compressed = prefixed(body)?;
                streams
                    .zlib
                    .read(compressed, |inflated| rows::draw(*surface, area, &pixels.whole, memory, inflated))
            }
            Encoding::TIGHT | Encoding::TIGHT_PNG => tight::draw(self, area, body),
            Encoding::TRLE => {
                let Self { surface, pixels, memory, .. } = self;
                trle::draw(
                    *surface,
                    area,
                    &pixels.compact,
                    &mut memory.colours,
                    &mut { body },
                    trle::Kind::Trle,
                )
            }
            Encoding::ZRLE => {
                let Self { surface, pixels, streams, memory, .. } = self;
                let compressed = prefixed(body)?;
                streams.zrle.read(compressed, |inflated| {
                    let mut source = Buffered::new(inflated, &mut memory.bytes);
                    let colours = &mut memory.colours;
                    trle::draw(*surface, area, &pixels.compact, colours, &mut source, trle::Kind::Zrle)
                })
            }
            Encoding::ZYWRLE => {
                self.streams.lose(encoding);
                Err(Part::Zywrle)
            }
            Encoding::H264 => Err(Part::H264),
            // The framer lets nothing else through.
            _ => Err(Part::Undecodable),
        }
    }
}

/// The bytes behind a length of four bytes, which the framer has made sure of.
fn prefixed(body: &[u8]) -> Result<&[u8], Part> {
    body.get(4..).ok_or(Part::Undecodable)
}
