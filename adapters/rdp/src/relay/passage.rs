//! The content of a file that goes by in pieces.

use ring::digest::{Context, SHA256};

/// What passed of a file, hashed as long as it comes in order from its beginning.
pub(super) struct Passage {
    /// Of what came without a gap; `None` once there was one.
    hash: Option<Context>,
    /// Where the next piece must begin.
    next: u64,
    passed: u64,
}

impl Passage {
    pub(super) fn new() -> Self {
        Self { hash: Some(Context::new(&SHA256)), next: 0, passed: 0 }
    }

    /// A piece follows that belongs at `offset`. One at the beginning begins the file anew.
    pub(super) fn seek(&mut self, offset: u64) {
        if offset == self.next {
            return;
        }
        self.next = offset;
        self.hash = (offset == 0).then(|| Context::new(&SHA256));
    }

    /// Some bytes pass.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.next = self.next.saturating_add(bytes.len() as u64);
        self.passed = self.passed.saturating_add(bytes.len() as u64);
    }

    /// What passes is not the file's content, or not all of it.
    pub(super) fn spoil(&mut self) {
        self.hash = None;
    }

    /// How many bytes passed, the repeated ones too.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Up to where the file came without a gap.
    pub(super) fn whole_up_to(&self) -> Option<u64> {
        self.hash.as_ref().map(|_| self.next)
    }

    /// SHA-256 of the file up to [`whole_up_to`](Self::whole_up_to).
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        self.hash.clone()?.finish().as_ref().try_into().ok()
    }
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.hash.is_some();
        f.debug_struct("Passage")
            .field("whole", &whole)
            .field("next", &self.next)
            .field("passed", &self.passed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
        Some(Sha256::digest(bytes).into())
    }

    #[test]
    fn pieces_in_order_are_hashed_as_one() {
        let mut passage = Passage::new();
        assert_eq!(passage.sha256(), sha256(b""));
        for (offset, piece) in [(0, "Hel"), (3, "lo"), (5, ", world")] {
            passage.seek(offset);
            passage.pass(piece.as_bytes());
        }
        assert_eq!((passage.whole_up_to(), passage.passed()), (Some(12), 12));
        assert_eq!(passage.sha256(), sha256(b"Hello, world"));
    }

    #[test]
    fn a_gap_loses_the_hash_until_the_file_begins_anew() {
        let mut passage = Passage::new();
        passage.pass(b"head");
        for offset in [5, 2, u64::MAX] {
            passage.seek(offset);
            passage.pass(b"x");
            assert_eq!((passage.sha256(), passage.whole_up_to()), (None, None));
        }
        passage.seek(0);
        passage.pass(b"again");
        assert_eq!((passage.sha256(), passage.whole_up_to()), (sha256(b"again"), Some(5)));
        assert_eq!(passage.passed(), 12);
        passage.spoil();
        assert_eq!(passage.sha256(), None);
    }
}
