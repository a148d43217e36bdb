//! SecurityResult and the reasons that go with refusals (RFC 6143 sections 7.1.2 and 7.1.3).

use super::{ProtocolVersion, ViewerSecurity};

/// The most of a peer's reason that is read or sent, in bytes.
pub const MAX_REASON: usize = 1024;

/// The server's last word on the security handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityResult {
    /// The client is in.
    Ok,
    /// It is not.
    Failed,
    /// It is not and will not be for a while.
    TooManyAttempts,
}

impl SecurityResult {
    /// The result with this number on the wire, if there is one.
    pub const fn from_wire(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Ok),
            1 => Some(Self::Failed),
            2 => Some(Self::TooManyAttempts),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn to_wire(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::TooManyAttempts => 2,
        }
    }

    /// The message that lets the client in.
    pub fn accepted() -> Vec<u8> {
        Self::Ok.to_wire().to_be_bytes().to_vec()
    }

    /// The message that refuses the client, with the reason where `version` has one.
    pub fn refused(version: ProtocolVersion, reason: &str) -> Vec<u8> {
        let mut message = Self::Failed.to_wire().to_be_bytes().to_vec();
        if version.has_reasons() {
            push_reason(&mut message, reason);
        }
        message
    }
}

/// The message that refuses a client before any security type is named: no types and a reason.
pub(super) fn no_types(version: ProtocolVersion, reason: &str) -> Vec<u8> {
    let mut message = if version.client_chooses() { vec![0] } else { vec![0; 4] };
    push_reason(&mut message, reason);
    message
}

/// The message that lists the security types of `offers` (3.7 and later), each once, in order.
pub(super) fn type_list(offers: &[ViewerSecurity]) -> Vec<u8> {
    let mut message = vec![0];
    for offer in offers {
        let number = offer.security_type().0;
        if !message.get(1..).is_some_and(|listed| listed.contains(&number)) {
            message.push(number);
        }
    }
    let count = u8::try_from(message.len() - 1).unwrap_or(u8::MAX);
    if let Some(first) = message.first_mut() {
        *first = count;
    }
    message
}

fn push_reason(message: &mut Vec<u8>, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
    // MAX_REASON bounds the length.
    message.extend(u32::try_from(reason.len()).unwrap_or(0).to_be_bytes());
    message.extend(reason.as_bytes());
}

/// A peer's reason as it may be shown to a person: one line, without control characters and without those
/// that reorder the text around them.
pub fn clean_reason(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..MAX_REASON).unwrap_or(bytes));
    let mut clean = String::with_capacity(text.len());
    for word in text.split(|character: char| character.is_whitespace() || hides(character)) {
        if !word.is_empty() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(word);
        }
    }
    clean
}

fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_exist_in_3_8_alone() {
        assert_eq!(SecurityResult::refused(ProtocolVersion::V3_3, "no"), [0, 0, 0, 1]);
        assert_eq!(SecurityResult::refused(ProtocolVersion::V3_7, "no"), [0, 0, 0, 1]);
        assert_eq!(
            SecurityResult::refused(ProtocolVersion::V3_8, "no"),
            [0, 0, 0, 1, 0, 0, 0, 2, b'n', b'o']
        );
    }

    #[test]
    fn a_refusal_without_types_carries_a_reason_in_every_version() {
        assert_eq!(no_types(ProtocolVersion::V3_3, "x"), [0, 0, 0, 0, 0, 0, 0, 1, b'x']);
        assert_eq!(no_types(ProtocolVersion::V3_7, "x"), [0, 0, 0, 0, 1, b'x']);
    }

    #[test]
    fn long_reasons_are_cut_at_a_character() {
        let message = SecurityResult::refused(ProtocolVersion::V3_8, &"€".repeat(MAX_REASON));
        let (head, reason) = message.split_at(8);
        assert_eq!(head, [0, 0, 0, 1, 0, 0, 3, 255]);
        assert_eq!(std::str::from_utf8(reason).unwrap().chars().count(), 341);
    }

    #[test]
    fn both_x509_forms_share_an_entry() {
        use ViewerSecurity::{Ard, VncAuth, X509Plain, X509Vnc};
        assert_eq!(type_list(&[X509Vnc, Ard, X509Plain, VncAuth]), [3, 19, 30, 2]);
    }

    #[test]
    fn foreign_reasons_cannot_draw_on_the_terminal() {
        assert_eq!(clean_reason(b"\x1b[2JAuthentication\r\n  failed\0"), "[2JAuthentication failed");
        assert_eq!(clean_reason("a\u{202E}b\u{9b}c".as_bytes()), "a b c");
        assert_eq!(clean_reason(&[0xff, b'!']), "\u{FFFD}!");
        assert_eq!(clean_reason(&[b'a'; 5000]).len(), MAX_REASON);
    }
}
