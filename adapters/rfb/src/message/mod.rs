//! The messages of both directions, as far as somebody looks at them.

mod client;
mod clipboard;
mod geometry;
mod server;

pub use client::{ClientMessage, EncodingList, QemuAudioRequest};
pub use clipboard::{ClipboardAction, ClipboardFormats, CutText, ExtendedClipboard};
pub use geometry::{DesktopLayout, Rectangle, ResizeReason, ResizeStatus, Screen, ScreenList};
pub use server::{QemuAudioOperation, ServerMessage, rectangle_header, update_header};

pub(crate) use client::kind as client_kind;
pub(crate) use server::kind as server_kind;

/// A synchronization mark, or the answer to one (Fence extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence<'a> {
    /// [`BLOCK_BEFORE`](Self::BLOCK_BEFORE) and its siblings.
    pub flags: u32,
    /// What the answer repeats. At most [`Limits::fence`](crate::Limits::fence) bytes.
    pub payload: &'a [u8],
}

impl Fence<'_> {
    /// Everything before the fence is processed before it is answered.
    pub const BLOCK_BEFORE: u32 = 1;
    /// Nothing after the fence is processed before it is answered.
    pub const BLOCK_AFTER: u32 = 1 << 1;
    /// The next message takes effect exactly at the answer: nothing that precedes the answer is affected by
    /// it and everything that follows is.
    pub const SYNC_NEXT: u32 = 1 << 2;
    /// This is a question and wants an answer.
    pub const REQUEST: u32 = 1 << 31;

    /// Whether every one of `flags` is set.
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// The message as it is sent in either direction. A payload of more than 255 bytes is cut.
    pub fn encode(&self) -> Vec<u8> {
        let len = u8::try_from(self.payload.len()).unwrap_or(u8::MAX);
        let mut message = vec![client_kind::FENCE, 0, 0, 0];
        message.extend_from_slice(&self.flags.to_be_bytes());
        message.push(len);
        message.extend(self.payload.iter().take(usize::from(len)));
        message
    }
}
