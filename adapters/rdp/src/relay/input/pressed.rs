//! What the technician holds down, so that it can be let go when the permission is withdrawn.

use super::{Event, Key, KeyName, Pointer};

/// Keys and buttons that the target was told are pressed.
#[derive(Debug, Default)]
pub(super) struct Pressed {
    keys: Vec<KeyName>,
    /// As [`Pointer::buttons`] has them.
    buttons: u16,
    at: (u16, u16),
}

impl Pressed {
    /// More keys than anyone has fingers for, and a bound on what a viewer can make us keep.
    const MOST_KEYS: usize = 64;

    pub(super) fn key(&mut self, Key { name, down }: Key) {
        self.keys.retain(|held| *held != name);
        if down && self.keys.len() < Self::MOST_KEYS {
            self.keys.push(name);
        }
    }

    pub(super) fn pointer(&mut self, pointer: Pointer) {
        self.at = pointer.at.unwrap_or(self.at);
        if pointer.flags & Pointer::DOWN != 0 {
            self.buttons |= pointer.buttons();
        } else {
            self.buttons &= !pointer.buttons();
        }
    }

    /// The events that let every key go.
    pub(super) fn release_keys(&mut self) -> Vec<Event> {
        self.keys.drain(..).map(|name| Event::Key(Key { name, down: false })).collect()
    }

    /// The events that let every button go, where the pointer was last.
    pub(super) fn release_buttons(&mut self) -> Vec<Event> {
        let held = std::mem::take(&mut self.buttons);
        let at = Some(self.at);
        [0x1000, 0x2000, 0x4000, 0x0001, 0x0002]
            .into_iter()
            .filter(|button| held & button != 0)
            .map(|flags| {
                Event::Pointer(Pointer { flags, extended: flags & Pointer::EXTENDED_BUTTONS != 0, at })
            })
            .collect()
    }
}
