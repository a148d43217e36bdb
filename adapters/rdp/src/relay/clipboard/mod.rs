//! The clipboard (MS-RDPECLIP), over the static channel `cliprdr`.
//!
//! A side offers formats with a format list; the other side asks for one by its number when somebody pastes.
//! Files are a list, and then contents that are asked for range by range. A format that is not permitted is taken
//! out of the list, and every request and every response is judged again, since permissions change.
//!
//! Of content nothing is held but file lists, and what `store_clipboard` asks for.

mod data;
mod files;
mod formats;
mod message;
mod offer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use passerelle_desktop::{Denied, Notice, Permission, Permissions, Side};

use self::data::DataRequest;
use self::files::{FileId, Files};
use self::formats::{FormatList, Kind};
use self::message::{Header, Type, body, malformed};
use super::RelayViolation;
use super::channel::{ChannelFilter, Chunk, Context, Verdict};
use super::messages::{Denials, Messages, Plan, UnderWay, Whole};

/// How long a format list may be.
const LONGEST_FORMAT_LIST: u32 = 64 << 10;
/// How long the other messages may be that carry no content.
const LONGEST_CONTROL: u32 = 1 << 10;

/// The filter of `cliprdr`.
#[derive(Debug)]
pub(super) struct Clipboard {
    under_way: UnderWay<Passing>,
    state: State,
}

impl Clipboard {
    /// A filter at the beginning of the channel.
    pub(super) fn new() -> Self {
        Self { under_way: UnderWay::new(), state: State::default() }
    }
}

impl ChannelFilter for Clipboard {
    fn chunk(
        &mut self,
        from: Side,
        chunk: Chunk<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, RelayViolation> {
        self.under_way.chunk(&mut self.state, from, chunk, cx)
    }

    fn permissions_changed(&mut self, cx: &mut Context<'_>) {
        self.state.permissions_changed(cx);
    }

    fn finish(&mut self, notices: &mut Vec<Notice>) {
        for side in [Side::Viewer, Side::Target] {
            if let Some(passing) = self.under_way.broken_off(side) {
                passing.broken_off(side, notices);
            }
            self.state.source(side).files.forbid(side, notices);
        }
    }
}

/// What is known of both clipboards.
#[derive(Debug, Default)]
struct State {
    viewer: Source,
    target: Source,
    /// Who offered last.
    owner: Option<Side>,
    denials: Denials,
}

/// A side as the one that others copy from.
#[derive(Debug, Default)]
struct Source {
    /// Whether it takes long format names.
    takes_long_names: bool,
    /// What it offered last, and whether with long names.
    offer: FormatList,
    offered_with_long_names: bool,
    /// The permissions under which the offer was last passed on.
    offered_under: Permissions,
    /// For each list that the other side has not answered: whether this side waits for the answer.
    lists: VecDeque<bool>,
    /// The other side's requests for data, in order.
    requests: VecDeque<DataRequest>,
    /// The content of the clipboard whose file list is being gathered.
    answering: Option<u64>,
    files: Files,
}

/// Content that passes chunk by chunk.
#[derive(Debug)]
struct Passing {
    what: Content,
    /// Bytes of headers before it.
    skip: usize,
    /// Bytes of it that are still to come.
    left: usize,
}

impl Passing {
    /// The session has ended before all of it had passed: tells of the part that had. Files tell of themselves.
    fn broken_off(self, from: Side, notices: &mut Vec<Notice>) {
        let Content::Data { kind, len, kept } = self.what else { return };
        let bytes = u64::from(len).saturating_sub(self.left as u64);
        if bytes > 0 {
            let (kind, message) = (kind.name(), kept.unwrap_or_default());
            notices.push(Notice::Clipboard { from, kind, bytes, complete: false, message });
        }
    }
}

#[derive(Debug)]
enum Content {
    Data {
        kind: Kind,
        len: u32,
        kept: Option<Vec<u8>>,
    },
    File(FileId),
    /// An answer without contents of a file.
    Nothing,
}

impl State {
    fn source(&mut self, side: Side) -> &mut Source {
        match side {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Whether format names are long: both sides must have said that they take them.
    fn long_names(&self) -> bool {
        self.viewer.takes_long_names && self.target.takes_long_names
    }

    fn deny(
        &mut self,
        by: Side,
        permission: Permission,
        action: impl Into<std::borrow::Cow<'static, str>>,
        reason: Option<String>,
        cx: &mut Context<'_>,
    ) {
        self.denials.tell(Denied { by, permission, action: action.into(), reason }, cx);
    }

    /// A message that has no place here.
    fn unknown(&mut self, from: Side, header: Header, cx: &mut Context<'_>) -> Plan<Passing> {
        let action = format!("send a clipboard message of type {}", header.number);
        self.deny(from, Permission::OtherChannels, action, Some("not known here".to_owned()), cx);
        Plan::Withhold
    }

    fn permissions_changed(&mut self, cx: &mut Context<'_>) {
        self.denials.forget();
        for side in [Side::Viewer, Side::Target] {
            if Kind::Files.missing(side, cx.permissions).is_some() {
                self.source(side).files.forbid(side, cx.notices);
            }
        }
        self.offer_again(cx);
    }

    /// The target's clipboard begins anew, and with it all that was asked and offered.
    fn monitor_ready(&mut self, cx: &mut Context<'_>) {
        self.owner = None;
        for side in [Side::Viewer, Side::Target] {
            let source = self.source(side);
            source.offer = FormatList::default();
            source.lists.clear();
            source.requests.clear();
            source.files.reset(side, cx.notices);
        }
    }
}

impl Messages for State {
    type Passing = Passing;

    fn begin(
        &mut self,
        from: Side,
        total: u32,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let header = Header::read(head, total)?;
        match (header.msg_type, from) {
            (Some(Type::FormatDataResponse), _) => Ok(self.data_begins(from, header, cx)),
            (Some(Type::FileContentsResponse), _) => self.contents_begin(from, header, head, cx),
            (Some(Type::FormatList), _) if total > LONGEST_FORMAT_LIST => {
                Ok(Plan::Instead(self.list_unreadable(from, "too long", cx)))
            }
            (Some(Type::FormatList), _) => Ok(Plan::Gather),
            (None, _)
            | (Some(Type::MonitorReady), Side::Viewer)
            | (Some(Type::TemporaryDirectory), Side::Target) => Ok(self.unknown(from, header, cx)),
            (Some(_), _) if total > LONGEST_CONTROL => Err(malformed("it is longer than one of its type is")),
            (Some(_), _) => Ok(Plan::Gather),
        }
    }

    fn whole(&mut self, from: Side, message: &[u8], cx: &mut Context<'_>) -> Result<Whole, RelayViolation> {
        let header = Header::read(message, u32::try_from(message.len()).unwrap_or(u32::MAX))?;
        let body = body(message, header);
        let id = || body.first_chunk().map(|id| u32::from_le_bytes(*id)).ok_or(malformed("it has no number"));
        match header.msg_type {
            Some(Type::Capabilities) => {
                let long =
                    message::takes_long_names(body).ok_or(malformed("its capabilities end too early"))?;
                self.source(from).takes_long_names = long;
                Ok(Whole::Pass)
            }
            Some(Type::MonitorReady) => {
                self.monitor_ready(cx);
                Ok(Whole::Pass)
            }
            // The directory is of use only where files are, and says something about the technician's machine.
            Some(Type::TemporaryDirectory) => {
                let permitted = Kind::Files.missing(Side::Target, cx.permissions).is_none();
                Ok(if permitted { Whole::Pass } else { Whole::Withhold })
            }
            Some(Type::FormatList) => Ok(self.format_list(from, header, body, cx)),
            Some(Type::FormatListResponse) => Ok(match self.source(from.other()).lists.pop_front() {
                Some(true) => Whole::Pass,
                Some(false) | None => Whole::Withhold,
            }),
            Some(Type::FormatDataRequest) => Ok(self.data_request(from, id()?, cx)),
            Some(Type::FormatDataResponse) => Ok(self.file_list(from, body, cx)),
            Some(Type::FileContentsRequest) => {
                let request = message::ContentsRequest::read(body);
                let request = request.ok_or(malformed("it ends before the range it asks for"))?;
                Ok(self.contents_request(from, request, cx))
            }
            Some(Type::Lock) => {
                self.source(from.other()).files.lock(id()?);
                Ok(Whole::Pass)
            }
            Some(Type::Unlock) => {
                let owner = from.other();
                self.source(owner).files.unlock(id()?, owner, cx.notices);
                Ok(Whole::Pass)
            }
            Some(Type::FileContentsResponse) | None => Ok(Whole::Withhold),
        }
    }

    fn passing(&mut self, from: Side, passing: &mut Passing, part: &[u8]) {
        let skipped = passing.skip.min(part.len());
        passing.skip -= skipped;
        let part = part.get(skipped..).unwrap_or_default();
        let part = part.get(..passing.left).unwrap_or(part);
        passing.left -= part.len();
        match &mut passing.what {
            Content::Data { kept: Some(kept), .. } => kept.extend_from_slice(part),
            Content::File(id) if !part.is_empty() => self.source(from).files.pass(*id, part),
            Content::Data { .. } | Content::File(_) | Content::Nothing => {}
        }
    }

    fn passed(&mut self, from: Side, passing: Passing, cx: &mut Context<'_>) {
        if from == Side::Viewer {
            cx.notices.push(Notice::Input);
        }
        match passing.what {
            Content::Data { kind, len, kept } => {
                let (kind, message) = (kind.name(), kept.unwrap_or_default());
                cx.notices.push(Notice::Clipboard { from, kind, bytes: len.into(), complete: true, message });
                self.refuse_next(from, cx);
            }
            Content::File(id) => {
                let ended = Kind::Files.missing(from, cx.permissions).is_some();
                self.source(from).files.passed(id, ended, from, cx.notices);
            }
            Content::Nothing => {}
        }
    }

    fn withheld(&mut self, from: Side, cx: &mut Context<'_>) {
        self.refuse_next(from, cx);
    }

    fn truncated() -> RelayViolation {
        malformed("it ends before it is complete")
    }
}
