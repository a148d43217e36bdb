//! What the filters of static virtual channels have in common.

use passerelle_desktop::{ClipboardLimits, Notice, Permissions, Side};

use super::RelayViolation;

/// One chunk of a channel's message (MS-RDPBCGR 2.2.6.1), as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    /// Length of the whole message in bytes, as each of its chunks says.
    pub(super) total: u32,
    /// Whether it begins a message.
    pub(super) first: bool,
    /// Whether it ends one.
    pub(super) last: bool,
    /// Its part of the message; never compressed.
    pub(super) data: &'a [u8],
}

/// What becomes of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes. The recording keeps it.
    Forward,
    /// It passes. The recording keeps nothing of it.
    ForwardUnrecorded,
    /// It is withheld.
    Drop,
    /// It is withheld, and this whole message goes on instead, in as many chunks as it takes. Only with the
    /// last chunk of a message, of which nothing was forwarded. The recording keeps nothing of it.
    Replace(Vec<u8>),
}

/// The filter of one static channel: told of every chunk in both directions, in order.
pub(super) trait ChannelFilter: Send + std::fmt::Debug {
    /// Decides about a chunk from `from`. Chunks of one direction arrive well formed: a first one, perhaps
    /// some in between, a last one, together no longer than their total.
    ///
    /// # Errors
    /// The content makes no sense; the session must end.
    fn chunk(
        &mut self,
        from: Side,
        chunk: Chunk<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, RelayViolation>;

    /// The permissions have changed to those in `cx`.
    fn permissions_changed(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// The session has ended: tells of what was still under way.
    fn finish(&mut self, notices: &mut Vec<Notice>) {
        let _ = notices;
    }
}

/// What a filter may look at and speak to.
pub(super) struct Context<'a> {
    /// What the technician may do now.
    pub(super) permissions: Permissions,
    /// The largest clipboard content that passes.
    pub(super) clipboard: ClipboardLimits,
    /// Whether clipboard content is handed out with its notice.
    pub(super) store_clipboard: bool,
    /// What people should know.
    pub(super) notices: &'a mut Vec<Notice>,
    /// Whole messages of the gateway's own on this channel, each for one side. They are sent between two
    /// messages of the peer, in as many chunks as it takes.
    pub(super) injections: &'a mut Vec<(Side, Vec<u8>)>,
}
