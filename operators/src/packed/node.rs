//! Nodes: leaves and inner nodes, how they split and how neighbours are joined.

use super::keys::{Keys, Part};
use super::search::common_prefix;

/// How many bytes of keys go with each entry that a node may have, before it splits by bytes.
const KEY_BYTES_USUAL: usize = 32;
/// From this many entries on, a node with too many bytes of keys splits. Both halves of an inner
/// node then have two children, so the height stays logarithmic whatever the keys are.
const SPLIT_BY_BYTES_MIN: usize = 4;

/// A node of a tree whose nodes have up to `N` entries.
#[derive(Clone, Debug)]
pub(super) enum Node<V, const N: usize> {
    Leaf(Leaf<V, N>),
    Inner(Inner<V, N>),
}

/// Entries in order.
#[derive(Clone, Debug)]
pub(super) struct Leaf<V, const N: usize> {
    pub(super) keys: Keys,
    pub(super) values: Vec<V>,
}

/// Children in order, and between any two neighbours a separator: at most every key of the right
/// one, above every key of the left one, and as short as it was possible when it was made. All
/// children have the same height. There are at least two.
#[derive(Clone, Debug)]
pub(super) struct Inner<V, const N: usize> {
    pub(super) keys: Keys,
    pub(super) children: Vec<Node<V, N>>,
}

/// The upper part of a node that was split, with the separator before it.
pub(super) type Split<V, const N: usize> = Box<(Box<[u8]>, Node<V, N>)>;

/// What became of an insertion.
pub(super) enum Inserted<V, const N: usize> {
    /// There is a new entry.
    New,
    /// The key was taken: the value that it had, or the one refused.
    Taken(V),
    /// There is a new entry, and the node was split.
    Split(Split<V, N>),
}

impl<V, const N: usize> Default for Leaf<V, N> {
    fn default() -> Self {
        Leaf { keys: Keys::default(), values: Vec::new() }
    }
}

impl<V, const N: usize> Leaf<V, N> {
    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        self.keys.search(key).ok().map(|at| &self.values[at])
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        self.keys.search(key).ok().map(|at| &mut self.values[at])
    }

    /// Puts a value under a key. If that is taken, replaces the value or refuses the new one.
    pub(super) fn insert(&mut self, key: &[u8], value: V, replace: bool) -> Inserted<V, N> {
        let at = match self.keys.search(key) {
            Ok(at) if replace => {
                return Inserted::Taken(std::mem::replace(&mut self.values[at], value));
            }
            Ok(_) => return Inserted::Taken(value),
            Err(at) => at,
        };
        let len = self.values.len();
        if len == self.values.capacity() {
            self.values.reserve_exact(1 + len / 4);
        }
        self.keys.insert(at, key);
        self.values.insert(at, value);
        if !overfull::<N>(&self.keys, self.values.len()) {
            return Inserted::New;
        }
        Inserted::Split(self.split(match at {
            at if at == len => len,
            0 => 1,
            _ => self.keys.middle().clamp(1, len),
        }))
    }

    /// Takes the value of a key out. If the entry of `instead` belongs between those of this leaf
    /// and has a key of the same length, puts it in with the same move, leaving `None`.
    pub(super) fn remove(&mut self, key: &[u8], instead: &mut Option<(&[u8], V)>) -> Option<V> {
        let at = self.keys.search(key).ok()?;
        if let Some((key, value)) = instead
            && let Some(to) = self.place_between(key)
            && let Some(to) = self.keys.rekey(at, to, key)
        {
            std::mem::swap(&mut self.values[at], value);
            if to > at {
                self.values[at..=to].rotate_left(1);
            } else {
                self.values[to..=at].rotate_right(1);
            }
            return instead.take().map(|(_, old)| old);
        }
        self.keys.remove(at);
        let value = self.values.remove(at);
        give_back_room(&mut self.values);
        Some(value)
    }

    /// The bytes allocated. Costs O(1).
    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity() + self.values.capacity() * size_of::<V>()
    }

    /// The rank of a new key between those of this leaf, so that it cannot belong in another one.
    fn place_between(&self, key: &[u8]) -> Option<usize> {
        let to = self.keys.search(key).err()?;
        (0 < to && to < self.values.len()).then_some(to)
    }

    /// Takes the entries from `at` on out. Costs O(N) as moves of memory.
    pub(super) fn split(&mut self, at: usize) -> Split<V, N> {
        let separator = separator(self.keys.get(at - 1), self.keys.get(at)).into();
        let right = Keys::gather(&[(&self.keys, at..self.keys.len())]);
        self.keys = Keys::gather(&[(&self.keys, 0..at)]);
        let values = self.values.split_off(at);
        self.values.shrink_to_fit();
        Box::new((separator, Node::Leaf(Leaf { keys: right, values })))
    }

    fn join(&mut self, mut right: Leaf<V, N>) {
        self.keys = Keys::gather(&[all(&self.keys), all(&right.keys)]);
        self.values.reserve_exact(right.values.len());
        self.values.append(&mut right.values);
    }
}

impl<V, const N: usize> Inner<V, N> {
    /// The node above two others.
    pub(super) fn over(left: Node<V, N>, separator: &[u8], right: Node<V, N>) -> Inner<V, N> {
        Inner { keys: Keys::single(separator), children: vec![left, right] }
    }

    /// The child in which a key would be.
    #[inline]
    pub(super) fn child_of(&self, key: &[u8]) -> usize {
        match self.keys.search(key) {
            Ok(at) => at + 1,
            Err(at) => at,
        }
    }

    /// Puts a value under a key. If that is taken, replaces the value or refuses the new one.
    pub(super) fn insert(&mut self, key: &[u8], value: V, replace: bool) -> Inserted<V, N> {
        let at = self.child_of(key);
        let inserted = match &mut self.children[at] {
            Node::Leaf(leaf) => leaf.insert(key, value, replace),
            Node::Inner(inner) => inner.insert(key, value, replace),
        };
        match inserted {
            Inserted::Split(split) => self.take_in(at, *split),
            other => other,
        }
    }

    /// Takes the value of a key out; `instead` as for a leaf.
    pub(super) fn remove(&mut self, key: &[u8], instead: &mut Option<(&[u8], V)>) -> Option<V> {
        let at = self.child_of(key);
        let value = match &mut self.children[at] {
            Node::Leaf(leaf) => leaf.remove(key, instead),
            Node::Inner(inner) => inner.remove(key, instead),
        }?;
        if self.children[at].is_underfull() {
            self.balance(at);
        }
        Some(value)
    }

    /// Puts the upper part of the child at `at` beside it.
    fn take_in(
        &mut self,
        at: usize,
        (separator, right): (Box<[u8]>, Node<V, N>),
    ) -> Inserted<V, N> {
        self.keys.insert(at, &separator);
        if self.children.len() == self.children.capacity() {
            self.children.reserve_exact(1 + self.children.len() / 4);
        }
        self.children.insert(at + 1, right);
        if !overfull::<N>(&self.keys, self.children.len()) {
            return Inserted::New;
        }
        let last = self.keys.len() - 2;
        Inserted::Split(self.split(match at {
            at if at > last => last,
            0 => 1,
            _ => self.keys.middle().clamp(1, last),
        }))
    }

    /// Takes the separator at `at` out, and the children after it.
    pub(super) fn split(&mut self, at: usize) -> Split<V, N> {
        let separator = Box::from(self.keys.get(at));
        let right = Keys::gather(&[(&self.keys, at + 1..self.keys.len())]);
        self.keys = Keys::gather(&[(&self.keys, 0..at)]);
        let children = self.children.split_off(at + 1);
        self.children.shrink_to_fit();
        Box::new((separator, Node::Inner(Inner { keys: right, children })))
    }

    fn join(&mut self, separator: &[u8], mut right: Inner<V, N>) {
        let separator = Keys::single(separator);
        self.keys = Keys::gather(&[all(&self.keys), all(&separator), all(&right.keys)]);
        self.children.reserve_exact(right.children.len());
        self.children.append(&mut right.children);
    }

    /// The bytes allocated, with those of all nodes below. Costs O(nodes).
    pub(super) fn bytes(&self) -> usize {
        let own = self.keys.capacity() + self.children.capacity() * size_of::<Node<V, N>>();
        own + self.children.iter().map(Node::bytes).sum::<usize>()
    }

    /// Joins an underfull child with a neighbour, and splits them evenly if they are too much for
    /// one node.
    fn balance(&mut self, at: usize) {
        let left = at.saturating_sub(1);
        let right = self.children.remove(left + 1);
        let child = &mut self.children[left];
        match (&mut *child, right) {
            (Node::Leaf(left), Node::Leaf(right)) => left.join(right),
            (Node::Inner(inner), Node::Inner(right)) => inner.join(self.keys.get(left), right),
            _ => unreachable!("invariant: the children of a node have the same height"),
        }
        self.keys.remove(left);
        let split = match child {
            Node::Leaf(leaf) if overfull::<N>(&leaf.keys, leaf.values.len()) => {
                leaf.split(leaf.keys.middle().clamp(1, leaf.keys.len() - 1))
            }
            Node::Inner(inner) if overfull::<N>(&inner.keys, inner.children.len()) => {
                inner.split(inner.keys.middle().clamp(1, inner.keys.len() - 2))
            }
            _ => return give_back_room(&mut self.children),
        };
        let (separator, right) = *split;
        self.keys.insert(left, &separator);
        self.children.insert(left + 1, right);
    }
}

impl<V, const N: usize> Node<V, N> {
    fn is_underfull(&self) -> bool {
        match self {
            Node::Leaf(leaf) => underfull::<N>(&leaf.keys, leaf.values.len(), 1),
            Node::Inner(inner) => underfull::<N>(&inner.keys, inner.children.len(), 2),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.bytes(),
            Node::Inner(inner) => inner.bytes(),
        }
    }
}

/// The most bytes of keys in a node that has more than a few.
pub(super) const fn key_bytes_max(entries_max: usize) -> usize {
    entries_max * KEY_BYTES_USUAL
}

/// Whether a node has more entries, or more bytes of keys, than one node should.
pub(super) fn overfull<const N: usize>(keys: &Keys, entries: usize) -> bool {
    entries > N || (entries >= SPLIT_BY_BYTES_MIN && keys.total() > key_bytes_max(N))
}

/// Whether a node has less than a quarter of what it may have, or too few entries to stand.
fn underfull<const N: usize>(keys: &Keys, entries: usize, entries_min: usize) -> bool {
    entries < entries_min || (entries < N / 4 && keys.total() < key_bytes_max(N) / 4)
}

/// The shortest byte string above `left` and not above `right`, which is above `left`.
pub(super) fn separator<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    &right[..=common_prefix(left, right)]
}

fn all(keys: &Keys) -> Part<'_> {
    (keys, 0..keys.len())
}

fn give_back_room<T>(items: &mut Vec<T>) {
    if items.capacity() > items.len() * 3 / 2 + 4 {
        items.shrink_to(items.len() + items.len() / 4);
    }
}
