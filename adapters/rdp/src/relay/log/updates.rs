//! Fast-path updates (MS-RDPBCGR 2.2.9.1.2).

use super::Plain;

/// `compression` in `updateHeader`: the compression flags follow.
const COMPRESSION_USED: u8 = 0x80;
/// `updateCode`.
const CODE: u8 = 0x0f;
/// Those that no update has.
const UNKNOWN: [u8; 4] = [0x07, 0x0d, 0x0e, 0x0f];
const ORDERS: u8 = 0;
const BITMAP: u8 = 1;
const SURFACE_COMMANDS: u8 = 4;
/// `fragmentation`, in its place in `updateHeader`.
const FRAGMENTATION: u8 = 0x30;
const SINGLE: u8 = 0x00;
const LAST: u8 = 0x10;
const FIRST: u8 = 0x20;
const NEXT: u8 = 0x30;

/// `PACKET_COMPRESSED`, `PACKET_AT_FRONT` and `PACKET_FLUSHED`.
pub(super) const CONTROL_FLAGS: u8 = 0xe0;
/// The kind of compression, in the low bits beside them; the highest there is is XCRUSH.
const KIND: u8 = 0x0f;
const HIGHEST_KIND: u8 = 3;

/// The longest PDU: its length has 15 bits.
const MOST: usize = 0x7fff;
/// The header of a PDU as it is written here, and that of a plain update in it.
const HEADER: usize = 3;
const UPDATE_HEADER: usize = 3;

/// What of updates is left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// The update that is coming in fragments is, and so is the rest of it.
    rest: bool,
}

impl LeftOut {
    /// Whether an update with this header is kept, while what draws on the screen is to be kept or not.
    fn keeps(&mut self, header: u8, screen: bool) -> bool {
        let begins = matches!(header & FRAGMENTATION, SINGLE | FIRST);
        let draws = matches!(header & CODE, ORDERS | BITMAP | SURFACE_COMMANDS);
        self.rest = draws && (!screen || self.rest && !begins);
        !self.rest
    }
}

/// Appends `pdu`, whose content begins at `header`, to `out`, its updates without compression. Without those that draw,
/// unless what the `screen` shows is to be kept.
pub(super) fn rewrite(
    pdu: &[u8],
    header: usize,
    screen: bool,
    left_out: &mut LeftOut,
    plain: &mut Plain<'_>,
    out: &mut Vec<u8>,
) {
    let content = pdu.get(header..).unwrap_or_default();
    if screen && !left_out.rest && !is_compressed(content) {
        out.extend_from_slice(pdu);
        return;
    }
    let mut pdus = Pdus::new(pdu.first().copied().unwrap_or_default(), out);
    let mut rest = content;
    while !rest.is_empty() {
        let Some((update, after)) = Update::split(rest) else {
            // What follows is damaged for every reader.
            if screen {
                pdus.put(rest);
            }
            return;
        };
        let with = update.flags.and_then(|flags| plain.of(update.data, flags));
        if !left_out.keeps(update.header, screen) {
            rest = after;
            continue;
        }
        match (update.flags, with) {
            (Some(_), Some(data)) => pdus.update(update.header & (CODE | FRAGMENTATION), data),
            _ => pdus.put(update.bytes),
        }
        rest = after;
    }
}

/// Whether one of the updates in `content` is compressed.
fn is_compressed(mut content: &[u8]) -> bool {
    while let Some((update, after)) = Update::split(content) {
        if update.flags.is_some() {
            return true;
        }
        content = after;
    }
    false
}

/// One update.
struct Update<'a> {
    header: u8,
    /// Its compression flags, if they say that something must be undone.
    flags: Option<u8>,
    data: &'a [u8],
    /// All of it.
    bytes: &'a [u8],
}

impl<'a> Update<'a> {
    /// The update that `bytes` begin with, and what follows it; nothing where no decoder finds one.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, rest) =
            bytes.split_first().filter(|(header, _)| !UNKNOWN.contains(&(*header & CODE)))?;
        let (flags, rest) = if header & COMPRESSION_USED == 0 {
            (0, rest)
        } else {
            let (flags, rest) = rest.split_first()?;
            (*flags, rest)
        };
        if flags & KIND > HIGHEST_KIND {
            return None;
        }
        let (len, rest) = rest.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
        let flags = (flags & CONTROL_FLAGS != 0).then_some(flags);
        let bytes = bytes.get(..bytes.len() - rest.len())?;
        Some((Self { header: *header, flags, data, bytes }, rest))
    }
}

/// Writes updates into as many PDUs as they need.
pub(super) struct Pdus<'a> {
    out: &'a mut Vec<u8>,
    /// The first byte of each.
    first: u8,
    /// Where the last one begins, if there is one.
    begin: Option<usize>,
}

impl<'a> Pdus<'a> {
    /// PDUs that begin with the byte `first`.
    pub(super) fn new(first: u8, out: &'a mut Vec<u8>) -> Self {
        Self { out, first, begin: None }
    }

    /// An update without compression, in fragments if it is too long. `header` is its code and fragmentation.
    pub(super) fn update(&mut self, header: u8, data: &[u8]) {
        let (code, fragmentation) = (header & CODE, header & FRAGMENTATION);
        let begins = matches!(fragmentation, SINGLE | FIRST);
        let ends = matches!(fragmentation, SINGLE | LAST);
        let mut rest = data;
        let mut first = true;
        loop {
            let (part, after) = rest.split_at(rest.len().min(MOST - HEADER - UPDATE_HEADER));
            let fragmentation = match (first && begins, after.is_empty() && ends) {
                (true, true) => SINGLE,
                (true, false) => FIRST,
                (false, true) => LAST,
                (false, false) => NEXT,
            };
            let [low, high] = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
            self.room(UPDATE_HEADER + part.len());
            self.out.extend([code | fragmentation, low, high]);
            self.out.extend_from_slice(part);
            self.measure();
            (rest, first) = (after, false);
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Bytes that came in a PDU of the target's, so that they fit into one.
    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len());
        self.out.extend_from_slice(bytes);
        self.measure();
    }

    /// Begins a PDU if `len` bytes do not fit into the last one.
    fn room(&mut self, len: usize) {
        if self.begin.is_none_or(|begin| self.out.len() - begin + len > MOST) {
            self.begin = Some(self.out.len());
            self.out.extend([self.first, 0, 0]);
        }
    }

    /// Writes the length of the last PDU.
    fn measure(&mut self) {
        let Some(begin) = self.begin else { return };
        let len = u16::try_from(self.out.len() - begin).unwrap_or(u16::MAX) | 0x8000;
        if let Some(place) = self.out.get_mut(begin + 1..begin + HEADER) {
            place.copy_from_slice(&len.to_be_bytes());
        }
    }
}
