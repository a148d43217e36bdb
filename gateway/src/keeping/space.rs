//! Room on the disk, and what happens when it runs out.

use std::io;

use passerelle_recorder::Space;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};

use crate::gateway::Gateway;

/// How much room there is, in terms of `recording.disk`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    Enough,
    /// Less than `warn`.
    Low,
    /// Less than `refuse`: no recording begins.
    Refusing,
    /// Less than `stop`: none goes on.
    Stopping,
}

impl Level {
    /// What `free` bytes are, with the marks `warn`, `refuse` and `stop`. From a worse level it takes a sixteenth more
    /// to get to a better one, so that nobody is told of every file.
    fn of(free: u64, [warn, refuse, stop]: [u64; 3], before: Self) -> Self {
        let below = |mark: u64, level: Self| {
            let slack = if before >= level { mark / 16 } else { 0 };
            free < mark.saturating_add(slack)
        };
        match () {
            () if below(stop, Self::Stopping) => Self::Stopping,
            () if below(refuse, Self::Refusing) => Self::Refusing,
            () if below(warn, Self::Low) => Self::Low,
            () => Self::Enough,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
            Self::Refusing => "refusing",
            Self::Stopping => "stopping",
        }
    }
}

/// Looks at the disk again and again.
#[derive(Default)]
pub(super) struct Watch {
    level: Level,
    /// The system does not say how much room there is, and the log knows.
    blind: bool,
}

impl Watch {
    /// Looks, tells what has changed, and ends recordings if it must.
    pub(super) fn look(&mut self, gateway: &Gateway) {
        self.found(gateway, gateway.recorder.space());
    }

    fn found(&mut self, gateway: &Gateway, space: io::Result<Space>) {
        let Space { free, total } = match space {
            Ok(space) => space,
            Err(error) => {
                if !std::mem::replace(&mut self.blind, true) {
                    tracing::error!(%error, "how much room there is for recordings is not known");
                }
                return;
            }
        };
        self.blind = false;
        gateway.metrics.recordings_free(free);
        let marks = gateway.policy().config.recording.disk.marks(total);
        let [_, refuse, stop] = marks;
        gateway.recorder.set_min_free_bytes(refuse);
        let level = Level::of(free, marks, self.level);
        if level != self.level {
            tell(gateway, level, self.level, free, marks);
            self.level = level;
        }
        if level == Level::Stopping {
            for entry in gateway.registry.all() {
                entry.stop_recording(free, stop);
            }
        }
    }
}

fn tell(gateway: &Gateway, level: Level, before: Level, free: u64, [warn, refuse, stop]: [u64; 3]) {
    let (mark, message) = match level {
        Level::Enough => (warn, "there is enough room for recordings again"),
        Level::Low => (warn, "there is little room for recordings"),
        Level::Refusing => (refuse, "there is too little room for recordings: none begins"),
        Level::Stopping => (stop, "there is no room for recordings: running ones end"),
    };
    let better = level < before;
    match level {
        Level::Enough => tracing::info!(free, "{message}"),
        Level::Low => tracing::warn!(free, mark, "{message}"),
        Level::Refusing | Level::Stopping => tracing::error!(free, mark, "{message}"),
    }
    let (kind, outcome) = if level == Level::Enough {
        (AuditKind::DiskRecovered, Outcome::Success)
    } else {
        (AuditKind::DiskLow, if better { Outcome::Success } else { Outcome::Failed })
    };
    let event = AuditEvent::new(kind).outcome(outcome).message(message);
    gateway.audit.note(event.detail("level", level.name()).detail("free", free).detail("mark", mark));
}

#[cfg(test)]
mod tests {
    use super::Level::{Enough, Low, Refusing, Stopping};
    use super::*;

    #[test]
    fn levels_follow_the_marks() {
        let marks = [3200, 1600, 800];
        for (free, before, level) in [
            (4000, Enough, Enough),
            (3200, Enough, Enough),
            (3199, Enough, Low),
            (1600, Low, Low),
            (1599, Low, Refusing),
            (799, Enough, Stopping),
            (0, Enough, Stopping),
            // A little more than the mark is no way out of a worse level,
            (3300, Low, Low),
            (3400, Low, Enough),
            (820, Stopping, Stopping),
            (850, Stopping, Refusing),
            (1650, Stopping, Refusing),
            // nor into one.
            (1600, Enough, Low),
        ] {
            assert_eq!(Level::of(free, marks, before), level, "{free} after {before:?}");
        }
        assert_eq!(Level::of(0, [0, 0, 0], Stopping), Enough, "without marks there is always enough");
    }
}
