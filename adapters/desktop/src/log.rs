//! The form in which a recording keeps what a target sends.

/// Rewrites what a target sent for its recording, where the wire's own form makes a bad one. No I/O, and bounded.
///
/// It works message by message and apart from forwarding, so that the viewer does not wait for it: what passed is
/// [taken](Self::take), and worked on when there is time for that.
pub trait TargetLog: Send + Sync {
    /// Takes the next bytes that went to the viewer, cut between messages. Of what the recording is not to `keep` it gets
    /// only what later messages build upon and what shows nothing of the screen; the rest serves to understand what follows.
    fn take(&mut self, bytes: &[u8], keep: bool);

    /// How many bytes were taken and not yet worked on, whole messages or not.
    fn waiting(&self) -> usize;

    /// Works on the next message: appends what the recording is to hold to `out`. `false`: no whole message waits.
    fn advance(&mut self, out: &mut Vec<u8>) -> bool;

    /// The session is over: appends what is left of unfinished messages to `out`, as it came.
    fn finish(&mut self, out: &mut Vec<u8>);

    /// What it failed to rewrite since the last call and what therefore stands in the recording as it came: what kind of
    /// thing, told once where several follow one another.
    fn take_failure(&mut self) -> Option<&'static str>;
}
