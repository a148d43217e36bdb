//! How much happens when.

use serde::{Deserialize, Serialize};

/// How long a bucket is at first, in milliseconds.
const BUCKET: u32 = 1000;
/// With more buckets than this, two become one.
const BUCKETS: usize = 4096;
/// Nothing happening for so long is idle time, in milliseconds.
const IDLE: u32 = 5000;
/// Changes of fewer pixels are a caret that blinks or a clock, and interrupt no idle time.
const NOTHING: usize = 1024;
/// How many spans are kept apart.
const SPANS: usize = 10_000;

/// A time from one moment to another, in milliseconds since the recording's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From here on.
    pub from_ms: u32,
    /// Up to here.
    pub until_ms: u32,
}

/// How much happened, over the length of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// How much time one value stands for, in milliseconds.
    pub bucket_ms: u32,
    /// How much of the screen changed, in per cent; 1 if it was only a little, or somebody only typed.
    pub values: Vec<u8>,
}

/// Adds up what happens. Times never go back.
pub(crate) struct Meter {
    bucket_ms: u32,
    /// Pixels in thousandths of the screen.
    buckets: Vec<u32>,
    /// When something last happened.
    last: u32,
    idle: Vec<Span>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { bucket_ms: BUCKET, buckets: Vec::new(), last: 0, idle: Vec::new() }
    }

    /// So many pixels of a screen of `of` changed.
    pub(crate) fn changed(&mut self, t_ms: u32, pixels: usize, of: usize) {
        let share = (pixels as u64 * 1000).div_ceil(of.max(1) as u64);
        self.add(t_ms, u32::try_from(share).unwrap_or(u32::MAX));
        if pixels >= NOTHING {
            self.happened(t_ms);
        }
    }

    /// Somebody typed or pointed.
    pub(crate) fn input(&mut self, t_ms: u32) {
        self.add(t_ms, 1);
        self.happened(t_ms);
    }

    /// What there is until `until_ms`.
    pub(crate) fn sum(&self, until_ms: u32) -> (Activity, Vec<Span>) {
        let percent = |share: &u32| u8::try_from(share.div_ceil(10).min(100)).unwrap_or(100);
        let values = self.buckets.iter().map(percent).collect();
        let mut idle = self.idle.clone();
        if until_ms.saturating_sub(self.last) >= IDLE {
            idle.push(Span { from_ms: self.last, until_ms });
        }
        (Activity { bucket_ms: self.bucket_ms, values }, idle)
    }

    fn add(&mut self, t_ms: u32, share: u32) {
        while (t_ms / self.bucket_ms) as usize >= BUCKETS {
            self.bucket_ms *= 2;
            let both = |pair: &[u32]| pair.iter().copied().fold(0, u32::saturating_add);
            self.buckets = self.buckets.chunks(2).map(both).collect();
        }
        let bucket = (t_ms / self.bucket_ms) as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(sum) = self.buckets.get_mut(bucket) {
            *sum = sum.saturating_add(share);
        }
    }

    fn happened(&mut self, t_ms: u32) {
        if t_ms.saturating_sub(self.last) >= IDLE && self.idle.len() < SPANS {
            self.idle.push(Span { from_ms: self.last, until_ms: t_ms });
        }
        self.last = self.last.max(t_ms);
    }
}

/// Adds a span to spans in order, joined to the last one if they touch. When there are too many, the last one grows.
pub(crate) fn add_span(spans: &mut Vec<Span>, span: Span) {
    let full = spans.len() >= SPANS;
    match spans.last_mut() {
        Some(last) if full || span.from_ms <= last.until_ms => {
            last.until_ms = last.until_ms.max(span.until_ms);
        }
        _ => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_where_nothing_happens_that_matters() {
        let mut meter = Meter::new();
        meter.changed(0, 10_000, 10_000);
        meter.input(4_000);
        // A caret blinks.
        for t_ms in (5_000..30_000).step_by(500) {
            meter.changed(t_ms, 30, 10_000);
        }
        meter.changed(30_000, 2_000, 10_000);
        meter.input(31_500);
        let (activity, idle) = meter.sum(90_000);
        assert_eq!(
            idle,
            [Span { from_ms: 4_000, until_ms: 30_000 }, Span { from_ms: 31_500, until_ms: 90_000 }]
        );
        assert_eq!(activity.bucket_ms, 1000);
        assert_eq!(activity.values.len(), 32);
        assert_eq!((activity.values[0], activity.values[1], activity.values[30]), (100, 0, 20));
        assert_eq!((activity.values[4], activity.values[31]), (1, 1));
    }

    #[test]
    fn long_recordings_have_longer_buckets() {
        let mut meter = Meter::new();
        for t_ms in (0..8 * 3_600_000).step_by(1000) {
            meter.input(t_ms);
        }
        let (activity, idle) = meter.sum(8 * 3_600_000);
        assert_eq!(activity.bucket_ms, 8000);
        assert_eq!(activity.values, vec![1; 3600]);
        assert!(idle.is_empty());
    }

    #[test]
    fn spans_that_touch_are_one() {
        let mut spans = Vec::new();
        for (from_ms, until_ms) in [(0, 10), (10, 20), (15, 18), (30, 40)] {
            add_span(&mut spans, Span { from_ms, until_ms });
        }
        assert_eq!(spans, [Span { from_ms: 0, until_ms: 20 }, Span { from_ms: 30, until_ms: 40 }]);
    }
}
