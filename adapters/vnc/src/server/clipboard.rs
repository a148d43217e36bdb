//! The clipboard in both directions: Latin-1 cut text, and the ExtendedClipboard pseudo-encoding with which
//! UTF-8 text is announced first and sent when it is asked for.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use passerelle_rfb::{ClipboardAction, ClipboardFormats, CutText, ExtendedClipboard, ServerMessage};

/// The longest text that is taken from a viewer, in bytes of UTF-8.
const LONGEST_TEXT: u32 = 1 << 20;
/// The flags of our Caps message: all actions, for text alone.
const CAPS: u32 = 0x1f00_0001;

/// One viewer's end of the clipboard.
#[derive(Default)]
pub(super) struct Clipboard {
    /// Whether the viewer knows the extension, and has not yet been told that this server does.
    extended: bool,
    caps_due: bool,
    /// Whether the viewer said that it understands Notify and Provide for text.
    viewer_asks: bool,
    /// The text that the viewer may ask for, and what it is to be told.
    offered: Option<String>,
    offer_due: bool,
    notify_due: bool,
    provide_due: bool,
    request_due: bool,
}

impl Clipboard {
    /// The viewer knows the extension.
    pub(super) fn extend(&mut self) {
        if !self.extended {
            self.extended = true;
            self.caps_due = true;
        }
    }

    /// Puts `text` on the viewer's clipboard.
    pub(super) fn offer(&mut self, text: String) {
        self.offered = Some(text);
        self.offer_due = true;
    }

    /// Takes a message from the viewer. If it brings a text, that is the answer. What is broken or is not
    /// text brings none.
    pub(super) fn receive(&mut self, message: CutText<'_>) -> Option<String> {
        let message = match message {
            CutText::Plain(latin_1) => return Some(latin_1.iter().copied().map(char::from).collect()),
            CutText::Extended(message) if self.extended => message,
            CutText::Extended(_) => return None,
        };
        let about_text = message.formats.has(ClipboardFormats::TEXT);
        match message.action {
            ClipboardAction::Caps => {
                let understands = |action| message.flags & action == action;
                let (notify, provide) = (1 << 27, 1 << 28);
                self.viewer_asks = about_text && understands(notify | provide);
            }
            ClipboardAction::Notify => self.request_due = about_text,
            ClipboardAction::Request => self.provide_due = about_text && self.offered.is_some(),
            ClipboardAction::Peek => self.notify_due = true,
            ClipboardAction::Provide if about_text => return read_provided(message.body),
            ClipboardAction::Provide => {}
        }
        None
    }

    /// Appends the messages that are due. Each kind is due once at most, whatever the viewer asks for.
    pub(super) fn take_owed(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.caps_due) {
            // The largest text that may be sent unasked: none.
            let caps = ExtendedClipboard {
                flags: CAPS,
                ..ExtendedClipboard::new(ClipboardAction::Caps, ClipboardFormats::TEXT, &[0; 4])
            };
            push(CutText::Extended(caps), out);
        }
        if std::mem::take(&mut self.offer_due) {
            if self.viewer_asks {
                self.notify_due = true;
            } else if let Some(text) = &self.offered {
                push(CutText::Plain(&latin_1(text)), out);
            }
        }
        if std::mem::take(&mut self.notify_due) {
            let formats = if self.offered.is_some() { ClipboardFormats::TEXT } else { ClipboardFormats(0) };
            push(CutText::Extended(ExtendedClipboard::new(ClipboardAction::Notify, formats, &[])), out);
        }
        if std::mem::take(&mut self.request_due) {
            let request = ExtendedClipboard::new(ClipboardAction::Request, ClipboardFormats::TEXT, &[]);
            push(CutText::Extended(request), out);
        }
        if std::mem::take(&mut self.provide_due)
            && let Some(body) = self.offered.as_deref().and_then(provided)
        {
            let provide = ExtendedClipboard::new(ClipboardAction::Provide, ClipboardFormats::TEXT, &body);
            push(CutText::Extended(provide), out);
        }
    }
}

fn push(text: CutText<'_>, out: &mut Vec<u8>) {
    out.extend(ServerMessage::CutText(text).encode());
}

/// What Latin-1 lacks becomes a question mark.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

/// The body of a Provide message: compressed size and text, which ends its lines with CR LF and itself
/// with NUL.
fn provided(text: &str) -> Option<Vec<u8>> {
    let wire = text.replace("\r\n", "\n").replace('\n', "\r\n") + "\0";
    let size = u32::try_from(wire.len()).ok()?;
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::fast());
    stream.write_all(&size.to_be_bytes()).ok()?;
    stream.write_all(wire.as_bytes()).ok()?;
    stream.finish().ok()
}

/// The text in the body of a Provide message, unless it is broken or too long.
fn read_provided(body: &[u8]) -> Option<String> {
    let mut stream = ZlibDecoder::new(body);
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let size = u32::from_be_bytes(size);
    if size > LONGEST_TEXT {
        return None;
    }
    let mut text = vec![0; usize::try_from(size).ok()?];
    stream.read_exact(&mut text).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(text.trim_end_matches('\0').replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: ClipboardFormats = ClipboardFormats::TEXT;

    fn owed(clipboard: &mut Clipboard) -> Vec<u8> {
        let mut out = Vec::new();
        clipboard.take_owed(&mut out);
        out
    }

    fn extended(action: ClipboardAction, body: &[u8]) -> CutText<'_> {
        CutText::Extended(ExtendedClipboard::new(action, TEXT, body))
    }

    #[test]
    fn plain_text_is_latin_1() {
        let mut clipboard = Clipboard::default();
        assert_eq!(clipboard.receive(CutText::Plain(b"gr\xfc\xdfe")), Some("grüße".into()));
        clipboard.offer("grüße €".into());
        assert_eq!(owed(&mut clipboard), b"\x03\0\0\0\0\0\0\x07gr\xfc\xdfe ?");
        assert_eq!(owed(&mut clipboard), b"");
    }

    #[test]
    fn extended_text_is_announced_and_sent_when_asked_for() {
        let mut clipboard = Clipboard::default();
        clipboard.extend();
        assert_eq!(owed(&mut clipboard), b"\x03\0\0\0\xff\xff\xff\xf8\x1f\0\0\x01\0\0\0\0");
        let caps =
            ExtendedClipboard { flags: CAPS, ..ExtendedClipboard::new(ClipboardAction::Caps, TEXT, &[0; 4]) };
        assert_eq!(clipboard.receive(CutText::Extended(caps)), None);
        clipboard.offer("€\nЖ".into());
        assert_eq!(owed(&mut clipboard), b"\x03\0\0\0\xff\xff\xff\xfc\x08\0\0\x01");
        clipboard.receive(extended(ClipboardAction::Request, &[]));
        let message = owed(&mut clipboard);
        assert_eq!(message[8..12], [0x10, 0, 0, 1]);
        assert_eq!(read_provided(&message[12..]).as_deref(), Some("€\nЖ"));

        clipboard.receive(extended(ClipboardAction::Notify, &[]));
        assert_eq!(owed(&mut clipboard), b"\x03\0\0\0\xff\xff\xff\xfc\x02\0\0\x01");
        let body = provided("naïve 文字").unwrap();
        let text = clipboard.receive(extended(ClipboardAction::Provide, &body));
        assert_eq!(text.as_deref(), Some("naïve 文字"));
    }

    #[test]
    fn broken_and_oversized_content_is_ignored() {
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&u32::MAX.to_be_bytes()).unwrap();
        bomb.write_all(&vec![0; 5 << 20]).unwrap();
        let whole = provided("text").unwrap();
        for body in [&bomb.finish().unwrap()[..], b"", b"no zlib", &whole[..whole.len() / 2]] {
            let mut clipboard = Clipboard::default();
            clipboard.extend();
            assert_eq!(clipboard.receive(extended(ClipboardAction::Provide, body)), None);
        }
    }
}
