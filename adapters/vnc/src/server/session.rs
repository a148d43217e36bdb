//! What a viewer is owed, as a state machine without I/O.

use passerelle_desktop::{Framebuffer, InputEvent, Rect, Size};
use passerelle_rfb::{
    ClientFramer, ClientMessage, ClientViolation, DesktopLayout, Encoding, EncodingList, Limits, Parsed,
    PixelFormat, Rectangle, ResizeStatus, Screen, ScreenList, ServerInit, ServerMessage, Span,
    rectangle_header, update_header,
};

use super::clipboard::Clipboard;
use super::encode::{Encoder, PixelEncoding};
use super::screen::{Seat, SizeNews, View};

/// The most pixels in one update; the rest follows with the next. Bounds what is held for a slow viewer
/// to 16 MiB, and is enough for a picture of 2560x1600 at once.
const PIXELS_PER_UPDATE: usize = 4 << 20;
/// An ExtendedDesktopSize status: the layout makes no sense or can't be had.
const INVALID_LAYOUT: ResizeStatus = ResizeStatus(3);

/// A viewer broke the protocol, or wants what is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewerViolation {
    /// A message that can't be understood.
    #[error(transparent)]
    Message(#[from] ClientViolation),
    /// A pixel format with a colour map.
    #[error("the viewer wants a colour map; only true colour is served")]
    ColourMap,
}

/// One viewer's session from ServerInit on.
pub(super) struct Session {
    framer: ClientFramer,
    encoder: Encoder,
    /// The desktop's size as the viewer knows it.
    known_size: Size,
    extensions: Extensions,
    clipboard: Clipboard,
    /// The area of the update requests that have not been answered.
    wanted: Option<Rect>,
    due: Due,
}

/// The extensions that the viewer has listed.
#[derive(Clone, Copy, Default)]
struct Extensions {
    cursor: bool,
    desktop_size: bool,
    extended_desktop_size: bool,
    qemu_keys: bool,
    mouse_buttons: bool,
}

/// Rectangles besides pixels that go into the next update.
#[derive(Default)]
struct Due {
    size: bool,
    cursor: bool,
    qemu_keys: bool,
    mouse_buttons: bool,
}

impl Session {
    /// Starts a session on a desktop of `size`. The bytes are the ServerInit message.
    pub(super) fn start(name: String, size: Size) -> (Self, Vec<u8>) {
        let Size { width, height } = size;
        let init = ServerInit { width, height, pixel_format: PixelFormat::BGRX, name };
        let session = Self {
            framer: ClientFramer::new(Limits::default()),
            encoder: Encoder::new(),
            known_size: size,
            extensions: Extensions::default(),
            clipboard: Clipboard::default(),
            wanted: None,
            due: Due::default(),
        };
        (session, init.encode())
    }

    /// Takes what is at the front of `input`: how many bytes are done with, and what the viewer did.
    ///
    /// # Errors
    /// The viewer sent what can't be understood; nothing that follows is.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        seat: &mut Seat,
    ) -> Result<Parsed<Option<InputEvent>>, ViewerViolation> {
        Ok(match self.framer.next(input)? {
            Span::NeedMore { total } => Parsed::NeedMore { total },
            // The rest of something that is not taken, such as a cut text over the limit.
            Span::Pass { len } | Span::Body { len } => Parsed::Done { value: None, len },
            Span::Message { len, message } => Parsed::Done { value: self.react(message, seat)?, len },
        })
    }

    fn react(
        &mut self,
        message: ClientMessage<'_>,
        seat: &mut Seat,
    ) -> Result<Option<InputEvent>, ViewerViolation> {
        match message {
            ClientMessage::SetPixelFormat(format) => {
                if !self.encoder.set_format(&format) {
                    return Err(ViewerViolation::ColourMap);
                }
                // Some viewers reinterpret the cursor that they hold.
                self.due.cursor = self.extensions.cursor;
            }
            ClientMessage::SetEncodings(encodings) => self.set_encodings(encodings),
            ClientMessage::UpdateRequest { incremental, area } => {
                if let Some(area) = rect(area).intersection(Rect::of(self.known_size)) {
                    if !incremental {
                        seat.damage.add(area);
                    }
                    self.wanted = Some(self.wanted.map_or(area, |wanted| wanted.hull(area)));
                }
            }
            ClientMessage::Key { down, keysym } => {
                return Ok(Some(InputEvent::Key { keysym, scancode: None, pressed: down }));
            }
            ClientMessage::QemuKey { down, keysym, keycode } => {
                return Ok(Some(InputEvent::Key { keysym, scancode: Some(keycode), pressed: down }));
            }
            ClientMessage::Pointer { buttons, x, y } => {
                // A pointer beyond the edge is at it.
                let x = x.min(self.known_size.width.saturating_sub(1));
                let y = y.min(self.known_size.height.saturating_sub(1));
                return Ok(Some(InputEvent::Pointer { x, y, buttons }));
            }
            ClientMessage::CutText(text) => {
                return Ok(self.clipboard.receive(text).map(InputEvent::Clipboard));
            }
            ClientMessage::SetDesktopSize { width, height, screens } => {
                let size = Size { width, height };
                let possible = size.pixels() > 0 && size.pixels() <= Framebuffer::MAX_PIXELS;
                if possible && screens.count() > 0 {
                    return Ok(Some(InputEvent::Resize(size)));
                }
                seat.size_news = Some(SizeNews::to_this_viewer(INVALID_LAYOUT));
            }
            // Extensions that were not offered, and a clipboard that is too large: nothing depends on them.
            ClientMessage::CutTextTooLong { .. }
            | ClientMessage::EnableContinuousUpdates { .. }
            | ClientMessage::Fence(_)
            | ClientMessage::FileTransfer { .. }
            | ClientMessage::Gii { .. }
            | ClientMessage::QemuAudio(_)
            | ClientMessage::TextChat { .. }
            | ClientMessage::Xvp { .. } => {}
        }
        Ok(None)
    }

    fn set_encodings(&mut self, encodings: EncodingList<'_>) {
        let preferred = encodings.iter().find_map(PixelEncoding::for_encoding);
        self.encoder.encoding = preferred.unwrap_or(PixelEncoding::Raw);
        let lists = |wanted: Encoding| encodings.iter().any(|encoding| encoding == wanted);
        let now = Extensions {
            cursor: lists(Encoding::CURSOR),
            desktop_size: lists(Encoding::DESKTOP_SIZE),
            extended_desktop_size: lists(Encoding::EXTENDED_DESKTOP_SIZE),
            qemu_keys: lists(Encoding::QEMU_EXTENDED_KEY),
            mouse_buttons: lists(Encoding::EXTENDED_MOUSE_BUTTONS),
        };
        let before = std::mem::replace(&mut self.extensions, now);
        self.due.cursor |= now.cursor && !before.cursor;
        self.due.size |= now.extended_desktop_size && !before.extended_desktop_size;
        self.due.qemu_keys |= now.qemu_keys && !before.qemu_keys;
        self.due.mouse_buttons |= now.mouse_buttons && !before.mouse_buttons;
        if lists(Encoding::EXTENDED_CLIPBOARD) {
            self.clipboard.extend();
        }
    }

    /// Everything that is to be sent to the viewer now. It is to be written whole before the next is asked
    /// for.
    pub(super) fn owed(&mut self, view: View<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(text) = view.seat.clipboard.take() {
            self.clipboard.offer(text);
        }
        self.clipboard.take_owed(&mut out);
        self.update(view, &mut out);
        out
    }

    /// Appends the update that the viewer has asked for, as far as there is something to tell.
    fn update(&mut self, view: View<'_>, out: &mut Vec<u8>) {
        let Some(wanted) = self.wanted else { return };
        if self.size_update(view.framebuffer.size(), view.seat, out) {
            self.wanted = None;
            return;
        }

        let head = out.len();
        let mut count = 0_u16;
        out.extend(update_header(count));
        let due = std::mem::take(&mut self.due);
        if due.cursor {
            self.encoder.cursor(view.cursor, out);
            count += 1;
        }
        if due.qemu_keys {
            out.extend(rectangle_header(Rectangle::default(), Encoding::QEMU_EXTENDED_KEY));
            count += 1;
        }
        if due.mouse_buttons {
            out.extend(ServerMessage::ExtendedMouseButtons.encode());
            self.framer.set_extended_pointer(true);
            count += 1;
        }
        let mut room = PIXELS_PER_UPDATE;
        let shown = wanted.intersection(Rect::of(view.framebuffer.size()));
        let changed = shown.map(|shown| view.seat.damage.take_within(shown)).unwrap_or_default();
        for area in changed {
            let (now, later) = split_at_pixels(area, room);
            if let Some(now) = now {
                room -= now.pixels();
                self.encoder.pixels(view.framebuffer, now, out);
                count += 1;
            }
            if let Some(later) = later {
                view.seat.damage.add(later);
            }
        }
        if count == 0 {
            out.truncate(head);
            return;
        }
        self.wanted = None;
        if let Some(place) = out.get_mut(head..head + 4) {
            place.copy_from_slice(&update_header(count));
        }
    }

    /// Appends an update that tells the desktop's size and nothing else, if that is due.
    fn size_update(&mut self, size: Size, seat: &mut Seat, out: &mut Vec<u8>) -> bool {
        let news = seat.size_news.take();
        let differs = size != self.known_size;
        let Size { width, height } = size;
        let rectangle = if self.extensions.extended_desktop_size {
            if !(differs || news.is_some() || self.due.size) {
                return false;
            }
            let SizeNews { reason, status } = news.unwrap_or(SizeNews::FROM_SERVER);
            let screen = Screen { id: 0, area: Rectangle::of_size(width, height), flags: 0 };
            let screens = Screen::encode_all(&[screen]);
            let screens = ScreenList::new(&screens);
            DesktopLayout { reason, status, width, height, screens }.encode()
        } else if self.extensions.desktop_size && differs {
            ServerMessage::DesktopSize { width, height }.encode()
        } else {
            return false;
        };
        out.extend(update_header(1));
        out.extend(rectangle);
        self.due.size = false;
        if differs {
            self.known_size = size;
            seat.damage.add(Rect::of(size));
        }
        true
    }
}

fn rect(area: Rectangle) -> Rect {
    Rect { x: area.x, y: area.y, width: area.width, height: area.height }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_areas_are_split_into_rows() {
        let area = Rect { x: 5, y: 7, width: 100, height: 50 };
        assert_eq!(split_at_pixels(area, 5000), (Some(area), None));
        let (now, later) = split_at_pixels(area, 1234);
        assert_eq!(now, Some(Rect { height: 12, ..area }));
        assert_eq!(later, Some(Rect { y: 19, height: 38, ..area }));
        assert_eq!(split_at_pixels(area, 99), (None, Some(area)));
    }
}
