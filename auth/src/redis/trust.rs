//! Certificates of targets in Redis.

use redis::{ScriptInvocation, Value};

use super::scripts::{FORGET, PREFIX, TRUST, TRUSTED};
use super::values::{Answer, damaged, optional_text, parse};
use crate::{Fingerprint, StoreError, Timestamp, Trust, Trusted};

pub(super) fn asking(target: &str, fingerprint: &Fingerprint, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = TRUST.key(PREFIX);
    call.arg(target).arg(fingerprint.to_string()).arg(now.as_millis());
    call
}

pub(super) fn trust(answer: Value, fingerprint: &Fingerprint) -> Result<Trust, StoreError> {
    let Some(known) = optional_text(answer)? else { return Ok(Trust::First) };
    let (known, known_since) = read(&known)?;
    Ok(if known == *fingerprint {
        Trust::Same { known_since }
    } else {
        Trust::Changed { known_since, known }
    })
}

pub(super) fn all() -> ScriptInvocation<'static> {
    TRUSTED.key(PREFIX)
}

pub(super) fn listed(answer: Value) -> Result<Vec<Trusted>, StoreError> {
    let mut fields = Answer::new(answer)?;
    let mut trusted = Vec::new();
    while !fields.is_empty() {
        let target = fields.text()?;
        let (fingerprint, known_since) = read(&fields.text()?)?;
        trusted.push(Trusted { target, fingerprint, known_since });
    }
    trusted.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(trusted)
}

pub(super) fn forget(target: &str) -> ScriptInvocation<'static> {
    let mut call = FORGET.key(PREFIX);
    call.arg(target);
    call
}

/// Reads `fingerprint since`.
fn read(text: &str) -> Result<(Fingerprint, Timestamp), StoreError> {
    let malformed = || damaged("a certificate's entry is malformed");
    let (hex, since) = text.split_once(' ').ok_or_else(malformed)?;
    let mut fingerprint = [0; 32];
    let (digits, rest) = hex.as_bytes().as_chunks::<2>();
    if digits.len() != fingerprint.len() || !rest.is_empty() {
        return Err(malformed());
    }
    for (byte, digits) in fingerprint.iter_mut().zip(digits) {
        let digits = str::from_utf8(digits).map_err(|_| malformed())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
    }
    Ok((Fingerprint(fingerprint), Timestamp::from_millis(parse(since)?)))
}
