//! The relay between a viewer and a target, with what looks into clipboard, devices and dynamic channels.

use ironrdp_pdu::gcc::{ChannelDef, ChannelName, ChannelOptions};
use passerelle_desktop::{
    Blackout, BlackoutState, ClipboardLimits, Farewell, KeystrokePolicy, Notice, Permission, Permissions,
    Record, Relay, Side, Step, Whose,
};
use passerelle_rdp::{Channels, RdpRelay, RelaySettings, StaticChannel};

use super::turns;
use super::wire::{assert_framed, assert_sound};

const IO: u16 = 1003;
const MESSAGE: u16 = 1020;
const USER: u16 = 1021;
const SERVER: u16 = 1002;

/// The static channels, numbered from the one after the I/O channel on.
const STATICS: [&str; 6] = ["rdpdr", "rdpsnd", "cliprdr", "drdynvc", "rail", "remdesk"];

/// How much more than the viewer's the target's numbers are, where they differ.
const SHIFT: u16 = 50;

/// The most that the relay may ask for at once.
const LONGEST_PDU: usize = 64 * 1024;

/// What is forwarded is sound, the relay takes no more than there is, holds nothing up that it need not, and does
/// the same however what is sent arrives.
///
/// The input's first byte says how the relay is set up; turns follow, see [`Played::turn`].
pub(crate) fn relay(data: &[u8]) {
    let Some((setup, rest)) = data.split_first() else { return };
    let whole = Played::all(*setup, rest, usize::MAX);
    let slow = Played::all(*setup, rest, 1);
    assert_eq!(whole.sent_to(Side::Viewer), slow.sent_to(Side::Viewer));
    assert_eq!(whole.sent_to(Side::Target), slow.sent_to(Side::Target));
    assert_eq!(whole.viewer.lane, slow.viewer.lane);
    assert_eq!(whole.target.lane, slow.target.lane);
    assert_eq!(whole.notices, slow.notices);
    assert_eq!(whole.violation, slow.violation);
}

fn leg(shift: u16) -> Channels {
    let channel = |(name, id): (&&str, u16)| StaticChannel {
        id: id + shift,
        definition: ChannelDef {
            name: ChannelName::from_utf8(name).expect("a short name"),
            options: ChannelOptions::INITIALIZED,
        },
    };
    Channels {
        user: USER + shift,
        io: IO + shift,
        message: Some(MESSAGE + shift),
        statics: STATICS.iter().zip(IO + 1..).map(channel).collect(),
    }
}

/// The set in which the n-th permission is when the n-th bit is set.
fn permissions(bits: u32) -> Permissions {
    (0..).zip(Permission::ALL).filter(|(bit, _)| bits >> bit & 1 != 0).map(|(_, which)| *which).collect()
}

/// What one peer sent, as far as it was not looked at, what of it reached the other, and what the recording keeps.
#[derive(Default)]
struct Flow {
    unread: Vec<u8>,
    sent: Vec<u8>,
    lane: Vec<u8>,
}

/// A session that the input plays.
struct Played {
    relay: RdpRelay,
    legs: [Channels; 2],
    permissions: Permissions,
    viewer: Flow,
    target: Flow,
    notices: Vec<Notice>,
    violation: Option<String>,
}

impl Played {
    /// The session of an input, in which what is sent arrives in pieces of `piece` bytes.
    fn all(setup: u8, input: &[u8], piece: usize) -> Self {
        let mut played = Self::new(setup);
        for turn in turns(input) {
            if played.violation.is_some() {
                break;
            }
            let side = if turn.what & 1 == 0 { Side::Viewer } else { Side::Target };
            let bytes = match turn.what >> 1 & 7 {
                6 => {
                    let bits = turn.bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
                    played.permit(permissions(if turn.argument & 1 == 0 { bits } else { !bits }));
                    played.run();
                    continue;
                }
                what => played.turn(side, what, turn.argument, turn.bytes),
            };
            for piece in bytes.chunks(piece) {
                played.flow(side).unread.extend(piece);
                played.run();
            }
        }
        if let Some(farewell) = played.relay.farewell(Farewell::Ended) {
            played.target.sent.extend(farewell);
        }
        for side in [Side::Viewer, Side::Target] {
            played.inject(side);
            assert_sound(side, &played.legs[usize::from(side == Side::Target)], played.sent_to(side));
        }
        assert_framed(&played.viewer.lane);
        assert_framed(&played.target.lane);
        played
    }

    fn new(setup: u8) -> Self {
        let is = |bit: u8| setup >> bit & 1 != 0;
        let legs = [leg(0), leg(if is(0) { SHIFT } else { 0 })];
        let granted = permissions(u32::MAX);
        let permissions = permissions(if is(1) { 0 } else { u32::MAX });
        let relay = RdpRelay::new(RelaySettings {
            viewer: legs[0].clone(),
            target: legs[1].clone(),
            permissions,
            granted,
            clipboard: if is(2) {
                ClipboardLimits { to_target: 64, from_target: 64 }
            } else {
                ClipboardLimits { to_target: u32::MAX, from_target: u32::MAX }
            },
            keystrokes: if is(3) { KeystrokePolicy::Kinds } else { KeystrokePolicy::None },
            store_clipboard: is(4),
            recorded: !is(5),
            blackout: is(7),
            auto_reconnect: is(6),
        });
        Self {
            relay,
            legs,
            permissions,
            viewer: Flow::default(),
            target: Flow::default(),
            notices: Vec::new(),
            violation: None,
        }
    }

    fn permit(&mut self, permissions: Permissions) {
        self.permissions = permissions;
        self.relay.set_permissions(permissions);
        match self.relay.blackout() {
            BlackoutState::Off => {
                let (by, reason) = ("a".to_owned(), "b".to_owned());
                self.relay.begin_blackout(Blackout { whose: Whose::User, by, reason }).ok();
            }
            _ => self.relay.end_blackout(),
        }
    }

    /// The bytes of a turn: as they are; user data of a channel; all of a message of a static channel, in one
    /// chunk or in several; a fast-path PDU. `argument` says which channel, or is the fast-path header.
    fn turn(&self, from: Side, what: u8, argument: u8, bytes: &[u8]) -> Vec<u8> {
        let leg = &self.legs[usize::from(from == Side::Target)];
        let statics = |argument: u8| leg.statics[usize::from(argument) % leg.statics.len()].id;
        match what {
            1 => data(from, leg.user, leg.io, bytes),
            2 => data(from, leg.user, leg.message.expect("a message channel"), bytes),
            3 => data(from, leg.user, statics(argument), bytes),
            4 => chunks(from, leg.user, statics(argument), bytes, usize::MAX),
            5 => chunks(from, leg.user, statics(argument), bytes, 1 + usize::from(argument >> 3)),
            7 => {
                let mut pdu = vec![argument & 0x3c];
                pdu.extend((u16::try_from(bytes.len() + 3).unwrap_or(u16::MAX) | 0x8000).to_be_bytes());
                pdu.extend(bytes);
                pdu
            }
            _ => bytes.to_vec(),
        }
    }

    fn flow(&mut self, from: Side) -> &mut Flow {
        match from {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    fn sent_to(&self, to: Side) -> &[u8] {
        match to {
            Side::Viewer => &self.target.sent,
            Side::Target => &self.viewer.sent,
        }
    }

    /// Lets both directions go on until neither can.
    fn run(&mut self) {
        while self.violation.is_none() && (self.drain(Side::Viewer) | self.drain(Side::Target)) {}
    }

    /// What the relay says by itself goes before all else.
    fn inject(&mut self, to: Side) -> bool {
        let Some(injection) = self.relay.take_injection(to) else { return false };
        assert!(!injection.is_empty(), "nothing was injected");
        let flow = self.flow(to.other());
        flow.sent.extend(&injection);
        flow.lane.extend(injection);
        true
    }

    /// Whether a direction went on.
    fn drain(&mut self, from: Side) -> bool {
        let mut moved = false;
        while self.violation.is_none() {
            if self.inject(from.other()) {
                moved = true;
                continue;
            }
            let input = std::mem::take(&mut self.flow(from).unread);
            let len = if input.is_empty() { None } else { self.step(from, &input) };
            self.flow(from).unread = input;
            let Some(len) = len else { break };
            self.flow(from).unread.drain(..len);
            moved = true;
        }
        moved
    }

    /// How many bytes were taken, if any were.
    fn step(&mut self, from: Side, input: &[u8]) -> Option<usize> {
        let step = match self.relay.step(from, input, &mut self.notices) {
            Ok(step) => step,
            Err(error) => {
                self.violation = Some(error.to_string());
                return None;
            }
        };
        let (len, sent, record) = match step {
            Step::NeedMore { total } => {
                assert!(total > input.len() && total <= LONGEST_PDU, "{total} bytes were asked for");
                return None;
            }
            Step::Blocked => return None,
            Step::Drop { len } => (len, Vec::new(), Record::Wire),
            Step::Forward { len, record } => {
                let sees = self.permissions.allows(Permission::View);
                let picture = from == Side::Target && input[0] & 3 == 0;
                assert!(sees || !picture, "a picture passed without leave");
                (len, input[..len].to_vec(), record)
            }
            Step::Replace { len, with, record } => (len, with, record),
        };
        assert!((1..=input.len()).contains(&len), "{len} of {} bytes were taken", input.len());
        let flow = self.flow(from);
        flow.sent.extend(&sent);
        match record {
            Record::Wire => flow.lane.extend(sent),
            Record::Redacted(kept) => flow.lane.extend(kept),
        }
        Some(len)
    }
}

/// User data in an MCS SendData PDU. The relay takes lengths of 15 bits, as clients and servers do.
fn data(from: Side, user: u16, channel: u16, bytes: &[u8]) -> Vec<u8> {
    let (choice, user) = match from {
        Side::Viewer => (0x64, user),
        Side::Target => (0x68, SERVER),
    };
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX).min(0x3fff);
    let mut pdu = vec![3, 0];
    pdu.extend((len + 15).to_be_bytes());
    pdu.extend([2, 0xf0, 0x80, choice]);
    pdu.extend((user - 1001).to_be_bytes());
    pdu.extend(channel.to_be_bytes());
    pdu.push(0x70);
    pdu.extend((len | 0x8000).to_be_bytes());
    pdu.extend(&bytes[..len.into()]);
    pdu
}

/// A message of a static channel in chunks of `most` bytes.
fn chunks(from: Side, user: u16, channel: u16, message: &[u8], most: usize) -> Vec<u8> {
    let mut pdus = Vec::new();
    let count = message.len().div_ceil(most).max(1);
    for number in 0..count {
        let start = number * most;
        let part = &message[start..message.len().min(start.saturating_add(most))];
        let flags = u32::from(number == 0) | u32::from(number + 1 == count) << 1;
        let mut chunk = u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        chunk.extend(flags.to_le_bytes());
        chunk.extend(part);
        pdus.extend(data(from, user, channel, &chunk));
    }
    pdus
}
