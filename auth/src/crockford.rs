//! Crockford's base32: 32 digits and letters without I, L, O and U, so that people can read them out.

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes `bytes` with 5 bits a symbol, upper case. The length must be a multiple of 5 bytes.
pub(crate) fn encode<const N: usize>(bytes: &[u8; N]) -> String {
    const { assert!(N.is_multiple_of(5)) };
    let mut text = String::with_capacity(N / 5 * 8);
    for group in bytes.chunks_exact(5) {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for symbol in (0..8).rev() {
            text.push(symbol_of(bits >> (5 * symbol)));
        }
    }
    text
}

/// Reads a text as people write it: any case, O for 0, I and L for 1, hyphens and spaces ignored.
///
/// Returns the text as [`encode`] would have written it, or nothing when it holds anything else or is
/// longer than `limit` symbols.
pub(crate) fn normalize(text: &str, limit: usize) -> Option<String> {
    let mut normal = String::with_capacity(limit);
    for character in text.chars().filter(|character| !matches!(character, '-' | ' ')) {
        if normal.len() == limit {
            return None;
        }
        normal.push(symbol_of(u64::from(value_of(character)?)));
    }
    Some(normal)
}

/// Writes 128 bits as 26 lower-case symbols.
pub(crate) fn encode_id(bytes: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(bytes);
    (0..26).rev().map(|symbol| symbol_of((bits >> (5 * symbol) & 31) as u64).to_ascii_lowercase()).collect()
}

/// Reads what [`encode_id`] wrote, in any case.
pub(crate) fn decode_id(text: &str) -> Option<[u8; 16]> {
    let mut bits = 0u128;
    let mut symbols = 0;
    for character in text.chars() {
        symbols += 1;
        if symbols > 26 || bits >> 123 != 0 {
            return None;
        }
        bits = bits << 5 | u128::from(value_of(character)?);
    }
    (symbols == 26).then(|| bits.to_be_bytes())
}

fn symbol_of(bits: u64) -> char {
    char::from(SYMBOLS[(bits & 31) as usize])
}

fn value_of(character: char) -> Option<u8> {
    let symbol = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    SYMBOLS.iter().zip(0u8..).find_map(|(known, value)| (char::from(*known) == symbol).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_five_bits_a_symbol() {
        assert_eq!(encode(&[0; 5]), "00000000");
        assert_eq!(encode(&[0xff; 5]), "ZZZZZZZZ");
        assert_eq!(encode(&[0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0]), "00000001G0000000");
        assert_eq!(encode(b"hello"), "D1JPRV3F");
    }

    #[test]
    fn reads_what_people_write() {
        for (written, normal) in [
            ("7k2m9q4x", Some("7K2M9Q4X")),
            (" 7K2M-9Q4X ", Some("7K2M9Q4X")),
            ("oOiIlL00", Some("00111100")),
            ("7K2M9Q4U", None),
            ("7K2M9Q4X7", None),
            ("7K2M9Q4é", None),
            ("", Some("")),
        ] {
            assert_eq!(normalize(written, 8).as_deref(), normal, "{written}");
        }
    }
}
