//! `passerelle hash-password`

use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;

use passerelle_auth::{Secret, hash_password};
use serde_json::json;
use zeroize::Zeroizing;

use super::{CliError, HashPasswordArgs, print_json, print_line};
use crate::ambient;

/// The most that is read from standard input, in bytes: more than any password may have.
const MAX_INPUT: u64 = 64 * 1024;

pub(crate) fn run(args: &HashPasswordArgs) -> Result<ExitCode, CliError> {
    let password = if io::stdin().is_terminal() { ask()? } else { read()? };
    let mut salt = [0; 16];
    ambient::random(&mut salt);
    let hash = hash_password(&Secret::new(password), salt).map_err(CliError::new)?.to_string();
    if args.output.json {
        print_json(&json!({ "password_hash": hash }))?;
    } else {
        print_line(hash)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks twice at the terminal, without showing what is typed.
fn ask() -> Result<String, CliError> {
    let prompt = |text: &str| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| CliError::new(format_args!("the password cannot be read: {error}")))
    };
    let mut first = prompt("Password: ")?;
    let second = prompt("Again: ")?;
    if *first != *second {
        return Err(CliError::new("the two passwords differ; nothing was hashed"));
    }
    Ok(std::mem::take(&mut *first))
}

/// Takes the first line, without its end.
fn read() -> Result<String, CliError> {
    let mut input = Zeroizing::new(Vec::with_capacity(4096));
    io::stdin()
        .lock()
        .take(MAX_INPUT)
        .read_to_end(&mut input)
        .map_err(|error| CliError::new(format_args!("the password cannot be read: {error}")))?;
    let line = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(line) => Ok(line.to_owned()),
        Err(_) => Err(CliError::new("the password is not UTF-8 text")),
    }
}
