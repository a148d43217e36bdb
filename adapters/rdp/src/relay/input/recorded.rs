//! What the recording keeps of input, and how it is read back.

use passerelle_desktop::{InputError, InputReader, KeyKind, KeystrokePolicy, RecordedInput, Side};

use super::{Event, Key, KeyName, Pointer, fast, slow};
use crate::keys;
use crate::relay::frame::{Frame, SendData, frame};
use crate::relay::io::input_of;

impl Key {
    /// What stands for the key when only its kind is kept: scan code or code unit, without prefixes.
    pub(super) fn kind(self) -> u8 {
        let kind = match self.name {
            KeyName::Scan { code, prefixes } => keys::kind(code, prefixes),
            KeyName::Unicode(unit) => char::from_u32(unit.into()).map_or(KeyKind::Other, KeyKind::of_char),
        };
        kind.code()
    }

    /// What a key in a recording of this policy is called.
    fn called(self, keystrokes: KeystrokePolicy) -> Option<String> {
        let code = match self.name {
            KeyName::Scan { code, prefixes } => u32::from(code) | u32::from(prefixes) << 8,
            KeyName::Unicode(unit) => unit.into(),
        };
        match (keystrokes, self.name) {
            (KeystrokePolicy::None, _) => None,
            (KeystrokePolicy::Kinds, _) => KeyKind::from_code(code).map(|kind| kind.name().to_owned()),
            (KeystrokePolicy::All, KeyName::Scan { code, prefixes }) => {
                keys::name(code, prefixes).map(str::to_owned)
            }
            (KeystrokePolicy::All, KeyName::Unicode(_)) => {
                let character = char::from_u32(code).filter(|character| !character.is_control());
                character.map(String::from)
            }
        }
    }
}

/// Reads the `viewer` lane of a recorded RDP session: keys and pointer on the fast path and the slow path. Touch, pen
/// and FreeRDP's own channel for the pointer are not read.
pub struct RdpInputReader {
    keystrokes: KeystrokePolicy,
    /// The beginning of a PDU.
    held: Vec<u8>,
    buttons: u16,
    at: (u16, u16),
}

impl RdpInputReader {
    /// For a session that was recorded with this policy.
    pub fn new(keystrokes: KeystrokePolicy) -> Self {
        Self { keystrokes, held: Vec::new(), buttons: 0, at: (0, 0) }
    }

    fn event(&mut self, event: Event, out: &mut Vec<RecordedInput>) {
        match event {
            Event::Key(key) => {
                out.push(RecordedInput::Key { down: key.down, name: key.called(self.keystrokes) });
            }
            Event::Pointer(pointer) => {
                self.at = pointer.at.unwrap_or(self.at);
                let wheel = pointer.wheel();
                let buttons = pointer.mask();
                if wheel == 0 {
                    match pointer.flags & Pointer::DOWN {
                        0 => self.buttons &= !buttons,
                        _ => self.buttons |= buttons,
                    }
                }
                let (x, y) = self.at;
                out.push(RecordedInput::Pointer { x, y, buttons: self.buttons | wheel });
            }
            Event::Locks | Event::Timestamp => {}
        }
    }
}

impl Pointer {
    const WHEEL: u16 = 0x0200;
    const HORIZONTAL_WHEEL: u16 = 0x0400;
    const WHEEL_NEGATIVE: u16 = 0x0100;

    /// The buttons that go down or up, numbered as everywhere else.
    fn mask(self) -> u16 {
        let bits: &[(u16, u16)] =
            if self.extended { &[(1, 7), (2, 8)] } else { &[(0x1000, 0), (0x2000, 2), (0x4000, 1)] };
        bits.iter().filter(|(flag, _)| self.flags & flag != 0).map(|(_, bit)| 1 << bit).sum()
    }

    /// The turn of a wheel, as a button.
    fn wheel(self) -> u16 {
        let back = u16::from(self.flags & Self::WHEEL_NEGATIVE != 0);
        match self.flags & (Self::WHEEL | Self::HORIZONTAL_WHEEL) {
            _ if self.extended => 0,
            0 => 0,
            Self::HORIZONTAL_WHEEL => 1 << (6 - back),
            _ => 1 << (3 + back),
        }
    }
}

impl InputReader for RdpInputReader {
    fn read(&mut self, bytes: &[u8], out: &mut Vec<RecordedInput>) -> Result<(), InputError> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let malformed = |error: &dyn std::fmt::Display| InputError(error.to_string());
            let Ok(found) = frame(Side::Viewer, rest).map_err(|error| malformed(&error))? else { break };
            let (pdu, after) = rest.split_at_checked(found.len()).unwrap_or((rest, &[]));
            let mut events = Vec::new();
            match found {
                Frame::FastPath { header, events: count, .. } => {
                    events = fast::events(pdu, header, count).map_err(|error| malformed(&error))?;
                }
                Frame::Data(SendData { header, .. }) => {
                    // What only looks like input, in another channel, is passed over.
                    let bodies = input_of(pdu.get(header..).unwrap_or_default());
                    events =
                        bodies.into_iter().filter_map(|body| slow::events(body).ok()).flatten().collect();
                }
                Frame::Disconnect { .. } => {}
            }
            for event in events {
                self.event(event, out);
            }
            rest = after;
        }
        self.held = rest.to_vec();
        Ok(())
    }
}
