//! `passerelle recordings`

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use data_encoding::BASE64;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use passerelle_config::Places;
use passerelle_recorder::{
    Entry, Identity, Lane, PublicKey, Reader, State, Summary, Verdict, Verification, is_hidden,
};
use serde_json::{Value, json};

use super::access::{self, Named};
use super::output::harmless;
use super::{
    CliError, FAILED, Json, RecordingsCommand, Table, bytes, duration, keeping, print_json, print_line,
};
use crate::gateway::data;

pub(crate) async fn run(command: RecordingsCommand, config: &Path) -> Result<ExitCode, CliError> {
    match command {
        RecordingsCommand::List(output) => list(config, output),
        RecordingsCommand::Show { recording, output } => show(&recording, config, output),
        RecordingsCommand::Verify { recordings, all, signer, require_sealed, output } => {
            let recordings = if all { every(config)? } else { named(&recordings, config)? };
            if recordings.is_empty() {
                return nothing_to_verify(output);
            }
            let signer = access::signer(signer, config)?;
            verify(recordings, &signer, require_sealed, output).await
        }
        RecordingsCommand::Hold(args) => keeping::hold(args, config).await,
        RecordingsCommand::Release(args) => keeping::release(args, config).await,
        RecordingsCommand::Erase(args) => keeping::erase(args, config).await,
        RecordingsCommand::Du(args) => keeping::du(&args, config),
        RecordingsCommand::Cat { recording, lanes, raw, identity } => {
            cat(&recording, &lanes, raw, identity, config).await
        }
    }
}

fn list(config: &Path, output: Json) -> Result<ExitCode, CliError> {
    let directory = Places::load(config)?.recordings;
    let summaries = summaries(&directory)?;
    if output.json {
        print_json(&summaries)?;
    } else if summaries.is_empty() {
        print_line(format_args!("No recordings yet in {}.", directory.display()))?;
    } else {
        let mut table =
            Table::new(&["RECORDING", "STARTED", "LENGTH", "SIZE", "TECHNICIAN", "TARGET", "STATE"]);
        for summary in &summaries {
            table.row([
                summary.header.id.clone(),
                without_fraction(&summary.header.started),
                duration(summary.duration),
                bytes(summary.bytes),
                fact(summary, "technician"),
                fact(summary, "target"),
                state(&summary.state),
            ]);
        }
        print_line(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// No directory is no recordings: the gateway makes it with the first one.
fn summaries(directory: &Path) -> Result<Vec<Summary>, CliError> {
    match passerelle_recorder::list(directory) {
        Ok(summaries) => Ok(summaries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let message = format!("the recordings in {} cannot be listed: {error}", directory.display());
            Err(CliError::new(message).hint("Run this as the gateway's user."))
        }
    }
}

fn show(recording: &str, config: &Path, output: Json) -> Result<ExitCode, CliError> {
    let named = access::find(recording, config)?;
    let summary = passerelle_recorder::summary(&named.directory).map_err(|error| {
        CliError::new(format_args!("the recording in {} cannot be read: {error}", named.directory.display()))
    })?;
    if output.json {
        print_json(&summary)?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = &summary.header;
    let mut rows = vec![
        ("recording".to_owned(), header.id.clone()),
        ("directory".to_owned(), named.directory.display().to_string()),
        ("started".to_owned(), header.started.clone()),
        ("length".to_owned(), duration(summary.duration)),
        ("size".to_owned(), bytes(summary.bytes)),
        ("state".to_owned(), state(&summary.state)),
    ];
    for (name, value) in header.facts.as_object().into_iter().flatten() {
        // These two stand in the list already, under names for people.
        if name != "id" && name != "started" {
            rows.push((
                name.replace('_', " "),
                value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            ));
        }
    }
    rows.push(("signer".to_owned(), header.signer.to_string()));
    rows.extend(header.recipients.iter().map(|recipient| ("recipient".to_owned(), recipient.clone())));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        print_line(format_args!("{:width$}  {}", harmless(&name), harmless(&value)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn every(config: &Path) -> Result<Vec<Named>, CliError> {
    let places = Places::load(config)?;
    let summaries = match std::fs::read_dir(&places.recordings) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(CliError::new(format_args!(
                "{} cannot be read: {error}",
                places.recordings.display()
            )));
        }
    };
    // Not the list: it leaves out what has no readable header, which is what a verification looks for.
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in summaries {
        let entry = entry.map_err(|error| {
            CliError::new(format_args!("{} cannot be read: {error}", places.recordings.display()))
        })?;
        let hidden = is_hidden(&entry.file_name().to_string_lossy());
        if !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    found.sort();
    let ours =
        |path: &Path| path.file_name().map(|name| (name.to_string_lossy().into_owned(), places.clone()));
    Ok(found.into_iter().map(|directory| Named { ours: ours(&directory), directory }).collect())
}

fn named(names: &[String], config: &Path) -> Result<Vec<Named>, CliError> {
    names.iter().map(|name| access::find(name, config)).collect()
}

fn nothing_to_verify(output: Json) -> Result<ExitCode, CliError> {
    if output.json {
        print_json(&Value::Array(Vec::new()))?;
    } else {
        print_line("There are no recordings to verify.")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(
    recordings: Vec<Named>,
    signer: &PublicKey,
    require_sealed: bool,
    output: Json,
) -> Result<ExitCode, CliError> {
    let bar = progress(recordings.iter().map(|named| size(&named.directory)).sum());
    let mut answers = Vec::new();
    let mut intact = true;
    for named in &recordings {
        let name = named.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        bar.set_message(harmless(&name).into_owned());
        let before = bar.position();
        let (good, sentence, json) = match passerelle_recorder::verify(&named.directory, signer) {
            Ok(verification) => {
                let good = is_good(&verification, require_sealed);
                let sentence = verification.to_string();
                if let Some((id, places)) = &named.ours {
                    access::note_verification(id, places, verification.verdict.to_string()).await;
                }
                (good, sentence, with_directory(&verification, &named.directory)?)
            }
            Err(error) => {
                let json = json!({ "id": name, "directory": named.directory, "verdict": "unreadable", "error": error.to_string() });
                (false, format!("{name}: {error}"), json)
            }
        };
        intact &= good;
        bar.set_position(before + size(&named.directory));
        if output.json {
            answers.push(json);
        } else {
            bar.suspend(|| print_line(harmless(&sentence)))?;
        }
    }
    bar.finish_and_clear();
    if output.json {
        print_json(&answers)?;
    }
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn is_good(verification: &Verification, require_sealed: bool) -> bool {
    let sealed = matches!(verification.verdict, Verdict::Sealed { .. } | Verdict::Interrupted { .. });
    verification.is_intact() && (sealed || !require_sealed)
}

fn with_directory(verification: &Verification, directory: &Path) -> Result<Value, CliError> {
    let mut json = serde_json::to_value(verification).map_err(CliError::new)?;
    if let Some(object) = json.as_object_mut() {
        object.insert("directory".to_owned(), json!(directory));
    }
    Ok(json)
}

/// Bytes of a recording's files; what cannot be read counts as nothing, and verifying says so.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// A bar on standard error, when somebody looks at it.
fn progress(total: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {bar:30} {binary_bytes}/{binary_total_bytes} {msg}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

async fn cat(
    recording: &str,
    lanes: &[Lane],
    raw: bool,
    identity: Option<PathBuf>,
    config: &Path,
) -> Result<ExitCode, CliError> {
    if raw && lanes.len() != 1 {
        return Err(CliError::usage("--raw prints the bytes of one lane; give --lane once"));
    }
    let named = access::find(recording, config)?;
    let identity_file = match (identity, &named.ours) {
        (Some(file), _) => file,
        (None, Some((_, places))) => places.data_dir.join(data::IDENTITY),
        (None, None) => {
            let error = CliError::usage("this copy of a recording lies outside of the gateway's directory");
            return Err(error.hint("Name the age identity that opens it with --identity."));
        }
    };
    let identity = Identity::load(&identity_file).map_err(|error| {
        CliError::new(error)
            .hint("Recordings with outside recipients only open with --identity and one of their keys.")
    })?;
    let reader = Reader::open(&named.directory, &identity).map_err(CliError::new)?;
    let wanted = if lanes.is_empty() { Lane::ALL.to_vec() } else { lanes.to_vec() };
    let reader = reader.only(&wanted);
    let closed = wanted.iter().filter(|lane| reader.missing().contains(&lane.class()));
    let closed: Vec<String> = closed.map(ToString::to_string).collect();
    if !closed.is_empty() && (closed.len() == wanted.len() || raw) {
        return Err(CliError::new(format_args!(
            "{} cannot be opened: its keys are for others, or were destroyed",
            closed.join(", ")
        )));
    }
    match &named.ours {
        Some((id, places)) => {
            let what = match lanes {
                [] => "read all lanes".to_owned(),
                lanes => {
                    let lanes: Vec<String> = lanes.iter().map(ToString::to_string).collect();
                    format!("read lane {}", lanes.join(", "))
                }
            };
            access::audit_reading(id, places, what).await?;
        }
        None => writeln!(
            io::stderr().lock(),
            "note: this copy lies outside of the gateway's directory; reading it is not in its audit log"
        )?,
    }
    if !closed.is_empty() {
        writeln!(io::stderr().lock(), "note: left out, since no key opens them: {}", closed.join(", "))?;
    }
    print_entries(reader, raw)?;
    Ok(ExitCode::SUCCESS)
}

fn print_entries(reader: Reader, raw: bool) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    for entry in reader {
        match entry {
            Ok(entry) if raw => out.write_all(&entry.bytes)?,
            Ok(entry) => {
                serde_json::to_writer(&mut out, &line(&entry)).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
            Err(error) => {
                // What could be read is worth having.
                out.flush()?;
                return Err(CliError::new(error).hint("`passerelle recordings verify` says more."));
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// An entry for programs. Events are JSON already.
fn line(entry: &Entry) -> Value {
    let event =
        (entry.lane == Lane::Events).then(|| serde_json::from_slice::<Value>(&entry.bytes).ok()).flatten();
    let content = event.unwrap_or_else(|| Value::String(BASE64.encode(&entry.bytes)));
    json!({ "seq": entry.seq, "t_ms": entry.t_ms, "lane": entry.lane, "data": content })
}

fn fact(summary: &Summary, name: &str) -> String {
    summary.header.facts.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn state(state: &State) -> String {
    match state {
        State::Open => "open".to_owned(),
        State::Sealed { end } => format!("sealed ({end})"),
        State::Interrupted => "interrupted".to_owned(),
    }
}

/// `2026-11-22T16:14:37.123Z` to the second.
fn without_fraction(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_lines_for_programs() {
        let entry = |lane, bytes: &[u8]| Entry { seq: 3, t_ms: 40, lane, bytes: bytes.to_vec() };
        assert_eq!(
            line(&entry(Lane::Events, br#"{"kind":"denied"}"#)),
            json!({ "seq": 3, "t_ms": 40, "lane": "events", "data": { "kind": "denied" } })
        );
        assert_eq!(line(&entry(Lane::Events, b"\xff"))["data"], "/w==");
        assert_eq!(line(&entry(Lane::Target, b"RFB"))["data"], "UkZC");
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(without_fraction("2026-11-22T16:14:37.123Z"), "2026-11-22T16:14:37Z");
        assert_eq!(without_fraction("2026-11-22T16:14:37Z"), "2026-11-22T16:14:37Z");
    }
}
