//! How much of anything a peer may ask for.

/// Bounds on what peers announce. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pixels in a framebuffer.
    pub pixels: u32,
    /// Pixels along one side of a cursor.
    pub cursor_side: u16,
    /// The desktop's name.
    pub name: u32,
    /// The content of a cut text message, compressed where it is, without its 8 bytes of header.
    /// A longer one is reported and can be skipped without being held in memory.
    pub cut_text: u32,
    /// The payload of a Fence message. The extension allows 64.
    pub fence: u8,
    /// Entries in a SetEncodings message.
    pub encodings: u16,
    /// The samples in one QEMU audio message.
    pub audio: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pixels: 64 << 20,
            cursor_side: 1024,
            name: 4096,
            cut_text: 1 << 20,
            fence: 64,
            encodings: 1024,
            audio: 1 << 20,
        }
    }
}

impl Limits {
    /// Whether a desktop of this size has pixels at all and not too many of them.
    pub const fn allows_desktop(&self, width: u16, height: u16) -> bool {
        let pixels = width as u32 * height as u32;
        pixels > 0 && pixels <= self.pixels
    }
}
