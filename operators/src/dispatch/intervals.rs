//! Intervals of encoded values, found by a value that lies in them.
//!
//! A treap ordered by the lower bound, in which every node knows the greatest upper bound below
//! it. Priorities are pseudo-random but follow from the order of insertions alone.
//!
//! Cost: O(log n) to add and remove; O(log n) per hit to find, and O(log n + hits) where the
//! intervals are open to one side. State: a node per interval.

use std::cmp::Ordering;

use crate::key::{Direction, Key, encoded_len};
use crate::level::LevelId;

const NIL: u32 = u32::MAX;

/// The encoded values from `lower` up to, but not including, `upper`.
///
/// Encodings begin no other encoding, so a key with one byte more lies right behind it: bounds
/// that include or exclude a value are all of this form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub(crate) lower: Key,
    pub(crate) upper: Key,
}

impl Interval {
    /// One value.
    pub(super) fn point(key: &[u8]) -> Interval {
        Interval { lower: Key::from_slice(key), upper: after(key) }
    }

    /// Whether no value lies in it.
    pub(super) fn is_empty(&self) -> bool {
        self.lower >= self.upper
    }

    /// Whether it holds one value. The texts before the empty one, of which there are none, begin where
    /// texts do, which is no value.
    pub(super) fn is_point(&self) -> bool {
        self.upper.strip_prefix(&*self.lower) == Some(&[0])
            && encoded_len(&self.lower, Direction::Asc) == Some(self.lower.len())
    }

    /// The values in both.
    pub(crate) fn intersection(self, other: Interval) -> Interval {
        Interval { lower: self.lower.max(other.lower), upper: self.upper.min(other.upper) }
    }
}

/// The least key behind an encoded value.
pub(super) fn after(key: &[u8]) -> Key {
    let mut longer = crate::key::KeyBuffer::from_slice(key);
    longer.push(0);
    Key::from_slice(&longer)
}

#[derive(Debug)]
struct Node {
    interval: Interval,
    level: LevelId,
    priority: u32,
    left: u32,
    right: u32,
    /// The node with the greatest upper bound among this one and those below it.
    furthest: u32,
}

impl Node {
    fn order(&self, interval: &Interval, level: LevelId) -> Ordering {
        self.interval.cmp(interval).then(self.level.cmp(&level))
    }
}

/// Intervals, each with the level that it stands for.
#[derive(Debug)]
pub(super) struct Intervals {
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: u32,
    /// The state of the generator of priorities.
    seed: u32,
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals { nodes: Vec::new(), free: Vec::new(), root: NIL, seed: 0x9E37_79B9 }
    }
}

impl Intervals {
    pub(super) fn is_empty(&self) -> bool {
        self.root == NIL
    }

    /// Adds an interval of a level; the same may be there several times.
    pub(super) fn insert(&mut self, interval: Interval, level: LevelId) {
        let priority = self.priority();
        let node = Node { interval, level, priority, left: NIL, right: NIL, furthest: NIL };
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.nodes[id as usize].furthest = id;
        self.root = self.insert_below(self.root, id);
    }

    /// Takes one interval of a level away, if it is there.
    pub(super) fn remove(&mut self, interval: &Interval, level: LevelId) {
        self.root = self.remove_below(self.root, interval, level);
        if self.root == NIL {
            *self = Intervals::default();
        }
    }

    /// Calls with the level of every interval in which an encoded value lies.
    pub(super) fn stab(&self, value: &[u8], hit: &mut impl FnMut(LevelId)) {
        self.stab_below(self.root, value, hit);
    }

    fn stab_below(&self, mut at: u32, value: &[u8], hit: &mut impl FnMut(LevelId)) {
        while at != NIL {
            let node = self.node(at);
            if *self.node(node.furthest).interval.upper <= *value {
                return;
            }
            self.stab_below(node.left, value, hit);
            if *node.interval.lower > *value {
                return;
            }
            if *node.interval.upper > *value {
                hit(node.level);
            }
            at = node.right;
        }
    }

    /// Bytes of the nodes.
    pub(super) fn bytes(&self) -> usize {
        let heap = |key: &Key| key.heap_bytes();
        let keys =
            self.nodes.iter().map(|node| heap(&node.interval.lower) + heap(&node.interval.upper));
        self.nodes.capacity() * size_of::<Node>() + self.free.capacity() * 4 + keys.sum::<usize>()
    }

    #[inline]
    fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    #[inline]
    fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    /// The next of the priorities: an xorshift generator.
    fn priority(&mut self) -> u32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed
    }

    fn insert_below(&mut self, at: u32, new: u32) -> u32 {
        if at == NIL {
            return new;
        }
        if self.node(new).priority > self.node(at).priority {
            let (left, right) = self.split(at, new);
            let node = self.node_mut(new);
            (node.left, node.right) = (left, right);
            self.update(new);
            return new;
        }
        let node = self.node(new);
        if self.node(at).order(&node.interval, node.level).is_gt() {
            let left = self.insert_below(self.node(at).left, new);
            self.node_mut(at).left = left;
        } else {
            let right = self.insert_below(self.node(at).right, new);
            self.node_mut(at).right = right;
        }
        self.update(at);
        at
    }

    /// Cuts a subtree into what lies before a node that is not in it and what does not.
    fn split(&mut self, at: u32, pivot: u32) -> (u32, u32) {
        if at == NIL {
            return (NIL, NIL);
        }
        let node = self.node(pivot);
        if self.node(at).order(&node.interval, node.level).is_gt() {
            let (before, rest) = self.split(self.node(at).left, pivot);
            self.node_mut(at).left = rest;
            self.update(at);
            (before, at)
        } else {
            let (rest, behind) = self.split(self.node(at).right, pivot);
            self.node_mut(at).right = rest;
            self.update(at);
            (at, behind)
        }
    }

    fn remove_below(&mut self, at: u32, interval: &Interval, level: LevelId) -> u32 {
        if at == NIL {
            return NIL;
        }
        let Node { left, right, .. } = *self.node(at);
        match self.node(at).order(interval, level) {
            Ordering::Equal => {
                self.free.push(at);
                return self.merge(left, right);
            }
            Ordering::Greater => {
                let left = self.remove_below(left, interval, level);
                self.node_mut(at).left = left;
            }
            Ordering::Less => {
                let right = self.remove_below(right, interval, level);
                self.node_mut(at).right = right;
            }
        }
        self.update(at);
        at
    }

    /// One subtree of two, of which the first lies before the second.
    fn merge(&mut self, left: u32, right: u32) -> u32 {
        if left == NIL || right == NIL {
            return left.min(right);
        }
        if self.node(left).priority > self.node(right).priority {
            let below = self.merge(self.node(left).right, right);
            self.node_mut(left).right = below;
            self.update(left);
            left
        } else {
            let below = self.merge(left, self.node(right).left);
            self.node_mut(right).left = below;
            self.update(right);
            right
        }
    }

    /// Finds the furthest of a node whose children are right.
    fn update(&mut self, at: u32) {
        let node = self.node(at);
        let below = [node.left, node.right].into_iter().filter(|child| *child != NIL);
        let candidates = below.map(|child| self.node(child).furthest).chain([at]);
        let furthest = candidates.max_by_key(|id| &self.node(*id).interval.upper);
        self.node_mut(at).furthest = furthest.unwrap_or(at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(bytes: &[u8]) -> Key {
        Key::from_slice(bytes)
    }

    fn stabbed(intervals: &Intervals, value: &[u8]) -> Vec<LevelId> {
        let mut hits = Vec::new();
        intervals.stab(value, &mut |level| hits.push(level));
        hits.sort_unstable();
        hits
    }

    #[test]
    fn the_texts_before_the_empty_one_are_no_point() {
        let mut empty = crate::key::KeyBuffer::new();
        crate::key::encode(&mut empty, crate::value::ValueRef::Text(""), Direction::Asc);
        let (kind, _) = crate::key::kind_bounds(&empty);
        let before = Interval { lower: key(&[kind]), upper: key(&empty) };
        assert!(!before.is_point() && Interval::point(&empty).is_point());
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_of_all_finds(
            steps in prop::collection::vec((any::<bool>(), 0..12u8, 0..12u8, 0..40u32), 1..200),
        ) {
            let mut intervals = Intervals::default();
            let mut all: Vec<(Interval, LevelId)> = Vec::new();
            for (remove, lower, upper, number) in steps {
                if remove && !all.is_empty() {
                    let (interval, level) = all.swap_remove(number as usize % all.len());
                    intervals.remove(&interval, level);
                } else {
                    let interval = Interval { lower: key(&[lower]), upper: key(&[upper]) };
                    all.push((interval.clone(), LevelId(number)));
                    intervals.insert(interval, LevelId(number));
                }
                for value in 0..13u8 {
                    let holds = |interval: &Interval| {
                        *interval.lower <= [value][..] && *interval.upper > [value][..]
                    };
                    let mut expected: Vec<LevelId> = all
                        .iter()
                        .filter(|(interval, _)| holds(interval))
                        .map(|(_, level)| *level)
                        .collect();
                    expected.sort_unstable();
                    prop_assert_eq!(stabbed(&intervals, &[value]), expected);
                }
                prop_assert_eq!(intervals.is_empty(), all.is_empty());
            }
        }
    }

    #[test]
    fn depth_stays_logarithmic_when_bounds_come_in_order() {
        let mut intervals = Intervals::default();
        for number in 0..10_000u32 {
            let lower = key(&number.to_be_bytes());
            intervals.insert(Interval { lower, upper: key(&[0xFF]) }, LevelId(number));
        }
        fn depth(intervals: &Intervals, at: u32) -> usize {
            if at == NIL {
                return 0;
            }
            let node = intervals.node(at);
            1 + depth(intervals, node.left).max(depth(intervals, node.right))
        }
        assert!(depth(&intervals, intervals.root) < 60);
        assert_eq!(stabbed(&intervals, &7u32.to_be_bytes()).len(), 8);
    }

    #[test]
    fn points_hold_one_value() {
        let encoded = |text| {
            let mut key = crate::key::KeyBuffer::new();
            crate::key::encode(&mut key, crate::value::ValueRef::Text(text), Direction::Asc);
            key
        };
        let (nine, ten) = (encoded("9"), encoded("9a"));
        let point = Interval::point(&nine);
        assert!(point.is_point() && !point.is_empty());
        assert!(*point.lower <= nine[..] && *point.upper > nine[..]);
        assert!(*point.upper <= ten[..]);
        assert!(!Interval { lower: key(&nine), upper: key(&ten) }.is_point());
    }
}
