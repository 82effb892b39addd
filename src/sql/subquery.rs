//! Subqueries in expressions: relations with one row for each row around, joined to it on what the
//! subquery says has to be equal.

use std::sync::Arc;

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::predicate::CompareOp;
use penstock_operators::relation::plan::{AggregateCall, AggregateFunction, JoinKind, Relation};
use sqlparser::ast;

use super::Context;
use super::apply::Apply;
use super::bind::Binder;
use super::bound::{Bound, Traits, all, case, integer, is_null, not, null, sides};
use super::conjunct::key_side;
use super::error::{Outcome, Place};
use super::query;
use super::rows::Rows;
use super::select::Form;
use super::slot::Slot;
use super::work::map;

impl Binder<'_> {
    /// Plans a subquery that may refer to the SELECT being bound.
    fn subquery(&self, subquery: &ast::Query) -> Outcome<Rows> {
        let around = self.env;
        let context = Context { outer: Some(&around), ..self.context };
        query::query(context, subquery, Form::Subquery)
    }

    /// Registers a relation and returns the slots of the columns asked for.
    fn apply(
        &mut self,
        relation: Arc<Relation>,
        width: usize,
        kind: JoinKind,
        on: Vec<(Expr, usize)>,
        columns: Vec<usize>,
    ) -> Vec<usize> {
        let same = self.pending.applies.iter().find(|apply| {
            apply.relation == relation
                && apply.on == on
                && apply.kind == kind
                && apply.columns == columns
        });
        let first = match same {
            Some(apply) => apply.first,
            None => {
                let first = self.pending.provided;
                let count = columns.len();
                self.pending.applies.push(Apply { relation, width, kind, on, first, columns });
                self.pending.provided += count;
                return (first..first + count).map(|n| Slot::Subquery(n).number()).collect();
            }
        };
        (first..first + columns.len()).map(|n| Slot::Subquery(n).number()).collect()
    }

    /// `EXISTS (SELECT …)`.
    pub(super) fn exists(
        &mut self,
        subquery: &ast::Query,
        negated: bool,
        _place: Place,
    ) -> Outcome<Bound> {
        let rows = self.subquery(subquery)?;
        let truth = |holds: bool| Bound::truth(integer(i64::from(holds)), false);
        if rows.page.limit == Some(0) {
            return Ok(truth(negated));
        }
        if rows.of_nothing.is_some() && rows.page.offset > 0 {
            return Ok(truth(negated));
        }
        let always = rows.of_nothing.is_some() && !rows.has_having();
        let outer = rows.outer.clone();
        let exists = if always {
            integer(1)
        } else {
            let rows = if rows.page.offset > 0 { rows.paged() } else { rows };
            let (found, correlated) = self.count(&rows, Vec::new(), Vec::new());
            exists_of(found[0], correlated)
        };
        let mut conditions = outer;
        conditions.push(exists);
        let condition = all(conditions);
        // The conditions on the row around may be null.
        let condition = if rows_are_certain(&condition) {
            condition
        } else {
            case(condition, integer(1), integer(0))
        };
        Ok(Bound::truth(if negated { not(condition) } else { condition }, false))
    }

    /// Joins the number of rows of a subquery: in all, of those with certain values, of those
    /// that are not null in a column.
    fn count(
        &mut self,
        rows: &Rows,
        values: Vec<(Expr, usize)>,
        not_null: Vec<usize>,
    ) -> (Vec<usize>, bool) {
        let mut on = rows.correlation.clone();
        on.extend(values);
        let mut group: Vec<usize> = Vec::new();
        let mut pairs: Vec<(Expr, usize)> = Vec::new();
        for (outer, column) in on {
            let at = match group.iter().position(|other| *other == column) {
                Some(at) => at,
                None => {
                    group.push(column);
                    group.len() - 1
                }
            };
            pairs.push((outer, at));
        }
        let correlated = !group.is_empty();
        let call = |column: Option<usize>| AggregateCall {
            function: AggregateFunction::Count,
            distinct: false,
            column,
            collation: Collation::Binary,
            filter: None,
        };
        let functions: Vec<AggregateCall> = std::iter::once(call(None))
            .chain(not_null.into_iter().map(|c| call(Some(c))))
            .collect();
        let (first, count) = (group.len(), functions.len());
        let input = Arc::clone(&rows.relation);
        let relation = Arc::new(Relation::Aggregate { input, group, functions });
        let kind = if correlated { JoinKind::Left } else { JoinKind::Inner };
        let columns = (first..first + count).collect();
        (self.apply(relation, first + count, kind, pairs, columns), correlated)
    }

    /// A subquery as a value: that of its first row, null if there is none.
    pub(super) fn scalar(&mut self, subquery: &ast::Query, place: Place) -> Outcome<Bound> {
        let rows = self.subquery(subquery)?;
        let traits = one_output(&rows, "a subquery used as a value", place)?;
        let mut given = Traits::of(traits.column_type, true);
        given.affinity = traits.affinity;
        if rows.page.limit == Some(0) {
            return Ok(Bound { expr: null(), traits: given });
        }
        let rows = rows.first();
        let position = rows.outputs[0].position;
        let correlated = !rows.correlation.is_empty();
        let kind = if rows.of_nothing.is_some() && !correlated && !rows.has_having() {
            JoinKind::Inner
        } else {
            JoinKind::Left
        };
        let mut columns = vec![position];
        let matched = rows.correlated_columns().first().copied();
        columns.extend(matched);
        let nothing = rows.of_nothing.as_ref().map(|outputs| outputs[0].clone());
        let slots = self.apply(
            Arc::clone(&rows.relation),
            rows.width,
            kind,
            rows.correlation.clone(),
            columns,
        );
        let mut value = Expr::Column(slots[0]);
        let nothing = nothing.filter(|_| !rows.has_having()).unwrap_or_else(null);
        if correlated && nothing != null() {
            let found = is_null(Expr::Column(slots[1]), true);
            value = case(found, value, nothing.clone());
        }
        if !rows.outer.is_empty() {
            value = case(all(rows.outer.clone()), value, nothing);
        }
        Ok(Bound { expr: value, traits: given })
    }

    /// `… IN (SELECT …)` where only its truth matters.
    pub(super) fn in_subquery_truth(
        &mut self,
        operand: &ast::Expr,
        subquery: &ast::Query,
        place: Place,
    ) -> Outcome<Expr> {
        let operand = self.bind(operand)?;
        let rows = self.in_rows(subquery, place)?;
        let (found, outer) = (self.matches(&operand, &rows), rows.outer.clone());
        Ok(all(outer.into_iter().chain([found]).collect()))
    }

    fn in_rows(&self, subquery: &ast::Query, place: Place) -> Outcome<Rows> {
        let rows = self.subquery(subquery)?;
        one_output(&rows, "a subquery of IN", place)?;
        if rows.of_nothing.is_some() && !rows.correlation.is_empty() {
            return place.refuse(
                "IN with a correlated aggregate is not supported; compare with it: value = \
                 (SELECT …)",
            );
        }
        Ok(rows.paged())
    }

    /// Whether a row of a subquery equals the operand.
    fn matches(&mut self, operand: &Bound, rows: &Rows) -> Expr {
        let output = &rows.outputs[0];
        let member = Bound { expr: Expr::Column(output.position), traits: output.traits };
        let sides = sides(operand, &member);
        let types = [operand.traits.column_type, output.traits.column_type];
        let left = super::constant::fold(sides.left);
        let constant = matches!(left, Expr::Literal(_));
        let outer = key_side(left, types[0], types[1], false, sides.collation);
        let inner = key_side(sides.right, types[1], types[0], constant, sides.collation);
        let mut with_key = Rows {
            relation: Arc::clone(&rows.relation),
            width: rows.width,
            outputs: rows.outputs.clone(),
            key: Vec::new(),
            order: Vec::new(),
            page: super::rows::Page::default(),
            correlation: rows.correlation.clone(),
            outer: Vec::new(),
            of_nothing: None,
            nested: Vec::new(),
        };
        let column = match inner {
            Expr::Column(column) => column,
            computed => {
                let columns = (0..rows.width).map(Expr::Column).chain([computed]).collect();
                with_key.relation = map(&rows.relation, rows.width, columns);
                with_key.width += 1;
                rows.width
            }
        };
        let (found, _) = self.count(&with_key, vec![(outer, column)], Vec::new());
        is_null(Expr::Column(found[0]), true)
    }

    /// `… [NOT] IN (SELECT …)` with SQL's rules of null.
    pub(super) fn in_subquery(
        &mut self,
        operand: &ast::Expr,
        subquery: &ast::Query,
        negated: bool,
        place: Place,
    ) -> Outcome<Bound> {
        let operand = self.bind(operand)?;
        let rows = self.in_rows(subquery, place)?;
        let found = self.matches(&operand, &rows);
        let output = &rows.outputs[0];
        let nullable = operand.traits.nullable || output.traits.nullable;
        let mut truth = if nullable {
            let (counts, correlated) = self.count(&rows, Vec::new(), vec![output.position]);
            let (all_rows, known) = (Expr::Column(counts[0]), Expr::Column(counts[1]));
            let empty = not(exists_of(counts[0], correlated));
            let has_null = Expr::Compare {
                op: CompareOp::Gt,
                left: Box::new(all_rows),
                right: Box::new(known),
                collation: Collation::Binary,
            };
            let unknown = Expr::Or(vec![is_null(operand.expr, false), has_null]);
            Expr::Case {
                whens: vec![(empty, integer(0)), (found, integer(1)), (unknown, null())],
                otherwise: Some(Box::new(integer(0))),
            }
        } else {
            found
        };
        if !rows.outer.is_empty() {
            truth = case(all(rows.outer.clone()), truth, integer(0));
        }
        Ok(Bound::truth(if negated { not(truth) } else { truth }, nullable))
    }
}

/// Whether a condition on the row around is never null.
fn rows_are_certain(condition: &Expr) -> bool {
    matches!(condition, Expr::Is { .. } | Expr::Compare { .. } | Expr::Literal(_))
}

/// Whether there are rows, from their number.
fn exists_of(count: usize, correlated: bool) -> Expr {
    if correlated {
        return is_null(Expr::Column(count), true);
    }
    let (left, right) = (Box::new(Expr::Column(count)), Box::new(integer(0)));
    Expr::Compare { op: CompareOp::Gt, left, right, collation: Collation::Binary }
}

fn one_output(rows: &Rows, what: &str, place: Place) -> Outcome<Traits> {
    match rows.outputs.as_slice() {
        [output] => Ok(output.traits),
        outputs => place.refuse(format!("{what} has one column; this one has {}", outputs.len())),
    }
}

impl Rows {
    /// Whether an aggregate without groups may be left out by HAVING.
    fn has_having(&self) -> bool {
        let mut relation = &*self.relation;
        loop {
            match relation {
                Relation::Map { input, .. } | Relation::Top { input, .. } => relation = input,
                Relation::Filter { .. } => return self.of_nothing.is_some(),
                Relation::Join { left, .. } => relation = left,
                _ => return false,
            }
        }
    }
}
