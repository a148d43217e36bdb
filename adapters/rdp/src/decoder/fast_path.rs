//! Fast-path updates (MS-RDPBCGR 2.2.9.1.2).

use ironrdp_core::{ReadCursor, decode_cursor};
use ironrdp_pdu::fast_path::{FastPathHeader, FastPathUpdatePdu, Fragmentation, UpdateCode};
use passerelle_desktop::Tally;

use super::bulk::Bulk;
use super::skipped::Part;

/// The longest update that is put together of fragments. Viewers announce less (MS-RDPBCGR 2.2.7.2.6).
const MAX_UPDATE: usize = 64 << 20;

/// What is done with a whole update.
pub(crate) type Draw<'a> = dyn FnMut(UpdateCode, &[u8], &mut Tally) + 'a;

/// The fragments of an update that is not complete yet.
#[derive(Default)]
pub(crate) struct Fragments(Option<(UpdateCode, Vec<u8>)>);

impl Fragments {
    /// Draws all updates that one fast-path PDU completes.
    ///
    /// Each fragment is decompressed by itself; a target may compress some fragments of an update and not
    /// others.
    pub(crate) fn receive(&mut self, pdu: &[u8], bulk: &mut Bulk, tally: &mut Tally, draw: &mut Draw<'_>) {
        let mut cursor = ReadCursor::new(pdu);
        match decode_cursor::<FastPathHeader>(&mut cursor) {
            // Signed or encrypted, which is Standard RDP Security.
            Ok(header) if !header.flags.is_empty() => return tally.add(Part::Malformed),
            Ok(_) => {}
            Err(_) => return tally.add(Part::Malformed),
        }
        while !cursor.is_empty() {
            let Ok(update) = decode_cursor::<FastPathUpdatePdu<'_>>(&mut cursor) else {
                self.0 = None;
                return tally.add(Part::Malformed);
            };
            let flags = update.compression_flags.map_or(0, |flags| flags.bits())
                | update.compression_type.map_or(0, |kind| kind.as_u8());
            match bulk.plain(update.data, flags, tally) {
                Some(data) => self.fragment(update.update_code, update.fragmentation, data, tally, draw),
                None => self.0 = None,
            }
        }
    }

    fn fragment(
        &mut self,
        code: UpdateCode,
        fragmentation: Fragmentation,
        data: &[u8],
        tally: &mut Tally,
        draw: &mut Draw<'_>,
    ) {
        match fragmentation {
            Fragmentation::Single => {
                self.0 = None;
                draw(code, data, tally);
            }
            Fragmentation::First => self.0 = Some((code, data.to_vec())),
            Fragmentation::Next | Fragmentation::Last => {
                // Without its beginning, which was counted, a fragment is of no use.
                let Some((of, whole)) = &mut self.0 else { return };
                let fits = whole.len().saturating_add(data.len()) <= MAX_UPDATE;
                if *of != code || !fits {
                    self.0 = None;
                    return tally.add(if fits { Part::Malformed } else { Part::TooLong });
                }
                whole.extend_from_slice(data);
                if fragmentation == Fragmentation::Last
                    && let Some((code, whole)) = self.0.take()
                {
                    draw(code, &whole, tally);
                }
            }
        }
    }
}
