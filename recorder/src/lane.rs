//! What recordings are made of: lanes of entries, grouped into classes by sensitivity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an entry. See `FORMAT.md`, "Lanes".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// The target's messages as they were forwarded to the viewer.
    Target,
    /// What a decoder of [`Lane::Target`] must know from here on, in the adapter's own format.
    State,
    /// The viewer's messages as they were forwarded to the target, redacted as the policy demands.
    Viewer,
    /// Messages that carried clipboard content.
    Clipboard,
    /// What happened around the session: one JSON object an entry.
    Events,
    /// Only in views: a chunk of the pictures that were rendered from a recording.
    View,
    /// Only in views: a small picture.
    Thumbnail,
    /// Only in views: what there is in it, and where.
    Index,
}

impl Lane {
    /// Every lane of a recording.
    pub const ALL: [Lane; 5] = [Lane::Target, Lane::State, Lane::Viewer, Lane::Clipboard, Lane::Events];

    /// The class whose key seals this lane.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Lane::Target | Lane::State | Lane::View | Lane::Thumbnail | Lane::Index => Class::Screen,
            Lane::Viewer | Lane::Clipboard => Class::Input,
            Lane::Events => Class::Events,
        }
    }

    /// The lane's number in an entry.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Lane::Target => 1,
            Lane::State => 2,
            Lane::Viewer => 3,
            Lane::Clipboard => 4,
            Lane::Events => 5,
            Lane::View => 6,
            Lane::Thumbnail => 7,
            Lane::Index => 8,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let views = [Lane::View, Lane::Thumbnail, Lane::Index];
        Self::ALL.into_iter().chain(views).find(|lane| lane.code() == code)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::Target => "target",
            Lane::State => "state",
            Lane::Viewer => "viewer",
            Lane::Clipboard => "clipboard",
            Lane::Events => "events",
            Lane::View => "view",
            Lane::Thumbnail => "thumbnail",
            Lane::Index => "index",
        })
    }
}

/// What is sealed under one key and can be erased on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What was on the screen.
    Screen,
    /// Keystrokes, pointer and clipboard.
    Input,
    /// What happened around the session.
    Events,
}

impl Class {
    /// Every class, the one of screens first.
    pub const ALL: [Class; 3] = [Class::Screen, Class::Input, Class::Events];

    pub(crate) const fn index(self) -> usize {
        match self {
            Class::Screen => 0,
            Class::Input => 1,
            Class::Events => 2,
        }
    }

    /// The class's number in a record's head; 0 is a checkpoint's.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Class::Screen => 1,
            Class::Input => 2,
            Class::Events => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Screen => "screen",
            Class::Input => "input",
            Class::Events => "events",
        })
    }
}
