//! The bytes of a recording: record heads, checkpoints, entries, the hash chain. `FORMAT.md` in code.
//!
//! Pure functions, no I/O. What they read may come from anybody.

use ring::digest::{Context, SHA256};

use crate::{Class, Lane, PublicKey, SigningKey};

/// Length of a record's head: `len u32 | class u8 | t_ms u32`.
pub(crate) const HEAD: usize = 9;
/// Length of the AES-256-GCM tag at the end of a sealed body.
pub(crate) const TAG: usize = 16;
/// The longest body that a reader accepts.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// The longest encoding of what stands before an entry's bytes.
pub(crate) const MAX_ENTRY_HEAD: usize = 1 + 10 + 5 + 5;

/// In a record's class: more records of the same group follow.
const MORE: u8 = 0x80;
/// In a record's class: what is sealed is a zstd frame with the batch.
const PACKED: u8 = 0x40;
/// In a record's class: what is sealed is a part of the segment's zstd stream, with [`PACKED`] its first one.
const STREAMED: u8 = 0x20;
/// In an entry's lane: the next entry of the lane continues this one.
const CONTINUED: u8 = 0x80;

const CHAIN_CONTEXT: &[u8] = b"passerelle recording 1\0";
const CHECKPOINT_CONTEXT: &[u8] = b"passerelle checkpoint 1\0";
const SIGNATURE: usize = 64;

/// A link of the hash chain.
pub(crate) type Hash = [u8; 32];

/// The chain's first link, which binds the header.
pub(crate) fn chain_start(header: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(CHAIN_CONTEXT);
    context.update(header);
    finish(context)
}

/// The link after a record that is stored as `head` and `body`.
pub(crate) fn chain_next(previous: &Hash, head: &[u8], body: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(head);
    context.update(body);
    finish(context)
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A signed checkpoint, in clear.
    Checkpoint,
    /// A sealed batch of entries.
    Batch {
        /// Whose key seals it.
        class: Class,
        /// Whether the next record belongs to the same group.
        more: bool,
        /// How what is sealed holds the batch.
        packing: Packing,
    },
}

/// How a body holds its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As it is.
    Plain,
    /// In a zstd frame of its own.
    Frame,
    /// In the first part of a zstd frame that later records of the class and the segment continue.
    First,
    /// In the next part of that.
    Next,
}

impl Packing {
    const ALL: [Self; 4] = [Self::Plain, Self::Frame, Self::First, Self::Next];

    const fn bits(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Frame => PACKED,
            Self::First => PACKED | STREAMED,
            Self::Next => STREAMED,
        }
    }

    fn of(class: u8) -> Self {
        let bits = class & (PACKED | STREAMED);
        Self::ALL.into_iter().find(|packing| packing.bits() == bits).unwrap_or(Self::Plain)
    }
}

/// What stands before a record's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Length of the body in bytes.
    pub(crate) len: u32,
    /// What the body is.
    pub(crate) content: Content,
    /// Milliseconds since the recording's start.
    pub(crate) t_ms: u32,
}

/// Why a head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("a record's length field is {0}, which no record has")]
    Length(u32),
    #[error("a record's class field is {0}, which means nothing")]
    Class(u8),
}

impl Head {
    pub(crate) fn encode(&self) -> [u8; HEAD] {
        let class = match self.content {
            Content::Checkpoint => 0,
            Content::Batch { class, more, packing } => {
                class.code() | if more { MORE } else { 0 } | packing.bits()
            }
        };
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&self.len.to_be_bytes());
        head[4] = class;
        head[5..].copy_from_slice(&self.t_ms.to_be_bytes());
        head
    }

    pub(crate) fn decode(head: &[u8; HEAD]) -> Result<Self, HeadError> {
        let [l0, l1, l2, l3, class, t0, t1, t2, t3] = *head;
        let len = u32::from_be_bytes([l0, l1, l2, l3]);
        if len as usize > MAX_BODY || (len as usize) < TAG {
            return Err(HeadError::Length(len));
        }
        let content = match class {
            0 => Content::Checkpoint,
            code => Content::Batch {
                class: Class::from_code(code & !(MORE | PACKED | STREAMED)).ok_or(HeadError::Class(code))?,
                more: code & MORE != 0,
                packing: Packing::of(code),
            },
        };
        Ok(Self { len, content, t_ms: u32::from_be_bytes([t0, t1, t2, t3]) })
    }
}

/// What AES-GCM authenticates besides the payload: the previous link, class and time.
pub(crate) fn associated_data(previous: &Hash, head: &[u8; HEAD]) -> [u8; 37] {
    let mut data = [0; 37];
    data[..32].copy_from_slice(previous);
    data[32..].copy_from_slice(&head[4..]);
    data
}

/// The nonce of the record with the number `seq`; each class has a key of its own in each recording.
pub(crate) fn nonce(seq: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&seq.to_be_bytes());
    nonce
}

/// What a checkpoint says about the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It goes on.
    GoesOn,
    /// It ended.
    End,
    /// It was found without an end and sealed afterwards.
    Recovered,
}

/// A checkpoint's clear text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// What it says.
    pub(crate) mark: Mark,
    /// Time of day, milliseconds since 1970.
    pub(crate) wall_ms: u64,
    /// Why the recording ended; empty when it goes on.
    pub(crate) end: String,
}

/// The place of a checkpoint in its recording.
pub(crate) struct Place<'a> {
    /// The recording.
    pub(crate) id: &'a str,
    /// Number of the checkpoint's record.
    pub(crate) seq: u64,
    /// The link before the checkpoint.
    pub(crate) previous: &'a Hash,
    /// The time in the record's head.
    pub(crate) t_ms: u32,
}

impl Checkpoint {
    /// The body of the checkpoint's record: `mark u8 | wall_ms u64 | end_len u16 | end | signature`.
    pub(crate) fn encode(&self, place: &Place<'_>, signer: &SigningKey) -> Vec<u8> {
        let mut body = self.clear();
        let signature = signer.sign(&signed_message(place, &body));
        body.extend_from_slice(&signature);
        body
    }

    /// Reads and verifies a body. `None`: malformed, or not signed by `signer` for this place.
    pub(crate) fn decode(body: &[u8], place: &Place<'_>, signer: &PublicKey) -> Option<Self> {
        let (clear, signature) = body.split_at_checked(body.len().checked_sub(SIGNATURE)?)?;
        let checkpoint = Self::parse(body)?;
        signer.verifies(&signed_message(place, clear), signature).then_some(checkpoint)
    }

    /// Reads a body without verifying it.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let clear = body.get(..body.len().checked_sub(SIGNATURE)?)?;
        let (mark, rest) = clear.split_first()?;
        let mark = match mark {
            0 => Mark::GoesOn,
            1 => Mark::End,
            2 => Mark::Recovered,
            _ => return None,
        };
        let (wall_ms, rest) = rest.split_first_chunk::<8>()?;
        let (end_len, end) = rest.split_first_chunk::<2>()?;
        if usize::from(u16::from_be_bytes(*end_len)) != end.len() {
            return None;
        }
        let end = std::str::from_utf8(end).ok()?.to_owned();
        Some(Self { mark, wall_ms: u64::from_be_bytes(*wall_ms), end })
    }

    fn clear(&self) -> Vec<u8> {
        let mut limit = self.end.len().min(1024);
        while !self.end.is_char_boundary(limit) {
            limit -= 1;
        }
        let end = self.end.as_bytes().get(..limit).unwrap_or_default();
        let mut clear = Vec::with_capacity(11 + end.len() + SIGNATURE);
        clear.push(match self.mark {
            Mark::GoesOn => 0,
            Mark::End => 1,
            Mark::Recovered => 2,
        });
        clear.extend_from_slice(&self.wall_ms.to_be_bytes());
        clear.extend_from_slice(&u16::try_from(end.len()).unwrap_or(0).to_be_bytes());
        clear.extend_from_slice(end);
        clear
    }
}

fn signed_message(place: &Place<'_>, clear: &[u8]) -> Vec<u8> {
    let mut message = CHECKPOINT_CONTEXT.to_vec();
    message.extend_from_slice(&(place.id.len() as u64).to_be_bytes());
    message.extend_from_slice(place.id.as_bytes());
    message.extend_from_slice(&place.seq.to_be_bytes());
    message.extend_from_slice(place.previous);
    message.extend_from_slice(&place.t_ms.to_be_bytes());
    message.extend_from_slice(clear);
    message
}

/// Writes what stands before an entry's bytes.
pub(crate) fn put_entry_head(out: &mut Vec<u8>, lane: Lane, continued: bool, seq: u64, t: u32, len: usize) {
    out.push(lane.code() | if continued { CONTINUED } else { 0 });
    put_varint(out, seq);
    put_varint(out, u64::from(t));
    put_varint(out, len as u64);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// One entry of a batch, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) seq: u64,
    pub(crate) t_ms: u32,
    pub(crate) lane: Lane,
    /// The next piece of the lane belongs to the same entry.
    pub(crate) continued: bool,
    pub(crate) bytes: &'a [u8],
}

/// Where the reading of a batch stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    offset: usize,
    seq: u64,
    t_ms: u32,
}

/// A batch that its writer never wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record's content is malformed")]
pub(crate) struct MalformedBatch;

impl Cursor {
    /// At the beginning of the batch whose head has the time `t_ms`.
    pub(crate) fn new(t_ms: u32) -> Self {
        Self { offset: 0, seq: 0, t_ms }
    }

    /// The piece at the cursor, and the cursor behind it; `None` at the end.
    pub(crate) fn next(self, payload: &[u8]) -> Result<Option<(Piece<'_>, Self)>, MalformedBatch> {
        let mut rest = payload.get(self.offset..).ok_or(MalformedBatch)?;
        let Some((code, after)) = rest.split_first() else { return Ok(None) };
        rest = after;
        let lane = Lane::from_code(code & !CONTINUED).ok_or(MalformedBatch)?;
        let mut number = || take_varint(&mut rest).ok_or(MalformedBatch);
        let seq = self.seq.checked_add(number()?).ok_or(MalformedBatch)?;
        let t = u32::try_from(number()?).map_err(|_| MalformedBatch)?;
        let t_ms = self.t_ms.checked_add(t).ok_or(MalformedBatch)?;
        let len = usize::try_from(number()?).map_err(|_| MalformedBatch)?;
        let (bytes, rest) = rest.split_at_checked(len).ok_or(MalformedBatch)?;
        let piece = Piece { seq, t_ms, lane, continued: code & CONTINUED != 0, bytes };
        Ok(Some((piece, Self { offset: payload.len() - rest.len(), seq, t_ms })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_round_trip_and_nonsense_is_refused() {
        for content in [
            Content::Checkpoint,
            Content::Batch { class: Class::Input, more: true, packing: Packing::Plain },
            Content::Batch { class: Class::Screen, more: false, packing: Packing::Frame },
            Content::Batch { class: Class::Screen, more: true, packing: Packing::First },
            Content::Batch { class: Class::Screen, more: false, packing: Packing::Next },
        ] {
            let head = Head { len: 77, content, t_ms: 0x0102_0304 };
            assert_eq!(Head::decode(&head.encode()), Ok(head));
        }
        assert_eq!(Head::decode(&[0; HEAD]), Err(HeadError::Length(0)));
        assert_eq!(Head::decode(&[0xff; HEAD]), Err(HeadError::Length(u32::MAX)));
        assert_eq!(Head::decode(&[0, 0, 0, 99, 0x80, 0, 0, 0, 0]), Err(HeadError::Class(0x80)));
    }

    #[test]
    fn checkpoints_hold_for_their_place_only() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let other = SigningKey::from_seed(&[2; 32]).unwrap();
        let place = |id, seq, t_ms| Place { id, seq, previous: &[3; 32], t_ms };
        let checkpoint = Checkpoint { mark: Mark::End, wall_ms: 5, end: "logged out".into() };
        let body = checkpoint.encode(&place("a", 9, 1), &key);
        let read = |place, key: &SigningKey| Checkpoint::decode(&body, &place, &key.public_key());
        assert_eq!(read(place("a", 9, 1), &key), Some(checkpoint.clone()));
        assert_eq!(read(place("b", 9, 1), &key), None);
        assert_eq!(read(place("a", 8, 1), &key), None);
        assert_eq!(read(place("a", 9, 2), &key), None);
        assert_eq!(read(place("a", 9, 1), &other), None);

        let long = Checkpoint { end: "é".repeat(2000), ..checkpoint };
        let body = long.encode(&place("a", 9, 1), &key);
        let read = Checkpoint::decode(&body, &place("a", 9, 1), &key.public_key()).unwrap();
        assert_eq!(read.end, "é".repeat(512), "a long reason is cut, never refused");
    }

    proptest! {
        #[test]
        fn varints_round_trip(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert!(out.len() <= 10);
            let mut input = out.as_slice();
            prop_assert_eq!(take_varint(&mut input), Some(value));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(payload: Vec<u8>, t_ms: u32) {
            let mut cursor = Cursor::new(t_ms);
            while let Ok(Some((_, next))) = cursor.next(&payload) {
                prop_assert!(next.offset > cursor.offset);
                cursor = next;
            }
            let _ = Checkpoint::parse(&payload);
        }
    }
}
