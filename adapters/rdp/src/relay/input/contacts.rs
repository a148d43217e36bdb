//! Fingers and pens that touch the screen (MS-RDPEI 2.2.3.3, 2.2.3.7), so that they can be lifted when the permission
//! is withdrawn.

use std::collections::BTreeMap;

const TOUCH: u16 = 3;
const PEN: u16 = 8;

/// `RDPINPUT_HEADER`: eventId, pduLength.
const HEADER: usize = 6;

/// Contact flags: touching; lifted without meaning anything by it.
const IN_CONTACT: u32 = 0x10;
const UP_CANCELED: u32 = 0x24;

/// Where the contacts are, by the device's number.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    fingers: BTreeMap<u8, (i32, i32)>,
    pens: BTreeMap<u8, (i32, i32)>,
}

impl Contacts {
    /// A message of the viewer passes. What is malformed in it ends the looking.
    pub(super) fn follow(&mut self, mut message: &[u8]) {
        while let Some(after) = self.follow_pdu(message) {
            message = after;
        }
    }

    /// The PDU at the front of `message`; what comes after it.
    fn follow_pdu<'a>(&mut self, message: &'a [u8]) -> Option<&'a [u8]> {
        let &[k0, k1, l0, l1, l2, l3, ..] = message else { return None };
        let len = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
        let (pdu, after) = message.split_at_checked(len.max(HEADER))?;
        let (contacts, optional) = match u16::from_le_bytes([k0, k1]) {
            // contactRect, orientation, pressure
            TOUCH => (&mut self.fingers, &[&[2_u8, 2, 2, 2][..], &[4], &[4]][..]),
            // penFlags, pressure, rotation, tiltX, tiltY
            PEN => (&mut self.pens, &[&[4_u8][..], &[4], &[2], &[2], &[2]][..]),
            _ => return Some(after),
        };
        let rest = &mut pdu.get(HEADER..)?;
        let _time = number(rest, 4)?;
        for _ in 0..number(rest, 2)? {
            let count = number(rest, 2)?;
            let _offset = number(rest, 8)?;
            for _ in 0..count {
                let (id, after_id) = rest.split_first()?;
                *rest = after_id;
                let present = number(rest, 2)?;
                let at = (signed(rest)?, signed(rest)?);
                if number(rest, 4)? & u64::from(IN_CONTACT) != 0 {
                    contacts.insert(*id, at);
                } else {
                    contacts.remove(id);
                }
                for (bit, widths) in optional.iter().enumerate() {
                    if present >> bit & 1 != 0 {
                        for width in *widths {
                            number(rest, *width)?;
                        }
                    }
                }
            }
        }
        Some(after)
    }

    /// The channel is closed, and with it ends what touched.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The messages that lift everything.
    pub(super) fn release(&mut self) -> Vec<Vec<u8>> {
        let Self { fingers, pens } = std::mem::take(self);
        [(TOUCH, fingers), (PEN, pens)]
            .into_iter()
            .filter(|(_, contacts)| !contacts.is_empty())
            .map(|(kind, contacts)| release(kind, &contacts))
            .collect()
    }
}

/// One event with one frame, in which all of `contacts` are lifted.
fn release(kind: u16, contacts: &BTreeMap<u8, (i32, i32)>) -> Vec<u8> {
    // encodeTime 0, one frame, the number of contacts in the form with two bytes, frameOffset 0.
    let count = u16::try_from(contacts.len()).unwrap_or(u16::MAX) | 0x8000;
    let mut body = vec![0, 1];
    body.extend(count.to_be_bytes());
    body.push(0);
    for (id, (x, y)) in contacts {
        body.extend([*id, 0]);
        for coordinate in [x, y] {
            // All four bytes, of which 29 bits are the number.
            let sign = if *coordinate < 0 { 0x2000_0000 } else { 0 };
            body.extend((0xc000_0000 | sign | coordinate.unsigned_abs().min(0x1fff_ffff)).to_be_bytes());
        }
        body.push(UP_CANCELED as u8);
    }
    let mut message = kind.to_le_bytes().to_vec();
    message.extend(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX).to_le_bytes());
    message.extend(body);
    message
}

/// A number of at most `width` bytes (2.2.2): the top bits of the first say how many more there are. For those with a
/// sign this is right about the length only.
fn number(rest: &mut &[u8], width: u8) -> Option<u64> {
    let (first, mut after) = rest.split_first()?;
    let bits = match width {
        2 => 1,
        4 => 2,
        _ => 3,
    };
    let more = first >> (8 - bits);
    let mut value = u64::from(first & (0xff >> bits));
    for _ in 0..more {
        let (next, end) = after.split_first()?;
        value = value << 8 | u64::from(*next);
        after = end;
    }
    *rest = after;
    Some(value)
}

/// `FOUR_BYTE_SIGNED_INTEGER` (2.2.2.4): the third bit is the sign.
fn signed(rest: &mut &[u8]) -> Option<i32> {
    let first = *rest.first()?;
    let bits = 8 * u32::from(first >> 6) + 5;
    let value = i32::try_from(number(rest, 4)? & ((1 << bits) - 1)).ok()?;
    Some(if first & 0x20 != 0 { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two fingers in one frame, one with all that is optional; the second frame lifts the first finger.
    const TOUCHES: &[u8] = b"\x03\0\x2e\0\0\0\x41\x23\x02\
        \x02\0\
        \x01\x07\x45\x00\x14\x18\x01\x01\x41\x01\x00\x40\x80\
        \x02\0\x14\x4b\xb8\x18\
        \x01\x40\x11\x22\
        \x01\0\x45\x00\x14\x04";

    #[test]
    fn contacts_are_followed_and_lifted() {
        let mut contacts = Contacts::default();
        let mut touches = TOUCHES.to_vec();
        touches[2] = touches.len() as u8;
        let first_frame = touches.len() - 10;
        // With one frame only.
        let mut begin = touches[..first_frame].to_vec();
        begin[2] = begin.len() as u8;
        begin[8] = 1;
        contacts.follow(&begin);
        assert_eq!(contacts.fingers, BTreeMap::from([(1, (0x500, 20)), (2, (20, 0xbb8))]));
        contacts.follow(&touches);
        assert_eq!(contacts.fingers, BTreeMap::from([(2, (20, 0xbb8))]));

        let [message] = &contacts.release()[..] else { panic!() };
        assert_eq!(message[..2], [3, 0]);
        assert_eq!(usize::from(message[2]), message.len());
        assert!(message.ends_with(&[0xc0, 0, 0, 20, 0xc0, 0, 0x0b, 0xb8, 0x24]));
        assert!(contacts.release().is_empty());
        // What lifts is itself followed.
        contacts.follow(&touches);
        contacts.follow(message);
        assert!(contacts.fingers.is_empty());
    }

    #[test]
    fn numbers_have_the_lengths_that_they_say() {
        for (bytes, value) in [
            (&[0x1f][..], 31),
            (&[0x3f], -31),
            (&[0x45, 0x00], 0x500),
            (&[0x65, 0x00], -0x500),
            (&[0xdf, 0xff, 0xff, 0xff], 0x1fff_ffff),
            (&[0xff, 0xff, 0xff, 0xff], -0x1fff_ffff),
        ] {
            let mut rest = bytes;
            assert_eq!(signed(&mut rest), Some(value));
            assert!(rest.is_empty());
            assert_eq!(signed(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(number(&mut &[0x9f, 0xff][..], 2), Some(0x1fff));
        assert_eq!(number(&mut &[0xe0, 1, 2, 3, 4, 5, 6, 7][..], 8), Some(0x0001_0203_0405_0607));
    }
}
