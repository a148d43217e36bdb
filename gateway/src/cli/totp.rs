//! `passerelle totp`: second factors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueHint};
use passerelle_auth::Enrolment;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use super::{CliError, Json, print_json, print_line};
use crate::{ambient, files};

#[derive(Debug, Subcommand)]
pub(crate) enum TotpCommand {
    /// Make a second factor.
    ///
    /// Writes what the gateway has to know to a file that only its owner may read, for `users[].totp`, and shows
    /// what goes into the technician's authenticator as a QR code, with recovery codes. None of these is shown
    /// again. The technician then enters each code directly behind the password.
    #[command(after_long_help = "\
Examples:
  passerelle totp enroll alice --output /etc/passerelle/alice.totp
  passerelle totp enroll alice --output alice.totp --issuer 'Example Helpdesk'

Recovery codes are for when the authenticator is lost. Each is good for one login, in the place of a code:
a password hunter2 is entered as hunter2ABCD-EFGH-JKMN-PQRS.")]
    Enroll(EnrollArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// Whose second factor it is; `users[].name`.
    #[arg(value_name = "TECHNICIAN")]
    technician: String,
    /// Where to write what the gateway has to know. An existing file is not replaced.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// The name under which the authenticator shows it.
    #[arg(long, value_name = "NAME", default_value = "Passerelle", value_hint = ValueHint::Other)]
    issuer: String,
    #[command(flatten)]
    json: Json,
}

pub(crate) fn run(command: &TotpCommand) -> Result<ExitCode, CliError> {
    let TotpCommand::Enroll(args) = command;
    let enrolment = Enrolment::new(&args.issuer, &args.technician, &mut ambient::random);
    let shown = instructions(args, &enrolment)?;
    write_new(&args.output, enrolment.file().expose())?;
    if args.json.json {
        let codes: Vec<_> = enrolment.recovery_codes().iter().map(|code| code.expose()).collect();
        print_json(&json!({ "uri": enrolment.uri().expose(), "recovery_codes": codes }))?;
    } else {
        print_line(shown)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let unwritten = |why: &dyn std::fmt::Display| CliError::new(format_args!("{} {why}", path.display()));
    if path.exists() {
        return Err(unwritten(&"is there already; remove it first if it is to be replaced"));
    }
    files::write_private(path, text.as_bytes())
        .map_err(|error| unwritten(&format_args!("cannot be written: {error}")))
}

fn instructions(args: &EnrollArgs, enrolment: &Enrolment) -> Result<String, CliError> {
    let uri = enrolment.uri().expose();
    let picture = QrCode::new(uri)
        .map_err(|error| CliError::new(format_args!("the issuer's and technician's names: {error}")))?
        .render::<Dense1x2>()
        // Terminals are dark on average, and scanners want dark on light.
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let mut text = format!(
        "{picture}\n\nScan this with an authenticator, or enter it there:\n  {uri}\n\nRecovery codes, each good once:\n"
    );
    for code in enrolment.recovery_codes() {
        text.push_str(&format!("  {}\n", code.expose()));
    }
    let (name, path) = (&args.technician, args.output.display());
    text.push_str(&format!("\nIn the configuration, beside `name: {name}`:\n  totp: file:{path}"));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(output: PathBuf, issuer: &str) -> EnrollArgs {
        let json = Json { json: false };
        EnrollArgs { technician: "alice".to_owned(), output, issuer: issuer.to_owned(), json }
    }

    #[test]
    fn an_enrolment_is_written_once_and_shown_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alice.totp");
        let args = args(path.clone(), "Passerelle");
        run(&TotpCommand::Enroll(args)).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.parse::<passerelle_auth::Totp>().is_ok());
        let again = run(&TotpCommand::Enroll(self::args(path.clone(), "Passerelle"))).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written);

        let enrolment = Enrolment::new("Passerelle", "alice", &mut ambient::random);
        let shown = instructions(&self::args(path, "Passerelle"), &enrolment).unwrap();
        assert!(shown.contains('█') && shown.contains(enrolment.uri().expose()));
        assert!(enrolment.recovery_codes().iter().all(|code| shown.contains(code.expose())));
    }

    #[test]
    fn names_that_no_qr_code_holds_are_told() {
        let args = args(PathBuf::from("x"), &"x".repeat(4000));
        let enrolment = Enrolment::new(&args.issuer, "alice", &mut ambient::random);
        assert!(instructions(&args, &enrolment).is_err());
    }
}
