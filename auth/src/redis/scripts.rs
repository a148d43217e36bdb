//! The scripts that Redis runs, each whole or not at all.

use std::sync::LazyLock;

use redis::Script;

use crate::{RESUME_WINDOW, Timestamp};

/// What every key begins with. What stands in braces decides on which node of a cluster a key is kept, so
/// all are on one.
pub(super) const PREFIX: &str = "{passerelle:1}:";

/// How much longer than they have a meaning keys are kept, for clocks that differ, in milliseconds.
pub(super) const MARGIN: i64 = 3_600_000;

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            script(&[$(include_str!(concat!("scripts/", $file))),+])
        });)+
    };
}

scripts! {
    ISSUE = "tickets.lua" "issue.lua";
    CLAIM = "lockout.lua" "claim.lua";
    CANDIDATES = "tickets.lua" "candidates.lua";
    WITHDRAW = "withdraw.lua";
    FAIL = "lockout.lua" "fail.lua";
    FORGIVE = "lockout.lua" "forgive.lua";
    LOCKED = "lockout.lua" "locked.lua";
    LOCKOUTS = "lockouts.lua";
    CLEAR_LOCKOUT = "lockout.lua" "clear_lockout.lua";
    LEASE = "leases.lua" "lease.lua";
    RENEW = "leases.lua" "renew.lua";
    RELEASE = "leases.lua" "release.lua";
    ABANDON = "leases.lua" "abandon.lua";
    REVOKE = "leases.lua" "revoke.lua";
    SET_PERMISSIONS = "leases.lua" "set_permissions.lua";
    SESSIONS = "leases.lua" "sessions.lua";
    PUT = "documents.lua" "put.lua";
    GET = "documents.lua" "get.lua";
    LIST = "documents.lua" "list.lua";
    DELETE = "documents.lua" "delete.lua";
    EPOCH = "epoch.lua";
    SINCE = "since.lua";
    TRUST = "trust.lua";
    TRUSTED = "trusted.lua";
    FORGET = "forget.lua";
    PURGE = "tickets.lua" "leases.lua" "lockout.lua" "documents.lua" "purge.lua";
}

fn script(parts: &[&str]) -> Script {
    let constants = format!(
        "local RESUME, MARGIN, LATEST = {}, {MARGIN}, {}\n",
        RESUME_WINDOW.as_millis(),
        Timestamp::MAX.as_millis()
    );
    Script::new(&[include_str!("scripts/prelude.lua"), &constants, &parts.concat()].concat())
}
