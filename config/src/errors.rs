//! What is wrong with a configuration, all of it at once.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, or doubtful, in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file as it was named to the loader.
    pub file: String,
    /// Line from 1; `None` when the problem is the file as a whole.
    pub line: Option<usize>,
    /// Column from 1, in characters.
    pub column: Option<usize>,
    /// Path of the key, such as `targets[0].address`; empty for the file as a whole.
    pub key: String,
    /// One sentence for the person who can mend it. Never contains a secret.
    pub message: String,
}

/// `passerelle.yaml:12:5: targets[0].adress: unknown key; did you mean `address`?`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a configuration file, in the file's order; never empty. Displayed one
/// problem a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigErrors {
    /// What makes the configuration unusable.
    pub errors: Vec<Problem>,
    /// What is doubtful besides.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.errors.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
