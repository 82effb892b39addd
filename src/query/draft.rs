//! Conditions while they are being planned: simplified as they are put together, with the EXISTS
//! bodies in place instead of numbered.

use std::sync::Arc;

use indexmap::IndexSet;
use penstock_operators::plan::{Binding, Condition, Edge};
use penstock_operators::predicate::{CompareOp, Operand, Predicate};
use penstock_operators::schema::TableSchema;
use penstock_operators::value::{ColumnType, Value};

/// A condition being planned. Made by [`Draft::all`] and [`Draft::any`], which keep it simplified:
/// constants only at the top, no list of one or none, no list directly within one of its kind, and
/// cheap parts before dear ones.
#[derive(Debug)]
pub(crate) enum Draft {
    Always(bool),
    Test(Predicate),
    Gate { body: Box<GateBody>, negated: bool },
    All(Vec<Draft>),
    Any(Vec<Draft>),
}

/// The shape and the constants of an EXISTS body. Equal bodies are one gate of their level.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct GateBody {
    pub(crate) edge: Edge,
    pub(crate) binding: Arc<Binding>,
}

/// A condition with its equalities lifted out.
#[derive(Debug)]
pub(crate) struct Lifted {
    /// The lifted columns, ascending, each with the value it must have.
    pub(crate) equalities: Vec<(usize, Value)>,
    /// What remains.
    pub(crate) rest: Draft,
}

impl Draft {
    /// Holds where all parts hold.
    pub(crate) fn all(parts: impl IntoIterator<Item = Draft>) -> Draft {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Draft::Always(true) => {}
                Draft::Always(false) => return Draft::Always(false),
                Draft::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        Draft::list(kept, true)
    }

    /// Holds where any part holds.
    pub(crate) fn any(parts: impl IntoIterator<Item = Draft>) -> Draft {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Draft::Always(false) => {}
                Draft::Always(true) => return Draft::Always(true),
                Draft::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        Draft::list(kept, false)
    }

    fn list(mut parts: Vec<Draft>, all: bool) -> Draft {
        if parts.len() > 1 {
            // Stable, so that parts of one cost stay in the order written.
            parts.sort_by_key(Draft::cost);
            return if all { Draft::All(parts) } else { Draft::Any(parts) };
        }
        parts.pop().unwrap_or(Draft::Always(all))
    }

    /// A rank: tests of the row before lists of such tests, those before gates, those before
    /// lists with gates.
    fn cost(&self) -> u8 {
        match self {
            Draft::Always(_) | Draft::Test(_) => 0,
            Draft::Gate { .. } => 2,
            Draft::All(parts) | Draft::Any(parts) => {
                // Parts are ordered by cost, so the last is the dearest.
                if parts.last().is_some_and(|part| part.cost() >= 2) { 3 } else { 1 }
            }
        }
    }

    /// Takes the top-level equalities with a constant out of the condition: the first of each
    /// column, unless the column is correlated. Others remain, except repetitions.
    pub(crate) fn lift(self, correlated: &[usize], table: &TableSchema) -> Lifted {
        let parts = match self {
            Draft::All(parts) => parts,
            other => vec![other],
        };
        let mut equalities: Vec<(usize, Value)> = Vec::new();
        let mut rest = Vec::new();
        for part in parts {
            let Some((column, value)) = part.equality() else {
                rest.push(part);
                continue;
            };
            let is_json = table.columns()[column].column_type == ColumnType::Json;
            match equalities.iter().find(|(lifted, _)| *lifted == column) {
                Some((_, same)) if same == value => {}
                Some(_) => rest.push(part),
                None if is_json || correlated.contains(&column) => rest.push(part),
                None => equalities.push((column, value.clone())),
            }
        }
        equalities.sort_by_key(|(column, _)| *column);
        Lifted { equalities, rest: Draft::all(rest) }
    }

    /// The column and the constant of `column = constant` and `column IS constant`.
    fn equality(&self) -> Option<(usize, &Value)> {
        match self {
            Draft::Test(
                Predicate::Compare {
                    left: Operand::Column(column),
                    op: CompareOp::Eq,
                    right: Operand::Literal(value),
                }
                | Predicate::Is {
                    left: Operand::Column(column),
                    right: Operand::Literal(value),
                    negated: false,
                },
            ) => Some((*column, value)),
            _ => None,
        }
    }

    /// The condition with its gates numbered in the order met.
    pub(crate) fn number(self, gates: &mut Gates) -> Condition {
        match self {
            Draft::Always(holds) => Condition::Always(holds),
            Draft::Test(predicate) => Condition::Test(predicate),
            Draft::Gate { body, negated } => {
                Condition::Gate { gate: gates.0.insert_full(*body).0, negated }
            }
            Draft::All(parts) => {
                Condition::All(parts.into_iter().map(|part| part.number(gates)).collect())
            }
            Draft::Any(parts) => {
                Condition::Any(parts.into_iter().map(|part| part.number(gates)).collect())
            }
        }
    }
}

/// The distinct gates of one level, in the order in which its condition refers to them.
#[derive(Debug)]
pub(crate) struct Gates(IndexSet<GateBody, ahash::RandomState>);

impl Gates {
    pub(crate) fn new() -> Gates {
        // The seeds are arbitrary but fixed; positions come from insertion order in any case.
        Gates(IndexSet::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4)))
    }

    pub(crate) fn into_parts(self) -> (Vec<Edge>, Vec<Arc<Binding>>) {
        self.0.into_iter().map(|body| (body.edge, body.binding)).unzip()
    }
}
