//! What a recording keeps of keys, and how it is read back.

use std::fmt;

/// What the recording keeps of the keys that the technician presses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeystrokePolicy {
    /// Nothing, not even that a key was pressed.
    #[default]
    None,
    /// When a key was pressed and released, and its [kind](KeyKind), in the place of what says which one.
    Kinds,
    /// Every key.
    All,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $name:literal;)+) => {
        /// What sort of key it is. For keys that are told by their place, by what a US keyboard has there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum KeyKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl KeyKind {
            /// Every kind.
            pub const ALL: &'static [KeyKind] = &[$(KeyKind::$variant,)+];

            /// The number in recordings, which never changes; none has 0.
            pub const fn code(self) -> u8 {
                match self {
                    $(KeyKind::$variant => $code,)+
                }
            }

            /// The name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(KeyKind::$variant => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A letter of any alphabet.
    Letter = 1, "letter";
    /// A digit, of the key pad too.
    Digit = 2, "digit";
    /// Another sign, and the space.
    Sign = 3, "sign";
    /// Shift, Control, Alt, a lock and the like.
    Modifier = 4, "modifier";
    /// What ends, moves or removes text: Enter, Tab, Escape, Backspace, Delete, Insert.
    Editing = 5, "editing";
    /// Arrows and their neighbours.
    Navigation = 6, "navigation";
    /// F1 and its like.
    Function = 7, "function";
    /// Everything else.
    Other = 8, "other";
}

impl KeyKind {
    /// The kind with this number.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| u32::from(kind.code()) == code)
    }

    /// The kind of a key that writes this character.
    pub fn of_char(character: char) -> Self {
        match character {
            '\u{8}' | '\t' | '\r' | '\n' | '\u{1b}' | '\u{7f}' => Self::Editing,
            character if character.is_alphabetic() => Self::Letter,
            character if character.is_numeric() => Self::Digit,
            character if character.is_control() => Self::Other,
            _ => Self::Sign,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a technician did, as far as a recording keeps it.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordedInput {
    /// The pointer moved or a button changed.
    Pointer {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
        /// Which buttons are down, as in [`InputEvent::Pointer`](crate::InputEvent::Pointer).
        buttons: u16,
    },
    /// A key.
    Key {
        /// Whether it went down.
        down: bool,
        /// The character that it writes, or what the key is called; with [`KeystrokePolicy::Kinds`] the name of its
        /// kind. Nothing where that is not kept.
        name: Option<String>,
    },
}

// What was typed may be a secret and this ends up in traces.
impl fmt::Debug for RecordedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer { x, y, buttons } => {
                f.debug_struct("Pointer").field("x", x).field("y", y).field("buttons", buttons).finish()
            }
            Self::Key { down, .. } => f.debug_struct("Key").field("down", down).finish_non_exhaustive(),
        }
    }
}

/// Finds what the technician did in the recorded messages of their viewer. No I/O, and bounded: it holds at most one
/// message.
pub trait InputReader: Send {
    /// Takes the next bytes of the recording's `viewer` lane, cut anywhere, and appends what they complete to `out`.
    ///
    /// # Errors
    /// They are not what a viewer of this protocol sends. Nothing more can be read.
    fn read(&mut self, bytes: &[u8], out: &mut Vec<RecordedInput>) -> Result<(), InputError>;
}

/// The `viewer` lane of a recording is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recorded input cannot be read: {0}")]
pub struct InputError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_numbers_of_their_own() {
        for kind in KeyKind::ALL {
            assert_eq!(KeyKind::from_code(kind.code().into()), Some(*kind));
        }
        assert_eq!((KeyKind::from_code(0), KeyKind::from_code(0x61)), (None, None));
    }

    #[test]
    fn characters_have_kinds() {
        for (character, kind) in [
            ('a', KeyKind::Letter),
            ('É', KeyKind::Letter),
            ('я', KeyKind::Letter),
            ('7', KeyKind::Digit),
            (' ', KeyKind::Sign),
            ('€', KeyKind::Sign),
            ('\r', KeyKind::Editing),
            ('\u{1}', KeyKind::Other),
        ] {
            assert_eq!(KeyKind::of_char(character), kind, "{character:?}");
        }
    }

    #[test]
    fn traces_do_not_tell_what_was_typed() {
        let key = RecordedInput::Key { down: true, name: Some("hunter2".to_owned()) };
        assert_eq!(format!("{key:?}"), "Key { down: true, .. }");
    }
}
