mod chunks;
mod client;
mod rectangles;
mod server;

use super::{Reach, ServerFramer, ServerViolation, Span};
use crate::message::{ServerMessage, rectangle_header, update_header};
use crate::{Encoding, Limits, PixelFormat, Rectangle, ServerInit};

const WIDTH: u16 = 640;
const HEIGHT: u16 = 480;

fn init() -> ServerInit {
    ServerInit { width: WIDTH, height: HEIGHT, pixel_format: PixelFormat::BGRX, name: "desk".into() }
}

/// A framer for a server that was offered everything.
fn framer() -> ServerFramer {
    let mut framer = ServerFramer::new(&init(), Limits::default());
    for encoding in Encoding::FRAMED {
        framer.offer(*encoding);
    }
    framer
}

/// What came of a stream: runs of passed bytes are joined, since chunking may split them.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Passed(usize),
    Body(usize),
    Message(String),
}

fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match (pieces.last_mut(), piece) {
        (Some(Piece::Passed(sum)), Piece::Passed(len)) => *sum += len,
        (Some(Piece::Body(sum)), Piece::Body(len)) => *sum += len,
        (_, piece) => pieces.push(piece),
    }
}

fn record<M: std::fmt::Debug>(pieces: &mut Vec<Piece>, span: Span<M>, held: usize) -> Option<usize> {
    let len = match span {
        Span::NeedMore { total } => {
            assert!(total > held, "asked for {total} bytes while holding {held}");
            assert!(total < 2 << 20, "asked for {total} bytes");
            return None;
        }
        Span::Pass { len } => {
            push(pieces, Piece::Passed(len));
            len
        }
        Span::Body { len } => {
            push(pieces, Piece::Body(len));
            len
        }
        Span::Message { len, message } => {
            push(pieces, Piece::Message(format!("{message:?}")));
            len
        }
    };
    assert!(len > 0 && len <= held, "consumed {len} of {held} bytes");
    Some(len)
}

/// Frames a server's stream that arrives in the given chunks. Also returns how many bytes stayed unconsumed.
fn frame<'a>(
    framer: &mut ServerFramer,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    reach: Reach,
) -> (Vec<Piece>, Result<usize, ServerViolation>) {
    let mut pieces = Vec::new();
    let mut held = Vec::new();
    for chunk in chunks {
        held.extend_from_slice(chunk);
        loop {
            let span = match framer.next(&held, reach) {
                Ok(span) => span,
                Err(violation) => return (pieces, Err(violation)),
            };
            let Some(len) = record(&mut pieces, span, held.len()) else { break };
            held.drain(..len);
        }
    }
    (pieces, Ok(held.len()))
}

fn whole(bytes: &[u8]) -> (Vec<Piece>, Result<usize, ServerViolation>) {
    frame(&mut framer(), [bytes], Reach::Buffer)
}

fn rectangle(area: Rectangle, encoding: Encoding, payload: &[u8]) -> Vec<u8> {
    [&rectangle_header(area, encoding)[..], payload].concat()
}

fn update(rectangles: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(rectangles.len()).unwrap();
    [update_header(count).to_vec(), rectangles.concat()].concat()
}

fn at(x: u16, y: u16, width: u16, height: u16) -> Rectangle {
    Rectangle { x, y, width, height }
}

fn message(message: ServerMessage<'_>) -> Piece {
    Piece::Message(format!("{message:?}"))
}
