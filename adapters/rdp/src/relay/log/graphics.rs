//! The graphics pipeline (MS-RDPEGFX) in its dynamic channel.

use ironrdp_bulk::rdp8::Rdp8Decompressor;
use ironrdp_egfx::CHANNEL_NAME;
use ironrdp_graphics::zgfx::wrap_uncompressed;
use passerelle_desktop::{Side, Tally};

use crate::relay::dynamic::pdu::{self, Pdu};
use crate::relay::frame::{SendData, send_data};

/// `CHANNEL_PDU_HEADER`: length and flags.
const HEADER: usize = 8;
const FIRST: u32 = 0x01;
const LAST: u32 = 0x02;
/// `CHANNEL_FLAG_SHOW_PROTOCOL`.
const SHOW_PROTOCOL: u32 = 0x10;
/// The longest chunk of a static channel that can be agreed on (MS-RDPBCGR 2.2.7.1.10).
const CHUNK: usize = 16_256;

/// The longest message that is decompressed, and the longest that comes of it: a decoder puts together no longer one.
const MOST: usize = 64 << 20;

/// `RDP_SEGMENTED_DATA` (MS-RDPEGFX 2.2.5.1): its descriptors, and the flag of a compressed segment.
const SINGLE: u8 = 0xe0;
const MULTIPART: u8 = 0xe1;
const COMPRESSED: u8 = 0x20;

/// The target's side of `drdynvc`, of which only the graphics channel matters.
#[derive(Default)]
pub(super) struct Graphics {
    channel: Option<Channel>,
    /// The PDU of that channel that is coming in several chunks.
    pdu: Option<Vec<u8>>,
}

/// The graphics channel.
struct Channel {
    id: u32,
    /// The PDUs of the static channel that hold what came of the message, as they came.
    held: Vec<u8>,
    /// A part of the message is not to be kept, and so nothing of it is.
    left_out: bool,
    /// The announced length of the message and what came of it.
    message: Option<(usize, Vec<u8>)>,
    history: Rdp8Decompressor,
    /// Something could not be decompressed, and nothing after it can.
    lost: bool,
}

impl Graphics {
    /// Appends `pdu`, a Send Data Indication of `drdynvc`, to `out`, or lets it wait for the rest of its message. Says
    /// whether from here on messages can't be decompressed any more. A message of which something is not to be kept goes
    /// nowhere.
    pub(super) fn rewrite(&mut self, pdu: &[u8], header: SendData, keep: bool, out: &mut Vec<u8>) -> bool {
        let data = pdu.get(header.header..).unwrap_or_default();
        let Some((&[_, _, _, _, f0, f1, f2, f3], content)) = data.split_first_chunk::<HEADER>() else {
            if keep {
                out.extend_from_slice(pdu);
            }
            return false;
        };
        let flags = u32::from_le_bytes([f0, f1, f2, f3]);
        let (first, last) = (flags & FIRST != 0, flags & LAST != 0);
        if first {
            self.pdu = None;
            match Pdu::parse(content) {
                Some(Pdu::Create { id }) if pdu::name(content).is_some_and(|name| name == CHANNEL_NAME) => {
                    self.release(out);
                    self.channel = Some(Channel::new(id));
                }
                Some(Pdu::Close { id }) if self.channel.as_ref().is_some_and(|channel| channel.id == id) => {
                    self.release(out);
                    self.channel = None;
                }
                Some(Pdu::Data { id, .. } | Pdu::DataFirst { id, .. })
                    if self.channel.as_ref().is_some_and(|channel| channel.id == id && !channel.lost) =>
                {
                    self.pdu = Some(Vec::new());
                }
                _ => {}
            }
        }
        let (Some(gathered), Some(channel)) = (&mut self.pdu, &mut self.channel) else {
            if keep || first && matches!(Pdu::parse(content), Some(Pdu::Create { .. } | Pdu::Close { .. })) {
                out.extend_from_slice(pdu);
            }
            return false;
        };
        channel.held.extend_from_slice(pdu);
        channel.left_out |= !keep;
        gathered.extend_from_slice(content);
        let complete = if last {
            let data = self.pdu.take().unwrap_or_default();
            channel.part(&data)
        } else if channel.held.len() > MOST {
            None
        } else {
            Some(false)
        };
        let done = match complete {
            Some(true) => channel.decompress(header, flags, out),
            Some(false) => Some(()),
            None => None,
        };
        if done.is_none() {
            self.pdu = None;
            channel.lost = true;
            channel.give_up(out);
        }
        done.is_none()
    }

    /// Appends what waits for more to `out`, as it came.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(channel) = &mut self.channel {
            channel.give_up(out);
        }
    }
}

impl Channel {
    fn new(id: u32) -> Self {
        Self {
            id,
            held: Vec::new(),
            left_out: false,
            message: None,
            history: Rdp8Decompressor::new(),
            lost: false,
        }
    }

    /// Takes a PDU of the channel. Whether it completes a message; nothing if it can't be a part of one.
    fn part(&mut self, data: &[u8]) -> Option<bool> {
        let header = match Pdu::parse(data)? {
            Pdu::DataFirst { header, len, .. } => {
                let len = usize::try_from(len).ok().filter(|len| *len <= MOST)?;
                self.message = Some((len, Vec::new()));
                header
            }
            Pdu::Data { header, .. } => header,
            _ => return None,
        };
        let content = data.get(header..)?;
        let (len, message) = self.message.get_or_insert_with(|| (content.len(), Vec::new()));
        message.extend_from_slice(content);
        (message.len() <= *len && self.held.len() <= MOST * 2).then_some(message.len() == *len)
    }

    /// Appends the message that is complete to `out`: as it came if nothing in it is compressed. Nothing if it can't be
    /// decompressed.
    fn decompress(&mut self, header: SendData, flags: u32, out: &mut Vec<u8>) -> Option<()> {
        let (_, message) = self.message.take()?;
        let mut plain = Vec::new();
        let history = &mut self.history;
        let contained = Tally::default().contain(|| history.decompress(&message, &mut plain).is_ok());
        if contained != Some(true) {
            return None;
        }
        if !self.left_out && is_compressed(&message) && plain.len() < MOST - MOST / 64 {
            self.held = Vec::new();
            self.write(&wrap_uncompressed(&plain), header, flags, out);
        } else {
            self.give_up(out);
        }
        Some(())
    }

    /// Writes a message in as few PDUs as it fits into.
    fn write(&self, message: &[u8], header: SendData, flags: u32, out: &mut Vec<u8>) {
        let mut write = |first: Option<usize>, rest: &mut &[u8]| {
            let head = pdu::data_header(self.id, first);
            let (part, after) = rest.split_at(rest.len().min(CHUNK - head.len()));
            *rest = after;
            let len = head.len() + part.len();
            send_data(out, Side::Viewer, header.initiator, header.channel, HEADER + len);
            out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
            out.extend((FIRST | LAST | flags & SHOW_PROTOCOL).to_le_bytes());
            out.extend(head);
            out.extend_from_slice(part);
        };
        let mut rest = message;
        let fits = pdu::data_header(self.id, None).len() + message.len() <= CHUNK;
        write((!fits).then_some(message.len()), &mut rest);
        while !rest.is_empty() {
            write(None, &mut rest);
        }
    }

    /// Appends what waits to `out`, as it came.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        self.message = None;
        if std::mem::take(&mut self.left_out) {
            self.held = Vec::new();
        } else if out.is_empty() {
            *out = std::mem::take(&mut self.held);
        } else {
            out.append(&mut self.held);
            self.held.shrink_to(CHUNK);
        }
    }
}

/// Whether a segment of a message is compressed.
fn is_compressed(message: &[u8]) -> bool {
    match *message {
        [SINGLE, flags, ..] => flags & COMPRESSED != 0,
        // Behind the number of the segments and the length of it all.
        [MULTIPART, _, _, _, _, _, _, ref segments @ ..] => {
            let mut rest = segments;
            while let Some((len, after)) = rest.split_first_chunk() {
                let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
                let Some((segment, after)) = after.split_at_checked(len) else { return false };
                if segment.first().is_some_and(|flags| flags & COMPRESSED != 0) {
                    return true;
                }
                rest = after;
            }
            false
        }
        _ => false,
    }
}
