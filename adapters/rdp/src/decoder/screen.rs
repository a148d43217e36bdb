//! The picture and the pointer.

use ironrdp_core::{Encode, ReadCursor, WriteBuf, decode_cursor, encode_buf, encode_vec};
use ironrdp_egfx::client::GraphicsPipelineClient;
use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_graphics::pointer::DecodedPointer;
use ironrdp_pdu::bitmap::{BitmapData, BitmapUpdateData, Compression};
use ironrdp_pdu::fast_path::{
    EncryptionFlags, FastPathHeader, FastPathUpdate, FastPathUpdatePdu, Fragmentation, UpdateCode,
};
use ironrdp_pdu::geometry::InclusiveRectangle;
use ironrdp_pdu::pointer::PointerUpdateData;
use ironrdp_pdu::surface_commands::{SURFACE_COMMAND_HEADER_SIZE, SurfaceBitsPdu, SurfaceCommand};
use ironrdp_session::composite_graphics_pipeline;
use ironrdp_session::fast_path::{Processor, ProcessorBuilder, UpdateKind};
use ironrdp_session::image::DecodedImage;
use passerelle_desktop::{Cursor, Damage, Framebuffer, FramebufferError, Pointer, Rect, Size, Tally};

use super::bitmap::{self, Bitmaps};
use super::skipped::Part;

/// How much of an update goes into one fast-path PDU, which holds at most 32 KiB.
const FRAGMENT: usize = 16 << 10;
/// `codecID`s that are decoded: raw pixels, and what viewers number RemoteFX.
const SURFACE_CODECS: [u8; 2] = [0, 3];
/// How many columns a bitmap may have beyond the desktop's, for targets that fill its rows up.
const MAX_PADDING: u16 = 64;

pub(super) struct Screen {
    /// The picture as the decoders need it.
    image: DecodedImage,
    processor: Processor,
    /// The picture as everybody else needs it.
    framebuffer: Framebuffer,
    /// What is on its way from one to the other.
    converted: Vec<u32>,
    bitmaps: Bitmaps,
    /// Where bitmaps were drawn in the framebuffer only.
    ahead: Rect,
    pointer: Pointer,
    position: Option<(u16, u16)>,
    active: bool,
}

impl Screen {
    /// A black picture of `size`, or of one pixel where no desktop can have that: what the viewer asked for may not
    /// keep anybody from seeing what it got.
    pub(super) fn new(size: Size) -> Self {
        let framebuffer = Framebuffer::new(size).unwrap_or_default();
        let size = framebuffer.size();
        Self {
            image: DecodedImage::new(PixelFormat::RgbA32, size.width, size.height),
            processor: processor(),
            framebuffer,
            converted: Vec::new(),
            bitmaps: Bitmaps::default(),
            ahead: Rect::default(),
            pointer: Pointer::Default,
            position: None,
            active: false,
        }
    }

    /// A share begins, or begins anew, with a desktop of `size`. The target sends all of the picture then; until
    /// it has come, a desktop of the same size keeps what it shows.
    pub(super) fn activate(&mut self, size: Size) -> Result<(), FramebufferError> {
        if size != self.framebuffer.size() {
            self.framebuffer = Framebuffer::new(size)?;
            self.image = DecodedImage::new(PixelFormat::RgbA32, size.width, size.height);
            self.ahead = Rect::default();
        }
        self.processor = processor();
        self.active = true;
        Ok(())
    }

    /// Makes all of the picture black.
    pub(super) fn blacken(&mut self) {
        self.framebuffer.fill(Rect::of(self.framebuffer.size()), 0);
    }

    /// Whether there has been a share.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Draws an update of the fast path, or one of the slow path that has the same form.
    pub(super) fn update(&mut self, code: UpdateCode, data: &[u8], tally: &mut Tally) {
        match code {
            UpdateCode::Orders => tally.add(Part::Orders),
            UpdateCode::Synchronize => {}
            UpdateCode::SurfaceCommands => self.surface_commands(data, tally),
            UpdateCode::Palette => self.fragments(code, data, tally),
            _ => match FastPathUpdate::decode_with_code(data, code) {
                Ok(FastPathUpdate::Bitmap(update)) => {
                    for bitmap in update.rectangles {
                        self.bitmap(bitmap, tally);
                    }
                }
                Ok(FastPathUpdate::Pointer(update)) => self.pointer_update(update, tally),
                _ => tally.add(Part::Malformed),
            },
        }
    }

    /// Draws one rectangle of a bitmap update, by itself so that a broken one is counted and the others drawn.
    fn bitmap(&mut self, bitmap: BitmapData<'_>, tally: &mut Tally) {
        // The decoder allocates what the bitmap says of itself.
        if bitmap.width > self.image.width().saturating_add(MAX_PADDING)
            || bitmap.height > self.image.height()
        {
            return tally.add(Part::Undecodable);
        }
        if bitmap::is_coloured(&bitmap) {
            let area = bitmap::destination(&bitmap, self.framebuffer.size());
            let pixels = area.and_then(|area| Some((area, self.bitmaps.pixels(&bitmap, area, tally)?)));
            let Some((area, pixels)) = pixels else { return tally.add(Part::Undecodable) };
            self.framebuffer.blit(area, pixels);
            self.ahead = self.ahead.hull(area);
            return;
        }
        self.process_bitmap(bitmap, tally);
    }

    /// Draws a pointer update.
    pub(super) fn pointer_update(&mut self, update: PointerUpdateData<'_>, tally: &mut Tally) {
        let (image, processor) = (&mut self.image, &mut self.processor);
        let shaped = matches!(
            update,
            PointerUpdateData::Color(_) | PointerUpdateData::New(_) | PointerUpdateData::Large(_)
        );
        let updates = tally.contain(|| processor.process_pointer_update(image, update).unwrap_or_default());
        if shaped && updates.iter().flatten().any(|update| matches!(update, UpdateKind::PointerDefault)) {
            tally.add(Part::PointerShape);
        }
        self.apply(updates, tally);
    }

    /// Draws surface commands (MS-RDPBCGR 2.2.9.2), each by itself.
    fn surface_commands(&mut self, data: &[u8], tally: &mut Tally) {
        let mut cursor = ReadCursor::new(data);
        while cursor.len() >= SURFACE_COMMAND_HEADER_SIZE {
            let Ok(command) = decode_cursor::<SurfaceCommand<'_>>(&mut cursor) else {
                return tally.add(Part::Malformed);
            };
            let (SurfaceCommand::SetSurfaceBits(bits) | SurfaceCommand::StreamSurfaceBits(bits)) = &command
            else {
                continue;
            };
            if let Err(part) = self.look(bits) {
                tally.add(part);
                continue;
            }
            match encode_vec(&command) {
                Ok(command) => self.fragments(UpdateCode::SurfaceCommands, &command, tally),
                Err(_) => tally.add(Part::Malformed),
            }
        }
    }

    /// Whether a surface command may go to its decoder.
    fn look(&self, bits: &SurfaceBitsPdu<'_>) -> Result<(), Part> {
        let codec = bits.extended_bitmap_data.codec_id;
        if !SURFACE_CODECS.contains(&codec) {
            return Err(Part::SurfaceCodec(codec));
        }
        let destination = &bits.destination;
        let within = destination.left < destination.right
            && destination.top < destination.bottom
            && destination.left < self.image.width()
            && destination.top < self.image.height();
        if within { Ok(()) } else { Err(Part::Undecodable) }
    }

    /// Draws in the image what is only in the framebuffer: others draw beside it, and what they drew is copied as a whole.
    fn catch_up(&mut self, tally: &mut Tally) {
        let area = std::mem::take(&mut self.ahead);
        let (Some(right), Some(bottom)) = (area.width.checked_sub(1), area.height.checked_sub(1)) else {
            return;
        };
        // From the bottom to the top: blue, green, red and a byte that means nothing.
        let rows: Vec<&[u32]> = self.framebuffer.rows(area).collect();
        let data: Vec<u8> = rows.into_iter().rev().flatten().flat_map(|pixel| pixel.to_le_bytes()).collect();
        let bitmap = BitmapData {
            rectangle: InclusiveRectangle {
                left: area.x,
                top: area.y,
                right: area.x.saturating_add(right),
                bottom: area.y.saturating_add(bottom),
            },
            width: area.width,
            height: area.height,
            bits_per_pixel: 32,
            compression_flags: Compression::empty(),
            compressed_data_header: None,
            bitmap_data: &data,
        };
        self.process_bitmap(bitmap, tally);
    }

    fn process_bitmap(&mut self, bitmap: BitmapData<'_>, tally: &mut Tally) {
        let (image, processor) = (&mut self.image, &mut self.processor);
        let update = BitmapUpdateData { rectangles: vec![bitmap] };
        let updates = tally.contain(|| processor.process_bitmap_update(image, update).unwrap_or_default());
        self.apply(updates, tally);
    }

    /// Has an update processed that can only be handed over as the fast-path PDUs in which it would come.
    fn fragments(&mut self, code: UpdateCode, data: &[u8], tally: &mut Tally) {
        self.catch_up(tally);
        let count = data.len().div_ceil(FRAGMENT);
        let (image, processor) = (&mut self.image, &mut self.processor);
        let updates = tally.contain(|| {
            let mut updates = Vec::new();
            let mut frame = WriteBuf::new();
            for (index, data) in data.chunks(FRAGMENT).enumerate() {
                let fragmentation = match (index, index + 1 == count) {
                    (0, true) => Fragmentation::Single,
                    (0, false) => Fragmentation::First,
                    (_, false) => Fragmentation::Next,
                    (_, true) => Fragmentation::Last,
                };
                let update = FastPathUpdatePdu {
                    fragmentation,
                    update_code: code,
                    compression_flags: None,
                    compression_type: None,
                    data,
                };
                frame.clear();
                let header = FastPathHeader::new(EncryptionFlags::empty(), update.size());
                if encode_buf(&header, &mut frame).and_then(|_| encode_buf(&update, &mut frame)).is_err() {
                    return vec![UpdateKind::None];
                }
                // What would be answered, acknowledgements of frames, goes nowhere.
                match processor.process(image, frame.filled(), &mut WriteBuf::new(), &mut None) {
                    Ok(more) => updates.extend(more),
                    Err(_) => return vec![UpdateKind::None],
                }
            }
            updates
        });
        self.apply(updates, tally);
    }

    /// Takes over what a decoder did. Nothing: it panicked, and is replaced.
    fn apply(&mut self, updates: Option<Vec<UpdateKind>>, tally: &mut Tally) {
        let Some(updates) = updates else {
            self.processor = processor();
            return;
        };
        for update in updates {
            match update {
                UpdateKind::None => tally.add(Part::Undecodable),
                UpdateKind::Orders(_) => tally.add(Part::Orders),
                UpdateKind::Region(region) => self.copy(&region),
                UpdateKind::PointerDefault => self.pointer = Pointer::Default,
                UpdateKind::PointerHidden => self.pointer = Pointer::Hidden,
                UpdateKind::PointerPosition { x, y } => self.position = Some((x, y)),
                UpdateKind::PointerBitmap(shape) => match cursor(&shape) {
                    Some(pointer) => self.pointer = pointer,
                    None => tally.add(Part::PointerShape),
                },
            }
        }
    }

    /// Draws the frames that the graphics pipeline completed.
    pub(super) fn compose(&mut self, client: &mut GraphicsPipelineClient, tally: &mut Tally) {
        self.catch_up(tally);
        let image = &mut self.image;
        let Some(composed) = tally.contain(|| composite_graphics_pipeline(client, image)) else { return };
        let Ok(composed) = composed else { return tally.add(Part::Undecodable) };
        tally.add_many(Part::Window, composed.window_updates.len() as u64);
        let size = Size { width: self.image.width(), height: self.image.height() };
        if composed.reset && size != self.framebuffer.size() {
            // The pipeline accepts no larger output than this.
            match Framebuffer::new(size) {
                Ok(framebuffer) => self.framebuffer = framebuffer,
                Err(_) => return tally.add(Part::Undecodable),
            }
        }
        if composed.reset {
            self.copy_all();
        }
        for region in &composed.regions {
            self.copy(region);
        }
    }

    fn copy_all(&mut self) {
        let (right, bottom) = (self.image.width().saturating_sub(1), self.image.height().saturating_sub(1));
        self.copy(&InclusiveRectangle { left: 0, top: 0, right, bottom });
    }

    /// Copies the pixels of `region` from the image to the framebuffer.
    fn copy(&mut self, region: &InclusiveRectangle) {
        let right = region.right.min(self.image.width().saturating_sub(1));
        let bottom = region.bottom.min(self.image.height().saturating_sub(1));
        let (Some(width), Some(height)) = (
            right.checked_sub(region.left).and_then(|width| width.checked_add(1)),
            bottom.checked_sub(region.top).and_then(|height| height.checked_add(1)),
        ) else {
            return;
        };
        let stride = self.image.stride();
        let (left, top) = (usize::from(region.left) * 4, usize::from(region.top));
        let data = self.image.data();
        self.converted.clear();
        for row in top..top + usize::from(height) {
            let start = row * stride + left;
            let row = data.get(start..start + usize::from(width) * 4).unwrap_or_default();
            let pixels =
                row.as_chunks::<4>().0.iter().map(|[r, g, b, _]| u32::from_be_bytes([0, *r, *g, *b]));
            self.converted.extend(pixels);
        }
        self.framebuffer.blit(Rect { x: region.left, y: region.top, width, height }, &self.converted);
    }

    pub(super) fn take_damage(&mut self) -> Damage {
        self.framebuffer.take_damage()
    }

    pub(super) fn framebuffer(&self) -> &Framebuffer {
        &self.framebuffer
    }

    pub(super) fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    pub(super) fn pointer_position(&self) -> Option<(u16, u16)> {
        self.position
    }
}

/// A decoder without history. The numbers are for what it would answer.
fn processor() -> Processor {
    ProcessorBuilder {
        io_channel_id: 0,
        user_channel_id: 0,
        share_id: 0,
        enable_server_pointer: true,
        pointer_software_rendering: false,
    }
    .build()
}

/// The shape of a decoded pointer; one without pixels is hidden.
fn cursor(pointer: &DecodedPointer) -> Option<Pointer> {
    let size = Size { width: pointer.width, height: pointer.height };
    if size.pixels() == 0 {
        return Some(Pointer::Hidden);
    }
    let pixels = pointer.bitmap_data.as_chunks::<4>().0;
    let pixels = pixels.iter().map(|[r, g, b, a]| u32::from_be_bytes([*a, *r, *g, *b])).collect();
    // Targets may point with a place beside the picture; the nearest pixel will do.
    let hotspot = (pointer.hotspot_x.min(size.width - 1), pointer.hotspot_y.min(size.height - 1));
    Cursor::new(size, hotspot, pixels).ok().map(Pointer::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 20, height: 10 };

    fn pixels(screen: &Screen) -> Vec<u32> {
        screen.framebuffer.rows(Rect::of(SIZE)).flatten().copied().collect()
    }

    #[test]
    fn bitmaps_look_as_the_library_draws_them_and_others_draw_on_them() {
        let noise: Vec<u8> = (0..4000u32).map(|i| (i * i / 7 + i) as u8).collect();
        // 32 bits, compressed, without RLE and alpha: the three planes, and a byte at the end.
        let planar = [&[0x20], noise.get(..7 * 3 * 3 + 1).unwrap()].concat();
        let (mut ours, mut theirs) = (Screen::new(SIZE), Screen::new(SIZE));
        let mut tally = Tally::default();
        for (depth, (left, top), columns, data) in [
            (15, (0, 0), 5, &noise[..8 * 2 * 3]),
            (16, (6, 0), 7, &noise[100..100 + 8 * 2 * 3]),
            (16, (13, 7), 6, &noise[200..200 + 8 * 2 * 3]),
            (24, (0, 4), 7, &noise[300..300 + 24 * 3]),
            (32, (8, 4), 7, &noise[400..400 + 7 * 4 * 3]),
            (32, (5, 3), 7, &planar),
            // One that reaches beyond the picture, one that is too short, and one whose place is another.
            (32, (15, 4), 7, &noise[..7 * 4 * 3]),
            (24, (0, 4), 7, &noise[..24 * 3 - 1]),
            (24, (0, 4), 9, &noise[..24 * 3]),
        ] {
            let bitmap = || BitmapData {
                rectangle: InclusiveRectangle { left, top, right: left + columns - 1, bottom: top + 2 },
                width: if depth == 15 || depth == 16 { 8 } else { 7 },
                height: 3,
                bits_per_pixel: depth,
                compression_flags: if data.len() == planar.len() {
                    Compression::BITMAP_COMPRESSION
                } else {
                    Compression::empty()
                },
                compressed_data_header: None,
                bitmap_data: data,
            };
            ours.bitmap(bitmap(), &mut tally);
            theirs.process_bitmap(bitmap(), &mut tally);
            assert_eq!(pixels(&ours), pixels(&theirs), "{depth} bits at {left}, {top}");
        }
        // Each of the last three, by both.
        assert!(matches!(tally.list(), [one] if one.count == 6), "{:?}", tally.list());
        assert!(pixels(&ours).iter().filter(|pixel| **pixel != 0).count() > 60);
        assert!(ours.image.data() != theirs.image.data());
        ours.catch_up(&mut tally);
        let seen = |screen: &Screen| -> Vec<[u8; 3]> {
            screen.image.data().as_chunks().0.iter().map(|[r, g, b, _]| [*r, *g, *b]).collect()
        };
        assert_eq!(seen(&ours), seen(&theirs));
        assert_eq!(pixels(&ours), pixels(&theirs));
    }
}
