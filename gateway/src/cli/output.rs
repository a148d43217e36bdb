//! Printing, for people and for programs.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

/// Prints a line.
pub(crate) fn print_line(line: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Prints `value` as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    out.write_all(b"\n")
}

/// Text from elsewhere without what could steer the terminal: names and messages may come from a peer.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A size for people: `17.3 MiB`.
pub(crate) fn bytes(size: u64) -> String {
    let mut unit = "B";
    let mut divisor = 1u64;
    for (name, factor) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1u64 << 40)] {
        if size >= factor {
            (unit, divisor) = (name, factor);
        }
    }
    if divisor == 1 {
        return format!("{size} B");
    }
    // Below the smallest unit's tenth nothing is shown, so whole numbers are exact enough.
    let tenths = size / (divisor / 10).max(1);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A length of time for people: `1:02:03`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, 18_140_364, 5 << 40].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "17.3 MiB", "5.0 TiB"]);
        assert_eq!(duration(Duration::from_millis(3_723_900)), "1:02:03");
    }

    #[test]
    fn what_steers_terminals_is_taken_out() {
        assert_eq!(harmless("a\x1b[2Jb\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(harmless("Zoë 東京"), "Zoë 東京");
    }
}
