//! `passerelle recordings`

mod open;
mod render;
pub(super) use render::bar;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use data_encoding::BASE64;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use passerelle_config::Places;
use passerelle_recorder::audit as log;
use passerelle_recorder::{
    Entry, Identity, IdentityError, Lane, PublicKey, Reader, Verdict, Verification, is_hidden, is_offloaded,
};
use serde_json::{Value, json};

use super::access::{self, Named};
use super::audit::unreadable;
use super::output::harmless;
use super::{
    CliError, FAILED, Json, RecordingsCommand, bytes, duration, export, keeping, listing, print_json,
    print_line,
};
use crate::gateway::data;

pub(crate) async fn run(command: RecordingsCommand, config: &Path) -> Result<ExitCode, CliError> {
    match command {
        RecordingsCommand::List(args) => listing::list(args, config).await,
        RecordingsCommand::Show { recording, output } => show(&recording, config, output),
        RecordingsCommand::Verify { recordings, all, signer, require_sealed, output } => {
            let recordings = if all { every(config).await? } else { named(&recordings, config).await? };
            if recordings.is_empty() {
                return nothing_to_verify(output);
            }
            let signer = access::signer(signer, config)?;
            verify(recordings, &signer, require_sealed, output).await
        }
        RecordingsCommand::Hold(args) => keeping::hold(args, config).await,
        RecordingsCommand::Release(args) => keeping::release(args, config).await,
        RecordingsCommand::Erase(args) => keeping::erase(args, config).await,
        RecordingsCommand::Rewrap(args) => keeping::rewrap(args, config).await,
        RecordingsCommand::Du(args) => keeping::du(&args, config),
        RecordingsCommand::Render { recording, output } => render::run(&recording, config, output).await,
        RecordingsCommand::Open(args) => open::run(args, config).await,
        RecordingsCommand::Export(args) => export::run(args, config).await,
        RecordingsCommand::Cat { recording, lanes, raw, identity } => {
            cat(&recording, &lanes, raw, identity, config).await
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
        ("state".to_owned(), listing::place(&summary.state, summary.offloaded)),
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
    let recipients =
        passerelle_recorder::recipients(&named.directory).unwrap_or_else(|_| header.recipients.clone());
    rows.extend(recipients.iter().map(|recipient| ("recipient".to_owned(), recipient.clone())));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        print_line(format_args!("{:width$}  {}", harmless(&name), harmless(&value)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn every(config: &Path) -> Result<Vec<Named>, CliError> {
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
    let mut named = Vec::new();
    for directory in found {
        match ours(&directory) {
            Some((id, _)) if is_offloaded(&directory) => named.push(access::locate(&id, config).await?),
            ours => named.push(Named { ours, directory }),
        }
    }
    Ok(named)
}

async fn named(names: &[String], config: &Path) -> Result<Vec<Named>, CliError> {
    let mut found = Vec::new();
    for name in names {
        found.push(access::locate(name, config).await?);
    }
    Ok(found)
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
    let roots = sealed_roots(&recordings)?;
    let bar = progress(recordings.iter().map(|named| size(&named.directory)).sum());
    let mut answers = Vec::new();
    let mut intact = true;
    for named in &recordings {
        let name = named.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        bar.set_message(harmless(&name).into_owned());
        let before = bar.position();
        let (good, sentence, json) = match passerelle_recorder::verify(&named.directory, signer) {
            Ok(verification) => {
                let ours = named.ours.as_ref().and_then(|(id, _)| roots.get(id));
                let verification = verification.compared(ours.map(String::as_str));
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

/// What the audit log says of those that are this gateway's, before they are read: some may be sealed meanwhile.
fn sealed_roots(recordings: &[Named]) -> Result<BTreeMap<String, String>, CliError> {
    let ours = |named: &Named| {
        named.ours.as_ref().map(|(id, places)| (id.clone(), places.data_dir.join(data::AUDIT)))
    };
    let ours: BTreeMap<String, PathBuf> = recordings.iter().filter_map(ours).collect();
    let Some(log) = ours.values().next().filter(|log| log.is_dir()) else { return Ok(BTreeMap::new()) };
    log::sealed_roots(log, |recording| ours.contains_key(recording)).map_err(|error| unreadable(log, &error))
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

/// Opens these lanes of a recording to do `what` with them, which is in the audit log when it comes back. Lanes that
/// no key opens are told of and left out.
///
/// # Errors
/// No key opens any of them, or the reading cannot be audited.
pub(super) async fn open(
    named: &Named,
    wanted: &[Lane],
    identity: Option<PathBuf>,
    what: String,
) -> Result<Reader, CliError> {
    let reader = open_unaudited(named, identity)?;
    let reader = reader.only(wanted);
    let closed = wanted.iter().filter(|lane| reader.missing().contains(&lane.class()));
    let closed: Vec<String> = closed.map(ToString::to_string).collect();
    if !closed.is_empty() && closed.len() == wanted.len() {
        return Err(CliError::new(format_args!(
            "{} cannot be opened: its keys are for others, or were destroyed",
            closed.join(", ")
        )));
    }
    match &named.ours {
        Some((id, places)) => access::audit_reading(id, places, what).await?,
        None => writeln!(
            io::stderr().lock(),
            "note: this copy lies outside of the gateway's directory; reading it is not in its audit log"
        )?,
    }
    if !closed.is_empty() {
        writeln!(io::stderr().lock(), "note: left out, since no key opens them: {}", closed.join(", "))?;
    }
    Ok(reader)
}

/// No key is known for a copy.
fn outside() -> CliError {
    CliError::usage("this copy of a recording lies outside of the gateway's directory")
        .hint("Name the age identity that opens it with --identity.")
}

fn unusable(error: IdentityError) -> CliError {
    CliError::new(error)
        .hint("Recordings with outside recipients only open with --identity and one of their keys.")
}

/// Opens a recording whose reading is in the audit log already.
pub(super) fn open_unaudited(named: &Named, identity: Option<PathBuf>) -> Result<Reader, CliError> {
    let identity_file = match (identity, &named.ours) {
        (Some(file), _) => file,
        (None, Some((_, places))) => places.data_dir.join(data::IDENTITY),
        (None, None) => return Err(outside()),
    };
    let identity = Identity::load(&identity_file).map_err(unusable)?;
    Reader::open(&named.directory, &identity).map_err(CliError::new)
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
    let named = access::locate(recording, config).await?;
    let what = match lanes {
        [] => "read all lanes".to_owned(),
        lanes => {
            let lanes: Vec<String> = lanes.iter().map(ToString::to_string).collect();
            format!("read lane {}", lanes.join(", "))
        }
    };
    let wanted: &[Lane] = if lanes.is_empty() { &Lane::ALL } else { lanes };
    let reader = open(&named, wanted, identity, what).await?;
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
}
