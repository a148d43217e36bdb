//! As much of DER (X.690) as CredSSP and SPNEGO take.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag `[number]`, constructed.
pub(super) const fn context(number: u8) -> u8 {
    0xA0 | number
}

/// Reads elements one after the other. Lengths may be written with more bytes than needed, as BER allows.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element's tag and content.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let len = if first < 0x80 {
            usize::from(first)
        } else {
            let digits;
            (digits, rest) = rest.split_at_checked(length_digits(first)?)?;
            length(digits)
        };
        let content;
        (content, self.0) = rest.split_at_checked(len)?;
        Some((tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The content of the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }

    /// Whether all was read.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The content of the only element in `bytes`, which must have this tag.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    reader.expect(tag).filter(|_| reader.is_empty())
}

/// How many bytes of length follow the first one, which is not a length itself. At most 4: the indefinite form
/// is no DER, and nobody sends more than 4 GiB.
pub(super) const fn length_digits(first: u8) -> Option<usize> {
    match first {
        0x81..=0x84 => Some((first & 0x7F) as usize),
        _ => None,
    }
}

/// The length in at most 4 bytes.
pub(super) fn length(digits: &[u8]) -> usize {
    digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit))
}

/// One element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let len = content.len();
    if len < 0x80 {
        bytes.push(low_byte(len));
    } else {
        let digits = (usize::BITS - len.leading_zeros()).div_ceil(8);
        bytes.push(0x80 | digits as u8);
        bytes.extend((0..digits).rev().map(|digit| low_byte(len >> (8 * digit))));
    }
    bytes.extend_from_slice(content);
    bytes
}

const fn low_byte(number: usize) -> u8 {
    (number & 0xFF) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for len in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; len];
            let bytes = element(OCTET_STRING, &content);
            assert_eq!(only(&bytes, OCTET_STRING), Some(&*content), "{len}");
            assert_eq!(only(&bytes, SEQUENCE), None, "{len}");
            assert_eq!(only(&bytes[..bytes.len() - 1], OCTET_STRING), None, "{len}");
        }
        assert_eq!(element(INTEGER, &[6]), [2, 1, 6]);
    }

    #[test]
    fn lengths_may_be_longer_than_needed_but_not_endless() {
        assert_eq!(only(&[4, 0x82, 0, 1, 9], OCTET_STRING), Some(&[9][..]));
        assert_eq!(only(&[4, 0x84, 0, 0, 0, 1, 9], OCTET_STRING), Some(&[9][..]));
        for bytes in [
            &[4][..],
            &[4, 0x80, 9, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 9],
            &[4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 9],
            &[4, 0x82, 0],
            &[4, 1, 9, 9],
        ] {
            assert_eq!(only(bytes, OCTET_STRING), None, "{bytes:?}");
        }
    }
}
