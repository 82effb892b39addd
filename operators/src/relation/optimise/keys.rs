//! Which columns tell the rows of a relation apart, whatever the data are.

use std::collections::BTreeSet;

use super::width;
use crate::expr::Expr;
use crate::relation::plan::{JoinKind, Relation};
use crate::schema::Schema;

/// Columns by whose encodings no two rows are equal; none of them where there is at most one row.
type KeySet = BTreeSet<usize>;

/// As many keys of one relation are followed.
const KEYS_MAX: usize = 8;

/// Whether no two rows ever have the same values in these columns.
pub(super) fn is_unique(schema: &Schema, plan: &Relation, columns: &[usize]) -> bool {
    keys(schema, plan).iter().any(|key| key.iter().all(|column| columns.contains(column)))
}

fn keys(schema: &Schema, plan: &Relation) -> Vec<KeySet> {
    let mut found = match plan {
        Relation::Scan { table, equal } => {
            let held = |column: &usize| equal.iter().any(|(held, _)| held == column);
            let key = schema.table(*table).primary_key_spec().columns();
            let key = key.iter().map(|(column, _)| *column).filter(|column| !held(column));
            vec![key.collect()]
        }
        Relation::Rows(rows) if rows.len() <= 1 => vec![KeySet::new()],
        Relation::Rows(_) | Relation::Union { .. } => Vec::new(),
        Relation::Filter { input, .. } | Relation::Top { input, .. } => keys(schema, input),
        Relation::Map { input, columns } => {
            let out = |column: &usize| columns.iter().position(|c| *c == Expr::Column(*column));
            let keys = keys(schema, input);
            keys.iter().filter_map(|key| key.iter().map(out).collect()).collect()
        }
        Relation::Aggregate { group, .. } => vec![(0..group.len()).collect()],
        Relation::Distinct { input } => {
            let mut keys = keys(schema, input);
            keys.push((0..width(schema, input)).collect());
            keys
        }
        Relation::Join { kind, left, left_width, right, on, .. } => {
            let (of_left, of_right) = (keys(schema, left), keys(schema, right));
            let within = |key: &KeySet, columns: Vec<usize>| {
                key.iter().all(|column| columns.contains(column))
            };
            let (on_left, on_right): (Vec<usize>, Vec<usize>) = on.iter().copied().unzip();
            let shifted = |key: &KeySet| key.iter().map(|at| left_width + at).collect::<KeySet>();
            let mut keys = Vec::new();
            if of_right.iter().any(|key| within(key, on_right.clone())) {
                keys.extend(of_left.iter().cloned());
            }
            if *kind == JoinKind::Inner && of_left.iter().any(|key| within(key, on_left.clone())) {
                keys.extend(of_right.iter().map(shifted));
            }
            for left in &of_left {
                keys.extend(of_right.iter().map(|right| left | &shifted(right)));
            }
            keys
        }
    };
    found.truncate(KEYS_MAX);
    found
}
