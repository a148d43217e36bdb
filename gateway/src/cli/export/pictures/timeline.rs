//! Which part of a recording becomes a video, and where idle time goes.

use passerelle_recorder::view::Span;

/// What is left of idle time at each of its ends, in milliseconds.
const LEFT: u32 = 500;

/// Translates times of a recording to times of its video.
pub(super) struct Timeline {
    from_ms: u32,
    until_ms: u32,
    /// What is left out, in order.
    gaps: Vec<Span>,
}

impl Timeline {
    /// From one time to another, both in milliseconds since the recording's start, without what is in the midst of `idle`.
    pub(super) fn new(from_ms: u32, until_ms: u32, idle: &[Span]) -> Self {
        let gap = |span: &Span| {
            let from = span.from_ms.saturating_add(LEFT).max(from_ms);
            let until = span.until_ms.saturating_sub(LEFT).min(until_ms);
            (from < until).then_some(Span { from_ms: from, until_ms: until })
        };
        Self { from_ms, until_ms, gaps: idle.iter().filter_map(gap).collect() }
    }

    pub(super) fn begin_ms(&self) -> u32 {
        self.from_ms
    }

    pub(super) fn end_ms(&self) -> u32 {
        self.until_ms
    }

    /// When the video shows this time, in milliseconds since its start. Never goes back.
    pub(super) fn place(&self, t_ms: u32) -> u64 {
        let t_ms = t_ms.clamp(self.from_ms, self.until_ms.max(self.from_ms));
        let before = self.gaps.iter().take_while(|gap| gap.from_ms < t_ms);
        let left_out: u64 = before.map(|gap| u64::from(gap.until_ms.min(t_ms) - gap.from_ms)).sum();
        u64::from(t_ms - self.from_ms) - left_out
    }

    /// Length of the video in milliseconds; at least one.
    pub(super) fn length(&self) -> u64 {
        self.place(self.until_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_the_beginning_of_the_part() {
        let line = Timeline::new(1000, 5000, &[]);
        let places = [0, 1000, 2500, 5000, 9000].map(|t_ms| line.place(t_ms));
        assert_eq!((places, line.length()), ([0, 0, 1500, 4000, 4000], 4000));
        assert_eq!(Timeline::new(7, 7, &[]).length(), 1);
    }

    #[test]
    fn idle_time_shrinks_to_its_ends() {
        let span = |from_ms, until_ms| Span { from_ms, until_ms };
        let idle = [span(10_000, 20_000), span(30_000, 30_900), span(40_000, 60_000)];
        let line = Timeline::new(0, 50_000, &idle);
        for (t_ms, expected) in [
            (10_000, 10_000),
            (10_500, 10_500),
            (15_000, 10_500),
            (19_500, 10_500),
            (20_000, 11_000),
            (31_000, 22_000),
        ] {
            assert_eq!(line.place(t_ms), expected, "{t_ms}");
        }
        assert_eq!(line.length(), 31_500);
    }
}
