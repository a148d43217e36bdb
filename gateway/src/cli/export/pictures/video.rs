//! From a view to a video: frames go to the encoder on one thread, and its answers to the file on another.

use std::io::Write as _;

use indicatif::ProgressBar;

use super::PARTS;
use super::canvas::Canvas;
use super::ffmpeg::{EncodeError, Encoder, Frames, Kill, Packets};
use super::matroska::{Dimensions, WebmWriter};
use super::output::Output;
use super::overlay::Overlay;
use super::show::Show;
use super::timeline::Timeline;
use crate::cli::args::Quality;
use crate::cli::export::ExportError;
use crate::views::OwnView;

/// What a video is made of.
pub(super) struct Video {
    pub(super) view: OwnView,
    pub(super) timeline: Timeline,
    pub(super) overlay: Overlay,
    pub(super) canvas: Canvas,
    pub(super) pointer: bool,
    pub(super) bar: ProgressBar,
}

impl Video {
    /// Encodes it and writes the file.
    pub(super) async fn write(self, quality: Quality, output: Output) -> Result<(), ExportError> {
        let (encoder, frames, packets) = Encoder::start(self.canvas.dimensions(), quality)?;
        let kill = encoder.killer();
        let mut writing = tokio::task::spawn_blocking(move || self.encode(encoder, frames, packets, output));
        let written = tokio::select! {
            written = &mut writing => written,
            _ = tokio::signal::ctrl_c() => {
                kill.kill();
                // It removes what it has written.
                let _ = writing.await;
                return Err(ExportError::Interrupted);
            }
        };
        written.unwrap_or_else(|error| Err(ExportError::Write(std::io::Error::other(error))))
    }

    fn encode(
        self,
        mut encoder: Encoder,
        frames: Frames,
        packets: Packets,
        output: Output,
    ) -> Result<(), ExportError> {
        let (size, length) = (self.canvas.dimensions(), self.timeline.length());
        let kill = encoder.killer();
        let (shown, written) = std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let written = mux(packets, size, length, output);
                if written.is_err() {
                    // It would wait for somebody to read the rest.
                    kill.kill();
                }
                written
            });
            let shown = self.show(frames, &kill);
            let written = writing.join();
            (shown, written.unwrap_or_else(|_| Err(EncodeError::Answer.into())))
        });
        match (shown, written) {
            (_, Err(error @ ExportError::Write(_))) => Err(error),
            (Err(ExportError::Encoder), _) | (Ok(()), Err(ExportError::Encode(EncodeError::Answer))) => {
                Err(encoder.ended().into())
            }
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok((output, patches))) => {
                encoder.finish()?;
                Ok(output.finish(&patches)?)
            }
        }
    }

    fn show(self, mut frames: Frames, kill: &Kill) -> Result<(), ExportError> {
        let Self { view, timeline, overlay, canvas, pointer, bar } = self;
        let (from, until) = (timeline.begin_ms(), timeline.end_ms());
        // Every frame before the part is drawn, too, but costs little.
        let first = view.index.chunks.iter().rposition(|chunk| chunk.from_ms <= from).unwrap_or(0);
        let chunks = view.index.chunks.get(first..).unwrap_or_default();
        let mut send =
            |t_ms: u64, canvas: &Canvas| frames.send(t_ms, canvas.bgr0()).map_err(|_| ExportError::Encoder);
        let progress = |t_ms: u32| {
            let done = f64::from(t_ms.saturating_sub(from)) / f64::from((until - from).max(1));
            bar.set_position((done * PARTS as f64) as u64);
        };
        let shown =
            Show::new(canvas, timeline, overlay, pointer, &mut send)?.play(&view.contents, chunks, &progress);
        if shown.is_err() {
            // What it has so far is nothing that anybody wants.
            kill.kill();
        }
        shown
    }
}

type Written = (Output, [super::matroska::Patch; 2]);

fn mux(mut packets: Packets, size: Dimensions, length: u64, output: Output) -> Result<Written, ExportError> {
    let mut writer = WebmWriter::new(output, size, length)?;
    let mut frame = Vec::new();
    while let Some((t_ms, key)) = packets.next(&mut frame)? {
        writer.frame(t_ms, key, &frame)?;
    }
    let (mut output, patches) = writer.finish()?;
    output.flush()?;
    Ok((output, patches))
}
