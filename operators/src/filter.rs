//! `filter`: a level's condition, split into what a row decides alone and what needs gates.
//!
//! The row part is tested first and without any read, so that gates are only asked for rows that
//! may pass.
//!
//! Cost: O(conditions) per row. State: none.

use crate::delta::ColumnSet;
use crate::plan::Condition;
use crate::row::Row;

/// A level's compiled condition.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    row: Vec<Condition>,
    gated: Option<Condition>,
    columns: ColumnSet,
}

impl Filter {
    pub(crate) fn new(condition: &Condition) -> Filter {
        let conjuncts = match condition {
            Condition::All(conjuncts) => conjuncts.clone(),
            single => vec![single.clone()],
        };
        let (gated, row): (Vec<_>, Vec<_>) = conjuncts.into_iter().partition(has_gate);
        let gated = match gated.len() {
            0 => None,
            1 => gated.into_iter().next(),
            _ => Some(Condition::All(gated)),
        };
        Filter { row, gated, columns: columns(condition) }
    }

    /// Whether a row passes the part of the condition that has no gates.
    #[inline]
    pub(crate) fn row_passes(&self, row: &Row) -> bool {
        self.row.iter().all(|condition| row_condition(condition, row))
    }

    /// The rest of the condition.
    #[inline]
    pub(crate) fn gated(&self) -> Option<&Condition> {
        self.gated.as_ref()
    }

    /// The columns that the row tests in the rest of the condition read.
    pub(crate) fn gated_columns(&self) -> ColumnSet {
        self.gated.as_ref().map_or(ColumnSet::EMPTY, columns)
    }

    /// The first gate that must be open for any row to pass: an EXISTS that the condition requires.
    pub(crate) fn required_gate(&self) -> Option<usize> {
        let open = |condition: &Condition| match condition {
            Condition::Gate { gate, negated: false } => Some(*gate),
            _ => None,
        };
        match self.gated.as_ref()? {
            Condition::All(conditions) => conditions.iter().find_map(open),
            single => open(single),
        }
    }

    /// The columns that the condition's row tests read.
    pub(crate) fn columns(&self) -> ColumnSet {
        self.columns
    }
}

/// Evaluates a condition for a row, asking for gates only where they decide.
pub(crate) fn evaluate<E>(
    condition: &Condition,
    row: &Row,
    open: &mut dyn FnMut(usize) -> Result<bool, E>,
) -> Result<bool, E> {
    Ok(match condition {
        Condition::Always(constant) => *constant,
        Condition::Test(predicate) => predicate.matches(row),
        Condition::Gate { gate, negated } => open(*gate)? != *negated,
        Condition::All(conditions) => {
            for condition in conditions {
                if !evaluate(condition, row, open)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Any(conditions) => {
            for condition in conditions {
                if evaluate(condition, row, open)? {
                    return Ok(true);
                }
            }
            false
        }
    })
}

fn row_condition(condition: &Condition, row: &Row) -> bool {
    match condition {
        Condition::Always(constant) => *constant,
        Condition::Test(predicate) => predicate.matches(row),
        Condition::All(conditions) => conditions.iter().all(|each| row_condition(each, row)),
        Condition::Any(conditions) => conditions.iter().any(|each| row_condition(each, row)),
        // `Filter::new` puts conditions with gates into the other part.
        Condition::Gate { .. } => unreachable!("a row condition has no gates"),
    }
}

fn has_gate(condition: &Condition) -> bool {
    match condition {
        Condition::Always(_) | Condition::Test(_) => false,
        Condition::Gate { .. } => true,
        Condition::All(conditions) | Condition::Any(conditions) => conditions.iter().any(has_gate),
    }
}

fn columns(condition: &Condition) -> ColumnSet {
    match condition {
        Condition::Always(_) | Condition::Gate { .. } => ColumnSet::EMPTY,
        Condition::Test(predicate) => predicate.columns(),
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().map(columns).fold(ColumnSet::EMPTY, ColumnSet::union)
        }
    }
}
