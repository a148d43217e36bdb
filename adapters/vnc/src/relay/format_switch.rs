//! Following a change of pixel format to the very byte where it takes effect.
//!
//! The length of many rectangles depends on the pixel format, and a target does not say where in its stream
//! it begins to use a new one. There are three ways to know:
//!
//! - The target has fences: one that keeps the next message in step goes right before SetPixelFormat, and
//!   the switch is where its answer stands. If the viewer sends such a fence itself, that one serves, since
//!   targets keep only one.
//! - Nothing was asked of the target, or everything was answered: the switch is at once, or at the end of the
//!   update that has begun, as it is for the viewer.
//! - Something is outstanding and there are no fences. The viewer has to wait while the target is made to
//!   answer: servers merge requests, so counting alone may never end.

use std::collections::VecDeque;

use passerelle_rfb::{ClientMessage, Fence, PixelFormat, Rectangle, ServerFramer};

use super::RelayViolation;

/// What becomes of a SetPixelFormat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It takes effect at once; the framer was told.
    Now,
    /// It takes effect later in the target's stream; the message can go.
    Later,
    /// These bytes go before it, and it takes effect when they are answered.
    Fenced(Vec<u8>),
    /// It has to wait for the target, which is to be sent these bytes.
    Wait(Vec<u8>),
}

/// What becomes of a fence from the target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether the viewer shall not see it, since it never asked.
    pub(super) ours: bool,
    /// The pixel format from here on, if it changes here.
    pub(super) switch: Option<PixelFormat>,
}

/// The state of requests, fences and changes.
#[derive(Default)]
pub(super) struct FormatSwitch {
    /// Whether pixels may be under way at all.
    asked: bool,
    /// At most so many updates are owed.
    outstanding: u64,
    /// Updates that were counted.
    seen: u64,
    /// Whether the target announced that it understands fences.
    fences_known: bool,
    /// Fences that the target has not answered, in the order in which they were sent.
    fences: VecDeque<Outstanding>,
    /// Fences of our own so far.
    own_fences: u32,
    continuous: bool,
    /// EndOfContinuousUpdates that the target still owes.
    ends: u32,
    after_message: Option<PixelFormat>,
    settling: Option<Settling>,
}

struct Outstanding {
    payload: Vec<u8>,
    ours: bool,
    switch: Option<PixelFormat>,
}

/// Making the target answer everything that it was asked.
struct Settling {
    round: u8,
    desktop: (u16, u16),
}

impl FormatSwitch {
    /// A viewer with more unanswered fences has to wait.
    const MOST_FENCES: usize = 64;

    /// Whether the framer must stop at the end of each message.
    pub(super) fn needs_boundaries(&self) -> bool {
        self.after_message.is_some() || self.settling.is_some()
    }

    /// A request for an update goes to the target.
    pub(super) fn requested(&mut self) {
        self.asked = true;
        self.outstanding = self.outstanding.saturating_add(1);
    }

    /// At most so many updates are under way or still to come.
    pub(super) fn owed(&self) -> u64 {
        self.outstanding
    }

    /// Continuous updates are switched on or off at the target.
    pub(super) fn continuous_updates(&mut self, enable: bool) {
        self.asked |= enable;
        if self.continuous && !enable {
            self.ends = self.ends.saturating_add(1);
        }
        self.continuous = enable;
    }

    /// Whether updates come without requests.
    pub(super) fn is_continuous(&self) -> bool {
        self.continuous
    }

    /// The target sent EndOfContinuousUpdates.
    pub(super) fn end_of_continuous_updates(&mut self) {
        self.ends = self.ends.saturating_sub(1);
    }

    /// Counts the updates that have come, and says which format is in force from here on if it changes here.
    pub(super) fn follow(&mut self, target: &mut ServerFramer) -> Option<PixelFormat> {
        let new = target.updates().saturating_sub(self.seen);
        self.seen = target.updates();
        self.outstanding = self.outstanding.saturating_sub(new);
        if !target.at_message() {
            return None;
        }
        let format = self.after_message.take()?;
        target.set_pixel_format(format);
        Some(format)
    }

    /// Whether another fence of the viewer can be sent on. It has to wait when too many are not answered yet.
    pub(super) fn has_room_for_fence(&self) -> bool {
        self.fences.len() < Self::MOST_FENCES
    }

    /// Whether the target understands fences.
    pub(super) fn knows_fences(&self) -> bool {
        self.fences_known
    }

    /// A question of the viewer goes to the target, and `switch` takes effect where it is answered.
    pub(super) fn viewer_fence(&mut self, fence: Fence<'_>, switch: Option<PixelFormat>) {
        self.fences.push_back(Outstanding { payload: fence.payload.to_vec(), ours: false, switch });
    }

    /// The viewer's own fence goes to the target right before a SetPixelFormat. Whether the format changes at
    /// once, because no pixels can be under way.
    pub(super) fn change_with_fence(
        &mut self,
        fence: Fence<'_>,
        format: PixelFormat,
        target: &mut ServerFramer,
    ) -> bool {
        let now = !self.asked && !self.is_pending();
        self.viewer_fence(fence, (!now).then_some(format));
        if now {
            target.set_pixel_format(format);
        }
        now
    }

    /// The target sent a fence.
    pub(super) fn target_fence(
        &mut self,
        fence: Fence<'_>,
        target: &mut ServerFramer,
    ) -> Result<Answer, RelayViolation> {
        self.fences_known = true;
        let forwarded = Answer { ours: false, switch: None };
        if fence.has(Fence::REQUEST) {
            return Ok(forwarded);
        }
        let Some(index) = self.fences.iter().position(|asked| asked.payload == fence.payload) else {
            return Ok(forwarded);
        };
        let Some(Outstanding { ours, switch, .. }) = self.fences.remove(index) else { return Ok(forwarded) };
        if let Some(format) = switch {
            if !fence.has(Fence::SYNC_NEXT) {
                return Err(RelayViolation::UnsynchronizedFence);
            }
            target.set_pixel_format(format);
        }
        Ok(Answer { ours, switch })
    }

    /// The viewer wants `format`.
    pub(super) fn change(
        &mut self,
        format: PixelFormat,
        target: &mut ServerFramer,
    ) -> Result<Change, RelayViolation> {
        if !self.asked && !self.is_pending() {
            target.set_pixel_format(format);
            return Ok(Change::Now);
        }
        if self.fences_known {
            self.settling = None;
            return Ok(Change::Fenced(self.own_fence(format)));
        }
        if self.continuous {
            return Err(RelayViolation::PixelFormatDuringContinuousUpdates);
        }
        if self.ends > 0 {
            return Ok(Change::Wait(Vec::new()));
        }
        if self.outstanding > 0 && !self.settled(target) {
            return Ok(Change::Wait(self.make_answer(target)));
        }
        self.settling = None;
        self.outstanding = 0;
        if target.at_message() {
            target.set_pixel_format(format);
            return Ok(Change::Now);
        }
        self.after_message = Some(format);
        Ok(Change::Later)
    }

    /// Whether an earlier change has yet to take effect.
    fn is_pending(&self) -> bool {
        self.after_message.is_some() || self.fences.iter().any(|fence| fence.switch.is_some())
    }

    /// A fence of our own whose answer shows that everything was done that came before it. The answer is ours and changes
    /// no format.
    pub(super) fn sync_fence(&mut self) -> Vec<u8> {
        self.own_fences = self.own_fences.wrapping_add(1);
        let payload = [&b"synchronize\0"[..], &self.own_fences.to_be_bytes()].concat();
        let message = Fence { flags: Fence::REQUEST | Fence::BLOCK_BEFORE, payload: &payload }.encode();
        self.fences.push_back(Outstanding { payload, ours: true, switch: None });
        message
    }

    /// The payload is recognised by its number; the viewer's own payloads seldom have 16 bytes like these.
    fn own_fence(&mut self, format: PixelFormat) -> Vec<u8> {
        self.own_fences = self.own_fences.wrapping_add(1);
        let payload = [&b"pixel format"[..], &self.own_fences.to_be_bytes()].concat();
        let message = Fence { flags: Fence::REQUEST | Fence::SYNC_NEXT, payload: &payload }.encode();
        self.fences.push_back(Outstanding { payload, ours: true, switch: Some(format) });
        message
    }

    /// Whether the target has shown twice that it answered what it was asked last. Once could have been an
    /// update that was already under way and happened to contain the pixel.
    fn settled(&self, target: &ServerFramer) -> bool {
        self.settling.as_ref().is_some_and(|settling| settling.round == Settling::ROUNDS)
            && target.pixel_arrived()
            && target.at_message()
    }

    /// Asks for a pixel, so that the target has something to answer, unless that was done already.
    fn make_answer(&mut self, target: &mut ServerFramer) -> Vec<u8> {
        let desktop = target.desktop_size();
        let round = match &self.settling {
            Some(settling) if settling.desktop == desktop => {
                if !(target.pixel_arrived() && target.at_message()) {
                    return Vec::new();
                }
                settling.round + 1
            }
            // What was asked before a resize may lie outside now and never be answered.
            _ => 1,
        };
        self.settling = Some(Settling { round, desktop });
        let (width, height) = desktop;
        let (x, y) = if round == 1 { (width.saturating_sub(1), height.saturating_sub(1)) } else { (0, 0) };
        target.watch_pixel(x, y);
        self.requested();
        ClientMessage::UpdateRequest { incremental: false, area: Rectangle { x, y, width: 1, height: 1 } }
            .encode()
    }
}

impl Settling {
    const ROUNDS: u8 = 2;
}
