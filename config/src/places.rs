//! Where things are, for commands that need nothing else of the configuration.

use std::path::{Path, PathBuf};

use crate::errors::ConfigErrors;
use crate::report::Report;
use crate::tree::{self, Node, Value};

/// The places that the command line looks for things in.
///
/// Reading them asks as little of the file as possible: no secret is resolved, and mistakes elsewhere do not
/// matter. So a session can be ended while the file is broken, by somebody who has none of the gateway's
/// environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Directory of the state.
    pub data_dir: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Directory of the recordings.
    pub recordings: PathBuf,
}

impl Places {
    /// Reads the places from a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not YAML, or one of the places is not text.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = crate::load::read(path)?;
        let mut report = Report::new(&path.to_string_lossy());
        let root = tree::parse(&text, &mut report);
        // Duplicate keys are reported and do no harm here, unless there is no tree at all.
        let Some(root) = root else { return Err(report.fail()) };
        let mut report = Report::new(&path.to_string_lossy());
        let base = path.parent().unwrap_or(Path::new(""));
        let mut place =
            |key: &str, node: Option<&Node>, default: PathBuf| match node.map(|node| (node, &node.value)) {
                None => default,
                Some((_, Value::Text(text))) if !text.is_empty() => base.join(text),
                Some((node, _)) => {
                    report.error(node.at, key, "must be a path");
                    default
                }
            };
        let data_dir = place("data_dir", root.get("data_dir"), crate::sections::default_data_dir());
        let control = place("control", root.get("control"), data_dir.join(crate::sections::CONTROL));
        let directory = root.get("recording").and_then(|recording| recording.get("directory"));
        let recordings = place("recording.directory", directory, data_dir.join(crate::sections::RECORDINGS));
        if report.has_errors() { Err(report.fail()) } else { Ok(Self { data_dir, control, recordings }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn places_are_where_the_configuration_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.yaml");
        for (text, data_dir, control, recordings) in [
            ("", "/var/lib/passerelle", "/var/lib/passerelle/control.sock", "/var/lib/passerelle/recordings"),
            ("data_dir: /d", "/d", "/d/control.sock", "/d/recordings"),
            ("control: /c\nrecording: { directory: /r }", "/var/lib/passerelle", "/c", "/r"),
        ] {
            let text = format!("listen: {{ vnc: 127.0.0.1:0 }}\n{text}");
            std::fs::write(&path, &text).unwrap();
            let places = Places::load(&path).unwrap();
            let expected =
                Places { data_dir: data_dir.into(), control: control.into(), recordings: recordings.into() };
            assert_eq!(places, expected, "{text}");
            let config = Config::load(&path).unwrap().config;
            assert_eq!(
                (config.control_socket(), config.recordings_dir()),
                (places.control, places.recordings)
            );
        }
    }

    #[test]
    fn mistakes_elsewhere_do_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.yaml");
        std::fs::write(&path, "data_dir: d\nnonsense: 1\nusers: [{ password_hash: env:UNSET }]").unwrap();
        assert_eq!(Places::load(&path).unwrap().data_dir, directory.path().join("d"));
        std::fs::write(&path, "data_dir: 7").unwrap();
        let errors = Places::load(&path).unwrap_err().to_string();
        assert!(errors.ends_with("p.yaml:1:11: data_dir: must be a path"), "{errors}");
    }
}
