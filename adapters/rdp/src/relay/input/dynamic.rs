//! Input in dynamic channels: touch and pen (MS-RDPEI), and FreeRDP's channel for the pointer.

use passerelle_desktop::{Notice, Permission, Permissions};

use super::{Input, Pointer};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum Judged {
    Passes,
    Denied,
}

/// `EVENTID_CS_READY` (MS-RDPEI 2.2.3.2): negotiation, no input.
const CS_READY: u16 = 2;

/// `MSG_AINPUT_MOUSE`.
const MOUSE: u16 = 2;

/// Flags of `MSG_AINPUT_MOUSE`.
mod flags {
    pub(super) const MOVE: u64 = 0x4;
    pub(super) const DOWN: u64 = 0x8;
    pub(super) const RELATIVE: u64 = 0x10;
    pub(super) const BUTTONS: u64 = 0x7000;
    pub(super) const EXTENDED_SHIFT: u32 = 8;
    pub(super) const EXTENDED: u64 = 0x3;
}

impl Input {
    /// A message of the viewer in the channel for touch and pen, or the beginning of one.
    pub(in crate::relay) fn touch(
        &mut self,
        message: &[u8],
        permissions: Permissions,
        notices: &mut Vec<Notice>,
    ) -> Judged {
        let event = message.first_chunk().map(|id| u16::from_le_bytes(*id));
        let len = message.get(2..).and_then(|rest| rest.first_chunk()).map(|len| u32::from_le_bytes(*len));
        // Alone in its message: nothing is hidden behind it.
        if event == Some(CS_READY) && len.and_then(|len| usize::try_from(len).ok()) == Some(message.len()) {
            return Judged::Passes;
        }
        if permissions.allows(Permission::Pointer) {
            notices.push(Notice::Input);
            self.contacts.follow(message);
            return Judged::Passes;
        }
        self.pointer_denied(false, notices);
        Judged::Denied
    }

    /// The messages in that channel that lift what touches, if it may no longer.
    pub(in crate::relay) fn lift(&mut self, permissions: Permissions) -> Vec<Vec<u8>> {
        if permissions.allows(Permission::Pointer) { Vec::new() } else { self.contacts.release() }
    }

    /// The channel for touch and pen is closed.
    pub(in crate::relay) fn touch_closed(&mut self) {
        self.contacts.forget();
    }

    /// A message of the viewer in FreeRDP's channel for the pointer: type, time (8 bytes), flags (8), x and y (4 each).
    pub(in crate::relay) fn advanced(
        &mut self,
        message: &[u8],
        permissions: Permissions,
        notices: &mut Vec<Notice>,
    ) -> Judged {
        let pointer = advanced_pointer(message);
        if !permissions.allows(Permission::Pointer) {
            self.pointer_denied(
                pointer.is_some_and(|pointer| {
                    pointer.is_press() || Pointer { extended: true, ..pointer }.is_press()
                }),
                notices,
            );
            return Judged::Denied;
        }
        notices.push(Notice::Input);
        if let Some(pointer) = pointer {
            self.pressed.pointer(pointer);
            // The other two buttons go down and up by the same message.
            self.pressed.pointer(Pointer { extended: true, ..pointer });
        }
        Judged::Passes
    }
}

fn advanced_pointer(message: &[u8]) -> Option<Pointer> {
    let (kind, rest) = message.split_first_chunk()?;
    let (_time, rest) = rest.split_first_chunk::<8>()?;
    let (bits, rest) = rest.split_first_chunk()?;
    let (x, rest) = rest.split_first_chunk()?;
    let y = rest.first_chunk()?;
    if u16::from_le_bytes(*kind) != MOUSE {
        return None;
    }
    let bits = u64::from_le_bytes(*bits);
    let down = if bits & flags::DOWN != 0 { u64::from(Pointer::DOWN) } else { 0 };
    let buttons = bits & flags::BUTTONS | bits >> flags::EXTENDED_SHIFT & flags::EXTENDED | down;
    // A wheel's turns are where the position is otherwise.
    let absolute = bits & (flags::MOVE | flags::RELATIVE) == flags::MOVE;
    let at = |coordinate: &[u8; 4]| u16::try_from(i32::from_le_bytes(*coordinate).max(0)).unwrap_or(u16::MAX);
    let at = absolute.then(|| (at(x), at(y)));
    Some(Pointer { flags: u16::try_from(buttons).ok()?, extended: false, at })
}
