//! How a recorded session becomes pictures again.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Blackout, Cursor, Damage, Framebuffer, FramebufferError};

/// Draws a recorded session: takes what a recording has of its screen, in the order in which it was recorded, and
/// keeps the picture that the viewer saw. Nothing is sent and no clock is read.
///
/// A recording may come from a hostile target, so a decoder bounds what it holds, does not panic, and goes on where
/// it can: what it can't draw it counts in [`skipped`](Self::skipped). After an error, which is final, the picture
/// remains as it was.
pub trait Decoder: Send {
    /// Takes an entry of the `state` lane: what holds from this place of the `target` lane on.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn state(&mut self, entry: &[u8]) -> Result<(), DecodeError>;

    /// Takes the next bytes of the `target` lane, cut anywhere, and draws what they complete.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn target(&mut self, bytes: &[u8]) -> Result<(), DecodeError>;

    /// The picture as it is now, without the pointer. One black pixel as long as no size is known.
    fn framebuffer(&self) -> &Framebuffer;

    /// What changed in the picture since the last call. After a change of the desktop's size the framebuffer has the
    /// new size, and all of it is damaged.
    fn take_damage(&mut self) -> Damage;

    /// What the pointer looks like now.
    fn pointer(&self) -> &Pointer;

    /// Where the target last put the pointer: column and row. Nothing if it never moved it; where the viewer moves
    /// it is not on these lanes.
    fn pointer_position(&self) -> Option<(u16, u16)>;

    /// Who asked that nothing of the screen is kept at this place of the recording, if somebody did. The picture is then
    /// black, and stays so until something comes after the end of that.
    fn blackout(&self) -> Option<&Blackout> {
        None
    }

    /// What could not be drawn so far, in the order in which it first occurred.
    fn skipped(&self) -> &[Skipped];
}

/// What the pointer looks like.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Pointer {
    /// As the viewer's own system draws it.
    #[default]
    Default,
    /// Not at all.
    Hidden,
    /// In this shape. Pixels that invert what is below them are black and white in turn.
    Shape(Cursor),
}

/// Why a recording can't be drawn any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// What the target said is not what its protocol has there, so nothing that follows is understood.
    #[error("what the target sent is not understood any further: {0}")]
    Framing(String),
    /// A `state` entry that is missing, broken, or of a later version.
    #[error("what the recording says about its session is not understood: {0}")]
    State(String),
    /// The target's desktop can't be held.
    #[error("the recorded desktop can't be drawn: {0}")]
    Desktop(#[from] FramebufferError),
}

/// Something that is not in the picture, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What was left out: a noun in the plural, such as `drawing orders`.
    pub what: Cow<'static, str>,
    /// How many of it.
    pub count: u64,
}

/// The list that a decoder keeps of what it leaves out. Names are for a decoder to choose, from a set of some hundred
/// at most, never from what a peer sent.
#[derive(Debug, Default)]
pub struct Tally(Vec<Skipped>);

impl Tally {
    /// What [`contain`](Self::contain) counts.
    pub const PANICS: &'static str = "updates on which a decoder failed";

    /// Counts one more.
    pub fn add(&mut self, what: impl Into<Cow<'static, str>>) {
        self.add_many(what, 1);
    }

    /// Counts `count` more.
    pub fn add_many(&mut self, what: impl Into<Cow<'static, str>>, count: u64) {
        if count == 0 {
            return;
        }
        let what = what.into();
        match self.0.iter_mut().find(|skipped| skipped.what == what) {
            Some(skipped) => skipped.count = skipped.count.saturating_add(count),
            None => self.0.push(Skipped { what, count }),
        }
    }

    /// What `decode`, a decoder that we did not write, returns, or nothing, counted, if it panics. What it worked on
    /// may then be half done and is for the caller to replace where that matters. This needs a build that unwinds.
    pub fn contain<T>(&mut self, decode: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(decode));
        if result.is_err() {
            self.add(Self::PANICS);
        }
        result.ok()
    }

    /// What was counted, in the order in which it first occurred.
    pub fn list(&self) -> &[Skipped] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_by_name() {
        let mut tally = Tally::default();
        tally.add("orders");
        tally.add_many("tiles", 0);
        tally.add_many(String::from("codec 7"), 3);
        tally.add_many("orders", u64::MAX);
        assert_eq!(tally.contain(|| 5), Some(5));
        let broken: &[u8] = &[];
        assert_eq!(tally.contain(|| broken[std::hint::black_box(3)]), None);
        let listed: Vec<_> = tally.list().iter().map(|skipped| (&*skipped.what, skipped.count)).collect();
        assert_eq!(listed, [("orders", u64::MAX), ("codec 7", 3), (Tally::PANICS, 1)]);
    }
}
