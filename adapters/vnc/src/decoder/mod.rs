//! Pictures from a recorded session.
//!
//! [`VncDecoder`] reads the `target` lane of a recording as the viewer did and keeps the picture that the viewer saw.
//! The lane begins with ServerInit; entries of the `state` lane ([`Marker`]) say where the pixel format changes.
//!
//! Drawn is every encoding that a recorded session may use (Raw, CopyRect, RRE, CoRRE, Hextile, Zlib, Tight with JPEG
//! and every filter, TightPNG, TRLE, ZRLE) in every pixel format, colour maps included, and every kind of cursor. The
//! framer of [`passerelle_rfb`] says where messages and rectangles end, so what cannot be drawn ends nothing: it is
//! counted in [`skipped`](Decoder::skipped).
//!
//! A recording may come from a hostile target. No length in it is believed before its bytes have come, rectangles and
//! desktops are bounded, and so is what an update may write.

mod cursor;
mod effort;
mod hextile;
mod inflate;
mod part;
mod pixels;
mod rectangle;
mod rows;
mod rre;
mod surface;
mod tight;
mod trle;

#[cfg(test)]
mod tests;

use passerelle_desktop::{
    Blackout, Damage, DecodeError, Decoder, Framebuffer, Pointer, Rect, Size, Skipped, Tally,
};
use passerelle_rfb::{
    Encoding, Limits, Parsed, PixelFormat, Reach, ServerFramer, ServerInit, ServerMessage, Span,
};

pub use part::Part;

use crate::{MarkedFormat, Marker};
use effort::Effort;
use pixels::{ColourMap, Pixels};
use rectangle::{Head, Streams};
use rows::Memory;

/// Encodings that are not drawn: H.264 would need a decoder, and whoever undoes the wavelets of ZYWRLE has to know which
/// quality the viewer asked for when.
pub(crate) const NOT_DRAWN: [Encoding; 2] = [Encoding::H264, Encoding::ZYWRLE];

/// The longest rectangle that is drawn: the pixels of the largest desktop, and what an encoding adds to them.
const MAX_RECTANGLE: usize = 4 * Framebuffer::MAX_PIXELS + (16 << 20);
/// How much memory for received bytes is kept when there are none.
const KEPT: usize = 4 << 20;

/// What the relay let through is taken here. Of what nobody draws, such as the clipboard's text, only the head is
/// looked at.
const LIMITS: Limits = Limits {
    pixels: Framebuffer::MAX_PIXELS as u32,
    cursor_side: u16::MAX,
    name: 1 << 20,
    cut_text: 0,
    fence: u8::MAX,
    encodings: u16::MAX,
    audio: u32::MAX,
};

/// Draws a recorded session. Before ServerInit the picture is one black pixel.
///
/// Holds the picture, of at most [`Framebuffer::MAX_PIXELS`] pixels, and one unfinished rectangle of little more
/// than the bytes that the largest picture takes.
pub struct VncDecoder {
    /// What came and was not drawn yet.
    received: Vec<u8>,
    session: Option<Session>,
    framebuffer: Framebuffer,
    pointer: Pointer,
    position: Option<(u16, u16)>,
    tally: Tally,
    /// Nothing of the screen is kept here.
    blackout: Option<Blackout>,
    /// The longest rectangle that is kept.
    longest: usize,
}

impl Default for VncDecoder {
    fn default() -> Self {
        Self {
            received: Vec::new(),
            session: None,
            framebuffer: Framebuffer::default(),
            pointer: Pointer::Default,
            position: None,
            tally: Tally::default(),
            blackout: None,
            longest: MAX_RECTANGLE,
        }
    }
}

/// What there is after ServerInit.
struct Session {
    framer: ServerFramer,
    /// How many of the received bytes the framer has consumed.
    framed: usize,
    /// What they begin with.
    place: Place,
    /// Some bytes of the rectangle were not kept.
    too_long: bool,
    format: PixelFormat,
    pixels: Pixels,
    map: ColourMap,
    /// Since `pixels` was made.
    map_changed: bool,
    streams: Streams,
    effort: Effort,
    memory: Memory,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Message,
    /// Or the rest of something that nobody draws.
    Rectangle,
}

impl VncDecoder {
    /// A decoder that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes ServerInit from the front. Whether it is there.
    fn begin(&mut self) -> Result<bool, DecodeError> {
        let parsed = ServerInit::parse(&self.received, &LIMITS);
        match parsed.map_err(|error| DecodeError::Framing(error.to_string()))? {
            Parsed::NeedMore { .. } => Ok(false),
            Parsed::Done { value: init, len } => {
                self.framebuffer = Framebuffer::new(Size { width: init.width, height: init.height })?;
                self.session = Some(Session::new(&init));
                self.received.drain(..len);
                Ok(true)
            }
        }
    }

    /// Draws what is complete of the received bytes, and lets go of it.
    fn draw(&mut self) -> Result<(), DecodeError> {
        let Self { received, session: Some(session), framebuffer, .. } = self else { return Ok(()) };
        // Where in `received` the message or rectangle that is framed begins.
        let mut start = 0;
        let result = loop {
            if session.framed == start {
                session.place = if session.framer.at_message() { Place::Message } else { Place::Rectangle };
                session.follow_format();
            }
            let rest = received.get(session.framed..).unwrap_or_default();
            match session.framer.next(rest, Reach::Rectangle) {
                Ok(Span::NeedMore { .. }) => break Ok(()),
                Ok(Span::Body { len }) => {
                    session.framed += len;
                    start = session.framed;
                }
                Ok(Span::Message { len, message }) => {
                    if let Some(size) = new_size(&message)
                        && size != framebuffer.size()
                    {
                        match framebuffer.resized(size) {
                            Ok(resized) => *framebuffer = resized,
                            Err(error) => break Err(error.into()),
                        }
                    }
                    session.framed += len;
                    start = session.framed;
                }
                Ok(Span::Pass { len }) => {
                    session.framed += len;
                    if session.framer.at_rectangle() {
                        let bytes = received.get(start..session.framed).unwrap_or_default();
                        match session.place {
                            Place::Message => session.message(bytes, framebuffer.size()),
                            Place::Rectangle => {
                                let (pointer, position) = (&mut self.pointer, &mut self.position);
                                session.rectangle(bytes, framebuffer, pointer, position, &mut self.tally);
                            }
                        }
                        start = session.framed;
                    } else if session.framed - start > self.longest {
                        session.too_long = true;
                        received.drain(start + Head::LOOKED_AT..session.framed);
                        session.framed = start + Head::LOOKED_AT;
                    }
                }
                Err(violation) => break Err(DecodeError::Framing(violation.to_string())),
            }
        };
        received.drain(..start);
        session.framed -= start;
        if received.len() < KEPT {
            received.shrink_to(KEPT);
        }
        result
    }
}

/// The size that the desktop has from this message on.
fn new_size(message: &ServerMessage<'_>) -> Option<Size> {
    match *message {
        ServerMessage::DesktopSize { width, height } => Some(Size { width, height }),
        ServerMessage::Layout(layout) if layout.takes_effect() => {
            Some(Size { width: layout.width, height: layout.height })
        }
        _ => None,
    }
}

impl Decoder for VncDecoder {
    fn state(&mut self, entry: &[u8]) -> Result<(), DecodeError> {
        let state = |problem: String| DecodeError::State(problem);
        let session = self.session.as_mut().ok_or_else(|| state("it comes before ServerInit".to_owned()))?;
        let checked = |format: MarkedFormat| {
            PixelFormat::parse(&PixelFormat::from(format).encode()).map_err(|error| state(error.to_string()))
        };
        match Marker::parse(entry).map_err(|error| state(error.to_string()))? {
            Marker::PixelFormat(format) => session.framer.set_pixel_format(checked(format)?),
            Marker::Blackout(asked) => {
                self.framebuffer.fill(Rect::of(self.framebuffer.size()), 0);
                self.blackout = Some(asked);
            }
            Marker::BlackoutEnd { width, height, pixel_format, streams_lost } => {
                session.framer.set_pixel_format(checked(pixel_format)?);
                session.framer.set_desktop_size(width, height);
                if streams_lost {
                    session.streams.lose_all();
                }
                let size = Size { width, height };
                if size != self.framebuffer.size() {
                    self.framebuffer = Framebuffer::new(size)?;
                }
                self.blackout = None;
            }
        }
        Ok(())
    }

    fn target(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.received.extend_from_slice(bytes);
        if self.session.is_none() && !self.begin()? {
            return Ok(());
        }
        self.draw()
    }

    fn framebuffer(&self) -> &Framebuffer {
        &self.framebuffer
    }

    fn take_damage(&mut self) -> Damage {
        self.framebuffer.take_damage()
    }

    fn pointer(&self) -> &Pointer {
        if self.blackout.is_some() { &Pointer::Hidden } else { &self.pointer }
    }

    fn blackout(&self) -> Option<&Blackout> {
        self.blackout.as_ref()
    }

    fn pointer_position(&self) -> Option<(u16, u16)> {
        self.position
    }

    fn skipped(&self) -> &[Skipped] {
        self.tally.list()
    }
}

impl Session {
    fn new(init: &ServerInit) -> Self {
        let mut framer = ServerFramer::new(init, LIMITS);
        // What was not offered was not let through.
        for encoding in Encoding::FRAMED {
            framer.offer(*encoding);
        }
        let map = ColourMap::new();
        Self {
            framer,
            framed: 0,
            place: Place::Message,
            too_long: false,
            format: init.pixel_format,
            pixels: Pixels::new(&init.pixel_format, &map),
            map,
            map_changed: false,
            streams: Streams::default(),
            effort: Effort::default(),
            memory: Memory::default(),
        }
    }

    /// Takes over the format of the rectangle that begins.
    fn follow_format(&mut self) {
        let format = self.framer.pixel_format();
        let recoloured = self.map_changed && !format.true_colour;
        if self.place == Place::Rectangle && (format != self.format || recoloured) {
            self.pixels = Pixels::new(&format, &self.map);
            self.format = format;
            self.map_changed = false;
        }
    }

    /// Takes a message of which `bytes` are all, or the head of an update.
    fn message(&mut self, bytes: &[u8], desktop: Size) {
        const UPDATE: u8 = 0;
        const COLOUR_MAP: u8 = 1;
        match bytes.first() {
            Some(&UPDATE) => self.effort.begin(desktop),
            Some(&COLOUR_MAP) => {
                self.map.set(bytes);
                self.map_changed = true;
            }
            _ => {}
        }
    }

    /// Draws a rectangle of which `bytes` are all.
    fn rectangle(
        &mut self,
        bytes: &[u8],
        framebuffer: &mut Framebuffer,
        pointer: &mut Pointer,
        position: &mut Option<(u16, u16)>,
        tally: &mut Tally,
    ) {
        let Some((head, body)) = Head::read(bytes) else { return };
        let Self { streams, effort, memory, pixels, .. } = self;
        let result = if std::mem::take(&mut self.too_long) {
            streams.lose(head.encoding);
            Err(Part::TooLong)
        } else {
            match head.encoding {
                Encoding::POINTER_POS => {
                    *position = Some((head.area.x, head.area.y));
                    Ok(())
                }
                Encoding::CURSOR => cursor::masked(head.area, body, pixels).map(|shape| *pointer = shape),
                Encoding::X_CURSOR => cursor::two_coloured(head.area, body).map(|shape| *pointer = shape),
                Encoding::CURSOR_WITH_ALPHA => cursor::alpha(head.area, body, streams, effort, memory, tally)
                    .map(|shape| *pointer = shape),
                Encoding::COPY_RECT => rectangle::source(body).map_or(Err(Part::Undecodable), |from| {
                    effort.spend(head.area)?;
                    framebuffer.copy(from, head.area);
                    Ok(())
                }),
                _ => rectangle::Drawing { surface: framebuffer, pixels, streams, effort, memory, tally }
                    .draw(head, body),
            }
        };
        if let Err(part) = result {
            tally.add(part);
        }
    }
}
