//! Keeping peers from filling the audit log with what they are denied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use passerelle_auth::Timestamp;
use passerelle_desktop::{Denied, Permission, Side};

/// Denials of the same kind within so many milliseconds become one line: a pointer that moves over a view-only
/// session is denied a hundred times a second.
const TOGETHER_MS: i64 = 10_000;

/// How many kinds are told apart at a time. A peer invents as many names as it likes.
const MOST_KINDS: usize = 128;

/// How many lines a session may cause at once, and how many milliseconds bring another.
const MOST_LINES: u32 = 200;
const LINE_EVERY_MS: i64 = 10_000;

/// What was denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) permission: Permission,
    pub(super) action: Cow<'static, str>,
    pub(super) reason: Option<String>,
}

/// A line for the audit log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Denials of one kind.
    Denied { kind: Kind, by: Side, count: u64 },
    /// So many events were not told one by one, since there were too many.
    Untold { count: u64 },
}

/// What a session was denied and which of it is told.
#[derive(Debug)]
pub(super) struct Denials {
    kinds: BTreeMap<Kind, Held>,
    allowance: Allowance,
    untold: u64,
}

/// Denials of one kind that were not told yet.
#[derive(Debug)]
struct Held {
    by: Side,
    since: Timestamp,
    count: u64,
}

/// How many lines may still be written.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Timestamp,
}

impl Denials {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { kinds: BTreeMap::new(), allowance: Allowance { left: MOST_LINES, since: now }, untold: 0 }
    }

    /// Something was denied at `now`. Returns what is to be written.
    pub(super) fn denied(&mut self, denied: Denied, now: Timestamp) -> Vec<Line> {
        let Denied { by, permission, action, reason } = denied;
        let kind = Kind { permission, action, reason };
        let mut lines = Vec::new();
        if let Some(held) = self.kinds.get_mut(&kind) {
            held.count += 1;
            if now.as_millis() - held.since.as_millis() < TOGETHER_MS {
                return lines;
            }
            let (by, count) = (held.by, std::mem::take(&mut held.count));
            held.since = now;
            self.line(kind, by, count, now, &mut lines);
            return lines;
        }
        if self.kinds.len() == MOST_KINDS {
            self.drain(|held| now.as_millis() - held.since.as_millis() >= TOGETHER_MS, now, &mut lines);
        }
        if self.kinds.len() < MOST_KINDS {
            self.kinds.insert(kind.clone(), Held { by, since: now, count: 0 });
        }
        self.line(kind, by, 1, now, &mut lines);
        lines
    }

    /// Whether another event that peers cause as they like may be written at `now`. If not it is counted.
    pub(super) fn may_tell(&mut self, now: Timestamp) -> bool {
        let may = self.allowance.take(now);
        self.untold += u64::from(!may);
        may
    }

    /// What is still to be written, at the end of the session.
    pub(super) fn finish(&mut self, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        self.drain(|_| true, now, &mut lines);
        if self.untold > 0 {
            lines.push(Line::Untold { count: std::mem::take(&mut self.untold) });
        }
        lines
    }

    fn line(&mut self, kind: Kind, by: Side, count: u64, now: Timestamp, lines: &mut Vec<Line>) {
        if !self.allowance.take(now) {
            self.untold += count;
            return;
        }
        if self.untold > 0 {
            lines.push(Line::Untold { count: std::mem::take(&mut self.untold) });
        }
        lines.push(Line::Denied { kind, by, count });
    }

    /// Takes out the kinds that `which` picks, and tells what was not told of them.
    fn drain(&mut self, which: impl Fn(&Held) -> bool, now: Timestamp, lines: &mut Vec<Line>) {
        for (kind, held) in self.kinds.extract_if(.., |_, held| which(held)).collect::<Vec<_>>() {
            if held.count > 0 {
                self.line(kind, held.by, held.count, now, lines);
            }
        }
    }
}

impl Allowance {
    fn take(&mut self, now: Timestamp) -> bool {
        let more = (now.as_millis() - self.since.as_millis()).div_euclid(LINE_EVERY_MS);
        if more != 0 {
            self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(0)).min(MOST_LINES);
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: Side = Side::Viewer;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn denied(action: &str) -> Denied {
        let action = Cow::Owned(action.to_owned());
        Denied { by: BY, permission: Permission::OtherChannels, action, reason: None }
    }

    fn line(action: &str, count: u64) -> Line {
        let Denied { by, permission, action, reason } = denied(action);
        Line::Denied { kind: Kind { permission, action, reason }, by, count }
    }

    #[test]
    fn the_first_of_a_kind_is_told_at_once_and_others_together() {
        let mut denials = Denials::new(at(0));
        assert_eq!(denials.denied(denied("press"), at(0)), [line("press", 1)]);
        for time in 1..100 {
            assert_eq!(denials.denied(denied("press"), at(time)), []);
        }
        assert_eq!(denials.denied(denied("move"), at(100)), [line("move", 1)]);
        assert_eq!(denials.denied(denied("press"), at(10_000)), [line("press", 100)]);
        assert_eq!(denials.denied(denied("press"), at(10_001)), []);
        assert_eq!(denials.finish(at(10_002)), [line("press", 1)]);
        assert_eq!(denials.finish(at(10_003)), []);
    }

    #[test]
    fn invented_kinds_fill_neither_log_nor_memory_and_are_counted() {
        let mut denials = Denials::new(at(0));
        let mut lines = Vec::new();
        for number in 0..100_000 {
            lines.extend(denials.denied(denied(&format!("do {number}")), at(number / 1000)));
            assert!(denials.kinds.len() <= MOST_KINDS);
        }
        assert_eq!(lines.len(), MOST_LINES as usize);
        assert_eq!(lines.last(), Some(&line("do 199", 1)));
        // As time goes by there is room for some again, and for what was left out.
        let told = denials.denied(denied("do more"), at(20_000));
        assert_eq!(told, [Line::Untold { count: 99_800 }, line("do more", 1)]);
        assert_eq!(denials.denied(denied("do yet more"), at(20_000)), [line("do yet more", 1)]);
        assert_eq!(denials.denied(denied("do too much"), at(20_000)), []);
        assert_eq!(denials.finish(at(20_000)), [Line::Untold { count: 1 }]);
    }

    #[test]
    fn other_events_are_limited_and_counted_with_them() {
        let mut denials = Denials::new(at(0));
        let told = (0..1000).filter(|_| denials.may_tell(at(0))).count();
        assert_eq!(told, MOST_LINES as usize);
        assert_eq!(denials.denied(denied("press"), at(0)), []);
        assert_eq!(denials.finish(at(0)), [Line::Untold { count: 801 }]);
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing_for_long() {
        let mut denials = Denials::new(at(0));
        while denials.may_tell(at(0)) {}
        assert!(!denials.may_tell(at(-500_000)));
        assert!(denials.may_tell(at(-490_000)));
    }
}
