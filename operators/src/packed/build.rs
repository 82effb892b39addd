//! Bulk loading: dense nodes, level by level.

use super::PackedTree;
use super::keys::Keys;
use super::node::{Inner, Leaf, Node, key_bytes_max, separator};

/// A node with the separator before it.
type Placed<V, const N: usize> = (Box<[u8]>, Node<V, N>);

impl<V, const N: usize> PackedTree<V, N> {
    /// A tree of entries in strictly ascending order, in as little room as they need. Costs O(n).
    pub fn from_sorted<K: AsRef<[u8]>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let entries = entries.into_iter();
        let (hint, _) = entries.size_hint();
        // Where there are more leaves than one, those to come into which rows are put shall not
        // all split at the first of them.
        let mut leaves = Leaves::new(if hint > N { N - N / 8 } else { N }, hint);
        let mut len = 0;
        for (key, value) in entries {
            leaves.push(key.as_ref(), value);
            len += 1;
        }
        let mut nodes = leaves.finish();
        while nodes.len() > 1 {
            nodes = level(nodes);
        }
        match nodes.pop() {
            Some((_, root)) => PackedTree::of(root, len),
            None => PackedTree::default(),
        }
    }
}

/// As long as many keys are, in bytes.
const USUAL: usize = 24;

/// Leaves made so far, and the entries of the next.
struct Leaves<V, const N: usize> {
    done: Vec<Placed<V, N>>,
    fill: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    values: Vec<V>,
    separator: Box<[u8]>,
}

impl<V, const N: usize> Leaves<V, N> {
    fn new(fill: usize, hint: usize) -> Self {
        Leaves {
            done: Vec::with_capacity(hint / fill),
            fill,
            bytes: Vec::with_capacity(USUAL * hint.min(fill)),
            ends: Vec::with_capacity(hint.min(fill)),
            values: Vec::with_capacity(hint.min(fill)),
            separator: Box::default(),
        }
    }

    fn push(&mut self, key: &[u8], value: V) {
        let last = self.ends.len().checked_sub(1).map(|at| self.key(at));
        debug_assert!(last.is_none_or(|last| last < key), "the keys are not in ascending order");
        let full =
            self.ends.len() == self.fill || self.bytes.len() + key.len() > key_bytes_max(self.fill);
        if let (Some(last), true) = (last, full) {
            let next = Box::from(separator(last, key));
            let room = Vec::with_capacity(self.values.len());
            self.close(next, room);
        }
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.values.push(value);
    }

    fn key(&self, at: usize) -> &[u8] {
        &self.bytes[if at == 0 { 0 } else { self.ends[at - 1] }..self.ends[at]]
    }

    /// Makes a leaf, `next` being the separator behind it and `room` where values go from then on.
    fn close(&mut self, next: Box<[u8]>, room: Vec<V>) {
        let mut values = std::mem::replace(&mut self.values, room);
        values.shrink_to_fit();
        let leaf = Leaf { keys: Keys::from_ends(&self.bytes, &self.ends), values };
        self.done.push((std::mem::replace(&mut self.separator, next), Node::Leaf(leaf)));
        self.bytes.clear();
        self.ends.clear();
    }

    fn finish(mut self) -> Vec<Placed<V, N>> {
        if !self.values.is_empty() {
            self.close(Box::default(), Vec::new());
        }
        self.done
    }
}

/// The level above some nodes, of which there are more than one.
fn level<V, const N: usize>(nodes: Vec<Placed<V, N>>) -> Vec<Placed<V, N>> {
    let mut level = Vec::with_capacity(nodes.len() / N + 1);
    let mut left = nodes.len();
    let mut nodes = nodes.into_iter().peekable();
    while let Some((before, first)) = nodes.next() {
        let mut children = Vec::with_capacity(left.min(N));
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        children.push(first);
        left -= 1;
        while let Some((separator, _)) = nodes.peek() {
            let full = children.len() >= N || bytes.len() + separator.len() > key_bytes_max(N);
            // Neither this node nor the last may have a single child.
            let leave_two = left == 2 && children.len() + 1 == N;
            if children.len() >= 2 && (full && left != 1 || leave_two) {
                break;
            }
            let Some((separator, child)) = nodes.next() else { break };
            bytes.extend_from_slice(&separator);
            ends.push(bytes.len());
            children.push(child);
            left -= 1;
        }
        children.shrink_to_fit();
        let keys = Keys::from_ends(&bytes, &ends);
        level.push((before, Node::Inner(Inner { keys, children })));
    }
    level
}
