//! Events as messages of the syslog protocol (RFC 5424).

use std::fmt::{self, Write as _};
use std::str::FromStr;

use data_encoding::BASE64;
use serde_json::Value;

use super::Weight;
use crate::audit::EventLine;

/// The number under which names of structured data are ours. It is the one that RFC 5612 sets aside for documentation:
/// nobody else's data can be meant by it.
const ENTERPRISE: &str = "32473";
/// Longer values are cut, in bytes: receivers take at least 2,048 bytes a message, usual ones 8,192.
const LONGEST_VALUE: usize = 1024;
/// Details beyond these many bytes are left out.
const LONGEST_DETAIL: usize = 4096;
/// The longest name of a parameter (RFC 5424, section 6.3.3).
const LONGEST_NAME: usize = 32;

/// What kind of program a message is from (RFC 5424, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

/// Names of facilities; their place is their number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

impl Facility {
    /// Messages about security that not everybody may read.
    pub const AUTHPRIV: Self = Self(10);
}

/// Text that names no facility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no facility of syslog; write `authpriv`, `audit` or `local0` to `local7`")]
pub struct UnknownFacility;

impl FromStr for Facility {
    type Err = UnknownFacility;

    fn from_str(name: &str) -> Result<Self, UnknownFacility> {
        let place = FACILITIES.iter().position(|known| *known == name).ok_or(UnknownFacility)?;
        u8::try_from(place).map(Self).map_err(|_| UnknownFacility)
    }
}

/// Makes messages of one gateway.
#[derive(Clone, Debug)]
pub struct Syslog {
    facility: Facility,
    host: String,
}

impl Syslog {
    /// For the gateway called `host`.
    #[must_use]
    pub fn new(facility: Facility, host: &str) -> Self {
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        Self { facility, host: if host.is_empty() { "-".to_owned() } else { host } }
    }

    /// An event, without a frame.
    #[must_use]
    pub fn event(&self, line: &EventLine) -> Vec<u8> {
        let event = &line.event;
        let severity = match Weight::of(line) {
            Weight::Evidence => 2,
            Weight::Failed => 4,
            Weight::Refused => 5,
            Weight::Usual => 6,
        };
        let mut text = self.head(severity, &line.time, event.kind.name());
        let _ = write!(text, "[passerelle@{ENTERPRISE}");
        push(&mut text, "seq", &line.seq.to_string());
        let outcome = event.outcome.map(|outcome| super::outcome_name(outcome).to_owned());
        for (name, value) in [
            ("outcome", &outcome),
            ("session", &event.session),
            ("technician", &event.technician),
            ("target", &event.target),
            ("address", &event.address),
        ] {
            if let Some(value) = value {
                push(&mut text, name, value);
            }
        }
        push(&mut text, "prev", &line.prev);
        text.push(']');
        if !event.detail.is_empty() {
            push_detail(&mut text, line);
        }
        finish(text, event.message.as_deref().unwrap_or(event.kind.name()))
    }

    /// A checkpoint of the log, made of the signed note `note` at `time`, RFC 3339. What stands in `note` of the
    /// message is the note in base64.
    #[must_use]
    pub fn checkpoint(&self, time: &str, lines: u64, note: &str) -> Vec<u8> {
        let mut text = self.head(6, time, "checkpoint");
        let _ = write!(
            text,
            "[checkpoint@{ENTERPRISE} size=\"{lines}\" note=\"{}\"]",
            BASE64.encode(note.as_bytes())
        );
        finish(text, &format!("the audit log has {lines} lines"))
    }

    fn head(&self, severity: u8, time: &str, id: &str) -> String {
        let priority = self.facility.0 * 8 + severity;
        format!("<{priority}>1 {time} {} passerelle - {id} ", self.host)
    }
}

/// A message with its length before it (RFC 5425, section 4.3).
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message);
    frame
}

fn push_detail(text: &mut String, line: &EventLine) {
    let before = text.len();
    let _ = write!(text, "[detail@{ENTERPRISE}");
    for (name, value) in &line.event.detail {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut param = String::new();
        let name: String = name
            .chars()
            .filter(|char| char.is_ascii_graphic() && !"=]\"".contains(*char))
            .take(LONGEST_NAME)
            .collect();
        if name.is_empty() {
            continue;
        }
        push(&mut param, &name, &value);
        if text.len() - before + param.len() > LONGEST_DETAIL {
            push(text, "cut", "true");
            break;
        }
        text.push_str(&param);
    }
    text.push(']');
}

/// Adds a parameter. Control characters, with which a receiver's log could be made to lie, are replaced.
fn push(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, " {name}=\"");
    for char in cut(value).chars() {
        match char {
            '"' | '\\' | ']' => {
                text.push('\\');
                text.push(char);
            }
            char if char.is_control() => text.push('\u{fffd}'),
            char => text.push(char),
        }
    }
    text.push('"');
}

fn cut(text: &str) -> &str {
    let end = (0..=LONGEST_VALUE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Adds what people read.
fn finish(mut text: String, message: &str) -> Vec<u8> {
    text.push(' ');
    if !message.is_ascii() {
        // Says that it is UTF-8 (RFC 5424, section 6.4).
        text.push('\u{feff}');
    }
    text.extend(cut(message).chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }));
    text.into_bytes()
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FACILITIES.get(usize::from(self.0)).unwrap_or(&"user"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::one_of_each;
    use super::*;

    fn syslog() -> Syslog {
        Syslog::new(Facility::AUTHPRIV, "gate 1\n")
    }

    fn text(line: &EventLine) -> String {
        String::from_utf8(syslog().event(line)).unwrap()
    }

    #[test]
    fn a_message_has_its_fields_in_their_places() {
        let mut line = one_of_each().remove(0);
        assert_eq!(
            text(&line),
            format!(
                "<85>1 2026-11-23T06:12:18.250Z gate1 passerelle - gateway.started [passerelle@32473 seq=\"1\" \
                 outcome=\"refused\" session=\"01hzy3\" technician=\"alice\" target=\"front-desk\" \
                 address=\"192.0.2.7:50112\" prev=\"{}\"][detail@32473 by=\"chief\" \
                 permissions=\"[\\\"view\\\",\\\"pointer\\\"\\]\"] one sentence",
                "0".repeat(64)
            )
        );
        line.event.message = None;
        line.event.detail.clear();
        assert!(text(&line).ends_with("] gateway.started"));
        assert_eq!(framed(b"abc"), b"3 abc");
    }

    #[test]
    fn nothing_that_others_chose_breaks_a_message() {
        let mut line = one_of_each().remove(0);
        line.event.technician = Some("a\"] [x y=\"\\\u{0}\n<0>1".into());
        line.event.message = Some("caf\u{e9}\u{1b}[2J\n".into());
        line.event.detail.insert("a b]=\"c".into(), "x".into());
        line.event.detail.insert("\u{e9}".into(), "no name".into());
        line.event.detail.insert("n".repeat(99), "y".repeat(9999).into());
        let said = text(&line);
        assert!(said.contains("technician=\"a\\\"\\] [x y=\\\"\\\\\u{fffd}\u{fffd}<0>1\""), "{said}");
        assert!(said.contains(" abc=\"x\"") && !said.contains("no name"), "{said}");
        assert!(said.contains(&format!(" {}=\"{}\"", "n".repeat(32), "y".repeat(1024))), "{said}");
        assert!(said.ends_with("] \u{feff}caf\u{e9}\u{fffd}[2J\u{fffd}"), "{said}");
        for number in 0..20 {
            line.event.detail.insert(format!("m{number}"), "\u{20ac}".repeat(500).into());
        }
        let said = text(&line);
        assert!(said.contains(" cut=\"true\"]") && said.len() < 8192, "{} bytes", said.len());
    }

    #[test]
    fn a_checkpoint_can_be_taken_out_again() {
        let said = String::from_utf8(syslog().checkpoint("2026-11-23T06:12:18Z", 7, "a note\n")).unwrap();
        let start =
            "<86>1 2026-11-23T06:12:18Z gate1 passerelle - checkpoint [checkpoint@32473 size=\"7\" note=\"";
        let rest = said.strip_prefix(start).unwrap();
        assert_eq!(BASE64.decode(rest.split('"').next().unwrap().as_bytes()).unwrap(), b"a note\n");
    }

    #[test]
    fn facilities_have_names() {
        for name in FACILITIES {
            assert_eq!(name.parse::<Facility>().unwrap().to_string(), name);
        }
        assert_eq!("authpriv".parse(), Ok(Facility::AUTHPRIV));
        assert_eq!("local8".parse::<Facility>(), Err(UnknownFacility));
    }
}
