mod data;
mod files;
mod hostile;
mod lists;

use ironrdp_cliprdr::pdu::*;
use ironrdp_core::encode_vec;
use passerelle_desktop::*;

use super::Clipboard;
use crate::relay::RelayViolation;
use crate::relay::channel::{Chunk, Verdict};
use crate::relay::rig::{CHUNK, NOTHING};

type Rig = crate::relay::rig::Rig<Clipboard>;

impl Rig {
    /// Everything is permitted and nothing has happened.
    fn new() -> Self {
        Self::with(Clipboard::new())
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
