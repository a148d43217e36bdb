//! The numbers of the two legs, and what they mean.

use passerelle_desktop::Side;

use super::RelayViolation;
use super::frame::{SERVER_USER, SendData};
use super::outcome::Address;
use crate::Channels;

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The I/O channel.
    Io,
    /// The message channel.
    Message,
    /// The static virtual channel at this place of the client's list.
    Static(usize),
}

/// Both legs' numbers.
#[derive(Debug)]
pub(super) struct Legs {
    viewer: Channels,
    target: Channels,
    /// In whose name the target sends: as it did last.
    server: u16,
}

impl Legs {
    pub(super) fn new(viewer: Channels, target: Channels) -> Self {
        Self { viewer, target, server: SERVER_USER }
    }

    pub(super) fn of(&self, side: Side) -> &Channels {
        match side {
            Side::Viewer => &self.viewer,
            Side::Target => &self.target,
        }
    }

    /// What the channel of a PDU from `from` is for. Remembers in whose name the target sends.
    pub(super) fn place(&mut self, from: Side, pdu: SendData) -> Result<Place, RelayViolation> {
        match from {
            Side::Viewer if pdu.initiator != self.viewer.user => {
                return Err(RelayViolation::Initiator(pdu.initiator));
            }
            Side::Viewer => {}
            Side::Target => self.server = pdu.initiator,
        }
        let channels = self.of(from);
        if pdu.channel == channels.io {
            return Ok(Place::Io);
        }
        if Some(pdu.channel) == channels.message {
            return Ok(Place::Message);
        }
        let index = channels.statics.iter().position(|channel| channel.id == pdu.channel);
        index.map(Place::Static).ok_or(RelayViolation::UnknownChannel(pdu.channel))
    }

    /// The numbers under which data for `place` go to `to`; none if that leg has no such channel.
    pub(super) fn address(&self, to: Side, place: Place) -> Option<Address> {
        let channels = self.of(to);
        let channel = match place {
            Place::Io => channels.io,
            Place::Message => channels.message?,
            Place::Static(index) => channels.statics.get(index)?.id,
        };
        let initiator = match to {
            Side::Target => channels.user,
            // Some servers send in the name of the client's user.
            Side::Viewer if self.server == self.target.user => channels.user,
            Side::Viewer => self.server,
        };
        Some(Address { initiator, channel })
    }
}
