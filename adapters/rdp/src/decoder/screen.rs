//! The picture and the pointer.

use ironrdp_core::{Encode, ReadCursor, WriteBuf, decode_cursor, encode_buf, encode_vec};
use ironrdp_egfx::client::GraphicsPipelineClient;
use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_graphics::pointer::DecodedPointer;
use ironrdp_pdu::bitmap::{BitmapData, BitmapUpdateData};
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
        }
        self.processor = processor();
        self.active = true;
        Ok(())
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
        let (image, processor) = (&mut self.image, &mut self.processor);
        let update = BitmapUpdateData { rectangles: vec![bitmap] };
        let updates = tally.contain(|| processor.process_bitmap_update(image, update).unwrap_or_default());
        self.apply(updates, tally);
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

    /// Has an update processed that can only be handed over as the fast-path PDUs in which it would come.
    fn fragments(&mut self, code: UpdateCode, data: &[u8], tally: &mut Tally) {
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
