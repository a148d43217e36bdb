//! Collecting problems with their positions.

use crate::errors::{ConfigErrors, Problem};
use crate::load::Loaded;
use crate::resolver::FragmentFile;
use crate::sections::Config;

/// Where something stands in the file: line and column from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The problems found so far.
pub(crate) struct Report {
    file: String,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), errors: Vec::new(), warnings: Vec::new() }
    }

    pub(crate) fn error(&mut self, at: Position, key: &str, message: impl Into<String>) {
        let problem = self.problem(Some(at), key, message.into());
        self.errors.push(problem);
    }

    pub(crate) fn warning(&mut self, at: Position, key: &str, message: impl Into<String>) {
        let problem = self.problem(Some(at), key, message.into());
        self.warnings.push(problem);
    }

    /// A problem of the file as a whole.
    pub(crate) fn file_error(&mut self, message: impl Into<String>) {
        let problem = self.problem(None, "", message.into());
        self.errors.push(problem);
    }

    /// What `work` reports is about `file`, if one is given.
    pub(crate) fn in_file<T>(&mut self, file: Option<&str>, work: impl FnOnce(&mut Self) -> T) -> T {
        let Some(file) = file else { return work(self) };
        let outer = std::mem::replace(&mut self.file, file.to_owned());
        let result = work(self);
        self.file = outer;
        result
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    fn problem(&self, at: Option<Position>, key: &str, message: String) -> Problem {
        Problem {
            file: self.file.clone(),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            key: key.to_owned(),
            message,
        }
    }

    /// The configuration with the warnings, or everything that is wrong; in the file's order.
    pub(crate) fn finish(
        mut self,
        config: Option<(Config, Vec<FragmentFile>)>,
    ) -> Result<Loaded, ConfigErrors> {
        match config {
            Some((config, fragments)) if self.errors.is_empty() => {
                in_order(&mut self.warnings);
                Ok(Loaded { config, warnings: self.warnings, fragments })
            }
            _ => Err(self.fail()),
        }
    }

    /// Everything that is wrong, in the file's order.
    pub(crate) fn fail(mut self) -> ConfigErrors {
        if self.errors.is_empty() {
            self.file_error("the file could not be understood");
        }
        in_order(&mut self.errors);
        in_order(&mut self.warnings);
        ConfigErrors { errors: self.errors, warnings: self.warnings }
    }
}

/// An alias brings the same mistake to several places; each has a key of its own and stays.
fn in_order(problems: &mut Vec<Problem>) {
    problems.sort();
    problems.dedup();
}

/// ` did you mean …` with the candidate nearest to `wrong`, or nothing.
pub(crate) fn suggestion<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, candidates).map_or_else(String::new, |right| format!("; did you mean `{right}`?"))
}

fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no slips of the finger, and the comparison takes quadratic time.
    let length = wrong.chars().count();
    if length > 64 {
        return None;
    }
    let wrong = wrong.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase().replace('-', "_")), candidate)
        })
        .filter(|(distance, candidate)| *distance <= (length.max(candidate.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `text` in backquotes, shortened and without control characters, so that it fits in a sentence.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().nth(60).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_find_their_key() {
        let keys = ["address", "protocol", "credentials"];
        assert_eq!(suggestion("adress", keys), "; did you mean `address`?");
        assert_eq!(suggestion("protcool", keys), "; did you mean `protocol`?");
        assert_eq!(suggestion("Credentials", keys), "; did you mean `credentials`?");
        assert_eq!(suggestion("nothing", keys), "");
        assert_eq!(suggestion(&"a".repeat(1000), keys), "");
    }
}
