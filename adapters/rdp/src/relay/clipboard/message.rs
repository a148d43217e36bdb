//! The messages of MS-RDPECLIP.

use super::RelayViolation;
use crate::relay::bytes::Reader;

/// Length of a message's header (2.2.1).
pub(super) const HEADER: usize = 8;

/// Some peers send a few bytes more than the header says.
const PADDING: u32 = 16;

/// `msgType` (2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    MonitorReady = 1,
    FormatList = 2,
    FormatListResponse = 3,
    FormatDataRequest = 4,
    FormatDataResponse = 5,
    TemporaryDirectory = 6,
    Capabilities = 7,
    FileContentsRequest = 8,
    FileContentsResponse = 9,
    Lock = 10,
    Unlock = 11,
}

impl Type {
    const ALL: [Self; 11] = [
        Self::MonitorReady,
        Self::FormatList,
        Self::FormatListResponse,
        Self::FormatDataRequest,
        Self::FormatDataResponse,
        Self::TemporaryDirectory,
        Self::Capabilities,
        Self::FileContentsRequest,
        Self::FileContentsResponse,
        Self::Lock,
        Self::Unlock,
    ];
}

/// `msgFlags`: what was asked for was done.
const RESPONSE_OK: u16 = 1;
/// `msgFlags`: what was asked for was not done.
const RESPONSE_FAIL: u16 = 2;
/// `msgFlags`: short format names are in 8-bit characters.
pub(super) const ASCII_NAMES: u16 = 4;

/// A message's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// As it came; `msg_type` if it is a known one.
    pub(super) number: u16,
    pub(super) msg_type: Option<Type>,
    pub(super) flags: u16,
    /// Length of what follows, without padding.
    pub(super) len: u32,
}

impl Header {
    /// Reads the header at the front of a message of `total` bytes.
    pub(super) fn read(head: &[u8], total: u32) -> Result<Self, RelayViolation> {
        let mut reader = Reader::new(head);
        let (Some(number), Some(flags), Some(len)) = (reader.u16(), reader.u16(), reader.u32()) else {
            return Err(malformed("its header is not within its first chunk"));
        };
        let padding = u64::from(total).checked_sub(u64::from(len) + HEADER as u64);
        match padding {
            None => Err(malformed("its header announces more than there is")),
            Some(padding) if padding > u64::from(PADDING) => {
                Err(malformed("it is longer than its header announces"))
            }
            Some(_) => {
                let msg_type = Type::ALL.into_iter().find(|msg_type| *msg_type as u16 == number);
                Ok(Self { number, msg_type, flags, len })
            }
        }
    }

    /// Whether a response says that what was asked for was done.
    pub(super) fn succeeded(self) -> bool {
        self.flags & (RESPONSE_OK | RESPONSE_FAIL) == RESPONSE_OK
    }
}

/// What a message holds after its header and before its padding.
pub(super) fn body(message: &[u8], header: Header) -> &[u8] {
    let body = message.get(HEADER..).unwrap_or_default();
    body.get(..header.len as usize).unwrap_or(body)
}

pub(super) fn malformed(what: &'static str) -> RelayViolation {
    RelayViolation::Channel { channel: "cliprdr", what }
}

/// Encodes a message.
pub(super) fn encode(msg_type: Type, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend((msg_type as u16).to_le_bytes());
    message.extend(flags.to_le_bytes());
    message.extend(len.to_le_bytes());
    message.extend(body);
    message
}

/// The answer to a format list that was not taken (2.2.3.2).
pub(super) fn list_refused() -> Vec<u8> {
    encode(Type::FormatListResponse, RESPONSE_FAIL, &[])
}

/// The answer to a request for data that is not given (2.2.5.2).
pub(super) fn data_refused() -> Vec<u8> {
    encode(Type::FormatDataResponse, RESPONSE_FAIL, &[])
}

/// The answer to a request for file contents that are not given (2.2.5.4).
pub(super) fn contents_refused(stream: u32) -> Vec<u8> {
    encode(Type::FileContentsResponse, RESPONSE_FAIL, &stream.to_le_bytes())
}

/// Whether a capabilities message (2.2.2.1) says that its sender takes long format names; `None` if it is
/// malformed.
pub(super) fn takes_long_names(body: &[u8]) -> Option<bool> {
    const GENERAL: u16 = 1;
    const USE_LONG_FORMAT_NAMES: u32 = 2;
    let mut reader = Reader::new(body);
    let (count, _) = (reader.u16()?, reader.u16()?);
    let mut long = false;
    for _ in 0..count {
        let (set, len) = (reader.u16()?, reader.u16()?);
        let mut capability = Reader::new(reader.bytes(usize::from(len).checked_sub(4)?)?);
        if set == GENERAL {
            let (_version, flags) = (capability.u32()?, capability.u32()?);
            long = flags & USE_LONG_FORMAT_NAMES != 0;
        }
    }
    Some(long)
}

/// A file contents request (2.2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentsRequest {
    pub(super) stream: u32,
    pub(super) index: u32,
    /// `None` if it asks for neither or for both.
    pub(super) wanted: Option<Wanted>,
    pub(super) lock: Option<u32>,
}

/// What of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Size,
    Range { position: u64, len: u32 },
}

impl ContentsRequest {
    /// Reads what follows the header; `None` if it is malformed.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        const SIZE: u32 = 1;
        const RANGE: u32 = 2;
        let mut reader = Reader::new(body);
        let (stream, index, flags) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let (low, high, len) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let position = u64::from(high) << 32 | u64::from(low);
        let wanted = match flags {
            SIZE => Some(Wanted::Size),
            RANGE => Some(Wanted::Range { position, len }),
            _ => None,
        };
        Some(Self { stream, index, wanted, lock: reader.u32() })
    }
}
