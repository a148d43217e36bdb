//! Device redirection (MS-RDPEFS and its relatives), over the static channel `rdpdr`.

use passerelle_desktop::Side;

use super::RelayViolation;
use super::channel::{ChannelFilter, Chunk, Context, Verdict};

/// The filter of `rdpdr`. So far it lets nothing through.
#[derive(Debug, Default)]
pub(super) struct Devices {}

impl Devices {
    /// A filter at the beginning of the channel.
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl ChannelFilter for Devices {
    fn chunk(&mut self, _: Side, _: Chunk<'_>, _: &mut Context<'_>) -> Result<Verdict, RelayViolation> {
        Ok(Verdict::Drop)
    }
}
