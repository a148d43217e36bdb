//! Messages of a channel that are decided by their beginning or as a whole.

use std::collections::VecDeque;
use std::fmt::Debug;

use passerelle_desktop::{Denied, Notice, Side};

use super::RelayViolation;
use super::channel::{Chunk, Context, Verdict};

/// What becomes of a message, as its first chunk tells.
#[derive(Debug)]
pub(super) enum Plan<P> {
    /// It is decided when all of it is there. The filter has looked at its length.
    Gather,
    /// It passes chunk by chunk. The recording keeps nothing of it.
    Pass(P),
    /// It is withheld.
    Withhold,
    /// It is withheld. When it has ended, this goes to the side that it came from.
    Answer(Vec<u8>),
    /// It is withheld. When it has ended, this goes on in its place.
    Instead(Vec<u8>),
}

/// What becomes of a message that was gathered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// It passes.
    Pass,
    /// It passes. The recording keeps nothing of it.
    PassUnrecorded,
    /// It is withheld.
    Withhold,
    /// It is withheld. This goes to the side that it came from.
    Answer(Vec<u8>),
    /// It is withheld and this goes on in its place.
    Instead(Vec<u8>),
}

/// A channel's protocol, message by message.
pub(super) trait Messages {
    /// A message that passes chunk by chunk.
    type Passing: Send + Debug;

    /// A message of `total` bytes begins with `head`.
    fn begin(
        &mut self,
        from: Side,
        total: u32,
        head: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Plan<Self::Passing>, RelayViolation>;

    /// All of a message that was to be gathered.
    fn whole(&mut self, from: Side, message: &[u8], cx: &mut Context<'_>) -> Result<Whole, RelayViolation>;

    /// A part of a message passes.
    fn passing(&mut self, from: Side, passing: &mut Self::Passing, part: &[u8]);

    /// All of a message has passed.
    fn passed(&mut self, from: Side, passing: Self::Passing, cx: &mut Context<'_>);

    /// A message that was withheld or replaced has ended.
    fn withheld(&mut self, from: Side, cx: &mut Context<'_>) {
        let _ = (from, cx);
    }

    /// Names the violation of a message that is shorter than it says.
    fn truncated() -> RelayViolation;
}

/// The messages that are under way in both directions.
#[derive(Debug)]
pub(super) struct UnderWay<P> {
    viewer: Stage<P>,
    target: Stage<P>,
}

/// How far a direction is with a message.
#[derive(Debug)]
enum Stage<P> {
    Between,
    Gathering(Vec<u8>),
    Passing { passing: P, left: u32 },
    Withholding(Plan<P>),
}

impl<P: Send + Debug> UnderWay<P> {
    pub(super) fn new() -> Self {
        Self { viewer: Stage::Between, target: Stage::Between }
    }

    /// The session has ended: what was passing from a side, if something was.
    pub(super) fn broken_off(&mut self, from: Side) -> Option<P> {
        match std::mem::replace(self.stage(from), Stage::Between) {
            Stage::Passing { passing, .. } => Some(passing),
            Stage::Between | Stage::Gathering(_) | Stage::Withholding(_) => None,
        }
    }

    fn stage(&mut self, from: Side) -> &mut Stage<P> {
        match from {
            Side::Viewer => &mut self.viewer,
            Side::Target => &mut self.target,
        }
    }

    /// Decides about a chunk.
    pub(super) fn chunk<M: Messages<Passing = P>>(
        &mut self,
        messages: &mut M,
        from: Side,
        chunk: Chunk<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Verdict, RelayViolation> {
        let stage = self.stage(from);
        if chunk.first {
            *stage = match messages.begin(from, chunk.total, chunk.data, cx)? {
                Plan::Gather if chunk.last => {
                    *stage = Stage::Between;
                    return whole(messages, from, chunk, None, cx);
                }
                Plan::Gather => Stage::Gathering(Vec::new()),
                Plan::Pass(passing) => Stage::Passing { passing, left: chunk.total },
                withheld => Stage::Withholding(withheld),
            };
        }
        if let Stage::Gathering(message) = stage {
            message.extend_from_slice(chunk.data);
        } else if let Stage::Passing { passing, left } = stage {
            messages.passing(from, passing, chunk.data);
            *left = left.saturating_sub(u32::try_from(chunk.data.len()).unwrap_or(u32::MAX));
        }
        if !chunk.last {
            let passes = matches!(stage, Stage::Passing { .. });
            return Ok(if passes { Verdict::ForwardUnrecorded } else { Verdict::Drop });
        }
        match std::mem::replace(stage, Stage::Between) {
            Stage::Gathering(message) => whole(messages, from, chunk, Some(message), cx),
            Stage::Passing { left: 1.., .. } => Err(M::truncated()),
            Stage::Passing { passing, .. } => {
                messages.passed(from, passing, cx);
                Ok(Verdict::ForwardUnrecorded)
            }
            Stage::Withholding(plan) => {
                let verdict = match plan {
                    Plan::Answer(answer) => {
                        cx.injections.push((from, answer));
                        Verdict::Drop
                    }
                    Plan::Instead(message) => Verdict::Replace(message),
                    _ => Verdict::Drop,
                };
                messages.withheld(from, cx);
                Ok(verdict)
            }
            Stage::Between => Ok(Verdict::Drop),
        }
    }
}

/// Decides about a message of which `chunk` is the last, and the only one unless it was `gathered`.
fn whole<M: Messages>(
    messages: &mut M,
    from: Side,
    chunk: Chunk<'_>,
    gathered: Option<Vec<u8>>,
    cx: &mut Context<'_>,
) -> Result<Verdict, RelayViolation> {
    let message = gathered.as_deref().unwrap_or(chunk.data);
    if message.len() != chunk.total as usize {
        return Err(M::truncated());
    }
    let verdict = match messages.whole(from, message, cx)? {
        Whole::Pass => gathered.map_or(Verdict::Forward, Verdict::Replace),
        Whole::PassUnrecorded => gathered.map_or(Verdict::ForwardUnrecorded, Verdict::Replace),
        Whole::Withhold => Verdict::Drop,
        Whole::Answer(answer) => {
            cx.injections.push((from, answer));
            Verdict::Drop
        }
        Whole::Instead(message) => Verdict::Replace(message),
    };
    Ok(verdict)
}

/// Tells of what was denied, but not of the same thing again and again: programs try on their own.
#[derive(Debug, Default)]
pub(super) struct Denials {
    told: VecDeque<Denied>,
}

impl Denials {
    /// How many different ones are remembered.
    const REMEMBERED: usize = 32;

    pub(super) fn tell(&mut self, denied: Denied, cx: &mut Context<'_>) {
        if self.told.contains(&denied) {
            return;
        }
        if self.told.len() == Self::REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back(denied.clone());
        cx.notices.push(Notice::Denied(denied));
    }

    /// The permissions have changed: what is denied from now on is worth telling.
    pub(super) fn forget(&mut self) {
        self.told.clear();
    }
}
