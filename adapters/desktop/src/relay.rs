//! How a protocol's messages pass through the gateway.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::{Blackout, BlackoutError, BlackoutState, Permission, Permissions};

/// One of the two peers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The technician's client.
    Viewer,
    /// The machine that is helped.
    Target,
}

impl Side {
    /// The peer at the other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Side::Viewer => Side::Target,
            Side::Target => Side::Viewer,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Viewer => "viewer",
            Side::Target => "target",
        })
    }
}

/// A protocol's relay: a pure state machine that frames what each peer sends and says what becomes of it.
///
/// The gateway owns the sockets and the buffers. For each side it keeps the bytes that were received and
/// not yet consumed and calls [`step`](Relay::step) until the answer is [`Step::NeedMore`] or
/// [`Step::Blocked`]. What a step consumes is forwarded in order, so a relay holds content back
/// in memory of its own only where it says so, up to a limit.
pub trait Relay: Send {
    /// Decides about the bytes at the front of `input`, which came from `from`.
    ///
    /// Pushes what people or the recording should know onto `notices`; they describe the state of the
    /// session from just before the consumed bytes on.
    ///
    /// # Errors
    /// The peer sent something that cannot be framed. The session must end: nothing that follows is
    /// understood.
    fn step(&mut self, from: Side, input: &[u8], notices: &mut Vec<Notice>) -> Result<Step, RelayError>;

    /// Takes the bytes that the relay itself has to say to `to`.
    ///
    /// `Some` only when the stream towards `to` is at a message boundary. The gateway asks after each
    /// step of either side and sends the answer before anything else to `to`.
    fn take_injection(&mut self, to: Side) -> Option<Vec<u8>>;

    /// What is said to the viewer, between two messages, before the gateway ends the session by itself. Nothing
    /// where the protocol has no words for it, or the target has said all; the connection is then just closed.
    fn farewell(&mut self, why: Farewell) -> Option<Vec<u8>> {
        let _ = why;
        None
    }

    /// Replaces the permissions. Takes effect with the next message.
    fn set_permissions(&mut self, permissions: Permissions);

    /// Those of the permissions in force that take effect, or take full effect, only when the viewer connects anew: what
    /// they open was closed when the peers asked for it.
    fn at_next_connection(&self) -> Permissions {
        Permissions::NONE
    }

    /// Has the recording leave out what the screen shows, what is typed and what the clipboard carries, until
    /// [`end_blackout`](Self::end_blackout). It begins once what comes after it can be drawn without what is left out:
    /// [`Notice::BlackoutBegan`] tells where, and [`blackout`](Self::blackout) says [`BlackoutState::Beginning`] until then.
    /// The viewer goes on seeing everything.
    ///
    /// # Errors
    /// See [`BlackoutError`]. Nothing changes.
    fn begin_blackout(&mut self, asked: Blackout) -> Result<(), BlackoutError> {
        let _ = asked;
        Err(BlackoutError::Unsupported)
    }

    /// Ends the blackout, or gives up one that has not begun. [`Notice::BlackoutEnded`] tells from where on all is recorded
    /// again: once nothing is under way any more that was drawn before.
    fn end_blackout(&mut self) {}

    /// How far the blackout is.
    fn blackout(&self) -> BlackoutState {
        BlackoutState::Off
    }

    /// Tells what the last step as a whole has changed: the gateway asks after each step, once it has recorded what that
    /// let through.
    fn settled(&mut self, notices: &mut Vec<Notice>) {
        let _ = notices;
    }

    /// Tells of what was still under way, such as files of which only a part went through. To be called once, when the
    /// session has ended, for whatever reason; there is no [`step`](Relay::step) after it. Nothing where a protocol's
    /// notices never wait for an end.
    fn finish(&mut self, notices: &mut Vec<Notice>) {
        let _ = notices;
    }
}

/// Why a session ends, as far as the gateway tells the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Somebody ended it.
    Ended,
    /// The technician did nothing for too long.
    Idle,
    /// It was as long as sessions may be.
    TooLong,
    /// The gateway stops, or cannot go on.
    Failed,
    /// The same viewer goes on in another connection.
    Replaced,
    /// The target is gone.
    TargetLost,
}

/// What becomes of the bytes at the front of a side's buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing can be said before the buffer holds at least `total` bytes.
    NeedMore {
        /// Length that the buffer must reach; bounded by the adapter's limits.
        total: usize,
    },
    /// Nothing from this side may be consumed before the other side has made progress.
    Blocked,
    /// The first `len` bytes go to the other side as they are.
    Forward {
        /// How many bytes; more than 0.
        len: usize,
        /// What the recording keeps of them.
        record: Record,
    },
    /// The first `len` bytes are withheld.
    Drop {
        /// How many bytes; more than 0.
        len: usize,
    },
    /// The first `len` bytes are withheld and `with` goes to the other side instead.
    Replace {
        /// How many bytes; more than 0.
        len: usize,
        /// What is sent in their place.
        with: Vec<u8>,
        /// What the recording keeps of `with`.
        record: Record,
    },
}

/// What the recording keeps of bytes that went through.
#[derive(Debug, PartialEq, Eq)]
pub enum Record {
    /// The bytes themselves.
    Wire,
    /// Something else in their place, with the sensitive content removed and still well framed.
    Redacted(Vec<u8>),
}

/// Something that happened in a session, for the audit log, the recording and the idle timer.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// The technician used the keyboard, the pointer or the clipboard.
    Input,
    /// A peer tried what is not permitted. It was withheld and the session goes on.
    Denied(Denied),
    /// Clipboard content went through, or as much of it as did before the session ended.
    Clipboard {
        /// Where it came from.
        from: Side,
        /// Its kind in the protocol's own terms, such as `text` or `html`.
        kind: &'static str,
        /// Uncompressed size in bytes of what passed.
        bytes: u64,
        /// Whether that was all of it.
        complete: bool,
        /// The protocol message that carried it, for recordings whose policy keeps clipboard content.
        message: Vec<u8>,
    },
    /// The desktop has a new size in pixels.
    Resized {
        /// Width.
        width: u16,
        /// Height.
        height: u16,
    },
    /// The desktop has a new name.
    Renamed(String),
    /// A virtual channel was opened, or kept from being opened.
    Channel {
        /// Its name as the peers announce it, such as `rdpdr` or `Microsoft::Windows::RDS::Graphics`; cleaned of
        /// control characters.
        name: String,
        /// Whether it is one that comes and goes within a session.
        dynamic: bool,
        /// The permission that it needs.
        permission: Permission,
        /// Whether it was opened.
        opened: bool,
    },
    /// A file went through whole, or as much of it as did before it was closed or given up, or the session ended.
    File {
        /// Where it came from.
        from: Side,
        /// How it went: `clipboard`, `drive` or `printer`.
        by: &'static str,
        /// Its name, with its path as far as that is known; cleaned of control characters.
        name: String,
        /// How many bytes of it passed.
        bytes: u64,
        /// SHA-256 of its content, if it passed whole and in order.
        sha256: Option<[u8; 32]>,
    },
    /// A peer says why it ends the session.
    Disconnecting {
        /// Who says it.
        by: Side,
        /// Why, in words.
        reason: String,
    },
    /// The target sent the technician to another machine. It was not passed on.
    Redirected {
        /// Where to, in words; cleaned of control characters.
        to: String,
    },
    /// State that a decoder of the target's bytes must know from here on, in the adapter's own format.
    Marker(Vec<u8>),
    /// From here on nothing of the screen is recorded.
    BlackoutBegan(Blackout),
    /// From here on it is again.
    BlackoutEnded,
}

/// An action that was not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Who tried.
    pub by: Side,
    /// What would have been needed.
    pub permission: Permission,
    /// What was tried, in words for the audit log: `set the desktop size`.
    pub action: Cow<'static, str>,
    /// Why it was withheld although the permission is there, if it is: `longer than 65536 bytes`.
    pub reason: Option<String>,
}

/// A peer broke the protocol so that the session cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the {side} broke the protocol: {error}")]
pub struct RelayError {
    /// Who broke it.
    pub side: Side,
    /// How, in the adapter's own words.
    #[source]
    pub error: Box<dyn Error + Send + Sync>,
}
