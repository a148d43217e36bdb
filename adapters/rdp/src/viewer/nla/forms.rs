//! How people type a secret.

use zeroize::Zeroizing;

/// The forms in which an issued secret is recognized: NTLM proves knowledge of the very characters that were
/// typed, so that nothing can be put right afterwards.
///
/// These are the secret as it was issued, without hyphens, in groups of four, and in two halves, each also in
/// lower case. Anything else, such as the letter O for the digit 0, is a wrong secret.
pub(super) fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms: Vec<Zeroizing<String>> = Vec::new();
    let plain = Zeroizing::new(secret.replace('-', ""));
    let letters = plain.chars().count();
    let halves = if letters.is_multiple_of(2) { letters / 2 } else { letters };
    for form in [
        Zeroizing::new(secret.to_owned()),
        grouped(&plain, letters),
        grouped(&plain, 4),
        grouped(&plain, halves),
    ] {
        let lower = Zeroizing::new(form.to_lowercase());
        for form in [form, lower] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

fn grouped(plain: &str, size: usize) -> Zeroizing<String> {
    // Room for all, so that no copy is left behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * plain.len()));
    for (at, letter) in plain.chars().enumerate() {
        if at > 0 && size > 0 && at.is_multiple_of(size) {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_recognized_as_people_type_it() {
        let forms = forms("ABCDEFGH01234567");
        for typed in [
            "ABCDEFGH01234567",
            "abcdefgh01234567",
            "ABCD-EFGH-0123-4567",
            "abcd-efgh-0123-4567",
            "ABCDEFGH-01234567",
            "abcdefgh-01234567",
        ] {
            assert!(forms.iter().any(|form| form.as_str() == typed), "{typed}");
        }
        assert_eq!(forms.len(), 6);
        assert!(self::forms("").iter().all(|form| form.is_empty()));
        assert!(self::forms("a-B").iter().any(|form| form.as_str() == "aB"));
    }
}
