//! Input on the fast path (MS-RDPBCGR 2.2.8.1.2).

use passerelle_desktop::{KeystrokePolicy, Notice, Permissions, Record, Step};

use super::{Event, Input, Key, KeyName, Pointer};
use crate::relay::RelayViolation;

const SCANCODE: u8 = 0;
const MOUSE: u8 = 1;
const EXTENDED_MOUSE: u8 = 2;
const SYNC: u8 = 3;
const UNICODE: u8 = 4;
const RELATIVE_MOUSE: u8 = 5;
const QOE_TIMESTAMP: u8 = 6;

/// `FASTPATH_INPUT_KBDFLAGS_RELEASE`.
const RELEASE: u8 = 1;

impl Input {
    /// Decides about `pdu`, a whole fast-path PDU of the viewer, whose content begins at `header` and whose first byte
    /// announces `count` events.
    pub(in crate::relay) fn fast(
        &mut self,
        pdu: &[u8],
        header: usize,
        count: u8,
        permissions: Permissions,
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        let len = pdu.len();
        let content = pdu.get(header..).unwrap_or_default();
        let (count, content) = counted(count, content)?;

        // Looks first, and copies only what has to change.
        let (mut passing, mut denied, mut keys) = (0_usize, false, false);
        let mut rest = content;
        let mut used = false;
        // The events that pass, from the first that does not.
        let mut kept = Vec::new();
        for _ in 0..count {
            let (event, bytes, after) = split(rest)?;
            let passes = self.judge(event, permissions, notices);
            if !passes && !denied {
                denied = true;
                kept.extend(content.iter().take(content.len().saturating_sub(rest.len())));
            } else if passes && denied {
                kept.extend(bytes);
            }
            passing += usize::from(passes);
            used |= passes && event != Event::Timestamp;
            keys |= passes && matches!(event, Event::Key(_));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(RelayViolation::Input("it is longer than its events"));
        }
        if used {
            notices.push(Notice::Input);
        }
        if passing == 0 {
            return Ok(Step::Drop { len });
        }
        let events = if denied { &kept } else { content };
        let record = match self.keystrokes() {
            KeystrokePolicy::None if keys => Record::Redacted(without_keys(events)),
            KeystrokePolicy::Kinds if keys => Record::Redacted(wrap(passing, &redact(events))),
            _ => Record::Wire,
        };
        Ok(if denied {
            Step::Replace { len, with: wrap(passing, &kept), record }
        } else {
            Step::Forward { len, record }
        })
    }
}

/// How many events there are, and all of them.
fn counted(count: u8, content: &[u8]) -> Result<(u8, &[u8]), RelayViolation> {
    match (count, content) {
        (0, [count, content @ ..]) => Ok((*count, content)),
        (0, []) => Err(RelayViolation::Input("it has no event count")),
        (count, content) => Ok((count, content)),
    }
}

/// The events of a whole PDU; see [`Input::fast`].
pub(super) fn events(pdu: &[u8], header: usize, count: u8) -> Result<Vec<Event>, RelayViolation> {
    let (count, mut rest) = counted(count, pdu.get(header..).unwrap_or_default())?;
    let mut events = Vec::new();
    for _ in 0..count {
        let (event, _, after) = split(rest)?;
        events.push(event);
        rest = after;
    }
    Ok(events)
}

/// The first event, its bytes and those after it.
fn split(events: &[u8]) -> Result<(Event, &[u8], &[u8]), RelayViolation> {
    let truncated = RelayViolation::Input("it ends within an event");
    let &[header, ref body @ ..] = events else { return Err(truncated) };
    let (flags, code) = (header & 0x1f, header >> 5);
    let body_len = match code {
        SCANCODE => 1,
        MOUSE | EXTENDED_MOUSE | RELATIVE_MOUSE => 6,
        SYNC => 0,
        UNICODE => 2,
        QOE_TIMESTAMP => 4,
        _ => return Err(RelayViolation::Input("it has an event of a kind that is not known")),
    };
    let body = body.get(..body_len).ok_or(truncated.clone())?;
    let down = flags & RELEASE == 0;
    let event = match (code, body) {
        (SCANCODE, &[code]) => {
            Event::Key(Key { name: KeyName::Scan { code, prefixes: flags >> 1 & 3 }, down })
        }
        (UNICODE, &[low, high]) => {
            Event::Key(Key { name: KeyName::Unicode(u16::from_le_bytes([low, high])), down })
        }
        (SYNC, _) => Event::Locks,
        (MOUSE | EXTENDED_MOUSE | RELATIVE_MOUSE, &[f0, f1, x0, x1, y0, y1]) => {
            let at = (u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]));
            Event::Pointer(Pointer {
                flags: u16::from_le_bytes([f0, f1]),
                extended: code == EXTENDED_MOUSE,
                at: (code != RELATIVE_MOUSE).then_some(at),
            })
        }
        _ => Event::Timestamp,
    };
    let (bytes, rest) = events.split_at_checked(1 + body_len).ok_or(truncated)?;
    Ok((event, bytes, rest))
}

/// A PDU with those of `events` that are not about keys; nothing if there is none. When a frame was shown does not
/// count: it would tell when a key was pressed.
fn without_keys(mut events: &[u8]) -> Vec<u8> {
    let (mut count, mut out) = (0, Vec::new());
    while let Ok((event, bytes, rest)) = split(events) {
        if !matches!(event, Event::Key(_) | Event::Timestamp) {
            count += 1;
            out.extend(bytes);
        }
        events = rest;
    }
    if count == 0 { Vec::new() } else { wrap(count, &out) }
}

/// `events` with the kinds of keys in the place of what says which they are.
fn redact(mut events: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len());
    while let Ok((event, bytes, rest)) = split(events) {
        match (event, bytes) {
            (Event::Key(key), [header, _, more @ ..]) => {
                out.extend([header & (0xe0 | RELEASE), key.kind()]);
                out.extend(more.iter().map(|_| 0));
            }
            _ => out.extend(bytes),
        }
        events = rest;
    }
    out
}

/// A fast-path PDU of `count` events, at most 255, which `events` are.
fn wrap(count: usize, events: &[u8]) -> Vec<u8> {
    let short = u8::try_from(count).ok().filter(|count| *count < 16);
    let content = events.len() + usize::from(short.is_none());
    let mut pdu = Vec::with_capacity(content + 3);
    pdu.push(short.unwrap_or(0) << 2);
    match u8::try_from(content + 2) {
        Ok(len) if len < 0x80 => pdu.push(len),
        _ => pdu.extend((u16::try_from(content + 3).unwrap_or(u16::MAX) | 0x8000).to_be_bytes()),
    }
    if short.is_none() {
        pdu.push(u8::try_from(count).unwrap_or(u8::MAX));
    }
    pdu.extend(events);
    pdu
}

/// A PDU of `events`, at most 255.
pub(super) fn encode(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        match *event {
            Event::Key(Key { name, down }) => {
                let release = u8::from(!down);
                match name {
                    KeyName::Scan { code, prefixes } => bytes.extend([prefixes << 1 | release, code]),
                    KeyName::Unicode(unit) => {
                        bytes.push(UNICODE << 5 | release);
                        bytes.extend(unit.to_le_bytes());
                    }
                }
            }
            Event::Pointer(Pointer { flags, extended, at }) => {
                let (x, y) = at.unwrap_or_default();
                bytes.push(if extended { EXTENDED_MOUSE } else { MOUSE } << 5);
                bytes.extend([flags, x, y].map(u16::to_le_bytes).as_flattened());
            }
            Event::Locks => bytes.push(SYNC << 5),
            Event::Timestamp => bytes.extend([QOE_TIMESTAMP << 5, 0, 0, 0, 0]),
        }
    }
    wrap(events.len(), &bytes)
}
