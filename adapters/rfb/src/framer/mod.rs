//! Where messages begin and end, without decoding what is in them.
//!
//! The framers keep no bytes. Each call looks at the received bytes that were not consumed yet and says what
//! the first of them are; the caller consumes those and calls again. What comes out does not depend on how
//! the bytes were chunked.

mod client;
mod payload;
mod server;
mod violation;

#[cfg(test)]
mod tests;

pub use client::ClientFramer;
pub use server::{Reach, ServerFramer};
pub use violation::{ClientViolation, ServerViolation};

/// What the bytes at the front of a buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span<M> {
    /// Nothing can be said before the buffer holds at least `total` bytes, which is more than it holds now.
    NeedMore {
        /// Length that the buffer must reach. Bounded by the [`Limits`](crate::Limits).
        total: usize,
    },
    /// The first `len` bytes can go on without anybody looking at them: pixels, mostly.
    Pass {
        /// How many bytes; more than 0.
        len: usize,
    },
    /// The first `len` bytes are `message`, or its head if the message says that a body follows.
    Message {
        /// How many bytes; more than 0.
        len: usize,
        /// What they mean.
        message: M,
    },
    /// The first `len` bytes belong to the body of the message whose head came before.
    Body {
        /// How many bytes; more than 0.
        len: usize,
    },
}

/// Takes from a body of `left` bytes what is there of it.
fn body_span<M>(left: &mut u64, available: usize) -> Span<M> {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left = left.saturating_sub(len as u64);
    Span::Body { len }
}
