//! Sound that is not permitted (MS-RDPEA): what is heard is left out, what peers agree on before still passes, so that
//! it can be heard as soon as it is permitted.

use passerelle_desktop::Side;

/// `msgType` (2.2.1).
mod kind {
    pub(super) const CLOSE: u8 = 1;
    pub(super) const WAVE: u8 = 2;
    pub(super) const SET_VOLUME: u8 = 3;
    pub(super) const SET_PITCH: u8 = 4;
    pub(super) const WAVE_CONFIRM: u8 = 5;
    pub(super) const TRAINING: u8 = 6;
    pub(super) const FORMATS: u8 = 7;
    pub(super) const WAVE_ENCRYPTED: u8 = 9;
    pub(super) const QUALITY_MODE: u8 = 12;
    pub(super) const WAVE_2: u8 = 13;
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// It has nothing that could be heard.
    Agreement,
    /// It is heard.
    Heard {
        /// Whether the next message goes on with it.
        goes_on: bool,
        /// What a target that sent it waits for: its time stamp and number, as it wrote them.
        confirmation: Option<[u8; 3]>,
    },
}

impl Sound {
    /// Judges a message by its beginning.
    pub(super) fn of(from: Side, head: &[u8]) -> Self {
        let Some(kind) = head.first().copied() else {
            return Self::Heard { goes_on: false, confirmation: None };
        };
        match (kind, from) {
            (kind::TRAINING | kind::FORMATS | kind::QUALITY_MODE, _)
            | (kind::CLOSE | kind::SET_VOLUME | kind::SET_PITCH, Side::Target)
            | (kind::WAVE_CONFIRM, Side::Viewer) => Self::Agreement,
            (kind::WAVE | kind::WAVE_ENCRYPTED | kind::WAVE_2, Side::Target) => Self::Heard {
                goes_on: kind == kind::WAVE,
                // wTimeStamp, wFormatNo and cBlockNo after the header of four bytes.
                confirmation: match *head {
                    [_, _, _, _, low, high, _, _, block, ..] => Some([low, high, block]),
                    _ => None,
                },
            },
            _ => Self::Heard { goes_on: false, confirmation: None },
        }
    }
}

/// The Wave Confirm (2.2.3.8) of a viewer that has played what the target sent. Targets stop when none comes.
pub(super) fn confirm([low, high, block]: [u8; 3]) -> Vec<u8> {
    vec![kind::WAVE_CONFIRM, 0, 4, 0, low, high, block, 0]
}
