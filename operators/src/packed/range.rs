//! Reading a stretch of a tree in both directions.

use std::cmp::Ordering;
use std::iter::FusedIterator;
use std::ops::Bound;

use smallvec::SmallVec;

use super::Root;
use super::node::{Inner, Leaf, Node};

/// The ranks of the children on the way from the root to a leaf.
type Path = SmallVec<[u16; 8]>;

/// Entries in order, from both ends. Costs O(1) per entry, and O(height) per leaf.
#[derive(Debug)]
pub struct Range<'a, V, const N: usize> {
    root: &'a Root<V, N>,
    front: Place<'a, V, N>,
    back: Place<'a, V, N>,
}

/// A place between two entries. Between leaves it is at the end of one or the beginning of the
/// other.
#[derive(Debug)]
struct Place<'a, V, const N: usize> {
    leaf: &'a Leaf<V, N>,
    /// The rank of the next entry in the leaf.
    at: usize,
    path: Path,
}

impl<'a, V, const N: usize> Range<'a, V, N> {
    pub(super) fn new(
        root: &'a Root<V, N>,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Range<'a, V, N> {
        let front = match bounds.0 {
            Bound::Included(key) => Place::beside(root, key, false),
            Bound::Excluded(key) => Place::beside(root, key, true),
            Bound::Unbounded => Place::at_end(root, true),
        };
        let back = match bounds.1 {
            _ if inverted(&bounds) => Place { path: Path::new(), ..front },
            Bound::Included(key) => front.to(root, key, true),
            Bound::Excluded(key) => front.to(root, key, false),
            Bound::Unbounded => Place::at_end(root, false),
        };
        Range { root, front, back }
    }

    #[inline]
    fn in_one_leaf(&self) -> bool {
        std::ptr::eq(self.front.leaf, self.back.leaf)
    }

    /// How many entries of the first leaf are left.
    #[inline]
    fn left_in_front(&self) -> usize {
        let end = if self.in_one_leaf() { self.back.at } else { self.front.leaf.values.len() };
        end - self.front.at
    }
}

/// Whether no key can be between two bounds. Two bounds at one key may not cross either.
fn inverted(bounds: &(Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    let (Bound::Included(low) | Bound::Excluded(low)) = bounds.0 else { return false };
    let (Bound::Included(high) | Bound::Excluded(high)) = bounds.1 else { return false };
    match low.cmp(high) {
        Ordering::Less => false,
        Ordering::Equal => !matches!(bounds, (Bound::Included(_), Bound::Included(_))),
        Ordering::Greater => true,
    }
}

impl<V, const N: usize> Leaf<V, N> {
    /// How many entries there are before a key, or up to it and with it.
    fn rank(&self, key: &[u8], with: bool) -> usize {
        match self.keys.search(key) {
            Ok(at) => at + usize::from(with),
            Err(at) => at,
        }
    }
}

impl<'a, V, const N: usize> Place<'a, V, N> {
    /// Just before a key, or just after it.
    fn beside(root: &'a Root<V, N>, key: &[u8], after: bool) -> Place<'a, V, N> {
        let mut path = Path::new();
        let mut next = match root {
            Root::Leaf(leaf) => Step::Leaf(leaf),
            Root::Inner(tall) => Step::Inner(&tall.root),
        };
        let leaf = loop {
            match next {
                Step::Leaf(leaf) => break leaf,
                Step::Inner(inner) => {
                    let at = inner.child_of(key);
                    path.push(at as u16);
                    next = Step::to(&inner.children[at]);
                }
            }
        };
        Place { leaf, at: leaf.rank(key, after), path }
    }

    /// Just before a key that is not below this place, or just after it: in the same leaf where
    /// that can be seen there, as for most short ranges, else from the root.
    fn to(&self, root: &'a Root<V, N>, key: &[u8], after: bool) -> Place<'a, V, N> {
        let leaf = self.leaf;
        if leaf.keys.last().is_none_or(|last| last < key) {
            return Place::beside(root, key, after);
        }
        Place { leaf, at: leaf.rank(key, after), path: self.path.clone() }
    }

    /// Before the first entry, or after the last.
    fn at_end(root: &'a Root<V, N>, first: bool) -> Place<'a, V, N> {
        let mut path = Path::new();
        let leaf = match root {
            Root::Leaf(leaf) => leaf,
            Root::Inner(tall) => edge(&tall.root, first, &mut |at| path.push(at)),
        };
        Place { leaf, at: if first { 0 } else { leaf.values.len() }, path }
    }

    /// Goes to the next leaf, or to the one before. Says `false`, and does nothing, at the end.
    #[cold]
    fn turn(&mut self, root: &'a Root<V, N>, forward: bool) -> bool {
        let Root::Inner(tall) = root else { return false };
        let Some(leaf) = turn(&tall.root, &mut self.path, forward) else { return false };
        self.leaf = leaf;
        self.at = if forward { 0 } else { leaf.values.len() };
        true
    }
}

/// A node on the way down.
enum Step<'a, V, const N: usize> {
    Leaf(&'a Leaf<V, N>),
    Inner(&'a Inner<V, N>),
}

impl<'a, V, const N: usize> Step<'a, V, N> {
    fn to(node: &'a Node<V, N>) -> Step<'a, V, N> {
        match node {
            Node::Leaf(leaf) => Step::Leaf(leaf),
            Node::Inner(inner) => Step::Inner(inner),
        }
    }
}

/// The first or the last leaf of a tree.
pub(super) fn edge_of<V, const N: usize>(root: &Root<V, N>, first: bool) -> &Leaf<V, N> {
    match root {
        Root::Leaf(leaf) => leaf,
        Root::Inner(tall) => edge(&tall.root, first, &mut |_| {}),
    }
}

/// The first or the last leaf below a node; tells the ranks on the way.
fn edge<'a, V, const N: usize>(
    mut inner: &'a Inner<V, N>,
    first: bool,
    tell: &mut dyn FnMut(u16),
) -> &'a Leaf<V, N> {
    loop {
        let at = if first { 0 } else { inner.children.len() - 1 };
        tell(at as u16);
        match &inner.children[at] {
            Node::Leaf(leaf) => return leaf,
            Node::Inner(below) => inner = below,
        }
    }
}

/// The leaf beside the one that a path leads to, to which it then leads.
fn turn<'a, V, const N: usize>(
    inner: &'a Inner<V, N>,
    path: &mut [u16],
    forward: bool,
) -> Option<&'a Leaf<V, N>> {
    let (at, below) = path.split_first_mut()?;
    if let Node::Inner(child) = &inner.children[usize::from(*at)]
        && let Some(leaf) = turn(child, below, forward)
    {
        return Some(leaf);
    }
    let next = if forward { *at + 1 } else { at.checked_sub(1)? };
    let child = inner.children.get(usize::from(next))?;
    *at = next;
    Some(match child {
        Node::Leaf(leaf) => leaf,
        Node::Inner(child) => {
            let mut ranks = below.iter_mut();
            edge(child, forward, &mut |at| ranks.next().into_iter().for_each(|rank| *rank = at))
        }
    })
}

impl<'a, V, const N: usize> Iterator for Range<'a, V, N> {
    type Item = (&'a [u8], &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left_in_front() == 0 {
            if self.in_one_leaf() || !self.front.turn(self.root, true) {
                return None;
            }
        }
        let (leaf, at) = (self.front.leaf, self.front.at);
        self.front.at += 1;
        Some((leaf.keys.get(at), &leaf.values[at]))
    }

    /// Passes over whole leaves at once.
    fn nth(&mut self, mut n: usize) -> Option<Self::Item> {
        loop {
            let left = self.left_in_front();
            if n < left {
                self.front.at += n;
                return self.next();
            }
            self.front.at += left;
            n -= left;
            if self.in_one_leaf() || !self.front.turn(self.root, true) {
                return None;
            }
        }
    }
}

impl<V, const N: usize> DoubleEndedIterator for Range<'_, V, N> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let start = if self.in_one_leaf() { self.front.at } else { 0 };
            if self.back.at > start {
                break;
            }
            if self.in_one_leaf() || !self.back.turn(self.root, false) {
                return None;
            }
        }
        self.back.at -= 1;
        let (leaf, at) = (self.back.leaf, self.back.at);
        Some((leaf.keys.get(at), &leaf.values[at]))
    }
}

impl<V, const N: usize> FusedIterator for Range<'_, V, N> {}
