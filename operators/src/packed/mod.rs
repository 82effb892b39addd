//! An ordered map from byte strings: a B+tree with packed nodes.
//!
//! A leaf holds the bytes of its keys one after the other in one buffer, two bytes each to say
//! where they end, and the values beside them in another; nothing else is kept per entry. Inner
//! nodes hold separators, as short as they can be, in the same way. So an entry takes little more
//! than its bytes, and a search touches few cache lines, since keys are compared where they lie.
//! The buffers of a node follow what is in it, so a map of a few entries takes two small
//! allocations, and an empty one none.
//!
//! A node splits at half of its bytes; at an end of it, if that is where the entry came that was
//! too much, so that ascending or descending loads make full nodes. A node with less than a
//! quarter is joined with a neighbour.
//!
//! Keys may have any length. The limits of a node are `N` entries and, from four entries on, 32·`N`
//! bytes of keys, so with a few long keys a node may be larger, and a change of it dearer.

mod build;
mod keys;
mod node;
mod range;
#[cfg(test)]
mod tests;

use std::ops::Bound;

use crate::key::Key;
use node::{Inner, Inserted, Leaf, Node};

pub use range::Range;

/// The entries of a node, unless a map says otherwise.
pub const NODE_ENTRIES_MAX: usize = 64;

/// An ordered map from byte strings to values; `N`, at least 4, is the most entries of a node.
///
/// Costs, with n entries: a look-up, an insertion, a removal and the start of a range, O(log n)
/// comparisons; a change also O(N) as moves of memory. See the [module](self) for the layout.
///
/// ```
/// use penstock_operators::packed::PackedTree;
///
/// let mut ages: PackedTree<u32> = PackedTree::from_sorted([("ada", 36), ("grace", 85)]);
/// assert_eq!(ages.insert(b"alan", 41), None);
/// assert_eq!(ages.remove(b"grace"), Some(85));
/// assert_eq!(ages.iter().map(|(_, age)| *age).collect::<Vec<_>>(), [36, 41]);
/// ```
#[derive(Clone, Debug)]
pub struct PackedTree<V, const N: usize = NODE_ENTRIES_MAX> {
    root: Root<V, N>,
}

#[derive(Clone, Debug)]
enum Root<V, const N: usize> {
    Leaf(Leaf<V, N>),
    Inner(Box<Tall<V, N>>),
}

/// A tree of more than one leaf.
#[derive(Clone, Debug)]
struct Tall<V, const N: usize> {
    len: usize,
    root: Inner<V, N>,
}

impl<V, const N: usize> Default for PackedTree<V, N> {
    fn default() -> Self {
        PackedTree { root: Root::Leaf(Leaf::default()) }
    }
}

impl<V, const N: usize> PackedTree<V, N> {
    /// A map without entries. Allocates nothing.
    pub fn new() -> Self {
        PackedTree::default()
    }

    fn of(root: Node<V, N>, len: usize) -> Self {
        const { assert!(N >= 4 && N < u16::MAX as usize) };
        let root = match root {
            Node::Leaf(leaf) => Root::Leaf(leaf),
            Node::Inner(root) => Root::Inner(Box::new(Tall { len, root })),
        };
        PackedTree { root }
    }

    /// The number of entries. Costs O(1).
    pub fn len(&self) -> usize {
        match &self.root {
            Root::Leaf(leaf) => leaf.values.len(),
            Root::Inner(tall) => tall.len,
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let mut inner = match &self.root {
            Root::Leaf(leaf) => return leaf.get(key),
            Root::Inner(tall) => &tall.root,
        };
        loop {
            match &inner.children[inner.child_of(key)] {
                Node::Leaf(leaf) => return leaf.get(key),
                Node::Inner(below) => inner = below,
            }
        }
    }

    /// The value of a key, to be changed in place.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let mut inner = match &mut self.root {
            Root::Leaf(leaf) => return leaf.get_mut(key),
            Root::Inner(tall) => &mut tall.root,
        };
        loop {
            let at = inner.child_of(key);
            match &mut inner.children[at] {
                Node::Leaf(leaf) => return leaf.get_mut(key),
                Node::Inner(below) => inner = below,
            }
        }
    }

    /// Puts a value under a key; returns the value it replaces.
    pub fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        self.put(key, value, true)
    }

    /// Puts a value under a key that is free; gives it back, and does nothing, if it is taken.
    ///
    /// # Errors
    ///
    /// The value, if the key is taken.
    pub fn insert_new(&mut self, key: &[u8], value: V) -> Result<(), V> {
        self.put(key, value, false).map_or(Ok(()), Err)
    }

    fn put(&mut self, key: &[u8], value: V, replace: bool) -> Option<V> {
        let len = self.len();
        let inserted = match &mut self.root {
            Root::Leaf(leaf) => leaf.insert(key, value, replace),
            Root::Inner(tall) => tall.root.insert(key, value, replace),
        };
        match inserted {
            Inserted::Taken(value) => return Some(value),
            Inserted::New => {}
            Inserted::Split(split) => self.grow(*split, len),
        }
        if let Root::Inner(tall) = &mut self.root {
            tall.len += 1;
        }
        None
    }

    /// Puts a new root over the root, which was split, and its upper part.
    fn grow(&mut self, (separator, right): (Box<[u8]>, Node<V, N>), len: usize) {
        let left = match std::mem::take(self).root {
            Root::Leaf(leaf) => Node::Leaf(leaf),
            Root::Inner(tall) => Node::Inner(tall.root),
        };
        *self = PackedTree::of(Node::Inner(Inner::over(left, &separator, right)), len);
    }

    /// Takes the value of a key out.
    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.take(key, &mut None)
    }

    /// Takes the value of one key out and puts another under a second key, replacing what is
    /// there. Costs less than the two one by one where both keys belong in one leaf.
    pub fn rekey(&mut self, from: &[u8], to: &[u8], value: V) -> Option<V> {
        let mut instead = Some((to, value));
        let old = self.take(from, &mut instead);
        if let Some((to, value)) = instead {
            self.insert(to, value);
        }
        old
    }

    fn take(&mut self, key: &[u8], instead: &mut Option<(&[u8], V)>) -> Option<V> {
        let tall = match &mut self.root {
            Root::Leaf(leaf) => return leaf.remove(key, instead),
            Root::Inner(tall) => tall,
        };
        let moves = instead.is_some();
        let value = tall.root.remove(key, instead)?;
        if !moves || instead.is_some() {
            tall.len -= 1;
        }
        if tall.root.children.len() == 1
            && let Some(root) = tall.root.children.pop()
        {
            let len = tall.len;
            *self = PackedTree::of(root, len);
        }
        Some(value)
    }

    /// Takes the last entry out.
    pub fn pop_last(&mut self) -> Option<(Key, V)> {
        let key = Key::from_slice(self.last_key()?);
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// The first key.
    pub fn first_key(&self) -> Option<&[u8]> {
        range::edge_of(&self.root, true).keys.first()
    }

    /// The last key.
    pub fn last_key(&self) -> Option<&[u8]> {
        range::edge_of(&self.root, false).keys.last()
    }

    /// The key at a rank. Costs O(rank / N).
    pub fn key_at(&self, rank: usize) -> Option<&[u8]> {
        self.iter().nth(rank).map(|(key, _)| key)
    }

    /// All entries in order.
    pub fn iter(&self) -> Range<'_, V, N> {
        self.range((Bound::Unbounded, Bound::Unbounded))
    }

    /// The entries between two bounds; none where the lower bound lies above the upper one.
    pub fn range(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Range<'_, V, N> {
        Range::new(&self.root, bounds)
    }

    /// The bytes that the map has allocated, without what values have and without what the
    /// allocator adds. Costs O(nodes).
    pub fn bytes(&self) -> usize {
        match &self.root {
            Root::Leaf(leaf) => leaf.bytes(),
            Root::Inner(tall) => size_of::<Tall<V, N>>() + tall.root.bytes(),
        }
    }
}
