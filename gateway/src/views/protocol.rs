//! What the gateway and the process that renders say to each other through two pipes.
//!
//! `len u32 | kind u8 | t_ms u32 | body of len bytes`, little-endian, in both directions.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

const HEAD: usize = 9;
/// The longest body that the process is sent: an entry of a recording.
pub(super) const MAX_ENTRY: usize = 64 << 20;
/// The longest body that it may send: a frame's messages, as they are, of the largest desktop.
const MAX_ANSWER: usize = 288 << 20;

/// What the process is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// `vnc` or `rdp`.
    pub(super) protocol: String,
    /// Length of the recording, if it is over.
    pub(super) length_ms: Option<u32>,
}

/// What the process is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// [`Setup`], as JSON.
    Setup,
    /// An entry of the `state` lane.
    State,
    /// An entry of the `target` lane.
    Target,
    /// Somebody typed or pointed; what, it is not told.
    Input,
    /// Everything up to this time was sent.
    Flush,
    /// Somebody comes to watch: a whole picture is wanted.
    Whole,
    /// Whether somebody watches: one byte.
    Watched,
    /// The recording ends at this time.
    End,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Bytes of the open chunk.
    Data,
    /// The end of the chunk that began at this time: sizes of stream and messages, u64 each, width and height, u16 each.
    EndOfChunk,
    /// A thumbnail of this time.
    Thumbnail,
    /// A frame's messages as they are.
    Watched,
    /// The same, which begin a chunk.
    WatchedWhole,
    /// Everything up to this time is rendered.
    Reached,
    /// What there is to say about the view so far, as JSON.
    Summary,
    /// The last summary.
    Done,
    /// Why it ends, in a sentence.
    Failed,
}

const ORDERS: [Order; 8] = [
    Order::Setup,
    Order::State,
    Order::Target,
    Order::Input,
    Order::Flush,
    Order::Whole,
    Order::Watched,
    Order::End,
];

const ANSWERS: [Answer; 9] = [
    Answer::Data,
    Answer::EndOfChunk,
    Answer::Thumbnail,
    Answer::Watched,
    Answer::WatchedWhole,
    Answer::Reached,
    Answer::Summary,
    Answer::Done,
    Answer::Failed,
];

pub(super) fn send_order(to: &mut impl Write, order: Order, t_ms: u32, body: &[u8]) -> io::Result<()> {
    let kind = ORDERS.iter().position(|known| *known == order);
    send(to, kind, t_ms, body)
}

pub(super) fn send_answer(to: &mut impl Write, answer: Answer, t_ms: u32, body: &[u8]) -> io::Result<()> {
    let kind = ANSWERS.iter().position(|known| *known == answer);
    send(to, kind, t_ms, body)
}

/// The next order; nothing at the end.
pub(super) fn order(from: &mut impl Read, body: &mut Vec<u8>) -> io::Result<Option<(Order, u32)>> {
    let Some((kind, t_ms)) = receive(from, MAX_ENTRY, body)? else { return Ok(None) };
    let order = ORDERS.get(usize::from(kind)).ok_or_else(|| malformed("an order that is none"))?;
    Ok(Some((*order, t_ms)))
}

/// The next answer; nothing at the end.
pub(super) fn answer(from: &mut impl Read, body: &mut Vec<u8>) -> io::Result<Option<(Answer, u32)>> {
    let Some((kind, t_ms)) = receive(from, MAX_ANSWER, body)? else { return Ok(None) };
    let answer = ANSWERS.get(usize::from(kind)).ok_or_else(|| malformed("an answer that is none"))?;
    Ok(Some((*answer, t_ms)))
}

fn send(to: &mut impl Write, kind: Option<usize>, t_ms: u32, body: &[u8]) -> io::Result<()> {
    let len = u32::try_from(body.len()).map_err(|_| malformed("a body that is too long"))?;
    let kind =
        kind.and_then(|kind| u8::try_from(kind).ok()).ok_or_else(|| malformed("a kind that is none"))?;
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&len.to_le_bytes());
    head[4] = kind;
    head[5..].copy_from_slice(&t_ms.to_le_bytes());
    to.write_all(&head)?;
    to.write_all(body)
}

fn receive(from: &mut impl Read, most: usize, body: &mut Vec<u8>) -> io::Result<Option<(u8, u32)>> {
    body.clear();
    let mut first = [0];
    if from.read(&mut first)? == 0 {
        return Ok(None);
    }
    let mut rest = [0; HEAD - 1];
    from.read_exact(&mut rest)?;
    let ([l0], [l1, l2, l3, kind, t0, t1, t2, t3]) = (first, rest);
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if len > most {
        return Err(malformed("a body that is too long"));
    }
    // Memory is taken as the bytes come, not as they are announced.
    if from.take(len as u64).read_to_end(body)? < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind, u32::from_le_bytes([t0, t1, t2, t3]))))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_nonsense_is_refused() {
        let mut pipe = Vec::new();
        for (number, order) in (0..).zip(ORDERS) {
            send_order(&mut pipe, order, number, b"abc").unwrap();
        }
        for (number, answer) in (0..).zip(ANSWERS) {
            send_answer(&mut pipe, answer, number, b"").unwrap();
        }
        let (mut from, mut body) = (&pipe[..], Vec::new());
        for (number, expected) in (0..).zip(ORDERS) {
            assert_eq!(order(&mut from, &mut body).unwrap(), Some((expected, number)));
            assert_eq!(body, b"abc");
        }
        for (number, expected) in (0..).zip(ANSWERS) {
            assert_eq!(answer(&mut from, &mut body).unwrap(), Some((expected, number)));
        }
        assert_eq!(answer(&mut from, &mut body).unwrap(), None);
        for bytes in
            [&b"\xff\xff\xff\xff\x00\0\0\0\0"[..], b"\0\0\0\0\x63\0\0\0\0", b"\x09\0\0\0\0\0\0\0\0a", b"\0\0"]
        {
            assert!(answer(&mut &bytes[..], &mut body).is_err());
        }
    }
}
