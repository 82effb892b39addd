//! Conditions brought down.

use std::sync::Arc;

use crate::expr::Expr;
use crate::relation::chain::substituted;
use crate::relation::plan::{AggregateCall, AggregateFunction, JoinKind, Relation};
use crate::row::Row;
use crate::value::Value;

/// The rows of a relation for which all conditions are true.
pub(super) fn pushed(plan: &Arc<Relation>, mut conditions: Vec<Expr>) -> Arc<Relation> {
    match &**plan {
        Relation::Filter { input, condition } => {
            split(condition, &mut conditions);
            pushed(input, conditions)
        }
        Relation::Map { input, columns } => {
            let (mut below, mut above) = (Vec::new(), Vec::new());
            for condition in conditions {
                match substituted(&condition, columns) {
                    Some(condition) => below.push(condition),
                    None => above.push(condition),
                }
            }
            let input = pushed(input, below);
            filtered(Relation::Map { input, columns: columns.clone() }, above)
        }
        Relation::Join { .. } => join(plan, conditions),
        Relation::Aggregate { input, group, functions } => {
            conditions.retain(|condition| !is_count(condition, group.len(), functions));
            let (group, functions) = (group.clone(), functions.clone());
            let input = pushed(input, Vec::new());
            filtered(Relation::Aggregate { input, group, functions }, conditions)
        }
        Relation::Distinct { input } => {
            filtered(Relation::Distinct { input: pushed(input, Vec::new()) }, conditions)
        }
        Relation::Union { inputs } => {
            let inputs = inputs.iter().map(|input| pushed(input, Vec::new())).collect();
            filtered(Relation::Union { inputs }, conditions)
        }
        Relation::Top { input, group, order, offset, limit } => {
            let (group, order) = (group.clone(), order.clone());
            let input = pushed(input, Vec::new());
            let top = Relation::Top { input, group, order, offset: *offset, limit: *limit };
            filtered(top, conditions)
        }
        Relation::Scan { .. } | Relation::Rows(_) if conditions.is_empty() => Arc::clone(plan),
        other @ (Relation::Scan { .. } | Relation::Rows(_)) => filtered(other.clone(), conditions),
    }
}

fn join(plan: &Relation, mut conditions: Vec<Expr>) -> Arc<Relation> {
    let Relation::Join { kind, left, left_width, right, right_width, on, residual } = plan else {
        return filtered(plan.clone(), conditions);
    };
    let reject = |condition: &Expr| leaves_out_nulls(condition, *left_width);
    let kind = match kind {
        JoinKind::Left if !conditions.iter().any(reject) => JoinKind::Left,
        _ => JoinKind::Inner,
    };
    let mut residual = residual.clone();
    if kind == JoinKind::Inner {
        residual.take().iter().for_each(|residual| split(residual, &mut conditions));
    }
    let (mut of_left, mut of_right, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for condition in conditions {
        let (mut reads_left, mut reads_right) = (false, false);
        condition.for_each_column(&mut |column| {
            *(if column < *left_width { &mut reads_left } else { &mut reads_right }) = true;
        });
        match (reads_left, reads_right, kind) {
            (_, false, _) => of_left.push(condition),
            (false, true, JoinKind::Inner) => {
                of_right.push(condition.map_columns(&|column| column - left_width));
            }
            _ => rest.push(condition),
        }
    }
    if kind == JoinKind::Inner && !rest.is_empty() {
        residual = Some(all(std::mem::take(&mut rest)));
    }
    let joined = Relation::Join {
        kind,
        left: pushed(left, of_left),
        left_width: *left_width,
        right: pushed(right, of_right),
        right_width: *right_width,
        on: on.clone(),
        residual,
    };
    filtered(joined, rest)
}

fn filtered(relation: Relation, conditions: Vec<Expr>) -> Arc<Relation> {
    let relation = Arc::new(relation);
    if conditions.is_empty() {
        return relation;
    }
    Arc::new(Relation::Filter { input: relation, condition: all(conditions) })
}

fn all(mut conditions: Vec<Expr>) -> Expr {
    match conditions.len() {
        1 => conditions.remove(0),
        _ => Expr::And(conditions),
    }
}

/// The conditions that a conjunction is true with.
fn split(condition: &Expr, into: &mut Vec<Expr>) {
    match condition {
        Expr::And(parts) => parts.iter().for_each(|part| split(part, into)),
        other => into.push(other.clone()),
    }
}

/// Whether a condition on groups says that a count is not null, which it never is.
fn is_count(condition: &Expr, first: usize, functions: &[AggregateCall]) -> bool {
    let Expr::Is { left, right, negated: true, .. } = condition else { return false };
    let (Expr::Column(column), Expr::Literal(Value::Null)) = (&**left, &**right) else {
        return false;
    };
    let function = column.checked_sub(first).and_then(|at| functions.get(at));
    function.is_some_and(|call| call.function == AggregateFunction::Count)
}

/// Whether a condition is not true of any row whose columns from `first` on are null.
fn leaves_out_nulls(condition: &Expr, first: usize) -> bool {
    let (mut reads_right, mut reads_left) = (false, false);
    condition.for_each_column(&mut |column| {
        *(if column < first { &mut reads_left } else { &mut reads_right }) = true;
    });
    if reads_right && !reads_left {
        let of_nulls = condition.replace_columns(&|_| Expr::Literal(Value::Null));
        return !of_nulls.holds(&Row::new(&[]));
    }
    is_null(condition, first)
}

/// Whether an expression is null wherever the columns from `first` on are.
fn is_null(expr: &Expr, first: usize) -> bool {
    match expr {
        Expr::Column(column) => *column >= first,
        Expr::Literal(value) => *value == Value::Null,
        Expr::Unary { operand, .. } | Expr::Not(operand) | Expr::Affinity { operand, .. } => {
            is_null(operand, first)
        }
        Expr::Binary { left, right, .. } | Expr::Compare { left, right, .. } => {
            is_null(left, first) || is_null(right, first)
        }
        _ => false,
    }
}
