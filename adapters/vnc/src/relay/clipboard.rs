//! Which talk about clipboards passes.

use flate2::{Decompress, FlushDecompress, Status};
use passerelle_desktop::{ClipboardLimits, Permission, Permissions, Side};
use passerelle_rfb::{
    ClientMessage, ClipboardAction, ClipboardFormats, CutText, ExtendedClipboard, ServerMessage,
};

/// What becomes of a cut text message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes and carries no content.
    Pass,
    /// It passes without the formats that may not.
    Rewritten(Vec<u8>),
    /// It passes with so many bytes of content.
    Content { kind: &'static str, bytes: u64 },
    /// It is withheld.
    Deny { permission: Permission, action: &'static str, reason: Option<String> },
}

/// The formats that may pass. Files are files, however they travel, and what is not specified could be
/// anything.
const PASSING: ClipboardFormats = ClipboardFormats(0b1111);

/// What of it is text, in whatever form. The rest is pictures.
const TEXTUAL: ClipboardFormats = ClipboardFormats(0b0111);

/// The permission to bring text from `side` to the other one.
pub(super) fn permission_from(side: Side) -> Permission {
    match side {
        Side::Viewer => Permission::ClipboardToTarget,
        Side::Target => Permission::ClipboardFromTarget,
    }
}

/// The permission to bring pictures from `side` to the other one.
fn images_from(side: Side) -> Permission {
    match side {
        Side::Viewer => Permission::ImagesToTarget,
        Side::Target => Permission::ImagesFromTarget,
    }
}

/// The formats whose content may go from `side` to the other one.
fn permitted_from(side: Side, permissions: Permissions) -> ClipboardFormats {
    let text = if permissions.allows(permission_from(side)) { TEXTUAL.0 } else { 0 };
    let images = if permissions.allows(images_from(side)) { PASSING.without(TEXTUAL).0 } else { 0 };
    ClipboardFormats(text | images)
}

/// The permission to name when none of `formats` may pass.
fn missing_from(side: Side, formats: ClipboardFormats) -> Permission {
    if formats.has(PASSING.without(TEXTUAL)) && !formats.has(TEXTUAL) {
        images_from(side)
    } else {
        permission_from(side)
    }
}

/// The largest content from `side`, in bytes.
pub(super) fn limit_from(side: Side, limits: ClipboardLimits) -> u32 {
    match side {
        Side::Viewer => limits.to_target,
        Side::Target => limits.from_target,
    }
}

/// How long a message may be whose content has at most `limit` bytes: compression may make it longer, and
/// sizes and flags come on top.
pub(super) fn longest_message(limit: u32) -> u32 {
    limit.saturating_add(limit / 64).saturating_add(1024)
}

/// Why content is withheld although the permission is there.
pub(super) fn too_long(limit: u32) -> String {
    format!("longer than {limit} bytes")
}

/// A message without content in the place of one that the recording must not keep.
pub(super) fn empty(from: Side) -> Vec<u8> {
    encode(from, CutText::Plain(&[]))
}

fn encode(from: Side, text: CutText<'_>) -> Vec<u8> {
    match from {
        Side::Viewer => ClientMessage::CutText(text).encode(),
        Side::Target => ServerMessage::CutText(text).encode(),
    }
}

/// Judges a message from `from`.
pub(super) fn judge(
    from: Side,
    text: &CutText<'_>,
    permissions: Permissions,
    limits: ClipboardLimits,
) -> Verdict {
    let limit = limit_from(from, limits);
    let deny = |permission, action, reason| Verdict::Deny { permission, action, reason };
    let own = permission_from(from);
    let message = match text {
        CutText::Plain(_) if !permissions.allows(own) => return deny(own, "send clipboard content", None),
        CutText::Plain(text) if text.len() > limit as usize => {
            return deny(own, "send clipboard content", Some(too_long(limit)));
        }
        CutText::Plain(text) => return Verdict::Content { kind: "text", bytes: text.len() as u64 },
        CutText::Extended(message) => message,
    };
    let owner = match message.action {
        ClipboardAction::Request | ClipboardAction::Peek => from.other(),
        ClipboardAction::Caps | ClipboardAction::Notify | ClipboardAction::Provide => from,
    };
    let permitted = permitted_from(owner, permissions);
    let nothing_left = permitted.0 == 0 || message.formats.has(PASSING) && !message.formats.has(permitted);
    let missing = missing_from(owner, message.formats);
    match message.action {
        ClipboardAction::Caps => only(PASSING, from, message),
        ClipboardAction::Request | ClipboardAction::Peek if nothing_left => {
            deny(missing, "ask for clipboard content", None)
        }
        ClipboardAction::Notify if nothing_left => deny(missing, "offer clipboard content", None),
        ClipboardAction::Request | ClipboardAction::Peek | ClipboardAction::Notify => {
            only(permitted, from, message)
        }
        ClipboardAction::Provide if nothing_left => deny(missing, "send clipboard content", None),
        ClipboardAction::Provide if message.formats.has(ClipboardFormats(!PASSING.0)) => {
            let files = match from {
                Side::Viewer => Permission::FilesToTarget,
                Side::Target => Permission::FilesFromTarget,
            };
            let reason = "files never pass through the clipboard".to_owned();
            deny(files, "send files through the clipboard", Some(reason))
        }
        // All formats are in one compressed stream: one that must not pass keeps the others back.
        ClipboardAction::Provide if message.formats.without(permitted) != ClipboardFormats(0) => {
            let missing = missing_from(from, message.formats.without(permitted));
            deny(missing, "send clipboard content", None)
        }
        ClipboardAction::Provide => match content_len(message, limit) {
            Ok(bytes) => Verdict::Content { kind: kind(message.formats), bytes },
            Err(reason) => {
                let reason = match reason {
                    Unacceptable::TooLong => too_long(limit),
                    Unacceptable::Malformed => "malformed".to_owned(),
                };
                deny(missing, "send clipboard content", Some(reason))
            }
        },
    }
}

fn kind(formats: ClipboardFormats) -> &'static str {
    match formats {
        ClipboardFormats::TEXT => "text",
        ClipboardFormats::RTF => "rtf",
        ClipboardFormats::HTML => "html",
        ClipboardFormats::DIB => "dib",
        _ => "several formats",
    }
}

/// Leaves only those `formats` in a message.
fn only(formats: ClipboardFormats, from: Side, message: &ExtendedClipboard<'_>) -> Verdict {
    let formats = ClipboardFormats(message.formats.0 & formats.0);
    if formats == message.formats {
        return Verdict::Pass;
    }
    let mut body = Vec::new();
    if message.action == ClipboardAction::Caps {
        for (_, size) in message.sizes().filter(|(format, _)| formats.has(*format)) {
            body.extend_from_slice(&size.to_be_bytes());
        }
    }
    let flags = message.flags & !0xffff | u32::from(formats.0);
    let rewritten = ExtendedClipboard { action: message.action, formats, flags, body: &body };
    Verdict::Rewritten(encode(from, CutText::Extended(rewritten)))
}

#[derive(Debug, PartialEq, Eq)]
enum Unacceptable {
    TooLong,
    Malformed,
}

/// The uncompressed size of all formats together. Inflates no more than `limit` allows for, and keeps none
/// of it.
fn content_len(message: &ExtendedClipboard<'_>, limit: u32) -> Result<u64, Unacceptable> {
    let mut inflate = Inflate { zlib: Decompress::new(true), input: message.body };
    let mut total = 0u64;
    for _ in message.formats.iter() {
        let mut size = [0; 4];
        inflate.fill(&mut size)?;
        let size = u32::from_be_bytes(size);
        total += u64::from(size);
        if total > u64::from(limit) {
            return Err(Unacceptable::TooLong);
        }
        let mut left = size as usize;
        let mut scratch = [0; 4096];
        while left > 0 {
            let len = left.min(scratch.len());
            inflate.fill(scratch.get_mut(..len).unwrap_or_default())?;
            left -= len;
        }
    }
    inflate.finish()?;
    Ok(total)
}

/// The text in a message of either side that carries clipboard content, at most `most` bytes of it; nothing if it
/// carries none or is malformed.
pub fn clipboard_text(message: &[u8], most: usize) -> Option<String> {
    let ([_, _, _, _, len @ ..], content) = message.split_first_chunk::<8>()?;
    if i32::from_be_bytes(*len) >= 0 {
        return Some(content.iter().take(most).map(|byte| char::from(*byte)).collect());
    }
    let (flags, body) = content.split_first_chunk()?;
    let flags = u32::from_be_bytes(*flags);
    if flags & PROVIDE == 0 || flags & u32::from(ClipboardFormats::TEXT.0) == 0 {
        return None;
    }
    let mut inflate = Inflate { zlib: Decompress::new(true), input: body };
    let mut size = [0; 4];
    inflate.fill(&mut size).ok()?;
    let mut text = vec![0; usize::try_from(u32::from_be_bytes(size)).ok()?.min(most)];
    inflate.fill(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(text.trim_end_matches('\0').to_owned())
}

/// The flag of a message that brings content.
const PROVIDE: u32 = 1 << 28;

struct Inflate<'a> {
    zlib: Decompress,
    input: &'a [u8],
}

impl Inflate<'_> {
    /// Inflates exactly as many bytes as `output` holds.
    fn fill(&mut self, mut output: &mut [u8]) -> Result<(), Unacceptable> {
        while !output.is_empty() {
            let written = self.inflate(output)?;
            if written == 0 {
                return Err(Unacceptable::Malformed);
            }
            output = output.get_mut(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Checks that nothing follows what was announced. Senders may flush the stream instead of ending it.
    fn finish(&mut self) -> Result<(), Unacceptable> {
        if self.inflate(&mut [0])? == 0 && self.input.is_empty() {
            Ok(())
        } else {
            Err(Unacceptable::Malformed)
        }
    }

    /// Inflates some bytes; 0 when the stream or the input has ended.
    fn inflate(&mut self, output: &mut [u8]) -> Result<usize, Unacceptable> {
        loop {
            let (consumed, produced) = (self.zlib.total_in(), self.zlib.total_out());
            let status = self
                .zlib
                .decompress(self.input, output, FlushDecompress::None)
                .map_err(|_| Unacceptable::Malformed)?;
            let consumed = usize::try_from(self.zlib.total_in() - consumed).unwrap_or(usize::MAX);
            let produced = usize::try_from(self.zlib.total_out() - produced).unwrap_or(usize::MAX);
            self.input = self.input.get(consumed..).unwrap_or_default();
            if produced > 0 || status != Status::Ok || consumed == 0 {
                return Ok(produced);
            }
        }
    }
}
