//! Requests to devices, and how they end.

use passerelle_desktop::{Permission, Side};

use super::message::{
    self, COMPLETION, Completion, Create, READ_DATA, Request, STATUS_ACCESS_DENIED, STATUS_END_OF_FILE,
    STATUS_SUCCESS, SetInformation, WRITE, major, malformed,
};
use super::open::Open;
use super::{Context, Plan, RelayViolation, State, Whole};
use super::{DRIVE_TYPE, LONGEST_REQUEST, PRINTER_TYPE};
use crate::relay::bytes::Reader;

/// How many requests may be under way, and how many files open.
const MOST_PENDING: usize = 1024;
const MOST_OPEN: usize = 1024;

/// How much may be read at a time. What is under way when a permission is withdrawn still arrives.
const LONGEST_READ: u32 = 64 << 20;

/// Some peers send a few bytes more than their fields take.
const PADDING: u32 = 16;

/// A request that is not completed.
#[derive(Debug)]
pub(super) struct Pending {
    file: u32,
    what: What,
}

/// What a request does, as far as it is followed.
#[derive(Debug)]
enum What {
    Create { name: String, empty: bool, print_job: bool },
    Close,
    Read { offset: u64, len: u32 },
    Write { len: u32 },
    AskSize,
    Rename(String),
    SetSize(u64),
    Other,
}

/// A message that passes chunk by chunk.
#[derive(Debug)]
pub(super) struct Passing {
    content: Content,
    /// Bytes before the content.
    skip: usize,
    /// Bytes of it that are still to come.
    left: usize,
}

#[derive(Debug)]
enum Content {
    /// Of a file, to the target; and whether it ends where the file does.
    Read((u32, u32), bool),
    /// Of a file, from the target.
    Written((u32, u32)),
    Other,
}

impl Passing {
    /// A message whose content is not followed.
    pub(super) fn other() -> Self {
        Self { content: Content::Other, skip: 0, left: 0 }
    }
}

/// What stands against a request: the permission that it would need, and the reason if that is not it.
type Objection = (Permission, Option<&'static str>);

/// What a request to a drive needs beyond the drive itself, except for one to create.
fn drive_needs(major: u32) -> &'static [Permission] {
    use Permission::{FilesFromTarget, FilesToTarget, OtherChannels};
    match major {
        major::READ => &[FilesToTarget],
        major::WRITE | major::SET_INFORMATION | major::SET_VOLUME_INFORMATION | major::SET_SECURITY => {
            &[FilesFromTarget]
        }
        // File system controls copy, punch and link as they please.
        major::DEVICE_CONTROL => &[FilesToTarget, FilesFromTarget],
        major::CREATE
        | major::CLOSE
        | major::CLEANUP
        | major::QUERY_INFORMATION
        | major::QUERY_VOLUME_INFORMATION
        | major::QUERY_SECURITY
        | major::DIRECTORY_CONTROL
        | major::LOCK_CONTROL
        | major::FLUSH_BUFFERS => &[],
        _ => &[OtherChannels],
    }
}

/// What a request does to a file, for people.
fn verb(major: u32) -> &'static str {
    match major {
        major::CREATE => "open",
        major::READ => "read",
        major::WRITE => "write",
        major::SET_INFORMATION | major::SET_VOLUME_INFORMATION | major::SET_SECURITY => "change",
        _ => "use",
    }
}

impl State {
    /// The target begins a request.
    pub(super) fn request_begins(
        &mut self,
        total: u32,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let request = Request::read(head).ok_or(malformed("its header is not within its first chunk"))?;
        let device_type = match self.object(&request, cx) {
            Ok(device_type) => device_type,
            Err(objection) => return Ok(Plan::Answer(self.refuse(&request, objection, None, cx))),
        };
        let drive = device_type == DRIVE_TYPE;
        let key = (request.device, request.file);
        let what = match request.major {
            major::CREATE | major::SET_INFORMATION if drive => {
                if total <= LONGEST_REQUEST {
                    return Ok(Plan::Gather);
                }
                let objection = (Permission::FilesFromTarget, Some("the request is too long"));
                return Ok(Plan::Answer(self.refuse(&request, objection, None, cx)));
            }
            major::CREATE if device_type == PRINTER_TYPE => {
                let name = self.devices.get(&request.device).map(|device| device.name.clone());
                What::Create { name: name.unwrap_or_default(), empty: true, print_job: true }
            }
            major::CLOSE => What::Close,
            major::READ if drive => {
                let (len, offset) = message::range(head).ok_or(malformed("it does not say what to read"))?;
                if len > LONGEST_READ {
                    let objection = (Permission::FilesToTarget, Some("it asks for too much at a time"));
                    return Ok(Plan::Answer(self.refuse(&request, objection, None, cx)));
                }
                What::Read { offset, len }
            }
            major::WRITE if drive || device_type == PRINTER_TYPE => {
                let (len, offset) = message::range(head).ok_or(malformed("it does not say what to write"))?;
                fits(total, WRITE, len)?;
                if let Some(open) = self.open.get_mut(&key) {
                    open.write_at(offset, len);
                }
                self.pending.insert(
                    (request.device, request.completion),
                    Pending { file: request.file, what: What::Write { len } },
                );
                let content = Content::Written(key);
                return Ok(Plan::Pass(Passing { content, skip: WRITE, left: len as usize }));
            }
            major::QUERY_INFORMATION if drive && message::asks_for_size(head) => What::AskSize,
            _ => What::Other,
        };
        self.pending.insert((request.device, request.completion), Pending { file: request.file, what });
        Ok(Plan::Pass(Passing::other()))
    }

    /// A request that must be seen whole: to create a file on a drive or to change one.
    pub(super) fn whole_request(
        &mut self,
        message: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Whole, RelayViolation> {
        let request = Request::read(message).ok_or(malformed("its header is too short"))?;
        // The permissions may have changed since it began.
        if let Err(objection) = self.object(&request, cx) {
            return Ok(Whole::Answer(self.refuse(&request, objection, None, cx)));
        }
        let what = if request.major == major::CREATE {
            let create = Create::read(message).ok_or(malformed("its path ends too early"))?;
            let name = self.path_on(request.device, &create.path);
            if create.changes && !cx.permissions.allows(Permission::FilesFromTarget) {
                let action = format!("create or change {name}");
                let objection = (Permission::FilesFromTarget, None);
                return Ok(Whole::Answer(self.refuse(&request, objection, Some(action), cx)));
            }
            What::Create { name, empty: create.empties, print_job: false }
        } else {
            let set = SetInformation::read(message).ok_or(malformed("what it sets ends too early"))?;
            match set {
                SetInformation::Rename(path) => What::Rename(self.path_on(request.device, &path)),
                SetInformation::EndOfFile(size) => What::SetSize(size),
                SetInformation::Other => What::Other,
            }
        };
        self.pending.insert((request.device, request.completion), Pending { file: request.file, what });
        Ok(Whole::PassUnrecorded)
    }

    /// Judges a request by its head; says which type of device it is for.
    fn object(&self, request: &Request, cx: &Context<'_>) -> Result<u32, Objection> {
        let Some(device) = self.devices.get(&request.device).filter(|device| device.announced) else {
            return Err((Permission::OtherChannels, Some("there is no such device")));
        };
        let permission = device.permission();
        if !cx.permissions.allows(permission) {
            return Err((permission, None));
        }
        // What is not followed may have been given up without an answer.
        match self.pending.get(&(request.device, request.completion)) {
            Some(Pending { what: What::Other, .. }) => {}
            Some(_) => return Err((permission, Some("its number is in use"))),
            None if self.pending.len() >= MOST_PENDING => {
                return Err((permission, Some("too many requests are under way")));
            }
            None => {}
        }
        if request.major == major::CREATE && self.open.len() >= MOST_OPEN {
            return Err((permission, Some("too many files are open")));
        }
        if device.device_type == DRIVE_TYPE {
            let needs = drive_needs(request.major).iter().copied();
            if let Some(missing) = needs.into_iter().find(|need| !cx.permissions.allows(*need)) {
                return Err((missing, None));
            }
        }
        let followed = match request.major {
            major::READ => device.device_type == DRIVE_TYPE,
            major::WRITE => matches!(device.device_type, DRIVE_TYPE | PRINTER_TYPE),
            _ => false,
        };
        if followed && !self.open.contains_key(&(request.device, request.file)) {
            return Err((permission, Some("the file is not open")));
        }
        Ok(device.device_type)
    }

    /// Tells of a request that is withheld. Returns what the target is answered.
    fn refuse(
        &mut self,
        request: &Request,
        (permission, reason): Objection,
        action: Option<String>,
        cx: &mut Context<'_>,
    ) -> Vec<u8> {
        let action = action.unwrap_or_else(|| {
            let open = self.open.get(&(request.device, request.file));
            let device = self.devices.get(&request.device);
            let what = match (open, device) {
                (Some(open), _) => open.name.clone(),
                (None, Some(device)) => device.describe(),
                (None, None) => "a device".to_owned(),
            };
            format!("{} {what}", verb(request.major))
        });
        self.deny(Side::Target, permission, action, reason, cx);
        let Request { device, completion, .. } = *request;
        Completion { device, completion, status: STATUS_ACCESS_DENIED }.encode()
    }

    /// The viewer begins to complete a request.
    pub(super) fn completion_begins(
        &mut self,
        total: u32,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let completion =
            Completion::read(head).ok_or(malformed("its header is not within its first chunk"))?;
        // One that nobody waits for may be late: the request was answered here when a permission was withdrawn.
        let Some(pending) = self.pending.remove(&(completion.device, completion.completion)) else {
            return Ok(Plan::Withhold);
        };
        let key = (completion.device, pending.file);
        let succeeded = completion.status == STATUS_SUCCESS;
        let mut result = Reader::new(head.get(COMPLETION..).unwrap_or_default());
        match pending.what {
            What::Read { offset, len } => {
                return self.read_completes(&completion, key, (offset, len), total, result, cx);
            }
            What::Create { name, empty, print_job } if succeeded => {
                let file = result.u32().ok_or(malformed("it names no file"))?;
                let open = if print_job { Open::print_job(name) } else { Open::file(name, empty) };
                if let Some(replaced) = self.open.insert((completion.device, file), open) {
                    replaced.end(false, cx.notices);
                }
            }
            What::Close => {
                // Some viewers never answer a request to be told of changes; closing the directory ends it.
                self.pending.retain(|(device, _), other| {
                    (*device, other.file) != key || matches!(other.what, What::Create { .. })
                });
                if let Some(open) = self.open.remove(&key) {
                    open.end(true, cx.notices);
                }
            }
            What::Write { len } if !succeeded || result.u32() != Some(len) => {
                self.with_open(key, Open::write_failed);
            }
            What::AskSize if succeeded => {
                if let Some(size) = message::size(head) {
                    self.with_open(key, |open| open.learn_size(size));
                }
            }
            What::Rename(name) if succeeded => self.with_open(key, |open| open.name = name),
            What::SetSize(size) if succeeded => self.with_open(key, |open| open.set_size(size, cx.notices)),
            _ => {}
        }
        Ok(Plan::Pass(Passing::other()))
    }

    /// The viewer answers a request to read `asked` bytes at `offset`.
    fn read_completes(
        &mut self,
        completion: &Completion,
        key: (u32, u32),
        (offset, asked): (u64, u32),
        total: u32,
        mut result: Reader<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Plan<Passing>, RelayViolation> {
        let name = || self.open.get(&key).map(|open| open.name.clone()).unwrap_or_default();
        let refused = Completion { status: STATUS_ACCESS_DENIED, ..*completion }.encode();
        if !cx.permissions.allows(Permission::FilesToTarget) {
            let action = format!("send contents of {}", name());
            self.deny(Side::Viewer, Permission::FilesToTarget, action, None, cx);
            return Ok(Plan::Instead(refused));
        }
        if completion.status != STATUS_SUCCESS {
            if completion.status == STATUS_END_OF_FILE {
                self.with_open(key, |open| {
                    open.read_at(offset);
                    open.has_read(true, cx.notices);
                });
            }
            // A read that failed has no content.
            let empty = total as usize <= READ_DATA + PADDING as usize;
            return Ok(if empty { Plan::Pass(Passing::other()) } else { Plan::Instead(completion.encode()) });
        }
        let len = result.u32().ok_or(malformed("its length is not within its first chunk"))?;
        fits(total, READ_DATA, len)?;
        if len > asked {
            let action = format!("send contents of {}", name());
            let reason = Some("it is more than was asked for");
            self.deny(Side::Viewer, Permission::FilesToTarget, action, reason, cx);
            return Ok(Plan::Instead(refused));
        }
        self.with_open(key, |open| open.read_at(offset));
        let content = Content::Read(key, len < asked);
        Ok(Plan::Pass(Passing { content, skip: READ_DATA, left: len as usize }))
    }

    /// A part of a message passes.
    pub(super) fn part(&mut self, passing: &mut Passing, part: &[u8]) {
        let skipped = passing.skip.min(part.len());
        passing.skip -= skipped;
        let part = part.get(skipped..).unwrap_or_default();
        let part = part.get(..passing.left).unwrap_or(part);
        passing.left -= part.len();
        match passing.content {
            Content::Read(key, _) => self.with_open(key, |open| open.read(part)),
            Content::Written(key) => self.with_open(key, |open| open.write(part)),
            Content::Other => {}
        }
    }

    /// All of a message has passed.
    pub(super) fn has_passed(&mut self, passing: &Passing, cx: &mut Context<'_>) {
        if let Content::Read(key, at_end) = passing.content {
            self.with_open(key, |open| open.has_read(at_end, cx.notices));
        }
    }

    fn with_open(&mut self, key: (u32, u32), act: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open.get_mut(&key) {
            act(open);
        }
    }

    /// A path on a drive, for people.
    fn path_on(&self, device: u32, path: &str) -> String {
        let drive = self.devices.get(&device).map(|device| device.name.as_str()).unwrap_or_default();
        format!("{drive}{path}")
    }
}

/// Checks that a message has room for `len` bytes after its first `fixed` ones, and for little more.
fn fits(total: u32, fixed: usize, len: u32) -> Result<(), RelayViolation> {
    match u64::from(total).checked_sub(fixed as u64 + u64::from(len)) {
        None => Err(malformed("it announces more content than there is")),
        Some(padding) if padding > u64::from(PADDING) => {
            Err(malformed("it is longer than the content that it announces"))
        }
        Some(_) => Ok(()),
    }
}
