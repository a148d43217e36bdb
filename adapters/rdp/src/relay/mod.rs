//! The splice: frames what passes between two peers, lets through what is permitted.
//!
//! Pictures go through as they are. What people may or may not do is decided PDU by PDU: `input` decides about keys
//! and pointer, `io` about the I/O channel, `statics` and `dynamic` about virtual channels, as `names` says. `blackout`
//! has the recording leave the screen out for a while.

mod blackout;
mod bytes;
mod channel;
mod clipboard;
mod devices;
mod dynamic;
mod farewell;
mod frame;
mod graphics;
mod held;
mod inject;
mod input;
mod io;
mod legs;
mod log;
mod messages;
mod names;
mod outcome;
mod passage;
#[cfg(test)]
mod rig;
mod settings;
mod sound;
mod statics;
mod violation;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use passerelle_desktop::{
    Blackout, BlackoutError, BlackoutState, ClipboardLimits, Denied, Farewell, Notice, Permission,
    Permissions, Record, Relay, RelayError, Side, Step,
};

use blackout::Privacy;
use frame::{Frame, frame};
use held::{Held, Part};
use inject::Injections;
use input::Input;
use io::Io;
use legs::{Legs, Place};
use outcome::Outcome;
use statics::Static;

pub use input::RdpInputReader;
pub use log::RdpLog;
pub use settings::RelaySettings;
pub use violation::RelayViolation;

/// Forwards PDUs between a viewer and a target after Client Info, as far as they are permitted.
///
/// When [`Permission::View`] is withdrawn, the target is asked to send no more output (MS-RDPBCGR 2.2.11.3), and the
/// PDUs with something of the screen that it sends nevertheless wait: what is compressed cannot miss a part. Other
/// channels and the target's leave-taking pass them. When it is granted again they pass, and the target is asked to draw
/// everything. In a session in which it is never granted they are left out.
///
/// A channel that needs a permission which was never granted stays closed. One whose permission is only withheld at
/// present opens when that comes: the clipboard, devices, sound and what is judged PDU by PDU are followed from the start,
/// and of a dynamic channel the target's request waits. What cannot be made good, since the peers have agreed on it or
/// the target said it before, [`Relay::at_next_connection`] names. A channel that is open follows its permission from PDU
/// to PDU; of a message that is under way when its permission goes, the rest goes on as zeros.
pub struct RdpRelay {
    legs: Legs,
    permissions: Permissions,
    policy: Policy,
    input: Input,
    io: Io,
    /// In the order of the client's list.
    statics: Vec<Static>,
    inject: Injections,
    /// What the viewer may not see at present.
    held: Held,
    /// What the recording may not show at present.
    privacy: Privacy,
    /// What the target did wrong in what waited, for the next step to tell.
    violation: Option<RelayViolation>,
    /// What happened outside of a step, for the next one to tell.
    untold: Vec<Notice>,
}

/// What is decided for the whole session.
#[derive(Clone, Copy, Debug)]
struct Policy {
    granted: Permissions,
    clipboard: ClipboardLimits,
    store_clipboard: bool,
    recorded: bool,
    blackout: bool,
    auto_reconnect: bool,
}

/// What a part of the relay may look at and change beside itself.
struct Surroundings<'a> {
    permissions: Permissions,
    policy: Policy,
    /// The viewer's and the target's number of the client's user.
    users: (u16, u16),
    notices: &'a mut Vec<Notice>,
    inject: &'a mut Injections,
    input: &'a mut Input,
    privacy: &'a mut Privacy,
    /// The size that the viewer asked for, if nothing else will tell it.
    asked_size: Option<(u16, u16)>,
}

impl Surroundings<'_> {
    fn target_user(&self) -> u16 {
        self.users.1
    }

    fn users_differ(&self) -> bool {
        self.users.0 != self.users.1
    }

    /// Puts the target's number of the client's user into the share control header of the viewer's `pdu`.
    fn renumber_source(&self, pdu: &mut [u8]) {
        if let Some(source) = pdu.get_mut(4..6)
            && source == self.users.0.to_le_bytes()
        {
            source.copy_from_slice(&self.users.1.to_le_bytes());
        }
    }
}

impl RdpRelay {
    /// A relay for a session in which Client Info was sent to the target and nothing since.
    pub fn new(settings: RelaySettings) -> Self {
        let RelaySettings {
            viewer,
            target,
            permissions,
            granted,
            clipboard,
            keystrokes,
            store_clipboard,
            recorded,
            blackout,
            auto_reconnect,
        } = settings;
        let statics = viewer.statics.iter().enumerate();
        Self {
            statics: statics.map(|(index, channel)| Static::new(index, channel)).collect(),
            legs: Legs::new(viewer, target),
            permissions,
            policy: Policy { granted, clipboard, store_clipboard, recorded, blackout, auto_reconnect },
            input: Input::new(keystrokes),
            io: Io::default(),
            inject: Injections::default(),
            held: Held::default(),
            privacy: Privacy::default(),
            violation: None,
            untold: Vec::new(),
        }
    }

    fn decide(
        &mut self,
        from: Side,
        input: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        notices.append(&mut self.untold);
        if let Some(violation) = self.violation.take_if(|_| from == Side::Target) {
            return Err(violation);
        }
        let frame = match frame(from, input)? {
            Err(total) => return Ok(Step::NeedMore { total }),
            Ok(frame) => frame,
        };
        if self.inject.is_full(from)? {
            return Ok(Step::Blocked);
        }
        let pdu = input.get(..frame.len()).unwrap_or(input);
        if from == Side::Target
            && let Some(part) = self.must_wait(frame, pdu)?
        {
            let held = self.held.hold(pdu, part);
            return Ok(if held { Step::Drop { len: pdu.len() } } else { Step::Blocked });
        }
        self.pass(from, frame, pdu, notices)
    }

    /// Why a PDU of the target's must wait, if it must.
    fn must_wait(&mut self, frame: Frame, pdu: &[u8]) -> Result<Option<Part>, RelayViolation> {
        let view = self.permissions.allows(Permission::View);
        if view && self.held.is_empty() || !self.policy.granted.allows(Permission::View) {
            return Ok(None);
        }
        let header = match frame {
            Frame::Disconnect { .. } => return Ok(None),
            Frame::FastPath { .. } => {
                return Ok((!view || self.held.has_updates()).then_some(Part::Updates));
            }
            Frame::Data(header) => header,
        };
        let data = pdu.get(header.header..).unwrap_or_default();
        Ok(match self.legs.place(Side::Target, header)? {
            Place::Io => io::must_wait(data, view, self.held.has_updates())?.then_some(Part::Updates),
            Place::Message => None,
            Place::Static(index) => {
                let channel = self.statics.get(index);
                channel.and_then(|channel| channel.must_wait(data, view, &self.held))
            }
        })
    }

    /// What waited and may be seen now, as it goes to the viewer.
    fn release(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let dynamic = self.statics.iter().find(|channel| channel.is_dynamic());
        // Another message of a dynamic channel may be passing.
        let between = dynamic.is_none_or(|channel| channel.is_between(Side::Viewer).0);
        if self.held.is_empty()
            || !self.permissions.allows(Permission::View)
            || self.held.has_dynamic() && !self.held.interrupts() && !between
        {
            return out;
        }
        let mut notices = std::mem::take(&mut self.untold);
        for pdu in self.held.take() {
            let passed = match frame(Side::Target, &pdu) {
                Ok(Ok(frame)) => self.pass(Side::Target, frame, &pdu, &mut notices),
                Ok(Err(_)) => continue,
                Err(violation) => Err(violation),
            };
            match passed {
                Ok(Step::Forward { .. }) => out.extend(pdu),
                Ok(Step::Replace { with, .. }) => out.extend(with),
                Ok(Step::Drop { .. } | Step::Blocked | Step::NeedMore { .. }) => {}
                Err(violation) => {
                    self.violation = Some(violation);
                    break;
                }
            }
        }
        self.untold = notices;
        out
    }

    /// Decides about a PDU that need not wait.
    fn pass(
        &mut self,
        from: Side,
        frame: Frame,
        pdu: &[u8],
        notices: &mut Vec<Notice>,
    ) -> Result<Step, RelayViolation> {
        Ok(match frame {
            Frame::FastPath { len, .. } if from == Side::Target => {
                if self.permissions.allows(Permission::View) {
                    self.privacy.fast_path(pdu);
                    Step::Forward { len, record: Record::Wire }
                } else {
                    Step::Drop { len }
                }
            }
            Frame::FastPath { header, events, .. } => {
                self.input.fast(pdu, header, events, self.permissions, notices)?
            }
            Frame::Disconnect { len, reason } => {
                self.io.disconnecting(from, reason, notices);
                match frame::short_ultimatum(pdu) {
                    Some(with) => Step::Replace { len, with, record: Record::Wire },
                    None => Step::Forward { len, record: Record::Wire },
                }
            }
            Frame::Data(header) => {
                let place = self.legs.place(from, header)?;
                let to = from.other();
                let Some(address) = self.legs.address(to, place) else {
                    // The other leg has no message channel.
                    return Ok(Step::Drop { len: header.len });
                };
                let data = pdu.get(header.header..).unwrap_or_default();
                self.data(from, place, data, address, notices)?.step(pdu, header, to, address)
            }
        })
    }

    fn data(
        &mut self,
        from: Side,
        place: Place,
        data: &[u8],
        address: outcome::Address,
        notices: &mut Vec<Notice>,
    ) -> Result<Outcome, RelayViolation> {
        let Self { legs, permissions, policy, input, io, statics, inject, privacy, .. } = self;
        let users = (legs.of(Side::Viewer).user, legs.of(Side::Target).user);
        let (permissions, mut policy) = (*permissions, *policy);
        policy.store_clipboard &= !privacy.is_dark();
        let mut cx =
            Surroundings { permissions, policy, users, notices, inject, input, privacy, asked_size: None };
        match place {
            Place::Io => io.decide(from, data, &mut cx),
            Place::Message => io.message(from, data, &mut cx),
            Place::Static(index) => {
                let Some(channel) = statics.get_mut(index) else { return Ok(Outcome::Drop) };
                let outcome = channel.chunk(from, data, address, &mut cx)?;
                if let Some((width, height)) = cx.asked_size.take() {
                    io.resized(width, height, &mut cx);
                }
                Ok(outcome)
            }
        }
    }
}

impl Relay for RdpRelay {
    fn step(&mut self, from: Side, input: &[u8], notices: &mut Vec<Notice>) -> Result<Step, RelayError> {
        self.decide(from, input, notices).map_err(|violation| violation.by(from))
    }

    fn take_injection(&mut self, to: Side) -> Option<Vec<u8>> {
        // Only whole PDUs are ever forwarded, so the stream is always between two.
        if to == Side::Viewer {
            // All that waits is recorded as it is, like what is said here.
            let released = self.release();
            if !released.is_empty() {
                return Some(released);
            }
        }
        let statics = &self.statics;
        self.inject.take(to, &self.legs, |index| {
            statics.get(index).map_or((true, false), |channel| channel.is_between(to))
        })
    }

    fn farewell(&mut self, why: Farewell) -> Option<Vec<u8>> {
        if why == Farewell::TargetLost && self.io.is_over() {
            return None;
        }
        farewell::farewell(why, &self.io, self.legs.address(Side::Viewer, Place::Io)?)
    }

    fn set_permissions(&mut self, permissions: Permissions) {
        let before = std::mem::replace(&mut self.permissions, permissions);
        let Self { legs, policy, input, io, statics, inject, privacy, untold, .. } = self;
        let users = (legs.of(Side::Viewer).user, legs.of(Side::Target).user);
        let policy = *policy;
        let mut cx = Surroundings {
            permissions,
            policy,
            users,
            notices: untold,
            inject,
            input,
            privacy,
            asked_size: None,
        };
        io.permissions_changed(before, &mut cx);
        for channel in statics {
            channel.permissions_changed(&mut cx);
        }
    }

    fn at_next_connection(&self) -> Permissions {
        let missed = self.statics.iter().flat_map(Static::missed).chain(self.io.missed());
        missed.filter(|permission| self.permissions.allows(*permission)).collect()
    }

    fn begin_blackout(&mut self, asked: Blackout) -> Result<(), BlackoutError> {
        self.begin_privacy(asked)
    }

    fn end_blackout(&mut self) {
        self.end_privacy();
    }

    fn blackout(&self) -> BlackoutState {
        self.privacy.state()
    }

    fn settled(&mut self, notices: &mut Vec<Notice>) {
        self.pursue_privacy();
        notices.append(&mut self.untold);
    }

    fn finish(&mut self, notices: &mut Vec<Notice>) {
        notices.append(&mut self.untold);
        for channel in &mut self.statics {
            channel.finish(notices);
        }
    }
}

impl fmt::Debug for RdpRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RdpRelay")
            .field("legs", &self.legs)
            .field("permissions", &self.permissions)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn deny(notices: &mut Vec<Notice>, by: Side, permission: Permission, action: impl Into<Cow<'static, str>>) {
    notices.push(Notice::Denied(Denied { by, permission, action: action.into(), reason: None }));
}

/// `text` of a peer without control characters and not too long, for the audit log.
fn readable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(256).collect()
}
