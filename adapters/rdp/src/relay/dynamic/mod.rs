//! Dynamic virtual channels (MS-RDPEDYC), in the static channel `drdynvc`.
//!
//! The version is kept at 2, so that neither compressed data nor a move to another transport is negotiated.

mod layout;
pub(super) mod pdu;

use std::collections::BTreeMap;

use passerelle_desktop::{Notice, Permission, Permissions, Side};

use super::channel::Chunk;
use super::inject::Say;
use super::input::Judged;
use super::names::{Admission, Content, Rule, dynamic_channel};
use super::outcome::Keep;
use super::sound::{self, Sound};
use super::statics::Passing;
use super::{RelayViolation, Surroundings, deny, graphics, readable};
use pdu::{Pdu, create_response};

/// Channels that are open at the same time.
const MOST_CHANNELS: usize = 1024;

/// Whether pictures in H.264 can be decoded from a recording.
const AVC: bool = cfg!(feature = "openh264");

/// The dynamic channels of a session.
pub(super) struct Dynamic {
    /// Where `drdynvc` stands in the client's list.
    index: usize,
    channels: BTreeMap<u32, Channel>,
    /// What becomes of the rest of the PDU that a side is sending in several chunks.
    viewer: Option<Rest>,
    target: Option<Rest>,
    /// Whether a side's data were denied for being in a form that was not negotiated, and reported.
    form_reported: bool,
}

/// What becomes of the chunks after a PDU's first.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Drop,
    Data { id: u32, passing: Passing, recorded: bool },
}

struct Channel {
    name: String,
    rule: &'static Rule,
    state: State,
    /// What each side is sending.
    viewer: Option<Message>,
    target: Option<Message>,
    /// What became of the target's last message, if the next one goes on with its sound.
    continued: Option<Passing>,
    /// The target's request to open it, while that waits for its permission.
    request: Vec<u8>,
    /// Whether it was told to be open, when it was told last.
    told: Option<bool>,
    /// Whether the target said something in it while its permission was withheld. It does not say it again.
    missed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The viewer was not asked: its permission is withheld at present.
    Held,
    /// The viewer has not answered.
    Requested,
    Open,
    /// The target has closed it, and the viewer has not answered.
    Closing,
}

/// A message of which more is to come, in further PDUs.
#[derive(Clone, Copy, Debug)]
struct Message {
    left: u32,
    passing: Passing,
}

/// What becomes of a chunk of `drdynvc`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass(Keep),
    /// It passes, with zeros from the byte `header` of its content on.
    Blank {
        header: usize,
        keep: Keep,
    },
    /// This message goes on in its place; only for one that is whole.
    Instead(Vec<u8>),
    Drop,
}

fn malformed(what: &'static str) -> RelayViolation {
    RelayViolation::Channel { channel: "drdynvc", what }
}

impl Dynamic {
    pub(super) fn new(index: usize) -> Self {
        Self { index, channels: BTreeMap::new(), viewer: None, target: None, form_reported: false }
    }

    fn rest(&mut self, from: Side) -> &mut Option<Rest> {
        match from {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Whether a chunk of the target's holds something of the screen: one that begins a message of the channel `id`, or
    /// goes on with the one that is passing.
    pub(super) fn shows(&self, first: bool, id: Option<u32>) -> bool {
        let id = match (first, self.target) {
            (true, _) => id,
            (false, Some(Rest::Data { id, .. })) => Some(id),
            (false, _) => None,
        };
        let channel = id.and_then(|id| self.channels.get(&id)).filter(|channel| channel.state == State::Open);
        channel.is_some_and(|channel| channel.rule.need(Side::Target) == Some(Permission::View))
    }

    /// Decides about a chunk.
    pub(super) fn chunk(
        &mut self,
        from: Side,
        chunk: Chunk<'_>,
        cx: &mut Surroundings<'_>,
    ) -> Result<Fate, RelayViolation> {
        if !chunk.first {
            return Ok(self.go_on(from, chunk, cx.permissions));
        }
        let whole = chunk.last;
        let pdu = Pdu::parse(chunk.data).ok_or(malformed("it is cut off within its header"))?;
        // Before anything is decided: if this fails nothing of it passes.
        *self.rest(from) = (!whole).then_some(Rest::Drop);
        match pdu {
            Pdu::Data { id, header } => self.data(from, id, None, header, chunk, cx),
            Pdu::DataFirst { id, header, len } => self.data(from, id, Some(len), header, chunk, cx),
            _ if !whole => Err(malformed("a PDU that is not of data comes in parts")),
            Pdu::Capability { version } => Ok(capability(chunk.data, version)),
            Pdu::Create { id } => match from {
                Side::Target => self.create_request(id, chunk.data, cx),
                Side::Viewer => self.create_response(id, chunk.data, cx),
            },
            Pdu::Close { id } => Ok(self.close(from, id, cx)),
            Pdu::Compressed | Pdu::SoftSync => {
                if !self.form_reported {
                    self.form_reported = true;
                    let action = match pdu {
                        Pdu::Compressed => "compress data in dynamic channels",
                        _ => "move dynamic channels to another transport",
                    };
                    deny(cx.notices, from, Permission::OtherChannels, action);
                }
                Ok(Fate::Drop)
            }
        }
    }

    /// A chunk that is not the first of its PDU.
    fn go_on(&mut self, from: Side, chunk: Chunk<'_>, permissions: Permissions) -> Fate {
        let Some(rest) = *self.rest(from) else { return Fate::Drop };
        if chunk.last {
            *self.rest(from) = None;
        }
        let Rest::Data { id, passing, recorded } = rest else { return Fate::Drop };
        let need = self.channels.get(&id).and_then(|channel| channel.rule.need(from));
        let allowed = need.is_none_or(|permission| permissions.allows(permission));
        let passing = Passing::next(Some(passing), allowed);
        if !chunk.last {
            *self.rest(from) = Some(Rest::Data { id, passing, recorded });
        }
        if let Some(channel) = self.channels.get_mut(&id)
            && let Some(message) = channel.message(from)
        {
            message.passing = passing;
        }
        let keep = if recorded { Keep::Wire } else { Keep::Nothing };
        match passing {
            Passing::Yes | Passing::Always => Fate::Pass(keep),
            Passing::No => Fate::Drop,
            Passing::Blank => Fate::Blank { header: 0, keep },
        }
    }

    /// A Create Request (2.2.2.1).
    fn create_request(
        &mut self,
        id: u32,
        data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Fate, RelayViolation> {
        let name = pdu::name(data).ok_or(malformed("a channel is created without a name"))?;
        match self.channels.get(&id).map(|channel| channel.state) {
            Some(State::Requested | State::Open) => {
                return Err(malformed("a channel is created that is there already"));
            }
            Some(State::Held | State::Closing) | None => {}
        }
        let rule = dynamic_channel(&name);
        let permission = rule.permission;
        let state = match rule.admission {
            // What it draws needs all that it has drawn.
            Admission::Always if rule.content == Content::Graphics && cx.policy.blackout => None,
            Admission::Always => Some(State::Requested),
            Admission::Permitted if cx.permissions.allows(permission) => Some(State::Requested),
            Admission::Permitted if !cx.policy.granted.allows(permission) => None,
            // The target is not told: it would not ask again.
            Admission::Permitted if rule.content == Content::Opaque => Some(State::Held),
            Admission::Permitted => Some(State::Requested),
            Admission::Unrecorded => (!cx.policy.recorded).then_some(State::Requested),
            Admission::Never => None,
        };
        let name = readable(&name);
        if self.channels.len() >= MOST_CHANNELS {
            self.channels.retain(|_, channel| channel.state != State::Closing);
        }
        self.channels.remove(&id);
        let Some(state) = state.filter(|_| self.channels.len() < MOST_CHANNELS) else {
            cx.notices.push(Notice::Channel { name, dynamic: true, permission, opened: false });
            cx.inject.push(Side::Target, Say::Static(self.index, create_response(data)));
            return Ok(Fate::Drop);
        };
        let held = state == State::Held;
        let mut channel = Channel {
            name,
            rule,
            state,
            viewer: None,
            target: None,
            continued: None,
            request: if held { pdu::request(data).to_vec() } else { Vec::new() },
            told: None,
            missed: false,
        };
        if held {
            channel.tell(false, cx);
        }
        self.channels.insert(id, channel);
        Ok(if held { Fate::Drop } else { Fate::Pass(Keep::Wire) })
    }

    /// A Create Response (2.2.2.2).
    fn create_response(
        &mut self,
        id: u32,
        data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Fate, RelayViolation> {
        let status = pdu::status(data).ok_or(malformed("a channel is created without a status"))?;
        let Some(channel) = self.channels.get_mut(&id).filter(|channel| channel.state == State::Requested)
        else {
            return Ok(Fate::Drop);
        };
        if status < 0 {
            self.channels.remove(&id);
        } else {
            channel.state = State::Open;
            channel.tell(channel.is_permitted(cx.permissions), cx);
        }
        Ok(Fate::Pass(Keep::Wire))
    }

    /// A Close (2.2.4), which either side may begin and the viewer may answer.
    fn close(&mut self, from: Side, id: u32, cx: &mut Surroundings<'_>) -> Fate {
        let Some(channel) = self.channels.get_mut(&id) else { return Fate::Drop };
        if channel.rule.content == Content::Touch {
            cx.input.touch_closed();
        }
        match (from, channel.state) {
            (Side::Target, State::Closing) => return Fate::Drop,
            // The viewer knows nothing of it.
            (Side::Target, State::Held) => {
                self.channels.remove(&id);
                return Fate::Drop;
            }
            (Side::Viewer, State::Held) => return Fate::Drop,
            (Side::Target, _) => channel.state = State::Closing,
            // The answer to an earlier Close; the number has been given anew.
            (Side::Viewer, State::Requested) => {}
            (Side::Viewer, _) => {
                self.channels.remove(&id);
            }
        }
        Fate::Pass(Keep::Wire)
    }

    /// Data of a channel (2.2.3): the whole PDU or its first chunk. `announced` is the length of the message that they
    /// begin, where several PDUs carry it.
    fn data(
        &mut self,
        from: Side,
        id: u32,
        announced: Option<u32>,
        header: usize,
        chunk: Chunk<'_>,
        cx: &mut Surroundings<'_>,
    ) -> Result<Fate, RelayViolation> {
        let Some(channel) = self.channels.get_mut(&id).filter(|channel| channel.state == State::Open) else {
            return Ok(Fate::Drop);
        };
        let content = chunk.data.get(header..).unwrap_or_default();
        // The PDU is as long as all its chunks.
        let len = chunk.total.saturating_sub(u32::try_from(header).unwrap_or(u32::MAX));
        let before = channel.message(from).take().filter(|_| announced.is_none());
        let left = match (announced, before) {
            (Some(total), _) => total.checked_sub(len),
            (None, Some(message)) => message.left.checked_sub(len),
            (None, None) => Some(0),
        }
        .ok_or(malformed("a message is longer than was announced"))?;
        // All of the message is in `content`.
        let complete = chunk.last && before.is_none() && left == 0;

        let permissions = cx.permissions;
        let recorded = channel.rule.recorded;
        let keep = if recorded { Keep::Wire } else { Keep::Nothing };
        let allowed = channel.rule.need(from).is_none_or(|permission| permissions.allows(permission));
        let mut fate = None;
        let passing = match before {
            Some(message) => Passing::next(Some(message.passing), allowed),
            None if channel.rule.content == Content::Sound => {
                match (channel.continued.take().filter(|_| from == Side::Target), Sound::of(from, content)) {
                    (Some(before), _) => Passing::next(Some(before), allowed),
                    (None, Sound::Agreement) => Passing::Always,
                    (None, Sound::Heard { goes_on, confirmation }) => {
                        let passing = Passing::next(None, allowed);
                        channel.continued = goes_on.then_some(passing);
                        if let Some(confirmation) = confirmation.filter(|_| !allowed) {
                            let message = pdu::data(id, &sound::confirm(confirmation));
                            cx.inject.push(Side::Target, Say::Static(self.index, message));
                        }
                        passing
                    }
                }
            }
            None if from == Side::Target => Passing::next(None, allowed),
            None => match channel.rule.content {
                Content::Touch | Content::AdvancedInput => {
                    let judged = match channel.rule.content {
                        // Of a message in parts only the first is there to be judged by.
                        Content::Touch if complete || allowed => {
                            cx.input.touch(content, permissions, cx.notices)
                        }
                        Content::Touch => cx.input.touch(&[], permissions, cx.notices),
                        _ => cx.input.advanced(content, permissions, cx.notices),
                    };
                    Passing::next(None, judged == Judged::Passes)
                }
                Content::DisplayControl => {
                    if !allowed {
                        deny(cx.notices, from, Permission::Resize, "set the desktop size");
                    }
                    Passing::next(None, allowed)
                }
                Content::Graphics if cx.policy.recorded => {
                    if complete {
                        fate = graphics::edit(content, AVC)?;
                        Passing::Yes
                    } else if graphics::is_withheld(content) {
                        Passing::No
                    } else {
                        // No client sends what could need a change in parts, and in parts it cannot be changed.
                        return Err(RelayViolation::Channel {
                            channel: "graphics",
                            what: "the viewer sends its capabilities in parts",
                        });
                    }
                }
                _ => Passing::next(None, allowed),
            },
        };
        if left > 0 {
            *channel.message(from) = Some(Message { left, passing });
        }
        if channel.rule.content == Content::Opaque {
            channel.missed |= from == Side::Target && passing == Passing::No;
            channel.tell(allowed, cx);
        }
        if !chunk.last {
            *self.rest(from) = Some(Rest::Data { id, passing, recorded });
        }
        Ok(match (passing, fate) {
            (Passing::Yes, None) | (Passing::Always, _) => Fate::Pass(keep),
            (Passing::Yes, Some(message)) if message.is_empty() => Fate::Drop,
            (Passing::Yes, Some(message)) => Fate::Instead(pdu::data(id, &message)),
            (Passing::No, _) => Fate::Drop,
            (Passing::Blank, _) => Fate::Blank { header, keep },
        })
    }

    /// The size of the desktop that the viewer asks for in a whole chunk of `drdynvc`, if the target will follow
    /// without saying so anywhere where we look: the graphics pipeline tells the new size in its compressed stream.
    pub(super) fn asked_size(&self, data: &[u8]) -> Option<(u16, u16)> {
        let Some(Pdu::Data { id, header }) = Pdu::parse(data) else { return None };
        let is_open = |content| {
            move |channel: &&Channel| channel.state == State::Open && channel.rule.content == content
        };
        self.channels.get(&id).filter(is_open(Content::DisplayControl))?;
        self.channels.values().find(is_open(Content::Graphics))?;
        layout::size(data.get(header..)?)
    }

    /// The permissions of which a part needs a new connection, should they come.
    pub(super) fn missed(&self) -> impl Iterator<Item = Permission> {
        self.channels.values().filter(|channel| channel.missed).map(|channel| channel.rule.permission)
    }

    pub(super) fn permissions_changed(&mut self, cx: &mut Surroundings<'_>) {
        self.form_reported = false;
        let permissions = cx.permissions;
        for channel in self.channels.values_mut().filter(|channel| channel.is_permitted(permissions)) {
            match channel.state {
                State::Held => {
                    channel.state = State::Requested;
                    let request = std::mem::take(&mut channel.request);
                    cx.inject.push(Side::Viewer, Say::Static(self.index, request));
                }
                // What opened before its permission came.
                State::Open if channel.told == Some(false) => channel.tell(true, cx),
                State::Requested | State::Open | State::Closing => {}
            }
        }
        // One whose message is under way is left alone: ours would become a part of it.
        let touch = self.channels.iter().find(|(_, channel)| {
            channel.state == State::Open && channel.rule.content == Content::Touch && channel.viewer.is_none()
        });
        if let Some((id, _)) = touch {
            for message in cx.input.lift(cx.permissions) {
                cx.inject.push(Side::Target, Say::Static(self.index, pdu::data(*id, &message)));
            }
        }
    }
}

impl Channel {
    fn message(&mut self, from: Side) -> &mut Option<Message> {
        match from {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Whether it does what it is for.
    fn is_permitted(&self, permissions: Permissions) -> bool {
        self.rule.admission != Admission::Permitted || permissions.allows(self.rule.permission)
    }

    fn tell(&mut self, opened: bool, cx: &mut Surroundings<'_>) {
        if self.told.replace(opened) != Some(opened) {
            let (name, permission) = (self.name.clone(), self.rule.permission);
            cx.notices.push(Notice::Channel { name, dynamic: true, permission, opened });
        }
    }
}

/// The channel of a PDU that begins with `data`, if it has one.
pub(super) fn channel_id(data: &[u8]) -> Option<u32> {
    match Pdu::parse(data)? {
        Pdu::Create { id } | Pdu::DataFirst { id, .. } | Pdu::Data { id, .. } | Pdu::Close { id } => Some(id),
        Pdu::Capability { .. } | Pdu::Compressed | Pdu::SoftSync => None,
    }
}

/// Capabilities of either side (2.2.1), with a version that has what we follow and nothing else.
fn capability(data: &[u8], version: u16) -> Fate {
    if version <= pdu::MOST_VERSION {
        return Fate::Pass(Keep::Wire);
    }
    let mut with = data.to_vec();
    if let Some(place) = with.get_mut(2..4) {
        place.copy_from_slice(&pdu::MOST_VERSION.to_le_bytes());
    }
    Fate::Instead(with)
}
