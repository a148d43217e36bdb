//! Certificates of targets in the database.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::rows::time;
use super::worker::Failure;
use crate::{Fingerprint, Timestamp, Trust, Trusted};

pub(super) fn trust(
    tx: &Transaction<'_>,
    target: &str,
    fingerprint: &Fingerprint,
    now: Timestamp,
) -> Result<Trust, Failure> {
    let known = tx
        .prepare_cached("SELECT * FROM certificates WHERE target = ?1")?
        .query_row([target], row_of)
        .optional()?;
    Ok(match known {
        None => {
            tx.prepare_cached("INSERT INTO certificates VALUES (?1, ?2, ?3)")?.execute(params![
                target,
                fingerprint.0,
                now.as_millis()
            ])?;
            Trust::First
        }
        Some(Trusted { fingerprint: known, known_since, .. }) if known == *fingerprint => {
            Trust::Same { known_since }
        }
        Some(Trusted { fingerprint: known, known_since, .. }) => Trust::Changed { known_since, known },
    })
}

pub(super) fn trusted(tx: &Transaction<'_>) -> Result<Vec<Trusted>, Failure> {
    let mut statement = tx.prepare_cached("SELECT * FROM certificates ORDER BY target")?;
    let trusted = statement.query_map([], row_of)?;
    Ok(trusted.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn forget(tx: &Transaction<'_>, target: &str) -> Result<bool, Failure> {
    Ok(tx.prepare_cached("DELETE FROM certificates WHERE target = ?1")?.execute([target])? > 0)
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<Trusted> {
    Ok(Trusted {
        target: row.get("target")?,
        fingerprint: Fingerprint(row.get("fingerprint")?),
        known_since: time(row, "known_since")?,
    })
}
