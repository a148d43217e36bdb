use std::time::Duration;

use super::*;
use crate::Secret;

/// A key of RFC 6238 appendix B in base32.
fn totp(key: &str, algorithm: &str) -> Totp {
    let secret = data_encoding::BASE32_NOPAD.encode(key.as_bytes());
    format!("otpauth://totp/x?secret={secret}&algorithm={algorithm}&digits=8").parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// RFC 6238 appendix B.
#[test]
fn codes_are_those_of_the_rfc() {
    let sha1 = totp("12345678901234567890", "SHA1");
    let sha256 = totp("12345678901234567890123456789012", "SHA256");
    let sha512 = totp("1234567890123456789012345678901234567890123456789012345678901234", "SHA512");
    for (seconds, one, two, five) in [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ] {
        for (totp, code) in [(&sha1, one), (&sha256, two), (&sha512, five)] {
            let step = totp.step(at(seconds));
            assert_eq!(*totp.code_of(step), code, "{seconds}");
            assert_eq!(totp.check(code, at(seconds)), Some(Accepted::Step(step)));
        }
    }
}

#[test]
fn codes_are_good_for_one_step_before_and_after() {
    let totp = totp("12345678901234567890", "SHA1");
    let step = totp.step(at(1_111_111_111));
    let begins = totp.begins(step);
    let second = Duration::from_secs(1);
    for (now, good) in [
        (begins.saturating_sub(31 * second), false),
        (begins.saturating_sub(30 * second), true),
        (begins, true),
        (begins.saturating_add(59 * second), true),
        (begins.saturating_add(60 * second), false),
    ] {
        assert_eq!(totp.check("14050471", now).is_some(), good, "{now}");
        assert!(!good || now < totp.forgotten(step), "{now}");
    }
    assert_eq!(totp.check("", begins), None);
    assert_eq!(totp.check("1405047", begins), None);
}

#[test]
fn the_text_form_is_read() {
    for text in [
        "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
        "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
        "otpauth://totp/Passerelle:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Passerelle",
    ] {
        let totp: Totp = text.parse().unwrap();
        assert_eq!(*totp.code_of(1), "287082", "{text}");
        assert_eq!(format!("{totp:?}"), "Totp(…)");
    }
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (text, error) in [
        (String::new(), TotpError::Malformed),
        ("otpauth://totp/x".to_owned(), TotpError::Malformed),
        ("otpauth://totp/x?issuer=y".to_owned(), TotpError::Malformed),
        ("1808".to_owned(), TotpError::Malformed),
        ("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ".to_owned(), TotpError::CounterBased),
        ("GEZDGNBVGY3TQOJQ".to_owned(), TotpError::ShortKey),
        (format!("otpauth://totp/x?secret={key}&algorithm=MD5"), TotpError::Algorithm),
        (format!("otpauth://totp/x?secret={key}&digits=7"), TotpError::Digits),
        (format!("otpauth://totp/x?secret={key}&period=0"), TotpError::Period),
        (format!("{key}\nrecovery:00"), TotpError::Recovery),
        (format!("{key}\nhello"), TotpError::Recovery),
    ] {
        assert_eq!(text.parse::<Totp>(), Err(error), "{text}");
    }
}

#[test]
fn an_enrolment_is_read_again_and_shows_no_secret() {
    let mut next = 0u8;
    let enrolment = Enrolment::new("Passerelle", "élodie@x", &mut |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next = next.wrapping_mul(31).wrapping_add(7);
            next
        });
    });
    assert!(enrolment.uri().expose().starts_with("otpauth://totp/Passerelle:%C3%A9lodie%40x?secret="));
    let file = enrolment.file();
    let totp: Totp = file.expose().parse().unwrap();
    assert_eq!(totp, enrolment.totp);
    assert_eq!(enrolment.recovery_codes().len(), 10);
    for code in enrolment.recovery_codes() {
        assert!(!file.expose().contains(code.expose()));
        let typed = code.expose().to_ascii_lowercase();
        let Some(Accepted::Recovery(hash)) = totp.check(&typed, at(0)) else { panic!("{typed}") };
        assert_eq!(hash.len(), 64);
        let entered = Secret::new(format!("hunter2{typed}"));
        assert_eq!(totp.split(entered.expose()), Some(("hunter2", typed.as_str())));
    }
    assert_eq!(totp.check("ABCD-EFGH-JKMN-PQRS", at(0)), None);
    assert!(!format!("{enrolment:?}").contains("secret="));
}

#[test]
fn a_password_field_is_split() {
    let totp: Totp = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".parse().unwrap();
    for (entered, parts) in [
        ("hunter2123456", Some(("hunter2", "123456"))),
        ("123456", Some(("", "123456"))),
        ("pässwörd000000", Some(("pässwörd", "000000"))),
        ("hunter2", None),
        ("12345", None),
        ("", None),
        ("hunter2ABCD-EFGH-JKMN-0000", Some(("hunter2", "ABCD-EFGH-JKMN-0000"))),
        ("hunter2ABCD-EFGH-JKMN-0", None),
        ("12345é", None),
    ] {
        assert_eq!(totp.split(entered), parts, "{entered}");
    }
}
