//! What a viewer is owed, as a state machine without I/O.

use passerelle_desktop::{Cursor, Framebuffer, InputEvent, Rect, Size};
use passerelle_rfb::{Parsed, PixelFormat, ServerInit};

use super::encode::{
    self, CURSOR, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, Encoder, PixelEncoding, QEMU_EXTENDED_KEY, RAW,
    ResizeResult, SizeReason, ZRLE,
};
use super::receive::{self, Message, ViewerMessageError};
use super::screen::{Seat, View};

/// The most pixels in one update; the rest follows with the next. Bounds what is held for a slow viewer
/// to 16 MiB, and is enough for a picture of 2560x1600 at once.
const PIXELS_PER_UPDATE: usize = 4 << 20;

/// One viewer's session from ServerInit on.
pub(super) struct Session {
    encoder: Encoder,
    /// The desktop's size as the viewer knows it.
    known_size: Size,
    knows: Abilities,
    /// The area of the update requests that have not been answered.
    wanted: Option<Rect>,
    /// Rectangles that go into the next update besides pixels.
    size_news: Option<SizeReason>,
    cursor_due: bool,
    qemu_due: bool,
    /// Bytes of an overlong message that are still to be skipped.
    skip: usize,
}

/// The extensions that the viewer has listed.
#[derive(Clone, Copy, Default)]
struct Abilities {
    cursor: bool,
    desktop_size: bool,
    extended_desktop_size: bool,
    qemu_keys: bool,
}

impl Session {
    /// Starts a session on a desktop of `size`. The bytes are the ServerInit message.
    pub(super) fn start(name: String, size: Size) -> (Self, Vec<u8>) {
        let init =
            ServerInit { width: size.width, height: size.height, pixel_format: PixelFormat::BGRX, name };
        let session = Self {
            encoder: Encoder::new(),
            known_size: size,
            knows: Abilities::default(),
            wanted: None,
            size_news: None,
            cursor_due: false,
            qemu_due: false,
            skip: 0,
        };
        (session, init.encode())
    }

    /// Takes what is at the front of `input`: how many bytes are done with, and what the viewer did.
    ///
    /// # Errors
    /// The viewer sent what cannot be understood; nothing that follows is.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        seat: &mut Seat,
    ) -> Result<Parsed<Option<InputEvent>>, ViewerMessageError> {
        if self.skip > 0 {
            let len = self.skip.min(input.len());
            self.skip -= len;
            return Ok(match len {
                0 => Parsed::NeedMore { total: 1 },
                _ => Parsed::Done { value: None, len },
            });
        }
        Ok(match receive::parse(input)? {
            Parsed::NeedMore { total } => Parsed::NeedMore { total },
            Parsed::Done { value, len } => Parsed::Done { value: self.react(value, seat)?, len },
        })
    }

    fn react(
        &mut self,
        message: Message<'_>,
        seat: &mut Seat,
    ) -> Result<Option<InputEvent>, ViewerMessageError> {
        match message {
            Message::SetPixelFormat(format) => {
                if !self.encoder.set_format(&format) {
                    return Err(ViewerMessageError::ColourMap);
                }
                // A cursor that was sent keeps its look only in the format in which it was sent.
                self.cursor_due = self.knows.cursor;
            }
            Message::SetEncodings(encodings) => self.set_encodings(&encodings),
            Message::UpdateRequest { incremental, area } => {
                if let Some(area) = area.intersection(Rect::of(self.known_size)) {
                    if !incremental {
                        seat.damage.add(area);
                    }
                    self.wanted = Some(self.wanted.map_or(area, |wanted| wanted.hull(area)));
                }
            }
            Message::Key { pressed, keysym, scancode } => {
                return Ok(Some(InputEvent::Key { keysym, scancode, pressed }));
            }
            Message::Pointer { buttons, x, y } => {
                // A pointer beyond the edge is at it.
                let x = x.min(self.known_size.width - 1);
                let y = y.min(self.known_size.height - 1);
                return Ok(Some(InputEvent::Pointer { x, y, buttons }));
            }
            Message::CutText(text) => return Ok(Some(InputEvent::Clipboard(from_latin_1(text)))),
            Message::OverlongCutText { content } => self.skip = content,
            // Not offered: a viewer that sends it nevertheless is told nothing and loses nothing.
            Message::ExtendedClipboard(_) => {}
            Message::SetDesktopSize { size, screens } => {
                let fits = size.pixels() > 0 && size.pixels() <= Framebuffer::MAX_PIXELS;
                if screens > 0 && fits {
                    return Ok(Some(InputEvent::Resize(size)));
                }
                seat.size_news = Some(SizeReason::ThisViewer(ResizeResult::InvalidLayout));
            }
        }
        Ok(None)
    }

    fn set_encodings(&mut self, encodings: &[i32]) {
        let preferred = encodings.iter().find_map(|encoding| match *encoding {
            RAW => Some(PixelEncoding::Raw),
            ZRLE => Some(PixelEncoding::Zrle),
            _ => None,
        });
        self.encoder.encoding = preferred.unwrap_or(PixelEncoding::Raw);
        let before = self.knows;
        self.knows = Abilities {
            cursor: encodings.contains(&CURSOR),
            desktop_size: encodings.contains(&DESKTOP_SIZE),
            extended_desktop_size: encodings.contains(&EXTENDED_DESKTOP_SIZE),
            qemu_keys: encodings.contains(&QEMU_EXTENDED_KEY),
        };
        self.cursor_due |= self.knows.cursor && !before.cursor;
        self.qemu_due |= self.knows.qemu_keys && !before.qemu_keys;
        if self.knows.extended_desktop_size && !before.extended_desktop_size {
            self.size_news = Some(SizeReason::Server);
        }
    }

    /// Everything that is to be sent to the viewer now. It is to be written whole before the next is asked
    /// for.
    pub(super) fn owed(&mut self, view: View<'_>) -> Vec<u8> {
        let mut out = view.seat.clipboard.take().map(|text| cut_text(&text)).unwrap_or_default();
        out.extend(self.update(view.framebuffer, view.cursor, view.seat).unwrap_or_default());
        out
    }

    /// The update that the viewer has asked for, as far as there is something to tell.
    fn update(&mut self, framebuffer: &Framebuffer, cursor: &Cursor, seat: &mut Seat) -> Option<Vec<u8>> {
        let wanted = self.wanted?;
        let mut out = Vec::new();
        if let Some(size_update) = self.size_update(framebuffer.size(), seat) {
            self.wanted = None;
            return Some(size_update);
        }

        let mut count = 0_u16;
        encode::push_update_head(count, &mut out);
        if std::mem::take(&mut self.cursor_due) && self.knows.cursor {
            self.encoder.cursor(cursor, &mut out);
            count += 1;
        }
        if std::mem::take(&mut self.qemu_due) {
            encode::push_empty(Size { width: 0, height: 0 }, QEMU_EXTENDED_KEY, &mut out);
            count += 1;
        }
        let mut room = PIXELS_PER_UPDATE;
        let shown = wanted.intersection(Rect::of(framebuffer.size()));
        let changed = shown.map(|shown| seat.damage.take_within(shown)).unwrap_or_default();
        for area in changed {
            let (now, later) = split_at_pixels(area, room);
            if let Some(now) = now {
                room -= now.pixels();
                self.encoder.pixels(framebuffer, now, &mut out);
                count += 1;
            }
            if let Some(later) = later {
                seat.damage.add(later);
            }
        }
        if count == 0 {
            return None;
        }
        self.wanted = None;
        if let Some(place) = out.get_mut(2..4) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        Some(out)
    }

    /// An update that tells the desktop's size and nothing else, if that is due.
    fn size_update(&mut self, size: Size, seat: &mut Seat) -> Option<Vec<u8>> {
        let news = seat.size_news.take().or(self.size_news.take());
        let differs = size != self.known_size;
        let mut out = Vec::new();
        encode::push_update_head(1, &mut out);
        if self.knows.extended_desktop_size && (differs || news.is_some()) {
            encode::push_extended_size(size, news.unwrap_or(SizeReason::Server), &mut out);
        } else if self.knows.desktop_size && differs {
            encode::push_empty(size, DESKTOP_SIZE, &mut out);
        } else {
            return None;
        }
        if differs {
            seat.damage.add(Rect::of(size));
        }
        self.known_size = size;
        Some(out)
    }
}

/// A ServerCutText message (RFC 6143, section 7.6.4). What Latin-1 lacks becomes a question mark.
fn cut_text(text: &str) -> Vec<u8> {
    let latin_1: Vec<u8> =
        text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect();
    let mut message = vec![3, 0, 0, 0];
    message.extend(u32::try_from(latin_1.len()).unwrap_or(u32::MAX).to_be_bytes());
    message.extend(latin_1);
    message
}

fn from_latin_1(text: &[u8]) -> String {
    text.iter().copied().map(char::from).collect()
}

/// The topmost rows of `area` that hold at most `pixels`, and the other rows.
fn split_at_pixels(area: Rect, pixels: usize) -> (Option<Rect>, Option<Rect>) {
    let rows = pixels / usize::from(area.width.max(1));
    match u16::try_from(rows) {
        Ok(0) => (None, Some(area)),
        Ok(rows) if rows < area.height => (
            Some(Rect { height: rows, ..area }),
            Some(Rect { y: area.y + rows, height: area.height - rows, ..area }),
        ),
        _ => (Some(area), None),
    }
}
