//! What the technician holds down, so that it can be let go when the permission is withdrawn.

use passerelle_rfb::ClientMessage;

/// Keys and buttons that the target was told are pressed.
#[derive(Default)]
pub(super) struct Pressed {
    keys: Vec<Key>,
    buttons: u16,
    x: u16,
    y: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) keysym: u32,
    /// The scan code, when it came in a QEMU message.
    pub(super) keycode: Option<u32>,
}

impl Key {
    pub(super) fn message(self, down: bool) -> Vec<u8> {
        let Self { keysym, keycode } = self;
        match keycode {
            Some(keycode) => ClientMessage::QemuKey { down, keysym, keycode },
            None => ClientMessage::Key { down, keysym },
        }
        .encode()
    }

    /// Whether both are the same key: the symbol of one may change with Shift.
    fn is_same(self, other: Self) -> bool {
        match (self.keycode, other.keycode) {
            (Some(own), Some(other)) => own == other,
            _ => self.keysym == other.keysym,
        }
    }
}

impl Pressed {
    /// More keys than anyone has fingers for, and a bound on what a viewer can make us keep.
    const MOST_KEYS: usize = 64;

    pub(super) fn key(&mut self, key: Key, down: bool) {
        self.keys.retain(|held| !held.is_same(key));
        if down && self.keys.len() < Self::MOST_KEYS {
            self.keys.push(key);
        }
    }

    pub(super) fn pointer(&mut self, buttons: u16, x: u16, y: u16) {
        (self.buttons, self.x, self.y) = (buttons, x, y);
    }

    /// The messages that let every key go.
    pub(super) fn release_keys(&mut self) -> Vec<u8> {
        self.keys.drain(..).flat_map(|key| key.message(false)).collect()
    }

    /// The message that lets every button go, where the pointer was last.
    pub(super) fn release_buttons(&mut self) -> Vec<u8> {
        if self.buttons == 0 {
            return Vec::new();
        }
        self.buttons = 0;
        ClientMessage::Pointer { buttons: 0, x: self.x, y: self.y }.encode()
    }
}
