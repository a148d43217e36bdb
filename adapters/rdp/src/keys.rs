//! What keys are called and what kind they are, by their place on the keyboard.

use passerelle_desktop::KeyKind;

/// What UI Events (W3C, "KeyboardEvent code Values") calls the keys with the scan codes of set 1, from 0 on.
const CODES: [&str; 0x59] = [
    "",
    "Escape",
    "Digit1",
    "Digit2",
    "Digit3",
    "Digit4",
    "Digit5",
    "Digit6",
    "Digit7",
    "Digit8",
    "Digit9",
    "Digit0",
    "Minus",
    "Equal",
    "Backspace",
    "Tab",
    "KeyQ",
    "KeyW",
    "KeyE",
    "KeyR",
    "KeyT",
    "KeyY",
    "KeyU",
    "KeyI",
    "KeyO",
    "KeyP",
    "BracketLeft",
    "BracketRight",
    "Enter",
    "ControlLeft",
    "KeyA",
    "KeyS",
    "KeyD",
    "KeyF",
    "KeyG",
    "KeyH",
    "KeyJ",
    "KeyK",
    "KeyL",
    "Semicolon",
    "Quote",
    "Backquote",
    "ShiftLeft",
    "Backslash",
    "KeyZ",
    "KeyX",
    "KeyC",
    "KeyV",
    "KeyB",
    "KeyN",
    "KeyM",
    "Comma",
    "Period",
    "Slash",
    "ShiftRight",
    "NumpadMultiply",
    "AltLeft",
    "Space",
    "CapsLock",
    "F1",
    "F2",
    "F3",
    "F4",
    "F5",
    "F6",
    "F7",
    "F8",
    "F9",
    "F10",
    "NumLock",
    "ScrollLock",
    "Numpad7",
    "Numpad8",
    "Numpad9",
    "NumpadSubtract",
    "Numpad4",
    "Numpad5",
    "Numpad6",
    "NumpadAdd",
    "Numpad1",
    "Numpad2",
    "Numpad3",
    "Numpad0",
    "NumpadDecimal",
    "PrintScreen",
    "",
    "IntlBackslash",
    "F11",
    "F12",
];

/// Those with the prefix E0.
const EXTENDED: &[(u8, &str)] = &[
    (0x10, "MediaTrackPrevious"),
    (0x19, "MediaTrackNext"),
    (0x1c, "NumpadEnter"),
    (0x1d, "ControlRight"),
    (0x20, "AudioVolumeMute"),
    (0x22, "MediaPlayPause"),
    (0x24, "MediaStop"),
    (0x2e, "AudioVolumeDown"),
    (0x30, "AudioVolumeUp"),
    (0x32, "BrowserHome"),
    (0x35, "NumpadDivide"),
    (0x37, "PrintScreen"),
    (0x38, "AltRight"),
    (0x45, "NumLock"),
    (0x46, "Pause"),
    (0x47, "Home"),
    (0x48, "ArrowUp"),
    (0x49, "PageUp"),
    (0x4b, "ArrowLeft"),
    (0x4d, "ArrowRight"),
    (0x4f, "End"),
    (0x50, "ArrowDown"),
    (0x51, "PageDown"),
    (0x52, "Insert"),
    (0x53, "Delete"),
    (0x5b, "MetaLeft"),
    (0x5c, "MetaRight"),
    (0x5d, "ContextMenu"),
];

/// What the key is called whose scan code follows these prefixes: E0 in bit 0, E1 in bit 1.
pub(crate) fn name(code: u8, prefixes: u8) -> Option<&'static str> {
    let extended = || EXTENDED.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    match prefixes {
        0 => CODES.get(usize::from(code)).copied().filter(|name| !name.is_empty()).or(match code {
            0x70 => Some("KanaMode"),
            0x79 => Some("Convert"),
            0x7b => Some("NonConvert"),
            0x7d => Some("IntlYen"),
            _ => None,
        }),
        1 => extended(),
        // Pause begins with what would be Control, and is the only key with E1.
        _ => (code == 0x1d).then_some("Pause"),
    }
}

/// The kind of that key.
pub(crate) fn kind(code: u8, prefixes: u8) -> KeyKind {
    let Some(name) = name(code, prefixes) else { return KeyKind::Other };
    match name {
        "Escape" | "Backspace" | "Tab" | "Enter" | "NumpadEnter" | "Insert" | "Delete" => KeyKind::Editing,
        "Home" | "End" | "PageUp" | "PageDown" => KeyKind::Navigation,
        "ControlLeft" | "ControlRight" | "ShiftLeft" | "ShiftRight" | "AltLeft" | "AltRight" | "MetaLeft"
        | "MetaRight" | "CapsLock" | "NumLock" | "ScrollLock" => KeyKind::Modifier,
        "Minus" | "Equal" | "BracketLeft" | "BracketRight" | "Semicolon" | "Quote" | "Backquote"
        | "Backslash" | "Comma" | "Period" | "Slash" | "Space" | "IntlBackslash" | "IntlYen" => KeyKind::Sign,
        "NumpadMultiply" | "NumpadSubtract" | "NumpadAdd" | "NumpadDecimal" | "NumpadDivide" => KeyKind::Sign,
        _ if name.starts_with("Key") => KeyKind::Letter,
        _ if name.starts_with("Digit") || name.starts_with("Numpad") => KeyKind::Digit,
        _ if name.starts_with("Arrow") => KeyKind::Navigation,
        _ if name.strip_prefix('F').is_some_and(|number| number.parse::<u8>().is_ok()) => KeyKind::Function,
        _ => KeyKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_and_kinds_by_their_place() {
        for (code, prefixes, called, expected) in [
            (0x1e, 0, Some("KeyA"), KeyKind::Letter),
            (0x32, 0, Some("KeyM"), KeyKind::Letter),
            (0x0b, 0, Some("Digit0"), KeyKind::Digit),
            (0x52, 0, Some("Numpad0"), KeyKind::Digit),
            (0x52, 1, Some("Insert"), KeyKind::Editing),
            (0x39, 0, Some("Space"), KeyKind::Sign),
            (0x1c, 0, Some("Enter"), KeyKind::Editing),
            (0x2a, 0, Some("ShiftLeft"), KeyKind::Modifier),
            (0x38, 1, Some("AltRight"), KeyKind::Modifier),
            (0x4b, 1, Some("ArrowLeft"), KeyKind::Navigation),
            (0x58, 0, Some("F12"), KeyKind::Function),
            (0x1d, 2, Some("Pause"), KeyKind::Other),
            (0, 0, None, KeyKind::Other),
            (0x7f, 0, None, KeyKind::Other),
        ] {
            assert_eq!((name(code, prefixes), kind(code, prefixes)), (called, expected), "{code:#x}");
        }
    }
}
