//! Dynamic virtual channels (MS-RDPEDYC), of which only the graphics pipeline draws.

use ironrdp_bulk::rdp8::Rdp8Decompressor;
use ironrdp_core::decode;
use ironrdp_dvc::pdu::{DrdynvcDataPdu, DrdynvcServerPdu};
use ironrdp_egfx::CHANNEL_NAME;
use passerelle_desktop::Tally;

use super::graphics::Graphics;
use super::screen::Screen;
use super::skipped::Part;

/// The longest message that is put together. A frame of pixels is compressed within it.
const MAX_MESSAGE: usize = 64 << 20;

/// The target's side of `drdynvc`.
#[derive(Default)]
pub(super) struct Dynamic(Option<Channel>);

/// The graphics channel. A target has one; a second one replaces it.
struct Channel {
    id: u32,
    message: Message,
    graphics: Graphics,
}

/// A message of a channel, put together of its parts.
#[derive(Default)]
struct Message {
    /// The announced length and what came of it.
    unfinished: Option<(usize, Vec<u8>)>,
    decompressor: Option<Rdp8Decompressor>,
    /// A part is missing: both the compression of the channel and that of the pipeline build on it.
    lost: bool,
}

impl Dynamic {
    /// Draws what one PDU of the target brings.
    ///
    /// What the viewer answered is not on this lane. A channel that it refused has no data.
    pub(super) fn receive(&mut self, pdu: &[u8], screen: &mut Screen, tally: &mut Tally) {
        match decode::<DrdynvcServerPdu>(pdu) {
            Ok(DrdynvcServerPdu::Create(create)) if create.channel_name() == CHANNEL_NAME => {
                self.0 = Some(Channel {
                    id: create.channel_id(),
                    message: Message::default(),
                    graphics: Graphics::new(),
                });
            }
            Ok(DrdynvcServerPdu::Close(close)) => {
                self.0.take_if(|channel| channel.id == close.channel_id());
            }
            Ok(DrdynvcServerPdu::Data(data)) => {
                let Some(channel) = self.0.as_mut().filter(|channel| channel.id == data.channel_id()) else {
                    return;
                };
                if let Some(message) = channel.message.part(data, tally) {
                    channel.graphics.receive(&message, screen, tally);
                }
            }
            Ok(_) => {}
            Err(_) => tally.add(Part::Malformed),
        }
    }
}

impl Message {
    /// The message that `part` completes.
    fn part(&mut self, part: DrdynvcDataPdu, tally: &mut Tally) -> Option<Vec<u8>> {
        if self.lost {
            tally.add(Part::History);
            return None;
        }
        let complete = match part {
            DrdynvcDataPdu::DataFirst(first) => self.first(first.length(), first.into_data()),
            DrdynvcDataPdu::Data(next) => self.next(next.into_data()),
            DrdynvcDataPdu::DataFirstCompressed(first) => {
                self.plain(first.data(), tally).and_then(|data| self.first(first.length(), data))
            }
            DrdynvcDataPdu::DataCompressed(next) => {
                self.plain(next.data(), tally).and_then(|data| self.next(data))
            }
            _ => Err(Part::Malformed),
        };
        complete.unwrap_or_else(|part| {
            self.lost = true;
            self.unfinished = None;
            tally.add(part);
            None
        })
    }

    fn plain(&mut self, data: &[u8], tally: &mut Tally) -> Result<Vec<u8>, Part> {
        let decompressor = self.decompressor.get_or_insert_with(Rdp8Decompressor::new_lite);
        let mut plain = Vec::new();
        match tally.contain(|| decompressor.decompress(data, &mut plain)) {
            Some(Ok(_)) => Ok(plain),
            _ => Err(Part::History),
        }
    }

    fn first(&mut self, length: u32, data: Vec<u8>) -> Result<Option<Vec<u8>>, Part> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(Part::TooLong);
        }
        self.unfinished = Some((length, Vec::new()));
        self.next(data)
    }

    fn next(&mut self, data: Vec<u8>) -> Result<Option<Vec<u8>>, Part> {
        let Some((length, mut message)) = self.unfinished.take() else { return Ok(Some(data)) };
        message.extend_from_slice(&data);
        if message.len() > length {
            return Err(Part::Malformed);
        }
        if message.len() == length {
            return Ok(Some(message));
        }
        self.unfinished = Some((length, message));
        Ok(None)
    }
}
