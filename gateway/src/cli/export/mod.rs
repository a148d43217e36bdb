//! `passerelle recordings export`: a recording in the forms of other programs, written as it is read.

mod fbs;
mod pcap;
mod pictures;
mod report;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use passerelle_desktop::Size;
use passerelle_recorder::view::{MalformedView, ViewError};
use passerelle_recorder::{Header, Lane};

use super::args::{ExportRecordingArgs, RecordingFormat};
use super::{CliError, access, recordings};
use crate::views::RenderError;
use report::{Form, Report};

pub(crate) async fn run(args: ExportRecordingArgs, config: &Path) -> Result<ExitCode, CliError> {
    if let Some(option) = args.pictures.unfit(args.format) {
        let form = args.format.name();
        return Err(CliError::usage(format_args!("{option} does not go with --format {form}")));
    }
    let lanes: &[Lane] = match args.format {
        RecordingFormat::Html if args.pictures.thumbnails => {
            &[Lane::Events, Lane::Target, Lane::State, Lane::Viewer]
        }
        RecordingFormat::Json | RecordingFormat::Html => &[Lane::Events],
        RecordingFormat::Fbs => &[Lane::Target, Lane::State],
        RecordingFormat::Pdus => &[Lane::Target],
        RecordingFormat::Webm | RecordingFormat::Png => return pictures::run(args, config).await,
    };
    let with = if args.pictures.thumbnails { " with thumbnails" } else { "" };
    let what = format!("exported as {}{with}", args.format.name());
    let named = access::locate(&args.recording, config).await?;
    // It reads the recording, too, and shows no more of it than its clear part.
    let mut report = match args.format {
        RecordingFormat::Json | RecordingFormat::Html => Some(Report::of(&named, args.signer, config)?),
        _ => None,
    };
    let mut reader = recordings::open(&named, lanes, args.identity.clone(), what).await?;
    let protocol = reader.header().facts["protocol"].as_str().unwrap_or_default().to_owned();
    let wanted = match args.format {
        RecordingFormat::Fbs => "vnc",
        RecordingFormat::Pdus => "rdp",
        _ => &*protocol,
    };
    if protocol != wanted {
        let (form, here) = (args.format.name(), super::output::harmless(&protocol));
        return Err(CliError::usage(format_args!(
            "`{form}` is for sessions over {}, and this one was over {here}",
            wanted.to_uppercase()
        )));
    }
    if let Some(report) = report.as_mut().filter(|_| args.pictures.thumbnails) {
        report.thumbnails = pictures::thumbnails(reader, report.length_ms(), config).await?;
        reader = recordings::open_unaudited(&named, args.identity)?.only(&[Lane::Events]);
    }
    let path = args.output.unwrap_or_else(|| default_path(reader.header(), args.format));
    let unwritable =
        |error: io::Error| CliError::new(format_args!("{} cannot be written: {error}", path.display()));
    let mut out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(BufWriter::new(io::stdout().lock()))
    } else {
        Box::new(BufWriter::new(File::create_new(&path).map_err(|error| {
            let exists = error.kind() == io::ErrorKind::AlreadyExists;
            let error = unwritable(error);
            if exists { error.hint("Choose another name with --output.") } else { error }
        })?))
    };
    let note = match (args.format, report) {
        (RecordingFormat::Fbs, _) => fbs::write(reader, &mut out),
        (RecordingFormat::Pdus, _) => pcap::write(reader, &mut out).map(|()| None),
        (form, Some(report)) => {
            let form = if form == RecordingFormat::Html { Form::Html } else { Form::Json };
            report.write(reader, form, &mut out).map(|()| None)
        }
        (_, None) => Ok(None),
    };
    let note = note.map_err(|error| match error {
        ExportError::Write(error) => unwritable(error),
        error => CliError::new(error),
    })?;
    out.flush().map_err(unwritable)?;
    if let Some(note) = note {
        writeln!(io::stderr().lock(), "note: {note}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn default_path(header: &Header, format: RecordingFormat) -> PathBuf {
    let id: String = header.id.chars().filter(char::is_ascii_alphanumeric).collect();
    PathBuf::from(format!("{id}.{}", format.extension()))
}

/// A recording cannot be exported, or not to its end.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Read(#[from] passerelle_recorder::ReadError),
    #[error("it cannot be written: {0}")]
    Write(#[from] io::Error),
    #[error("the recording does not begin as a session over VNC does")]
    NoServerInit,
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Malformed(#[from] MalformedView),
    #[error(transparent)]
    Encode(#[from] pictures::EncodeError),
    /// The process that encodes takes no more.
    #[error("the encoder ended")]
    Encoder,
    #[error("a picture of {width}x{height} pixels is too large for this format", width = .0.width, height = .0.height)]
    TooLarge(Size),
    #[error("nothing was to be seen until then")]
    NoPicture,
    #[error("it was interrupted")]
    Interrupted,
}
