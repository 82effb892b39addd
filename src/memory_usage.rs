//! How many bytes a database and the patches of its results hold.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use penstock_operators::row_set::RowSetPatch;
use penstock_operators::view::{ListPatch, Node, Op};

/// Bytes held by a database; see [`Database::memory_usage`](crate::Database::memory_usage).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Of each table and index of the source.
    pub source: Vec<(String, usize)>,
    /// Of all live queries, with the rows that joins, aggregates and computed columns have made.
    /// Rows of tables are shared with the source and not counted.
    pub queries: usize,
    /// Of the subscriptions: the query that each states, its constants, and where its patches
    /// wait. Callbacks and what a statement's parameters share with others are not counted.
    pub subscriptions: usize,
    /// Of the patches that are kept for subscribers who have not taken them, with their rows, and
    /// of the trees that were asked for and are kept for the next who asks, without theirs.
    /// Approximate.
    pub feeds: usize,
    /// How many distinct query levels are live.
    pub levels: usize,
    /// How many partitions those have.
    pub partitions: usize,
    /// How many distinct joins, aggregates and other relational operators are live.
    pub relations: usize,
}

/// Adds up heap bytes; what several parents share counts once.
pub(crate) struct Sizes {
    /// Addresses of what is shared and has been counted.
    counted: HashSet<usize, ahash::RandomState>,
}

impl Sizes {
    pub(crate) fn new() -> Sizes {
        Sizes { counted: HashSet::with_hasher(ahash::RandomState::with_seeds(2, 3, 5, 7)) }
    }

    fn is_new<T: ?Sized>(&mut self, shared: &Arc<T>) -> bool {
        Arc::strong_count(shared) == 1
            || self.counted.insert(Arc::as_ptr(shared).cast::<u8>().addr())
    }

    /// A patch with its rows. Cost: O(patch).
    pub(crate) fn patch(&mut self, tree: &ListPatch, rows: Option<&RowSetPatch>) -> usize {
        let rows = rows.into_iter().flat_map(|rows| rows.puts.iter().chain(&rows.deletes));
        let put = |((_, key), row): &((_, penstock_operators::key::Key), _)| {
            let row: &penstock_operators::row::Row = row;
            size_of::<(usize, penstock_operators::key::Key, usize)>()
                + key.heap_bytes()
                + row.heap_bytes()
        };
        self.list_patch(tree) + rows.map(put).sum::<usize>()
    }

    fn list_patch(&mut self, patch: &ListPatch) -> usize {
        let mut bytes = size_of::<ListPatch>() + patch.ops.capacity() * size_of::<Op>();
        for op in &patch.ops {
            bytes += match op {
                Op::Remove { key, row } => key.heap_bytes() + row.heap_bytes(),
                Op::Insert { node } => self.node(node, true),
                Op::Keep { from, key, old, row, related } => {
                    let mut bytes = from.heap_bytes() + key.heap_bytes() + old.heap_bytes();
                    bytes += if old.ptr_eq(row) { 0 } else { row.heap_bytes() };
                    for (_, patch) in related {
                        if self.is_new(patch) {
                            bytes += self.list_patch(patch);
                        }
                    }
                    bytes
                }
            };
        }
        bytes
    }

    /// A list of nodes. Cost: O(nodes below it).
    pub(crate) fn list(&mut self, list: &Arc<[Node]>, with_rows: bool) -> usize {
        if !self.is_new(list) {
            return 0;
        }
        let nodes: usize = list.iter().map(|node| self.node(node, with_rows)).sum();
        list.len() * size_of::<Node>() + nodes
    }

    fn node(&mut self, node: &Node, with_rows: bool) -> usize {
        let row = if with_rows { node.row.heap_bytes() } else { 0 };
        let related: usize = node.related.iter().map(|list| self.list(list, with_rows)).sum();
        let spilled = if node.related.spilled() {
            node.related.capacity() * size_of::<Arc<[Node]>>()
        } else {
            0
        };
        node.key.heap_bytes() + row + related + spilled
    }
}
