//! The decoder of recorded sessions, with what stock servers sent, with made updates, and with damaged ones.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the message")]

mod damaged;
mod harness;
mod made;
mod recorded;
mod stored;
