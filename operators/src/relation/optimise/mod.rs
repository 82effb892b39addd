//! A relation as it is run: equal to the one stated, row by row and column by column.
//!
//! Conditions go down to where they can be decided, and left joins whose nulls a condition leaves
//! out become inner ones (`conditions`); columns that nothing above reads are dropped at the
//! tables, so that changes of them concern nobody (`columns`); groups and DISTINCT over rows that
//! are told apart by fewer columns than those are the rows themselves (`keys`).

mod columns;
mod conditions;
mod keys;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::Relation;
use crate::schema::Schema;

/// The relation to run instead of `plan`. Cost: O(plan²) at worst, and no reads.
pub(super) fn optimised(schema: &Schema, plan: &Arc<Relation>) -> Arc<Relation> {
    let plan = conditions::pushed(plan, Vec::new());
    let width = width(schema, &plan);
    let pruned = columns::pruned(schema, &plan, &(0..width).collect());
    pruned.exactly(&(0..width).collect::<BTreeSet<usize>>())
}

/// Whether no two rows of a relation ever have the same values in these columns.
pub(super) fn is_unique(schema: &Schema, plan: &Relation, columns: &[usize]) -> bool {
    keys::is_unique(schema, plan, columns)
}

fn width(schema: &Schema, plan: &Relation) -> usize {
    plan.width(&|table| schema.table(table).columns().len())
}
