//! What a relation is: a tree of relational operators over tables.
//!
//! A relation is a bag of rows whose columns are numbered. It knows no names. Equal relations,
//! anywhere in any query, are one: they are compared and hashed by what they say.

use std::sync::Arc;

use crate::expr::{Collation, Expr};
use crate::key::Direction;
use crate::schema::TableId;
use crate::value::Value;

/// A bag of rows made from tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The rows of a base table, all columns in schema order.
    Scan {
        /// The table.
        table: TableId,
        /// Columns held equal to values, without repeats; null equals null here. Changes of other
        /// rows cost one hash look-up.
        equal: Vec<(usize, Value)>,
    },
    /// Constant rows, all of one width.
    Rows(Vec<Vec<Value>>),
    /// For each row, one of these values.
    Map {
        /// The rows.
        input: Arc<Relation>,
        /// The columns of the output.
        columns: Vec<Expr>,
    },
    /// The rows for which a condition is true.
    Filter {
        /// The rows.
        input: Arc<Relation>,
        /// The condition.
        condition: Expr,
    },
    /// The pairs of rows that match: the left row's columns, then the right row's.
    Join {
        /// Whether a left row without a match is kept, with nulls for the right.
        kind: JoinKind,
        /// One side.
        left: Arc<Relation>,
        /// How many columns its rows have.
        left_width: usize,
        /// The other side.
        right: Arc<Relation>,
        /// How many columns its rows have.
        right_width: usize,
        /// Columns of the left and the right row that must be equal; null equals nothing. None
        /// for all pairs.
        on: Vec<(usize, usize)>,
        /// What else must be true of a pair (over the columns of the output) for it to match.
        residual: Option<Expr>,
    },
    /// One row per group: the group columns, then the value of each function. Without group
    /// columns there is exactly one row, also where there is nothing to aggregate. A null is a
    /// group like any other value.
    Aggregate {
        /// The rows.
        input: Arc<Relation>,
        /// The columns by which rows are grouped.
        group: Vec<usize>,
        /// The functions.
        functions: Vec<AggregateCall>,
    },
    /// The distinct rows.
    Distinct {
        /// The rows.
        input: Arc<Relation>,
    },
    /// The rows of all inputs, which have one width.
    Union {
        /// The inputs.
        inputs: Vec<Arc<Relation>>,
    },
    /// Of the rows of each group the first in order. The order is completed by all columns.
    Top {
        /// The rows.
        input: Arc<Relation>,
        /// The columns by which rows are grouped.
        group: Vec<usize>,
        /// The order.
        order: Vec<(usize, Direction)>,
        /// How many rows of a group are left out first.
        offset: usize,
        /// How many are kept then.
        limit: Option<usize>,
    },
}

/// What a join does with left rows that match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// They are left out.
    Inner,
    /// They are kept, with nulls for the right side.
    Left,
}

/// An aggregate function with what it is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// Whether each value counts once.
    pub distinct: bool,
    /// The column of the input that it takes; absent for `count(*)`.
    pub column: Option<usize>,
    /// How texts compare, for `min`, `max` and `distinct`.
    pub collation: Collation,
    /// A column that must be true for a row to count (`FILTER`).
    pub filter: Option<usize>,
}

/// An aggregate function, with SQLite's meaning. Nulls are left out; booleans are integers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// The number of rows, or of values that are not null.
    Count,
    /// The sum; null for none; an integer if all values are. Beyond 64 bits null. Sums of doubles
    /// are exact before they are rounded, so they do not depend on the order of changes.
    Sum,
    /// The sum as a double; 0.0 for none.
    Total,
    /// The mean as a double; null for none.
    Average,
    /// The least value; null for none.
    Min,
    /// The greatest value; null for none.
    Max,
    /// The values as text, put together; null for none.
    GroupConcat {
        /// What is put between.
        separator: String,
        /// The order of the values, by columns of the input; completed by the value.
        order: Vec<(usize, Direction)>,
    },
    /// Any value, where all of a group are known to be equal: the least.
    Any,
}

/// A table whose rows are maintained instead of written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Derived {
    /// The rows. In no state of the data do two of them have the same key.
    pub relation: Arc<Relation>,
    /// The columns that tell rows apart: the table's primary key. Null is a value like others.
    pub key: Vec<usize>,
}

impl Relation {
    /// The relations that this one is made from, each as often as it occurs.
    pub fn inputs(&self) -> Vec<&Arc<Relation>> {
        match self {
            Relation::Scan { .. } | Relation::Rows(_) => Vec::new(),
            Relation::Map { input, .. }
            | Relation::Filter { input, .. }
            | Relation::Aggregate { input, .. }
            | Relation::Distinct { input }
            | Relation::Top { input, .. } => vec![input],
            Relation::Join { left, right, .. } => vec![left, right],
            Relation::Union { inputs } => inputs.iter().collect(),
        }
    }

    /// How many columns the rows have, where that of a base table is known to the caller.
    pub fn width(&self, columns_of: &dyn Fn(TableId) -> usize) -> usize {
        match self {
            Relation::Scan { table, .. } => columns_of(*table),
            Relation::Rows(rows) => rows.first().map_or(0, Vec::len),
            Relation::Map { columns, .. } => columns.len(),
            Relation::Filter { input, .. }
            | Relation::Distinct { input }
            | Relation::Top { input, .. } => input.width(columns_of),
            Relation::Join { left_width, right_width, .. } => left_width + right_width,
            Relation::Aggregate { group, functions, .. } => group.len() + functions.len(),
            Relation::Union { inputs } => inputs.first().map_or(0, |input| input.width(columns_of)),
        }
    }
}
