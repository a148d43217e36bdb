//! Rules about source files that no lint knows: how long they may be, and that nothing is left undone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome};

/// A file this long is worth a look.
const LONG: usize = 400;
/// A file this long has to be split.
const TOO_LONG: usize = 600;

/// What may stand in no file. Written in halves so that this file passes its own check.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "unfinished work belongs in an issue"),
    (concat!("FIX", "ME"), "unfinished work belongs in an issue"),
    (concat!("XX", "X:"), "unfinished work belongs in an issue"),
    (concat!("<<<<", "<<< "), "a merge was not finished"),
    (concat!(">>>>", ">>> "), "a merge was not finished"),
    (concat!("/ro", "ot/"), "a path of one machine means nothing on another"),
    (concat!("/wo", "rk/"), "a path of one machine means nothing on another"),
];

/// The kinds of files that people write here.
const TEXT: &[&str] =
    &["rs", "toml", "md", "yaml", "yml", "json", "py", "mjs", "sh", "html", "c", "ts", "tsx", "css"];

/// Folders that nobody writes by hand.
const GENERATED: &[&str] = &[".git", "target", "node_modules", "dist", "artifacts", "coverage"];

/// The kinds of files that must not be long.
const SHORT: &[&str] = &["rs", "ts", "tsx"];

pub(crate) fn check() -> Outcome {
    let root = shell::root();
    let mut problems = Vec::new();
    for path in written(&root)? {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        if path.extension().is_some_and(|extension| SHORT.iter().any(|short| extension == *short)) {
            match text.lines().count() {
                lines if lines > TOO_LONG => {
                    problems.push(format!("{}: {lines} lines; split it by phase", path.display()));
                }
                lines if lines > LONG => println!("warning: {}: {lines} lines", path.display()),
                _ => {}
            }
        }
        problems.extend(
            forbidden(&text).into_iter().map(|(line, why)| format!("{}:{line}: {why}", path.display())),
        );
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The lines that hold something forbidden, counted from 1, and what is wrong with each.
fn forbidden(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (word, why) in FORBIDDEN.iter().filter(|(word, _)| line.contains(word)) {
            found.push((index + 1, format!("`{}`: {why}", word.trim())));
        }
    }
    found
}

/// Every text file below the root, without what is generated or fetched.
fn written(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(root.join(&folder)).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
            let name = entry.file_name();
            let path = folder.join(&name);
            let kind = entry.file_type().map_err(|error| format!("{}: {error}", path.display()))?;
            if kind.is_dir() && !GENERATED.iter().any(|generated| name == *generated) {
                open.push(path);
            } else if kind.is_file()
                && path.extension().is_some_and(|kind| TEXT.iter().any(|text| kind == *text))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undone_work_is_found_with_its_line() {
        let text = format!("fine\n// {} later\n", concat!("TO", "DO"));
        let found = forbidden(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, 2);
    }

    #[test]
    fn finished_text_passes() {
        assert_eq!(forbidden("The work is done.\n"), []);
    }
}
