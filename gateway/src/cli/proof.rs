//! `passerelle audit prove` and `passerelle verify-proof`

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use passerelle_recorder::audit::{self as log, Consistency, EventLine, Proof, ProofError, Proved, TreeHead};
use passerelle_recorder::{PublicKey, Verdict};
use serde_json::json;

use super::args::{ProveArgs, VerifyProofArgs};
use super::audit::{log_directory, sentence, unreadable};
use super::output::harmless;
use super::{CliError, FAILED, access, print_json, print_line};

pub(super) fn prove(args: ProveArgs, config: &Path) -> Result<ExitCode, CliError> {
    let directory = log_directory(args.directory, config)?;
    let signer = access::signer(args.signer, config)?;
    let proof = match (&args.since, args.seq, args.recording) {
        (Some(old), ..) => {
            let (_, old) = old_checkpoint(old, &signer)?;
            Consistency::make(&directory, old.size, &signer).map(|proof| proof.to_string())
        }
        (None, Some(seq), _) => Proof::make(&directory, seq, &signer).map(|proof| proof.to_string()),
        (None, None, recording) => {
            let seq = sealing_of(&recording.unwrap_or_default(), &directory)?;
            Proof::make(&directory, seq, &signer).map(|proof| proof.to_string())
        }
    };
    let proof = proof.map_err(|error| {
        let covered = matches!(error, ProofError::NotCovered { .. });
        let error = CliError::new(error);
        if covered {
            error.hint("The gateway signs a checkpoint within a second of an event.")
        } else {
            error
        }
    })?;
    if args.output == Path::new("-") {
        write!(std::io::stdout().lock(), "{proof}")?;
    } else {
        std::fs::write(&args.output, proof).map_err(|error| {
            CliError::new(format_args!("{} cannot be written: {error}", args.output.display()))
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The number of the event with the root of a recording.
fn sealing_of(recording: &str, directory: &Path) -> Result<u64, CliError> {
    let found = log::sealing(directory, recording).map_err(|error| unreadable(directory, &error))?;
    found.map(|line| line.seq).ok_or_else(|| {
        let recording = harmless(recording);
        CliError::new(format_args!("the audit log does not say that the recording {recording} was sealed"))
            .hint("A recording is sealed when its session ends.")
    })
}

fn old_checkpoint(path: &Path, signer: &PublicKey) -> Result<(String, TreeHead), CliError> {
    log::read_checkpoint(path, signer)
        .map_err(|error| CliError::new(format_args!("{}: {error}", path.display())))
}

/// Runs `passerelle verify-proof`.
pub(crate) fn verify(args: &VerifyProofArgs, config: &Path) -> Result<ExitCode, CliError> {
    let signer = access::signer(args.signer, config)?;
    let path = args.proof.display();
    let refused = |error: ProofError| CliError::new(format_args!("{path}: {error}"));
    if let Some(old) = &args.checkpoint {
        let (_, old) = old_checkpoint(old, &signer)?;
        let head =
            Consistency::read(&args.proof).and_then(|proof| proof.verify(&old, &signer)).map_err(refused)?;
        return grown(&old, &head, args.output.json);
    }
    let proved = match Proof::read(&args.proof) {
        Err(ProofError::Malformed(_)) if Consistency::read(&args.proof).is_ok() => {
            return Err(CliError::new(format_args!(
                "{path} proves that the log only grew since an old checkpoint"
            ))
            .hint("Give the old one with --checkpoint."));
        }
        read => read.and_then(|proof| proof.verify(&signer)).map_err(refused)?,
    };
    let event = proved.event();
    let said = event.as_ref().map_or_else(|| "a checkpoint".to_owned(), sentence);
    let recording = match &args.recording {
        Some(directory) => Some(compare(directory, event.as_ref(), &signer)?),
        None => None,
    };
    let Proved { head, seq, .. } = proved;
    if args.output.json {
        print_json(&json!({
            "origin": head.origin, "size": head.size, "seq": seq, "event": event,
            "recording_matches": recording.as_ref().map(Result::is_ok),
        }))?;
    } else {
        print_line(format_args!(
            "line {seq} of the log {}, as of its first {} lines:",
            head.origin, head.size
        ))?;
        print_line(&said)?;
        match &recording {
            Some(Ok(())) => print_line("the recording is the one that was sealed")?,
            Some(Err(why)) => {
                print_line(format_args!("the recording is NOT the one that was sealed: {why}"))?
            }
            None => {}
        }
    }
    Ok(if matches!(recording, Some(Err(_))) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn grown(old: &TreeHead, head: &TreeHead, json: bool) -> Result<ExitCode, CliError> {
    if json {
        print_json(&json!({ "origin": head.origin, "old_size": old.size, "size": head.size }))?;
    } else {
        print_line(format_args!(
            "the log {} only grew, from {} lines to {}: the first {} are the same",
            head.origin, old.size, head.size, old.size
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares a recording with the event that says what its root is. The inner error says what is wrong with it.
fn compare(
    directory: &Path,
    event: Option<&EventLine>,
    signer: &PublicKey,
) -> Result<Result<(), String>, CliError> {
    let event = event.filter(|line| line.event.is_sealing());
    let event =
        event.ok_or_else(|| CliError::new("the proof is about another event than a recording's end"))?;
    let found = passerelle_recorder::verify(directory, signer).map_err(CliError::new)?;
    let root = match &found.verdict {
        Verdict::Sealed { root, .. } | Verdict::Interrupted { root, .. } => root,
        _ => return Ok(Err(harmless(&found.to_string()).into_owned())),
    };
    if event.event.detail.get("root").and_then(|root| root.as_str()) != Some(&root.to_string()) {
        return Ok(Err(format!("its root is {root}")));
    }
    Ok(Ok(()))
}
