//! What the relay itself has to say, until it can be said.

use std::collections::VecDeque;

use passerelle_desktop::Side;

use super::RelayViolation;
use super::frame::send_data;
use super::legs::{Legs, Place};
use super::outcome::Address;

/// Bytes that wait for one side, above which the side that causes most of them waits too.
const ENOUGH: usize = 64 * 1024;

/// Bytes that never wait for one side: its own messages would have to be held open all the time.
const TOO_MUCH: usize = 8 * 1024 * 1024;

/// Longest part of a channel's message in one chunk (MS-RDPBCGR 3.1.5.2.1, `CHANNEL_CHUNK_LENGTH`).
const CHUNK: usize = 1600;

/// Something that the relay says.
#[derive(Debug)]
pub(super) enum Say {
    /// A fast-path PDU.
    FastPath(Vec<u8>),
    /// User data in the I/O channel.
    Io(Vec<u8>),
    /// A message in the static channel at this place of the list.
    Static(usize, Vec<u8>),
}

/// What waits for both sides.
#[derive(Debug, Default)]
pub(super) struct Injections {
    viewer: Waiting,
    target: Waiting,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Say>,
    bytes: usize,
}

impl Say {
    fn len(&self) -> usize {
        match self {
            Say::FastPath(bytes) | Say::Io(bytes) | Say::Static(_, bytes) => bytes.len(),
        }
    }
}

impl Injections {
    pub(super) fn push(&mut self, to: Side, say: Say) {
        let waiting = self.waiting(to);
        waiting.bytes = waiting.bytes.saturating_add(say.len());
        waiting.queue.push_back(say);
    }

    fn waiting(&mut self, to: Side) -> &mut Waiting {
        match to {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Whether `from` must wait before more of what it sends is looked at: answers to it are held up.
    ///
    /// # Errors
    /// So much waits for the other side that `from` must hold a message open and speak all the time.
    pub(super) fn is_full(&self, from: Side) -> Result<bool, RelayViolation> {
        let (back, forth) = match from {
            Side::Viewer => (&self.viewer, &self.target),
            Side::Target => (&self.target, &self.viewer),
        };
        if forth.bytes > TOO_MUCH {
            return Err(RelayViolation::TooMuchWaits);
        }
        Ok(back.bytes > ENOUGH)
    }

    /// What can be said to `to` now, in the numbers of its leg. `between` tells whether the static channel at a place
    /// is between two messages towards `to`, and whether it shows its headers.
    pub(super) fn take(
        &mut self,
        to: Side,
        legs: &Legs,
        between: impl Fn(usize) -> (bool, bool),
    ) -> Option<Vec<u8>> {
        let waiting = self.waiting(to);
        if waiting.queue.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        let mut later = VecDeque::new();
        let mut bytes = 0_usize;
        for say in waiting.queue.drain(..) {
            match say {
                Say::FastPath(pdu) => out.extend(pdu),
                Say::Io(data) => {
                    if let Some(address) = legs.address(to, Place::Io) {
                        send_data(&mut out, to, address.initiator, address.channel, data.len());
                        out.extend(data);
                    }
                }
                Say::Static(index, message) => match (between(index), legs.address(to, Place::Static(index)))
                {
                    (_, None) => {}
                    ((true, show_protocol), Some(address)) => {
                        chunks(&mut out, to, address, show_protocol, &message);
                    }
                    ((false, _), Some(_)) => {
                        bytes = bytes.saturating_add(message.len());
                        later.push_back(Say::Static(index, message));
                    }
                },
            }
        }
        waiting.queue = later;
        waiting.bytes = bytes;
        (!out.is_empty()).then_some(out)
    }
}

/// Appends a whole message of a static channel, in as many chunks as it takes (MS-RDPBCGR 2.2.6.1.1).
pub(super) fn chunks(out: &mut Vec<u8>, to: Side, address: Address, show_protocol: bool, message: &[u8]) {
    let total = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let parts = message.len().div_ceil(CHUNK);
    for (number, part) in message.chunks(CHUNK).enumerate() {
        let first = u32::from(number == 0);
        let last = u32::from(number + 1 == parts) << 1;
        send_data(out, to, address.initiator, address.channel, part.len() + 8);
        out.extend(total.to_le_bytes());
        out.extend((first | last | u32::from(show_protocol) << 4).to_le_bytes());
        out.extend(part);
    }
}
