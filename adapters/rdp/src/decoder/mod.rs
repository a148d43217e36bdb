//! Pictures from a recorded session.
//!
//! [`Decoder`] reads the `target` lane of a recording as the viewer did and keeps the picture that the viewer
//! saw. Nothing is sent and no clock is read, so a recording is drawn as fast as it can be read.
//!
//! Drawn are bitmap updates (raw, interleaved RLE, RDP 6.0 planar) of the slow and the fast path, palettes,
//! surface commands with raw and RemoteFX pixels, pointers, and the graphics pipeline (MS-RDPEGFX) with raw
//! pixels, planar, ClearCodec, RemoteFX, progressive RemoteFX, alpha, fills, copies and its cache; H.264
//! (AVC420, AVC444) with the crate's feature `openh264`. Bulk compression of every kind is undone for updates
//! and for virtual channels.
//!
//! Not drawn, but counted in [`Decoder::skipped`]: drawing orders, NSCodec and other surface codecs,
//! RemoteApp windows, pixels from a viewer's persistent cache (they were never on this wire), and what is
//! damaged. A recorded session keeps these out of its negotiation, so that nothing is missing from its pictures.
//! Not on the wire at all is where the viewer's pointer is, unless the target moves it. The Video Optimized
//! Remoting channels (MS-RDPEVOR) are not decoded; a relay does not let them open.
//!
//! A recording may come from a hostile target. No length in it is believed before its bytes have come, messages
//! and desktops are bounded, and a decoder of the IronRDP family that panics is contained: the update is counted
//! and the picture goes on.

mod bulk;
mod channel;
mod dynamic;
mod effort;
mod fast_path;
mod graphics;
mod screen;
mod session;
mod share;
mod skipped;

use ironrdp_pdu::{Action, find_size};
use passerelle_desktop::{Damage, Framebuffer, FramebufferError, Size};

pub use screen::Pointer;
pub use skipped::{Part, Skipped};

use crate::Start;
use session::Session;

/// Why a recording can't be drawn any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Bytes that begin neither a TPKT nor a fast-path PDU.
    #[error("the recording has {0:#04x} where a PDU of the target should begin")]
    Unframed(u8),
    /// The target's desktop can't be held.
    #[error("the recorded desktop can't be drawn: {0}")]
    Desktop(#[from] FramebufferError),
    /// A recording of a later version.
    #[error("the recording's RDP state has the version {0}; this program knows version 1")]
    Version(u32),
}

/// Draws the `target` lane of a recording.
///
/// Holds the picture twice, the surfaces and the cache of the graphics pipeline (at most 256 MiB), and one
/// unfinished message of at most 64 MiB on each way; the picture has at most
/// [`Framebuffer::MAX_PIXELS`] pixels.
pub struct Decoder {
    /// What came and is not a whole PDU yet.
    pending: Vec<u8>,
    session: Session,
}

impl Decoder {
    /// A decoder for the session that began with `start`. Its picture is black and has the size that the viewer
    /// asked for, or one pixel where no desktop can have that, until the target says which size it has.
    ///
    /// # Errors
    /// [`DecodeError::Version`].
    pub fn new(start: &Start) -> Result<Self, DecodeError> {
        if start.version != 1 {
            return Err(DecodeError::Version(start.version));
        }
        // What the viewer asked for may not keep anybody from seeing what it got.
        let asked = Size { width: start.width, height: start.height };
        let session =
            Session::new(start, asked).or_else(|_| Session::new(start, Size { width: 1, height: 1 }))?;
        Ok(Self { pending: Vec::new(), session })
    }

    /// Takes the next bytes of the lane, cut anywhere, and draws the PDUs that they complete.
    ///
    /// `changed` is called after each PDU that changed the picture, with what changed. After a change of the
    /// desktop's size the framebuffer has the new size and all of it is damaged.
    ///
    /// # Errors
    /// See [`DecodeError`]; the decoder can't go on then.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        changed: &mut dyn FnMut(&Framebuffer, Damage),
    ) -> Result<(), DecodeError> {
        self.pending.extend_from_slice(bytes);
        let mut read = 0;
        let result = loop {
            let rest = self.pending.get(read..).unwrap_or_default();
            match whole_pdu(rest) {
                Ok(Some((action, pdu))) => {
                    read += pdu.len();
                    if let Err(error) = self.session.receive(action, pdu) {
                        break Err(error);
                    }
                    let damage = self.session.take_damage();
                    if !damage.is_empty() {
                        changed(self.session.framebuffer(), damage);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.pending.drain(..read);
        result
    }

    /// The picture as it is now, without the pointer.
    pub fn framebuffer(&self) -> &Framebuffer {
        self.session.framebuffer()
    }

    /// What the pointer looks like now.
    pub fn pointer(&self) -> &Pointer {
        self.session.pointer()
    }

    /// Where the target last put the pointer: column and row. Nothing if it never moved it; where the viewer
    /// moves it is not on this lane.
    pub fn pointer_position(&self) -> Option<(u16, u16)> {
        self.session.pointer_position()
    }

    /// What could not be drawn so far, in the order in which it first occurred.
    pub fn skipped(&self) -> &[Skipped] {
        self.session.skipped()
    }
}

/// The PDU that `bytes` begin with, if all of it is there.
fn whole_pdu(bytes: &[u8]) -> Result<Option<(Action, &[u8])>, DecodeError> {
    let Some(first) = bytes.first() else { return Ok(None) };
    let unframed = DecodeError::Unframed(*first);
    let Some(info) = find_size(bytes).map_err(|_| unframed)? else { return Ok(None) };
    // An empty PDU would be read for ever.
    if info.length == 0 {
        return Err(unframed);
    }
    Ok(bytes.get(..info.length).map(|pdu| (info.action, pdu)))
}
