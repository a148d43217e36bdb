//! Leaving the screen out of the recording for a while.
//!
//! Where that may be asked for, whatever can be drawn only with what came before it is kept out of the negotiation: bulk
//! compression, the graphics pipeline, and codecs that say their parameters once. So a span begins at once, and what
//! comes after it can be drawn. At its end there may be updates under way that were drawn in it. The protocol knows no
//! question that a target would have to answer after those, so it is asked to draw a corner of the desktop again
//! (MS-RDPBCGR 2.2.11.2), and another one when that has come, more often than updates may be under way that have these
//! corners by chance. When all have come the span is over, and the target draws what the recording lacks.

use ironrdp_pdu::fast_path::{FastPathUpdate, UpdateCode};
use ironrdp_pdu::geometry::InclusiveRectangle;
use ironrdp_pdu::surface_commands::SurfaceCommand;
use passerelle_desktop::{Blackout, BlackoutError, BlackoutState, Notice, Permission, Side, Tally};

use super::RdpRelay;
use super::inject::Say;
use crate::decoder::bulk::Bulk;
use crate::decoder::fast_path::Fragments;
use crate::recording::Marker;

/// How many corners must have been drawn again.
const ROUNDS: u8 = 4;

/// The length of a corner's sides in pixels: there are targets that draw nothing for a single one.
const CORNER: u16 = 16;

/// Where the relay is with a blackout.
pub(super) struct Privacy {
    phase: Phase,
    /// Of the update that is coming while the span ends.
    fragments: Fragments,
    bulk: Bulk,
}

#[derive(Default)]
enum Phase {
    #[default]
    Off,
    On,
    Ending {
        /// How many corners have been drawn since.
        drawn: u8,
        asked: Option<Asked>,
    },
}

/// The corner that is to be drawn again.
struct Asked {
    pixel: (u16, u16),
    /// In this share and with a desktop of this size; another one knows nothing of it.
    surface: Surface,
    drawn: bool,
}

/// What the target draws on: the share's number, and the desktop's size.
pub(super) type Surface = (u32, (u16, u16));

/// All of a desktop.
pub(super) fn whole((width, height): (u16, u16)) -> InclusiveRectangle {
    let (right, bottom) = (width.saturating_sub(1), height.saturating_sub(1));
    InclusiveRectangle { left: 0, top: 0, right, bottom }
}

/// What is around a pixel in a corner of a desktop.
fn corner((x, y): (u16, u16)) -> InclusiveRectangle {
    let side = |at: u16| if at == 0 { (0, CORNER - 1) } else { (at.saturating_sub(CORNER - 1), at) };
    let ((left, right), (top, bottom)) = (side(x), side(y));
    InclusiveRectangle { left, top, right, bottom }
}

impl Default for Privacy {
    fn default() -> Self {
        Self { phase: Phase::Off, fragments: Fragments::default(), bulk: Bulk::none() }
    }
}

impl Privacy {
    pub(super) fn state(&self) -> BlackoutState {
        match self.phase {
            Phase::Off => BlackoutState::Off,
            Phase::On => BlackoutState::On,
            Phase::Ending { .. } => BlackoutState::Ending,
        }
    }

    /// Whether the clipboard's content is left out.
    pub(super) fn is_dark(&self) -> bool {
        !matches!(self.phase, Phase::Off)
    }

    /// The target sends a fast-path PDU.
    pub(super) fn fast_path(&mut self, pdu: &[u8]) {
        let Phase::Ending { asked: Some(asked), .. } = &mut self.phase else { return };
        self.fragments.receive(pdu, &mut self.bulk, &mut Tally::default(), &mut |code, data, _| {
            asked.drawn |= has(code, data, asked.pixel);
        });
    }

    /// The target sends an update of the slow path (MS-RDPBCGR 2.2.9.1.1.3), which has the form of one of the fast path.
    pub(super) fn slow_path(&mut self, body: &[u8]) {
        const BITMAP: u8 = 1;
        let Phase::Ending { asked: Some(asked), .. } = &mut self.phase else { return };
        asked.drawn |= body.first() == Some(&BITMAP) && has(UpdateCode::Bitmap, body, asked.pixel);
    }
}

/// Whether an update draws this pixel.
fn has(code: UpdateCode, data: &[u8], (x, y): (u16, u16)) -> bool {
    match FastPathUpdate::decode_with_code(data, code) {
        Ok(FastPathUpdate::Bitmap(update)) => update.rectangles.iter().any(|bitmap| {
            let area = &bitmap.rectangle;
            (area.left..=area.right).contains(&x) && (area.top..=area.bottom).contains(&y)
        }),
        Ok(FastPathUpdate::SurfaceCommands(commands)) => commands.iter().any(|command| match command {
            SurfaceCommand::SetSurfaceBits(bits) | SurfaceCommand::StreamSurfaceBits(bits) => {
                let area = &bits.destination;
                (area.left..area.right).contains(&x) && (area.top..area.bottom).contains(&y)
            }
            SurfaceCommand::FrameMarker(_) => false,
        }),
        _ => false,
    }
}

impl RdpRelay {
    pub(super) fn begin_privacy(&mut self, asked: Blackout) -> Result<(), BlackoutError> {
        if !self.policy.blackout {
            return Err(BlackoutError::Unsupported);
        }
        if self.privacy.is_dark() {
            return Err(BlackoutError::Already);
        }
        if self.io.surface().is_none() || !self.permissions.allows(Permission::View) {
            return Err(BlackoutError::NothingShown);
        }
        if !self.io.can_draw_again() {
            return Err(BlackoutError::Unsupported);
        }
        self.privacy.phase = Phase::On;
        self.input.hide_keys(true);
        self.untold.push(Notice::Marker(Marker::Blackout(asked.clone()).encode()));
        self.untold.push(Notice::BlackoutBegan(asked));
        Ok(())
    }

    pub(super) fn end_privacy(&mut self) {
        if matches!(self.privacy.phase, Phase::On) {
            self.privacy.phase = Phase::Ending { drawn: 0, asked: None };
            self.privacy.fragments = Fragments::default();
            self.input.hide_keys(false);
            self.pursue_privacy();
        }
    }

    /// Goes on with a blackout that ends.
    pub(super) fn pursue_privacy(&mut self) {
        let Phase::Ending { drawn, asked } = &mut self.privacy.phase else { return };
        let surface = self.io.surface();
        match asked {
            Some(corner) if corner.drawn => {
                *drawn += 1;
                *asked = None;
            }
            Some(corner) if Some(corner.surface) == surface => return,
            _ => *asked = None,
        }
        // Nothing may be asked for that the viewer may not see.
        let Some(surface) = surface.filter(|_| self.permissions.allows(Permission::View)) else { return };
        let whole = whole(surface.1);
        let again = if *drawn < ROUNDS {
            // Few updates have two opposite corners.
            let pixel = if drawn.is_multiple_of(2) { (whole.right, whole.bottom) } else { (0, 0) };
            *asked = Some(Asked { pixel, surface, drawn: false });
            corner(pixel)
        } else {
            self.privacy.phase = Phase::Off;
            self.untold.push(Notice::Marker(Marker::BlackoutEnd.encode()));
            self.untold.push(Notice::BlackoutEnded);
            // What the recording lacks.
            whole
        };
        let user = self.legs.of(Side::Target).user;
        for pdu in self.io.draw_again(&again, user) {
            self.inject.push(Side::Target, Say::Io(pdu));
        }
    }
}
