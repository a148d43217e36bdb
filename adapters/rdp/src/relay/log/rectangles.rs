//! Bitmap updates (MS-RDPBCGR 2.2.9.1.1.3.1.2) whose bitmaps are plain.

use ironrdp_core::{ReadCursor, decode_cursor};
use ironrdp_graphics::rdp6::BitmapStreamDecoder;
use ironrdp_pdu::bitmap::BitmapData;
use passerelle_desktop::{Size, Tally};

use crate::decoder::bitmap::{decompress, destination, is_compressed};

/// `updateType` (`UPDATETYPE_BITMAP`) and `numberRectangles`.
const HEADER: usize = 4;
/// `BITMAP_COMPRESSION` and `NO_BITMAP_COMPRESSION_HDR`.
const COMPRESSION_FLAGS: u16 = 0x0401;
/// The longest update that fits into a PDU of either path: both lengths have 15 bits, and the longer header has 18 bytes.
const MOST_OF_UPDATE: usize = 0x7fff - 18;
/// The longest strip of a bitmap, which fits into that with its header.
const MOST_OF_STRIP: usize = MOST_OF_UPDATE - HEADER - 18;
/// The longest bitmap.
const MOST_OF_ONE: usize = u16::MAX as usize;
/// How much is made of one update.
const MOST: usize = 64 << 20;
/// How many times its compressed length a bitmap may have. Where the run-length coding achieves more, the recording's own
/// compression finds as much in it as in the pixels, for a fraction of the work; and a target can't have much made of
/// little.
const MOST_GAIN: usize = 3;
/// RDP 6.0 bitmaps with chroma (MS-RDPEGDI 2.2.2.5.1): what they become is not what they were.
const COLOR_LOSS: u8 = 0x07;

/// Makes bitmaps plain.
pub(super) struct Rectangles {
    /// The size of the desktop, where it is known. Only then a bitmap can come in strips: a decoder leaves out all of a
    /// bitmap that reaches beyond the desktop.
    pub(super) desktop: Option<Size>,
    planar: BitmapStreamDecoder,
    pixels: Vec<u8>,
}

/// A plain bitmap, from the bottom to the top.
struct Plain {
    depth: u16,
    /// The bytes of a row with what fills it up, and those of a strip.
    row: usize,
    strip: usize,
    data: Vec<u8>,
}

impl Rectangles {
    /// For a desktop of `size`.
    pub(super) fn new(size: Size) -> Self {
        Self { desktop: Some(size), planar: BitmapStreamDecoder::default(), pixels: Vec::new() }
    }

    /// What the bitmap update `update` becomes with plain bitmaps, in as many updates as it takes so that each fits into a
    /// PDU; one with a bitmap that can't be cut may not. Nothing: it stays as it is, since no bitmap in it can be plain, or
    /// since it is damaged for every decoder.
    pub(super) fn plain(&mut self, update: &[u8]) -> Option<Vec<Vec<u8>>> {
        let (&[1, 0, low, high], _) = update.split_first_chunk::<HEADER>()? else { return None };
        let mut cursor = ReadCursor::new(update.get(HEADER..)?);
        let mut bitmaps = Vec::new();
        for _ in 0..u16::from_le_bytes([low, high]) {
            let before = cursor.len();
            let bitmap = decode_cursor::<BitmapData<'_>>(&mut cursor).ok()?;
            bitmaps.push((bitmap, before - cursor.len()));
        }
        if !bitmaps.iter().any(|(bitmap, _)| is_compressed(bitmap)) {
            return None;
        }
        let (mut out, mut changed) = (Updates::default(), false);
        let mut rest = update.get(HEADER..)?;
        for (bitmap, len) in &bitmaps {
            let (as_it_came, after) = rest.split_at_checked(*len)?;
            // What is left must still fit in.
            match self.one(bitmap, MOST.saturating_sub(out.len + rest.len())) {
                Some(plain) => {
                    plain.write(bitmap, &mut out);
                    changed = true;
                }
                None => out.add(as_it_came, &[]),
            }
            rest = after;
        }
        changed.then_some(out.all)
    }

    /// The plain form of a bitmap, if there is one that takes no more than `room` bytes.
    fn one(&mut self, bitmap: &BitmapData<'_>, room: usize) -> Option<Plain> {
        let (width, height) = (usize::from(bitmap.width), usize::from(bitmap.height));
        let depth = match bitmap.bits_per_pixel {
            _ if !is_compressed(bitmap) => return None,
            depth @ (8 | 15 | 16 | 24) => depth,
            32 if bitmap.bitmap_data.first()? & COLOR_LOSS == 0 => 24,
            _ => return None,
        };
        let tight = width * usize::from(depth).div_ceil(8);
        let row = tight.next_multiple_of(4);
        let len = row.checked_mul(height).filter(|len| *len > 0)?;
        // There is a header for each strip.
        let gains = len <= bitmap.bitmap_data.len().saturating_mul(MOST_GAIN) && len + len / 16 + 64 <= room;
        let strip = if len > MOST_OF_STRIP && self.may_cut(bitmap) { MOST_OF_STRIP / row * row } else { len };
        if !gains || strip == 0 || strip > MOST_OF_ONE {
            return None;
        }
        let Self { planar, pixels, .. } = self;
        let decoded = decompress(bitmap, planar, pixels, &mut Tally::default());
        if !decoded || pixels.len() != tight * height {
            return None;
        }
        if bitmap.bits_per_pixel == 32 {
            for [red, _, blue] in pixels.as_chunks_mut().0 {
                std::mem::swap(red, blue);
            }
        }
        if row == tight {
            return Some(Plain { depth, row, strip, data: std::mem::take(pixels) });
        }
        let mut data = Vec::with_capacity(len);
        for pixels in pixels.chunks_exact(tight) {
            data.extend_from_slice(pixels);
            data.resize(data.len() + row - tight, 0);
        }
        Some(Plain { depth, row, strip, data })
    }

    /// Whether a bitmap can come in strips, which are drawn if it is.
    fn may_cut(&self, bitmap: &BitmapData<'_>) -> bool {
        self.desktop.is_some_and(|desktop| destination(bitmap, desktop).is_some())
    }
}

impl Plain {
    /// Adds the bitmap to `out`, whole or in strips.
    fn write(&self, bitmap: &BitmapData<'_>, out: &mut Updates) {
        let area = &bitmap.rectangle;
        let (mut bottom, mut height) = (area.bottom, bitmap.height);
        for strip in self.data.chunks(self.strip) {
            let mut top = area.top;
            if strip.len() < self.data.len() {
                height = u16::try_from(strip.len() / self.row).unwrap_or(u16::MAX);
                top = bottom.saturating_sub(height.saturating_sub(1));
            }
            let len = u16::try_from(strip.len()).unwrap_or(u16::MAX);
            let flags = bitmap.compression_flags.bits() & !COMPRESSION_FLAGS;
            let fields = [area.left, top, area.right, bottom, bitmap.width, height, self.depth, flags, len];
            out.add(fields.map(u16::to_le_bytes).as_flattened(), strip);
            bottom = top.saturating_sub(1);
        }
    }
}

/// Bitmap updates that grow.
#[derive(Default)]
struct Updates {
    all: Vec<Vec<u8>>,
    /// The length of all of them, and how many rectangles the last one has.
    len: usize,
    rectangles: u16,
}

impl Updates {
    /// Adds a rectangle, in two parts.
    fn add(&mut self, head: &[u8], data: &[u8]) {
        let len = head.len() + data.len();
        if self.all.last().is_none_or(|last| last.len() + len > MOST_OF_UPDATE) {
            self.rectangles = 0;
            self.len += HEADER;
            self.all.push(vec![1, 0, 0, 0]);
        }
        let Some(last) = self.all.last_mut() else { return };
        last.extend_from_slice(head);
        last.extend_from_slice(data);
        self.rectangles += 1;
        self.len += len;
        if let Some(count) = last.get_mut(2..HEADER) {
            count.copy_from_slice(&self.rectangles.to_le_bytes());
        }
    }
}
