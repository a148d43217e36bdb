//! Targets from a directory of files.

use std::path::Path;

use serde_json::Value as Json;

use crate::meaning::Element;
use crate::report::{Position, Report, quoted};
use crate::resolver::{FragmentFile, Resolver};
use crate::shape::Shape;
use crate::tree::{self, Node};

/// The most files in a directory of targets.
const MAX_FILES: usize = 10_000;

/// What is in `targets_dir`.
#[derive(Default)]
pub(crate) struct Fragments {
    /// The files as they were before they were read.
    pub(crate) files: Vec<FragmentFile>,
    read: Vec<Fragment>,
}

struct Fragment {
    file: String,
    root: Node,
    json: Json,
}

impl Fragments {
    /// Reads every fragment in `directory`, which the configuration names at `at`. `targets` is the schema of
    /// a list of targets.
    pub(crate) fn read(
        directory: &Path,
        at: Position,
        (schema, targets): (&Json, &Json),
        resolver: &dyn Resolver,
        report: &mut Report,
    ) -> Self {
        let shown = quoted(&directory.to_string_lossy());
        let files = match resolver.fragments(directory) {
            Ok(files) if files.len() <= MAX_FILES => files,
            Ok(_) => {
                let message = format!("the directory {shown} has more than {MAX_FILES} files");
                report.error(at, "targets_dir", message);
                return Self::default();
            }
            Err(error) => {
                report.error(at, "targets_dir", format!("the directory {shown} cannot be read: {error}"));
                return Self::default();
            }
        };
        let mut read = Vec::new();
        for file in &files {
            let name = file.path.to_string_lossy().into_owned();
            report.in_file(Some(&name), |report| {
                let Some(root) = parse(&file.path, resolver, report) else { return };
                let base = file.path.parent().unwrap_or(Path::new(""));
                let json = Shape::new(schema, base, resolver, report).check(&root, targets, "");
                read.push(Fragment { file: name.clone(), root, json });
            });
        }
        Self { files, read }
    }

    /// The targets in all files.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Element<'_>> {
        self.read.iter().flat_map(|fragment| {
            let items = fragment.root.items().iter().enumerate();
            items.map(|(index, node)| Element { file: Some(&fragment.file), index, node })
        })
    }

    /// Whether each file could be read as YAML.
    pub(crate) fn is_complete(&self) -> bool {
        self.read.len() == self.files.len()
    }

    /// The lists of targets as JSON for the types, each with its file.
    pub(crate) fn json(&mut self) -> impl Iterator<Item = (&str, Json)> {
        self.read.iter_mut().map(|fragment| (&*fragment.file, fragment.json.take()))
    }
}

fn parse(path: &Path, resolver: &dyn Resolver, report: &mut Report) -> Option<Node> {
    match resolver.file(path).map(String::from_utf8) {
        Ok(Ok(text)) => tree::parse(&text, report),
        Ok(Err(_)) => {
            report.file_error("the file is not UTF-8 text");
            None
        }
        Err(error) => {
            report.file_error(format!("the file {error}"));
            None
        }
    }
}
