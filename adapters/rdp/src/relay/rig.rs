//! A channel's filter under test.

use passerelle_desktop::{ClipboardLimits, Notice, Permission, Permissions, Side};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::RelayViolation;
use super::channel::{ChannelFilter, Chunk, Context, Verdict};

pub(super) const NOTHING: [u8; 0] = [];

/// `CHANNEL_CHUNK_LENGTH` (MS-RDPBCGR 3.1.5.2.1).
pub(super) const CHUNK: usize = 1600;

/// Messages of a session, each with who sends it.
pub(super) type Session = Vec<(Side, Vec<u8>)>;

/// What arrived of each message, and what was told and said.
pub(super) type Played = (Vec<Vec<u8>>, Vec<Notice>, Vec<(Side, Vec<u8>)>);

/// What is done to a session's messages.
#[derive(Debug)]
pub(super) struct Mistreatment {
    /// A bit for each permission.
    permissions: u32,
    messages: Vec<Mistreated>,
}

/// What is done to a message.
#[derive(Debug)]
struct Mistreated {
    /// Which bytes are changed to what.
    edits: Vec<(Index, u8)>,
    /// The length of its chunks.
    len: usize,
    from_wrong_side: bool,
}

pub(super) fn mistreatment() -> impl Strategy<Value = Mistreatment> {
    let edits = vec((any::<Index>(), any::<u8>()), 0..3);
    let message = (edits, 1..4000_usize, prop::bool::weighted(0.05))
        .prop_map(|(edits, len, from_wrong_side)| Mistreated { edits, len, from_wrong_side });
    (any::<u32>(), vec(message, 1..60))
        .prop_map(|(permissions, messages)| Mistreatment { permissions, messages })
}

/// A filter and what became of all that it was told.
pub(super) struct Rig<F> {
    pub(super) filter: F,
    pub(super) permissions: Permissions,
    pub(super) limits: ClipboardLimits,
    pub(super) store: bool,
    pub(super) notices: Vec<Notice>,
    pub(super) injections: Vec<(Side, Vec<u8>)>,
    /// What the recording has.
    pub(super) recorded: Vec<u8>,
}

impl<F: ChannelFilter> Rig<F> {
    /// A session with that filter in which everything is permitted.
    pub(super) fn with(filter: F) -> Self {
        Self {
            filter,
            permissions: Permission::ALL.iter().copied().collect(),
            limits: ClipboardLimits { to_target: 10_000, from_target: 5_000 },
            store: false,
            notices: vec![],
            injections: vec![],
            recorded: vec![],
        }
    }

    /// Sends a message in the usual chunks; says what arrives.
    pub(super) fn send(&mut self, from: Side, message: &[u8]) -> Vec<u8> {
        self.try_send(from, message, CHUNK).unwrap()
    }

    pub(super) fn try_send(
        &mut self,
        from: Side,
        message: &[u8],
        len: usize,
    ) -> Result<Vec<u8>, RelayViolation> {
        let mut chunks: Vec<&[u8]> = message.chunks(len).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        self.try_send_chunks(from, message.len(), &chunks)
    }

    pub(super) fn try_send_chunks(
        &mut self,
        from: Side,
        total: usize,
        chunks: &[&[u8]],
    ) -> Result<Vec<u8>, RelayViolation> {
        let mut arrived = Vec::new();
        let mut forwarded = 0;
        for (number, data) in chunks.iter().enumerate() {
            let last = number + 1 == chunks.len();
            let chunk = Chunk { total: u32::try_from(total).unwrap(), first: number == 0, last, data };
            let injected = self.injections.len();
            let verdict = self.chunk(from, chunk)?;
            match verdict {
                Verdict::Forward | Verdict::ForwardUnrecorded => {
                    assert_eq!(forwarded, number, "a message passes all or not at all");
                    forwarded += 1;
                    arrived.extend_from_slice(data);
                    if verdict == Verdict::Forward {
                        self.recorded.extend_from_slice(data);
                    }
                }
                Verdict::Drop => assert_eq!(forwarded, 0, "a message passes all or not at all"),
                Verdict::Replace(with) => {
                    assert!(last && forwarded == 0, "only a withheld message is replaced, at its end");
                    arrived = with;
                }
            }
            for (_, injection) in &self.injections[injected..] {
                assert!(!injection.is_empty());
            }
        }
        Ok(arrived)
    }

    pub(super) fn allow(&mut self, permissions: Permissions) {
        self.permissions = permissions;
        let mut cx = Context {
            permissions,
            clipboard: self.limits,
            store_clipboard: self.store,
            notices: &mut self.notices,
            injections: &mut self.injections,
        };
        self.filter.permissions_changed(&mut cx);
    }

    /// The session ends.
    pub(super) fn finish(&mut self) {
        self.filter.finish(&mut self.notices);
    }

    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn take_injections(&mut self) -> Vec<(Side, Vec<u8>)> {
        std::mem::take(&mut self.injections)
    }

    /// Who was denied what since the last time, and why although it was permitted.
    pub(super) fn denials(&mut self) -> Vec<(Side, Permission, Option<String>)> {
        let denied = |notice| match notice {
            Notice::Denied(denied) => Some((denied.by, denied.permission, denied.reason)),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(denied).collect()
    }

    /// What was denied since the last time, in words.
    pub(super) fn denied_actions(&mut self) -> Vec<String> {
        let denied = |notice| match notice {
            Notice::Denied(denied) => Some(denied.action.into_owned()),
            _ => None,
        };
        self.take_notices().into_iter().filter_map(denied).collect()
    }

    /// What becomes of a session when each message is cut at `cut`, and then every `len` bytes.
    pub(super) fn play(mut self, session: Session, cut: usize, len: usize) -> Result<Played, RelayViolation> {
        let mut arrived = Vec::new();
        for (from, message) in session {
            let (head, rest) = message.split_at(cut.min(message.len()));
            let mut chunks = vec![head];
            chunks.extend(rest.chunks(len));
            arrived.push(self.try_send_chunks(from, message.len(), &chunks)?);
        }
        Ok((arrived, self.notices, self.injections))
    }

    /// Plays a session in which bytes are changed and messages come from the wrong side.
    pub(super) fn mistreat(&mut self, session: Session, mistreatment: Mistreatment) {
        let Mistreatment { permissions, messages } = mistreatment;
        self.permissions =
            Permission::ALL.iter().copied().filter(|which| permissions >> *which as u32 & 1 != 0).collect();
        for ((from, mut message), Mistreated { edits, len, from_wrong_side }) in
            session.into_iter().cycle().zip(messages)
        {
            for (at, byte) in edits {
                *at.get_mut(&mut message) = byte;
            }
            let from = if from_wrong_side { from.other() } else { from };
            // The peer that broke the protocol would be gone.
            let _ = self.try_send(from, &message, len);
        }
        self.allow(Permissions::NONE);
    }

    /// Hands the filter a single chunk.
    pub(super) fn chunk(&mut self, from: Side, chunk: Chunk<'_>) -> Result<Verdict, RelayViolation> {
        let mut cx = Context {
            permissions: self.permissions,
            clipboard: self.limits,
            store_clipboard: self.store,
            notices: &mut self.notices,
            injections: &mut self.injections,
        };
        self.filter.chunk(from, chunk, &mut cx)
    }
}
