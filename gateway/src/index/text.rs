//! What of a recording can be searched.

use std::path::Path;

use passerelle_recorder::{Entry, Header, Identity, Lane, Reader};
use serde_json::Value;

use super::words::Text;

/// How many bytes of text of a recording are kept.
const MOST: usize = 64 * 1024;

/// How many bytes of one text are kept.
const LONGEST: usize = 4096;

/// Details that nobody searches for.
const PASSED_OVER: [&str; 2] = ["sha256", "fingerprint"];

/// What of the recording in `directory` can be searched: what its header says, and what `identity` opens of its events
/// and its clipboard.
pub(super) fn read(identity: Option<&Identity>, directory: &Path, header: &Header) -> Vec<Text> {
    let mut texts = Texts { texts: Vec::new(), room: MOST };
    texts.add(0, "session", &leaves(&header.facts), false);
    // Without a key, or when something was erased, there is less to search.
    let Some(identity) = identity else { return texts.texts };
    let Ok(reader) = Reader::open(directory, identity) else { return texts.texts };
    let rdp = header.facts.get("protocol").and_then(Value::as_str) == Some("rdp");
    let mut clipboard = None;
    for entry in reader.only(&[Lane::Clipboard, Lane::Events]) {
        let Ok(Entry { t_ms, lane, bytes, .. }) = entry else { break };
        if lane == Lane::Clipboard {
            clipboard = Some(bytes);
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Value>(&bytes) else { continue };
        let kind = event["kind"].as_str().unwrap_or_default();
        texts.add(t_ms, kind, &leaves(&event["detail"]), false);
        // The event about the clipboard follows its content.
        if kind == "clipboard.transferred"
            && let Some(content) = clipboard.take()
            && let Some(text) = clipboard_text(rdp, event["detail"]["format"].as_str(), &content)
        {
            texts.add(t_ms, kind, &text, true);
        }
        if texts.room == 0 {
            break;
        }
    }
    texts.texts
}

struct Texts {
    texts: Vec<Text>,
    /// How many more bytes there is room for.
    room: usize,
}

impl Texts {
    fn add(&mut self, t_ms: u32, kind: &str, text: &str, clipboard: bool) {
        let len = text.floor_char_boundary(LONGEST.min(self.room.saturating_sub(kind.len())));
        let text = text[..len].to_owned();
        self.room = self.room.saturating_sub(kind.len() + len.max(1));
        self.texts.push(Text { t_ms, kind: kind.to_owned(), text, clipboard });
    }
}

/// Every text in `value`, one after the other.
fn leaves(value: &Value) -> String {
    let mut text = String::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(leaf) => {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(leaf);
            }
            Value::Array(values) => open.extend(values.iter().rev()),
            Value::Object(object) => {
                let wanted = |name: &str| !PASSED_OVER.contains(&name);
                let values: Vec<_> =
                    object.iter().filter(|(name, _)| wanted(name)).map(|(_, value)| value).collect();
                open.extend(values.into_iter().rev());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    text
}

/// The text that a clipboard's content is, if it is text.
fn clipboard_text(rdp: bool, format: Option<&str>, content: &[u8]) -> Option<String> {
    if !rdp {
        return passerelle_vnc::clipboard_text(content, MOST);
    }
    let units = || content.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit));
    match format? {
        // Windows has two kinds of text: one of 16 bits a character, and older ones of 8.
        "text" if content.len() >= 2 && content.len().is_multiple_of(2) && content.contains(&0) => {
            Some(char::decode_utf16(units()).map(|sign| sign.unwrap_or('\u{fffd}')).collect())
        }
        "text" | "html" => Some(String::from_utf8_lossy(content).into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_of_events_are_found_at_any_depth() {
        let detail =
            json!({ "bytes": 7, "list": [{ "by": "drive" }, "x"], "name": "a.pdf", "sha256": "00ff" });
        assert_eq!(leaves(&detail), "drive x a.pdf");
    }

    #[test]
    fn clipboards_of_windows_are_text_of_two_kinds() {
        let wide: Vec<u8> = "née\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(clipboard_text(true, Some("text"), &wide).as_deref(), Some("née\0"));
        assert_eq!(clipboard_text(true, Some("text"), b"plain").as_deref(), Some("plain"));
        assert_eq!(clipboard_text(true, Some("image"), b"BM"), None);
    }

    #[test]
    fn there_is_an_end_to_the_text_of_a_recording() {
        let mut texts = Texts { texts: Vec::new(), room: MOST };
        for _ in 0..100 {
            texts.add(0, "k", &"é".repeat(4000), false);
        }
        assert!(texts.texts.iter().map(|text| text.text.len()).sum::<usize>() <= MOST);
        assert_eq!(texts.room, 0);
    }
}
