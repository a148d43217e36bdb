//! The messages of a view as bytes. `VIEW.md` in code: pure, bounded, and whoever wrote them may be hostile.

use passerelle_desktop::{Framebuffer, Rect, Size};

/// Length of what stands before a body: `len u32 | t_ms u32 | kind u8`.
const HEAD: usize = 9;
/// Length of the four numbers of a rectangle.
const AREA: usize = 8;
/// The longest body that a reader accepts, in bytes.
pub const MAX_BODY: usize = 16 << 20;
/// Raw rectangles are written in bands of about this many bytes, so that nobody has to hold a whole picture of them.
const BAND: usize = 1 << 20;

const SIZE: u8 = 1;
const RAW: u8 = 2;
const JPEG: u8 = 3;
const COPY: u8 = 4;
const SHAPE: u8 = 5;
const POSITION: u8 = 6;
const FRAME: u8 = 7;

/// A message of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The picture has this size from here on, and is black.
    Size(Size),
    /// Pixels of a rectangle as they are.
    Raw {
        /// Where they are.
        area: Rect,
        /// Red, green, blue and 255 for each pixel, row by row; four bytes for each pixel of `area`.
        pixels: &'a [u8],
    },
    /// Pixels of a rectangle as a JPEG file of the same size.
    Jpeg {
        /// Where they are.
        area: Rect,
        /// The file.
        file: &'a [u8],
    },
    /// Pixels of a rectangle that are elsewhere in the picture already. The two may overlap.
    Copy {
        /// Where they go.
        area: Rect,
        /// Column and row of where they are.
        from: (u16, u16),
    },
    /// The pointer looks like this from here on.
    Shape {
        /// Column and row of the pixel that points.
        hotspot: (u16, u16),
        /// Its size; a pointer without columns is hidden.
        size: Size,
        /// Red, green, blue and alpha (not premultiplied) of each pixel, row by row.
        pixels: &'a [u8],
    },
    /// The target put the pointer to this column and row.
    Position(u16, u16),
    /// Everything since the last one of these is shown together, at the time of this one.
    Frame,
    /// Of a later version; to be passed over.
    Unknown,
}

/// Bytes that are no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedView {
    /// A length that no message has.
    #[error("a message of the view claims to be {0} bytes long")]
    TooLong(u32),
    /// A body that is shorter or longer than its kind is.
    #[error("a message of the view has the kind {0} and another length than that kind has")]
    Body(u8),
    /// Pixels outside of the picture, or before there is one.
    #[error("a message of the view draws outside of the picture")]
    Outside,
    /// A picture that cannot be held.
    #[error("the view has a picture of a size that cannot be held")]
    Size,
    /// A JPEG file that cannot be decoded or has another size than its rectangle.
    #[error("the view has a JPEG picture that is none")]
    Jpeg,
    /// The stream that holds the messages is damaged, or ends within a message.
    #[error("the view's stream is damaged")]
    Stream,
}

/// A message, its time in milliseconds since the recording's start, and how many bytes it took.
pub type Parsed<'a> = (u32, Message<'a>, usize);

impl<'a> Message<'a> {
    /// Reads the message that `bytes` begin with. Nothing: it has not come whole yet.
    ///
    /// # Errors
    /// See [`MalformedView`]; what follows cannot be read either.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Parsed<'a>>, MalformedView> {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [l0, l1, l2, l3, t0, t1, t2, t3, kind] = *head;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len as usize > MAX_BODY {
            return Err(MalformedView::TooLong(len));
        }
        let Some(body) = rest.get(..len as usize) else { return Ok(None) };
        let message = Self::of(kind, body).ok_or(MalformedView::Body(kind))?;
        Ok(Some((u32::from_le_bytes([t0, t1, t2, t3]), message, HEAD + body.len())))
    }

    fn of(kind: u8, body: &'a [u8]) -> Option<Self> {
        Some(match kind {
            SIZE => {
                let ([width, height], []) = numbers(body)? else { return None };
                Self::Size(Size { width, height })
            }
            RAW => {
                let ([x, y, width, height], pixels) = numbers(body)?;
                let area = Rect { x, y, width, height };
                (pixels.len() == area.pixels().checked_mul(4)?).then_some(Self::Raw { area, pixels })?
            }
            JPEG => {
                let ([x, y, width, height], file) = numbers(body)?;
                Self::Jpeg { area: Rect { x, y, width, height }, file }
            }
            COPY => {
                let ([x, y, width, height, from_x, from_y], []) = numbers(body)? else { return None };
                Self::Copy { area: Rect { x, y, width, height }, from: (from_x, from_y) }
            }
            SHAPE => {
                let ([x, y, width, height], pixels) = numbers(body)?;
                let size = Size { width, height };
                (pixels.len() == size.pixels().checked_mul(4)?).then_some(Self::Shape {
                    hotspot: (x, y),
                    size,
                    pixels,
                })?
            }
            POSITION => {
                let ([x, y], []) = numbers(body)? else { return None };
                Self::Position(x, y)
            }
            FRAME => body.is_empty().then_some(Self::Frame)?,
            _ => Self::Unknown,
        })
    }

    /// Appends the message, at the time `t_ms`, to `out`. One whose body is longer than [`MAX_BODY`] is not written.
    pub fn put(&self, t_ms: u32, out: &mut Vec<u8>) {
        let area = |Rect { x, y, width, height }: Rect| [x, y, width, height];
        match *self {
            Self::Size(Size { width, height }) => put(out, t_ms, SIZE, &[width, height], &[]),
            Self::Raw { area: at, pixels } => put(out, t_ms, RAW, &area(at), pixels),
            Self::Jpeg { area: at, file } => put(out, t_ms, JPEG, &area(at), file),
            Self::Copy { area: Rect { x, y, width, height }, from } => {
                put(out, t_ms, COPY, &[x, y, width, height, from.0, from.1], &[]);
            }
            Self::Shape { hotspot, size, pixels } => {
                put(out, t_ms, SHAPE, &[hotspot.0, hotspot.1, size.width, size.height], pixels);
            }
            Self::Position(x, y) => put(out, t_ms, POSITION, &[x, y], &[]),
            Self::Frame => put(out, t_ms, FRAME, &[], &[]),
            Self::Unknown => {}
        }
    }
}

/// Hands the pixels of `area` to `write` as raw rectangles, one band of rows after the other.
pub(crate) fn raw_bands<E>(
    t_ms: u32,
    area: Rect,
    picture: &Framebuffer,
    buffer: &mut Vec<u8>,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let row_bytes = usize::from(area.width) * 4;
    if row_bytes == 0 {
        return Ok(());
    }
    let rows = u16::try_from((BAND / row_bytes).max(1)).unwrap_or(u16::MAX);
    let mut y = area.y;
    let mut left = area.height;
    while left > 0 {
        let height = left.min(rows);
        let band = Rect { y, height, ..area };
        buffer.clear();
        put_head(buffer, t_ms, RAW, AREA + band.pixels() * 4);
        for number in [band.x, band.y, band.width, band.height] {
            buffer.extend_from_slice(&number.to_le_bytes());
        }
        for row in picture.rows(band) {
            put_rgba(buffer, row);
        }
        write(buffer)?;
        y = y.saturating_add(height);
        left -= height;
    }
    Ok(())
}

/// Appends pixels `0x00RRGGBB` as red, green, blue and 255.
fn put_rgba(out: &mut Vec<u8>, row: &[u32]) {
    let start = out.len();
    out.resize(start + row.len() * 4, 255);
    let places = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<4>().0;
    for (place, pixel) in places.iter_mut().zip(row) {
        *place = (pixel << 8 | 0xff).to_be_bytes();
    }
}

fn put(out: &mut Vec<u8>, t_ms: u32, kind: u8, numbers: &[u16], rest: &[u8]) {
    let len = numbers.len() * 2 + rest.len();
    if len > MAX_BODY {
        return;
    }
    put_head(out, t_ms, kind, len);
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(rest);
}

fn put_head(out: &mut Vec<u8>, t_ms: u32, kind: u8, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&t_ms.to_le_bytes());
    out.push(kind);
}

/// The numbers that `bytes` begin with, and what follows.
fn numbers<const N: usize>(bytes: &[u8]) -> Option<([u16; N], &[u8])> {
    let (front, rest) = bytes.split_at_checked(N * 2)?;
    let mut numbers = [0; N];
    for (number, place) in numbers.iter_mut().zip(front.as_chunks::<2>().0) {
        *number = u16::from_le_bytes(*place);
    }
    Some((numbers, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Rect = Rect { x: 1, y: 2, width: 2, height: 1 };

    #[test]
    fn messages_are_written_as_described() {
        for (message, bytes) in [
            (
                Message::Size(Size { width: 640, height: 480 }),
                &b"\x04\0\0\0\x07\0\0\0\x01\x80\x02\xe0\x01"[..],
            ),
            (
                Message::Raw { area: AT, pixels: b"abcdefgh" },
                b"\x10\0\0\0\x07\0\0\0\x02\x01\0\x02\0\x02\0\x01\0abcdefgh",
            ),
            (Message::Jpeg { area: AT, file: b"J" }, b"\x09\0\0\0\x07\0\0\0\x03\x01\0\x02\0\x02\0\x01\0J"),
            (
                Message::Copy { area: AT, from: (3, 4) },
                b"\x0c\0\0\0\x07\0\0\0\x04\x01\0\x02\0\x02\0\x01\0\x03\0\x04\0",
            ),
            (
                Message::Shape { hotspot: (5, 6), size: Size { width: 1, height: 1 }, pixels: b"rgba" },
                b"\x0c\0\0\0\x07\0\0\0\x05\x05\0\x06\0\x01\0\x01\0rgba",
            ),
            (Message::Position(8, 9), b"\x04\0\0\0\x07\0\0\0\x06\x08\0\x09\0"),
            (Message::Frame, b"\0\0\0\0\x07\0\0\0\x07"),
        ] {
            let mut written = Vec::new();
            message.put(7, &mut written);
            assert_eq!(written, bytes);
            assert_eq!(Message::parse(bytes), Ok(Some((7, message, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(Message::parse(&bytes[..cut]), Ok(None), "{message:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused_and_what_is_unknown_passed_over() {
        let message =
            |len: u32, kind: u8, body: &[u8]| [&len.to_le_bytes()[..], &[0; 4], &[kind], body].concat();
        assert_eq!(Message::parse(&message(3, 99, b"abc")), Ok(Some((0, Message::Unknown, 12))));
        for (bytes, error) in [
            (message(u32::MAX, 2, b""), MalformedView::TooLong(u32::MAX)),
            (message(3, 1, b"abc"), MalformedView::Body(1)),
            (message(9, 2, b"\0\0\0\0\x01\0\x01\0p"), MalformedView::Body(2)),
            (message(8, 5, b"\0\0\0\0\xff\xff\xff\xff"), MalformedView::Body(5)),
            (message(1, 7, b"x"), MalformedView::Body(7)),
        ] {
            assert_eq!(Message::parse(&bytes), Err(error));
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0u8..9) {
            let _ = Message::parse(&bytes);
            let len = u32::try_from(bytes.len()).unwrap();
            let whole = [&len.to_le_bytes()[..], &[0; 4], &[kind], &bytes].concat();
            let _ = Message::parse(&whole);
        }
    }
}
