//! Pictures that may not be seen at present, and what may not overtake them.
//!
//! A picture that was made while [`View`](passerelle_desktop::Permission::View) was there, or before the target took note
//! that it is not, cannot be left out: what is compressed after it builds upon it. It waits here, in the order in which
//! it came, and other channels go on.

use std::collections::{BTreeSet, VecDeque};

/// How many bytes wait at most. A target that was asked for no output soon sends none; one that goes on nevertheless
/// waits itself, with all that it has to say.
const MOST: usize = 1 << 20;

/// What a PDU that must wait is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The share's updates: the fast path, and what shares its compression or its state in the I/O channel.
    Updates,
    /// A chunk of the dynamic channels.
    Dynamic {
        /// Of this channel, if it begins a message.
        id: Option<u32>,
        /// Whether it ends one.
        last: bool,
    },
}

/// What waits for the viewer.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Whole PDUs of the target.
    pdus: VecDeque<Vec<u8>>,
    bytes: usize,
    updates: bool,
    /// Dynamic channels of which something waits.
    channels: BTreeSet<u32>,
    /// Whether more chunks are to come of the last message that waits.
    unfinished: bool,
    /// Whether what waits begins in the middle of a message of which a part has passed: no other message of a dynamic
    /// channel can pass before it.
    interrupts: bool,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.pdus.is_empty()
    }

    /// Whether updates wait.
    pub(super) fn has_updates(&self) -> bool {
        self.updates
    }

    /// Whether something of a dynamic channel waits.
    pub(super) fn has_dynamic(&self) -> bool {
        self.interrupts || !self.channels.is_empty()
    }

    /// Whether what waits goes on with a message that has begun to pass.
    pub(super) fn interrupts(&self) -> bool {
        self.interrupts
    }

    /// Whether a chunk of the dynamic channels must wait for those that do: one that begins a message of the channel
    /// `id`, or goes on with one.
    pub(super) fn stops(&self, id: Option<u32>, first: bool) -> bool {
        self.interrupts
            || if first { id.is_some_and(|id| self.channels.contains(&id)) } else { self.unfinished }
    }

    /// Lets a PDU wait. False if too much waits already.
    pub(super) fn hold(&mut self, pdu: &[u8], part: Part) -> bool {
        if self.bytes.saturating_add(pdu.len()) > MOST {
            return false;
        }
        match part {
            Part::Updates => self.updates = true,
            Part::Dynamic { id, last } => {
                match id {
                    Some(id) => drop(self.channels.insert(id)),
                    None => self.interrupts |= !self.unfinished,
                }
                self.unfinished = !last;
            }
        }
        self.bytes += pdu.len();
        self.pdus.push_back(pdu.to_vec());
        true
    }

    /// Takes all that waits, in order.
    pub(super) fn take(&mut self) -> VecDeque<Vec<u8>> {
        std::mem::take(self).pdus
    }
}
