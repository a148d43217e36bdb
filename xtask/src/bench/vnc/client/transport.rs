//! A byte stream over TCP or over a WebSocket (RFC 6455), as websockify serves it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Bytes asked of the socket at once: large enough that the system calls do not bound the throughput,
/// small enough to stay in the second-level cache.
const BUFFER: usize = 256 * 1024;
/// A peer that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// How bytes travel on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As they are.
    Tcp,
    /// In binary WebSocket messages.
    WebSocket,
}

/// The sending half of a connection.
pub(super) struct Sender {
    socket: TcpStream,
    wire: Wire,
}

impl Sender {
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.wire == Wire::Tcp {
            self.socket.write_all(bytes)?;
            return Ok(());
        }
        // FIN and opcode 2 (binary); the mask bit is a client's duty, and a mask of zeros satisfies it.
        let mut frame = vec![0x82];
        match u16::try_from(bytes.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length as u8),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => bail!("the load client sends no message longer than 65535 bytes"),
        }
        frame.extend([0; 4]);
        frame.extend(bytes);
        self.socket.write_all(&frame)?;
        Ok(())
    }
}

/// A buffered connection.
pub(super) struct Transport {
    sender: Sender,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes left of the current WebSocket frame.
    frame_left: u64,
    /// Bytes that came over the socket, WebSocket headers included.
    received: u64,
}

impl Transport {
    pub(super) fn connect(address: SocketAddr, wire: Wire) -> Result<Self> {
        let socket = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let sender = Sender { socket, wire };
        let mut transport =
            Self { sender, buffer: vec![0; BUFFER], start: 0, end: 0, frame_left: 0, received: 0 };
        if wire == Wire::WebSocket {
            transport.upgrade(address)?;
        }
        Ok(transport)
    }

    /// Bytes that came over the socket so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Shrinks the buffer to what a few bytes need, for connections that stay idle.
    pub(super) fn shrink(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.truncate(self.end.max(4096));
        self.buffer.shrink_to_fit();
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.sender.send(bytes)
    }

    /// Another way to send on the same connection.
    pub(super) fn sender(&self) -> Result<Sender> {
        Ok(Sender { socket: self.sender.socket.try_clone()?, wire: self.sender.wire })
    }

    /// Whether bytes are there, or come within `patience`.
    pub(super) fn waits_for(&mut self, patience: Duration) -> Result<bool> {
        if self.start < self.end {
            return Ok(true);
        }
        self.sender.socket.set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
        let peeked = self.sender.socket.peek(&mut [0]);
        self.sender.socket.set_read_timeout(Some(PATIENCE))?;
        match peeked {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads `length` bytes and gives them to `keep` piece by piece.
    pub(super) fn consume(&mut self, mut length: usize, mut keep: impl FnMut(&[u8])) -> Result<()> {
        while length > 0 {
            let available = self.available()?.min(length);
            keep(&self.buffer[self.start..self.start + available]);
            self.start += available;
            self.frame_left = self.frame_left.saturating_sub(available as u64);
            length -= available;
        }
        Ok(())
    }

    /// At least one byte of content at `start`; how many there are.
    fn available(&mut self) -> Result<usize> {
        match self.sender.wire {
            Wire::Tcp => self.ensure(1)?,
            Wire::WebSocket => {
                while self.frame_left == 0 {
                    self.frame_header()?;
                }
                self.ensure(1)?;
            }
        }
        let buffered = self.end - self.start;
        Ok(match self.sender.wire {
            Wire::Tcp => buffered,
            Wire::WebSocket => buffered.min(usize::try_from(self.frame_left)?),
        })
    }

    fn frame_header(&mut self) -> Result<()> {
        self.ensure(2)?;
        let [opcode, length] = [self.buffer[self.start], self.buffer[self.start + 1]];
        ensure!(opcode & 0x0f <= 2, "the WebSocket peer sent opcode {} instead of data", opcode & 0x0f);
        let extended = match length & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.ensure(2 + extended)?;
        let digits = &self.buffer[self.start + 2..self.start + 2 + extended];
        self.frame_left = match extended {
            0 => u64::from(length & 0x7f),
            _ => digits.iter().fold(0, |value, digit| value << 8 | u64::from(*digit)),
        };
        self.start += 2 + extended;
        Ok(())
    }

    /// At least `wanted` bytes in the buffer, from `start` on.
    fn ensure(&mut self, wanted: usize) -> Result<()> {
        while self.end - self.start < wanted {
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
            } else if self.start + wanted > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let read =
                self.sender.socket.read(&mut self.buffer[self.end..]).context("reading from the peer")?;
            ensure!(read > 0, "the peer closed the connection");
            self.end += read;
            self.received += read as u64;
        }
        Ok(())
    }

    fn upgrade(&mut self, address: SocketAddr) -> Result<()> {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: binary\r\n\r\n"
        );
        self.sender.socket.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            self.ensure(1)?;
            answer.push(self.buffer[self.start]);
            self.start += 1;
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        ensure!(answer.starts_with("HTTP/1.1 101"), "the WebSocket upgrade failed: {}", answer.trim());
        Ok(())
    }
}
