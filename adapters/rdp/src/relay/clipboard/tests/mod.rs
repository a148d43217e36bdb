mod data;
mod files;
mod hostile;
mod lists;

use ironrdp_cliprdr::pdu::*;
use ironrdp_core::encode_vec;
use passerelle_desktop::*;

use super::super::RelayViolation;
use super::super::channel::{ChannelFilter, Chunk, Context, Verdict};
use super::Clipboard;

const NOTHING: [u8; 0] = [];

/// `CHANNEL_CHUNK_LENGTH` (MS-RDPBCGR 3.1.5.2.1).
const CHUNK: usize = 1600;

/// A clipboard filter and what became of all that it was told.
struct Rig {
    clipboard: Clipboard,
    permissions: Permissions,
    limits: ClipboardLimits,
    store: bool,
    notices: Vec<Notice>,
    injections: Vec<(Side, Vec<u8>)>,
    /// What the recording has.
    recorded: Vec<u8>,
}

impl Rig {
    /// Everything is permitted and nothing has happened.
    fn new() -> Self {
        Self {
            clipboard: Clipboard::new(),
            permissions: Permission::ALL.iter().copied().collect(),
            limits: ClipboardLimits { to_target: 10_000, from_target: 5_000 },
            store: false,
            notices: vec![],
            injections: vec![],
            recorded: vec![],
        }
    }

    /// Both sides take long names.
    fn with_long_names() -> Self {
        let mut rig = Self::new();
        for side in [Side::Target, Side::Viewer] {
            let flags = ClipboardGeneralCapabilityFlags::all();
            let message = capabilities(flags);
            assert_eq!(rig.send(side, &message), message);
        }
        rig.recorded.clear();
        rig
    }

    /// Sends a message in the usual chunks; says what arrives.
    fn send(&mut self, from: Side, message: &[u8]) -> Vec<u8> {
        self.try_send(from, message, CHUNK).unwrap()
    }

    fn try_send(&mut self, from: Side, message: &[u8], len: usize) -> Result<Vec<u8>, RelayViolation> {
        let mut chunks: Vec<&[u8]> = message.chunks(len).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        self.try_send_chunks(from, message.len(), &chunks)
    }

    fn try_send_chunks(
        &mut self,
        from: Side,
        total: usize,
        chunks: &[&[u8]],
    ) -> Result<Vec<u8>, RelayViolation> {
        let mut arrived = Vec::new();
        let mut forwarded = 0;
        for (number, data) in chunks.iter().enumerate() {
            let last = number + 1 == chunks.len();
            let chunk = Chunk { total: u32::try_from(total).unwrap(), first: number == 0, last, data };
            let injected = self.injections.len();
            let mut cx = Context {
                permissions: self.permissions,
                clipboard: self.limits,
                store_clipboard: self.store,
                notices: &mut self.notices,
                injections: &mut self.injections,
            };
            let verdict = self.clipboard.chunk(from, chunk, &mut cx)?;
            match verdict {
                Verdict::Forward | Verdict::ForwardUnrecorded => {
                    assert_eq!(forwarded, number, "a message passes all or not at all");
                    forwarded += 1;
                    arrived.extend_from_slice(data);
                    if verdict == Verdict::Forward {
                        self.recorded.extend_from_slice(data);
                    }
                }
                Verdict::Drop => assert_eq!(forwarded, 0, "a message passes all or not at all"),
                Verdict::Replace(with) => {
                    assert!(last && forwarded == 0, "only a withheld message is replaced, at its end");
                    arrived = with;
                }
            }
            for (_, injection) in &self.injections[injected..] {
                assert!(!injection.is_empty());
            }
        }
        Ok(arrived)
    }

    fn allow(&mut self, permissions: Permissions) {
        self.permissions = permissions;
        let mut cx = Context {
            permissions,
            clipboard: self.limits,
            store_clipboard: self.store,
            notices: &mut self.notices,
            injections: &mut self.injections,
        };
        self.clipboard.permissions_changed(&mut cx);
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn take_injections(&mut self) -> Vec<(Side, Vec<u8>)> {
        std::mem::take(&mut self.injections)
    }

    /// Who was denied what since the last time, and why although it was permitted.
    fn denials(&mut self) -> Vec<(Side, Permission, Option<String>)> {
        let denied = |notice| match notice {
            Notice::Denied(denied) => Some((denied.by, denied.permission, denied.reason)),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(denied).collect()
    }

    /// Offers formats with long names, and takes the answer.
    fn offer(&mut self, from: Side, formats: &[(u32, &str)]) -> Vec<u8> {
        let arrived = self.send(from, &long_list(formats));
        let answer = encode(ClipboardPdu::FormatListResponse(FormatListResponse::Ok));
        assert_eq!(self.send(from.other(), &answer), answer);
        arrived
    }
}

fn encode(pdu: ClipboardPdu<'_>) -> Vec<u8> {
    encode_vec(&pdu).unwrap()
}

fn capabilities(flags: ClipboardGeneralCapabilityFlags) -> Vec<u8> {
    encode(ClipboardPdu::Capabilities(Capabilities::new(ClipboardProtocolVersion::V2, flags)))
}

fn formats(formats: &[(u32, &str)]) -> Vec<ClipboardFormat> {
    let format = |(id, name): &(u32, &str)| {
        let name = ClipboardFormatName::new((*name).to_owned());
        ClipboardFormat::new(ClipboardFormatId(*id)).with_name(name)
    };
    formats.iter().map(format).collect()
}

fn long_list(list: &[(u32, &str)]) -> Vec<u8> {
    encode(ClipboardPdu::FormatList(FormatList::new_unicode(&formats(list), true).unwrap()))
}

fn request(id: u32) -> Vec<u8> {
    encode(ClipboardPdu::FormatDataRequest(FormatDataRequest { format: ClipboardFormatId(id) }))
}

fn response(data: &[u8]) -> Vec<u8> {
    encode(ClipboardPdu::FormatDataResponse(FormatDataResponse::new_data(data)))
}

fn refusal() -> Vec<u8> {
    encode(ClipboardPdu::FormatDataResponse(FormatDataResponse::new_error()))
}

fn clipboard_permission(from: Side) -> Permission {
    match from {
        Side::Viewer => Permission::ClipboardToTarget,
        Side::Target => Permission::ClipboardFromTarget,
    }
}

fn images_permission(from: Side) -> Permission {
    match from {
        Side::Viewer => Permission::ImagesToTarget,
        Side::Target => Permission::ImagesFromTarget,
    }
}

fn files_permission(from: Side) -> Permission {
    match from {
        Side::Viewer => Permission::FilesToTarget,
        Side::Target => Permission::FilesFromTarget,
    }
}

const SIDES: [Side; 2] = [Side::Viewer, Side::Target];
