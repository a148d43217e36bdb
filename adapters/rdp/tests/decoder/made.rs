//! Updates that no server at hand sends.

use std::borrow::Cow;

use ironrdp_bulk::{BulkCompressor, CompressionType};
use ironrdp_core::encode_vec;
use ironrdp_dvc::pdu::{CreateRequestPdu, DataFirstPdu, DataPdu, DrdynvcDataPdu, DrdynvcServerPdu};
use ironrdp_egfx::CHANNEL_NAME;
use ironrdp_graphics::zgfx::wrap_uncompressed;
use passerelle_desktop::{DecodeError, Decoder as _, FramebufferError, Pointer, Rect, Size, Skipped};
use passerelle_rdp::decoder::{Part, RdpDecoder};

use crate::harness::{
    DRDYNVC, IO, begun, bitmap, decoder, demand_active, fast_path, picture, send_data, share_data, start,
};

const AREA: Rect = Rect { x: 8, y: 4, width: 32, height: 20 };
/// Fast-path update codes and fragmentations (MS-RDPBCGR 2.2.9.1.2.1).
const BITMAP: u8 = 0x01;
const SURFACE_COMMANDS: u8 = 0x04;
const LAST: u8 = 0x10;
const FIRST: u8 = 0x20;

/// Asserts that only `AREA` has the colour and nothing else has any.
fn assert_drawn(decoder: &RdpDecoder, colour: u32) {
    let width = decoder.framebuffer().size().width;
    for (at, pixel) in (0u32..).zip(picture(decoder)) {
        let (x, y) = ((at % u32::from(width)) as u16, (at / u32::from(width)) as u16);
        assert_eq!(pixel, if AREA.contains(x, y) { colour } else { 0 }, "{x},{y}");
    }
}

fn count(part: Part, count: u64) -> [Skipped; 1] {
    [Skipped { what: part.into(), count }]
}

#[test]
fn both_paths_draw_the_same_bitmap() {
    let update = bitmap(AREA, 0x0012_3456);
    for wire in [fast_path(BITMAP, None, &update), send_data(IO, &share_data(2, 0, &update))] {
        let mut decoder = decoder();
        decoder.target(&wire).unwrap();
        assert_drawn(&decoder, 0x0012_3456);
        assert_eq!(decoder.skipped(), []);
    }
}

#[test]
fn fragments_may_be_compressed_one_by_one() {
    let update = bitmap(AREA, 0x0065_4321);
    let (first, last) = update.split_at(update.len() / 2);
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    let (len, flags) = compressor.compress(first).unwrap();
    let flags = u8::try_from(flags).unwrap();
    assert!(flags & 0x20 != 0, "it is compressed");
    let mut wire = fast_path(BITMAP | FIRST, Some(flags), compressor.compressed_data(len));
    // Without a compression field, as servers send what would not shrink.
    wire.extend(fast_path(BITMAP | LAST, None, last));
    let mut decoder = decoder();
    decoder.target(&wire).unwrap();
    assert_drawn(&decoder, 0x0065_4321);
    assert_eq!(decoder.skipped(), []);
}

#[test]
fn one_history_serves_updates_and_channels() {
    let update = bitmap(AREA, 0x0001_0203);
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    // A channel's chunk comes first, so that the update refers to it.
    let (len, flags) = compressor.compress(&update).unwrap();
    let mut chunk = u32::try_from(update.len()).unwrap().to_le_bytes().to_vec();
    chunk.extend((3 | flags << 16).to_le_bytes());
    chunk.extend(compressor.compressed_data(len));
    let mut wire = send_data(1005, &chunk);
    let (len, flags) = compressor.compress(&update).unwrap();
    assert!(len < 60, "it refers to the chunk: {len} bytes");
    let compressed = compressor.compressed_data(len);
    wire.extend(send_data(IO, &share_data(2, flags.try_into().unwrap(), compressed)));
    let mut start = start();
    start.static_channels.push(("cliprdr".into(), 1005));
    let mut decoder = begun(&start);
    decoder.target(&wire).unwrap();
    assert_drawn(&decoder, 0x0001_0203);
    assert_eq!(decoder.skipped(), []);
}

#[test]
fn a_lost_history_is_counted_until_it_begins_anew() {
    let update = bitmap(AREA, 0x0001_0203);
    let mut decoder = decoder();
    // A reference into an empty history, then something compressed with what was lost.
    decoder.target(&fast_path(BITMAP, Some(0x21), &[0xff; 8])).unwrap();
    let mut compressor = BulkCompressor::new(CompressionType::Rdp5);
    let (len, flags) = compressor.compress(&update).unwrap();
    let flags = u8::try_from(flags).unwrap();
    let compressed = compressor.compressed_data(len);
    decoder.target(&fast_path(BITMAP, Some(flags & !0xc0), compressed)).unwrap();
    assert_eq!(decoder.skipped(), count(Part::History, 2));
    decoder.target(&fast_path(BITMAP, Some(flags | 0xc0), compressed)).unwrap();
    assert_drawn(&decoder, 0x0001_0203);
    assert_eq!(decoder.skipped(), count(Part::History, 2));
}

#[test]
fn what_cannot_be_drawn_is_counted() {
    let mut decoder = decoder();
    for (wire, part) in [
        (fast_path(0, None, &[1, 0, 9]), Part::Orders),
        (send_data(IO, &share_data(2, 0, &[0, 0, 0, 0, 1, 0, 0, 0])), Part::Orders),
        (fast_path(SURFACE_COMMANDS, None, &surface_bits(1, 2, &[0; 16])), Part::SurfaceCodec(1)),
        (fast_path(SURFACE_COMMANDS, None, &surface_bits(3, 2, b"no blocks")), Part::Undecodable),
        // An empty rectangle, on which arithmetic goes below zero.
        (fast_path(SURFACE_COMMANDS, None, &surface_bits(3, 0, &[])), Part::Undecodable),
        (fast_path(BITMAP, None, &bitmap(Rect { x: 60, ..AREA }, 1)), Part::Undecodable),
        (fast_path(BITMAP, None, &[1, 0, 9]), Part::Malformed),
        (fast_path(0x0d, None, &[]), Part::Malformed),
        (send_data(IO, &[40, 0, 0x17, 0, 0, 0]), Part::Malformed),
        (vec![3, 0, 0, 9, 2, 0xf0, 0x80, 0x64, 0], Part::Malformed),
    ] {
        let before = decoder.skipped().iter().map(|skipped| skipped.count).sum::<u64>();
        let name: Cow<'static, str> = part.into();
        let of =
            |decoder: &RdpDecoder| decoder.skipped().iter().find(|s| s.what == name).map_or(0, |s| s.count);
        let known = of(&decoder);
        decoder.target(&wire).unwrap();
        assert_eq!(of(&decoder), known + 1, "{name}: {:?}", decoder.skipped());
        assert_eq!(decoder.skipped().iter().map(|skipped| skipped.count).sum::<u64>(), before + 1, "{name}");
    }
    assert!(picture(&decoder).iter().all(|pixel| *pixel == 0));
    decoder.target(&fast_path(BITMAP, None, &bitmap(AREA, 7))).unwrap();
    assert_drawn(&decoder, 7);
}

/// A Set Surface Bits command for a square with sides of `side` pixels.
fn surface_bits(codec: u8, side: u16, data: &[u8]) -> Vec<u8> {
    let mut command = vec![1, 0];
    for field in [0, 0, side, side] {
        command.extend(u16::to_le_bytes(field));
    }
    command.extend([32, 0, 0, codec]);
    command.extend(side.to_le_bytes());
    command.extend(side.to_le_bytes());
    command.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    command.extend(data);
    command
}

#[test]
fn the_target_says_how_large_its_desktop_is() {
    let mut start = start();
    (start.width, start.height) = (65_535, 65_535);
    let mut decoder = begun(&start);
    decoder.target(&demand_active(64, 48)).unwrap();
    decoder.target(&fast_path(BITMAP, None, &bitmap(AREA, 5))).unwrap();
    assert_drawn(&decoder, 5);
    // Beginning anew with the same size keeps the picture, with another one does not.
    decoder.target(&demand_active(64, 48)).unwrap();
    assert_drawn(&decoder, 5);
    decoder.target(&demand_active(80, 50)).unwrap();
    let size = Size { width: 80, height: 50 };
    assert_eq!((decoder.framebuffer().size(), decoder.take_damage().rects()), (size, &[Rect::of(size)][..]));
    assert!(picture(&decoder).iter().all(|pixel| *pixel == 0));
    let huge = Size { width: 20_000, height: 20_000 };
    let error = decoder.target(&demand_active(20_000, 20_000));
    assert_eq!(error, Err(DecodeError::Desktop(FramebufferError::TooLarge(huge))));
}

#[test]
fn bytes_that_are_no_pdu_end_it() {
    for wire in [&[0x55u8, 1, 2][..], &[0x00, 1], &[0x03, 0, 0, 0]] {
        assert!(matches!(decoder().target(wire), Err(DecodeError::Framing(_))));
    }
}

#[test]
fn nothing_is_drawn_without_a_start_that_is_known() {
    let mut later = start();
    later.version = 2;
    let mut decoder = RdpDecoder::new();
    assert!(matches!(decoder.target(&[3]), Err(DecodeError::State(_))));
    for entry in [&later.encode()[..], b"{}", b""] {
        assert!(matches!(decoder.state(entry), Err(DecodeError::State(_))));
    }
    assert_eq!(decoder.framebuffer().size(), Size { width: 1, height: 1 });
}

#[test]
fn pointers_change_and_move() {
    let mut decoder = decoder();
    assert!(matches!(decoder.pointer(), Pointer::Default));
    // Color pointer 1x1 of 24 bits, opaque.
    let shape = [0, 0, 9, 0, 9, 0, 1, 0, 1, 0, 2, 0, 4, 0, 0x30, 0x20, 0x10, 0, 0, 0, 0];
    decoder.target(&fast_path(9, None, &shape)).unwrap();
    let Pointer::Shape(cursor) = decoder.pointer() else { panic!("{:?}", decoder.skipped()) };
    assert_eq!((cursor.hotspot(), cursor.pixels()), ((0, 0), &[0xff10_2030][..]));
    decoder.target(&fast_path(5, None, &[])).unwrap();
    assert!(matches!(decoder.pointer(), Pointer::Hidden));
    // The same in the slow path: cached, then moved.
    decoder.target(&send_data(IO, &share_data(0x1b, 0, &[7, 0, 0, 0, 0, 0]))).unwrap();
    assert!(matches!(decoder.pointer(), Pointer::Shape(_)));
    decoder.target(&send_data(IO, &share_data(0x1b, 0, &[3, 0, 0, 0, 5, 0, 6, 0]))).unwrap();
    assert_eq!(decoder.pointer_position(), Some((5, 6)));
    // A shape without enough bits.
    let broken = [0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 0, 0, 0, 0];
    decoder.target(&fast_path(9, None, &broken)).unwrap();
    assert!(matches!(decoder.pointer(), Pointer::Default));
    assert_eq!(decoder.skipped(), count(Part::PointerShape, 1));
}

/// A chunk with all of a `drdynvc` PDU.
fn dynamic(pdu: &DrdynvcServerPdu) -> Vec<u8> {
    let pdu = encode_vec(pdu).unwrap();
    let mut chunk = u32::try_from(pdu.len()).unwrap().to_le_bytes().to_vec();
    chunk.extend([3, 0, 0, 0]);
    chunk.extend(pdu);
    send_data(DRDYNVC, &chunk)
}

fn create_graphics(id: u32) -> Vec<u8> {
    dynamic(&DrdynvcServerPdu::Create(CreateRequestPdu::new(id, CHANNEL_NAME.into())))
}

fn graphics_message(commands: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut message = Vec::new();
    for (kind, body) in commands {
        message.extend(kind.to_le_bytes());
        message.extend([0, 0]);
        message.extend(u32::try_from(body.len() + 8).unwrap().to_le_bytes());
        message.extend(body);
    }
    wrap_uncompressed(&message)
}

fn graphics(id: u32, commands: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let message = graphics_message(commands);
    dynamic(&DrdynvcServerPdu::Data(DrdynvcDataPdu::Data(DataPdu::new(id, message))))
}

fn fields(fields: &[u16]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_le_bytes()).collect()
}

/// Confirmed capabilities, an output and a surface of 64x48 pixels, mapped (MS-RDPEGFX 2.2.2).
fn pipeline() -> Vec<(u16, Vec<u8>)> {
    let mut reset = fields(&[64, 0, 48, 0, 0, 0]);
    reset.resize(332, 0);
    let mut create = fields(&[1, 64, 48]);
    create.push(0x20);
    vec![
        (0x13, [0x0008_0004u32, 4, 0].into_iter().flat_map(u32::to_le_bytes).collect()),
        (0x0e, reset),
        (0x09, create),
        (0x0f, fields(&[1, 0, 0, 0, 0, 0])),
    ]
}

/// A frame that fills `AREA`.
fn frame(colour: u32) -> Vec<(u16, Vec<u8>)> {
    let mut fill = fields(&[1]);
    fill.extend(colour.to_le_bytes());
    fill.extend(fields(&[1, AREA.x, AREA.y, AREA.x + AREA.width, AREA.y + AREA.height]));
    vec![(0x0b, fields(&[0, 0, 1, 0])), (0x04, fill), (0x0c, fields(&[1, 0]))]
}

#[test]
fn the_graphics_pipeline_may_be_opened_again() {
    let mut decoder = decoder();
    for (id, colour) in [(7, 0x0011_2233), (9, 0x0044_5566)] {
        let mut wire = create_graphics(id);
        wire.extend(graphics(id, &pipeline()));
        wire.extend(graphics(id, &frame(colour)));
        // Nobody listens to this one.
        wire.extend(dynamic(&DrdynvcServerPdu::Create(CreateRequestPdu::new(
            3,
            "AUDIO_PLAYBACK_DVC".into(),
        ))));
        wire.extend(graphics(3, &frame(0x00ff_ffff)));
        decoder.target(&wire).unwrap();
        assert_eq!(decoder.skipped(), []);
        assert_drawn(&decoder, colour);
    }
}

#[test]
fn a_broken_command_does_not_take_the_others_along() {
    let mut decoder = decoder();
    decoder.target(&create_graphics(7)).unwrap();
    decoder.target(&graphics(7, &pipeline())).unwrap();
    // Planar pixels that would be 17 GB, for an unknown surface, and too few; an import of cached pixels; and a
    // command that does not exist.
    let mut commands = frame(0x0000_aa00);
    let wire_to_surface = |surface: u16, codec: u16, right: u16| {
        let mut body = fields(&[surface, codec]);
        body.push(0x20);
        body.extend(fields(&[0, 0, right, right, 2, 0, 0x1010]));
        (0x01, body)
    };
    commands.insert(1, wire_to_surface(1, 0x0a, 65_535));
    commands.insert(1, wire_to_surface(5, 0x0a, 8));
    commands.insert(1, wire_to_surface(1, 0x0a, 8));
    commands.insert(1, (0x11, fields(&[1, 4])));
    commands.insert(1, (0x77, vec![]));
    decoder.target(&graphics(7, &commands)).unwrap();
    assert_drawn(&decoder, 0x0000_aa00);
    let mut skipped = decoder.skipped().to_vec();
    skipped.sort_by_key(|skipped| skipped.count);
    let expected = [count(Part::CacheImport, 1), count(Part::Undecodable, 4)].concat();
    assert_eq!(skipped, expected);
}

#[test]
fn commands_that_write_too_much_are_left_out() {
    let mut decoder = decoder();
    decoder.target(&create_graphics(7)).unwrap();
    decoder.target(&graphics(7, &pipeline())).unwrap();
    // Another surface, put into the cache, and each way to write all of it 40 times.
    let (width, height) = (4096, 1024);
    let rect = [0, 0, width, height];
    let mut create = fields(&[2, width, height]);
    create.push(0x20);
    let mut fill = fields(&[2, 0, 0, 40]);
    fill.extend(fields(&rect.repeat(40)));
    let points = [40].into_iter().chain([0; 80]);
    let copy: Vec<u16> = [2, 2].into_iter().chain(rect).chain(points.clone()).collect();
    let cache: Vec<u16> = [2, 1, 0, 0, 0, 5].into_iter().chain(rect).collect();
    let from_cache: Vec<u16> = [5, 2].into_iter().chain(points).collect();
    let mut commands = vec![
        (0x09, create),
        (0x04, fill),
        (0x05, fields(&copy)),
        (0x06, fields(&cache)),
        (0x07, fields(&from_cache)),
    ];
    commands.extend(frame(0x0011_2233));
    decoder.target(&graphics(7, &commands)).unwrap();
    assert_eq!(decoder.skipped(), count(Part::Excessive, 3));
    assert_drawn(&decoder, 0x0011_2233);
}

#[test]
fn messages_are_put_together_and_bounded() {
    let mut decoder = decoder();
    decoder.target(&create_graphics(7)).unwrap();
    decoder.target(&graphics(7, &pipeline())).unwrap();
    let message = graphics_message(&frame(0x0000_00bb));
    let (head, tail) = message.split_at(20);
    let first = DataFirstPdu::new(7, message.len().try_into().unwrap(), head.to_vec());
    let mut wire = dynamic(&DrdynvcServerPdu::Data(DrdynvcDataPdu::DataFirst(first)));
    wire.extend(dynamic(&DrdynvcServerPdu::Data(DrdynvcDataPdu::Data(DataPdu::new(7, tail.to_vec())))));
    decoder.target(&wire).unwrap();
    assert_drawn(&decoder, 0x0000_00bb);
    assert_eq!(decoder.skipped(), []);
    let endless = DataFirstPdu::new(7, u32::MAX, vec![0; 9]);
    decoder.target(&dynamic(&DrdynvcServerPdu::Data(DrdynvcDataPdu::DataFirst(endless)))).unwrap();
    assert_eq!(decoder.skipped(), count(Part::TooLong, 1));
}
