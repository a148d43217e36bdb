//! The messages of MS-RDPEFS.

use super::RelayViolation;
use crate::relay::bytes::{Reader, ascii_name, utf16_name};

/// `Component` of most messages (2.2.1.1), `RDPDR_CTYP_CORE`.
pub(super) const CORE: u16 = 0x4472;
/// `Component` of messages about printers (MS-RDPEPC 2.2.1), `RDPDR_CTYP_PRN`.
pub(super) const PRINTER: u16 = 0x5052;

/// `PacketId` (2.2.1.1).
pub(super) mod packet {
    pub(in super::super) const SERVER_ANNOUNCE: u16 = 0x496e;
    pub(in super::super) const CLIENT_ID_CONFIRM: u16 = 0x4343;
    pub(in super::super) const CLIENT_NAME: u16 = 0x434e;
    pub(in super::super) const DEVICE_LIST_ANNOUNCE: u16 = 0x4441;
    pub(in super::super) const DEVICE_REPLY: u16 = 0x6472;
    pub(in super::super) const IO_REQUEST: u16 = 0x4952;
    pub(in super::super) const IO_COMPLETION: u16 = 0x4943;
    pub(in super::super) const SERVER_CAPABILITY: u16 = 0x5350;
    pub(in super::super) const CLIENT_CAPABILITY: u16 = 0x4350;
    pub(in super::super) const DEVICE_LIST_REMOVE: u16 = 0x444d;
    pub(in super::super) const USER_LOGGED_ON: u16 = 0x554c;
    pub(in super::super) const CACHE_DATA: u16 = 0x5043;
    pub(in super::super) const USING_XPS: u16 = 0x5543;
}

/// `MajorFunction` (2.2.1.4), and two that MS-RDPEFS does not list and Windows sends.
pub(super) mod major {
    pub(in super::super) const CREATE: u32 = 0x00;
    pub(in super::super) const CLOSE: u32 = 0x02;
    pub(in super::super) const READ: u32 = 0x03;
    pub(in super::super) const WRITE: u32 = 0x04;
    pub(in super::super) const QUERY_INFORMATION: u32 = 0x05;
    pub(in super::super) const SET_INFORMATION: u32 = 0x06;
    pub(in super::super) const FLUSH_BUFFERS: u32 = 0x09;
    pub(in super::super) const QUERY_VOLUME_INFORMATION: u32 = 0x0a;
    pub(in super::super) const SET_VOLUME_INFORMATION: u32 = 0x0b;
    pub(in super::super) const DIRECTORY_CONTROL: u32 = 0x0c;
    pub(in super::super) const DEVICE_CONTROL: u32 = 0x0e;
    pub(in super::super) const LOCK_CONTROL: u32 = 0x11;
    pub(in super::super) const CLEANUP: u32 = 0x12;
    pub(in super::super) const QUERY_SECURITY: u32 = 0x14;
    pub(in super::super) const SET_SECURITY: u32 = 0x15;
}

/// NTSTATUS values (MS-ERREF 2.3).
pub(super) const STATUS_SUCCESS: u32 = 0;
pub(super) const STATUS_END_OF_FILE: u32 = 0xc000_0011;
pub(super) const STATUS_ACCESS_DENIED: u32 = 0xc000_0022;

/// Length of a message's header.
pub(super) const HEADER: usize = 4;
/// Length of a request up to what its function needs (2.2.1.4).
pub(super) const REQUEST: usize = HEADER + 20;
/// Length of a write request up to the content (2.2.1.4.4).
pub(super) const WRITE: usize = REQUEST + 32;
/// Length of a completion up to what its function gives (2.2.1.5).
pub(super) const COMPLETION: usize = HEADER + 12;
/// Length of a read's completion up to the content (2.2.1.5.3).
pub(super) const READ_DATA: usize = COMPLETION + 4;

pub(super) fn malformed(what: &'static str) -> RelayViolation {
    RelayViolation::Channel { channel: "rdpdr", what }
}

fn header(component: u16, packet: u16) -> Vec<u8> {
    [component.to_le_bytes(), packet.to_le_bytes()].concat()
}

/// What a device is asked to do (2.2.1.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) device: u32,
    pub(super) file: u32,
    pub(super) completion: u32,
    pub(super) major: u32,
}

impl Request {
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(message.get(HEADER..)?);
        let (device, file, completion) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let (major, _minor) = (reader.u32()?, reader.u32()?);
        Some(Self { device, file, completion, major })
    }
}

/// How a request ended (2.2.1.5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) device: u32,
    pub(super) completion: u32,
    pub(super) status: u32,
}

impl Completion {
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(message.get(HEADER..)?);
        Some(Self { device: reader.u32()?, completion: reader.u32()?, status: reader.u32()? })
    }

    /// Encodes it without any result. Every function's completion has at most five bytes of fixed fields, which
    /// servers read even of one that failed.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut message = header(CORE, packet::IO_COMPLETION);
        for field in [self.device, self.completion, self.status] {
            message.extend(field.to_le_bytes());
        }
        message.extend([0; 5]);
        message
    }
}

/// The range that a read or a write is about (2.2.1.4.3, 2.2.1.4.4).
pub(super) fn range(message: &[u8]) -> Option<(u32, u64)> {
    let mut reader = Reader::new(message.get(REQUEST..)?);
    Some((reader.u32()?, reader.u64()?))
}

/// What a create request says of the file (2.2.1.4.1).
#[derive(Debug)]
pub(super) struct Create {
    /// Whether it may make, empty, replace or remove a file.
    pub(super) changes: bool,
    /// Whether the file is empty once it is open.
    pub(super) empties: bool,
    pub(super) path: String,
}

impl Create {
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        const OPEN: u32 = 1;
        const OPEN_IF: u32 = 3;
        const DELETE_ON_CLOSE: u32 = 0x1000;
        let mut reader = Reader::new(message.get(REQUEST..)?);
        // Desired access, allocation size, file attributes, shared access.
        reader.bytes(4 + 8 + 4 + 4)?;
        let (disposition, options, len) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let path = utf16_name(reader.bytes(usize::try_from(len).ok()?)?);
        let changes = disposition != OPEN || options & DELETE_ON_CLOSE != 0;
        Some(Self { changes, empties: disposition != OPEN && disposition != OPEN_IF, path })
    }
}

/// What a set information request does to a file, as far as it is followed (2.2.3.3.9).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SetInformation {
    Rename(String),
    EndOfFile(u64),
    Other,
}

impl SetInformation {
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        const RENAME: u32 = 10;
        const END_OF_FILE: u32 = 20;
        let mut reader = Reader::new(message.get(REQUEST..)?);
        let (class, _len) = (reader.u32()?, reader.u32()?);
        reader.bytes(24)?;
        match class {
            RENAME => {
                // Whether it replaces, root directory.
                reader.bytes(2)?;
                let len = usize::try_from(reader.u32()?).ok()?;
                Some(Self::Rename(utf16_name(reader.bytes(len)?)))
            }
            END_OF_FILE => reader.u64().map(Self::EndOfFile),
            _ => Some(Self::Other),
        }
    }
}

/// Whether a query information request asks for a file's size (2.2.3.3.8, `FileStandardInformation`).
pub(super) fn asks_for_size(message: &[u8]) -> bool {
    const STANDARD: u32 = 5;
    message.get(REQUEST..).and_then(|rest| Reader::new(rest).u32()) == Some(STANDARD)
}

/// The size in the completion of such a request (MS-FSCC 2.4.41).
pub(super) fn size(message: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(message.get(COMPLETION..)?);
    let (_len, _allocated) = (reader.u32()?, reader.u64()?);
    reader.u64()
}

/// A device that the viewer has (2.2.1.3).
#[derive(Debug)]
pub(super) struct Announced<'a> {
    pub(super) device_type: u32,
    pub(super) id: u32,
    pub(super) name: String,
    /// All of it, as it came.
    pub(super) entry: &'a [u8],
}

/// Reads a device list (2.2.2.9, 2.2.3.1); `None` if it is malformed.
pub(super) fn announced(message: &[u8]) -> Option<Vec<Announced<'_>>> {
    let mut reader = Reader::new(message.get(HEADER..)?);
    let count = reader.u32()?;
    let mut devices = Vec::new();
    for _ in 0..count {
        let before = reader.rest();
        let (device_type, id) = (reader.u32()?, reader.u32()?);
        let dos_name = ascii_name(reader.bytes(8)?);
        let len = usize::try_from(reader.u32()?).ok()?;
        let data = reader.bytes(len)?;
        let entry = before.get(..before.len() - reader.rest().len())?;
        let name = match device_type {
            super::PRINTER_TYPE => printer_name(data).filter(|name| !name.is_empty()),
            _ => None,
        };
        devices.push(Announced { device_type, id, name: name.unwrap_or(dos_name), entry });
    }
    Some(devices)
}

/// The name of a printer (MS-RDPEPC 2.2.2.1).
fn printer_name(data: &[u8]) -> Option<String> {
    const ASCII: u32 = 1;
    let mut reader = Reader::new(data);
    let (flags, _code_page) = (reader.u32()?, reader.u32()?);
    let mut len = || usize::try_from(reader.u32()?).ok();
    let (plug_and_play, driver, name, _cached) = (len()?, len()?, len()?, len()?);
    reader.bytes(plug_and_play)?;
    reader.bytes(driver)?;
    let name = reader.bytes(name)?;
    Some(if flags & ASCII != 0 { ascii_name(name) } else { utf16_name(name) })
}

/// Encodes a device list of entries as they came.
pub(super) fn announce<'a>(entries: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut message = header(CORE, packet::DEVICE_LIST_ANNOUNCE);
    message.extend(u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    entries.for_each(|entry| message.extend_from_slice(entry));
    message
}

/// Reads which devices go away (2.2.3.2); `None` if it is malformed.
pub(super) fn removed(message: &[u8]) -> Option<Vec<u32>> {
    let mut reader = Reader::new(message.get(HEADER..)?);
    let count = reader.u32()?;
    (0..count).map(|_| reader.u32()).collect()
}

/// Encodes which devices go away.
pub(super) fn remove(devices: &[u32]) -> Vec<u8> {
    let mut message = header(CORE, packet::DEVICE_LIST_REMOVE);
    message.extend(u32::try_from(devices.len()).unwrap_or(u32::MAX).to_le_bytes());
    devices.iter().for_each(|device| message.extend(device.to_le_bytes()));
    message
}

/// Whether a capabilities message (2.2.2.7) says that devices may go away; `None` if it is malformed.
pub(super) fn allows_removal(message: &[u8]) -> Option<bool> {
    const GENERAL: u16 = 1;
    const DEVICE_REMOVE_PDUS: u32 = 1;
    let mut reader = Reader::new(message.get(HEADER..)?);
    let (count, _padding) = (reader.u16()?, reader.u16()?);
    let mut allows = false;
    for _ in 0..count {
        let (capability, len) = (reader.u16()?, reader.u16()?);
        let mut set = Reader::new(reader.bytes(usize::from(len).checked_sub(4)?)?);
        if capability == GENERAL {
            // Version, operating system and its version, protocol version, I/O codes.
            set.bytes(4 + 4 + 4 + 4 + 4 + 4)?;
            allows = set.u32()? & DEVICE_REMOVE_PDUS != 0;
        }
    }
    Some(allows)
}
