//! Input on the slow path: the body of an Input PDU (MS-RDPBCGR 2.2.8.1.1.3).

use passerelle_desktop::{KeystrokePolicy, Notice, Permissions};

use super::{Event, Input, Key, KeyName, Pointer};
use crate::relay::RelayViolation;

const SYNC: u16 = 0;
const UNUSED: u16 = 2;
const SCANCODE: u16 = 4;
const UNICODE: u16 = 5;
const MOUSE: u16 = 0x8001;
const EXTENDED_MOUSE: u16 = 0x8002;
const RELATIVE_MOUSE: u16 = 0x8004;

/// `KBDFLAGS_RELEASE`, `KBDFLAGS_DOWN`: those of a key that do not tell which.
const RELEASE: u16 = 0x8000;
const DOWN: u16 = 0x4000;

/// eventTime, messageType, and 6 bytes as the type says.
const EVENT: usize = 12;

impl Input {
    /// Decides about the body of an Input PDU: what passes in its place, if it is to be changed (empty: nothing), and
    /// what the recording keeps instead of what passes (empty: nothing).
    #[expect(clippy::type_complexity, reason = "what passes, and what is kept of it")]
    pub(in crate::relay) fn slow(
        &mut self,
        body: &[u8],
        permissions: Permissions,
        notices: &mut Vec<Notice>,
    ) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>), RelayViolation> {
        let (count, events, tail) = split(body)?;
        let (mut sent, mut kept) = (Vec::new(), Vec::new());
        let (mut denied, mut keys, mut used) = (events.len() > count || !tail.is_empty(), false, false);
        for bytes in events.iter().take(count) {
            let event = parse(bytes)?;
            if !event.is_none_or(|event| self.judge(event, permissions, notices)) {
                denied = true;
                continue;
            }
            used |= event.is_some();
            sent.push(*bytes);
            keys |= matches!(event, Some(Event::Key(_)));
            match (event, self.keystrokes()) {
                (Some(Event::Key(_)), KeystrokePolicy::None) => {}
                (Some(Event::Key(key)), KeystrokePolicy::Kinds) => kept.push(redact(*bytes, key)),
                _ => kept.push(*bytes),
            }
        }
        if used {
            notices.push(Notice::Input);
        }
        if sent.is_empty() {
            return Ok((Some(Vec::new()), None));
        }
        let hides = keys && self.keystrokes() != KeystrokePolicy::All;
        let kept = hides.then(|| if kept.is_empty() { Vec::new() } else { wrap(&kept) });
        Ok((denied.then(|| wrap(&sent)), kept))
    }
}

/// How many events there are, these with what follows them, and what is less than an event behind.
#[expect(clippy::type_complexity, reason = "three parts of one body")]
fn split(body: &[u8]) -> Result<(usize, &[[u8; EVENT]], &[u8]), RelayViolation> {
    let malformed = RelayViolation::Input("its events do not fit into it");
    let &[low, high, _, _, ref events @ ..] = body else { return Err(malformed) };
    let count = usize::from(u16::from_le_bytes([low, high]));
    let (events, tail) = events.as_chunks::<EVENT>();
    // Clients may leave padding behind the last event.
    if count > events.len() || (events.len() == count && tail.len() >= EVENT) {
        return Err(malformed);
    }
    Ok((count, events, tail))
}

/// The events of a whole body; see [`Input::slow`].
pub(super) fn events(body: &[u8]) -> Result<Vec<Event>, RelayViolation> {
    let (count, events, _) = split(body)?;
    events.iter().take(count).filter_map(|event| parse(event).transpose()).collect()
}

/// The event; nothing for one that is to be ignored.
fn parse(event: &[u8; EVENT]) -> Result<Option<Event>, RelayViolation> {
    let &[_, _, _, _, t0, t1, f0, f1, a0, a1, b0, b1] = event;
    let flags = u16::from_le_bytes([f0, f1]);
    let down = flags & RELEASE == 0;
    let unit = u16::from_le_bytes([a0, a1]);
    let pointer = |extended, at| Some(Event::Pointer(Pointer { flags, extended, at }));
    let at = Some((unit, u16::from_le_bytes([b0, b1])));
    Ok(match u16::from_le_bytes([t0, t1]) {
        SYNC => Some(Event::Locks),
        UNUSED => None,
        SCANCODE => {
            // The second byte of the code is always 0; KBDFLAGS_EXTENDED and KBDFLAGS_EXTENDED1 lie beside each other.
            Some(Event::Key(Key { name: KeyName::Scan { code: a0, prefixes: f1 & 3 }, down }))
        }
        UNICODE => Some(Event::Key(Key { name: KeyName::Unicode(unit), down })),
        MOUSE => pointer(false, at),
        EXTENDED_MOUSE => pointer(true, at),
        RELATIVE_MOUSE => pointer(false, None),
        _ => return Err(RelayViolation::Input("it has an event of a kind that is not known")),
    })
}

/// The event of a key with its kind in the place of what says which.
fn redact(mut event: [u8; EVENT], key: Key) -> [u8; EVENT] {
    let [_, _, _, _, _, _, f0, f1, code, rest @ ..] = &mut event;
    let flags = u16::from_le_bytes([*f0, *f1]) & (RELEASE | DOWN);
    [*f0, *f1] = flags.to_le_bytes();
    *code = key.kind();
    rest.fill(0);
    event
}

fn wrap(events: &[[u8; EVENT]]) -> Vec<u8> {
    let count = u16::try_from(events.len()).unwrap_or(u16::MAX);
    let mut body = Vec::with_capacity(4 + events.len() * EVENT);
    body.extend(count.to_le_bytes());
    body.extend([0, 0]);
    body.extend(events.as_flattened());
    body
}

/// The body of a PDU of `events`.
pub(super) fn encode(events: &[Event]) -> Vec<u8> {
    let events: Vec<[u8; EVENT]> = events
        .iter()
        .map(|event| {
            let (kind, flags, a, b) = match *event {
                Event::Key(Key { name: KeyName::Scan { code, prefixes }, down }) => {
                    let flags = u16::from(prefixes) << 8 | if down { 0 } else { RELEASE };
                    (SCANCODE, flags, u16::from(code), 0)
                }
                Event::Key(Key { name: KeyName::Unicode(unit), down }) => {
                    (UNICODE, if down { 0 } else { RELEASE }, unit, 0)
                }
                Event::Pointer(Pointer { flags, extended, at }) => {
                    let (x, y) = at.unwrap_or_default();
                    (if extended { EXTENDED_MOUSE } else { MOUSE }, flags, x, y)
                }
                Event::Locks => (SYNC, 0, 0, 0),
                Event::Timestamp => (UNUSED, 0, 0, 0),
            };
            let mut bytes = [0; EVENT];
            if let Some(place) = bytes.get_mut(4..) {
                place.copy_from_slice([kind, flags, a, b].map(u16::to_le_bytes).as_flattened());
            }
            bytes
        })
        .collect();
    wrap(&events)
}
