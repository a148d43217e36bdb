//! The zlib streams of RFB, which go on from rectangle to rectangle.

use flate2::{Decompress, FlushDecompress, Status};

use super::part::Part;

/// What a target may send in a rectangle beyond its pixels, in bytes.
const MOST_LEFT: usize = 1 << 20;

/// A zlib stream.
#[derive(Default)]
pub(super) struct Stream {
    zlib: Option<Decompress>,
    /// Something in it could not be read: what builds on it would be wrong.
    lost: bool,
}

impl Stream {
    /// Begins anew.
    pub(super) fn reset(&mut self) {
        if let Some(zlib) = &mut self.zlib {
            zlib.reset(true);
        }
        self.lost = false;
    }

    /// Gives up what came and what follows, until the stream begins anew.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Has `read` take what it wants of the plain form of `compressed`, which is the stream's next part.
    pub(super) fn read<T>(
        &mut self,
        compressed: &[u8],
        read: impl FnOnce(&mut Inflated<'_>) -> Result<T, Part>,
    ) -> Result<T, Part> {
        if self.lost {
            return Err(Part::History);
        }
        let zlib = self.zlib.get_or_insert_with(|| Decompress::new(true));
        let mut inflated = Inflated { zlib, compressed, ended: false };
        let result = read(&mut inflated);
        // The next part builds on all of this one.
        if !inflated.finish() {
            self.lost = true;
        }
        result
    }
}

/// The plain form of a part of a stream.
pub(super) struct Inflated<'a> {
    zlib: &'a mut Decompress,
    compressed: &'a [u8],
    ended: bool,
}

impl Inflated<'_> {
    /// Fills as much of `plain` as there is, and says how much that is.
    pub(super) fn some(&mut self, plain: &mut [u8]) -> Result<usize, Part> {
        let mut filled = 0;
        while let Some(rest) = plain.get_mut(filled..)
            && !rest.is_empty()
            && !self.ended
        {
            let before = (self.zlib.total_in(), self.zlib.total_out());
            let status = self.zlib.decompress(self.compressed, rest, FlushDecompress::Sync);
            let progress =
                |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
            let taken = progress(self.zlib.total_in(), before.0);
            let given = progress(self.zlib.total_out(), before.1);
            self.compressed = self.compressed.get(taken..).unwrap_or_default();
            filled += given;
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if taken == 0 && given == 0 => break,
                Ok(_) => {}
                Err(_) => {
                    self.ended = true;
                    return Err(Part::Undecodable);
                }
            }
        }
        Ok(filled)
    }

    /// Fills `plain`.
    pub(super) fn fill(&mut self, plain: &mut [u8]) -> Result<(), Part> {
        if self.some(plain)? == plain.len() { Ok(()) } else { Err(Part::Undecodable) }
    }

    /// Takes what nobody wanted, which is little unless the target is hostile. Whether the stream can go on.
    fn finish(mut self) -> bool {
        let mut rest = [0; 4096];
        let mut left = MOST_LEFT;
        loop {
            match self.some(&mut rest) {
                Ok(0) => return !self.ended,
                Ok(len) if len <= left => left -= len,
                _ => return false,
            }
        }
    }
}

/// Takes bytes one after the other, from memory or from a stream.
pub(super) trait Source {
    /// The next `len` bytes, of which there are at most [`Buffered::MOST`].
    fn take(&mut self, len: usize) -> Result<&[u8], Part>;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Part> {
        self.take(1)?.first().copied().ok_or(Part::Undecodable)
    }
}

impl Source for &[u8] {
    fn take(&mut self, len: usize) -> Result<&[u8], Part> {
        let (taken, rest) = self.split_at_checked(len).ok_or(Part::Undecodable)?;
        *self = rest;
        Ok(taken)
    }
}

/// Reads ahead in a stream, so that single bytes cost little.
pub(super) struct Buffered<'a, 'b> {
    inflated: &'a mut Inflated<'b>,
    buffer: &'a mut Vec<u8>,
    read: usize,
    filled: usize,
}

impl<'a, 'b> Buffered<'a, 'b> {
    /// The longest piece.
    pub(super) const MOST: usize = 64 << 10;

    /// `buffer` is memory that may be used again; what it holds is overwritten.
    pub(super) fn new(inflated: &'a mut Inflated<'b>, buffer: &'a mut Vec<u8>) -> Self {
        buffer.resize(Self::MOST, 0);
        Self { inflated, buffer, read: 0, filled: 0 }
    }

    fn refill(&mut self, len: usize) -> Result<(), Part> {
        self.buffer.copy_within(self.read..self.filled, 0);
        self.filled -= self.read;
        self.read = 0;
        self.filled += self.inflated.some(self.buffer.get_mut(self.filled..).unwrap_or_default())?;
        if self.filled < len { Err(Part::Undecodable) } else { Ok(()) }
    }
}

impl Source for Buffered<'_, '_> {
    fn take(&mut self, len: usize) -> Result<&[u8], Part> {
        if self.filled - self.read < len {
            self.refill(len)?;
        }
        let taken = self.buffer.get(self.read..self.read + len).ok_or(Part::Undecodable)?;
        self.read += len;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    /// Two parts of one stream, as a server sends them.
    fn parts() -> [Vec<u8>; 2] {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"the first part, the first").unwrap();
        encoder.flush().unwrap();
        let first = std::mem::take(encoder.get_mut());
        encoder.write_all(b"the second part").unwrap();
        encoder.flush().unwrap();
        [first, encoder.get_ref().clone()]
    }

    fn take(stream: &mut Stream, compressed: &[u8], len: usize) -> Result<Vec<u8>, Part> {
        let mut plain = vec![0; len];
        stream.read(compressed, |inflated| inflated.fill(&mut plain))?;
        Ok(plain)
    }

    #[test]
    fn a_stream_goes_on_whatever_was_taken_of_it() {
        let [first, second] = parts();
        for len in [0, 3, 25] {
            let mut stream = Stream::default();
            assert_eq!(take(&mut stream, &first, len).unwrap(), b"the first part, the first"[..len]);
            assert_eq!(take(&mut stream, &second, 15).unwrap(), b"the second part");
        }
        let mut stream = Stream::default();
        assert_eq!(take(&mut stream, &first, 26), Err(Part::Undecodable));
        assert_eq!(take(&mut stream, &second, 15).unwrap(), b"the second part");
    }

    #[test]
    fn what_builds_on_what_is_lost_is_not_read() {
        let [first, second] = parts();
        let mut stream = Stream::default();
        assert_eq!(take(&mut stream, b"no zlib", 1), Err(Part::Undecodable));
        assert_eq!(take(&mut stream, &second, 1), Err(Part::History));
        stream.reset();
        assert_eq!(take(&mut stream, &first, 3).unwrap(), b"the");
        stream.lose();
        assert_eq!(take(&mut stream, &second, 1), Err(Part::History));
    }

    #[test]
    fn a_rectangle_with_far_more_than_its_pixels_is_not_followed() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&vec![0; 4 * MOST_LEFT]).unwrap();
        encoder.flush().unwrap();
        let mut stream = Stream::default();
        assert_eq!(take(&mut stream, encoder.get_ref(), 1).unwrap(), [0]);
        assert_eq!(take(&mut stream, &[], 1), Err(Part::History));
    }

    #[test]
    fn pieces_come_in_their_order() {
        let plain: Vec<u8> = (0..200_000u32).map(|i| (i % 1000 * i % 251) as u8).collect();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).unwrap();
        encoder.flush().unwrap();
        let mut stream = Stream::default();
        let mut buffer = Vec::new();
        let read = stream.read(encoder.get_ref(), |inflated| {
            let mut source = Buffered::new(inflated, &mut buffer);
            let mut read = Vec::new();
            for len in [1, 40_000, 60_000, Buffered::MOST].into_iter().cycle() {
                match source.take(len) {
                    Ok(bytes) => read.extend_from_slice(bytes),
                    Err(_) => break,
                }
                read.push(source.byte()?);
            }
            Ok(read)
        });
        let read = read.unwrap();
        assert!(read.len() > 100_000 && plain.starts_with(&read));
    }
}
