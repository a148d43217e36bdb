//! The graphics pipeline (MS-RDPEGFX), as its target speaks.

use ironrdp_dvc::DvcProcessor;
use ironrdp_egfx::client::{GraphicsPipelineClient, GraphicsPipelineHandler};
use ironrdp_egfx::decode::H264Decoder;
use ironrdp_graphics::zgfx;
use passerelle_desktop::Tally;

use super::effort::Effort;
use super::screen::Screen;
use super::share::Reader;
use super::skipped::Part;

/// `RDPGFX_HEADER` (MS-RDPEGFX 2.2.1.5).
const HEADER: usize = 8;
/// `RDPGFX_CMDID_WIRETOSURFACE_1`.
const WIRE_TO_SURFACE_1: u16 = 0x0001;
/// `RDPGFX_CMDID_CACHEIMPORTREPLY`.
const CACHE_IMPORT_REPLY: u16 = 0x0011;
/// `RDPGFX_CODECID_AVC420`, `_AVC444` and `_AVC444v2` (MS-RDPEGFX 2.2.2.1).
const H264_CODECS: [u16; 3] = [0x000b, 0x000e, 0x000f];

/// A client of the pipeline that never answers.
pub(super) struct Graphics {
    /// Undoes the pipeline's own compression here, so that commands can be looked at one by one and a broken
    /// one does not take along those that came with it.
    decompressor: zgfx::Decompressor,
    client: GraphicsPipelineClient,
    h264: bool,
    effort: Effort,
    /// Something could not be decompressed: what builds on it would be wrong.
    lost: bool,
}

/// Nothing is asked of the pipeline but its pictures.
struct Unheard;

impl GraphicsPipelineHandler for Unheard {}

impl Graphics {
    pub(super) fn new() -> Self {
        let decoder = h264_decoder();
        Self {
            decompressor: zgfx::Decompressor::new(),
            h264: decoder.is_some(),
            effort: Effort::default(),
            client: GraphicsPipelineClient::new(Box::new(Unheard), decoder),
            lost: false,
        }
    }

    /// Draws what one message of the channel, which may hold several commands, brings.
    pub(super) fn receive(&mut self, message: &[u8], screen: &mut Screen, tally: &mut Tally) {
        if self.lost {
            return tally.add(Part::History);
        }
        let mut commands = Vec::new();
        let decompressor = &mut self.decompressor;
        if !matches!(tally.contain(|| decompressor.decompress(message, &mut commands)), Some(Ok(_))) {
            self.lost = true;
            return tally.add(Part::History);
        }
        self.effort.begin();
        let mut rest = commands.as_slice();
        while !rest.is_empty() {
            let Some((command, after)) = split_command(rest) else {
                tally.add(Part::Malformed);
                break;
            };
            rest = after;
            match self.look(command) {
                Ok(()) => self.execute(command, tally),
                Err(part) => tally.add(part),
            }
        }
        screen.compose(&mut self.client, tally);
    }

    /// Whether a command may go to its decoder.
    fn look(&mut self, command: &[u8]) -> Result<(), Part> {
        let mut reader = Reader(command);
        let kind = reader.u16().ok_or(Part::Malformed)?;
        let mut body = Reader(command.get(HEADER..).unwrap_or_default());
        match kind {
            WIRE_TO_SURFACE_1 => {
                let mut field = || body.u16().ok_or(Part::Malformed);
                let (surface, codec) = (field()?, field()?);
                if !self.h264 && H264_CODECS.contains(&codec) {
                    return Err(Part::H264);
                }
                // Past `pixelFormat`. The decoders allocate what the rectangle says, so it has to lie on its
                // surface, or in case of H.264 in the macroblocks that cover it.
                body.skip(1).ok_or(Part::Malformed)?;
                let mut field = || body.u16().ok_or(Part::Malformed);
                let (left, top, right, bottom) = (field()?, field()?, field()?, field()?);
                let surface = self.client.get_surface(surface).ok_or(Part::Undecodable)?;
                let covered = |side: u16| u32::from(side).next_multiple_of(64);
                let within = left < right
                    && top < bottom
                    && u32::from(right) <= covered(surface.width)
                    && u32::from(bottom) <= covered(surface.height);
                if !within {
                    return Err(Part::Undecodable);
                }
            }
            // The slots that it fills are filled from the viewer's disk.
            CACHE_IMPORT_REPLY if body.u16().ok_or(Part::Malformed)? > 0 => return Err(Part::CacheImport),
            _ => {}
        }
        if self.effort.spend(kind, command, &self.client) { Ok(()) } else { Err(Part::Excessive) }
    }

    fn execute(&mut self, command: &[u8], tally: &mut Tally) {
        let client = &mut self.client;
        let dropped = client.dropped_updates();
        match tally.contain(|| client.process(0, &zgfx::wrap_uncompressed(command)).is_ok()) {
            Some(true) => tally.add_many(Part::Undecodable, client.dropped_updates().saturating_sub(dropped)),
            Some(false) => tally.add(Part::Undecodable),
            None => {}
        }
    }
}

/// The command that `bytes` begin with, and what follows it.
fn split_command(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes);
    reader.skip(4)?;
    let len = usize::try_from(reader.u32()?).ok()?;
    if len < HEADER { None } else { bytes.split_at_checked(len) }
}

#[cfg(feature = "openh264")]
fn h264_decoder() -> Option<Box<dyn H264Decoder>> {
    let decoder = ironrdp_egfx::decode::OpenH264Decoder::new().ok()?;
    Some(Box::new(decoder))
}

#[cfg(not(feature = "openh264"))]
fn h264_decoder() -> Option<Box<dyn H264Decoder>> {
    None
}
