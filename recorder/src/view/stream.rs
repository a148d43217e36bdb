//! The zstd stream of a chunk, written and read.

use std::io::{self, Read, Write};

use zstd::stream::{read, write};

use super::message::{MalformedView, Message, Parsed};

/// Browsers accept no larger window than 2^23 bytes.
const WINDOW_LOG: u32 = 23;
const LEVEL: i32 = 3;

/// Compresses the messages of one chunk.
pub(crate) struct Stream {
    encoder: write::Encoder<'static, Vec<u8>>,
    /// Bytes of messages that went in.
    pub(crate) plain: u64,
    /// Bytes of the stream that came out.
    pub(crate) bytes: u64,
}

impl Stream {
    pub(crate) fn new() -> io::Result<Self> {
        let mut encoder = write::Encoder::new(Vec::new(), LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        encoder.long_distance_matching(true)?;
        Ok(Self { encoder, plain: 0, bytes: 0 })
    }

    pub(crate) fn put(&mut self, message: &[u8]) -> io::Result<()> {
        self.plain += message.len() as u64;
        self.encoder.write_all(message)
    }

    /// Makes everything that went in come out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }

    /// Bytes that came out and were not taken.
    pub(crate) fn waiting(&self) -> u64 {
        self.encoder.get_ref().len() as u64
    }

    /// What came out since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(self.encoder.get_mut());
        self.bytes += bytes.len() as u64;
        bytes
    }

    /// Ends the stream and answers with what had not come out.
    pub(crate) fn finish(self) -> io::Result<(Vec<u8>, u64)> {
        let rest = self.encoder.finish()?;
        let bytes = self.bytes + rest.len() as u64;
        Ok((rest, bytes))
    }
}

/// Reads the messages of a chunk, or of several one after the other, from its zstd stream. Holds one message.
pub struct Messages<R: Read> {
    decoder: read::Decoder<'static, io::BufReader<R>>,
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
}

impl<R: Read> Messages<R> {
    /// Reads `stream`, which may come from anybody.
    ///
    /// # Errors
    /// There is no memory for the decoder.
    pub fn new(stream: R) -> io::Result<Self> {
        let mut decoder = read::Decoder::new(stream)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self { decoder, buffer: Vec::new(), start: 0 })
    }

    /// The next message and its time in milliseconds since the recording's start; nothing at the end.
    ///
    /// # Errors
    /// See [`MalformedView`]; nothing more can be read then.
    pub fn next_message(&mut self) -> Result<Option<(u32, Message<'_>)>, MalformedView> {
        let len = loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            if let Some((_, _, len)) = Message::parse(rest)? {
                break len;
            }
            let whole = rest.is_empty();
            if !self.read_more()? {
                return if whole { Ok(None) } else { Err(MalformedView::Stream) };
            }
        };
        let from = self.start;
        self.start += len;
        let bytes = self.buffer.get(from..self.start).unwrap_or_default();
        Ok(Message::parse(bytes)?.map(|(t_ms, message, _): Parsed<'_>| (t_ms, message)))
    }

    fn read_more(&mut self) -> Result<bool, MalformedView> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let len = self.buffer.len();
        self.buffer.resize(len + (128 << 10), 0);
        let room = self.buffer.get_mut(len..).unwrap_or_default();
        let read = self.decoder.read(room).map_err(|_| MalformedView::Stream);
        self.buffer.truncate(len + read.as_ref().copied().unwrap_or(0));
        Ok(read? > 0)
    }
}
