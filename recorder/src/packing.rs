//! Compression of batches. Each is a zstd frame of its own, so that none needs another to be read; but in a busy segment
//! those of the screen are parts of one frame: what a target draws, it often draws again soon.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::{Strategy, compress_bound};

use crate::format::{MAX_BODY, Packing};

/// Fast enough for the threads that seal.
const LEVEL: i32 = 3;
/// Shorter batches are not worth a frame, in bytes.
const LEAST: usize = 96;
/// How many compressors are kept for later, of about a megabyte each.
const MAX_IDLE: usize = 4;

/// A stream begins with a batch of so many bytes; shorter ones are of sessions in which little happens.
const BUSY: usize = 4 * 1024;
/// How many streams there may be at a time, of about 6 MiB each.
const MAX_STREAMS: usize = 32;
/// Of what goes before a stream refers to 4 MiB, about a whole picture, as a logarithm. It finds what has seven bytes at
/// least, with one table: for screens that is as good as the level's two, and takes half the time.
const WINDOW: u32 = 22;
const HASH: u32 = 18;
const MATCH: u32 = 7;

/// Compressors, shared by all recordings.
#[derive(Default)]
pub(crate) struct Packer {
    idle: Mutex<Vec<(Compressor<'static>, Vec<u8>)>>,
    streams: Arc<AtomicUsize>,
}

impl Packer {
    /// Compresses what stands behind the first `head` bytes of `buffer`, if that makes it shorter.
    pub(crate) fn pack(&self, buffer: &mut Vec<u8>, head: usize) -> Packing {
        let clear = buffer.get(head..).unwrap_or_default();
        if clear.len() < LEAST {
            return Packing::Plain;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let made = || Compressor::new(LEVEL).ok().map(|compressor| (compressor, Vec::new()));
        let Some((mut compressor, mut packed)) = idle.or_else(made) else { return Packing::Plain };
        if packed.len() < clear.len() {
            packed.resize(clear.len(), 0);
        }
        // Into less room than there is: what does not become shorter fails, and stays as it is.
        let length = compressor.compress_to_buffer(clear, &mut packed[..clear.len() - 1]).ok();
        if let Some(packed) = length.and_then(|length| packed.get(..length)) {
            buffer.truncate(head);
            buffer.extend_from_slice(packed);
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push((compressor, packed));
        }
        if length.is_some() { Packing::Frame } else { Packing::Plain }
    }

    /// Compresses what stands behind the first `head` bytes of `buffer` as the next part of the segment's stream, or by
    /// itself while there is none. It may become a few bytes longer.
    pub(crate) fn pack_on(&self, stream: &mut Option<Stream>, buffer: &mut Vec<u8>, head: usize) -> Packing {
        let clear = buffer.get(head..).unwrap_or_default();
        let begins = !stream.as_ref().is_some_and(|stream| stream.open);
        if begins && clear.len() < BUSY {
            return self.pack(buffer, head);
        }
        if stream.is_none() {
            *stream = Stream::new(&self.streams);
        }
        match stream.as_mut().map(|stream| stream.pack(clear)) {
            Some(Ok(packed)) => {
                buffer.truncate(head);
                buffer.extend_from_slice(packed);
                if begins { Packing::First } else { Packing::Next }
            }
            Some(Err(_)) => {
                // What follows begins another one.
                *stream = None;
                self.pack(buffer, head)
            }
            None => self.pack(buffer, head),
        }
    }
}

/// A zstd frame that grows by a part for each batch.
pub(crate) struct Stream {
    encoder: Encoder<'static>,
    /// Whether there is something in the frame.
    open: bool,
    packed: Vec<u8>,
    /// How many there are, of which this is one.
    streams: Arc<AtomicUsize>,
}

impl Stream {
    /// One more, if there are not too many.
    fn new(streams: &Arc<AtomicUsize>) -> Option<Self> {
        let one_more = |count| (count < MAX_STREAMS).then_some(count + 1);
        streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let encoder = || {
            let mut encoder = Encoder::new(LEVEL)?;
            encoder.set_parameter(CParameter::WindowLog(WINDOW))?;
            encoder.set_parameter(CParameter::HashLog(HASH))?;
            encoder.set_parameter(CParameter::MinMatch(MATCH))?;
            encoder.set_parameter(CParameter::Strategy(Strategy::ZSTD_fast))?;
            io::Result::Ok(encoder)
        };
        match encoder() {
            Ok(encoder) => {
                Some(Self { encoder, open: false, packed: Vec::new(), streams: Arc::clone(streams) })
            }
            Err(_) => {
                streams.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// The next part of the frame, which holds `clear`.
    fn pack(&mut self, clear: &[u8]) -> io::Result<&[u8]> {
        if !self.open {
            self.encoder.reinit()?;
            self.open = true;
        }
        // With room for the frame's header and the end of a block.
        let most = compress_bound(clear.len()) + 64;
        if self.packed.len() < most {
            self.packed.resize(most, 0);
        }
        let mut input = InBuffer::around(clear);
        let mut output = OutBuffer::around(&mut self.packed[..]);
        let mut left = 1;
        while input.pos() < clear.len() || left > 0 {
            let before = (input.pos(), output.pos(), left);
            if input.pos() < clear.len() {
                self.encoder.run(&mut input, &mut output)?;
            } else {
                left = self.encoder.flush(&mut output)?;
            }
            if before == (input.pos(), output.pos(), left) {
                return Err(io::Error::other("a stream's part is longer than any can be"));
            }
        }
        let len = output.pos();
        Ok(self.packed.get(..len).unwrap_or_default())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a packed body holds. Nothing: it is none, or would hold more than a body may.
pub(crate) fn unpack(body: &[u8]) -> Option<Vec<u8>> {
    Decompressor::new().ok()?.decompress(body, MAX_BODY).ok()
}

/// Reads the streams of a recording's segments, one after the other.
#[derive(Default)]
pub(crate) struct Unpacker {
    /// The segment whose stream has begun, and what it refers to.
    stream: Option<(u32, Decoder<'static>)>,
}

impl Unpacker {
    /// What a part of a stream in this segment holds. Nothing: it is none, does not go on from the last one, or would hold
    /// more than a body may.
    pub(crate) fn unpack(&mut self, body: &[u8], segment: u32, begins: bool) -> Option<Vec<u8>> {
        if begins {
            let mut decoder = Decoder::new().ok()?;
            decoder.set_parameter(DParameter::WindowLogMax(WINDOW)).ok()?;
            self.stream = Some((segment, decoder));
        }
        // Without the last part the next one could not be understood either.
        let (of, mut decoder) = self.stream.take().filter(|(of, _)| *of == segment)?;
        let mut clear = vec![0; (4 * body.len()).clamp(16 * 1024, MAX_BODY)];
        let (mut input, mut len) = (InBuffer::around(body), 0);
        // The decoder may hold something back as long as it finds no room left.
        while input.pos() < body.len() || len == clear.len() {
            if len == clear.len() {
                if len == MAX_BODY {
                    return None;
                }
                clear.resize((2 * len).min(MAX_BODY), 0);
            }
            let before = (input.pos(), len);
            let mut output = OutBuffer::around_pos(&mut clear[..], len);
            decoder.run(&mut input, &mut output).ok()?;
            len = output.pos();
            if before == (input.pos(), len) {
                break;
            }
        }
        if input.pos() < body.len() {
            return None;
        }
        clear.truncate(len);
        self.stream = Some((of, decoder));
        Some(clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_shorter_is_packed_and_comes_back() {
        let packer = Packer::default();
        let clear = [b"head".as_slice(), &b"the same again, ".repeat(200)].concat();
        for _ in 0..3 {
            let mut buffer = clear.clone();
            assert_eq!(packer.pack(&mut buffer, 4), Packing::Frame);
            assert!(buffer.len() < 100 && buffer.starts_with(b"head"));
            assert_eq!(unpack(&buffer[4..]).unwrap(), clear[4..]);
        }
        for clear in [&b"short"[..], &noise(5000, 1), &[]] {
            let mut buffer = clear.to_vec();
            assert_eq!(packer.pack(&mut buffer, 0), Packing::Plain);
            assert_eq!(buffer, clear);
        }
    }

    #[test]
    fn a_bomb_is_none() {
        let packer = Packer::default();
        let mut bomb = vec![0; MAX_BODY + 1];
        assert_eq!(packer.pack(&mut bomb, 0), Packing::Frame);
        assert_eq!(unpack(&bomb), None);
        assert_eq!(unpack(b"no frame at all"), None);
    }

    fn noise(len: u32, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn parts_of_a_stream_refer_to_what_goes_before() {
        let packer = Packer::default();
        let (mut stream, mut unpacker) = (None, Unpacker::default());
        // Quiet as yet.
        assert_eq!(packer.pack_on(&mut stream, &mut vec![7; BUSY - 1], 0), Packing::Frame);
        assert!(stream.is_none());
        let picture = noise(100_000, 1);
        for segment in 1..4 {
            for (at, clear) in
                [&picture[..], &picture, b"short", &[], &noise(130_000, segment)].iter().enumerate()
            {
                let mut buffer = [b"head", *clear].concat();
                let packing = packer.pack_on(&mut stream, &mut buffer, 4);
                assert_eq!(packing, if at == 0 { Packing::First } else { Packing::Next });
                assert!(buffer.starts_with(b"head"));
                assert!(buffer.len() <= clear.len() + 64);
                assert!(at != 1 || buffer.len() < 100, "{} bytes of what came before", buffer.len());
                assert!(unpacker.unpack(&buffer[4..], segment, at == 0).as_deref() == Some(clear));
            }
            assert_eq!(packer.streams.load(Ordering::Relaxed), 1);
            stream = None;
            assert_eq!(packer.streams.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn a_part_needs_all_those_before() {
        let packer = Packer::default();
        let mut stream = None;
        let parts = [1, 2, 3].map(|seed| {
            let mut buffer = noise(5000, seed);
            packer.pack_on(&mut stream, &mut buffer, 0);
            buffer
        });
        let [first, second, third] = &parts;
        let mut unpacker = Unpacker::default();
        assert_eq!(unpacker.unpack(second, 1, false), None);
        assert!(unpacker.unpack(first, 1, true).is_some());
        assert_eq!(unpacker.unpack(second, 2, false), None, "another segment");
        assert_eq!(unpacker.unpack(second, 1, false), None, "the stream is lost");
        assert!(unpacker.unpack(first, 1, true).is_some());
        assert!(unpacker.unpack(second, 1, false).is_some());
        assert_eq!(unpacker.unpack(b"nothing of the kind", 1, false), None);
        assert_eq!(unpacker.unpack(third, 1, false), None);
        for len in 0..first.len() {
            let _ = Unpacker::default().unpack(&first[..len], 1, true);
        }
    }

    #[test]
    fn a_bomb_is_no_part() {
        let packer = Packer::default();
        let mut stream = None;
        for (len, fits) in [(MAX_BODY - 1, true), (MAX_BODY + 1, false), (MAX_BODY * 3, false)] {
            let mut bomb = vec![0; len];
            packer.pack_on(&mut stream, &mut bomb, 0);
            assert_eq!(Unpacker::default().unpack(&bomb, 1, true).is_some(), fits, "{len}");
            stream = None;
        }
    }

    #[test]
    fn there_are_not_too_many_streams() {
        let packer = Packer::default();
        let mut streams: Vec<Option<Stream>> = (0..=MAX_STREAMS).map(|_| None).collect();
        let (last, others) = streams.split_last_mut().unwrap();
        for stream in others.iter_mut() {
            *stream = Stream::new(&packer.streams);
            assert!(stream.is_some());
        }
        assert_eq!(packer.pack_on(last, &mut vec![0; 100_000], 0), Packing::Frame);
        others[0] = None;
        assert_eq!(packer.pack_on(last, &mut vec![0; 100_000], 0), Packing::First);
    }
}
