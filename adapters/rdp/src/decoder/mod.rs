//! Pictures from a recorded session.
//!
//! [`RdpDecoder`] reads the `target` lane of a recording as the viewer did and keeps the picture that the viewer
//! saw. Nothing is sent and no clock is read, so a recording is drawn as fast as it can be read.
//!
//! Drawn are bitmap updates (raw, interleaved RLE, RDP 6.0 planar) of the slow and the fast path, palettes,
//! surface commands with raw and RemoteFX pixels, pointers, and the graphics pipeline (MS-RDPEGFX) with raw
//! pixels, planar, ClearCodec, RemoteFX, progressive RemoteFX, alpha, fills, copies and its cache; H.264
//! (AVC420, AVC444) with the crate's feature `openh264`. Bulk compression of every kind is undone for updates
//! and for virtual channels.
//!
//! Not drawn, but counted in [`skipped`](Decoder::skipped): drawing orders, NSCodec and other surface codecs,
//! RemoteApp windows, pixels from a viewer's persistent cache (they were never on this wire), and what is
//! damaged. A recorded session keeps these out of its negotiation, so that nothing is missing from its pictures.
//! Not on the wire at all is where the viewer's pointer is, unless the target moves it. The Video Optimized
//! Remoting channels (MS-RDPEVOR) are not decoded; a relay does not let them open.
//!
//! A recording may come from a hostile target. No length in it is believed before its bytes have come, messages
//! and desktops are bounded, and a decoder of the IronRDP family that panics is contained: the update is counted
//! and the picture goes on.

mod bitmap;
pub(crate) mod bulk;
mod channel;
mod dynamic;
mod effort;
pub(crate) mod fast_path;
mod graphics;
mod screen;
mod session;
pub(crate) mod share;
mod skipped;

use ironrdp_pdu::{Action, find_size};
use passerelle_desktop::{Blackout, Damage, DecodeError, Decoder, Framebuffer, Pointer, Skipped};

pub use skipped::Part;

use crate::{Marker, Start};
use session::Session;

/// Draws a recorded session. Its first `state` entry is [`Start`]; there the picture is black and has the size that
/// the viewer asked for, or one pixel where no desktop can have that, until the target says which size it has.
///
/// Holds the picture three times, the surfaces and the cache of the graphics pipeline (at most 256 MiB), and one
/// unfinished message of at most 64 MiB on each way; the picture has at most
/// [`Framebuffer::MAX_PIXELS`] pixels.
#[derive(Default)]
pub struct RdpDecoder {
    /// What came and is not a whole PDU yet.
    pending: Vec<u8>,
    session: Option<Session>,
    /// The picture before there is a session.
    nothing: Framebuffer,
}

impl RdpDecoder {
    /// A decoder that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Decoder for RdpDecoder {
    fn state(&mut self, entry: &[u8]) -> Result<(), DecodeError> {
        let Some(session) = &mut self.session else {
            let start = Start::decode(entry).map_err(|error| DecodeError::State(error.to_string()))?;
            self.session = Some(Session::new(&start));
            return Ok(());
        };
        match Marker::parse(entry).map_err(|error| DecodeError::State(error.to_string()))? {
            Marker::Blackout(asked) => session.darken(asked),
            Marker::BlackoutEnd => session.lighten(),
        }
        Ok(())
    }

    fn target(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Some(session) = &mut self.session else {
            return Err(DecodeError::State("it is missing at the beginning".to_owned()));
        };
        self.pending.extend_from_slice(bytes);
        let mut read = 0;
        let result = loop {
            let rest = self.pending.get(read..).unwrap_or_default();
            match whole_pdu(rest) {
                Ok(Some((action, pdu))) => {
                    read += pdu.len();
                    if let Err(error) = session.receive(action, pdu) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.pending.drain(..read);
        result
    }

    fn framebuffer(&self) -> &Framebuffer {
        self.session.as_ref().map_or(&self.nothing, Session::framebuffer)
    }

    fn take_damage(&mut self) -> Damage {
        match &mut self.session {
            Some(session) => session.take_damage(),
            None => self.nothing.take_damage(),
        }
    }

    fn pointer(&self) -> &Pointer {
        self.session.as_ref().map_or(&Pointer::Default, Session::pointer)
    }

    fn blackout(&self) -> Option<&Blackout> {
        self.session.as_ref().and_then(Session::blackout)
    }

    fn pointer_position(&self) -> Option<(u16, u16)> {
        self.session.as_ref().and_then(Session::pointer_position)
    }

    fn skipped(&self) -> &[Skipped] {
        self.session.as_ref().map_or(&[], Session::skipped)
    }
}

/// The PDU that `bytes` begin with, if all of it is there.
fn whole_pdu(bytes: &[u8]) -> Result<Option<(Action, &[u8])>, DecodeError> {
    let Some(first) = bytes.first() else { return Ok(None) };
    let unframed = || DecodeError::Framing(format!("{first:#04x} where a PDU should begin"));
    let Some(info) = find_size(bytes).map_err(|_| unframed())? else { return Ok(None) };
    // An empty PDU would be read for ever.
    if info.length == 0 {
        return Err(unframed());
    }
    Ok(bytes.get(..info.length).map(|pdu| (info.action, pdu)))
}
