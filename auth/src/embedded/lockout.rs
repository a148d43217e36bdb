//! Counters of failed attempts in the database.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::time;
use super::worker::Failure;
use crate::{AttemptKey, InvalidAttemptKey, Locked, Lockout, LockoutPolicy, Timestamp};

pub(super) fn fail(
    tx: &Transaction<'_>,
    keys: &[AttemptKey],
    policy: &LockoutPolicy,
    now: Timestamp,
) -> Result<Option<Locked>, Failure> {
    let locked = locked(tx, keys, now)?;
    if locked.is_none() {
        count(tx, keys, policy, now)?;
    }
    Ok(locked)
}

/// Counts a failure of each of `keys`, none of which is locked.
pub(super) fn count(
    tx: &Transaction<'_>,
    keys: &[AttemptKey],
    policy: &LockoutPolicy,
    now: Timestamp,
) -> Result<(), Failure> {
    keys.iter().try_for_each(|key| count_one(tx, key, policy, now))
}

/// Takes back a failure of each of `keys`.
pub(super) fn forgive(
    tx: &Transaction<'_>,
    keys: &[AttemptKey],
    policy: &LockoutPolicy,
) -> Result<(), Failure> {
    for key in keys {
        match key {
            AttemptKey::Address(_) | AttemptKey::Identity(_) => {
                clear(tx, key)?;
            }
            AttemptKey::Global => {
                let free = policy.global.free;
                tx.prepare_cached(
                    "UPDATE failures SET failures = max(failures - 1, 0), \
                     locked_until = iif(failures - 1 <= ?2, failed_at, locked_until) WHERE key = ?1",
                )?
                .execute(params![key.to_string(), free])?;
            }
        }
    }
    Ok(())
}

/// Clears the count of a key. Tells whether there was one.
pub(super) fn clear(tx: &Transaction<'_>, key: &AttemptKey) -> Result<bool, Failure> {
    Ok(tx.prepare_cached("DELETE FROM failures WHERE key = ?1")?.execute([key.to_string()])? > 0)
}

pub(super) fn lockouts(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<Lockout>, Failure> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM failures WHERE failed_at <= ?1 AND locked_until > ?1 ORDER BY locked_until DESC, key",
    )?;
    let lockouts = statement.query_map([now.as_millis()], |row| {
        let key = row.get::<_, String>("key")?.parse().map_err(|error: InvalidAttemptKey| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
        })?;
        Ok(Lockout { key, failures: row.get("failures")?, until: time(row, "locked_until")? })
    })?;
    Ok(lockouts.collect::<rusqlite::Result<_>>()?)
}

fn count_one(
    tx: &Transaction<'_>,
    key: &AttemptKey,
    policy: &LockoutPolicy,
    now: Timestamp,
) -> Result<(), Failure> {
    let name = key.to_string();
    let before: Option<u32> = tx
        .prepare_cached("SELECT failures FROM failures WHERE key = ?1 AND forget_at > ?2")?
        .query_row(params![name, now.as_millis()], |row| row.get(0))
        .optional()?;
    let failures = before.unwrap_or(0).saturating_add(1);
    let backoff = policy.backoff(key);
    let locked_until = now.saturating_add(backoff.lock(failures));
    let forget_at = locked_until.saturating_add(backoff.forget);
    tx.prepare_cached("INSERT OR REPLACE INTO failures VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        name,
        failures,
        now.as_millis(),
        locked_until.as_millis(),
        forget_at.as_millis()
    ])?;
    Ok(())
}

pub(super) fn locked(
    tx: &Transaction<'_>,
    keys: &[AttemptKey],
    now: Timestamp,
) -> Result<Option<Locked>, Failure> {
    let mut longest: Option<Locked> = None;
    for key in keys {
        let until = tx
            .prepare_cached(
                "SELECT locked_until FROM failures WHERE key = ?1 AND failed_at <= ?2 AND locked_until > ?2",
            )?
            .query_row(params![key.to_string(), now.as_millis()], |row| time(row, "locked_until"))
            .optional()?;
        if let Some(until) = until
            && longest.as_ref().is_none_or(|known| known.until < until)
        {
            longest = Some(Locked { key: key.clone(), until });
        }
    }
    Ok(longest)
}

pub(super) fn purge(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, Failure> {
    Ok(tx.prepare_cached("DELETE FROM failures WHERE forget_at <= ?1")?.execute([now.as_millis()])?)
}
