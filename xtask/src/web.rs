//! The web application in `gateway/web`: what is built of it is in the repository, so that building the gateway takes no
//! Node.js. Here it is built, and compared with what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Outcome};

/// What cargo embeds, as `npm run build` names it.
const DIST: &str = "gateway/web/dist";

/// `cargo xtask web`: checks the application and replaces what is built of it.
pub(crate) fn run(args: &[String]) -> Outcome {
    if let Some(unknown) = args.first() {
        return Err(format!("`cargo xtask web` takes no argument, such as `{unknown}`"));
    }
    inspect()?;
    build(&shell::root().join(DIST))
}

/// Checks the application, and that what is in the repository was built of it.
pub(crate) fn check() -> Outcome {
    let start = shell::now();
    inspect()?;
    let built = shell::root().join("target/web-dist");
    build(&built)?;
    let (found, wanted) = (files(&shell::root().join(DIST))?, files(&built)?);
    if found != wanted {
        let differ = |(path, bytes): &(&PathBuf, &Vec<u8>)| found.get(*path) != Some(bytes);
        let names = wanted.iter().filter(differ).map(|(path, _)| path.display().to_string());
        let names: Vec<_> = names
            .chain(
                found
                    .keys()
                    .filter(|path| !wanted.contains_key(*path))
                    .map(|path| path.display().to_string()),
            )
            .collect();
        return Err(format!(
            "{DIST} is not what gateway/web is built to ({}); `cargo xtask web` mends it",
            names.join(", ")
        ));
    }
    println!("web ok, {}", shell::seconds(start.elapsed()));
    Ok(())
}

fn npm(args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(args).current_dir(shell::root().join("gateway/web"));
    command
}

/// Installs exactly what the lock file names, and runs the type check and the unit tests.
fn inspect() -> Outcome {
    if !shell::has("npm") {
        return Err("npm is missing; on Debian: apt-get install nodejs npm".into());
    }
    // No package has to run anything to be installed, so none may. Not `npm ci`: releases of npm disagree on whether
    // the file of locked versions has to name packages for other platforms.
    let install =
        ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
    shell::run(&mut npm(&install))?;
    shell::run(&mut npm(&["run", "--silent", "check"]))?;
    shell::run(&mut npm(&["run", "--silent", "test"]))
}

fn build(to: &Path) -> Outcome {
    let mut command =
        npm(&["run", "--silent", "build", "--", "--emptyOutDir", "--logLevel", "warn", "--outDir"]);
    shell::run(command.arg(to))
}

/// The files below a folder, with their contents.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(part) = open.pop() {
        let failed = |error| format!("{}: {error}", folder.join(&part).display());
        for entry in fs::read_dir(folder.join(&part)).map_err(failed)? {
            let path = part.join(entry.map_err(failed)?.file_name());
            match folder.join(&path) {
                whole if whole.is_dir() => open.push(path),
                whole => {
                    let bytes = fs::read(&whole).map_err(|error| format!("{}: {error}", whole.display()))?;
                    found.insert(path, bytes);
                }
            }
        }
    }
    Ok(found)
}
