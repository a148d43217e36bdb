//! `passerelle check`

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use passerelle_config::{Config, Problem, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::{CliError, FAILED, Json, print_json, print_line};
use crate::webhooks;

pub(crate) fn run(path: &Path, output: &Json) -> Result<ExitCode, CliError> {
    let (errors, warnings) = match Config::load(path) {
        Ok(loaded) => {
            let mut errors = certificate_problems(path, &loaded.config);
            errors.extend(event_problems(path, &loaded.config));
            (errors, loaded.warnings)
        }
        Err(problems) => (problems.errors, problems.warnings),
    };
    let ok = errors.is_empty();
    if output.json {
        print_json(&json!({ "ok": ok, "errors": errors, "warnings": warnings }))?;
    } else {
        people(path, &errors, &warnings)?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn people(path: &Path, errors: &[Problem], warnings: &[Problem]) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for warning in warnings {
        writeln!(stderr, "warning: {warning}")?;
    }
    for error in errors {
        writeln!(stderr, "error: {error}")?;
    }
    let path = path.display();
    match (errors.len(), warnings.len()) {
        (0, 0) => print_line(format_args!("{path} is fine.")),
        (0, 1) => print_line(format_args!("{path} can be used, with 1 warning.")),
        (0, several) => print_line(format_args!("{path} can be used, with {several} warnings.")),
        (1, _) => print_line(format_args!("{path} cannot be used: 1 error.")),
        (several, _) => print_line(format_args!("{path} cannot be used: {several} errors.")),
    }
}

/// Events for webhooks that do not exist.
fn event_problems(path: &Path, config: &Config) -> impl Iterator<Item = Problem> {
    let file = path.display().to_string();
    webhooks::unknown_events(config).map(move |unknown| Problem {
        file: file.clone(),
        line: None,
        column: None,
        key: unknown.key(),
        message: unknown.message(),
    })
}

/// Whether the gateway's certificate and key can serve TLS together.
fn certificate_problems(path: &Path, config: &Config) -> Vec<Problem> {
    let Some(Tls::Files { certificate, key }) = &config.tls else { return Vec::new() };
    let problem = |key: &str, message: String| {
        let file = path.display().to_string();
        vec![Problem { file, line: None, column: None, key: key.to_owned(), message }]
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.pem.as_bytes()).collect();
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => {
            return problem("tls.certificate", format!("the file is not a PEM certificate: {error}"));
        }
    };
    let key = match PrivateKeyDer::from_pem_slice(key.expose().as_bytes()) {
        Ok(key) => key,
        // The error is not repeated: it might quote the key.
        Err(_) => return problem("tls.key", "this is not a private key in PEM".to_owned()),
    };
    match rustls::sign::CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()) {
        Ok(_) => Vec::new(),
        Err(rustls::Error::InconsistentKeys(_)) => {
            problem("tls.key", "the key is not the one that the certificate was made for".to_owned())
        }
        Err(error) => {
            problem("tls.certificate", format!("the certificate and its key cannot be used: {error}"))
        }
    }
}
