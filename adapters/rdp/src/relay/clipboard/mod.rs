//! The clipboard (MS-RDPECLIP), over the static channel `cliprdr`.

use passerelle_desktop::Side;

use super::RelayViolation;
use super::channel::{ChannelFilter, Chunk, Context, Verdict};

/// The filter of `cliprdr`. So far it lets nothing through.
#[derive(Debug, Default)]
pub(super) struct Clipboard {}

impl Clipboard {
    /// A filter at the beginning of the channel.
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl ChannelFilter for Clipboard {
    fn chunk(&mut self, _: Side, _: Chunk<'_>, _: &mut Context<'_>) -> Result<Verdict, RelayViolation> {
        Ok(Verdict::Drop)
    }
}
