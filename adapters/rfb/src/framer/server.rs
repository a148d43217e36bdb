//! Framing what a server sends.

use super::client::chat_len;
use super::payload::{Advance, Payload};
use super::{ServerViolation, Span, body_span};
use crate::encoding::Offered;
use crate::message::{
    CutText, DesktopLayout, ExtendedClipboard, Fence, QemuAudioOperation, Rectangle, ResizeReason,
    ResizeStatus, ScreenList, ServerMessage, server_kind as kind,
};
use crate::wire::Reader;
use crate::{Encoding, Limits, PixelFormat, ServerInit};

/// How far one call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as the buffer holds something that nobody needs to look at, over many messages if need be.
    Buffer,
    /// At most to the end of the current message, for somebody who wants to act between messages.
    Message,
    /// At most to the end of the current message, of the head of an update, or of the rectangle within it, for
    /// somebody who looks at pixels.
    Rectangle,
}

/// Frames the messages from a server after ServerInit.
#[derive(Clone, Debug)]
pub struct ServerFramer {
    limits: Limits,
    pixel_format: PixelFormat,
    width: u16,
    height: u16,
    offered: Offered,
    state: State,
    /// Bytes that were announced and not received yet, and that nobody needs to look at.
    skip: u64,
    /// The same of a message's body.
    body: u64,
    updates: u64,
    probe: Probe,
}

#[derive(Clone, Debug)]
enum State {
    Message,
    /// At the head of a rectangle. `left` counts it and is never 0.
    Rectangle {
        left: u16,
    },
    /// In a rectangle after which `left` others follow.
    Payload {
        left: u16,
        payload: Payload,
    },
}

/// A pixel whose arrival is waited for.
#[derive(Clone, Copy, Debug)]
enum Probe {
    Off,
    Waiting { x: u16, y: u16 },
    InThisUpdate,
    Answered,
}

/// What was found at the front.
enum Found<'a> {
    Advance(Advance),
    Message { len: usize, body: u64, message: ServerMessage<'a> },
}

impl ServerFramer {
    /// A framer at the beginning of the messages that follow `init`, when no encoding was offered yet.
    pub fn new(init: &ServerInit, limits: Limits) -> Self {
        Self {
            limits,
            pixel_format: init.pixel_format,
            width: init.width,
            height: init.height,
            offered: Offered::default(),
            state: State::Message,
            skip: 0,
            body: 0,
            updates: 0,
            probe: Probe::Off,
        }
    }

    /// Notes that the server was told of this encoding. It stays noted: updates that are under way may still
    /// use what a later list leaves out.
    pub fn offer(&mut self, encoding: Encoding) {
        self.offered.insert(encoding);
    }

    /// Whether the server was told of this encoding.
    pub fn was_offered(&self, encoding: Encoding) -> bool {
        self.offered.contains(encoding)
    }

    /// How the pixels of the following rectangles are laid out.
    pub fn pixel_format(&self) -> PixelFormat {
        self.pixel_format
    }

    /// Sets how the pixels of the following rectangles are laid out. Only meaningful where the server
    /// switches: between two messages.
    pub fn set_pixel_format(&mut self, format: PixelFormat) {
        self.pixel_format = format;
    }

    /// Width and height of the framebuffer in pixels.
    pub fn desktop_size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Sets the framebuffer's width and height, between two messages: for somebody who reads a log that lacks a part.
    pub fn set_desktop_size(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (width, height);
    }

    /// How many updates have begun.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether everything that was consumed ends with a whole message.
    pub fn at_message(&self) -> bool {
        matches!(self.state, State::Message) && self.skip == 0 && self.body == 0
    }

    /// Whether everything that was consumed ends with a whole message, head of an update, or rectangle.
    pub fn at_rectangle(&self) -> bool {
        !matches!(self.state, State::Payload { .. }) && self.skip == 0 && self.body == 0
    }

    /// Whether what follows is the body of a message whose head was returned.
    pub fn in_body(&self) -> bool {
        self.body > 0
    }

    /// Starts to watch for an update that contains the pixel at `x`, `y`.
    pub fn watch_pixel(&mut self, x: u16, y: u16) {
        self.probe = Probe::Waiting { x, y };
    }

    /// Whether an update with the watched pixel has come. It is complete once the framer is
    /// [`at_message`](Self::at_message) again.
    pub fn pixel_arrived(&self) -> bool {
        matches!(self.probe, Probe::Answered)
    }

    /// Says what the front of `input` is and takes it as consumed, unless more bytes are needed.
    ///
    /// # Errors
    /// The server broke the protocol. Nothing that follows is understood.
    pub fn next<'a>(
        &mut self,
        input: &'a [u8],
        reach: Reach,
    ) -> Result<Span<ServerMessage<'a>>, ServerViolation> {
        if input.is_empty() {
            return Ok(Span::NeedMore { total: 1 });
        }
        if self.body > 0 {
            return Ok(body_span(&mut self.body, input.len()));
        }
        let mut passed = self.pass_over(self.skip, input.len());
        loop {
            let rest = input.get(passed..).unwrap_or_default();
            let far_enough = match reach {
                Reach::Buffer => false,
                Reach::Message => self.at_message(),
                Reach::Rectangle => self.at_rectangle(),
            };
            if passed > 0 && (rest.is_empty() || far_enough) {
                return Ok(Span::Pass { len: passed });
            }
            match self.advance(rest) {
                Ok(Found::Advance(Advance::Over(len))) => {
                    passed += self.pass_over(len, rest.len());
                    self.settle();
                }
                // What was passed goes first; the rest is found again.
                _ if passed > 0 => return Ok(Span::Pass { len: passed }),
                Ok(Found::Advance(Advance::Need(total))) => return Ok(Span::NeedMore { total }),
                Ok(Found::Message { len, body, message }) => {
                    self.accept(&message, body);
                    return Ok(Span::Message { len, message });
                }
                Err(violation) => return Err(violation),
            }
        }
    }

    /// Passes over `len` bytes of which `available` are there; the others are owed.
    fn pass_over(&mut self, len: u64, available: usize) -> usize {
        let now = usize::try_from(len).unwrap_or(usize::MAX).min(available);
        self.skip = len.saturating_sub(now as u64);
        now
    }

    fn advance<'a>(&mut self, rest: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        match &mut self.state {
            State::Message => self.message(rest),
            State::Rectangle { left } => {
                let left = *left;
                self.rectangle(rest, left)
            }
            State::Payload { payload, .. } => payload.advance(rest).map(Found::Advance),
        }
    }

    /// Leaves a rectangle that has nothing more.
    fn settle(&mut self) {
        if let State::Payload { left, payload } = &self.state
            && payload.is_done()
        {
            self.end_rectangle(*left);
        }
    }

    fn end_rectangle(&mut self, left: u16) {
        if left > 0 {
            self.state = State::Rectangle { left };
            return;
        }
        self.state = State::Message;
        if matches!(self.probe, Probe::InThisUpdate) {
            self.probe = Probe::Answered;
        }
    }

    /// Follows the changes that a message or rectangle makes to the session.
    fn accept(&mut self, message: &ServerMessage<'_>, body: u64) {
        self.body = body;
        match *message {
            ServerMessage::DesktopSize { width, height } => (self.width, self.height) = (width, height),
            ServerMessage::Layout(layout) if layout.takes_effect() => {
                (self.width, self.height) = (layout.width, layout.height);
            }
            _ => {}
        }
        if let State::Rectangle { left } = self.state {
            self.end_rectangle(left - 1);
        }
    }
}

/// The heads of messages.
impl ServerFramer {
    fn message<'a>(&mut self, rest: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        let Some(&first) = rest.first() else { return Ok(need(1)) };
        match first {
            kind::UPDATE => {
                let Some(&[_, _, high, low]) = rest.first_chunk() else { return Ok(need(4)) };
                let left = u16::from_be_bytes([high, low]);
                self.updates += 1;
                if left > 0 {
                    self.state = State::Rectangle { left };
                }
                Ok(over(4))
            }
            kind::COLOUR_MAP => {
                let Some(&[_, _, _, _, high, low]) = rest.first_chunk() else { return Ok(need(6)) };
                Ok(over(6 + 6 * u64::from(u16::from_be_bytes([high, low]))))
            }
            kind::BELL => Ok(message(1, ServerMessage::Bell)),
            kind::CUT_TEXT => self.cut_text(rest),
            kind::FENCE => self.fence(rest),
            kind::END_OF_CONTINUOUS_UPDATES => {
                self.extension(first, Encoding::CONTINUOUS_UPDATES)?;
                Ok(message(1, ServerMessage::EndOfContinuousUpdates))
            }
            kind::XVP => {
                self.extension(first, Encoding::XVP)?;
                let Some(&[_, _, version, code]) = rest.first_chunk() else { return Ok(need(4)) };
                Ok(message(4, ServerMessage::Xvp { version, code }))
            }
            kind::QEMU => self.qemu(rest),
            kind::FILE_TRANSFER => Ok(file_transfer(rest)),
            kind::TEXT_CHAT => {
                let Some(&[_, _, _, _, a, b, c, d]) = rest.first_chunk() else { return Ok(need(8)) };
                let len = chat_len(u32::from_be_bytes([a, b, c, d]));
                Ok(Found::Message { len: 8, body: u64::from(len), message: ServerMessage::TextChat { len } })
            }
            unknown => Err(ServerViolation::UnknownMessage(unknown)),
        }
    }

    fn extension(&self, message: u8, extension: Encoding) -> Result<(), ServerViolation> {
        if self.offered.contains(extension) {
            Ok(())
        } else {
            Err(ServerViolation::ExtensionNotOffered { message, extension })
        }
    }

    fn cut_text<'a>(&self, rest: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        let Some([_, _, _, _, size @ ..]) = rest.first_chunk::<8>() else { return Ok(need(8)) };
        let size = i32::from_be_bytes(*size);
        if size < 0 {
            self.extension(kind::CUT_TEXT, Encoding::EXTENDED_CLIPBOARD)?;
        }
        let len = size.unsigned_abs();
        if len > self.limits.cut_text {
            let message = ServerMessage::CutTextTooLong { len };
            return Ok(Found::Message { len: 8, body: u64::from(len), message });
        }
        let end = 8 + len as usize;
        let Some(content) = rest.get(8..end) else { return Ok(need(end)) };
        let text = if size < 0 {
            CutText::Extended(ExtendedClipboard::parse(content).ok_or(ServerViolation::MalformedClipboard)?)
        } else {
            CutText::Plain(content)
        };
        Ok(message(end, ServerMessage::CutText(text)))
    }

    fn fence<'a>(&self, rest: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        self.extension(kind::FENCE, Encoding::FENCE)?;
        let mut fields = Reader::new(rest);
        let (Some(_), Some(flags), Some(len)) = (fields.skip(4), fields.u32(), fields.u8()) else {
            return Ok(need(9));
        };
        if len > self.limits.fence {
            return Err(ServerViolation::FenceTooLong(len));
        }
        let len = usize::from(len);
        Ok(match fields.bytes(len) {
            Some(payload) => message(9 + len, ServerMessage::Fence(Fence { flags, payload })),
            None => need(9 + len),
        })
    }

    fn qemu<'a>(&self, rest: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        self.extension(kind::QEMU, Encoding::QEMU_AUDIO)?;
        let Some(&[_, sort]) = rest.first_chunk() else { return Ok(need(2)) };
        if sort != kind::QEMU_AUDIO {
            return Err(ServerViolation::QemuMessage { message: sort, operation: 0 });
        }
        let Some(&[_, _, high, low]) = rest.first_chunk() else { return Ok(need(4)) };
        let audio = |operation, len| ServerMessage::QemuAudio { operation, len };
        match u16::from_be_bytes([high, low]) {
            0 => Ok(message(4, audio(QemuAudioOperation::End, 0))),
            1 => Ok(message(4, audio(QemuAudioOperation::Begin, 0))),
            2 => {
                let Some(&[_, _, _, _, a, b, c, d]) = rest.first_chunk() else { return Ok(need(8)) };
                let len = u32::from_be_bytes([a, b, c, d]);
                if len > self.limits.audio {
                    return Err(ServerViolation::AudioTooLong(len));
                }
                let message = audio(QemuAudioOperation::Data, len);
                Ok(Found::Message { len: 8, body: u64::from(len), message })
            }
            operation => Err(ServerViolation::QemuMessage { message: sort, operation }),
        }
    }
}

/// Rectangles.
impl ServerFramer {
    const HEAD: usize = 12;

    fn rectangle<'a>(&mut self, rest: &'a [u8], left: u16) -> Result<Found<'a>, ServerViolation> {
        let mut fields = Reader::new(rest);
        let (Some(area), Some(number)) = (Rectangle::read(&mut fields), fields.i32()) else {
            return Ok(need(Self::HEAD));
        };
        let encoding = Encoding(number);
        if encoding != Encoding::RAW && !self.offered.contains(encoding) {
            return Err(ServerViolation::EncodingNotOffered(encoding));
        }
        let body = fields.rest();
        match encoding {
            Encoding::LAST_RECT => {
                self.end_rectangle(0);
                Ok(over(Self::HEAD as u64))
            }
            Encoding::POINTER_POS | Encoding::QEMU_POINTER_MOTION | Encoding::QEMU_EXTENDED_KEY => {
                Ok(self.payload(left, Payload::Done))
            }
            Encoding::QEMU_LED_STATE => Ok(self.payload(left, Payload::Fixed(1))),
            Encoding::CURSOR | Encoding::X_CURSOR | Encoding::CURSOR_WITH_ALPHA => {
                let payload = self.cursor(encoding, area)?;
                Ok(self.payload(left, payload))
            }
            Encoding::EXTENDED_MOUSE_BUTTONS => Ok(message(Self::HEAD, ServerMessage::ExtendedMouseButtons)),
            Encoding::DESKTOP_SIZE => {
                let Rectangle { width, height, .. } = area;
                self.check_desktop(width, height)?;
                Ok(message(Self::HEAD, ServerMessage::DesktopSize { width, height }))
            }
            Encoding::EXTENDED_DESKTOP_SIZE => self.layout(area, body),
            Encoding::DESKTOP_NAME => self.name(body),
            Encoding::COPY_RECT => {
                self.check_area(area)?;
                let Some(&[x0, x1, y0, y1]) = body.first_chunk() else { return Ok(need(Self::HEAD + 4)) };
                let (x, y) = (u16::from_be_bytes([x0, x1]), u16::from_be_bytes([y0, y1]));
                self.check_source(Rectangle { x, y, ..area })?;
                self.notice_pixels(area);
                Ok(self.payload(left, Payload::Fixed(4)))
            }
            _ => {
                self.check_area(area)?;
                let payload = Payload::of_pixels(encoding, area, &self.pixel_format)
                    .ok_or(ServerViolation::EncodingNotOffered(encoding))?;
                self.notice_pixels(area);
                Ok(self.payload(left, payload))
            }
        }
    }

    fn payload<'a>(&mut self, left: u16, payload: Payload) -> Found<'a> {
        // Rectangles of a known size are over at once; most others are not.
        let (len, payload) = match payload {
            Payload::Fixed(len) => (len, Payload::Done),
            other => (0, other),
        };
        self.state = State::Payload { left: left - 1, payload };
        over(Self::HEAD as u64 + len)
    }

    fn check_area(&self, area: Rectangle) -> Result<(), ServerViolation> {
        let (width, height) = self.desktop_size();
        if area.is_within(width, height) {
            Ok(())
        } else {
            Err(ServerViolation::OutsideFramebuffer { area, width, height })
        }
    }

    fn check_source(&self, source_area: Rectangle) -> Result<(), ServerViolation> {
        let (width, height) = self.desktop_size();
        if source_area.is_within(width, height) {
            Ok(())
        } else {
            Err(ServerViolation::CopySourceOutsideFramebuffer { source_area, width, height })
        }
    }

    fn check_desktop(&self, width: u16, height: u16) -> Result<(), ServerViolation> {
        if self.limits.allows_desktop(width, height) {
            Ok(())
        } else {
            Err(ServerViolation::DesktopSize { width, height })
        }
    }

    fn notice_pixels(&mut self, area: Rectangle) {
        if let Probe::Waiting { x, y } = self.probe
            && area.contains(x, y)
        {
            self.probe = Probe::InThisUpdate;
        }
    }

    fn cursor(&self, encoding: Encoding, area: Rectangle) -> Result<Payload, ServerViolation> {
        let Rectangle { width, height, .. } = area;
        let most = self.limits.cursor_side;
        if width > most || height > most {
            return Err(ServerViolation::CursorSize { width, height });
        }
        let mask = u64::from(width).div_ceil(8) * u64::from(height);
        Ok(match encoding {
            Encoding::X_CURSOR if area.pixels() == 0 => Payload::Done,
            Encoding::X_CURSOR => Payload::Fixed(6 + 2 * mask),
            Encoding::CURSOR => {
                Payload::Fixed(area.pixels() * self.pixel_format.bytes_per_pixel() as u64 + mask)
            }
            _ => Payload::CursorWithAlpha(area),
        })
    }

    fn layout<'a>(&self, area: Rectangle, body: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        let Some(&[count, _, _, _]) = body.first_chunk() else { return Ok(need(Self::HEAD + 4)) };
        let end = 4 + 16 * usize::from(count);
        let Some(screens) = body.get(4..end) else { return Ok(need(Self::HEAD + end)) };
        let Rectangle { x, y, width, height } = area;
        let (reason, status) = (ResizeReason(x), ResizeStatus(y));
        let layout = DesktopLayout { reason, status, width, height, screens: ScreenList::new(screens) };
        if layout.takes_effect() {
            self.check_desktop(width, height)?;
        }
        Ok(message(Self::HEAD + end, ServerMessage::Layout(layout)))
    }

    fn name<'a>(&self, body: &'a [u8]) -> Result<Found<'a>, ServerViolation> {
        let Some(len) = body.first_chunk() else { return Ok(need(Self::HEAD + 4)) };
        let len = u32::from_be_bytes(*len);
        if len > self.limits.name {
            return Err(ServerViolation::NameTooLong(len));
        }
        let end = 4 + len as usize;
        Ok(match body.get(4..end) {
            Some(name) => message(Self::HEAD + end, ServerMessage::DesktopName(name)),
            None => need(Self::HEAD + end),
        })
    }
}

fn over<'a>(len: u64) -> Found<'a> {
    Found::Advance(Advance::Over(len))
}

fn need<'a>(total: usize) -> Found<'a> {
    Found::Advance(Advance::Need(total))
}

fn message(len: usize, message: ServerMessage<'_>) -> Found<'_> {
    Found::Message { len, body: 0, message }
}

fn file_transfer<'a>(rest: &[u8]) -> Found<'a> {
    /// A file's head carries the upper half of its size behind its content.
    const FILE_HEADER: u8 = 4;
    let Some(&[_, content, _, _, _, _, _, _, a, b, c, d]) = rest.first_chunk() else { return need(12) };
    let len = u64::from(u32::from_be_bytes([a, b, c, d])) + if content == FILE_HEADER { 4 } else { 0 };
    Found::Message { len: 12, body: len, message: ServerMessage::FileTransfer { content, len } }
}
