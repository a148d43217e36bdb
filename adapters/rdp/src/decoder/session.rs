//! From PDUs to the parts that draw them.

use ironrdp_core::decode;
use ironrdp_pdu::Action;
use ironrdp_pdu::mcs::McsMessage;
use ironrdp_pdu::x224::X224;
use passerelle_desktop::{Blackout, Damage, DecodeError, Framebuffer, Pointer, Size, Skipped, Tally};

use super::bulk::Bulk;
use super::channel::Chunks;
use super::dynamic::Dynamic;
use super::fast_path::Fragments;
use super::screen::Screen;
use super::share;
use super::skipped::Part;
use crate::Start;

pub(super) struct Session {
    io_channel: u16,
    static_channels: Vec<u16>,
    drdynvc: Option<u16>,
    bulk: Bulk,
    fragments: Fragments,
    chunks: Chunks,
    dynamic: Dynamic,
    screen: Screen,
    blackout: Option<Blackout>,
    tally: Tally,
}

impl Session {
    pub(super) fn new(start: &Start) -> Self {
        Self {
            io_channel: start.io_channel,
            static_channels: start.static_channels.iter().map(|(_, id)| *id).collect(),
            drdynvc: start.drdynvc(),
            bulk: if start.plain { Bulk::none() } else { Bulk::default() },
            fragments: Fragments::default(),
            chunks: Chunks::default(),
            dynamic: Dynamic::default(),
            screen: Screen::new(Size { width: start.width, height: start.height }),
            blackout: None,
            tally: Tally::default(),
        }
    }

    /// From here on nothing is drawn.
    pub(super) fn darken(&mut self, asked: Blackout) {
        // The rest of what is incomplete is missing.
        self.fragments = Fragments::default();
        self.chunks.discard();
        self.screen.blacken();
        self.blackout = Some(asked);
    }

    /// From here on it is again.
    pub(super) fn lighten(&mut self) {
        self.blackout = None;
    }

    pub(super) fn blackout(&self) -> Option<&Blackout> {
        self.blackout.as_ref()
    }

    /// Draws one PDU.
    pub(super) fn receive(&mut self, action: Action, pdu: &[u8]) -> Result<(), DecodeError> {
        let Self { bulk, fragments, screen, tally, .. } = self;
        match action {
            Action::FastPath => {
                fragments
                    .receive(pdu, bulk, tally, &mut |code, data, tally| screen.update(code, data, tally));
                Ok(())
            }
            Action::X224 => match decode::<X224<McsMessage<'_>>>(pdu) {
                Ok(X224(McsMessage::SendDataIndication(message))) => {
                    self.send_data(message.channel_id, &message.user_data)
                }
                // The end, which has no picture.
                Ok(X224(McsMessage::DisconnectProviderUltimatum(_))) => Ok(()),
                _ => {
                    tally.add(Part::Malformed);
                    Ok(())
                }
            },
        }
    }

    fn send_data(&mut self, channel: u16, data: &[u8]) -> Result<(), DecodeError> {
        let Self { bulk, screen, tally, .. } = self;
        if channel == self.io_channel {
            share::receive(data, bulk, screen, tally)?;
        } else if self.static_channels.contains(&channel) {
            let chunk = Chunks::plain(data, bulk, tally);
            if self.drdynvc == Some(channel) {
                match chunk {
                    Some((flags, content)) => {
                        if let Some(message) = self.chunks.message(flags, content, tally) {
                            self.dynamic.receive(&message, screen, tally);
                        }
                    }
                    None => self.chunks.discard(),
                }
            }
        }
        // What remains is the message channel: measurements and heartbeats.
        Ok(())
    }

    pub(super) fn take_damage(&mut self) -> Damage {
        self.screen.take_damage()
    }

    pub(super) fn framebuffer(&self) -> &Framebuffer {
        self.screen.framebuffer()
    }

    pub(super) fn pointer(&self) -> &Pointer {
        if self.blackout.is_some() { &Pointer::Hidden } else { self.screen.pointer() }
    }

    pub(super) fn pointer_position(&self) -> Option<(u16, u16)> {
        self.screen.pointer_position()
    }

    pub(super) fn skipped(&self) -> &[Skipped] {
        self.tally.list()
    }
}
