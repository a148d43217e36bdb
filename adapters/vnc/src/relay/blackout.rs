//! Leaving the screen out of the recording for a while.
//!
//! Zlib, ZRLE and Tight carry history from rectangle to rectangle: a recording that lacks some of them cannot be drawn any
//! further. So the target is told to do without them before anything is left out. What it still had under way comes first
//! and is recorded; servers answer in order, so this is over when they have answered what they were asked afterwards: a
//! fence, where they have fences, and then for a pixel, more often than updates may be under way that contain it by chance.
//! The same is done at the end, for what was drawn in the span and not sent yet.

use passerelle_desktop::{Blackout, BlackoutError, BlackoutState, Notice, Permission};
use passerelle_rfb::{ClientMessage, Encoding, EncodingList, Rectangle};

use super::{Marker, VncRelay};

/// Encodings whose rectangles cannot be drawn without those before them, or that may hold such ones.
const WITH_HISTORY: [Encoding; 7] = [
    Encoding::ZLIB,
    Encoding::TIGHT,
    Encoding::TIGHT_PNG,
    Encoding::ZRLE,
    Encoding::ZYWRLE,
    Encoding::H264,
    Encoding::CURSOR_WITH_ALPHA,
];

/// What a request for a pixel is answered with, when not by one of those.
const ANSWERS: [Encoding; 5] =
    [Encoding::RAW, Encoding::RRE, Encoding::CORRE, Encoding::HEXTILE, Encoding::TRLE];

/// How often the target is asked for a pixel, at least and at most. Some count requests that they never answer.
const ROUNDS: std::ops::RangeInclusive<u64> = 2..=8;

/// Where the relay is with a blackout.
#[derive(Default)]
pub(super) struct Privacy {
    phase: Phase,
    /// The encodings that the viewer wants and may have.
    wanted: Vec<Encoding>,
    /// The target used a stream while its bytes were left out, so nobody can follow it any more.
    lost: bool,
    /// Fences that the target has not answered.
    fences: u32,
    /// The message that is passing is a colour map.
    colour_map: bool,
}

#[derive(Default)]
enum Phase {
    #[default]
    Off,
    Beginning(Blackout, Questions),
    On,
    Ending(Questions),
}

/// What the target has been asked to find out whether everything is over that was under way.
struct Questions {
    /// How many answers show that one of them is to a question of ours.
    needed: u64,
    /// How many have come since anything with history did.
    answered: u64,
    asked: Option<Asked>,
}

struct Asked {
    pixel: (u16, u16),
    /// What was asked before a change of size may lie outside now, and is never answered.
    desktop: (u16, u16),
    /// The update that is passing, or has just passed, contains it.
    here: bool,
}

impl Privacy {
    pub(super) fn state(&self) -> BlackoutState {
        match self.phase {
            Phase::Off => BlackoutState::Off,
            Phase::Beginning(..) => BlackoutState::Beginning,
            Phase::On => BlackoutState::On,
            Phase::Ending(_) => BlackoutState::Ending,
        }
    }

    /// Whether rectangles have to be looked at.
    pub(super) fn looks_at_rectangles(&self) -> bool {
        !matches!(self.phase, Phase::Off)
    }

    /// Whether pictures and clipboard content are left out.
    pub(super) fn is_dark(&self) -> bool {
        matches!(self.phase, Phase::On | Phase::Ending(_))
    }

    /// Whether keys are left out.
    pub(super) fn hides_keys(&self) -> bool {
        matches!(self.phase, Phase::On)
    }

    /// The viewer wants these encodings. Those that the target is offered.
    pub(super) fn offer(&mut self, wanted: Vec<Encoding>) -> Vec<Encoding> {
        self.wanted = wanted;
        self.offered()
    }

    fn offered(&self) -> Vec<Encoding> {
        let plain = self.lost || self.looks_at_rectangles();
        let wanted = self.wanted.iter().copied();
        wanted.filter(|encoding| !(plain && WITH_HISTORY.contains(encoding))).collect()
    }

    /// A message of the target begins with this byte.
    pub(super) fn message(&mut self, first: u8) {
        const COLOUR_MAP: u8 = 1;
        self.colour_map = first == COLOUR_MAP;
    }

    /// Whether what passes of the target's message is no picture.
    pub(super) fn keeps(&self) -> bool {
        !self.is_dark() || self.colour_map
    }

    /// A rectangle begins.
    pub(super) fn rectangle(&mut self, area: Rectangle, encoding: Encoding) {
        let history = WITH_HISTORY.contains(&encoding);
        self.lost |= history && self.is_dark();
        let beginning = matches!(self.phase, Phase::Beginning(..));
        let (Phase::Beginning(_, questions) | Phase::Ending(questions)) = &mut self.phase else { return };
        if history && beginning {
            (questions.answered, questions.asked) = (0, None);
        }
        if let Some(asked) = &mut questions.asked {
            let (x, y) = asked.pixel;
            asked.here |= area.contains(x, y) && (ANSWERS.contains(&encoding) || history);
        }
    }

    /// The target answered a fence of ours.
    pub(super) fn fence_answered(&mut self) {
        self.fences = self.fences.saturating_sub(1);
    }
}

impl VncRelay {
    pub(super) fn begin_privacy(&mut self, asked: Blackout) -> Result<(), BlackoutError> {
        if self.privacy.looks_at_rectangles() {
            return Err(BlackoutError::Already);
        }
        if !self.permissions.allows(Permission::View) {
            return Err(BlackoutError::NothingShown);
        }
        self.privacy.phase = Phase::Beginning(asked, self.questions());
        self.tell_encodings();
        self.ask_target();
        Ok(())
    }

    pub(super) fn end_privacy(&mut self) {
        match self.privacy.phase {
            Phase::Off | Phase::Ending(_) => {}
            Phase::Beginning(..) => {
                self.privacy.phase = Phase::Off;
                self.tell_encodings();
            }
            Phase::On => {
                self.privacy.phase = Phase::Ending(self.questions());
                self.ask_target();
            }
        }
    }

    fn questions(&self) -> Questions {
        let needed = self.switch.owed().saturating_add(1).clamp(*ROUNDS.start(), *ROUNDS.end());
        Questions { needed, answered: 0, asked: None }
    }

    /// Sends a fence, if the target has fences, and then asks for a pixel.
    fn ask_target(&mut self) {
        if self.switch.knows_fences() && self.switch.has_room_for_fence() {
            self.privacy.fences += 1;
            let fence = self.switch.sync_fence();
            self.to_target.extend(fence);
        }
        self.pursue_privacy();
    }

    /// The viewer may see again, so what could not be asked meanwhile can.
    pub(super) fn resume_privacy(&mut self) {
        if self.target.at_message() {
            self.pursue_privacy();
        }
    }

    /// Asks what is to be asked next. Whether everything is answered.
    fn pursue_privacy(&mut self) -> bool {
        let (Phase::Beginning(_, questions) | Phase::Ending(questions)) = &mut self.privacy.phase else {
            return false;
        };
        let desktop = self.target.desktop_size();
        match &questions.asked {
            Some(asked) if asked.here => {
                questions.answered += 1;
                questions.asked = None;
            }
            Some(asked) if asked.desktop == desktop => return false,
            _ => {}
        }
        // Nothing may be asked for that the viewer may not see.
        if self.privacy.fences > 0 || !self.permissions.allows(Permission::View) {
            return false;
        }
        if questions.answered >= questions.needed {
            return true;
        }
        let (width, height) = desktop;
        // Few updates contain two opposite corners.
        let last = (width.saturating_sub(1), height.saturating_sub(1));
        let pixel = if questions.answered.is_multiple_of(2) { last } else { (0, 0) };
        questions.asked = Some(Asked { pixel, desktop, here: false });
        let (x, y) = pixel;
        self.ask_for(Rectangle { x, y, width: 1, height: 1 });
        false
    }

    /// Between two messages of the target: goes on with a blackout that begins or ends.
    pub(super) fn settle_privacy(&mut self, notices: &mut Vec<Notice>) {
        if !self.target.at_message() || !self.pursue_privacy() {
            return;
        }
        match std::mem::take(&mut self.privacy.phase) {
            Phase::Beginning(asked, _) => {
                self.privacy.phase = Phase::On;
                notices.push(Notice::Marker(Marker::Blackout(asked.clone()).encode()));
                notices.push(Notice::BlackoutBegan(asked));
            }
            Phase::Ending(_) => {
                let (width, height) = self.target.desktop_size();
                let pixel_format = self.target.pixel_format().into();
                let streams_lost = self.privacy.lost;
                let end = Marker::BlackoutEnd { width, height, pixel_format, streams_lost };
                notices.push(Notice::Marker(end.encode()));
                notices.push(Notice::BlackoutEnded);
                self.tell_encodings();
                // What the recording lacks.
                self.ask_for(Rectangle::of_size(width, height));
            }
            Phase::Off | Phase::On => {}
        }
    }

    fn tell_encodings(&mut self) {
        let offered = self.privacy.offered();
        if !self.privacy.wanted.is_empty() {
            self.to_target.extend(EncodingList::encode_message(&offered));
        }
    }

    fn ask_for(&mut self, area: Rectangle) {
        self.switch.requested();
        self.to_target.extend(ClientMessage::UpdateRequest { incremental: false, area }.encode());
    }
}
