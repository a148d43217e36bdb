//! Chunks of static virtual channels (MS-RDPBCGR 2.2.6.1).
use passerelle_desktop::Tally;

use super::bulk::Bulk;
use super::share::Reader;
use super::skipped::Part;

/// `CHANNEL_FLAG_FIRST`.
const FIRST: u32 = 0x01;
/// `CHANNEL_FLAG_LAST`.
const LAST: u32 = 0x02;
/// The longest message of `drdynvc` that is put together. Its PDUs fit into one chunk (MS-RDPEDYC 3.1.5.1),
/// so this is far more than comes.
const MAX_MESSAGE: usize = 1 << 20;

/// The chunks of a message that is not complete yet.
#[derive(Default)]
pub(super) struct Chunks(Option<Vec<u8>>);

impl Chunks {
    /// The plain content of a chunk, with its flags. Chunks of all channels go through here, as they may be
    /// compressed with the history that the updates use too.
    pub(super) fn plain<'a>(
        chunk: &'a [u8],
        bulk: &'a mut Bulk,
        tally: &mut Tally,
    ) -> Option<(u32, &'a [u8])> {
        let mut reader = Reader(chunk);
        let (Some(_total), Some(flags)) = (reader.u32(), reader.u32()) else {
            tally.add(Part::Malformed);
            return None;
        };
        // The control flags and the kind of compression are the third byte (MS-RDPBCGR 2.2.6.1.1).
        let [_, _, compression, _] = flags.to_le_bytes();
        Some((flags, bulk.plain(reader.0, compression, tally)?))
    }

    /// The message that this chunk completes.
    pub(super) fn message(&mut self, flags: u32, content: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        if flags & FIRST != 0 {
            self.0 = Some(Vec::new());
        }
        // Without its beginning a chunk is of no use.
        let message = self.0.as_mut()?;
        if message.len().saturating_add(content.len()) > MAX_MESSAGE {
            self.0 = None;
            tally.add(Part::TooLong);
            return None;
        }
        message.extend_from_slice(content);
        if flags & LAST == 0 { None } else { self.0.take() }
    }

    /// Forgets what is not complete.
    pub(super) fn discard(&mut self) {
        self.0 = None;
    }
}
