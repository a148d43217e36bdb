//! Spans of a session of whose screen nothing is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who asked that nothing of the screen is kept for a while, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blackout {
    /// Whose privacy it is for.
    #[serde(rename = "for")]
    pub whose: Whose,
    /// Who asked, by the name that the audit log has.
    pub by: String,
    /// Why, in their own words.
    pub reason: String,
}

/// Whose privacy a blackout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The technician's.
    Technician,
    /// That of the person who is helped.
    User,
}

impl Whose {
    /// The name in the API, the audit log and recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Whose::Technician => "technician",
            Whose::User => "user",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a relay is with leaving the screen out of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlackoutState {
    /// All is recorded.
    #[default]
    Off,
    /// It was asked for, and the target still sends what is recorded.
    Beginning,
    /// Nothing of the screen, of keys and of the clipboard is recorded.
    On,
    /// Its end was asked for, and what comes may still have been drawn before; only the screen is left out.
    Ending,
}

/// Why a blackout cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlackoutError {
    /// The session's protocol, or what its peers agreed on, needs all that is on the wire to draw what follows.
    #[error("nothing can be left out of this session's recording: what follows could not be drawn any more")]
    Unsupported,
    /// Nothing is shown at present.
    #[error("nothing of the screen is shown at present, so there is nothing to leave out of the recording")]
    NothingShown,
    /// There is one already.
    #[error("a blackout has begun already, or has not ended yet")]
    Already,
}
