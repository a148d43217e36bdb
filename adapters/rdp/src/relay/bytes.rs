//! Reading what peers put into the messages of channels.

/// The longest name that is kept of something that passed, in characters.
const LONGEST_NAME: usize = 512;

/// Reads little-endian fields from the front of a message; `None` where it ends too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// The UTF-16 text at the front of `bytes`, up to a NUL, as a [`name`].
pub(super) fn utf16_name(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let units = units.take_while(|unit| *unit != 0);
    name(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)))
}

/// The 8-bit text at the front of `bytes`, up to a NUL, as a [`name`].
pub(super) fn ascii_name(bytes: &[u8]) -> String {
    name(bytes.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)))
}

/// A name as people are told it: without control characters. A very long one loses its beginning, since a
/// path says most at its end.
fn name(chars: impl Iterator<Item = char>) -> String {
    let mut name: std::collections::VecDeque<char> = std::collections::VecDeque::new();
    let mut cut = false;
    for char in chars.filter(|char| !char.is_control()) {
        if name.len() == LONGEST_NAME {
            name.pop_front();
            cut = true;
        }
        name.push_back(char);
    }
    cut.then_some('…').into_iter().chain(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn fields_end_where_the_message_does() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((reader.u16(), reader.u32()), (Some(0x0201), Some(0x0605_0403)));
        assert_eq!((reader.u16(), reader.u64(), reader.bytes(2)), (None, None, None));
        assert_eq!(reader.bytes(1), Some(&[7][..]));
        assert_eq!(reader.rest(), &[0u8; 0]);
    }

    #[test]
    fn names_are_clean_and_bounded() {
        assert_eq!(utf16_name(&utf16("a\u{1b}[1m\\b\r\n.txt\0rest")), "a[1m\\b.txt");
        assert_eq!(utf16_name(&[0x00, 0xd8, b'x', 0, b'y']), "\u{fffd}x");
        assert_eq!(ascii_name(b"C:\x07\0junk"), "C:");
        let long = utf16_name(&utf16(&format!("{}end", "x".repeat(60_000))));
        assert_eq!(long.chars().count(), LONGEST_NAME + 1);
        assert!(long.starts_with("…xx") && long.ends_with("end"));
    }
}
