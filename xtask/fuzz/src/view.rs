//! Views that are damaged, or that nobody has written.

use passerelle_desktop::Rect;
use passerelle_recorder::view::{Message, Messages, ViewPicture};

/// The largest picture that is drawn here, in pixels: larger ones take time and find nothing.
const PIXELS: usize = 1 << 20;

/// A view's stream can be read to its end or to what is wrong with it, and what was read is what would be written. The
/// same goes for messages that are in no stream, as those who watch a session get them.
pub(crate) fn view(data: &[u8]) {
    let mut picture = ViewPicture::new().expect("a picture of one pixel");
    if let Ok(mut messages) = Messages::new(data) {
        while let Ok(Some((t_ms, message))) = messages.next_message() {
            check(t_ms, &message);
            if !draw(&mut picture, &message) {
                break;
            }
        }
    }
    let mut rest = data;
    while let Ok(Some((t_ms, message, len))) = Message::parse(rest) {
        let (read, others) = rest.split_at(len);
        if message != Message::Unknown {
            assert_eq!(check(t_ms, &message), read, "{message:?}");
        }
        if !draw(&mut picture, &message) {
            break;
        }
        rest = others;
    }
    let size = picture.framebuffer().size();
    assert_eq!(picture.framebuffer().rows(Rect::of(size)).flatten().count(), size.pixels());
    let pointer = picture.pointer();
    assert_eq!(pointer.pixels.len(), pointer.size.pixels() * 4);
}

/// What is written is what was read; answers with it.
fn check(t_ms: u32, message: &Message<'_>) -> Vec<u8> {
    let mut written = Vec::new();
    message.put(t_ms, &mut written);
    if *message != Message::Unknown {
        assert_eq!(Message::parse(&written), Ok(Some((t_ms, *message, written.len()))));
    }
    written
}

/// Whether there is more to draw after this.
fn draw(picture: &mut ViewPicture, message: &Message<'_>) -> bool {
    match message {
        Message::Size(size) if size.pixels() > PIXELS => false,
        message => picture.apply(message).is_ok(),
    }
}
