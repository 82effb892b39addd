//! Subqueries whose results are columns of the rows around: joined to them when they are needed.

use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::relation::plan::{JoinKind, Relation};

/// A relation with at most one row for each row around.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Apply {
    pub(super) relation: Arc<Relation>,
    pub(super) width: usize,
    /// Whether rows around without a row of it are kept, with nulls.
    pub(super) kind: JoinKind,
    /// Expressions of the row around, and the columns that equal them.
    pub(super) on: Vec<(Expr, usize)>,
    /// The number of the first slot that it provides.
    pub(super) first: usize,
    /// The columns behind its slots.
    pub(super) columns: Vec<usize>,
}

impl Apply {
    /// Whether it provides a slot, by its number among those of subqueries.
    pub(super) fn provides(&self, number: usize) -> Option<usize> {
        number.checked_sub(self.first).and_then(|at| self.columns.get(at).copied())
    }
}
