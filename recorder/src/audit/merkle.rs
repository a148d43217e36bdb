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

/// Collects the proof that one leaf is in a tree of a known size, while all its leaves pass by.
#[derive(Debug)]
pub(crate) struct Prover {
    index: u64,
    leaves: u64,
    /// The leaves under each hash of the proof, and the tree over those that passed; from the leaf up to the root.
    siblings: Vec<(Range<u64>, Tree)>,
}

impl Prover {
    /// For the leaf `index`, from 0, of a tree of `size` leaves, which is more.
    pub(crate) fn new(index: u64, size: u64) -> Self {
        let mut siblings = Vec::new();
        let mut part = 0..size;
        while part.end - part.start > 1 {
            // The largest power of two that is less than the number of leaves.
            let left = 1 << (part.end - part.start - 1).ilog2();
            let middle = part.start + left;
            let sibling = if index < middle { middle..part.end } else { part.start..middle };
            part = if index < middle { part.start..middle } else { middle..part.end };
            siblings.push((sibling, Tree::default()));
        }
        siblings.reverse();
        Self { index, leaves: 0, siblings }
    }

    /// The next leaf passes.
    pub(crate) fn pass(&mut self, leaf: TreeHash) {
        let number = self.leaves;
        self.leaves += 1;
        if number != self.index
            && let Some((_, tree)) = self.siblings.iter_mut().find(|(leaves, _)| leaves.contains(&number))
        {
            tree.push(leaf);
        }
    }

    /// The proof, after all leaves.
    pub(crate) fn proof(&self) -> Vec<TreeHash> {
        self.siblings.iter().map(|(_, tree)| tree.root()).collect()
    }
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
                let mut prover = Prover::new(index, size);
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
}
