//! Pictures of a recording: a video, or one of them. They are rendered here, in a process that can do nothing else, for
//! no gateway needs to run; only then are they encoded.

mod canvas;
mod ffmpeg;
mod matroska;
mod output;
mod overlay;
mod show;
mod timeline;
mod video;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use indicatif::ProgressBar;
use passerelle_config::{Config, Views};
use passerelle_desktop::Size;
use passerelle_recorder::view::{ViewError, ViewSummary};
use passerelle_recorder::{Lane, Reader};

use super::super::args::{ExportRecordingArgs, Offset, PictureArgs, RecordingFormat};
use super::super::{CliError, access, recordings};
use super::{ExportError, default_path, report};
use crate::views::{OwnView, render_alone};
use canvas::Canvas;
use output::Output;
use overlay::Overlay;
use show::{LINES, Show};
use timeline::Timeline;
use video::Video;

pub(super) use ffmpeg::EncodeError;

/// Length of the progress bar.
const PARTS: u64 = 1000;

/// The most small pictures in a report; a view has some fifty.
const THUMBNAILS: usize = 100;

/// Exports the pictures of the recording that `args` name.
pub(super) async fn run(args: ExportRecordingArgs, config: &Path) -> Result<ExitCode, CliError> {
    let pictures = &args.pictures;
    if args.output.as_deref() == Some(Path::new("-")) && io::stdout().is_terminal() {
        let error = CliError::usage("pictures are not for terminals");
        return Err(error.hint("Give a file with --output, or a pipe."));
    }
    if args.format == RecordingFormat::Webm {
        // Before anything is read and rendered.
        ffmpeg::check().map_err(|error| failed(ExportError::Encode(error)))?;
    }
    let named = access::locate(&args.recording, config).await?;
    let summary = passerelle_recorder::summary(&named.directory).map_err(|error| {
        CliError::new(format_args!("the recording in {} cannot be read: {error}", named.directory.display()))
    })?;
    let path = args.output.clone().unwrap_or_else(|| default_path(&summary.header, args.format));
    let output = Output::new(&path).map_err(|error| output::unwritable(&path, error))?;
    let length_ms = u32::try_from(summary.duration.as_millis()).unwrap_or(u32::MAX);
    let (from_ms, until_ms) = part(pictures, length_ms)?;

    let mut lanes = vec![Lane::Target, Lane::State, Lane::Viewer];
    lanes.extend(pictures.events.then_some(Lane::Events));
    let what = what(args.format, pictures, from_ms, until_ms, length_ms);
    let reader = recordings::open(&named, &lanes, args.identity.clone(), what).await?;
    let bar = recordings::bar(PARTS);
    let view = rendered(reader, until_ms, config, &bar).await?;
    let summary = view.index.summary.clone();
    let overlay = recordings::open_unaudited(&named, args.identity.clone())?;
    let overlay = Overlay::new(overlay, !pictures.no_pointer, pictures.events);
    let idle: &[_] = if pictures.skip_idle { &summary.idle } else { &[] };
    let timeline = Timeline::new(from_ms, until_ms, idle);
    if view.index.chunks.is_empty() {
        return Err(failed(ExportError::NoPicture));
    }
    if args.format == RecordingFormat::Png {
        let pointer = !pictures.no_pointer;
        let events = pictures.events;
        let written =
            tokio::task::spawn_blocking(move || png(&view, timeline, overlay, (pointer, events), output));
        written.await.map_err(CliError::new)?.map_err(|error| match error {
            ExportError::Write(error) => output::unwritable(&path, error),
            error => failed(error),
        })?;
    } else {
        bar.set_message("encoding");
        let lines = if pictures.events { LINES } else { 0 };
        let largest = Size { width: summary.width, height: summary.height };
        let canvas =
            Canvas::new(largest, lines, true).ok_or_else(|| failed(ExportError::TooLarge(largest)))?;
        let pointer = !pictures.no_pointer;
        let video = Video { view, timeline, overlay, canvas, pointer, bar: bar.clone() };
        video.write(pictures.quality, output).await.map_err(|error| match error {
            ExportError::Write(error) => output::unwritable(&path, error),
            error => failed(error),
        })?;
    }
    bar.finish_and_clear();
    tell(&summary, from_ms)?;
    Ok(ExitCode::SUCCESS)
}

/// Renders what `reader` reads, up to a time.
async fn rendered(
    reader: Reader,
    until_ms: u32,
    config: &Path,
    bar: &ProgressBar,
) -> Result<OwnView, CliError> {
    // Where there is a configuration, it says what rendering may take.
    let views =
        Config::load(config).map_or_else(|_| Views::default(), |loaded| loaded.config.recording.views);
    bar.set_message("rendering");
    let rendering =
        render_alone(reader, until_ms, &views, |done| bar.set_position((done * PARTS as f64) as u64));
    tokio::select! {
        view = rendering => view.map_err(|error| failed(ExportError::Render(error))),
        _ = tokio::signal::ctrl_c() => Err(failed(ExportError::Interrupted)),
    }
}

/// Small pictures of what `reader` reads: when each was to be seen, in milliseconds since the start, and a JPEG file.
pub(super) async fn thumbnails(
    reader: Reader,
    length_ms: u32,
    config: &Path,
) -> Result<Vec<(u32, Vec<u8>)>, CliError> {
    let bar = recordings::bar(PARTS);
    let view = rendered(reader, length_ms, config, &bar).await?;
    bar.finish_and_clear();
    let all = view.index.thumbnails.iter().take(THUMBNAILS);
    let found = all.map(|thumbnail| Ok((thumbnail.t_ms, view.contents.thumbnail(thumbnail.number)?)));
    found.collect::<Result<_, ViewError>>().map_err(|error| failed(ExportError::View(error)))
}

/// From when until when; for one picture both are its time.
fn part(pictures: &PictureArgs, length_ms: u32) -> Result<(u32, u32), CliError> {
    let from = pictures.at.or(pictures.from).unwrap_or(Offset(0)).0;
    let until = pictures.at.or(pictures.until).map_or(length_ms, |until| until.0.min(length_ms));
    let length = report::time(length_ms);
    if from > length_ms {
        let from = report::time(from);
        return Err(CliError::usage(format_args!("the recording is over at {length}, before {from}")));
    }
    if from > until {
        return Err(CliError::usage("--until lies before --from"));
    }
    Ok((from, until))
}

/// What the audit log says of it.
fn what(
    format: RecordingFormat,
    pictures: &PictureArgs,
    from_ms: u32,
    until_ms: u32,
    length_ms: u32,
) -> String {
    let form = format.name();
    let (from, until) = (report::time(from_ms), report::time(until_ms));
    if pictures.at.is_some() {
        format!("exported as {form}: the picture at {from}")
    } else if (from_ms, until_ms) == (0, length_ms) {
        format!("exported as {form}")
    } else {
        format!("exported as {form}: from {from} until {until}")
    }
}

fn png(
    view: &OwnView,
    timeline: Timeline,
    overlay: Overlay,
    (pointer, events): (bool, bool),
    mut output: Output,
) -> Result<(), ExportError> {
    let small = Size { width: 1, height: 1 };
    let canvas = Canvas::new(small, 0, false).ok_or(ExportError::TooLarge(small))?;
    let mut nowhere = |_: u64, _: &Canvas| Ok(());
    let show = Show::new(canvas, timeline, overlay, pointer, &mut nowhere)?;
    let summary = &view.index.summary;
    let largest = Size { width: summary.width, height: summary.height };
    // The last chunk shows the end of what was rendered, and begins with a whole picture.
    let last = view.index.chunks.last().copied().ok_or(ExportError::NoPicture)?;
    let lines = if events { LINES } else { 0 };
    let canvas = show.still(&view.contents, last, lines)?.ok_or(ExportError::TooLarge(largest))?;
    let (width, height) = canvas.dimensions();
    let mut encoder = png::Encoder::new(&mut output, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&canvas.rgb())?;
        writer.finish()
    });
    written.map_err(|error| match error {
        png::EncodingError::IoError(error) => ExportError::Write(error),
        error => ExportError::Write(io::Error::other(error)),
    })?;
    Ok(output.finish(&[])?)
}

/// Says what the pictures do not show.
fn tell(summary: &ViewSummary, from_ms: u32) -> io::Result<()> {
    let mut out = io::stderr().lock();
    if let Some(stopped) = &summary.stopped {
        writeln!(
            out,
            "note: nothing is drawn from {} on: {}",
            report::time(stopped.t_ms),
            crate::cli::output::harmless(&stopped.message)
        )?;
    }
    if !summary.skipped.is_empty() {
        let parts: Vec<String> =
            summary.skipped.iter().map(|part| format!("{} {}", part.count, part.what)).collect();
        writeln!(out, "note: not drawn: {}", crate::cli::output::harmless(&parts.join(", ")))?;
    }
    let lossy = summary.lossy.iter().filter(|span| span.until_ms > from_ms);
    let lossy: u64 = lossy.map(|span| u64::from(span.until_ms - span.from_ms.max(from_ms))).sum();
    if lossy > 0 && summary.duration_ms > from_ms {
        let seconds = lossy.div_ceil(1000);
        writeln!(out, "note: for {seconds} s a part of the picture was in motion and is not exact")?;
    }
    Ok(())
}

fn failed(error: ExportError) -> CliError {
    let hint = match &error {
        ExportError::Encode(EncodeError::Missing | EncodeError::NoVp9) => {
            "Install the package ffmpeg of your system, or export single pictures with --format png."
        }
        ExportError::TooLarge(_) => "Single pictures can be exported with --format png.",
        _ => return CliError::new(error),
    };
    CliError::new(error).hint(hint)
}
