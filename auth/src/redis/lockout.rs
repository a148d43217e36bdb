//! Counters of failed attempts in Redis.

use std::time::Duration;

use redis::{Script, ScriptInvocation, Value};

use super::scripts::{CLEAR_LOCKOUT, FAIL, FORGIVE, LOCKED, LOCKOUTS, PREFIX};
use super::values::{Answer, damaged};
use crate::{AttemptKey, Backoff, Locked, Lockout, LockoutPolicy, StoreError, Timestamp};

pub(super) fn fail(keys: &[AttemptKey], policy: &LockoutPolicy, now: Timestamp) -> ScriptInvocation<'static> {
    asking(&FAIL, keys, policy, now)
}

pub(super) fn forgive(keys: &[AttemptKey], policy: &LockoutPolicy) -> ScriptInvocation<'static> {
    let mut call = FORGIVE.key(PREFIX);
    call.arg(policy.global.free);
    for key in keys {
        call.arg(key.to_string());
    }
    call
}

pub(super) fn locked(keys: &[AttemptKey], now: Timestamp) -> ScriptInvocation<'static> {
    asking(&LOCKED, keys, &LockoutPolicy::default(), now)
}

fn asking(
    script: &'static Script,
    keys: &[AttemptKey],
    policy: &LockoutPolicy,
    now: Timestamp,
) -> ScriptInvocation<'static> {
    let mut call = script.key(PREFIX);
    call.arg(now.as_millis());
    add(&mut call, keys, policy);
    call
}

/// Adds each key with its backoff to the arguments.
pub(super) fn add(call: &mut ScriptInvocation<'_>, keys: &[AttemptKey], policy: &LockoutPolicy) {
    let millis = |duration: Duration| {
        let longest = Timestamp::MAX.as_millis();
        i64::try_from(duration.as_millis()).unwrap_or(longest).min(longest)
    };
    for key in keys {
        let Backoff { free, first, longest, forget } = *policy.backoff(key);
        call.arg(key.to_string()).arg(free).arg(millis(first)).arg(millis(longest)).arg(millis(forget));
    }
}

pub(super) fn outcome(answer: Value, keys: &[AttemptKey]) -> Result<Option<Locked>, StoreError> {
    let answer = Answer::new(answer)?;
    if answer.is_empty() { Ok(None) } else { lock(answer, keys).map(Some) }
}

/// The lock that an answer tells of: the number of its key, from 1 on, and its end.
pub(super) fn lock(mut answer: Answer, keys: &[AttemptKey]) -> Result<Locked, StoreError> {
    let index: usize = answer.parsed()?;
    let key = index.checked_sub(1).and_then(|index| keys.get(index));
    let key = key.ok_or_else(|| damaged("a lock is of a key that was not asked about"))?.clone();
    Ok(Locked { key, until: answer.time()? })
}

pub(super) fn lockouts(now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = LOCKOUTS.key(PREFIX);
    call.arg(now.as_millis());
    call
}

pub(super) fn listed(answer: Value) -> Result<Vec<Lockout>, StoreError> {
    let mut lockouts = Answer::new(answer)?
        .lists()
        .map(|fields| {
            let mut fields = fields?;
            Ok(Lockout { key: fields.parsed()?, failures: fields.parsed()?, until: fields.time()? })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    lockouts.sort_by_cached_key(|lockout| (std::cmp::Reverse(lockout.until), lockout.key.to_string()));
    Ok(lockouts)
}

pub(super) fn clear(key: &AttemptKey) -> ScriptInvocation<'static> {
    let mut call = CLEAR_LOCKOUT.key(PREFIX);
    call.arg(key.to_string());
    call
}
