//! Encodings, pseudo-encodings, and which of them may be offered to a target.

use std::fmt;
use std::ops::RangeInclusive;

macro_rules! encodings {
    ($($(#[doc = $doc:literal])+ $constant:ident = $value:literal, $name:literal;)+) => {
        impl Encoding {
            $($(#[doc = $doc])+ pub const $constant: Self = Self($value);)+

            /// The encodings and pseudo-encodings whose rectangles and messages can be framed, apart from
            /// the levels that only tune others (see [`is_allowed`](Self::is_allowed)).
            pub const FRAMED: &'static [Self] = &[$(Self::$constant,)+];

            /// The customary name, if it is one of [`FRAMED`](Self::FRAMED).
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    _ => None,
                }
            }
        }
    };
}

/// An encoding or pseudo-encoding by its registered number (RFC 6143, section 7.7 and the community
/// specification).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Encoding(pub i32);

encodings! {
    /// Pixels as they are.
    RAW = 0, "Raw";
    /// A copy from elsewhere in the framebuffer.
    COPY_RECT = 1, "CopyRect";
    /// Rise-and-run-length: a background and rectangles.
    RRE = 2, "RRE";
    /// RRE with one-byte coordinates.
    CORRE = 4, "CoRRE";
    /// Tiles of 16x16 pixels, each raw or RRE.
    HEXTILE = 5, "Hextile";
    /// Raw in a zlib stream.
    ZLIB = 6, "Zlib";
    /// Fill, JPEG, or filtered pixels in one of four zlib streams.
    TIGHT = 7, "Tight";
    /// Tiles of 16x16 pixels, palettes and runs.
    TRLE = 15, "TRLE";
    /// TRLE with larger tiles in a zlib stream.
    ZRLE = 16, "ZRLE";
    /// ZRLE of wavelet coefficients.
    ZYWRLE = 17, "ZYWRLE";
    /// H.264 access units.
    H264 = 50, "H.264";
    /// Tight with PNG in place of filtered pixels.
    TIGHT_PNG = -260, "TightPNG";
    /// The server may resize the framebuffer.
    DESKTOP_SIZE = -223, "DesktopSize";
    /// An update may end before its announced number of rectangles.
    LAST_RECT = -224, "LastRect";
    /// The server may move the pointer.
    POINTER_POS = -232, "PointerPos";
    /// The viewer draws the cursor, in the framebuffer's pixel format.
    CURSOR = -239, "Cursor";
    /// The viewer draws the cursor, in two colours.
    X_CURSOR = -240, "XCursor";
    /// The viewer can switch between absolute and relative pointer movement.
    QEMU_POINTER_MOTION = -257, "QEMU Pointer Motion Change";
    /// The viewer can send scan codes.
    QEMU_EXTENDED_KEY = -258, "QEMU Extended Key Event";
    /// The viewer can play sound.
    QEMU_AUDIO = -259, "QEMU Audio";
    /// The viewer shows the state of the keyboard's lights.
    QEMU_LED_STATE = -261, "QEMU LED State";
    /// The server may rename the desktop.
    DESKTOP_NAME = -307, "DesktopName";
    /// Resizing in both directions, with a layout of screens.
    EXTENDED_DESKTOP_SIZE = -308, "ExtendedDesktopSize";
    /// The viewer can ask the machine to shut down or restart.
    XVP = -309, "xvp";
    /// Both sides can synchronize their streams.
    FENCE = -312, "Fence";
    /// Updates without requests.
    CONTINUOUS_UPDATES = -313, "ContinuousUpdates";
    /// The viewer draws the cursor, with an alpha channel.
    CURSOR_WITH_ALPHA = -314, "CursorWithAlpha";
    /// The viewer's pointer may have more than seven buttons.
    EXTENDED_MOUSE_BUTTONS = -316, "ExtendedMouseButtons";
    /// Clipboard content with a format, in UTF-8, on request.
    EXTENDED_CLIPBOARD = -1_063_131_698, "ExtendedClipboard";
}

/// Pseudo-encodings that set a level: JPEG quality, compression, fine quality, chroma subsampling.
const LEVELS: [RangeInclusive<i32>; 4] = [-32..=-23, -256..=-247, -512..=-412, -768..=-763];

impl Encoding {
    /// Whether a target may be offered this: it is [`FRAMED`](Self::FRAMED) or sets a level (JPEG quality,
    /// compression, fine quality, chroma subsampling), which sends nothing of its own.
    ///
    /// An allow-list: what is unknown could put bytes on the wire that cannot be framed.
    pub fn is_allowed(self) -> bool {
        Self::FRAMED.contains(&self) || LEVELS.iter().any(|range| range.contains(&self.0))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "encoding {}", self.0),
        }
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({self})")
    }
}

/// Keeps what may be offered to a target, in the viewer's order of preference.
pub fn allowed_encodings(wanted: impl IntoIterator<Item = Encoding>) -> Vec<Encoding> {
    wanted.into_iter().filter(|encoding| encoding.is_allowed()).collect()
}

/// Encodings that were offered so far. Never larger than [`Encoding::FRAMED`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered(Vec<Encoding>);

impl Offered {
    pub(crate) fn insert(&mut self, encoding: Encoding) {
        if Encoding::FRAMED.contains(&encoding) && !self.0.contains(&encoding) {
            self.0.push(encoding);
        }
    }

    pub(crate) fn contains(&self, encoding: Encoding) -> bool {
        self.0.contains(&encoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_framed_is_offered_and_in_order() {
        let tuned: Vec<_> = [7, -32, -23, -256, -247, -512, -412, -768, -763].map(Encoding).to_vec();
        assert_eq!(allowed_encodings(tuned.clone()), tuned);
        let apple = (1000..=1011).chain(1100..=1109);
        let real_vnc = 1024..=1099;
        let ultra = [3, 8, 9, 10, 21, -305, -33, -22, -262, i32::MIN, i32::MAX, 0x574d_5664];
        let unframed = apple.chain(real_vnc).chain(ultra).map(Encoding);
        assert_eq!(allowed_encodings(unframed), []);
        let mixed = [16, 21, 5, 1000, 0, -239].map(Encoding);
        assert_eq!(allowed_encodings(mixed), [16, 5, 0, -239].map(Encoding));
    }

    #[test]
    fn the_clipboard_extension_has_its_registered_number() {
        assert_eq!(Encoding::EXTENDED_CLIPBOARD.0.to_be_bytes(), [0xc0, 0xa1, 0xe5, 0xce]);
    }
}
