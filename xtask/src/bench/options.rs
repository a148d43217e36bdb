//! What the command line says.

use std::path::PathBuf;

use crate::shell;

/// What the command line of one benchmark has of its own.
pub(crate) struct Benchmark {
    /// Its name, the first argument.
    pub(crate) name: &'static str,
    /// What it does, in a sentence for the usage.
    pub(crate) about: &'static str,
    /// The scenarios that `--only` takes, with what each measures.
    pub(crate) scenarios: &'static [(&'static str, &'static str)],
    /// Minutes of a quick run and of a full one.
    pub(crate) minutes: (u32, u32),
    /// Whether other peers can be compared without the gateway.
    pub(crate) proxies: bool,
    /// Whether there are runs over a long line.
    pub(crate) long_line: bool,
    /// Whether its result is one table, unless details are asked for.
    pub(crate) summary: bool,
    /// Whether the result can be written to a file, too.
    pub(crate) output: bool,
}

/// Options of `cargo xtask bench`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Fewer and shorter rounds.
    pub(crate) quick: bool,
    /// JSON instead of Markdown.
    pub(crate) json: bool,
    /// The spread of every figure and ratio instead of one table.
    pub(crate) details: bool,
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
    /// A file to write the result to besides.
    pub(crate) output: Option<PathBuf>,
}

/// Runs `benchmark` by `measure` as `arguments` say, or prints its usage.
///
/// # Errors
/// What is not understood, what is missing on this machine, or what failed, in a sentence. A target that is not met
/// is no error.
pub(crate) fn run(
    arguments: &[String],
    benchmark: &Benchmark,
    measure: fn(Options) -> anyhow::Result<()>,
) -> shell::Outcome {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", usage(benchmark));
        return Ok(());
    }
    measure(Options::parse(arguments, benchmark)?).map_err(|error| format!("{error:#}"))
}

impl Options {
    /// What `arguments` say to `benchmark`.
    ///
    /// # Errors
    /// One sentence about the argument that is not understood, and the usage.
    pub(crate) fn parse(arguments: &[String], benchmark: &Benchmark) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        if rest.next().map(String::as_str) != Some(benchmark.name) {
            return Err(usage(benchmark));
        }
        while let Some(argument) = rest.next() {
            let mut value =
                || rest.next().ok_or_else(|| format!("`{argument}` needs a value\n\n{}", usage(benchmark)));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                "--details" if benchmark.summary => options.details = true,
                "--short-line" if benchmark.long_line => options.short_line = true,
                "--without-passerelle" if benchmark.proxies => options.without_passerelle = true,
                "--output" if benchmark.output => options.output = Some(value()?.into()),
                "--passerelle" => options.passerelle = Some(value()?.into()),
                "--directory" => options.directory = Some(value()?.into()),
                "--only" => {
                    let name = value()?;
                    if !benchmark.scenarios.iter().any(|(known, _)| known == name) {
                        return Err(format!("there is no scenario `{name}`\n\n{}", usage(benchmark)));
                    }
                    options.only.push(name.clone());
                }
                other => return Err(format!("`{other}` is not understood\n\n{}", usage(benchmark))),
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
fn usage(benchmark: &Benchmark) -> String {
    let Benchmark { name, about, scenarios, minutes: (quick, full), .. } = benchmark;
    let Benchmark { proxies, long_line, summary, output, .. } = benchmark;
    let scenarios: String =
        scenarios.iter().map(|(name, what)| format!("         {name:12} {what}\n")).collect();
    let line =
        if *long_line { "  --short-line           without the runs over a line of 40 ms\n" } else { "" };
    let details = if *summary { "  --details              each round's spread, and ratios\n" } else { "" };
    let output = if *output { "  --output FILE          writes the result to this file, too\n" } else { "" };
    let without = if *proxies { "  --without-passerelle   the other peers only\n" } else { "" };
    format!(
        "\
Usage: cargo xtask bench {name} [OPTIONS]

{about}

  --quick                about {quick} minutes instead of about {full}
  --only SCENARIO        may be given several times:
{scenarios}{line}{details}  --json                 JSON instead of Markdown
{output}  --passerelle PATH      this binary instead of a release build of the tree
{without}  --directory PATH       where data, recordings and logs go"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCHMARK: Benchmark = Benchmark {
        name: "vnc",
        about: "Compares all.",
        scenarios: &[("raw", "Raw"), ("key", "keys"), ("paced", "paces")],
        minutes: (3, 15),
        proxies: true,
        long_line: true,
        summary: false,
        output: false,
    };

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), &BENCHMARK)
    }

    #[test]
    fn options_are_understood_and_others_refused() {
        let options = parse("vnc --quick --only raw --only key").unwrap();
        assert!(options.quick && options.wants("raw") && !options.wants("paced"));
        assert!(parse("vnc").unwrap().wants("paced"));
        assert!(parse("vnc --only nothing").unwrap_err().starts_with("there is no scenario `nothing`"));
        assert!(parse("vnc --only").unwrap_err().starts_with("`--only` needs a value"));
        assert!(parse("rdp").is_err());
        assert!(parse("vnc --without-passerelle").unwrap().without_passerelle);
        let lonely = Benchmark { proxies: false, ..BENCHMARK };
        let arguments = ["vnc", "--without-passerelle"].map(str::to_owned);
        assert!(Options::parse(&arguments, &lonely).is_err());
    }
}
