//! GROUP BY and aggregates: from the rows of FROM to one row per group.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, Relation};
use sqlparser::ast;

use super::apply::Apply;
use super::bind::{Aliases, Binder, Pending, ordinal};
use super::bound::Bound;
use super::error::{Outcome, Place};
use super::list::BoundList;
use super::order::output;
use super::scope::Scope;
use super::slot::{Slot, Uses, rewrite};
use super::stage::Stage;
use super::work::Work;
use crate::query::QueryError;

/// The terms of a GROUP BY: a number of the SELECT list, an alias, or any expression.
pub(super) fn terms(
    binder: &mut Binder<'_>,
    group_by: &ast::GroupByExpr,
    aliases: &Aliases<'_>,
    list: &BoundList,
) -> Outcome<Vec<Bound>> {
    let terms = match group_by {
        ast::GroupByExpr::Expressions(terms, modifiers) if modifiers.is_empty() => terms,
        _ => {
            return binder
                .at
                .refuse("GROUP BY takes expressions; ALL and ROLLUP are not of SQLite");
        }
    };
    let mut groups = Vec::with_capacity(terms.len());
    for (index, term) in terms.iter().enumerate() {
        let place = Place::of(term).or(binder.at);
        let bound = match ordinal(term) {
            Some(ordinal) => output(list, ordinal, index, "GROUP BY", place)?,
            None => {
                let mut within = Binder {
                    context: binder.context,
                    env: binder.env,
                    pending: binder.pending,
                    no_aggregates: Some("GROUP BY"),
                    aliases,
                    at: place,
                };
                within.bind(term)?
            }
        };
        let uses = super::conjunct::deep_uses(&bound.expr, &binder.pending.applies);
        if uses.aggregate {
            return place.refuse("aggregates are not allowed in GROUP BY");
        }
        if uses.outer {
            return place.refuse("GROUP BY cannot use columns of the SELECT around");
        }
        groups.push(bound);
    }
    Ok(groups)
}

/// The outputs of an aggregate without groups where there is nothing to aggregate.
pub(super) fn of_nothing(
    outputs: &[(String, Bound)],
    groups: &[Bound],
    pending: &Pending,
) -> Option<Vec<Expr>> {
    if !groups.is_empty() || pending.aggregates.is_empty() {
        return None;
    }
    let nothing = |expr: &Expr| {
        rewrite(expr, &mut |part| match part {
            Expr::Column(slot) => match Slot::of(*slot) {
                Slot::Aggregate(at) => Some(Expr::Literal(pending.aggregates[at].of_nothing())),
                _ => Some(Expr::Literal(penstock_operators::value::Value::Null)),
            },
            _ => None,
        })
    };
    Some(outputs.iter().map(|(_, output)| nothing(&output.expr)).collect())
}

/// What becomes of the expressions over a SELECT's rows when these become groups.
struct Grouping<'g> {
    scope: &'g Scope,
    groups: &'g [Bound],
    /// Whether each group is compared as its expression is.
    plain: Vec<bool>,
    places: &'g BTreeMap<usize, Place>,
    applies: &'g [Apply],
    /// The number of the first slot of a group.
    first: usize,
    /// Expressions that are the same for all rows of a group.
    any: Vec<Expr>,
    /// The subqueries over groups, with what leads to them.
    after: BTreeMap<usize, Apply>,
    at: Place,
    error: Option<QueryError>,
}

/// Makes groups of the rows of a stage, and its expressions such over groups.
pub(super) fn aggregate(
    stage: &mut Stage,
    groups: &[Bound],
    scope: &Scope,
    at: Place,
) -> Outcome<()> {
    let keys: Vec<Expr> = groups.iter().map(|group| group.clone().key()).collect();
    let mut grouping = Grouping {
        scope,
        groups,
        plain: groups.iter().zip(&keys).map(|(group, key)| group.expr == *key).collect(),
        places: &stage.pending.places,
        applies: &stage.pending.applies,
        first: stage.fresh,
        any: Vec::new(),
        after: BTreeMap::new(),
        at,
        error: None,
    };
    for (_, output) in &mut stage.outputs {
        output.expr = grouping.over_groups(&output.expr);
    }
    for (key, _) in &mut stage.order {
        *key = grouping.over_groups(key);
    }
    for lead in stage.leads.iter_mut().flatten() {
        *lead = grouping.over_groups(lead);
    }
    if let Some(having) = &mut stage.having {
        *having = grouping.over_groups(having);
    }
    let Grouping { any, after, error, first, .. } = grouping;
    if let Some(error) = error {
        return Err(error);
    }
    let correlated: Vec<Expr> = stage.correlation.iter().map(|c| c.inner.clone()).collect();
    let group_count = correlated.len() + keys.len();
    stage.work = grouped_rows(stage, correlated, keys, &any);
    for (at, correlation) in stage.correlation.iter_mut().enumerate() {
        let slot = Slot::Aggregate(first + groups.len() + any.len() + at).number();
        stage.work.slots.insert(slot, at);
        correlation.inner = Expr::Column(slot);
    }
    let width = stage.correlation.len();
    for at in 0..groups.len() {
        stage.work.slots.insert(Slot::Aggregate(first + at).number(), width + at);
    }
    let calls = stage.pending.aggregates.len();
    for at in 0..calls {
        stage.work.slots.insert(Slot::Aggregate(at).number(), group_count + at);
    }
    for at in 0..any.len() {
        let slot = Slot::Aggregate(first + groups.len() + at).number();
        stage.work.slots.insert(slot, group_count + calls + at);
    }
    stage.fresh = first + groups.len() + any.len() + stage.correlation.len();
    stage.pending.applies = after.into_values().collect();
    Ok(())
}

/// The relation of the groups: their keys, the aggregates, then what is the same in each.
fn grouped_rows(stage: &mut Stage, correlated: Vec<Expr>, keys: Vec<Expr>, any: &[Expr]) -> Work {
    let pending = &stage.pending;
    let work = &mut stage.work;
    let mut needed: Vec<Expr> = correlated;
    needed.extend(keys);
    let group_count = needed.len();
    for call in &pending.aggregates {
        needed.extend(call.argument.iter().cloned());
        needed.extend(call.filter.iter().cloned());
        needed.extend(call.order.iter().map(|(key, _)| key.clone()));
    }
    needed.extend(any.iter().cloned());
    work.attach(&needed, &pending.applies);
    let mut columns = work.columns(&needed).into_iter();
    let group: Vec<usize> = columns.by_ref().take(group_count).collect();
    let mut functions = Vec::with_capacity(pending.aggregates.len() + any.len());
    for call in &pending.aggregates {
        let column = call.argument.as_ref().and_then(|_| columns.next());
        let filter = call.filter.as_ref().and_then(|_| columns.next());
        let mut function = call.function.clone();
        if let AggregateFunction::GroupConcat { order, .. } = &mut function {
            for (_, direction) in &call.order {
                order.extend(columns.next().map(|column| (column, *direction)));
            }
            // Rows that a stated order leaves equal, or all, are taken as the input has them.
            if !call.distinct {
                order.extend(
                    work.key.iter().map(|key| (*key, penstock_operators::key::Direction::Asc)),
                );
            }
        } else {
            call.order.iter().for_each(|_| {
                columns.next();
            });
        }
        let (distinct, collation) = (call.distinct, call.collation);
        functions.push(AggregateCall { function, distinct, column, collation, filter });
    }
    functions.extend(columns.map(|column| AggregateCall {
        function: AggregateFunction::Any,
        distinct: false,
        column: Some(column),
        collation: Collation::Binary,
        filter: None,
    }));
    let width = group_count + functions.len();
    let input = Arc::clone(&work.relation);
    Work {
        relation: Arc::new(Relation::Aggregate { input, group, functions }),
        width,
        slots: BTreeMap::new(),
        key: (0..group_count).collect(),
    }
}

impl Grouping<'_> {
    /// An expression over rows as one over groups.
    fn over_groups(&mut self, expr: &Expr) -> Expr {
        rewrite(expr, &mut |part| self.replace(part))
    }

    fn replace(&mut self, part: &Expr) -> Option<Expr> {
        if let Some(at) = self.groups.iter().position(|group| group.expr == *part)
            && !Uses::of(part).is_constant()
        {
            return Some(if self.plain[at] {
                Expr::Column(Slot::Aggregate(self.first + at).number())
            } else {
                self.any(part)
            });
        }
        let Expr::Column(number) = part else { return None };
        match Slot::of(*number) {
            Slot::From(slot) => {
                if !self.is_known(slot) {
                    self.refuse(slot);
                }
                Some(self.any(part))
            }
            Slot::Subquery(number) => {
                self.keep_apply(number);
                Some(part.clone())
            }
            _ => Some(part.clone()),
        }
    }

    /// The slot of a value that all rows of a group have.
    fn any(&mut self, expr: &Expr) -> Expr {
        let at = match self.any.iter().position(|other| other == expr) {
            Some(at) => at,
            None => {
                self.any.push(expr.clone());
                self.any.len() - 1
            }
        };
        Expr::Column(Slot::Aggregate(self.first + self.groups.len() + at).number())
    }

    /// Whether the groups hold the primary key of the column's table.
    fn is_known(&self, slot: usize) -> bool {
        let Some((item, _)) = self.scope.item_of(slot) else { return false };
        let grouped = |column: &usize| {
            let column = Expr::Column(item.start + column);
            self.groups.iter().zip(&self.plain).any(|(group, plain)| *plain && group.expr == column)
        };
        !item.key.is_empty() && item.key.iter().all(grouped)
    }

    fn refuse(&mut self, slot: usize) {
        let place = self.places.get(&slot).copied().unwrap_or_default().or(self.at);
        let name = match self.scope.item_of(slot) {
            Some((item, at)) => item.columns[at].name.clone(),
            None => String::new(),
        };
        let problem = if self.groups.is_empty() {
            format!(
                "column \"{name}\" stands beside an aggregate, and which of the rows it is of \
                 would be arbitrary; use min or max, or GROUP BY it"
            )
        } else {
            format!(
                "column \"{name}\" is neither in GROUP BY nor in an aggregate, so which of the \
                 group's rows it is of would be arbitrary; group by it, or use min or max"
            )
        };
        self.error.get_or_insert(place.error(problem));
    }

    /// Keeps a subquery for after the grouping, led to by values of groups.
    fn keep_apply(&mut self, number: usize) {
        let Some(at) = self.applies.iter().position(|apply| apply.provides(number).is_some())
        else {
            return;
        };
        if self.after.contains_key(&at) {
            return;
        }
        let mut apply = self.applies[at].clone();
        self.after.insert(at, apply.clone());
        for (outer, _) in &mut apply.on {
            *outer = self.over_groups(outer);
        }
        self.after.insert(at, apply);
    }
}
