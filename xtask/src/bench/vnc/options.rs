//! What the command line says.

use std::path::PathBuf;

/// The scenarios that `--only` takes, with what each measures.
pub(crate) const SCENARIOS: [(&str, &str); 9] = [
    ("raw", "full 1920x1080 Raw updates, one after the other"),
    ("compressed", "full ZRLE and Tight updates, one after the other"),
    ("paced", "ZRLE and Tight at 25 updates a second"),
    ("round-trip", "1x1 updates"),
    ("key", "from a key to its pixels in a terminal"),
    ("picture", "from connecting to the first full picture, login included"),
    ("connections", "logins a second"),
    ("motion", "a 1280x720 region that moves at 10 frames a second"),
    ("memory", "idle and active sessions"),
];

/// Options of `cargo xtask bench vnc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// About three minutes instead of about fifteen.
    pub(crate) quick: bool,
    /// JSON instead of Markdown.
    pub(crate) json: bool,
    /// The scenarios to run; all when empty.
    pub(crate) only: Vec<String>,
    /// Leave out the runs with the long line.
    pub(crate) short_line: bool,
    /// A gateway binary to measure instead of the one that is built.
    pub(crate) passerelle: Option<PathBuf>,
    /// Compare the other peers only.
    pub(crate) without_passerelle: bool,
    /// Where recordings and logs go; the system's temporary directory when not given.
    pub(crate) directory: Option<PathBuf>,
}

impl Options {
    /// What `arguments` say.
    ///
    /// # Errors
    /// One sentence about the argument that is not understood, and the usage.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        if rest.next().map(String::as_str) != Some("vnc") {
            return Err(usage());
        }
        while let Some(argument) = rest.next() {
            let mut value =
                || rest.next().ok_or_else(|| format!("`{argument}` needs a value\n\n{}", usage()));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                "--short-line" => options.short_line = true,
                "--without-passerelle" => options.without_passerelle = true,
                "--passerelle" => options.passerelle = Some(value()?.into()),
                "--directory" => options.directory = Some(value()?.into()),
                "--only" => {
                    let name = value()?;
                    if !SCENARIOS.iter().any(|(known, _)| known == name) {
                        return Err(format!("there is no scenario `{name}`\n\n{}", usage()));
                    }
                    options.only.push(name.clone());
                }
                other => return Err(format!("`{other}` is not understood\n\n{}", usage())),
            }
        }
        Ok(options)
    }

    /// Whether `scenario` is to be run.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }

    /// The longer or the shorter of two, as `--quick` says.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// What `--help` prints.
pub(crate) fn usage() -> String {
    let scenarios: String =
        SCENARIOS.iter().map(|(name, what)| format!("         {name:12} {what}\n")).collect();
    format!(
        "\
Usage: cargo xtask bench vnc [OPTIONS]

Compares direct, HAProxy, websockify and Passerelle, without and with recording, in one run.

  --quick                about three minutes instead of about fifteen
  --only SCENARIO        may be given several times:
{scenarios}  --short-line           without the runs over a line of 40 ms
  --json                 JSON instead of Markdown
  --passerelle PATH      this binary instead of a release build of the tree
  --without-passerelle   the other peers only
  --directory PATH       where recordings and logs go"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_understood_and_others_refused() {
        let options = parse("vnc --quick --only raw --only key").unwrap();
        assert!(options.quick && options.wants("raw") && !options.wants("paced"));
        assert!(parse("vnc").unwrap().wants("paced"));
        assert!(parse("vnc --only nothing").unwrap_err().starts_with("there is no scenario `nothing`"));
        assert!(parse("vnc --only").unwrap_err().starts_with("`--only` needs a value"));
        assert!(parse("rdp").is_err());
    }
}
