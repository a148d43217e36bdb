//! `passerelle audit export`

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use passerelle_auth::Timestamp;
use passerelle_config::Config;
use passerelle_recorder::audit::export::{CSV_HEADER, Facility, Syslog, csv, ocsf};
use passerelle_recorder::audit::{Cursor, EventLine, origin};

use super::args::{ExportArgs, ExportFormat};
use super::audit::{log_directory, unreadable};
use super::{CliError, access};

/// So many events are in memory at most.
const TOGETHER: usize = 256;

pub(super) fn run(args: ExportArgs, config: &Path) -> Result<ExitCode, CliError> {
    let directory = log_directory(args.directory.clone(), config)?;
    let origin = match args.format {
        ExportFormat::Ocsf => origin(&access::signer(args.signer, config)?),
        _ => String::new(),
    };
    let syslog = Syslog::new(Facility::AUTHPRIV, &host(config));
    let record = |line: &EventLine| -> Vec<u8> {
        match args.format {
            // An event of the log always serializes.
            ExportFormat::Json => lf(serde_json::to_vec(line).unwrap_or_default()),
            ExportFormat::Ocsf => lf(serde_json::to_vec(&ocsf(line, &origin)).unwrap_or_default()),
            ExportFormat::Syslog => lf(syslog.event(line)),
            ExportFormat::Csv => csv(line).into_bytes(),
        }
    };
    let unwritable = |error: io::Error| {
        CliError::new(format_args!("{} cannot be written: {error}", args.output.display()))
    };
    let mut out: Box<dyn Write> = if args.output == Path::new("-") {
        Box::new(BufWriter::new(io::stdout().lock()))
    } else {
        Box::new(BufWriter::new(File::create(&args.output).map_err(unwritable)?))
    };
    if args.format == ExportFormat::Csv {
        out.write_all(CSV_HEADER.as_bytes()).map_err(unwritable)?;
    }
    // Times in the log's own form, which sort as texts.
    let (from, until) = (args.from.map(text), args.until.map(text));
    let mut cursor = Cursor::behind(&directory, 0);
    loop {
        let lines = cursor.read(u64::MAX, TOGETHER).map_err(|error| unreadable(&directory, &error))?;
        for line in &lines {
            let wanted = from.as_ref().is_none_or(|from| line.time >= *from)
                && until.as_ref().is_none_or(|until| line.time < *until);
            if wanted {
                out.write_all(&record(line)).map_err(unwritable)?;
            }
        }
        if lines.len() < TOGETHER {
            break;
        }
    }
    out.flush().map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}

fn lf(mut record: Vec<u8>) -> Vec<u8> {
    record.push(b'\n');
    record
}

fn text(time: Timestamp) -> String {
    time.to_string()
}

/// The name of the gateway whose log it is, as far as a configuration tells.
fn host(config: &Path) -> String {
    let named = Config::load(config).ok().and_then(|loaded| loaded.config.node);
    named.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}
