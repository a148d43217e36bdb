//! Static virtual channels (MS-RDPBCGR 2.2.6).

use ironrdp_pdu::gcc::ChannelOptions;
use passerelle_desktop::{Notice, Permission, Permissions, Side};

use super::channel::{ChannelFilter, Chunk, Context, Verdict};
use super::clipboard::Clipboard;
use super::devices::Devices;
use super::dynamic::{Dynamic, Fate, channel_id};
use super::frame::MOST_DATA;
use super::held::{Held, Part};
use super::inject::{Say, chunks};
use super::names::{Content, Rule, static_channel};
use super::outcome::{Address, Keep, Outcome};
use super::sound::{self, Sound};
use super::{RelayViolation, Surroundings, readable};
use crate::StaticChannel;

/// The longest message that is followed, in bytes; nothing of it is held here.
const LONGEST_MESSAGE: u32 = 64 << 20;

/// `CHANNEL_PDU_HEADER`: length and flags.
const HEADER: usize = 8;

/// Flags of `CHANNEL_PDU_HEADER`.
mod flags {
    pub(super) const FIRST: u32 = 0x1;
    pub(super) const LAST: u32 = 0x2;
    pub(super) const SUSPEND: u32 = 0x20;
    pub(super) const RESUME: u32 = 0x40;
    /// `CHANNEL_PACKET_COMPRESSED`, `_AT_FRONT` and `_FLUSHED`.
    pub(super) const COMPRESSION: u32 = 0x00e0_0000;
}

/// One channel and what is decided about it.
pub(super) struct Static {
    /// Where it stands in the client's list.
    index: usize,
    name: String,
    rule: &'static Rule,
    show_protocol: bool,
    filter: Filter,
    viewer: Direction,
    target: Direction,
    /// Whether it was told to be open, when it was told last.
    told: Option<bool>,
    /// Whether the target said something while its permission was withheld. It does not say it again.
    missed: bool,
}

/// What looks into a channel.
enum Filter {
    /// Nothing: it passes with its permission.
    Opaque,
    Messages(Box<dyn ChannelFilter>),
    Dynamic(Box<Dynamic>),
}

/// What a side is sending in a channel.
#[derive(Debug, Default)]
struct Direction {
    message: Option<Message>,
    /// What became of the last message of a channel of sound, if the next one belongs to it.
    continued: Option<Passing>,
}

/// A message of which more is to come.
#[derive(Clone, Copy, Debug)]
struct Message {
    total: u32,
    seen: u32,
    /// Whether the other side was given some of it.
    given: bool,
    passing: Passing,
}

/// What becomes of a message that nothing looks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    Yes,
    No,
    /// It needs no permission.
    Always,
    /// The permission went while it was passing: the rest goes on as zeros, so that the other side is not left with half
    /// a message.
    Blank,
}

impl Passing {
    /// What becomes of a part of a message, given what became of the part before it.
    pub(super) fn next(before: Option<Self>, allowed: bool) -> Self {
        match (before, allowed) {
            (Some(Self::Always), _) => Self::Always,
            (Some(Self::Yes) | None, true) => Self::Yes,
            (None | Some(Self::No), _) => Self::No,
            (Some(Self::Yes), false) | (Some(Self::Blank), _) => Self::Blank,
        }
    }
}

impl Static {
    pub(super) fn new(index: usize, channel: &StaticChannel) -> Self {
        let name = channel.definition.name.as_str().unwrap_or_default();
        let rule = static_channel(name);
        Self {
            index,
            name: readable(name),
            rule,
            show_protocol: channel.definition.options.contains(ChannelOptions::SHOW_PROTOCOL),
            filter: match rule.content {
                Content::Clipboard => Filter::Messages(Box::new(Clipboard::new())),
                Content::Devices => Filter::Messages(Box::new(Devices::new())),
                Content::Dynamic => Filter::Dynamic(Box::new(Dynamic::new(index))),
                _ => Filter::Opaque,
            },
            viewer: Direction::default(),
            target: Direction::default(),
            told: None,
            missed: false,
        }
    }

    /// The permissions of which a part needs a new connection, should they come.
    pub(super) fn missed(&self) -> Vec<Permission> {
        match &self.filter {
            Filter::Opaque => self.missed.then_some(self.rule.permission).into_iter().collect(),
            Filter::Messages(_) => Vec::new(),
            Filter::Dynamic(dynamic) => dynamic.missed().collect(),
        }
    }

    fn direction(&mut self, from: Side) -> &mut Direction {
        match from {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Whether a whole message can be said in it `to` a side, and whether its headers are shown.
    pub(super) fn is_between(&self, to: Side) -> (bool, bool) {
        let direction = match to {
            Side::Viewer => &self.target,
            Side::Target => &self.viewer,
        };
        (!direction.message.is_some_and(|message| message.given), self.show_protocol)
    }

    pub(super) fn is_dynamic(&self) -> bool {
        matches!(self.filter, Filter::Dynamic(_))
    }

    /// Why the user data of one chunk of the target's must wait, if they must, while the screen may be seen or not.
    pub(super) fn must_wait(&self, data: &[u8], view: bool, held: &Held) -> Option<Part> {
        let Filter::Dynamic(dynamic) = &self.filter else { return None };
        // What is malformed is found when it is decided.
        let (header, data) = data.split_first_chunk::<HEADER>()?;
        let &[.., f0, f1, f2, f3] = header;
        let flags = u32::from_le_bytes([f0, f1, f2, f3]);
        let (first, last) = (flags & flags::FIRST != 0, flags & flags::LAST != 0);
        let id = if first { channel_id(data) } else { None };
        let shows = || dynamic.shows(first, id);
        (held.stops(id, first) || !view && shows()).then_some(Part::Dynamic { id, last })
    }

    /// Decides about the user data of one chunk, which go to `address` if they pass.
    pub(super) fn chunk(
        &mut self,
        from: Side,
        data: &[u8],
        address: Address,
        cx: &mut Surroundings<'_>,
    ) -> Result<Outcome, RelayViolation> {
        let name = &self.name;
        let malformed = |what| RelayViolation::Chunk { channel: name.clone(), what };
        let (header, content) =
            data.split_first_chunk::<HEADER>().ok_or_else(|| malformed("it ends within its header"))?;
        let &[t0, t1, t2, t3, f0, f1, f2, f3] = header;
        let total = u32::from_le_bytes([t0, t1, t2, t3]);
        let flags = u32::from_le_bytes([f0, f1, f2, f3]);
        if flags & flags::COMPRESSION != 0 {
            return Err(malformed("it is compressed, which was not negotiated"));
        }
        if flags & (flags::SUSPEND | flags::RESUME) != 0 {
            return Ok(Outcome::Drop);
        }
        let (first, last) = (flags & flags::FIRST != 0, flags & flags::LAST != 0);
        let before = match from {
            Side::Viewer => self.viewer.message,
            Side::Target => self.target.message,
        };
        let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let seen = match (first, before) {
            (true, Some(_)) => return Err(malformed("a message begins within another")),
            (false, None) => return Err(malformed("a message goes on that did not begin")),
            (true, None) => len,
            (false, Some(before)) if before.total != total => {
                return Err(malformed("the length of its message changed"));
            }
            (false, Some(before)) => before.seen.saturating_add(len),
        };
        if seen > total || total > LONGEST_MESSAGE {
            return Err(malformed("its message is longer than it may be"));
        }

        let chunk = Chunk { total, first, last, data: content };
        self.tell(cx);
        let (outcome, passing) = match &mut self.filter {
            Filter::Opaque => {
                let keep = if self.rule.recorded { Keep::Wire } else { Keep::Nothing };
                let passing = self.opaque(from, chunk, before, cx);
                let outcome = match passing {
                    Passing::Yes | Passing::Always => Outcome::Pass(keep),
                    Passing::No => Outcome::Drop,
                    Passing::Blank => Outcome::Edited(blanked(data, HEADER), keep),
                };
                (outcome, passing)
            }
            Filter::Messages(filter) => {
                let verdict =
                    through(filter.as_mut(), self.index, cx, |filter, cx| filter.chunk(from, chunk, cx))?;
                let outcome = match verdict {
                    Verdict::Forward => Outcome::Pass(Keep::Wire),
                    Verdict::ForwardUnrecorded => Outcome::Pass(Keep::Nothing),
                    Verdict::Drop => Outcome::Drop,
                    Verdict::Replace(message) => {
                        let mut pdus = Vec::with_capacity(message.len() + message.len() / 64 + 32);
                        chunks(&mut pdus, from.other(), address, self.show_protocol, &message);
                        Outcome::Instead(pdus)
                    }
                };
                (outcome, Passing::Yes)
            }
            Filter::Dynamic(dynamic) => {
                let outcome = match dynamic.chunk(from, chunk, cx)? {
                    Fate::Pass(keep) => {
                        if from == Side::Viewer && first && last {
                            cx.asked_size = dynamic.asked_size(content);
                        }
                        Outcome::Pass(keep)
                    }
                    Fate::Blank { header, keep } => Outcome::Edited(blanked(data, HEADER + header), keep),
                    Fate::Instead(message) if message.len() + HEADER > MOST_DATA => {
                        let channel = self.name.clone();
                        return Err(RelayViolation::Chunk { channel, what: "it is longer than it may be" });
                    }
                    Fate::Instead(message) => {
                        let total = u32::try_from(message.len()).unwrap_or(u32::MAX);
                        let mut with = total.to_le_bytes().to_vec();
                        with.extend([f0, f1, f2, f3]);
                        with.extend(message);
                        Outcome::Edited(with, Keep::Wire)
                    }
                    Fate::Drop => Outcome::Drop,
                };
                (outcome, Passing::Yes)
            }
        };
        let given = before.is_some_and(|message| message.given)
            || matches!(outcome, Outcome::Pass(_) | Outcome::Edited(..));
        self.direction(from).message = (!last).then_some(Message { total, seen, given, passing });
        Ok(outcome)
    }

    /// A chunk that passes with its channel's permission.
    fn opaque(
        &mut self,
        from: Side,
        chunk: Chunk<'_>,
        before: Option<Message>,
        cx: &mut Surroundings<'_>,
    ) -> Passing {
        let permission = self.rule.permission;
        let (allowed, granted) = (cx.permissions.allows(permission), cx.policy.granted.allows(permission));
        let (index, is_sound) = (self.index, self.rule.content == Content::Sound);
        let direction = self.direction(from);
        let Some(before) = before.map(|message| message.passing).or_else(|| direction.continued.take())
        else {
            let passing = match Sound::of(from, chunk.data) {
                Sound::Agreement if is_sound && granted => Passing::Always,
                Sound::Heard { goes_on, confirmation } if is_sound => {
                    let passing = Passing::next(None, allowed);
                    direction.continued = goes_on.then_some(passing);
                    if let Some(confirmation) = confirmation.filter(|_| granted && !allowed) {
                        cx.inject.push(Side::Target, Say::Static(index, sound::confirm(confirmation)));
                    }
                    passing
                }
                _ => Passing::next(None, allowed),
            };
            self.missed |= passing == Passing::No && !is_sound && from == Side::Target;
            return passing;
        };
        Passing::next(Some(before), allowed)
    }

    /// Says whether the channel is open when it is used first, and when that has changed.
    fn tell(&mut self, cx: &mut Surroundings<'_>) {
        let (permission, opened) = match self.rule.content {
            // Its own channels are told.
            Content::Dynamic => return,
            Content::Clipboard => any_of(CLIPBOARD, cx.permissions),
            Content::Devices => any_of(DEVICES, cx.permissions),
            _ => (self.rule.permission, cx.permissions.allows(self.rule.permission)),
        };
        if self.told.replace(opened) != Some(opened) {
            cx.notices.push(Notice::Channel { name: self.name.clone(), dynamic: false, permission, opened });
        }
    }

    /// The permissions have changed to those in `cx`.
    pub(super) fn permissions_changed(&mut self, cx: &mut Surroundings<'_>) {
        match &mut self.filter {
            Filter::Opaque => {}
            Filter::Messages(filter) => {
                through(filter.as_mut(), self.index, cx, |filter, cx| filter.permissions_changed(cx));
            }
            Filter::Dynamic(dynamic) => dynamic.permissions_changed(cx),
        }
    }

    /// The session has ended: tells of what was still under way.
    pub(super) fn finish(&mut self, notices: &mut Vec<Notice>) {
        if let Filter::Messages(filter) = &mut self.filter {
            filter.finish(notices);
        }
    }
}

/// Any of which opens the clipboard.
const CLIPBOARD: &[Permission] = &[
    Permission::ClipboardFromTarget,
    Permission::ClipboardToTarget,
    Permission::ImagesFromTarget,
    Permission::ImagesToTarget,
    Permission::FilesFromTarget,
    Permission::FilesToTarget,
];

/// Any of which opens the redirection of devices.
const DEVICES: &[Permission] =
    &[Permission::Drives, Permission::Printers, Permission::SmartCards, Permission::Ports];

/// The permission of these that is there, or the first, and whether it is there.
fn any_of(permissions: &[Permission], held: Permissions) -> (Permission, bool) {
    let there = permissions.iter().copied().find(|permission| held.allows(*permission));
    let first = permissions.first().copied().unwrap_or(Permission::OtherChannels);
    (there.unwrap_or(first), there.is_some())
}

/// Lets `use_it` work with a filter, and queues what the filter has to say.
fn through<T>(
    filter: &mut dyn ChannelFilter,
    index: usize,
    cx: &mut Surroundings<'_>,
    use_it: impl FnOnce(&mut dyn ChannelFilter, &mut Context<'_>) -> T,
) -> T {
    let mut injections = Vec::new();
    let result = use_it(
        filter,
        &mut Context {
            permissions: cx.permissions,
            clipboard: cx.policy.clipboard,
            store_clipboard: cx.policy.store_clipboard,
            notices: cx.notices,
            injections: &mut injections,
        },
    );
    for (to, message) in injections {
        cx.inject.push(to, Say::Static(index, message));
    }
    result
}

/// `data` with zeros from `header` on.
fn blanked(data: &[u8], header: usize) -> Vec<u8> {
    let mut with: Vec<u8> = data.iter().take(header).copied().collect();
    with.resize(data.len(), 0);
    with
}
