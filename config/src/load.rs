//! From a file to a checked configuration.

use std::path::Path;

use serde_json::Value as Json;

use crate::errors::{ConfigErrors, Problem};
use crate::fragments::Fragments;
use crate::report::Report;
use crate::resolver::{FragmentFile, Resolver, SystemResolver, WithoutSecrets};
use crate::schema::SCHEMA;
use crate::sections::{Config, Target};
use crate::shape::Shape;
use crate::{meaning, tree};

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, with its secrets.
    pub config: Config,
    /// What is doubtful in it, in the file's order.
    pub warnings: Vec<Problem>,
    /// The files in `targets_dir`, as they were just before they were read.
    pub fragments: Vec<FragmentFile>,
}

impl Config {
    /// Reads and checks a file, with the process's environment.
    ///
    /// # Errors
    /// Everything that is wrong with the file, or that it cannot be read.
    pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
        let text = read(path)?;
        Self::parse(&text, &path.to_string_lossy(), &SystemResolver)
    }

    /// Reads and checks a file without the secrets that it refers to; nothing can be logged in to with it.
    ///
    /// # Errors
    /// Everything else that is wrong with the file, or that it cannot be read.
    pub fn load_without_secrets(path: &Path) -> Result<Loaded, ConfigErrors> {
        Self::parse(&read(path)?, &path.to_string_lossy(), &WithoutSecrets)
    }

    /// Checks the text of a file. `source_name` is what problems call the file; relative paths in the
    /// text start at its directory.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse(text: &str, source_name: &str, resolver: &dyn Resolver) -> Result<Loaded, ConfigErrors> {
        let mut report = Report::new(source_name);
        let config = check(text, source_name, resolver, &mut report);
        report.finish(config)
    }
}

/// Reads the text of a file.
pub(crate) fn read(path: &Path) -> Result<String, ConfigErrors> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
            let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = 1 + valid.filter(|byte| **byte == b'\n').count();
            format!("the file is not UTF-8 text (line {line})")
        }),
        Err(error) => Err(format!("the file cannot be read: {error}")),
    };
    text.map_err(|message| {
        let mut report = Report::new(&path.to_string_lossy());
        report.file_error(message);
        report.fail()
    })
}

fn check(
    text: &str,
    source_name: &str,
    resolver: &dyn Resolver,
    report: &mut Report,
) -> Option<(Config, Vec<FragmentFile>)> {
    let root = tree::parse(text, report)?;
    let schema = &*SCHEMA;
    let base = Path::new(source_name).parent().unwrap_or(Path::new(""));
    let json = Shape::new(schema, base, resolver, report).check(&root, schema, "");
    let mut fragments = match (root.get("targets_dir"), json.get("targets_dir").and_then(Json::as_str)) {
        (Some(node), Some(directory)) => {
            let targets = schema.pointer("/properties/targets").unwrap_or(&Json::Null);
            Fragments::read(Path::new(directory), node.at, (schema, targets), resolver, report)
        }
        _ => Fragments::default(),
    };
    meaning::check_tree(&root, &fragments, report);
    if report.has_errors() {
        return None;
    }
    let config = serde_json::from_value::<Config>(json).and_then(|mut config| {
        for (file, targets) in fragments.json() {
            let targets = serde_json::from_value::<Vec<Target>>(targets)?.into_iter();
            config.targets.extend(targets.map(|target| Target { file: Some(file.to_owned()), ..target }));
        }
        Ok(config)
    });
    match config {
        Ok(config) => {
            meaning::check_config(&config, &root, report);
            Some((config, fragments.files))
        }
        Err(error) => {
            report.file_error(error.to_string());
            None
        }
    }
}
