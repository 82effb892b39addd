//! What a compiled query is: a tree of level *shapes* and a parallel tree of *bindings*.
//!
//! A shape says everything about a level but its constants; queries that differ only in constants
//! share it (it is their template). A [`Binding`] holds the constants of one query, level by
//! level: the values of lifted equality conditions, and the extent (limit, offset, start).
//!
//! Plans know column numbers, not names, and have been type-checked by whoever made them.

use std::sync::Arc;

use crate::key::{Key, KeySpec};
use crate::predicate::Predicate;
use crate::relation::plan::Derived;
use crate::schema::TableId;
use crate::value::Value;

/// The shape of one level of a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LevelPlan {
    /// The table whose rows the level yields.
    pub table: TableId,
    /// Where the level's rows come from.
    pub input: Input,
    /// The total order of the level's rows: the requested order completed by the primary key; no
    /// repeats.
    pub order: KeySpec,
    /// The relationships attached to each row of the level, in output order.
    pub related: Vec<Edge>,
}

/// Where the rows of a level come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The rows of a table.
    Scan {
        /// The columns that divide the level into partitions: first the child side of the
        /// correlation (a column related to two parent columns occurs twice), then the columns of
        /// lifted equality conditions, which occur once.
        partition: Vec<usize>,
        /// How many of `partition` come from the correlation. A null in one of those matches
        /// nothing; a null in a lifted column matches null.
        correlated: usize,
        /// What remains of the `where` clause.
        condition: Condition,
        /// The EXISTS bodies that `condition` refers to by position. For each, `child` is a scan
        /// ordered by its primary key with a binding limit of 1 and no `related`.
        gates: Vec<Edge>,
    },
    /// The distinct rows of `far` reached from a key through the rows of `near`.
    Junction {
        /// The rows of the hidden hop (a scan, or for more than two hops another junction), with
        /// neither limit nor related.
        near: Box<LevelPlan>,
        /// From a row of `near` to the rows of the level: a scan with neither limit nor related,
        /// over [`LevelPlan::table`].
        far: Box<Edge>,
    },
}

/// From a row of one level to a partition of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The parent row's columns whose values are the correlation key; as many as the child's
    /// correlated partition columns, in the same order.
    pub columns: Vec<usize>,
    /// The level on the other side.
    pub child: LevelPlan,
    /// For a gate: whether the rows that open it stay out of row sets.
    pub private: bool,
}

/// A condition over one row and the gates of its level. Negation has been pushed to the leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// True or false for every row.
    Always(bool),
    /// A test of the row alone.
    Test(Predicate),
    /// Whether the gate at that position is open: for `negated` false, whether some row of the
    /// child level matches; for `negated` true, whether none does.
    Gate {
        /// Position in the level's `gates`.
        gate: usize,
        /// NOT EXISTS.
        negated: bool,
    },
    /// Whether all hold; true for none.
    All(Vec<Condition>),
    /// Whether any holds; false for none.
    Any(Vec<Condition>),
}

/// The constants of one level of one query, and below it those of its children.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The values of the lifted columns (`partition[correlated..]`), in order.
    pub constants: Vec<Value>,
    /// Which of a partition's ordered rows are taken.
    pub extent: Extent,
    /// The children's bindings: of a scan its gates then its `related`; of a junction `near`,
    /// `far`, then its `related`.
    pub children: Vec<Arc<Binding>>,
}

/// Which of a partition's ordered rows a level takes: first those from `start` on, then without
/// the first `offset`, then at most `limit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The cursor, if any.
    pub start: Option<Start>,
    /// How many rows to skip.
    pub offset: usize,
    /// How many rows to take at most.
    pub limit: Option<usize>,
    /// Whether a second row is a violation that the subscriber is told of (a relationship that
    /// was declared to lead to one row). Then `limit` is 2, so that the violation is seen.
    pub expect_one: bool,
    /// For a result that is filled in steps ([`Graph::grow`](crate::graph::Graph::grow)): a number
    /// that no other has, so that nobody else takes its window for a complete one.
    pub in_steps: Option<u64>,
}

/// A start cursor: a position in the level's order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// The encoded values of the order's columns; the row need not exist.
    pub key: Key,
    /// Whether a row exactly at the position is left out.
    pub exclusive: bool,
}

/// A compiled query: what to keep, and with which constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The template.
    pub shape: Arc<LevelPlan>,
    /// The constants.
    pub binding: Arc<Binding>,
    /// The derived tables that the shape's levels read, as [`TableId::derived`] of their position.
    pub derived: Vec<Arc<Derived>>,
}

impl Plan {
    /// The plan, to be filled at once.
    #[must_use]
    pub fn at_once(mut self) -> Plan {
        if self.binding.extent.in_steps.is_some() {
            Arc::make_mut(&mut self.binding).extent.in_steps = None;
        }
        self
    }

    /// The plan, to be filled in steps, under a number that no other has.
    #[must_use]
    pub fn in_steps(mut self, number: u64) -> Plan {
        Arc::make_mut(&mut self.binding).extent.in_steps = Some(number);
        self
    }
}

impl Binding {
    /// Bytes on the heap: those of the constants and of the bindings below.
    pub fn heap_bytes(&self) -> usize {
        let child = |child: &Arc<Binding>| {
            16 + size_of::<Binding>() + size_of::<Arc<Binding>>() + child.heap_bytes()
        };
        self.constants.capacity() * size_of::<Value>()
            + self.constants.iter().map(Value::heap_bytes).sum::<usize>()
            + self.extent.start.as_ref().map_or(0, |start| start.key.heap_bytes())
            + self.children.iter().map(child).sum::<usize>()
    }
}
