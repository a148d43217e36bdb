//! X displays that exist in memory and whose pixels are read there.
//!
//! Xvfb maps its framebuffer to a file, in the format of xwd: a header of big-endian words, a colour map, the
//! pixels. Reading it costs neither the X server nor its clients anything, so it can be done as often as the
//! times need.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bench::clock;
use crate::bench::content::{self, Content, free_display};
use crate::bench::process::{Process, command};

/// Size of every desktop.
pub(crate) const SIZE: (u32, u32) = (1280, 720);
/// Bytes of a pixel.
const PIXEL: u32 = 4;
/// Words of xwd's header (XWDFile.h), and where those are that matter.
const HEADER: usize = 25;
const HEADER_SIZE: usize = 0;
const BITS_PER_PIXEL: usize = 11;
const BYTES_PER_LINE: usize = 12;
const COLOURS: usize = 19;
/// Bytes of a colour in the file.
const COLOUR: u32 = 12;
/// How long an X server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A part of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A running display.
pub(crate) struct Display {
    // Fields are dropped in this order: the client ends before its server.
    content: Option<Process>,
    _server: Process,
    number: u32,
    pixels: File,
    offset: u32,
    line: u32,
    directory: PathBuf,
}

impl Display {
    /// Starts Xvfb.
    pub(crate) fn start(name: &str, parent: &Path) -> Result<Self> {
        let directory = parent.join(format!("{name}-display"));
        std::fs::create_dir(&directory)?;
        let number = free_display()?;
        let (width, height) = SIZE;
        let mut xvfb = command("Xvfb", [&format!(":{number}"), "-fbdir"]);
        xvfb.arg(&directory).args(["-screen", "0", &format!("{width}x{height}x24")]).args([
            "-nolisten",
            "tcp",
            "-ac",
            "-noreset",
        ]);
        let server = Process::start("xvfb", xvfb, &directory)?;
        let socket = format!("/tmp/.X11-unix/X{number}");
        let deadline = clock::now() + PATIENCE;
        let (pixels, offset, line) = loop {
            if let Some(found) = framebuffer(&directory.join("Xvfb_screen0"))
                && Path::new(&socket).exists()
            {
                break found;
            }
            ensure!(clock::now() < deadline, "Xvfb does not start");
            thread::sleep(Duration::from_millis(20));
        };
        Ok(Self { content: None, _server: server, number, pixels, offset, line, directory })
    }

    /// Its name, `:7`.
    pub(crate) fn name(&self) -> String {
        format!(":{}", self.number)
    }

    /// Replaces what is on the screen, over a coloured ground, and gives it time to appear.
    pub(crate) fn show(&mut self, content: Option<Content>) -> Result<()> {
        content::replace(&mut self.content, content, self.number, &self.directory)
    }

    /// Whether the screen is black at its four corners, all of them (`Some(true)`) or none (`Some(false)`).
    pub(crate) fn corners_black(&self) -> Result<Option<bool>> {
        const INSET: u32 = 16;
        let (right, bottom) = (SIZE.0 - INSET, SIZE.1 - INSET);
        let mut black = 0;
        for (x, y) in [(INSET, INSET), (right, INSET), (INSET, bottom), (right, bottom)] {
            let mut pixel = [0; PIXEL as usize];
            self.pixels.read_exact_at(&mut pixel, self.place(x, y))?;
            black += u32::from(matches!(pixel, [0, 0, 0, _]));
        }
        Ok(match black {
            0 => Some(false),
            4 => Some(true),
            _ => None,
        })
    }

    /// A number that changes with the pixels of `area`.
    pub(crate) fn fingerprint(&self, area: Area) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        let mut row = vec![0; (area.width * PIXEL) as usize];
        for y in area.y..area.y + area.height {
            self.pixels.read_exact_at(&mut row, self.place(area.x, y))?;
            hasher.write(&row);
        }
        Ok(hasher.finish())
    }

    /// Where a pixel is in the file.
    fn place(&self, x: u32, y: u32) -> u64 {
        u64::from(self.offset + y * self.line + x * PIXEL)
    }
}

/// The file with the framebuffer, where its pixels begin, and the bytes of a line; none while the X server has
/// not written its header.
fn framebuffer(path: &Path) -> Option<(File, u32, u32)> {
    let pixels = File::open(path).ok()?;
    let mut header = [0; HEADER * 4];
    pixels.read_exact_at(&mut header, 0).ok()?;
    let word = |index: usize| {
        let bytes = header.chunks_exact(4).nth(index)?;
        bytes.try_into().ok().map(u32::from_be_bytes)
    };
    (word(BITS_PER_PIXEL)? == PIXEL * 8).then_some(())?;
    let offset = word(HEADER_SIZE)? + word(COLOURS)? * COLOUR;
    Some((pixels, offset, word(BYTES_PER_LINE)?))
}
