//! Requests for content, and the content.

use passerelle_desktop::{ClipboardLimits, Notice, Side};

use super::files::{FileId, LONGEST_LIST, Request, read_list};
use super::formats::Kind;
use super::message::{ContentsRequest, HEADER, Header, Wanted, contents_refused, data_refused, malformed};
use super::{Content, Context, Passing, Plan, RelayViolation, State, Whole};
use crate::relay::bytes::Reader;

/// How many unanswered requests for data are followed.
const MOST_REQUESTS: usize = 64;

/// How much of a file may be asked for at a time. What is under way when a permission is withdrawn still arrives.
const LONGEST_RANGE: u32 = 64 << 20;

const UNASKED: &str = "nobody asked for it";

/// Length of a file contents response up to the contents (MS-RDPECLIP 2.2.5.4).
const CONTENTS_HEADER: usize = HEADER + 4;

/// A side's request for data.
#[derive(Clone, Copy, Debug)]
pub(super) enum DataRequest {
    /// It was passed on.
    Asked {
        kind: Kind,
        /// Of which content of the clipboard.
        generation: u64,
    },
    /// It was withheld. Its answer must wait for those before it, since answers have no number.
    Refused,
}

fn limit_from(side: Side, limits: ClipboardLimits) -> u32 {
    match side {
        Side::Viewer => limits.to_target,
        Side::Target => limits.from_target,
    }
}

fn too_long(limit: u32) -> Option<String> {
    Some(format!("longer than {limit} bytes"))
}

impl State {
    /// `from` asks for the other side's content in the format `id`.
    pub(super) fn data_request(&mut self, from: Side, id: u32, cx: &mut Context<'_>) -> Whole {
        let owner = from.other();
        if self.source(owner).requests.len() == MOST_REQUESTS {
            // A peer that does not answer must not keep others from asking.
            self.source(owner).requests.pop_front();
            self.refuse_next(owner, cx);
        }
        let source = self.source(owner);
        let kind = source.offer.kind_of(id);
        let (permission, reason) = match kind {
            None => (Kind::Text.permission(owner), Some("it was not offered".to_owned())),
            Some(kind) => match kind.missing(owner, cx.permissions) {
                Some(missing) => (missing, None),
                None => {
                    let generation = source.files.generation();
                    source.requests.push_back(DataRequest::Asked { kind, generation });
                    return Whole::Pass;
                }
            },
        };
        let verdict = if source.requests.is_empty() {
            Whole::Answer(data_refused())
        } else {
            source.requests.push_back(DataRequest::Refused);
            Whole::Withhold
        };
        let what = kind.map_or("content", Kind::name);
        self.deny(from, permission, format!("ask for {what} on the clipboard"), reason, cx);
        verdict
    }

    /// An answer of `owner` has ended: answers the requests after it that were withheld.
    pub(super) fn refuse_next(&mut self, owner: Side, cx: &mut Context<'_>) {
        let requests = &mut self.source(owner).requests;
        while requests.pop_front_if(|request| matches!(request, DataRequest::Refused)).is_some() {
            cx.injections.push((owner.other(), data_refused()));
        }
    }

    /// `from` begins to send content.
    pub(super) fn data_begins(&mut self, from: Side, header: Header, cx: &mut Context<'_>) -> Plan<Passing> {
        let request = self.source(from).requests.pop_front();
        let Some(DataRequest::Asked { kind, generation }) = request else {
            let reason = Some(UNASKED.to_owned());
            self.deny(from, Kind::Text.permission(from), "send clipboard content", reason, cx);
            return Plan::Withhold;
        };
        if !header.succeeded() {
            return Plan::Instead(data_refused());
        }
        let limit = if kind == Kind::FileList { LONGEST_LIST } else { limit_from(from, cx.clipboard) };
        let refusal = match kind.missing(from, cx.permissions) {
            Some(missing) => Some((missing, None)),
            None if header.len > limit => Some((kind.permission(from), too_long(limit))),
            None => None,
        };
        if let Some((permission, reason)) = refusal {
            self.deny(from, permission, send(kind), reason, cx);
            return Plan::Instead(data_refused());
        }
        if kind == Kind::FileList {
            self.source(from).answering = Some(generation);
            return Plan::Gather;
        }
        let kept = cx.store_clipboard.then(Vec::new);
        let what = Content::Data { kind, len: header.len, kept };
        Plan::Pass(Passing { what, skip: HEADER, left: header.len as usize })
    }

    /// `from` sends the list of its files.
    pub(super) fn file_list(&mut self, from: Side, list: &[u8], cx: &mut Context<'_>) -> Whole {
        let generation = self.source(from).answering.take();
        self.refuse_next(from, cx);
        let refusal = match (Kind::FileList.missing(from, cx.permissions), read_list(list), generation) {
            (None, Some(files), Some(generation)) => {
                self.source(from).files.list(generation, files, from, cx.notices);
                if from == Side::Viewer {
                    cx.notices.push(Notice::Input);
                }
                let message = if cx.store_clipboard { list.to_vec() } else { Vec::new() };
                let (kind, bytes) = (Kind::FileList.name(), list.len() as u64);
                cx.notices.push(Notice::Clipboard { from, kind, bytes, complete: true, message });
                return Whole::PassUnrecorded;
            }
            (Some(missing), ..) => (missing, None),
            (None, ..) => (Kind::FileList.permission(from), Some("malformed".to_owned())),
        };
        let (permission, reason) = refusal;
        self.deny(from, permission, send(Kind::FileList), reason, cx);
        Whole::Instead(data_refused())
    }

    /// `from` asks for contents of the other side's files.
    pub(super) fn contents_request(
        &mut self,
        from: Side,
        request: ContentsRequest,
        cx: &mut Context<'_>,
    ) -> Whole {
        let ContentsRequest { stream, index, wanted, lock } = request;
        let owner = from.other();
        let files = &mut self.source(owner).files;
        let found = files.find(lock, index).map(|(id, file)| (id, file.name.clone()));
        let missing = Kind::Files.missing(owner, cx.permissions);
        let reason = match (&found, wanted) {
            _ if missing.is_some() => None,
            (None, _) => Some("it is in no file list that passed".to_owned()),
            (_, None) => Some("it asks neither for the size nor for a range".to_owned()),
            (_, Some(Wanted::Range { len, .. })) if len > LONGEST_RANGE => {
                Some(format!("it asks for more than {LONGEST_RANGE} bytes at a time"))
            }
            (Some((file, _)), Some(wanted)) => {
                files.ask(Request { stream, file: *file, wanted });
                return Whole::Pass;
            }
        };
        let action = match found {
            Some((_, name)) => format!("ask for contents of the file {name}"),
            None => "ask for contents of a file".to_owned(),
        };
        self.deny(from, missing.unwrap_or(Kind::Files.permission(owner)), action, reason, cx);
        Whole::Answer(contents_refused(stream))
    }

    /// `from` begins to send contents of a file.
    pub(super) fn contents_begin(
        &mut self,
        from: Side,
        header: Header,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let mut reader = Reader::new(head.get(HEADER..).unwrap_or_default());
        let stream = reader.u32().ok_or(malformed("its stream number is not within its first chunk"))?;
        let len = header.len.checked_sub(4).ok_or(malformed("it is too short for a stream number"))?;
        let Some(request) = self.source(from).files.answered(stream) else {
            let reason = Some(UNASKED.to_owned());
            self.deny(from, Kind::Files.permission(from), "send contents of a file", reason, cx);
            return Ok(Plan::Withhold);
        };
        let refused = Ok(Plan::Instead(contents_refused(stream)));
        if !header.succeeded() {
            return refused;
        }
        let permission = Kind::Files.permission(from);
        let reason = match request.wanted {
            _ if !cx.permissions.allows(permission) => None,
            Wanted::Size if len != 8 => Some("malformed".to_owned()),
            Wanted::Range { len: asked, .. } if len > asked => too_long(asked),
            Wanted::Size => {
                let files = &mut self.source(from).files;
                if let Some(size) = reader.u64() {
                    files.learn_size(request.file, size);
                }
                return Ok(Plan::Pass(Passing { what: Content::Nothing, skip: 0, left: 0 }));
            }
            Wanted::Range { position, .. } => {
                let nothing = len == 0 && position > 0;
                let what = if nothing {
                    Content::Nothing
                } else {
                    self.contents_at(request.file, position, from, cx)
                };
                return Ok(Plan::Pass(Passing { what, skip: CONTENTS_HEADER, left: len as usize }));
            }
        };
        let name = self.source(from).files.file(request.file).map(|file| file.name.clone());
        let action = format!("send contents of the file {}", name.unwrap_or_default());
        self.deny(from, permission, action, reason, cx);
        refused
    }

    fn contents_at(&mut self, file: FileId, position: u64, from: Side, cx: &mut Context<'_>) -> Content {
        self.source(from).files.seek(file, position, from, cx.notices);
        Content::File(file)
    }
}

/// Says for people that content of a kind is sent.
fn send(kind: Kind) -> String {
    format!("send {} from the clipboard", kind.name())
}
