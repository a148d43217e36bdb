//! How many files and connections the system lets the gateway have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the gateway may. Systems start services with a low one for the sake of
/// programs that use `select`.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}

/// How many files and connections are kept for sessions, their recordings and the store. Of a low limit it
/// is half.
const KEPT: u64 = 4096;

/// How many of `wanted` connections may wait for their login without taking what sessions need.
pub(crate) fn for_strangers(wanted: usize) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return wanted };
    let most = usize::try_from(limit - KEPT.min(limit / 2)).unwrap_or(usize::MAX);
    if most < wanted {
        tracing::warn!(
            limit,
            "the limit on open files is too low for limits.pre_auth_connections: {most} of {wanted} can wait"
        );
    }
    wanted.min(most)
}
