//! Input, by whichever of the four ways it comes: fast path, slow path, and two dynamic channels.

mod contacts;
mod dynamic;
mod fast;
mod pressed;
mod recorded;
mod slow;

use passerelle_desktop::{KeystrokePolicy, Notice, Permission, Permissions, Side};

use super::deny;
use contacts::Contacts;
use pressed::Pressed;

pub(super) use dynamic::Judged;
pub use recorded::RdpInputReader;

/// The filter of input.
#[derive(Debug)]
pub(super) struct Input {
    keystrokes: KeystrokePolicy,
    /// Whether keys are left out of the recording at present, whatever the policy.
    keys_hidden: bool,
    pressed: Pressed,
    contacts: Contacts,
    /// Whether movement of the pointer was denied and reported since the permissions changed. Movement is reported
    /// once, and a press each time: viewers send movement without end.
    motion_reported: bool,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Key(Key),
    /// The state of Caps Lock and its like.
    Locks,
    Pointer(Pointer),
    /// When a frame was shown; no input.
    Timestamp,
}

/// A key going down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    name: KeyName,
    down: bool,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyName {
    /// Scan code and the prefixes E0 (bit 0) and E1 (bit 1).
    Scan { code: u8, prefixes: u8 },
    /// UTF-16 code unit.
    Unicode(u16),
}

/// What the pointer does: `TS_POINTER_EVENT` and its relatives (MS-RDPBCGR 2.2.8.1.1.3.1.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pointer {
    /// `pointerFlags`.
    flags: u16,
    /// Whether the flags are those of the fourth and fifth buttons.
    extended: bool,
    /// Where; nothing if it was said relatively.
    at: Option<(u16, u16)>,
}

impl Pointer {
    const DOWN: u16 = 0x8000;
    const BUTTONS: u16 = 0x7000;
    const EXTENDED_BUTTONS: u16 = 0x0003;

    /// The buttons that go down or up: the first three as in `pointerFlags`, the others in the low bits.
    fn buttons(self) -> u16 {
        self.flags & if self.extended { Self::EXTENDED_BUTTONS } else { Self::BUTTONS }
    }

    fn is_press(self) -> bool {
        self.flags & Self::DOWN != 0 && self.buttons() != 0
    }
}

impl Input {
    pub(super) fn new(keystrokes: KeystrokePolicy) -> Self {
        Self {
            keystrokes,
            keys_hidden: false,
            pressed: Pressed::default(),
            contacts: Contacts::default(),
            motion_reported: false,
        }
    }

    /// Leaves keys out of the recording, or goes back to its policy.
    pub(super) fn hide_keys(&mut self, hidden: bool) {
        self.keys_hidden = hidden;
    }

    /// What the recording keeps of keys at present.
    fn keystrokes(&self) -> KeystrokePolicy {
        if self.keys_hidden { KeystrokePolicy::None } else { self.keystrokes }
    }

    /// Whether `event` passes. Remembers what is held down, and reports what is denied.
    fn judge(&mut self, event: Event, permissions: Permissions, notices: &mut Vec<Notice>) -> bool {
        match event {
            Event::Timestamp => true,
            Event::Locks => permissions.allows(Permission::Keyboard),
            Event::Key(key) => {
                let allowed = permissions.allows(Permission::Keyboard);
                if allowed {
                    self.pressed.key(key);
                } else if key.down {
                    // A release follows each press and tells nothing new.
                    deny(notices, Side::Viewer, Permission::Keyboard, "press a key");
                }
                allowed
            }
            Event::Pointer(pointer) => {
                let allowed = permissions.allows(Permission::Pointer);
                if allowed {
                    self.pressed.pointer(pointer);
                } else {
                    self.pointer_denied(pointer.is_press(), notices);
                }
                allowed
            }
        }
    }

    fn pointer_denied(&mut self, press: bool, notices: &mut Vec<Notice>) {
        if press {
            deny(notices, Side::Viewer, Permission::Pointer, "press a pointer button");
        } else if !self.motion_reported {
            self.motion_reported = true;
            deny(notices, Side::Viewer, Permission::Pointer, "move the pointer");
        }
    }

    /// Lets go what is held down with permissions that are no longer there: the body of a slow-path input PDU or a
    /// whole fast-path one, of which at least one is empty.
    pub(super) fn release(
        &mut self,
        before: Permissions,
        now: Permissions,
        fast_path: bool,
    ) -> (Vec<u8>, Vec<u8>) {
        self.motion_reported = false;
        let withdrawn = |permission| before.allows(permission) && !now.allows(permission);
        let mut events = Vec::new();
        if withdrawn(Permission::Keyboard) {
            events.extend(self.pressed.release_keys());
        }
        if withdrawn(Permission::Pointer) {
            events.extend(self.pressed.release_buttons());
        }
        match events.is_empty() {
            true => (Vec::new(), Vec::new()),
            false if fast_path => (Vec::new(), fast::encode(&events)),
            false => (slow::encode(&events), Vec::new()),
        }
    }
}
