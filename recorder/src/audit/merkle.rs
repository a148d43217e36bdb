//! The Merkle tree over the log's lines (RFC 9162, section 2.1): its root stands for all of them, and a few hashes
//! prove that a line is one of them.

use std::ops::Range;

use ring::digest::{Context, SHA256};

/// A hash of the tree.
pub type TreeHash = [u8; 32];

/// What the tree has in the place of a line, which is given without its line feed.
pub(crate) fn leaf(line: &[u8]) -> TreeHash {
    hash(&[&[0], line])
}

fn node(left: &TreeHash, right: &TreeHash) -> TreeHash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> TreeHash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A tree that grows, in the memory that its depth takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    /// Roots of the complete trees that the leaves fall into, one for each bit of `size`, the largest first.
    peaks: Vec<TreeHash>,
}

impl Tree {
    /// The number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: TreeHash) {
        let mut peak = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                peak = node(&left, &peak);
            }
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// The root over all leaves.
    pub(crate) fn root(&self) -> TreeHash {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right));
        folded.unwrap_or_else(|| hash(&[]))
    }
}

/// Collects the hashes of a proof while all leaves of a tree pass by.
#[derive(Debug)]
pub(crate) struct Prover {
    leaves: u64,
    /// The leaves under each hash of the proof, and the tree over those that passed.
    parts: Vec<(Range<u64>, Tree)>,
}

impl Prover {
    /// For the proof that the leaf `index`, from 0, is in a tree of `size` leaves, which is more.
    pub(crate) fn inclusion(index: u64, size: u64) -> Self {
        let mut parts = Vec::new();
        let mut rest = 0..size;
        while rest.end - rest.start > 1 {
            let middle = middle(&rest);
            let (with, without) = (rest.start..middle, middle..rest.end);
            let (with, without) = if index < middle { (with, without) } else { (without, with) };
            parts.push(without);
            rest = with;
        }
        Self::of(parts)
    }

    /// For the proof that the tree of the first `old` leaves, at least one, is the beginning of the tree of `size`
    /// leaves, which is not less.
    pub(crate) fn consistency(old: u64, size: u64) -> Self {
        let mut parts = Vec::new();
        let mut rest = 0..size;
        while rest.end > old {
            let middle = middle(&rest);
            let (left, right) = (rest.start..middle, middle..rest.end);
            let (with, without) = if old <= middle { (left, right) } else { (right, left) };
            parts.push(without);
            rest = with;
        }
        // What begins with the first leaf is the old tree itself, whose root is known.
        if rest.start > 0 {
            parts.push(rest);
        }
        Self::of(parts)
    }

    /// `parts` are in order from the root down.
    fn of(mut parts: Vec<Range<u64>>) -> Self {
        parts.reverse();
        Self { leaves: 0, parts: parts.into_iter().map(|part| (part, Tree::default())).collect() }
    }

    /// The next leaf passes.
    pub(crate) fn pass(&mut self, leaf: TreeHash) {
        let number = self.leaves;
        self.leaves += 1;
        if let Some((_, tree)) = self.parts.iter_mut().find(|(leaves, _)| leaves.contains(&number)) {
            tree.push(leaf);
        }
    }

    /// The proof, after all leaves.
    pub(crate) fn proof(&self) -> Vec<TreeHash> {
        self.parts.iter().map(|(_, tree)| tree.root()).collect()
    }
}

/// Where the tree over at least two leaves is split: behind the largest power of two that is less than their number.
fn middle(leaves: &Range<u64>) -> u64 {
    leaves.start + (1 << (leaves.end - leaves.start - 1).ilog2())
}

/// The roots that a consistency proof leads to, from the root of the first `old` leaves to that of `size` leaves (RFC
/// 9162, section 2.1.4.2): the first must be `root` again. `None`: the proof has not the length that it must have.
pub(crate) fn roots_by_proof(
    old: u64,
    root: TreeHash,
    size: u64,
    proof: &[TreeHash],
) -> Option<(TreeHash, TreeHash)> {
    let (mut at, mut last) = (old.checked_sub(1)?, size.checked_sub(1)?);
    if old >= size {
        return (old == size && proof.is_empty()).then_some((root, root));
    }
    let mut proof = proof.iter().copied();
    let first = if old.is_power_of_two() { root } else { proof.next()? };
    let levels = at.trailing_ones();
    at = at.checked_shr(levels).unwrap_or(0);
    last = last.checked_shr(levels).unwrap_or(0);
    let (mut before, mut after) = (first, first);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            before = node(&sibling, &before);
            after = node(&sibling, &after);
            // On the right edge, levels without a sibling are passed over.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = node(&after, &sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((before, after))
}

/// The root that a proof leads to, from the leaf `index` of a tree of `size` leaves (RFC 9162, section 2.1.3.2).
/// `None`: the proof has not the length that it must have.
pub(crate) fn root_by_proof(leaf: TreeHash, index: u64, size: u64, proof: &[TreeHash]) -> Option<TreeHash> {
    let (mut at, mut last) = (index, size.checked_sub(1)?);
    if at > last {
        return None;
    }
    let mut root = leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            root = node(sibling, &root);
            // On the right edge, levels without a sibling are passed over.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// The leaves and roots that implementations of Certificate Transparency are tested with.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_standard() {
        let mut tree = Tree::default();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(HEXLOWER.encode(&tree.root()), empty);
        for (line, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(leaf(&HEXLOWER.decode(line.as_bytes()).unwrap()));
            assert_eq!(HEXLOWER.encode(&tree.root()), root, "{} leaves", tree.size());
        }
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_and_nothing_else() {
        for size in 1..=40_u64 {
            let leaves: Vec<TreeHash> = (0..size).map(|number| leaf(&number.to_be_bytes())).collect();
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            for index in 0..size {
                let mut prover = Prover::inclusion(index, size);
                leaves.iter().for_each(|leaf| prover.pass(*leaf));
                let proof = prover.proof();
                let mine = leaves[usize::try_from(index).unwrap()];
                let root = |index, size, proof: &[TreeHash]| root_by_proof(mine, index, size, proof);
                assert_eq!(root(index, size, &proof), Some(tree.root()), "{index} of {size}");
                assert_ne!(root_by_proof(leaf(b"other"), index, size, &proof), Some(tree.root()));
                for other in (0..size + 2).filter(|other| *other != index) {
                    assert_ne!(root(other, size, &proof), Some(tree.root()), "{index} as {other}");
                }
                let longer = [&proof[..], &[tree.root()]].concat();
                assert_eq!(root(index, size, &longer), None);
                if !proof.is_empty() {
                    assert_eq!(root(index, size, &proof[1..]), None);
                }
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at][31] ^= 1;
                    assert_ne!(root(index, size, &changed), Some(tree.root()));
                }
            }
        }
    }

    fn tree(leaves: &[TreeHash]) -> TreeHash {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    /// The proofs that implementations of Certificate Transparency are tested with.
    #[test]
    fn consistency_proofs_are_those_of_the_standard() {
        let leaves: Vec<_> =
            LEAVES.iter().map(|line| leaf(&HEXLOWER.decode(line.as_bytes()).unwrap())).collect();
        for (old, size, hashes) in [
            (1, 1, &[][..]),
            (
                1,
                8,
                &[
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                6,
                8,
                &[
                    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (
                2,
                5,
                &[
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                ],
            ),
        ] {
            let mut prover = Prover::consistency(old, size);
            leaves[..usize::try_from(size).unwrap()].iter().for_each(|leaf| prover.pass(*leaf));
            let proof: Vec<_> = prover.proof().iter().map(|hash| HEXLOWER.encode(hash)).collect();
            assert_eq!(proof, hashes, "{old} of {size}");
        }
    }

    #[test]
    fn every_beginning_of_every_tree_is_proved_and_nothing_else() {
        let leaves: Vec<TreeHash> = (0..40_u64).map(|number| leaf(&number.to_be_bytes())).collect();
        for size in 1..=40_u64 {
            let all = &leaves[..usize::try_from(size).unwrap()];
            for old in 1..=size {
                let mut prover = Prover::consistency(old, size);
                all.iter().for_each(|leaf| prover.pass(*leaf));
                let proof = prover.proof();
                let (before, after) = (tree(&all[..usize::try_from(old).unwrap()]), tree(all));
                let holds = |old, root, size, proof: &[TreeHash]| {
                    roots_by_proof(old, root, size, proof) == Some((root, after))
                };
                assert!(holds(old, before, size, &proof), "{old} of {size}");
                if old < size {
                    let mut other = before;
                    other[0] ^= 1;
                    assert!(!holds(old, other, size, &proof), "another beginning, {old} of {size}");
                    for wrong in (0..size + 2).filter(|wrong| *wrong != old) {
                        assert!(!holds(wrong, before, size, &proof), "{old} as {wrong} of {size}");
                    }
                }
                let longer = [&proof[..], &[after]].concat();
                assert!(!holds(old, before, size, &longer));
                if !proof.is_empty() {
                    assert!(!holds(old, before, size, &proof[1..]));
                }
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at][31] ^= 1;
                    assert!(!holds(old, before, size, &changed));
                }
            }
        }
    }
}
