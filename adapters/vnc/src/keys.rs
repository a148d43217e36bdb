//! What keys are called and what kind they are, by their X11 symbol.

use passerelle_desktop::KeyKind;
use xkeysym::Keysym;

/// The kind of the key with this symbol.
pub(crate) fn kind(keysym: u32) -> KeyKind {
    let symbol = Keysym::new(keysym);
    match symbol {
        Keysym::Caps_Lock | Keysym::Num_Lock | Keysym::Scroll_Lock => KeyKind::Modifier,
        Keysym::BackSpace
        | Keysym::Tab
        | Keysym::Return
        | Keysym::Escape
        | Keysym::Delete
        | Keysym::Insert => KeyKind::Editing,
        Keysym::ISO_Left_Tab | Keysym::KP_Enter | Keysym::KP_Delete | Keysym::KP_Insert => KeyKind::Editing,
        _ if symbol.is_modifier_key() => KeyKind::Modifier,
        _ if symbol.is_cursor_key() || (0xff95..=0xff9d).contains(&keysym) => KeyKind::Navigation,
        _ if symbol.is_function_key() => KeyKind::Function,
        _ => symbol.key_char().map_or(KeyKind::Other, KeyKind::of_char),
    }
}

/// The character that the key writes, or what X11 calls it.
pub(crate) fn name(keysym: u32) -> Option<String> {
    let symbol = Keysym::new(keysym);
    match symbol.key_char().filter(|character| !character.is_control()) {
        Some(character) => Some(character.to_string()),
        None => symbol.name().map(|name| name.replacen("XK_", "", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_kinds_and_names() {
        for (keysym, expected, called) in [
            (0x61, KeyKind::Letter, Some("a")),
            (0xe9, KeyKind::Letter, Some("é")),
            (0x0100_0451, KeyKind::Letter, Some("ё")),
            (0x06c1, KeyKind::Letter, Some("а")),
            (0x37, KeyKind::Digit, Some("7")),
            (0xffb7, KeyKind::Digit, Some("7")),
            (0x20, KeyKind::Sign, Some(" ")),
            (0x0100_20ac, KeyKind::Sign, Some("€")),
            (0xff0d, KeyKind::Editing, Some("Return")),
            (0xff08, KeyKind::Editing, Some("BackSpace")),
            (0xffff, KeyKind::Editing, Some("Delete")),
            (0xff51, KeyKind::Navigation, Some("Left")),
            (0xff96, KeyKind::Navigation, Some("KP_Left")),
            (0xffbe, KeyKind::Function, Some("F1")),
            (0xffe1, KeyKind::Modifier, Some("Shift_L")),
            (0xffe5, KeyKind::Modifier, Some("Caps_Lock")),
            (0xfe03, KeyKind::Modifier, Some("ISO_Level3_Shift")),
            (0x1008_ff13, KeyKind::Other, Some("XF86AudioRaiseVolume")),
            (0, KeyKind::Other, Some("NoSymbol")),
            (0xdead_beef, KeyKind::Other, None),
        ] {
            assert_eq!((kind(keysym), name(keysym).as_deref()), (expected, called), "{keysym:#x}");
        }
    }
}
