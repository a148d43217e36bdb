//! What `ffmpeg` makes of the viewer's screen: a video as screen recorders write them, and lossless pictures.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::bench::clock;
use crate::bench::process::{Process, command};
use crate::bench::rdp::display::{Display, SIZE};

/// Frames a second, which is what the moving region has.
const RATE: &str = "10";

/// A running screen recording.
pub(super) struct Capture {
    process: Process,
    file: PathBuf,
    began: Instant,
    cpu: f64,
}

/// What a screen recording came to, for each second of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Captured {
    pub(super) bytes: f64,
    pub(super) cpu: f64,
}

impl Capture {
    /// Records `display` as H.264 with libx264's preset `veryfast` and its usual quality.
    pub(super) fn video(display: &Display, directory: &Path) -> Result<Self> {
        let arguments = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-f", "matroska"];
        Self::start("x264", display, directory, &arguments)
    }

    /// Records every frame of `display` that differs from the one before as a PNG picture.
    pub(super) fn pictures(display: &Display, directory: &Path) -> Result<Self> {
        let arguments =
            ["-vf", "mpdecimate=hi=0:lo=0:frac=0", "-vsync", "vfr", "-c:v", "png", "-f", "image2pipe"];
        Self::start("png", display, directory, &arguments)
    }

    fn start(name: &str, display: &Display, directory: &Path, arguments: &[&str]) -> Result<Self> {
        let file = directory.join(format!("capture.{name}"));
        let mut ffmpeg = command("ffmpeg", ["-hide_banner", "-loglevel", "error", "-y", "-f", "x11grab"]);
        ffmpeg
            .args([
                "-framerate",
                RATE,
                "-video_size",
                &format!("{}x{}", SIZE.0, SIZE.1),
                "-i",
                &display.name(),
            ])
            .args(arguments)
            .arg(&file);
        let process = Process::start(name, ffmpeg, directory)?;
        Ok(Self { process, file, began: clock::now(), cpu: 0.0 })
    }

    /// From here on its CPU time counts, when starting is over.
    pub(super) fn count(&mut self) {
        self.began = clock::now();
        self.cpu = self.process.cpu_seconds();
    }

    /// Ends it and deletes the file.
    pub(super) fn finish(mut self) -> Result<Captured> {
        ensure!(self.process.ended()?.is_none(), "ffmpeg ended: {}", self.process.log_tail());
        let seconds = clock::now().duration_since(self.began).as_secs_f64();
        let cpu = self.process.cpu_seconds() - self.cpu;
        self.process.interrupt();
        let bytes = fs::metadata(&self.file)?.len() as f64;
        fs::remove_file(&self.file)?;
        Ok(Captured { bytes: bytes / seconds, cpu: cpu / seconds })
    }
}
