//! Fixtures, and what a target would send.

use std::path::PathBuf;

use ironrdp_core::encode_vec;
use ironrdp_pdu::mcs::SendDataIndication;
use ironrdp_pdu::x224::X224;
use passerelle_desktop::{Decoder as _, Rect, Size};
use passerelle_rdp::Start;
use passerelle_rdp::decoder::RdpDecoder;

pub(crate) const IO: u16 = 1003;
pub(crate) const DRDYNVC: u16 = 1004;

/// A recording of a stock server with a stock client, and the client's screenshot at its end.
pub(crate) struct Fixture {
    pub(crate) start: Start,
    pub(crate) wire: Vec<u8>,
    pub(crate) size: Size,
    pub(crate) screenshot: Vec<u32>,
}

impl Fixture {
    pub(crate) fn read(name: &str) -> Self {
        let path = |extension: &str| {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join(format!("tests/decoder/fixtures/{name}.{extension}"))
        };
        let read = |extension| std::fs::read(path(extension)).unwrap();
        let start = Start::decode(&read("json")).unwrap();
        let image = std::fs::File::open(path("png")).unwrap();
        let mut png = png::Decoder::new(std::io::BufReader::new(image)).read_info().unwrap();
        let mut bytes = vec![0; png.output_buffer_size().unwrap()];
        let info = png.next_frame(&mut bytes).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        let size = Size { width: info.width.try_into().unwrap(), height: info.height.try_into().unwrap() };
        let screenshot =
            bytes.as_chunks().0.iter().map(|[r, g, b]| u32::from_be_bytes([0, *r, *g, *b])).collect();
        Self { start, wire: read("bin"), size, screenshot }
    }
}

/// A session with a picture of 64x48 pixels, `drdynvc` and bulk compression.
pub(crate) fn start() -> Start {
    Start {
        version: 1,
        width: 64,
        height: 48,
        user_channel: 1002,
        io_channel: IO,
        message_channel: None,
        static_channels: vec![("drdynvc".into(), DRDYNVC)],
        compression: Some(1),
        plain: false,
    }
}

pub(crate) fn decoder() -> RdpDecoder {
    begun(&start())
}

/// A decoder of the session that begins with `start`.
pub(crate) fn begun(start: &Start) -> RdpDecoder {
    let mut decoder = RdpDecoder::new();
    decoder.state(&start.encode()).unwrap();
    decoder
}

/// The whole picture, row by row.
pub(crate) fn picture(decoder: &RdpDecoder) -> Vec<u32> {
    let framebuffer = decoder.framebuffer();
    framebuffer.rows(Rect::of(framebuffer.size())).flatten().copied().collect()
}

/// What the target sends on a channel.
pub(crate) fn send_data(channel_id: u16, user_data: &[u8]) -> Vec<u8> {
    encode_vec(&X224(SendDataIndication { initiator_id: 1002, channel_id, user_data: user_data.into() }))
        .unwrap()
}

/// Demand Active with a bitmap capability set behind one that nobody knows.
pub(crate) fn demand_active(width: u16, height: u16) -> Vec<u8> {
    let mut sets = vec![0xee, 0xee, 6, 0, 9, 9];
    sets.extend([2, 0, 28, 0]);
    sets.extend([32, 0, 1, 0, 1, 0, 1, 0]);
    sets.extend(width.to_le_bytes());
    sets.extend(height.to_le_bytes());
    sets.resize(sets.len() + 12, 0);
    let mut body = vec![0, 0, 1, 0, 4, 0];
    body.extend(u16::try_from(sets.len() + 4).unwrap().to_le_bytes());
    body.extend(*b"RDP\0");
    body.extend([2, 0, 0, 0]);
    body.extend(sets);
    body.extend([0; 4]);
    send_data(IO, &share(0x11, &body))
}

/// A share control PDU.
pub(crate) fn share(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut pdu = u16::try_from(body.len() + 6).unwrap().to_le_bytes().to_vec();
    pdu.extend(kind.to_le_bytes());
    pdu.extend([0xea, 3]);
    pdu.extend(body);
    pdu
}

/// A share data PDU, with its compression flags.
pub(crate) fn share_data(kind: u8, compression: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0, 0, 1, 0, 0, kind, compression, 0, 0];
    body.extend(data);
    share(0x17, &body)
}

/// A fast-path PDU with one update: `header` is its code and fragmentation.
pub(crate) fn fast_path(header: u8, compression: Option<u8>, data: &[u8]) -> Vec<u8> {
    let mut update = vec![header | if compression.is_some() { 0x80 } else { 0 }];
    update.extend(compression);
    update.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    update.extend(data);
    let len = u16::try_from(update.len() + 3).unwrap() | 0x8000;
    let mut pdu = vec![0];
    pdu.extend(len.to_be_bytes());
    pdu.extend(update);
    pdu
}

/// A bitmap update (MS-RDPBCGR 2.2.9.1.1.3.1.2) with one rectangle of raw pixels in one colour.
pub(crate) fn bitmap(area: Rect, colour: u32) -> Vec<u8> {
    let mut update = vec![1, 0, 1, 0];
    let (right, bottom) = (area.x + area.width - 1, area.y + area.height - 1);
    for field in [area.x, area.y, right, bottom, area.width, area.height, 32, 0] {
        update.extend(field.to_le_bytes());
    }
    update.extend(u16::try_from(area.pixels() * 4).unwrap().to_le_bytes());
    for _ in 0..area.pixels() {
        update.extend(colour.to_le_bytes());
    }
    update
}

/// The PDUs in `wire`, which is whole.
pub(crate) fn pdus(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut pdus = Vec::new();
    while let Ok(Some(info)) = ironrdp_pdu::find_size(wire) {
        let Some((pdu, rest)) = wire.split_at_checked(info.length) else { break };
        pdus.push(pdu.to_vec());
        wire = rest;
    }
    pdus
}
