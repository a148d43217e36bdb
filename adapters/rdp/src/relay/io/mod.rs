//! The I/O channel: licensing, capabilities, share data (MS-RDPBCGR 2.2.8.1.1), and the message channel beside it.

mod capabilities;
mod session_info;
mod share;

use std::collections::BTreeSet;

use ironrdp_bulk::{BulkCompressor, CompressionType};
use ironrdp_pdu::geometry::InclusiveRectangle;
use ironrdp_pdu::rdp::server_redirection::decode_server_redirection;
use passerelle_desktop::{Notice, Permission, Permissions, Side};

use super::blackout::{Surface, whole};
use super::frame::MOST_DATA;
use super::inject::Say;
use super::outcome::{Keep, Outcome};
use super::{RelayViolation, Surroundings, deny};
use capabilities::Withhold;
use share::{Share, data};

/// Flags of the basic security header (MS-RDPBCGR 2.2.8.1.1.2.1), which only licensing and the message channel have.
mod security {
    pub(super) const TRANSPORT_REQUEST: u16 = 0x0002;
    pub(super) const LICENSE: u16 = 0x0080;
    pub(super) const REDIRECTION: u16 = 0x0400;
    pub(super) const AUTODETECT_REQUEST: u16 = 0x1000;
    pub(super) const AUTODETECT_RESPONSE: u16 = 0x2000;
    pub(super) const HEARTBEAT: u16 = 0x4000;
}

/// `compressedType`: `PACKET_COMPRESSED`, `PACKET_AT_FRONT`, `PACKET_FLUSHED`.
const COMPRESSED: u8 = 0x20;
const COMPRESSION: u8 = 0xe0;

/// What is known of the I/O channel.
#[derive(Default)]
pub(super) struct Io {
    /// Whether the target has ended licensing.
    licensed: bool,
    /// The share, while there is one: between the target's Demand Active and its Deactivate All.
    share: Option<ActiveShare>,
    /// The desktop's size in pixels, as it was last told.
    desktop: Option<(u16, u16)>,
    /// Whether the viewer itself wants no output at present.
    viewer_suppresses: bool,
    /// Whether a peer gave a reason for the end.
    reason_given: bool,
    /// The viewer's history, if it compresses. No client is known to; large, so made when needed.
    viewer_history: Option<Box<BulkCompressor>>,
    /// Kinds of the viewer's share data that were denied and reported since the permissions changed.
    reported: BTreeSet<u8>,
    /// Whether single applications were kept out of the negotiation, which is not made again.
    apps_withheld: bool,
    /// Whether the target's wish for a transport of its own was reported.
    transport_reported: bool,
}

#[derive(Clone, Copy, Debug)]
struct ActiveShare {
    id: u32,
    /// Whether finalization is over, so that data pass.
    finalized: bool,
    refresh_rect: bool,
    suppress_output: bool,
    fast_path_input: bool,
}

/// What becomes of one share PDU.
#[derive(Debug)]
enum Part {
    Keep,
    /// It passes; the recording keeps this.
    Redact(Vec<u8>),
    /// This passes in its place; the recording keeps the second, if there is one.
    Replace(Vec<u8>, Option<Vec<u8>>),
    Drop,
}

impl Io {
    /// The number of the share; 0 while there is none.
    pub(super) fn share_id(&self) -> u32 {
        self.share.map_or(0, |share| share.id)
    }

    /// The permission that needs a new connection, should it come.
    pub(super) fn missed(&self) -> Option<Permission> {
        self.apps_withheld.then_some(Permission::RemoteApps)
    }

    /// The share's number and the desktop's size, while the target may draw.
    pub(super) fn surface(&self) -> Option<Surface> {
        self.share.filter(|share| share.finalized).map(|share| share.id).zip(self.desktop)
    }

    /// Whether the target can be asked to draw again what it has drawn.
    pub(super) fn can_draw_again(&self) -> bool {
        self.share.is_some_and(|share| share.refresh_rect || share.suppress_output)
    }

    /// What asks the target, in the viewer's name, to draw `area` again; or all, if it knows nothing smaller.
    pub(super) fn draw_again(&self, area: &InclusiveRectangle, user: u16) -> Vec<Vec<u8>> {
        let Some(share) = self.share.filter(|share| share.finalized) else { return Vec::new() };
        let data = |kind, body: &[u8]| share::client_data(user, share.id, kind, body);
        if share.refresh_rect {
            // TS_REFRESH_RECT_PDU (2.2.11.2.1): one area.
            let body = [&[1, 0, 0, 0], &rectangle(area)[..]].concat();
            return vec![data(data::REFRESH_RECT, &body)];
        }
        match self.desktop {
            Some(desktop) if share.suppress_output && !self.viewer_suppresses => {
                vec![data(data::SUPPRESS_OUTPUT, &[0; 4]), data(data::SUPPRESS_OUTPUT, &allowed(desktop))]
            }
            _ => Vec::new(),
        }
    }

    /// Whether the target has ended licensing.
    pub(super) const fn is_licensed(&self) -> bool {
        self.licensed
    }

    /// Whether one of the peers has said that it ends the session.
    pub(super) const fn is_over(&self) -> bool {
        self.reason_given
    }

    /// Decides about user data in the I/O channel.
    pub(super) fn decide(
        &mut self,
        from: Side,
        data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Outcome, RelayViolation> {
        if !self.licensed && !share::is_share(data) {
            return self.unshared(from, data, cx);
        }
        if from == Side::Target
            && !cx.permissions.allows(Permission::View)
            && (needs_history(data)? || shows(data)?)
        {
            // It is never permitted, or this would wait. The viewer has no history of what is compressed either.
            return Ok(Outcome::Drop);
        }
        let (only, rest) = share::split(from, data)?;
        if rest.is_empty() {
            return Ok(match self.part(from, only, cx)? {
                Part::Keep => Outcome::Pass(Keep::Wire),
                Part::Redact(kept) => Outcome::Pass(Keep::Other(kept)),
                Part::Replace(with, kept) => Outcome::Edited(with, kept.map_or(Keep::Wire, Keep::Other)),
                Part::Drop => Outcome::Drop,
            });
        }
        self.several(from, data, cx)
    }

    /// More than one share PDU in `data`, which clients accept.
    fn several(
        &mut self,
        from: Side,
        mut data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Outcome, RelayViolation> {
        let (mut sent, mut kept) = (Vec::new(), Vec::new());
        while !data.is_empty() {
            let (share, rest) = share::split(from, data)?;
            match self.part(from, share, cx)? {
                Part::Keep => {
                    sent.extend(share.bytes);
                    kept.extend(share.bytes);
                }
                Part::Redact(redacted) => {
                    sent.extend(share.bytes);
                    kept.extend(redacted);
                }
                Part::Replace(with, redacted) => {
                    kept.extend(redacted.as_ref().unwrap_or(&with));
                    sent.extend(with);
                }
                Part::Drop => {}
            }
            data = rest;
        }
        if sent.len() > MOST_DATA {
            return Err(RelayViolation::Compression);
        }
        Ok(if sent.is_empty() { Outcome::Drop } else { Outcome::Edited(sent, Keep::Other(kept)) })
    }

    /// A PDU with a basic security header: licensing (2.2.1.12) and, in its older form, redirection (2.2.13.2).
    fn unshared(
        &mut self,
        from: Side,
        data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Outcome, RelayViolation> {
        let flags = data.first_chunk().map(|flags| u16::from_le_bytes(*flags));
        match flags.ok_or(RelayViolation::Share("it ends before its header does"))? {
            flags if flags & security::REDIRECTION != 0 && from == Side::Target => redirected(data, cx),
            flags if flags & security::LICENSE != 0 => {
                // bMsgType behind the security header; dwErrorCode behind the preamble (2.2.1.12.1).
                let done = match data.get(4..) {
                    Some([0xff, _, _, _, code @ ..]) => code.starts_with(&7_u32.to_le_bytes()),
                    Some([3 | 4, ..]) => true,
                    _ => false,
                };
                self.licensed |= done && from == Side::Target;
                Ok(Outcome::Pass(Keep::Wire))
            }
            _ => Err(RelayViolation::Share("it is neither of licensing nor of the share")),
        }
    }

    fn part(
        &mut self,
        from: Side,
        share: Share<'_>,
        cx: &mut Surroundings<'_>,
    ) -> Result<Part, RelayViolation> {
        match (from, share.kind) {
            (_, 0) => Ok(Part::Drop),
            (Side::Target, share::DEMAND_ACTIVE) => self.demand_active(share.bytes, cx),
            (Side::Target, share::DEACTIVATE_ALL) => {
                self.share = None;
                Ok(Part::Keep)
            }
            (Side::Target, share::DATA) => self.target_data(share, cx),
            (Side::Target, share::SERVER_REDIRECTION) => redirected(share.bytes, cx).map(|_| Part::Drop),
            (Side::Viewer, share::CONFIRM_ACTIVE) => {
                let mut with = share.bytes.to_vec();
                let withhold = withhold(cx);
                capabilities::edit(from, &mut with, withhold)?;
                self.apps_withheld = withhold.remote_apps;
                cx.renumber_source(&mut with);
                Ok(if with == share.bytes { Part::Keep } else { Part::Replace(with, None) })
            }
            (Side::Viewer, share::DATA) => self.viewer_data(share, cx),
            _ => Err(RelayViolation::Share("its type has no place here")),
        }
    }

    fn demand_active(&mut self, pdu: &[u8], cx: &mut Surroundings<'_>) -> Result<Part, RelayViolation> {
        self.licensed = true;
        let mut with = pdu.to_vec();
        let learned = capabilities::edit(Side::Target, &mut with, withhold(cx))?;
        let id = pdu.get(6..).and_then(|rest| rest.first_chunk()).map(|id| u32::from_le_bytes(*id));
        self.share = Some(ActiveShare {
            id: id.ok_or(RelayViolation::Share("it ends before its share id"))?,
            finalized: false,
            refresh_rect: learned.refresh_rect,
            suppress_output: learned.suppress_output,
            fast_path_input: learned.fast_path_input,
        });
        if let Some((width, height)) = learned.desktop {
            self.resized(width, height, cx);
        }
        Ok(if with == pdu { Part::Keep } else { Part::Replace(with, None) })
    }

    /// The desktop has this size from here on. The first one is where the session starts from, and not told.
    pub(super) fn resized(&mut self, width: u16, height: u16, cx: &mut Surroundings<'_>) {
        let before = self.desktop.replace((width, height));
        if before.is_some_and(|before| before != (width, height)) {
            cx.notices.push(Notice::Resized { width, height });
        }
    }

    fn target_data(&mut self, share: Share<'_>, cx: &mut Surroundings<'_>) -> Result<Part, RelayViolation> {
        let pdu = share.data()?;
        // What is compressed must reach the viewer whatever it is: the next PDU builds upon it.
        let plain = pdu.compression & COMPRESSION == 0;
        match pdu.kind {
            data::FONT_MAP => {
                if let Some(share) = &mut self.share {
                    share.finalized = true;
                }
                if !cx.permissions.allows(Permission::View) {
                    self.suppress(cx);
                }
            }
            data::UPDATE if plain => cx.privacy.slow_path(pdu.body),
            data::SET_ERROR_INFO if plain => {
                if let Some(reason) = session_info::reason(pdu.body) {
                    self.reason_given = true;
                    cx.notices.push(Notice::Disconnecting { by: Side::Target, reason });
                }
            }
            data::SAVE_SESSION_INFO if !cx.policy.auto_reconnect => {
                if pdu.compression & COMPRESSED != 0 {
                    // Whether it holds the cookie could only be seen by decompressing all that the target sends. As
                    // another kind of PDU, one that clients only take note of, it still feeds their history.
                    let mut with = share.bytes.to_vec();
                    if let Some(kind) = with.get_mut(14) {
                        *kind = data::AUTO_RECONNECT_STATUS;
                    }
                    return Ok(Part::Replace(with, None));
                }
                if let Some(with) = session_info::without_cookie(share.bytes) {
                    return Ok(Part::Replace(with, None));
                }
            }
            // One that resets the viewer's history must reach it too.
            data::PLAY_SOUND
                if pdu.compression & COMPRESSION == 0 && !cx.permissions.allows(Permission::AudioOut) =>
            {
                return Ok(Part::Drop);
            }
            _ => {}
        }
        Ok(Part::Keep)
    }

    fn viewer_data(&mut self, share: Share<'_>, cx: &mut Surroundings<'_>) -> Result<Part, RelayViolation> {
        let header = share.data()?;
        let mut changed = Vec::new();
        if header.compression & COMPRESSION != 0 {
            // What passes goes on plain, so that what is withheld is not missed in the target's history.
            let history = self
                .viewer_history
                .get_or_insert_with(|| Box::new(BulkCompressor::new(CompressionType::Rdp5)));
            let body = history
                .decompress(header.body, u32::from(header.compression))
                .map_err(|_| RelayViolation::Compression)?;
            changed = share::plain(share.bytes, body);
            if changed.len() > MOST_DATA {
                return Err(RelayViolation::Compression);
            }
        }
        if cx.users_differ() {
            if changed.is_empty() {
                changed = share.bytes.to_vec();
            }
            cx.renumber_source(&mut changed);
        }
        if changed.is_empty() {
            return self.plain_viewer_data(share, cx);
        }
        Ok(match self.plain_viewer_data(Share { kind: share.kind, bytes: &changed }, cx)? {
            Part::Keep => Part::Replace(changed, None),
            Part::Redact(kept) => Part::Replace(changed, Some(kept)),
            other => other,
        })
    }

    fn plain_viewer_data(
        &mut self,
        share: Share<'_>,
        cx: &mut Surroundings<'_>,
    ) -> Result<Part, RelayViolation> {
        let pdu = share.data()?;
        let view = cx.permissions.allows(Permission::View);
        Ok(match pdu.kind {
            data::CONTROL
            | data::SYNCHRONIZE
            | data::SHUTDOWN_REQUEST
            | data::FONT_LIST
            | data::BITMAP_CACHE_ERROR
            | data::OFFSCREEN_CACHE_ERROR
            | data::DRAW_NINE_GRID_ERROR
            | data::DRAW_GDI_PLUS_ERROR
            | data::FRAME_ACKNOWLEDGE => Part::Keep,
            // A recording's decoder does not have the viewer's caches.
            data::BITMAP_CACHE_PERSISTENT_LIST if cx.policy.recorded => Part::Drop,
            data::BITMAP_CACHE_PERSISTENT_LIST => Part::Keep,
            data::REFRESH_RECT if !view => Part::Drop,
            data::REFRESH_RECT => Part::Keep,
            data::SUPPRESS_OUTPUT => {
                self.viewer_suppresses = pdu.body.first() == Some(&0);
                if view { Part::Keep } else { Part::Drop }
            }
            data::INPUT => {
                let (sent, kept) = cx.input.slow(pdu.body, cx.permissions, cx.notices)?;
                let whole = |body: Vec<u8>| share::plain(share.bytes, &body);
                let kept = kept.map(|kept| if kept.is_empty() { kept } else { whole(kept) });
                match (sent, kept) {
                    (None, None) => Part::Keep,
                    (None, Some(kept)) => Part::Redact(kept),
                    (Some(sent), _) if sent.is_empty() => Part::Drop,
                    (Some(sent), kept) => Part::Replace(whole(sent), kept),
                }
            }
            other => {
                if self.reported.insert(other) {
                    let action = format!("send share data of type {other}");
                    deny(cx.notices, Side::Viewer, Permission::OtherChannels, action);
                }
                Part::Drop
            }
        })
    }

    /// Decides about user data in the message channel (2.2.1.4.5).
    pub(super) fn message(
        &mut self,
        from: Side,
        data: &[u8],
        cx: &mut Surroundings<'_>,
    ) -> Result<Outcome, RelayViolation> {
        let flags = data.first_chunk().map(|flags| u16::from_le_bytes(*flags));
        Ok(match (from, flags.ok_or(RelayViolation::Share("it ends before its header does"))?) {
            (Side::Target, flags) if flags & security::TRANSPORT_REQUEST != 0 => {
                // UDP would go round the gateway.
                if !self.transport_reported {
                    self.transport_reported = true;
                    deny(cx.notices, from, Permission::OtherChannels, "open a connection over UDP");
                }
                Outcome::Drop
            }
            (Side::Target, flags) if flags & (security::AUTODETECT_REQUEST | security::HEARTBEAT) != 0 => {
                Outcome::Pass(Keep::Wire)
            }
            (Side::Viewer, flags) if flags & security::AUTODETECT_RESPONSE != 0 => Outcome::Pass(Keep::Wire),
            _ => Outcome::Drop,
        })
    }

    /// A peer ends the connection with this MCS reason (T.125 7, `Reason`).
    pub(super) fn disconnecting(&mut self, by: Side, reason: u8, notices: &mut Vec<Notice>) {
        if self.reason_given {
            return;
        }
        self.reason_given = true;
        let reason = match reason {
            0 => "the domain was disconnected",
            1 => "it ended the connection",
            2 => "the token was purged",
            3 => "the user asked for it",
            4 => "the channel was purged",
            _ => "it gave no reason that is known",
        };
        notices.push(Notice::Disconnecting { by, reason: reason.to_owned() });
    }

    /// The permissions have changed from `before` to those in `cx`.
    pub(super) fn permissions_changed(&mut self, before: Permissions, cx: &mut Surroundings<'_>) {
        self.reported.clear();
        match (before.allows(Permission::View), cx.permissions.allows(Permission::View)) {
            (true, false) => self.suppress(cx),
            (false, true) => self.resume(cx),
            _ => {}
        }
        let (slow, fast) = cx.input.release(before, cx.permissions, self.fast_path_input());
        if !fast.is_empty() {
            cx.inject.push(Side::Target, Say::FastPath(fast));
        }
        if !slow.is_empty() {
            self.say(data::INPUT, &slow, cx);
        }
    }

    fn fast_path_input(&self) -> bool {
        self.share.is_some_and(|share| share.fast_path_input)
    }

    /// Forbids the target to send output (2.2.11.3).
    fn suppress(&self, cx: &mut Surroundings<'_>) {
        if self.share.is_some_and(|share| share.suppress_output && share.finalized) {
            self.say(data::SUPPRESS_OUTPUT, &[0; 4], cx);
        }
    }

    /// Allows the target to send output, unless the viewer itself wants none.
    fn resume(&self, cx: &mut Surroundings<'_>) {
        let able = self.share.is_some_and(|share| share.suppress_output && share.finalized);
        let Some(desktop) = self.desktop.filter(|_| able && !self.viewer_suppresses) else { return };
        self.say(data::SUPPRESS_OUTPUT, &allowed(desktop), cx);
    }

    /// Says something to the target in the viewer's place.
    fn say(&self, kind: u8, body: &[u8], cx: &mut Surroundings<'_>) {
        if let Some(share) = self.share {
            let pdu = share::client_data(cx.target_user(), share.id, kind, body);
            cx.inject.push(Side::Target, Say::Io(pdu));
        }
    }
}

/// The bodies of the Input PDUs in a viewer's user data, of whichever channel: what is something else is passed over.
pub(super) fn input_of(mut data: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while let Ok((share, rest)) = share::split(Side::Viewer, data)
        && share::is_share(share.bytes)
    {
        if let Ok(pdu) = share.data()
            && (share.kind, pdu.kind) == (share::DATA, data::INPUT)
            && pdu.compression & COMPRESSION == 0
        {
            bodies.push(pdu.body);
        }
        data = rest;
    }
    bodies
}

/// The body of a Suppress Output PDU (2.2.11.3.1) that allows output of all of the desktop.
fn allowed(desktop: (u16, u16)) -> Vec<u8> {
    [&[1, 0, 0, 0], &rectangle(&whole(desktop))[..]].concat()
}

/// `TS_RECTANGLE16` (2.2.11.1), whose right and bottom edges belong to it.
fn rectangle(area: &InclusiveRectangle) -> Vec<u8> {
    [area.left, area.top, area.right, area.bottom].map(u16::to_le_bytes).concat()
}

fn withhold(cx: &Surroundings<'_>) -> Withhold {
    Withhold {
        history: cx.policy.blackout,
        undecoded: cx.policy.recorded,
        auto_reconnect: !cx.policy.auto_reconnect,
        remote_apps: !cx.permissions.allows(Permission::RemoteApps),
    }
}

/// Whether the target's `data` must wait, while the screen may be seen or not, and updates before it wait or not.
pub(super) fn must_wait(data: &[u8], view: bool, updates: bool) -> Result<bool, RelayViolation> {
    if !share::is_share(data) && !updates {
        return Ok(!view && shows(data).unwrap_or(false));
    }
    Ok(!view && shows(data)? || updates && !may_overtake(data)?)
}

/// Whether the target's `data` mean the same before the updates that wait as after them.
fn may_overtake(data: &[u8]) -> Result<bool, RelayViolation> {
    let (share, rest) = share::split(Side::Target, data)?;
    if share.kind != share::DATA || !rest.is_empty() {
        return Ok(false);
    }
    let pdu = share.data()?;
    let told = [
        data::SET_ERROR_INFO,
        data::SAVE_SESSION_INFO,
        data::SHUTDOWN_DENIED,
        data::SET_KEYBOARD_INDICATORS,
        data::SET_KEYBOARD_IME_STATUS,
        data::PLAY_SOUND,
    ];
    Ok(pdu.compression & COMPRESSION == 0 && told.contains(&pdu.kind))
}

/// Whether the target's `data` can only be read with the history of all that it compressed before.
fn needs_history(mut data: &[u8]) -> Result<bool, RelayViolation> {
    while !data.is_empty() {
        let (share, rest) = share::split(Side::Target, data)?;
        if share.kind == share::DATA && share.data()?.compression & COMPRESSION != 0 {
            return Ok(true);
        }
        data = rest;
    }
    Ok(false)
}

/// Whether the target's `data` hold something of the screen.
fn shows(mut data: &[u8]) -> Result<bool, RelayViolation> {
    while !data.is_empty() {
        let (share, rest) = share::split(Side::Target, data)?;
        if share.kind == share::DATA && matches!(share.data()?.kind, data::UPDATE | data::POINTER) {
            return Ok(true);
        }
        data = rest;
    }
    Ok(false)
}

/// The target sends the viewer elsewhere, or tells it where it is.
fn redirected(pdu: &[u8], cx: &mut Surroundings<'_>) -> Result<Outcome, RelayViolation> {
    let to = match decode_server_redirection(pdu) {
        // It names the session's machine and keeps the client where it is.
        Ok(Some(redirection)) if redirection.is_informational() => return Ok(Outcome::Drop),
        Ok(Some(redirection)) => session_info::destination(&redirection),
        Ok(None) | Err(_) => session_info::UNNAMED.to_owned(),
    };
    cx.notices.push(Notice::Redirected { to: to.clone() });
    Err(RelayViolation::Redirected { to })
}
