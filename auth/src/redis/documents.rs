//! Documents in Redis.

use std::time::Duration;

use redis::{ScriptInvocation, Value};

use super::scripts::{DELETE, GET, LIST, PREFIX, PUT};
use super::values::{Answer, life, optional_text, parse};
use crate::{Document, DocumentKind, Expect, Put, StoreError, StoredDocument, Timestamp};

pub(super) fn put(document: &Document, expect: Expect, now: Timestamp) -> ScriptInvocation<'static> {
    let Document { kind, key, value, expires_at } = document;
    let mut call = PUT.key(PREFIX);
    call.arg(now.as_millis())
        .arg(kind.name())
        .arg(key)
        .arg(write_expect(expect))
        .arg(u8::from(kind.raises_epoch()))
        .arg(value.as_slice());
    if let Some(expires_at) = *expires_at {
        call.arg(expires_at.as_millis()).arg(life(expires_at, Duration::ZERO, now));
    }
    call
}

pub(super) fn stored(answer: Value) -> Result<Put, StoreError> {
    Ok(match optional_text(answer)? {
        Some(version) => Put::Stored { version: parse(&version)? },
        None => Put::Conflict,
    })
}

pub(super) fn get(kind: DocumentKind, key: &str, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = GET.key(PREFIX);
    call.arg(now.as_millis()).arg(kind.name()).arg(key);
    call
}

pub(super) fn found(answer: Value, key: &str) -> Result<Option<StoredDocument>, StoreError> {
    let fields = Answer::new(answer)?;
    if fields.is_empty() { Ok(None) } else { document(key.to_owned(), fields).map(Some) }
}

pub(super) fn list(kind: DocumentKind, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = LIST.key(PREFIX);
    call.arg(now.as_millis()).arg(kind.name());
    call
}

pub(super) fn listed(answer: Value) -> Result<Vec<StoredDocument>, StoreError> {
    let mut documents = Answer::new(answer)?
        .lists()
        .map(|pair| {
            let mut pair = pair?;
            document(pair.text()?, pair.list()?)
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    documents.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(documents)
}

pub(super) fn delete(
    kind: DocumentKind,
    key: &str,
    expect: Expect,
    now: Timestamp,
) -> ScriptInvocation<'static> {
    let mut call = DELETE.key(PREFIX);
    call.arg(now.as_millis())
        .arg(kind.name())
        .arg(key)
        .arg(write_expect(expect))
        .arg(u8::from(kind.raises_epoch()));
    call
}

fn write_expect(expect: Expect) -> String {
    match expect {
        Expect::Any => "any".to_owned(),
        Expect::Absent => "absent".to_owned(),
        Expect::Version(version) => version.to_string(),
    }
}

fn document(key: String, mut fields: Answer) -> Result<StoredDocument, StoreError> {
    Ok(StoredDocument {
        key,
        value: fields.bytes()?,
        version: fields.parsed()?,
        expires_at: fields.optional_time()?,
    })
}
