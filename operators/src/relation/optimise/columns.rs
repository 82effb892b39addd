//! Columns that nothing reads, dropped.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{keys, width};
use crate::expr::Expr;
use crate::relation::chain::composed;
use crate::relation::plan::{AggregateCall, AggregateFunction, Relation};
use crate::schema::Schema;
use crate::value::Value;

type Columns = BTreeSet<usize>;

/// A relation without some of its columns.
pub(super) struct Pruned {
    relation: Arc<Relation>,
    /// The columns that it still has, as they were numbered, in order.
    kept: Vec<usize>,
}

impl Pruned {
    /// Where a column is now.
    fn at(&self, column: usize) -> usize {
        self.kept.binary_search(&column).unwrap_or(0)
    }

    fn all_at(&self, columns: &[usize]) -> Vec<usize> {
        columns.iter().map(|column| self.at(*column)).collect()
    }

    fn moved(&self, expr: &Expr) -> Expr {
        expr.map_columns(&|column| self.at(column))
    }

    /// The relation with these of its columns and no others.
    pub(super) fn exactly(&self, needed: &Columns) -> Arc<Relation> {
        if self.kept.iter().eq(needed) {
            return Arc::clone(&self.relation);
        }
        map(&self.relation, needed.iter().map(|column| Expr::Column(self.at(*column))).collect())
    }
}

/// A relation with at least the columns `needed`.
pub(super) fn pruned(schema: &Schema, plan: &Arc<Relation>, needed: &Columns) -> Pruned {
    let whole = |input: &Arc<Relation>| {
        let all: Columns = (0..width(schema, input)).collect();
        pruned(schema, input, &all).exactly(&all)
    };
    match &**plan {
        Relation::Scan { .. } => {
            let kept: Vec<usize> = (0..width(schema, plan)).collect();
            let scan = Pruned { relation: Arc::clone(plan), kept };
            Pruned { relation: scan.exactly(needed), kept: needed.iter().copied().collect() }
        }
        Relation::Rows(_) => {
            Pruned { relation: Arc::clone(plan), kept: (0..width(schema, plan)).collect() }
        }
        Relation::Map { input, columns } => {
            let columns: Vec<&Expr> = needed.iter().map(|column| &columns[*column]).collect();
            let mut read = Columns::new();
            columns.iter().for_each(|column| reads(column, &mut read));
            let input = pruned(schema, input, &read);
            let columns = columns.iter().map(|column| input.moved(column)).collect();
            let kept = needed.iter().copied().collect();
            let same = input.kept.len();
            Pruned { relation: map_unless_same(&input.relation, same, columns), kept }
        }
        Relation::Filter { input, condition } => {
            let mut read = needed.clone();
            reads(condition, &mut read);
            let mut input = pruned(schema, input, &read);
            let condition = input.moved(condition);
            input.relation =
                Arc::new(Relation::Filter { input: Arc::clone(&input.relation), condition });
            Pruned { relation: input.exactly(needed), kept: needed.iter().copied().collect() }
        }
        Relation::Join { .. } => join(schema, plan, needed),
        Relation::Aggregate { input, group, functions } => {
            aggregate(schema, input, group, functions, needed)
        }
        Relation::Distinct { input } => {
            let all: Vec<usize> = (0..width(schema, input)).collect();
            let input = whole(input);
            let relation = match keys::is_unique(schema, &input, &all) {
                true => input,
                false => Arc::new(Relation::Distinct { input }),
            };
            Pruned { relation, kept: all }
        }
        Relation::Union { inputs } => {
            let inputs = inputs.iter().map(|input| pruned(schema, input, needed).exactly(needed));
            let relation = Arc::new(Relation::Union { inputs: inputs.collect() });
            Pruned { relation, kept: needed.iter().copied().collect() }
        }
        Relation::Top { input, group, order, offset, limit } => {
            let kept = (0..width(schema, input)).collect();
            let (group, order) = (group.clone(), order.clone());
            let input = whole(input);
            let top = Relation::Top { input, group, order, offset: *offset, limit: *limit };
            Pruned { relation: Arc::new(top), kept }
        }
    }
}

fn join(schema: &Schema, plan: &Relation, needed: &Columns) -> Pruned {
    let Relation::Join { kind, left, left_width, right, right_width: _, on, residual } = plan
    else {
        return Pruned {
            relation: Arc::new(plan.clone()),
            kept: (0..width(schema, plan)).collect(),
        };
    };
    let mut read = needed.clone();
    residual.iter().for_each(|residual| reads(residual, &mut read));
    for (of_left, of_right) in on {
        read.insert(*of_left);
        read.insert(left_width + of_right);
    }
    let of_right: Columns = read.split_off(left_width).iter().map(|at| at - left_width).collect();
    let (left, right) = (pruned(schema, left, &read), pruned(schema, right, &of_right));
    let kept: Vec<usize> =
        left.kept.iter().copied().chain(right.kept.iter().map(|at| left_width + at)).collect();
    let on = on.iter().map(|(l, r)| (left.at(*l), right.at(*r))).collect();
    let mut joined = Pruned { relation: Arc::new(Relation::Rows(Vec::new())), kept: kept.clone() };
    let residual = residual.as_ref().map(|residual| joined.moved(residual));
    joined.relation = Arc::new(Relation::Join {
        kind: *kind,
        left_width: left.kept.len(),
        left: left.relation,
        right_width: right.kept.len(),
        right: right.relation,
        on,
        residual,
    });
    Pruned { relation: joined.exactly(needed), kept: needed.iter().copied().collect() }
}

fn aggregate(
    schema: &Schema,
    input: &Arc<Relation>,
    group: &[usize],
    functions: &[AggregateCall],
    needed: &Columns,
) -> Pruned {
    let first = group.len();
    let used = functions.iter().enumerate().filter(|(at, _)| needed.contains(&(first + at)));
    let (places, calls): (Vec<usize>, Vec<&AggregateCall>) =
        used.map(|(at, call)| (first + at, call)).unzip();
    let mut read: Columns = group.iter().copied().collect();
    for call in &calls {
        read.extend(call.column.iter().chain(&call.filter));
        if let AggregateFunction::GroupConcat { order, .. } = &call.function {
            read.extend(order.iter().map(|(column, _)| *column));
        }
    }
    let input = pruned(schema, input, &read);
    // The function sees the columns that it names and no others.
    let rows = input.exactly(&read);
    let input = Pruned { relation: Arc::clone(&rows), kept: read.into_iter().collect() };
    let group = input.all_at(group);
    let kept = (0..first).chain(places).collect();
    let counts_rows = |call: &&AggregateCall| {
        call.function == AggregateFunction::Count && call.column.is_none() && call.filter.is_none()
    };
    if !group.is_empty() && calls.iter().all(counts_rows) && keys::is_unique(schema, &rows, &group)
    {
        let columns = group.iter().map(|column| Expr::Column(*column));
        let ones = calls.iter().map(|_| Expr::Literal(Value::Int(1)));
        return Pruned { relation: map(&rows, columns.chain(ones).collect()), kept };
    }
    let functions = calls.into_iter().map(|call| moved_call(call, &input)).collect();
    Pruned { relation: Arc::new(Relation::Aggregate { input: rows, group, functions }), kept }
}

fn moved_call(call: &AggregateCall, input: &Pruned) -> AggregateCall {
    let mut call = call.clone();
    call.column = call.column.map(|column| input.at(column));
    call.filter = call.filter.map(|column| input.at(column));
    if let AggregateFunction::GroupConcat { order, .. } = &mut call.function {
        order.iter_mut().for_each(|(column, _)| *column = input.at(*column));
    }
    call
}

fn reads(expr: &Expr, into: &mut Columns) {
    expr.for_each_column(&mut |column| {
        into.insert(column);
    });
}

/// A map, as one with that below it where that computes nothing twice.
fn map(input: &Arc<Relation>, columns: Vec<Expr>) -> Arc<Relation> {
    if let Relation::Map { input: below, columns: inner } = &**input
        && let Some(columns) = composed(&columns, inner)
    {
        return Arc::new(Relation::Map { input: Arc::clone(below), columns });
    }
    Arc::new(Relation::Map { input: Arc::clone(input), columns })
}

/// A map over rows of a width; none where it would change nothing. A table may get further columns
/// while it is read, which are not to be seen.
fn map_unless_same(input: &Arc<Relation>, width: usize, columns: Vec<Expr>) -> Arc<Relation> {
    let same = columns.len() == width
        && columns.iter().enumerate().all(|(at, column)| *column == Expr::Column(at));
    let is_fixed = !matches!(**input, Relation::Scan { .. } | Relation::Filter { .. });
    if same && is_fixed { Arc::clone(input) } else { map(input, columns) }
}
