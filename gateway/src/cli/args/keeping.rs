//! What can be typed about keeping recordings.

use clap::{Args, ValueEnum, ValueHint};

use super::Json;

/// An order about recordings, and why.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// The recordings, as `recordings list` calls them.
    #[arg(value_name = "RECORDING", required = true, value_hint = ValueHint::Other)]
    pub(crate) recordings: Vec<String>,
    /// Why; it goes to the audit log.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// What of them.
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: ErasedClass,
    #[command(flatten)]
    pub(crate) output: Json,
}

/// What of a recording is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErasedClass {
    /// What was on the screen.
    Screen,
    /// Keys, pointer and clipboard content, as far as they are stored.
    Input,
    /// What happened around the session.
    Events,
    /// Everything.
    All,
}

impl ErasedClass {
    /// The name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Input => "input",
            Self::Events => "events",
            Self::All => "all",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DuArgs {
    /// How the recordings are grouped.
    #[arg(long, value_name = "GROUP", default_value = "technician")]
    pub(crate) by: Group,
    #[command(flatten)]
    pub(crate) output: Json,
}

/// How recordings are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// By who helped.
    Technician,
    /// By the machine that was helped.
    Target,
    /// By the month in which they began.
    Month,
}
