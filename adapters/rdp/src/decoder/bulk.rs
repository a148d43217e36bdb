//! Bulk compression (MS-RDPBCGR 3.1.8) of what the target sends.

use ironrdp_bulk::{BulkCompressor, CompressionType};
use passerelle_desktop::Tally;

use super::skipped::Part;

/// `PACKET_COMPRESSED`, `PACKET_AT_FRONT` and `PACKET_FLUSHED`.
const CONTROL_FLAGS: u8 = 0xe0;
/// `PACKET_FLUSHED`: the history begins anew.
const FLUSHED: u8 = 0x80;

/// The one history that slow path, fast path and virtual channels share.
#[derive(Default)]
pub(crate) struct Bulk {
    /// Made when something compressed comes; it takes some megabytes.
    decompressor: Option<BulkCompressor>,
    /// Something could not be decompressed: what builds on it would be wrong.
    lost: bool,
    /// Nothing can be decompressed.
    none: bool,
}

impl Bulk {
    /// Of a recording in which only what could not be decompressed is compressed.
    pub(crate) fn none() -> Self {
        Self { none: true, ..Self::default() }
    }

    /// The plain form of `data`, or nothing if there is none.
    ///
    /// `flags` are the control flags and, in the low four bits, the kind of compression.
    pub(crate) fn plain<'a>(&'a mut self, data: &'a [u8], flags: u8, tally: &mut Tally) -> Option<&'a [u8]> {
        if flags & CONTROL_FLAGS == 0 {
            return Some(data);
        }
        if flags & FLUSHED != 0 {
            self.lost = false;
        }
        if self.lost || self.none {
            tally.add(Part::History);
            return None;
        }
        // Every packet names its own kind of compression; the one given here is for the sending side.
        let decompressor =
            self.decompressor.get_or_insert_with(|| BulkCompressor::new(CompressionType::Rdp61));
        let plain = tally.contain(|| decompressor.decompress(data, u32::from(flags)));
        match plain {
            Some(Ok(plain)) => Some(plain),
            Some(Err(_)) => {
                self.lost = true;
                tally.add(Part::History);
                None
            }
            None => {
                self.lost = true;
                None
            }
        }
    }
}
