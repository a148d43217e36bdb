//! The relay loop: moves bytes between the two peers of a session, as a protocol's [`Relay`] decides,
//! until something ends it.

mod blackout;
mod flow;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use passerelle_desktop::{Notice, Permissions, Relay, RelayError, Side};
use passerelle_recorder::{Recording, RecordingFailed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::session::{CloseReason, Entry, InForce, Observer};
use blackout::Blackouts;
use flow::Flow;

/// How long the last bytes of a peer that left may take to reach the other.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long a viewer may take to be told why the session ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How often buffers that grew are looked at, to give memory back.
const RELAX: Duration = Duration::from_secs(5);

/// Is told what passes.
pub(crate) trait Observe {
    /// `forwarded` bytes went on, that came from `from` or in the place of what did; the session's record
    /// is to hold `recorded`.
    fn passed(&mut self, from: Side, forwarded: usize, recorded: &[u8]);

    /// Something happened.
    fn notice(&mut self, notice: Notice);
}

/// How long a session may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Without input from the technician.
    pub(crate) idle: Duration,
    /// In all, from the start of the relay.
    pub(crate) session: Duration,
}

/// What can be done to a running relay from outside.
pub(crate) struct Controls<K> {
    /// Resolves when the session must end, with the reason.
    pub(crate) killed: K,
    /// What the technician may do, from now on.
    pub(crate) permissions: watch::Receiver<Permissions>,
    /// Is told what the relay has made of them.
    pub(crate) in_force: watch::Sender<InForce>,
    /// Where blackouts are asked for and shown.
    pub(crate) entry: Arc<Entry>,
}

/// Relays between `viewer` and `target` until one of them leaves, a limit is reached, the session is
/// killed or its recording fails. Memory is bounded by the relay's largest message; a peer that takes
/// nothing stops the other peer of its own session only.
pub(crate) async fn run<V, T, K>(
    viewer: V,
    target: T,
    relay: &mut dyn Relay,
    observer: &mut Observer,
    limits: Limits,
    controls: Controls<K>,
) -> CloseReason
where
    V: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
    K: Future<Output = CloseReason>,
{
    let Controls { killed, mut permissions, in_force, entry } = controls;
    let mut blackouts = Blackouts::new(entry);
    let recording = observer.recording();
    let (mut from_viewer, mut to_viewer) = split(viewer);
    let (mut from_target, mut to_target) = split(target);
    permit(relay, *permissions.borrow_and_update(), &in_force, observer);
    let mut upward = Flow::new(Side::Viewer);
    let mut downward = Flow::new(Side::Target);

    let start = Instant::now();
    let mut killed = pin!(killed);
    let mut failed = pin!(recording_failed(recording.as_ref()));
    let mut deadline = pin!(sleep_until(start + limits.idle.min(limits.session)));
    let mut relax = pin!(sleep_until(start + RELAX));
    let mut relaxing = false;
    let mut last_input = start;
    let mut leaving: Option<CloseReason> = None;
    let mut recording_works = recording.is_some();
    let (mut viewer_unflushed, mut target_unflushed) = (false, false);

    let reason = loop {
        if let Err(error) = advance(&mut downward, &mut upward, relay, observer) {
            break violation(&error);
        }
        blackouts.follow(relay);
        if observer.take_input() {
            last_input = Instant::now();
        }
        if let Some(reason) = observer.take_failure() {
            break reason;
        }
        if let Some(reason) = leaving.take_if(|_| {
            !upward.has_outgoing() && !downward.has_outgoing() && !viewer_unflushed && !target_unflushed
        }) {
            break reason;
        }
        if !relaxing && (upward.is_large() || downward.is_large()) {
            relaxing = true;
            relax.as_mut().reset(Instant::now() + RELAX);
        }

        let (for_viewer, free_for_target) = downward.ends();
        let (for_target, free_for_viewer) = upward.ends();
        let reading = leaving.is_none();
        let (unsettled, behind) = (observer.is_unsettled(), observer.is_behind());
        let due = blackouts.deadline();
        tokio::select! {
            biased;
            reason = &mut killed => break reason,
            error = &mut failed, if recording_works => {
                recording_works = false;
                if let Some(reason) = observer.recording_failed(&error) {
                    break reason;
                }
            }
            () = &mut deadline => {
                if let Some(reason) = leaving.take() {
                    break reason;
                }
                let now = Instant::now();
                if now >= start + limits.session {
                    break CloseReason::TooLong;
                }
                if now >= last_input + limits.idle {
                    break CloseReason::Idle;
                }
                deadline.as_mut().reset((last_input + limits.idle).min(start + limits.session));
            }
            order = blackouts.order() => {
                blackouts.carry_out(order, relay, observer);
                settle(relay, observer);
            }
            () = at(due), if due.is_some() => {
                blackouts.time_is_up(relay, observer);
                settle(relay, observer);
            }
            changed = permissions.changed() => {
                if changed.is_err() {
                    break CloseReason::Internal { error: "the session's entry was dropped".to_owned() };
                }
                permit(relay, *permissions.borrow_and_update(), &in_force, observer);
            }
            sent = push(&mut to_viewer, for_viewer), if !for_viewer.is_empty() || viewer_unflushed => {
                match sent {
                    Ok(count) => {
                        viewer_unflushed = count > 0;
                        downward.sent(count);
                    }
                    Err(error) => break leaving.unwrap_or_else(|| left(Side::Viewer, &error)),
                }
            }
            sent = push(&mut to_target, for_target), if !for_target.is_empty() || target_unflushed => {
                match sent {
                    Ok(count) => {
                        target_unflushed = count > 0;
                        upward.sent(count);
                    }
                    Err(error) => break leaving.unwrap_or_else(|| left(Side::Target, &error)),
                }
            }
            read = receive(&mut from_target, free_for_target, recording.as_ref()),
                if reading && !behind && !free_for_target.is_empty() =>
            {
                match read {
                    Ok(0) => leaving = Some(CloseReason::TargetClosed),
                    Ok(count) => downward.received(count),
                    Err(error) => leaving = Some(left(Side::Target, &error)),
                }
            }
            read = receive(&mut from_viewer, free_for_viewer, recording.as_ref()),
                if reading && !free_for_viewer.is_empty() =>
            {
                match read {
                    Ok(0) => leaving = Some(CloseReason::ViewerClosed),
                    Ok(count) => upward.received(count),
                    Err(error) => leaving = Some(left(Side::Viewer, &error)),
                }
            }
            // After what can be sent, so that the viewer does not wait for it.
            () = settleable(recording.as_ref()), if unsettled => observer.settle(),
            () = &mut relax, if relaxing => {
                upward.relax();
                downward.relax();
                relaxing = false;
            }
        }
        if reading && leaving.is_some() {
            deadline.as_mut().reset(Instant::now() + FAREWELL);
        }
    };
    let mut notices = Vec::new();
    relay.finish(&mut notices);
    for notice in notices {
        observer.notice(notice);
    }
    if let Some(words) = reason.farewell().and_then(|why| relay.farewell(why)) {
        let last_words = async {
            to_viewer.write_all(&downward.rest()).await?;
            to_viewer.write_all(&words).await?;
            to_viewer.shutdown().await?;
            // A connection that is closed before all that came was read is reset, and the words may be lost.
            let mut unheard = [0; 4096];
            while from_viewer.read(&mut unheard).await? > 0 {}
            io::Result::Ok(())
        };
        // A viewer that does not listen is not waited for.
        timeout(LAST_WORDS, last_words).await.ok();
    }
    reason
}

/// Resolves at this time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Changes the permissions and tells what came of it.
fn permit(
    relay: &mut dyn Relay,
    permissions: Permissions,
    in_force: &watch::Sender<InForce>,
    observer: &mut Observer,
) {
    relay.set_permissions(permissions);
    let at_next_connection = relay.at_next_connection();
    observer.deferred(at_next_connection);
    in_force.send_replace(InForce { permissions, at_next_connection });
}

/// Writes down what the relay has changed by itself.
fn settle(relay: &mut dyn Relay, observer: &mut Observer) {
    let mut notices = Vec::new();
    relay.settled(&mut notices);
    for notice in notices {
        observer.notice(notice);
    }
}

/// Lets the relay decide about all that was received. Progress of one direction can unblock the other.
fn advance(
    downward: &mut Flow,
    upward: &mut Flow,
    relay: &mut dyn Relay,
    observer: &mut dyn Observe,
) -> Result<(), RelayError> {
    loop {
        let down = downward.advance(relay, observer)?;
        let up = upward.advance(relay, observer)?;
        if !down && !up {
            return Ok(());
        }
    }
}

/// Sends some of `bytes`; with nothing left to send, flushes and says 0.
async fn push<W: AsyncWrite + Unpin>(writer: &mut WriteHalf<W>, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        writer.flush().await.map(|()| 0)
    } else {
        match writer.write(bytes).await {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            sent => sent,
        }
    }
}

/// Receives, but not faster than the recording is written.
async fn receive<R: AsyncRead + Unpin>(
    reader: &mut ReadHalf<R>,
    free: &mut [u8],
    recording: Option<&Recording>,
) -> io::Result<usize> {
    if let Some(recording) = recording {
        // Whether the session goes on without its recording is for the loop's own branch to say.
        recording.ready().await.ok();
    }
    reader.read(free).await
}

/// Resolves when more can be recorded and others had their turn.
async fn settleable(recording: Option<&Recording>) {
    if let Some(recording) = recording {
        recording.ready().await.ok();
    }
    tokio::task::yield_now().await;
}

async fn recording_failed(recording: Option<&Recording>) -> RecordingFailed {
    match recording {
        Some(recording) => recording.failed().await,
        None => std::future::pending().await,
    }
}

/// A connection that breaks off is how many clients leave; other failures are worth their text.
fn left(side: Side, error: &io::Error) -> CloseReason {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let error = match error.kind() {
        BrokenPipe | ConnectionReset | UnexpectedEof => None,
        _ => Some(error.to_string()),
    };
    match (side, error) {
        (Side::Viewer, None) => CloseReason::ViewerClosed,
        (Side::Target, None) => CloseReason::TargetClosed,
        (Side::Viewer, Some(error)) => CloseReason::ViewerFailed { error },
        (Side::Target, Some(error)) => CloseReason::TargetFailed { error },
    }
}

fn violation(violation: &RelayError) -> CloseReason {
    let error = violation.to_string();
    match violation.side {
        Side::Viewer => CloseReason::ViewerViolation { error },
        Side::Target => CloseReason::TargetViolation { error },
    }
}
