//! One direction of a relay: what a peer sent and the other has not been given yet.

use passerelle_desktop::{Notice, Record, Relay, RelayError, Side, Step};

use super::Observe;

/// Size of an idle direction's buffer in bytes.
const SMALL: usize = 8 * 1024;

/// Size up to which a busy direction's buffer grows in bytes, unless a message needs more.
const LARGE: usize = 512 * 1024;

/// The bytes of one direction, in a single buffer:
///
/// ```text
/// | ready: goes to the other side | withheld: dropped | not yet decided | free |
/// ^ start                                                               ^ end
/// ```
///
/// `then` is sent after `ready`, in the place of what is withheld.
pub(super) struct Flow {
    from: Side,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ready: usize,
    withheld: usize,
    then: Vec<u8>,
    then_sent: usize,
    /// Whether a read filled the buffer since [`Flow::relax`] looked last.
    busy: bool,
    notices: Vec<Notice>,
}

impl Flow {
    pub(super) fn new(from: Side) -> Self {
        Self {
            from,
            buffer: vec![0; SMALL],
            start: 0,
            end: 0,
            ready: 0,
            withheld: 0,
            then: Vec::new(),
            then_sent: 0,
            busy: false,
            notices: Vec::new(),
        }
    }

    /// What can be sent to the other side now, and where more can be received.
    pub(super) fn ends(&mut self) -> (&[u8], &mut [u8]) {
        let (filled, free) = self.buffer.split_at_mut(self.end);
        let outgoing = match self.ready {
            0 => &self.then[self.then_sent..],
            ready => &filled[self.start..self.start + ready],
        };
        (outgoing, free)
    }

    /// All that waits to be sent to the other side; after it the stream is between two messages.
    pub(super) fn rest(&self) -> Vec<u8> {
        let ready = &self.buffer[self.start..self.start + self.ready];
        [ready, &self.then[self.then_sent..]].concat()
    }

    /// Whether something waits to be sent to the other side.
    pub(super) fn has_outgoing(&self) -> bool {
        self.ready > 0 || !self.then.is_empty()
    }

    /// `count` bytes were received.
    pub(super) fn received(&mut self, count: usize) {
        self.end += count;
        self.busy |= self.end == self.buffer.len();
    }

    /// `count` bytes of what [`Flow::ends`] gave out were sent.
    pub(super) fn sent(&mut self, count: usize) {
        if self.ready > 0 {
            self.ready -= count;
            self.consume(count);
        } else {
            self.then_sent += count;
        }
        if self.ready == 0 && self.then_sent == self.then.len() {
            self.then = Vec::new();
            self.then_sent = 0;
            self.consume(self.withheld);
            self.withheld = 0;
        }
    }

    /// Lets `relay` decide about what was received, until it needs more or something of its own has to be
    /// sent first. Says whether anything was decided.
    pub(super) fn advance(
        &mut self,
        relay: &mut dyn Relay,
        observer: &mut dyn Observe,
    ) -> Result<bool, RelayError> {
        let mut progress = false;
        while self.then.is_empty() && self.withheld == 0 {
            if let Some(injection) = relay.take_injection(self.from.other()) {
                observer.passed(self.from, injection.len(), &injection);
                self.then = injection;
                return Ok(true);
            }
            let undecided = self.start + self.ready;
            let input = &self.buffer[undecided..self.end];
            if input.is_empty() {
                break;
            }
            let step = relay.step(self.from, input, &mut self.notices);
            for notice in self.notices.drain(..) {
                observer.notice(notice);
            }
            match step? {
                Step::NeedMore { total } => {
                    self.make_room(total);
                    break;
                }
                Step::Blocked => break,
                Step::Forward { len, record } => {
                    observer.passed(self.from, len, recorded(&record, &input[..len]));
                    self.ready += len;
                }
                Step::Drop { len } => self.withheld = len,
                Step::Replace { len, with, record } => {
                    observer.passed(self.from, with.len(), recorded(&record, &with));
                    self.withheld = len;
                    self.then = with;
                }
            }
            relay.settled(&mut self.notices);
            for notice in self.notices.drain(..) {
                observer.notice(notice);
            }
            progress = true;
            if !self.has_outgoing() {
                self.consume(self.withheld);
                self.withheld = 0;
            }
        }
        self.grow();
        Ok(progress)
    }

    /// Gives memory back after a quiet spell. To be called now and then.
    pub(super) fn relax(&mut self) {
        if !self.busy && self.start == self.end && self.buffer.len() > SMALL {
            self.buffer = vec![0; SMALL];
        }
        self.busy = false;
    }

    /// Whether [`Flow::relax`] has something to give back.
    pub(super) fn is_large(&self) -> bool {
        self.buffer.len() > SMALL
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Lets a message of `total` undecided bytes fit, as soon as what is before it has been sent. A side that takes
    /// nothing must not make the buffer grow, so room is made beside what waits only where there is enough of it.
    fn make_room(&mut self, total: usize) {
        let (held, needed) = (self.end - self.start, self.ready + total);
        if self.start + needed <= self.buffer.len() {
            return;
        }
        // Moved only into at least as much room as is moved, or every small piece that is sent would move it all.
        if self.ready > 0 && (needed > self.buffer.len() || self.start < held) {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.start = 0;
        self.end = held;
        if needed > self.buffer.len() {
            self.buffer.resize(needed.next_power_of_two(), 0);
        }
    }

    /// Doubles an empty buffer that was filled to the brim, so that bulk data moves in large pieces.
    fn grow(&mut self) {
        if self.busy && self.start == self.end && self.buffer.len() < LARGE {
            self.buffer = vec![0; (self.buffer.len() * 4).min(LARGE)];
            self.busy = false;
        }
    }
}

/// What the recording keeps of bytes that were sent.
fn recorded<'a>(record: &'a Record, sent: &'a [u8]) -> &'a [u8] {
    match record {
        Record::Wire => sent,
        Record::Redacted(bytes) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use passerelle_desktop::Permissions;

    use super::*;

    /// Frames are a length byte and so many bytes; `d…` is dropped, `r…` replaced by `(R)`, `x…` answered.
    #[derive(Default)]
    struct Toy {
        answer: Option<Vec<u8>>,
    }

    impl Relay for Toy {
        fn step(&mut self, _: Side, input: &[u8], notices: &mut Vec<Notice>) -> Result<Step, RelayError> {
            let len = 1 + usize::from(input[0]);
            if input.len() < len {
                return Ok(Step::NeedMore { total: len });
            }
            notices.push(Notice::Input);
            Ok(match input.get(1) {
                Some(b'd') => Step::Drop { len },
                Some(b'r') => Step::Replace { len, with: b"(R)".to_vec(), record: Record::Wire },
                Some(b'x') => {
                    self.answer = Some(b"(A)".to_vec());
                    Step::Forward { len, record: Record::Redacted(b"\x01*".to_vec()) }
                }
                _ => Step::Forward { len, record: Record::Wire },
            })
        }

        fn take_injection(&mut self, to: Side) -> Option<Vec<u8>> {
            if to == Side::Viewer { self.answer.take() } else { None }
        }

        fn set_permissions(&mut self, _: Permissions) {}
    }

    #[derive(Default)]
    struct Log {
        passed: Vec<u8>,
        notices: usize,
    }

    impl Observe for Log {
        fn passed(&mut self, _: Side, _: usize, bytes: &[u8]) {
            self.passed.extend_from_slice(bytes);
        }

        fn notice(&mut self, _: Notice) {
            self.notices += 1;
        }
    }

    /// Pushes `input` through in pieces of `read` bytes, sending at most `write` at a time.
    fn through(flow: &mut Flow, input: &[u8], read: usize, write: usize, log: &mut Log) -> Vec<u8> {
        let mut relay = Toy::default();
        let mut output = Vec::new();
        let mut rest = input;
        loop {
            let (_, free) = flow.ends();
            let count = rest.len().min(read).min(free.len());
            free[..count].copy_from_slice(&rest[..count]);
            flow.received(count);
            rest = &rest[count..];
            while flow.advance(&mut relay, log).unwrap() || flow.has_outgoing() {
                let (outgoing, _) = flow.ends();
                let count = outgoing.len().min(write);
                output.extend_from_slice(&outgoing[..count]);
                if count > 0 {
                    flow.sent(count);
                }
            }
            if rest.is_empty() {
                return output;
            }
        }
    }

    #[test]
    fn frames_pass_in_order_whatever_the_pieces() {
        let input = b"\x02ok\x03doh\x02ra\x04last\x01x\x03end";
        for read in 1..input.len() {
            for write in [1, 2, 3, 100] {
                let mut log = Log::default();
                let output = through(&mut Flow::new(Side::Viewer), input, read, write, &mut log);
                assert_eq!(output, b"\x02ok(R)\x04last\x01x\x03end", "read {read} write {write}");
                assert_eq!(log.passed, b"\x02ok(R)\x04last\x01*\x03end");
            }
        }
    }

    #[test]
    fn an_injection_goes_to_the_viewer_between_frames() {
        let mut relay = Toy { answer: Some(b"(A)".to_vec()) };
        let mut flow = Flow::new(Side::Target);
        assert!(flow.advance(&mut relay, &mut Log::default()).unwrap());
        assert_eq!(flow.ends().0, b"(A)");
    }

    #[test]
    fn a_busy_buffer_grows_and_a_quiet_one_shrinks() {
        let mut flow = Flow::new(Side::Target);
        let frames = [&[255_u8][..], &[b'.'; 255]].concat().repeat(1000);
        let output = through(&mut flow, &frames, usize::MAX, usize::MAX, &mut Log::default());
        assert_eq!(output.len(), frames.len());
        assert!(flow.is_large());
        flow.relax();
        flow.relax();
        assert!(!flow.is_large());
    }

    #[test]
    fn a_side_that_takes_nothing_stops_the_other() {
        let mut flow = Flow::new(Side::Target);
        let mut log = Log::default();
        // Messages that end nowhere near the end of the buffer.
        let messages = [&[250_u8][..], &[b'.'; 250]].concat().repeat(2 * LARGE / 251);
        let mut rest = &messages[..];
        loop {
            let (_, free) = flow.ends();
            let count = rest.len().min(free.len());
            if count == 0 {
                break;
            }
            free[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            flow.received(count);
            flow.advance(&mut Toy::default(), &mut log).unwrap();
        }
        assert!(flow.buffer.len() <= LARGE, "{} bytes wait", flow.buffer.len());
        let waited = messages.len() - rest.len();
        let mut output = Vec::new();
        while flow.has_outgoing() {
            let (outgoing, _) = flow.ends();
            let count = outgoing.len().min(100);
            output.extend_from_slice(&outgoing[..count]);
            flow.sent(count);
            flow.advance(&mut Toy::default(), &mut log).unwrap();
        }
        assert_eq!(output, messages[..waited - waited % 251]);
        output.extend(through(&mut flow, rest, 1000, 1000, &mut log));
        assert_eq!(output, messages);
    }

    #[test]
    fn a_message_larger_than_the_buffer_fits_when_the_relay_asks_for_it() {
        let mut flow = Flow::new(Side::Target);
        flow.make_room(3 * SMALL);
        assert!(flow.ends().1.len() >= 3 * SMALL);
    }
}
