//! A small RFB 3.8 client that loads a server: it frames what it receives (RFC 6143 and the TightVNC
//! encoding) and decodes nothing. It shares no code with the gateway, so that a mistake there cannot
//! hide here.

mod login;
mod transport;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

pub(crate) use login::Login;
pub(crate) use transport::Wire;
use transport::{Sender, Transport};

use crate::bench::clock;

/// Raw encoding.
pub(crate) const RAW: i32 = 0;
/// Tight encoding.
pub(crate) const TIGHT: i32 = 7;
/// ZRLE encoding.
pub(crate) const ZRLE: i32 = 16;
/// The pseudo-encodings that TigerVNC's viewer sends by default with Tight: JPEG quality 8 and
/// compression level 2.
pub(crate) const TIGHT_TUNING: [i32; 2] = [-24, -254];

/// Where a viewer connects and how it logs in.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The server or proxy.
    pub(crate) address: SocketAddr,
    /// How bytes travel to it.
    pub(crate) wire: Wire,
    /// What it asks for.
    pub(crate) login: Login,
}

/// A rectangle of the framebuffer: x, y, width, height.
pub(crate) type Area = (u16, u16, u16, u16);

/// What was seen of one FramebufferUpdate.
#[derive(Debug)]
pub(crate) struct Update {
    /// When its first byte was read.
    pub(crate) began: Instant,
    /// When its last byte was read.
    pub(crate) ended: Instant,
    /// Pixels in its rectangles.
    pub(crate) pixels: u64,
}

/// A logged-in viewer with a pixel format of 32 bits, depth 24, little-endian.
pub(crate) struct Viewer {
    transport: Transport,
    width: u16,
    height: u16,
}

/// Asks for updates while the viewer reads them.
pub(crate) struct Asking {
    sender: Sender,
}

impl Asking {
    /// Asks for an update like [`Viewer::request`].
    pub(crate) fn request(&mut self, incremental: bool, area: Area) -> Result<()> {
        self.sender.send(&update_request(incremental, area))
    }
}

/// FramebufferUpdateRequest (RFC 6143, section 7.5.3).
fn update_request(incremental: bool, (x, y, width, height): Area) -> Vec<u8> {
    let mut message = vec![3, u8::from(incremental)];
    message.extend([x, y, width, height].iter().flat_map(|number| number.to_be_bytes()));
    message
}

impl Viewer {
    /// Connects, logs in, and asks for `encodings` in this order of preference.
    pub(crate) fn connect(endpoint: &Endpoint, encodings: &[i32]) -> Result<Self> {
        let mut viewer =
            Self { transport: Transport::connect(endpoint.address, endpoint.wire)?, width: 0, height: 0 };
        let banner: [u8; 12] = viewer.array()?;
        ensure!(banner.starts_with(b"RFB 003.00"), "the server's first bytes are not RFB's");
        viewer.transport.send(b"RFB 003.008\n")?;
        viewer.log_in(&endpoint.login)?;
        viewer.transport.send(&[1])?; // ClientInit: shared
        viewer.width = u16::from_be_bytes(viewer.array()?);
        viewer.height = u16::from_be_bytes(viewer.array()?);
        viewer.array::<16>()?;
        viewer.skip_counted()?;
        // SetPixelFormat: 32 bits, depth 24, little-endian, true colour, shifts 16, 8, 0.
        viewer.transport.send(&[0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])?;
        let mut set_encodings = vec![2, 0];
        set_encodings.extend(u16::try_from(encodings.len())?.to_be_bytes());
        set_encodings.extend(encodings.iter().flat_map(|encoding| encoding.to_be_bytes()));
        viewer.transport.send(&set_encodings)?;
        Ok(viewer)
    }

    /// The whole framebuffer.
    pub(crate) fn screen(&self) -> Area {
        (0, 0, self.width, self.height)
    }

    /// Bytes that came from the peer so far, the handshake included.
    pub(crate) fn received(&self) -> u64 {
        self.transport.received()
    }

    /// Gives back the memory of the read buffer; for connections that stay idle.
    pub(crate) fn rest(&mut self) {
        self.transport.shrink();
    }

    /// Asks for an update: of the whole `area`, or of what changes in it.
    pub(crate) fn request(&mut self, incremental: bool, area: Area) -> Result<()> {
        self.transport.send(&update_request(incremental, area))
    }

    /// A way to ask for updates from another thread.
    pub(crate) fn asking(&self) -> Result<Asking> {
        Ok(Asking { sender: self.transport.sender()? })
    }

    /// Whether something of the server's is there, or comes within `patience`.
    pub(crate) fn waits_for(&mut self, patience: Duration) -> Result<bool> {
        self.transport.waits_for(patience)
    }

    /// Presses and releases the key `keysym`.
    pub(crate) fn press(&mut self, keysym: u32) -> Result<()> {
        let mut message = Vec::new();
        for down in [1, 0] {
            message.extend([4, down, 0, 0]);
            message.extend(keysym.to_be_bytes());
        }
        self.transport.send(&message)
    }

    /// Moves the pointer without pressing a button.
    pub(crate) fn point(&mut self, x: u16, y: u16) -> Result<()> {
        let mut message = vec![5, 0];
        message.extend([x, y].iter().flat_map(|number| number.to_be_bytes()));
        self.transport.send(&message)
    }

    /// Reads up to the end of the next FramebufferUpdate.
    pub(crate) fn update(&mut self) -> Result<Update> {
        self.update_into(&mut None)
    }

    /// Reads the next FramebufferUpdate and returns its bytes.
    pub(crate) fn capture(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Some(vec![0]);
        self.update_into(&mut bytes)?;
        Ok(bytes.unwrap_or_default())
    }

    fn update_into(&mut self, kept: &mut Option<Vec<u8>>) -> Result<Update> {
        loop {
            match self.array::<1>()?[0] {
                0 => break,
                2 => {} // Bell
                3 => {
                    self.array::<3>()?;
                    self.skip_counted()?;
                }
                other => bail!("the server sent message type {other}, which was not asked for"),
            }
        }
        let began = clock::now();
        let head: [u8; 3] = self.take(kept)?;
        let mut pixels = 0;
        for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
            let h: [u8; 12] = self.take(kept)?;
            let width = u16::from_be_bytes([h[4], h[5]]);
            let height = u16::from_be_bytes([h[6], h[7]]);
            pixels += u64::from(width) * u64::from(height);
            self.rectangle(
                i32::from_be_bytes([h[8], h[9], h[10], h[11]]),
                width.into(),
                height.into(),
                kept,
            )?;
        }
        Ok(Update { began, ended: clock::now(), pixels })
    }

    fn rectangle(
        &mut self,
        encoding: i32,
        width: usize,
        height: usize,
        kept: &mut Option<Vec<u8>>,
    ) -> Result<()> {
        match encoding {
            RAW => self.keep(width * height * 4, kept),
            ZRLE => {
                let length = u32::from_be_bytes(self.take(kept)?);
                self.keep(usize::try_from(length)?, kept)
            }
            TIGHT => self.tight(width, height, kept),
            other => bail!("the server sent encoding {other}, which was not asked for"),
        }
    }

    /// A Tight rectangle: control byte, then fill, JPEG, or basic compression with an optional filter.
    fn tight(&mut self, width: usize, height: usize, kept: &mut Option<Vec<u8>>) -> Result<()> {
        let control = self.take::<1>(kept)?[0];
        let uncompressed = match control >> 4 {
            8 => return self.keep(3, kept),
            9 => {
                let length = self.compact_length(kept)?;
                return self.keep(length, kept);
            }
            10.. => bail!("the server sent Tight compression {:#x}, which was not asked for", control >> 4),
            basic if basic & 4 == 0 => width * height * 3,
            _ => match self.take::<1>(kept)?[0] {
                1 => {
                    let colors = usize::from(self.take::<1>(kept)?[0]) + 1;
                    self.keep(colors * 3, kept)?;
                    if colors == 2 { width.div_ceil(8) * height } else { width * height }
                }
                0 | 2 => width * height * 3,
                filter => bail!("the server sent Tight filter {filter}, which does not exist"),
            },
        };
        let length = if uncompressed < 12 { uncompressed } else { self.compact_length(kept)? };
        self.keep(length, kept)
    }

    /// One to three bytes of seven, seven and eight bits, least significant first.
    fn compact_length(&mut self, kept: &mut Option<Vec<u8>>) -> Result<usize> {
        let mut length = 0;
        for shift in [0, 7, 14] {
            let byte = usize::from(self.take::<1>(kept)?[0]);
            if shift == 14 {
                return Ok(length | byte << 14);
            }
            length |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(length)
    }

    fn take<const N: usize>(&mut self, kept: &mut Option<Vec<u8>>) -> Result<[u8; N]> {
        let bytes = self.array()?;
        if let Some(kept) = kept {
            kept.extend(bytes);
        }
        Ok(bytes)
    }

    fn keep(&mut self, length: usize, kept: &mut Option<Vec<u8>>) -> Result<()> {
        match kept {
            Some(kept) => self.transport.consume(length, |piece| kept.extend(piece)),
            None => self.transport.consume(length, |_| {}),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        let mut filled = 0;
        self.transport.consume(N, |piece| {
            bytes[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        })?;
        Ok(bytes)
    }

    /// Skips a text with its length in 32 bits before it.
    fn skip_counted(&mut self) -> Result<()> {
        let length = u32::from_be_bytes(self.array()?);
        self.keep(usize::try_from(length)?, &mut None)
    }
}
