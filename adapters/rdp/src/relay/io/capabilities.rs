//! Capability sets in Demand Active and Confirm Active (MS-RDPBCGR 2.2.1.13, 2.2.7), edited where they lie.

use passerelle_desktop::Side;

use crate::relay::RelayViolation;

const GENERAL: u16 = 1;
const BITMAP: u16 = 2;
const ORDER: u16 = 3;
const INPUT: u16 = 0x0d;
const BRUSH: u16 = 0x0f;
const GLYPH_CACHE: u16 = 0x10;
const OFFSCREEN_CACHE: u16 = 0x11;
const VIRTUAL_CHANNEL: u16 = 0x14;
const DRAW_NINE_GRID: u16 = 0x15;
const DRAW_GDI_PLUS: u16 = 0x16;
const RAIL: u16 = 0x17;
const WINDOW: u16 = 0x18;
const SURFACE_COMMANDS: u16 = 0x1c;
const BITMAP_CODECS: u16 = 0x1d;

/// `AUTORECONNECT_SUPPORTED` in `extraFlags` of the general set.
const AUTO_RECONNECT: u8 = 8;

/// `ORDERFLAGS_EXTRA_FLAGS` in `orderFlags`: the set's `orderSupportExFlags` are to be looked at.
const ORDER_EXTRA: u8 = 0x80;

/// `INPUT_FLAG_FASTPATH_INPUT` and `INPUT_FLAG_FASTPATH_INPUT2`.
const FAST_PATH_INPUT: u8 = 0x08 | 0x20;

/// The codecs of surface bits that a decoder of ours follows: RemoteFX, RemoteFX in single images; and the mark of an
/// entry to be ignored.
const DECODED: [[u8; 16]; 3] = [
    *b"\x12\x2f\x77\x76\x72\xbd\x63\x44\xaf\xb3\xb7\x3c\x9c\x6f\x78\x86",
    *b"\xd4\xcc\x44\x27\x8a\x9d\x74\x4e\x80\x3c\x0e\xcb\xee\xa1\x9c\x54",
    *b"\xa6\x51\x43\x9c\x35\x35\xae\x42\x91\x0c\xcd\xfc\xe5\x76\x0b\x58",
];

/// What is to be kept out of the negotiation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Withhold {
    /// What no decoder of ours follows.
    pub(super) undecoded: bool,
    /// What can be drawn only with what came before it: codecs that say their parameters once.
    pub(super) history: bool,
    /// The auto-reconnect cookie.
    pub(super) auto_reconnect: bool,
    /// Single applications.
    pub(super) remote_apps: bool,
}

/// What the capability sets say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// `desktopWidth` and `desktopHeight`.
    pub(super) desktop: Option<(u16, u16)>,
    /// `refreshRectSupport`.
    pub(super) refresh_rect: bool,
    /// `suppressOutputSupport`.
    pub(super) suppress_output: bool,
    /// Whether input on the fast path is understood.
    pub(super) fast_path_input: bool,
}

/// Edits `pdu`, a whole Demand Active of the target or Confirm Active of the viewer with its share control header.
/// Lengths and share id stay.
pub(super) fn edit(from: Side, pdu: &mut [u8], withhold: Withhold) -> Result<Learned, RelayViolation> {
    let malformed = RelayViolation::Share("its capability sets do not fit into it");
    // Share control header, share id and, from clients, the originator.
    let lengths = match from {
        Side::Target => 10,
        Side::Viewer => 12,
    };
    let source_len = u16_at(pdu, lengths).ok_or(malformed.clone())?;
    let sets_len = u16_at(pdu, lengths + 2).ok_or(malformed.clone())?;
    let (_, sets) =
        pdu.split_at_mut_checked(lengths + 4 + usize::from(source_len)).ok_or(malformed.clone())?;
    // Some peers count differently what is in this length; clients read the sets by their number.
    let _ = sets_len;
    let count = u16_at(sets, 0).ok_or(malformed.clone())?;
    let mut rest = sets.get_mut(4..).ok_or(malformed.clone())?;
    let mut learned = Learned::default();
    for _ in 0..count {
        let kind = u16_at(rest, 0).ok_or(malformed.clone())?;
        let len = usize::from(u16_at(rest, 2).ok_or(malformed.clone())?);
        let (set, after) = rest.split_at_mut_checked(len).ok_or(malformed.clone())?;
        let set = set.get_mut(4..).ok_or(malformed.clone())?;
        edit_set(from, kind, set, withhold, &mut learned)?;
        rest = after;
    }
    Ok(learned)
}

/// `set` is without its header.
fn edit_set(
    from: Side,
    kind: u16,
    set: &mut [u8],
    withhold: Withhold,
    learned: &mut Learned,
) -> Result<(), RelayViolation> {
    match kind {
        GENERAL => {
            if withhold.auto_reconnect
                && let Some(flags) = set.get_mut(10)
            {
                *flags &= !AUTO_RECONNECT;
            }
            learned.refresh_rect = set.get(18).is_some_and(|supported| *supported != 0);
            learned.suppress_output = set.get(19).is_some_and(|supported| *supported != 0);
        }
        BITMAP => learned.desktop = u16_at(set, 8).zip(u16_at(set, 10)),
        INPUT => learned.fast_path_input = set.first().is_some_and(|flags| flags & FAST_PATH_INPUT != 0),
        // Nothing in static channels is compressed, so that filters see it.
        VIRTUAL_CHANNEL => zero(set, 0, 4),
        RAIL | WINDOW if withhold.remote_apps => zero(set, 0, 4),
        // A server draws only what the client says that it can.
        ORDER if withhold.undecoded && from == Side::Viewer => {
            if let Some(flags) = set.get_mut(30) {
                *flags &= !ORDER_EXTRA;
            }
            // orderSupport, orderSupportExFlags
            zero(set, 32, 32);
            zero(set, 66, 2);
        }
        // Each begins with its level of support, for which 0 is none.
        BRUSH | OFFSCREEN_CACHE | DRAW_NINE_GRID | DRAW_GDI_PLUS if withhold.undecoded => zero(set, 0, 4),
        // GlyphSupportLevel
        GLYPH_CACHE if withhold.undecoded => zero(set, 44, 2),
        SURFACE_COMMANDS if withhold.history => zero(set, 0, 4),
        BITMAP_CODECS if withhold.history => edit_codecs(set, &[])?,
        BITMAP_CODECS if withhold.undecoded => edit_codecs(set, &DECODED)?,
        _ => {}
    }
    Ok(())
}

/// Makes the codecs that are not among the `known` ones unknown to the peer (2.2.7.2.10.1): count, then GUID, id, length
/// and properties of each.
fn edit_codecs(set: &mut [u8], known: &[[u8; 16]]) -> Result<(), RelayViolation> {
    let malformed = RelayViolation::Share("its bitmap codecs do not fit into their capability set");
    let (count, mut rest) = set.split_first_mut().ok_or(malformed.clone())?;
    for _ in 0..*count {
        let properties = usize::from(u16_at(rest, 17).ok_or(malformed.clone())?);
        let (codec, after) = rest.split_at_mut_checked(19 + properties).ok_or(malformed.clone())?;
        let guid = codec.get_mut(..16).ok_or(malformed.clone())?;
        if !known.iter().any(|known| known == guid) {
            guid.fill(0);
        }
        rest = after;
    }
    Ok(())
}

fn zero(set: &mut [u8], at: usize, len: usize) {
    set.iter_mut().skip(at).take(len).for_each(|byte| *byte = 0);
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}
