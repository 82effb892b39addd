//! The view: result trees, and patches from one to the next.
//!
//! A result is not stored apart from the partitions that make it up; it is read out of them. A
//! [`Node`] tree is a copy at one moment (rows are shared handles). A [`ListPatch`] is what one
//! transaction changed in one partition, and below it in the partitions of its rows; a partition
//! under many rows has one patch that all of them share.
//!
//! Contract: applying a patch to the tree before the transaction gives the tree after it. Within
//! a list each row occurs in at most one operation.
//!
//! Cost: O(changed rows and their subtrees), plus the rows above a change up to the root.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::graph::{Graph, RootId};
use crate::key::{Key, KeyBuffer};
use crate::level::{FixedMap, Level, PartitionId, Slot, fixed_hasher};
use crate::route::child_route;
use crate::row::Row;

/// A row of a result with its related rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The row's place in its list: lists are sorted by it, bytewise. Opaque otherwise.
    pub key: Key,
    /// The row.
    pub row: Row,
    /// The related lists, in the order of [`LevelPlan::related`](crate::plan::LevelPlan::related).
    pub related: SmallVec<[Arc<[Node]>; 1]>,
}

/// What changed in one list: removals first, then the rest, each by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPatch {
    /// The operations.
    pub ops: Vec<Op>,
}

/// One change of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A row left the list, with all below it.
    Remove {
        /// Where it was.
        key: Key,
        /// The row as it was.
        row: Row,
    },
    /// A row entered the list, with all below it.
    Insert {
        /// The row and its related rows.
        node: Node,
    },
    /// A row stayed in the list: its columns, its place or something below it changed.
    Keep {
        /// Where it was.
        from: Key,
        /// Where it is; differs from `from` where the row moved.
        key: Key,
        /// The row as it was.
        old: Row,
        /// The row as it is.
        row: Row,
        /// The related lists that changed, by their position in [`Node::related`].
        related: SmallVec<[(usize, Arc<ListPatch>); 1]>,
    },
}

impl ListPatch {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The list that results from applying the patch to a list.
    ///
    /// Cost: O(n + m log m) for a list of n and a patch of m operations.
    pub fn apply(&self, list: &[Node]) -> Vec<Node> {
        let mut gone: Vec<&Key> = Vec::new();
        let mut come: Vec<Node> = Vec::new();
        for op in &self.ops {
            match op {
                Op::Remove { key, .. } => gone.push(key),
                Op::Insert { node } => come.push(node.clone()),
                Op::Keep { from, key, row, related, .. } => {
                    gone.push(from);
                    let Ok(at) = list.binary_search_by(|node| node.key.cmp(from)) else { continue };
                    let mut node = list[at].clone();
                    node.key = key.clone();
                    node.row = row.clone();
                    for (position, patch) in related {
                        node.related[*position] = patch.apply(&node.related[*position]).into();
                    }
                    come.push(node);
                }
            }
        }
        gone.sort();
        let mut result: Vec<Node> =
            list.iter().filter(|node| gone.binary_search(&&node.key).is_err()).cloned().collect();
        result.append(&mut come);
        result.sort_by(|a, b| a.key.cmp(&b.key));
        result
    }

    pub(crate) fn sorted(mut ops: Vec<Op>) -> ListPatch {
        ops.sort_by(|a, b| (a.rank(), a.key()).cmp(&(b.rank(), b.key())));
        ListPatch { ops }
    }
}

impl Op {
    fn rank(&self) -> u8 {
        u8::from(!matches!(self, Op::Remove { .. }))
    }

    /// The place of the row after the change, or where it was if it left.
    pub fn key(&self) -> &Key {
        match self {
            Op::Remove { key, .. } | Op::Keep { key, .. } => key,
            Op::Insert { node } => &node.key,
        }
    }
}

/// The patch from one tree to another.
pub(crate) fn diff_lists(old: &[Node], new: &[Node]) -> ListPatch {
    let mut ops = Vec::new();
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let left = if order.is_le() { olds.next() } else { None };
        let right = if order.is_ge() { news.next() } else { None };
        match (left, right) {
            (Some(old), None) => {
                ops.push(Op::Remove { key: old.key.clone(), row: old.row.clone() });
            }
            (None, Some(new)) => ops.push(Op::Insert { node: new.clone() }),
            (Some(old), Some(new)) => {
                let related: SmallVec<[_; 1]> = old
                    .related
                    .iter()
                    .zip(&new.related)
                    .enumerate()
                    .filter(|(_, (old, new))| !Arc::ptr_eq(old, new))
                    .map(|(position, (old, new))| (position, Arc::new(diff_lists(old, new))))
                    .filter(|(_, patch)| !patch.is_empty())
                    .collect();
                if old.row != new.row || !related.is_empty() {
                    ops.push(Op::Keep {
                        from: old.key.clone(),
                        key: new.key.clone(),
                        old: old.row.clone(),
                        row: new.row.clone(),
                        related,
                    });
                }
            }
            (None, None) => break,
        }
    }
    ListPatch::sorted(ops)
}

impl Graph {
    /// A copy of a result as it is now. Cost: O(result).
    pub fn snapshot(&self, root: RootId) -> Arc<[Node]> {
        NodeBuilder::new(self).list(root.0)
    }

    /// The number of rows at the top of a result.
    pub fn len(&self, root: RootId) -> usize {
        self.level(root.0.level).partition(root.0.partition).window.visible().count()
    }

    /// Whether a result has no rows.
    pub fn is_empty(&self, root: RootId) -> bool {
        self.level(root.0.level).partition(root.0.partition).window.visible().next().is_none()
    }

    /// The child partition to which an edge leads from a row of a partition.
    pub(crate) fn child(
        &self,
        level: &Level,
        binding: &crate::plan::Binding,
        slot: Slot,
        row: &Row,
    ) -> Option<PartitionId> {
        let edge = &level.edges[usize::from(slot)];
        let child_binding = &binding.children[usize::from(slot)];
        let mut route = KeyBuffer::new();
        if !child_route(&edge.columns, row, child_binding, &mut route) {
            return None;
        }
        let partition = self.level(edge.child).find(&route, child_binding)?;
        Some(PartitionId { level: edge.child, partition })
    }
}

/// Copies trees out of partitions; a partition met twice is copied once.
pub(crate) struct NodeBuilder<'g> {
    graph: &'g Graph,
    lists: FixedMap<PartitionId, Arc<[Node]>>,
    empty: Arc<[Node]>,
}

impl<'g> NodeBuilder<'g> {
    pub(crate) fn new(graph: &'g Graph) -> NodeBuilder<'g> {
        NodeBuilder {
            graph,
            lists: FixedMap::with_hasher(fixed_hasher()),
            empty: Arc::from(Vec::new()),
        }
    }

    pub(crate) fn list(&mut self, id: PartitionId) -> Arc<[Node]> {
        let shared = self.graph.level(id.level).partition(id.partition).holders.len() > 1;
        if shared && let Some(list) = self.lists.get(&id) {
            return Arc::clone(list);
        }
        let level = self.graph.level(id.level);
        let held = level.partition(id.partition);
        let nodes: Vec<Node> = held
            .window
            .visible()
            .map(|(key, row)| self.node(level, id, Key::from_slice(key), row))
            .collect();
        let list: Arc<[Node]> = nodes.into();
        if shared {
            self.lists.insert(id, Arc::clone(&list));
        }
        list
    }

    pub(crate) fn node(&mut self, level: &Level, id: PartitionId, key: Key, row: &Row) -> Node {
        let binding = &level.partition(id.partition).binding;
        let related = level
            .related_slots()
            .map(|slot| match self.graph.child(level, binding, slot, row) {
                Some(child) => self.list(child),
                None => Arc::clone(&self.empty),
            })
            .collect();
        Node { key, row: row.clone(), related }
    }
}
