//! How much a message of the graphics pipeline may have done.

use std::collections::BTreeMap;

use ironrdp_core::decode;
use ironrdp_egfx::client::GraphicsPipelineClient;
use ironrdp_egfx::pdu::GfxPdu;
use ironrdp_pdu::geometry::ExclusiveRectangle;
use passerelle_desktop::Framebuffer;

/// `RDPGFX_CMDID_WIRETOSURFACE_1`, `_SOLIDFILL`, `_SURFACETOSURFACE`, `_SURFACETOCACHE`, `_CACHETOSURFACE`,
/// `_CREATESURFACE` and `_RESETGRAPHICS` (MS-RDPEGFX 2.2.1.5): they write what their length does not tell.
const COUNTED: [u16; 7] = [0x0001, 0x0004, 0x0005, 0x0006, 0x0007, 0x0009, 0x000e];

/// How many pixels the commands of one message may write. A command of a few bytes fills the largest surface
/// thousands of times, and a message holds millions of commands; a frame of a real target writes each pixel of its
/// desktop once or twice.
const MOST: usize = 2 * Framebuffer::MAX_PIXELS;

/// What commands cost, in pixels.
#[derive(Default)]
pub(super) struct Effort {
    /// By the commands of this message.
    spent: usize,
    /// The pixels of what was put into each slot of the cache, of which there are as many as numbers.
    slots: BTreeMap<u16, usize>,
}

impl Effort {
    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.spent = 0;
    }

    /// Whether a command may still be executed, and then counts it.
    pub(super) fn spend(&mut self, kind: u16, command: &[u8], client: &GraphicsPipelineClient) -> bool {
        let spent = self.spent.saturating_add(self.cost(kind, command, client));
        let affordable = spent <= MOST;
        if affordable {
            self.spent = spent;
        }
        affordable
    }

    /// Commands that can't be read, or that name what is not there, write nothing.
    fn cost(&mut self, kind: u16, command: &[u8], client: &GraphicsPipelineClient) -> usize {
        if !COUNTED.contains(&kind) {
            return 0;
        }
        let Ok(command) = decode::<GfxPdu>(command) else { return 0 };
        let clipped = |surface: u16, rect: &ExclusiveRectangle| {
            let surface = client.get_surface(surface)?;
            let side = |from: u16, to: u16, of: u16| usize::from(to.min(of).saturating_sub(from));
            Some(side(rect.left, rect.right, surface.width) * side(rect.top, rect.bottom, surface.height))
        };
        match command {
            GfxPdu::WireToSurface1(pdu) => clipped(pdu.surface_id, &pdu.destination_rectangle),
            GfxPdu::SolidFill(pdu) => pdu
                .rectangles
                .iter()
                .map(|rect| clipped(pdu.surface_id, rect))
                .try_fold(0usize, |sum, area| Some(sum.saturating_add(area?))),
            GfxPdu::SurfaceToSurface(pdu) => clipped(pdu.source_surface_id, &pdu.source_rectangle)
                .map(|area| area.saturating_mul(pdu.destination_points.len().saturating_add(1))),
            GfxPdu::SurfaceToCache(pdu) => {
                let area = clipped(pdu.surface_id, &pdu.source_rectangle);
                self.slots.extend(area.map(|area| (pdu.cache_slot, area)));
                area
            }
            GfxPdu::CacheToSurface(pdu) => {
                self.slots.get(&pdu.cache_slot).map(|area| area.saturating_mul(pdu.destination_points.len()))
            }
            GfxPdu::CreateSurface(pdu) => Some(usize::from(pdu.width) * usize::from(pdu.height)),
            GfxPdu::ResetGraphics(pdu) => usize::try_from(u64::from(pdu.width) * u64::from(pdu.height)).ok(),
            _ => None,
        }
        .unwrap_or_default()
    }
}
