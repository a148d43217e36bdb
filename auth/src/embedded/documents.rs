//! Documents in the database.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::rows::{fence, next_fence};
use super::worker::Failure;
use crate::{Document, DocumentKind, Expect, Fence, Put, StoredDocument, Timestamp};

/// Also tells the epoch, if this raised it.
pub(super) fn put(
    tx: &Transaction<'_>,
    document: &Document,
    expect: Expect,
    now: Timestamp,
) -> Result<(Put, Option<u64>), Failure> {
    let known = get(tx, document.kind, &document.key, now)?;
    if !is_expected(known.as_ref(), expect) {
        return Ok((Put::Conflict, None));
    }
    let Fence(version) = next_fence(tx)?;
    tx.prepare_cached("INSERT OR REPLACE INTO documents VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        document.kind.name(),
        document.key,
        document.value,
        version,
        document.expires_at.map(Timestamp::as_millis)
    ])?;
    Ok((Put::Stored { version }, changed(tx, document.kind)?))
}

pub(super) fn get(
    tx: &Transaction<'_>,
    kind: DocumentKind,
    key: &str,
    now: Timestamp,
) -> Result<Option<StoredDocument>, Failure> {
    let document = tx
        .prepare_cached(
            "SELECT * FROM documents WHERE kind = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        )?
        .query_row(params![kind.name(), key, now.as_millis()], row)
        .optional()?;
    Ok(document)
}

pub(super) fn list(
    tx: &Transaction<'_>,
    kind: DocumentKind,
    now: Timestamp,
) -> Result<Vec<StoredDocument>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM documents WHERE kind = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY key",
    )?;
    let documents = statement.query_map(params![kind.name(), now.as_millis()], row)?;
    Ok(documents.collect::<rusqlite::Result<_>>()?)
}

/// Also tells the epoch, if this raised it.
pub(super) fn delete(
    tx: &Transaction<'_>,
    kind: DocumentKind,
    key: &str,
    expect: Expect,
    now: Timestamp,
) -> Result<(bool, Option<u64>), Failure> {
    let known = get(tx, kind, key, now)?;
    if known.is_none() || !is_expected(known.as_ref(), expect) {
        return Ok((false, None));
    }
    tx.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2")?
        .execute(params![kind.name(), key])?;
    Ok((true, changed(tx, kind)?))
}

pub(super) fn epoch(tx: &Transaction<'_>) -> Result<u64, Failure> {
    Ok(tx.prepare_cached("SELECT epoch FROM memory")?.query_row([], |row| row.get(0))?)
}

pub(super) fn since(tx: &Transaction<'_>, now: Timestamp) -> Result<Timestamp, Failure> {
    let known: Option<i64> =
        tx.prepare_cached("SELECT since FROM memory")?.query_row([], |row| row.get(0))?;
    if let Some(since) = known {
        return Ok(Timestamp::from_millis(since));
    }
    tx.prepare_cached("UPDATE memory SET since = ?1")?.execute([now.as_millis()])?;
    Ok(now)
}

pub(super) fn purge(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, Failure> {
    Ok(tx.prepare_cached("DELETE FROM documents WHERE expires_at <= ?1")?.execute([now.as_millis()])?)
}

fn is_expected(known: Option<&StoredDocument>, expect: Expect) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => known.is_none(),
        Expect::Version(version) => known.is_some_and(|known| known.version == version),
    }
}

fn changed(tx: &Transaction<'_>, kind: DocumentKind) -> Result<Option<u64>, Failure> {
    if !kind.raises_epoch() {
        return Ok(None);
    }
    let epoch = tx
        .prepare_cached("UPDATE memory SET epoch = epoch + 1 RETURNING epoch")?
        .query_row([], |row| row.get(0))?;
    Ok(Some(epoch))
}

fn row(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    Ok(StoredDocument {
        key: row.get("key")?,
        value: row.get("value")?,
        version: fence(row, "version")?.0,
        expires_at: row.get::<_, Option<i64>>("expires_at")?.map(Timestamp::from_millis),
    })
}
