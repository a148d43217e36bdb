//! Framing what a viewer sends.

use super::{ClientViolation, Span, body_span};
use crate::message::{
    ClientMessage, CutText, EncodingList, ExtendedClipboard, Fence, QemuAudioRequest, Rectangle, ScreenList,
    client_kind as kind,
};
use crate::wire::Reader;
use crate::{Limits, PixelFormat};

/// Frames the messages from a viewer after ClientInit. Every message comes out on its own, since somebody
/// decides about each.
#[derive(Clone, Debug)]
pub struct ClientFramer {
    limits: Limits,
    extended_pointer: bool,
    body: u64,
}

/// What was found at the front, or how many bytes it takes to know.
enum Head<'a> {
    Short(usize),
    Whole { len: usize, message: ClientMessage<'a>, body: u64 },
}

impl ClientFramer {
    /// A framer at the beginning of the viewer's messages.
    pub fn new(limits: Limits) -> Self {
        Self { limits, extended_pointer: false, body: 0 }
    }

    /// Sets whether bit 7 of a pointer event's mask announces another byte of buttons: true once
    /// ExtendedMouseButtons was offered and confirmed.
    pub fn set_extended_pointer(&mut self, extended: bool) {
        self.extended_pointer = extended;
    }

    /// Says what the front of `input` is. A [`Span::Message`] without a body changes nothing in the framer,
    /// so it may be asked for again.
    ///
    /// # Errors
    /// The viewer broke the protocol. Nothing that follows is understood.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Span<ClientMessage<'a>>, ClientViolation> {
        let Some(&first) = input.first() else { return Ok(Span::NeedMore { total: 1 }) };
        if self.body > 0 {
            return Ok(body_span(&mut self.body, input.len()));
        }
        Ok(match self.head(first, input)? {
            Head::Short(total) => Span::NeedMore { total },
            Head::Whole { len, message, body } => {
                self.body = body;
                Span::Message { len, message }
            }
        })
    }

    fn head<'a>(&self, kind: u8, input: &'a [u8]) -> Result<Head<'a>, ClientViolation> {
        match kind {
            kind::SET_PIXEL_FORMAT => match input.first_chunk::<20>() {
                Some([_, _, _, _, format @ ..]) => {
                    let format = PixelFormat::parse(format)?;
                    Ok(whole(20, ClientMessage::SetPixelFormat(format)))
                }
                None => Ok(Head::Short(20)),
            },
            kind::SET_ENCODINGS => self.encodings(input),
            kind::CUT_TEXT => self.cut_text(input),
            kind::FENCE => self.fence(input),
            kind::SET_DESKTOP_SIZE => Ok(desktop_size(input)),
            kind::QEMU => qemu(input),
            kind::UPDATE_REQUEST => Ok(fixed(input, 10, |fields| {
                let incremental = fields.u8()? != 0;
                Some(ClientMessage::UpdateRequest { incremental, area: Rectangle::read(fields)? })
            })),
            kind::ENABLE_CONTINUOUS_UPDATES => Ok(fixed(input, 10, |fields| {
                let enable = fields.u8()? != 0;
                Some(ClientMessage::EnableContinuousUpdates { enable, area: Rectangle::read(fields)? })
            })),
            kind::KEY => Ok(fixed(input, 8, |fields| {
                let down = fields.u8()? != 0;
                fields.skip(2)?;
                Some(ClientMessage::Key { down, keysym: fields.u32()? })
            })),
            kind::POINTER => Ok(self.pointer(input)),
            kind::XVP => Ok(fixed(input, 4, |fields| {
                fields.skip(1)?;
                Some(ClientMessage::Xvp { version: fields.u8()?, code: fields.u8()? })
            })),
            kind::FILE_TRANSFER => Ok(file_transfer(input)),
            kind::TEXT_CHAT => Ok(text_chat(input)),
            kind::GII => Ok(gii(input)),
            unknown => Err(ClientViolation::UnknownMessage(unknown)),
        }
    }

    fn encodings<'a>(&self, input: &'a [u8]) -> Result<Head<'a>, ClientViolation> {
        let Some([_, _, high, low]) = input.first_chunk() else { return Ok(Head::Short(4)) };
        let count = u16::from_be_bytes([*high, *low]);
        if count > self.limits.encodings {
            return Err(ClientViolation::TooManyEncodings(count));
        }
        let len = 4 + 4 * usize::from(count);
        Ok(match input.get(4..len) {
            Some(list) => whole(len, ClientMessage::SetEncodings(EncodingList::new(list))),
            None => Head::Short(len),
        })
    }

    fn pointer<'a>(&self, input: &'a [u8]) -> Head<'a> {
        let extended = self.extended_pointer && input.get(1).is_some_and(|mask| mask & 0x80 != 0);
        fixed(input, if extended { 7 } else { 6 }, |fields| {
            let mask = u16::from(fields.u8()?);
            let (x, y) = (fields.u16()?, fields.u16()?);
            let buttons = if extended { mask & 0x7f | u16::from(fields.u8()?) << 7 } else { mask };
            Some(ClientMessage::Pointer { buttons, x, y })
        })
    }

    fn cut_text<'a>(&self, input: &'a [u8]) -> Result<Head<'a>, ClientViolation> {
        let Some([_, _, _, _, size @ ..]) = input.first_chunk::<8>() else { return Ok(Head::Short(8)) };
        let size = i32::from_be_bytes(*size);
        let len = size.unsigned_abs();
        if len > self.limits.cut_text {
            let message = ClientMessage::CutTextTooLong { len };
            return Ok(Head::Whole { len: 8, message, body: u64::from(len) });
        }
        let end = 8 + len as usize;
        let Some(content) = input.get(8..end) else { return Ok(Head::Short(end)) };
        let text = if size < 0 {
            CutText::Extended(ExtendedClipboard::parse(content).ok_or(ClientViolation::MalformedClipboard)?)
        } else {
            CutText::Plain(content)
        };
        Ok(whole(end, ClientMessage::CutText(text)))
    }

    fn fence<'a>(&self, input: &'a [u8]) -> Result<Head<'a>, ClientViolation> {
        let mut fields = Reader::new(input);
        let (Some(_), Some(flags), Some(len)) = (fields.skip(4), fields.u32(), fields.u8()) else {
            return Ok(Head::Short(9));
        };
        if len > self.limits.fence {
            return Err(ClientViolation::FenceTooLong(len));
        }
        let len = usize::from(len);
        Ok(match fields.bytes(len) {
            Some(payload) => whole(9 + len, ClientMessage::Fence(Fence { flags, payload })),
            None => Head::Short(9 + len),
        })
    }
}

fn whole(len: usize, message: ClientMessage<'_>) -> Head<'_> {
    Head::Whole { len, message, body: 0 }
}

/// A message of `len` bytes whose fields `read` takes from behind the type.
fn fixed<'a>(
    input: &'a [u8],
    len: usize,
    read: impl FnOnce(&mut Reader<'a>) -> Option<ClientMessage<'a>>,
) -> Head<'a> {
    let fields = input.get(1..len).map(Reader::new);
    match fields.and_then(|mut fields| read(&mut fields)) {
        Some(message) => whole(len, message),
        None => Head::Short(len),
    }
}

fn desktop_size(input: &[u8]) -> Head<'_> {
    let mut fields = Reader::new(input);
    let (Some(_), Some(width), Some(height), Some(count), Some(_)) =
        (fields.skip(2), fields.u16(), fields.u16(), fields.u8(), fields.skip(1))
    else {
        return Head::Short(8);
    };
    let screens = 16 * usize::from(count);
    match fields.bytes(screens) {
        Some(bytes) => {
            let screens = ScreenList::new(bytes);
            whole(8 + bytes.len(), ClientMessage::SetDesktopSize { width, height, screens })
        }
        None => Head::Short(8 + screens),
    }
}

fn qemu(input: &[u8]) -> Result<Head<'_>, ClientViolation> {
    let Some(&[_, message]) = input.first_chunk() else { return Ok(Head::Short(2)) };
    match message {
        kind::QEMU_KEY => Ok(fixed(input, 12, |fields| {
            fields.skip(1)?;
            let down = fields.u16()? != 0;
            Some(ClientMessage::QemuKey { down, keysym: fields.u32()?, keycode: fields.u32()? })
        })),
        kind::QEMU_AUDIO => {
            let Some(&[_, _, high, low]) = input.first_chunk() else { return Ok(Head::Short(4)) };
            match u16::from_be_bytes([high, low]) {
                0 => Ok(whole(4, ClientMessage::QemuAudio(QemuAudioRequest::Enable))),
                1 => Ok(whole(4, ClientMessage::QemuAudio(QemuAudioRequest::Disable))),
                2 => Ok(fixed(input, 10, |fields| {
                    fields.skip(3)?;
                    let (format, channels) = (fields.u8()?, fields.u8()?);
                    let frequency = fields.u32()?;
                    Some(ClientMessage::QemuAudio(QemuAudioRequest::Format { format, channels, frequency }))
                })),
                operation => Err(ClientViolation::QemuMessage { message, operation }),
            }
        }
        _ => Err(ClientViolation::QemuMessage { message, operation: 0 }),
    }
}

fn file_transfer(input: &[u8]) -> Head<'_> {
    /// A file offer carries the upper half of the file's size behind its content.
    const OFFER: u8 = 8;
    let Some(&[_, content, _, _, _, _, _, _, a, b, c, d]) = input.first_chunk() else {
        return Head::Short(12);
    };
    let len = u64::from(u32::from_be_bytes([a, b, c, d])) + if content == OFFER { 4 } else { 0 };
    Head::Whole { len: 12, message: ClientMessage::FileTransfer { content, len }, body: len }
}

fn text_chat(input: &[u8]) -> Head<'_> {
    let Some(&[_, _, _, _, a, b, c, d]) = input.first_chunk() else { return Head::Short(8) };
    let len = chat_len(u32::from_be_bytes([a, b, c, d]));
    Head::Whole { len: 8, message: ClientMessage::TextChat { len }, body: u64::from(len) }
}

/// The three highest lengths stand for opening, closing and leaving the chat, and bring no text.
pub(super) fn chat_len(announced: u32) -> u32 {
    if announced >= u32::MAX - 2 { 0 } else { announced }
}

fn gii(input: &[u8]) -> Head<'_> {
    let Some(&[_, kind, first, second]) = input.first_chunk() else { return Head::Short(4) };
    let big_endian = kind & 0x80 != 0;
    let len = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes }([first, second]);
    Head::Whole { len: 4, message: ClientMessage::Gii { len }, body: u64::from(len) }
}
