//! WHERE as the condition of a level: tests of its rows, and EXISTS over other tables as gates.

use std::sync::Arc;

use penstock_operators::expr::Expr;
use penstock_operators::plan::{Binding, Edge, Extent, LevelPlan};
use penstock_operators::predicate::{CompareOp, Operand, Predicate};
use penstock_operators::value::Value;
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

use super::Context;
use super::bind::{Aliases, Binder, Pending};
use super::bound::Bound;
use super::conjunct::Conjunct;
use super::direct::{scan, simple};
use super::error::{Outcome, Place};
use super::from;
use super::list;
use super::scope::Env;
use super::select::{Form, refuse_clauses};
use super::slot::{Slot, Uses};
use crate::query::draft::{Draft, GateBody};

/// Makes the condition of a level. Whatever cannot be one gives `None`.
pub(super) struct Tests<'t> {
    context: Context<'t>,
    env: Env<'t>,
    aliases: &'t Aliases<'t>,
    /// Whether equalities with the row around may lead to the rows.
    correlates: bool,
    /// The columns that lead to the rows, with what of the row around they equal.
    pub(super) correlation: Vec<(usize, Expr)>,
}

impl<'t> Tests<'t> {
    pub(super) fn new(
        context: Context<'t>,
        env: Env<'t>,
        aliases: &'t Aliases<'t>,
        correlates: bool,
    ) -> Tests<'t> {
        Tests { context, env, aliases, correlates, correlation: Vec::new() }
    }

    /// The condition of a level.
    pub(super) fn draft(&mut self, expr: &ast::Expr) -> Outcome<Option<Draft>> {
        let mut parts = Vec::new();
        for part in super::conjunct::split(expr) {
            if let ast::Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = part
                && self.correlates
                && self.correlated(left, right, part)?
            {
                continue;
            }
            match self.condition(part)? {
                Some(part) => parts.push(part),
                None => return Ok(None),
            }
        }
        Ok(Some(Draft::all(parts)))
    }

    /// Binds with a pending state of its own; `None` where that needs subqueries or aggregates.
    fn bind(&self, expr: &ast::Expr) -> Outcome<Option<Bound>> {
        let mut pending = Pending::default();
        let mut binder = self.binder(&mut pending);
        let bound = binder.bind(expr)?;
        Ok(pending.applies.is_empty().then_some(bound))
    }

    fn binder<'b>(&'b self, pending: &'b mut Pending) -> Binder<'b> {
        Binder {
            context: self.context,
            env: self.env,
            pending,
            no_aggregates: Some("WHERE"),
            aliases: self.aliases,
            at: self.context.at,
        }
    }

    /// Takes an equality of a column with the row around; whether it is one.
    fn correlated(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        whole: &ast::Expr,
    ) -> Outcome<bool> {
        let (Some(left), Some(right)) = (self.bind(left)?, self.bind(right)?) else {
            return Ok(false);
        };
        let place = Place::of(whole).or(self.context.at);
        let Some((left, right)) = Conjunct::equality(&left, &right, place).equal else {
            return Ok(false);
        };
        for (inner, outer) in [(&left, &right), (&right, &left)] {
            let uses = Uses::of(outer);
            if let Expr::Column(slot) = inner
                && let Slot::From(column) = Slot::of(*slot)
                && uses.outer
                && !uses.inner
            {
                let outer = super::slot::map_slots(outer, &mut |slot| match Slot::of(slot) {
                    Slot::Outer(slot) => slot,
                    other => other.number(),
                });
                self.correlation.push((column, outer));
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn condition(&mut self, expr: &ast::Expr) -> Outcome<Option<Draft>> {
        match expr {
            ast::Expr::Nested(inner) => self.condition(inner),
            ast::Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                self.parts(&super::conjunct::split(expr), true)
            }
            ast::Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                let mut operands = vec![&**right];
                let mut rest = &**left;
                while let ast::Expr::BinaryOp { left, op: BinaryOperator::Or, right } = rest {
                    operands.push(right);
                    rest = left;
                }
                operands.push(rest);
                operands.reverse();
                if operands.iter().any(|operand| has_gate(operand)) {
                    self.parts(&operands, false)
                } else {
                    self.test(expr)
                }
            }
            ast::Expr::Exists { subquery, negated } => self.gate(subquery, None, *negated),
            ast::Expr::UnaryOp { op: UnaryOperator::Not, expr: operand } => {
                match without_parentheses(operand) {
                    ast::Expr::Exists { subquery, negated } => self.gate(subquery, None, !negated),
                    _ => self.test(expr),
                }
            }
            ast::Expr::InSubquery { expr, subquery, negated: false } => {
                self.gate(subquery, Some(expr), false)
            }
            ast::Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let (Some(left), Some(right)) = (self.bind(left)?, self.bind(right)?) else {
                    return Ok(None);
                };
                let conjunct = Conjunct::equality(&left, &right, self.context.at);
                match conjunct.constant() {
                    Some((slot, value)) if Slot::of(slot) == Slot::From(slot) => {
                        Ok(Some(Draft::Test(Predicate::Compare {
                            left: Operand::Column(slot),
                            op: CompareOp::Eq,
                            right: Operand::Literal(value),
                        })))
                    }
                    _ => Ok(self.row_test(conjunct.expr)),
                }
            }
            _ => self.test(expr),
        }
    }

    fn parts(&mut self, parts: &[&ast::Expr], all: bool) -> Outcome<Option<Draft>> {
        let mut drafts = Vec::with_capacity(parts.len());
        for part in parts {
            match self.condition(part)? {
                Some(draft) => drafts.push(draft),
                None => return Ok(None),
            }
        }
        Ok(Some(if all { Draft::all(drafts) } else { Draft::any(drafts) }))
    }

    /// A test of a row alone.
    fn test(&mut self, expr: &ast::Expr) -> Outcome<Option<Draft>> {
        Ok(match self.bind(expr)? {
            Some(bound) => self.row_test(bound.expr),
            None => None,
        })
    }

    fn row_test(&self, expr: Expr) -> Option<Draft> {
        let uses = Uses::of(&expr);
        if uses.outer || uses.subquery {
            return None;
        }
        if uses.is_constant() {
            return Some(Draft::Always(expr.holds(&penstock_operators::row::Row::new(&[]))));
        }
        Some(Draft::Test(match expr {
            Expr::Is { left, right, negated, .. }
                if matches!(*left, Expr::Column(_)) && *right == super::bound::null() =>
            {
                let Expr::Column(column) = *left else { return None };
                let (left, right) = (Operand::Column(column), Operand::Literal(Value::Null));
                Predicate::Is { left, right, negated }
            }
            expr => Predicate::Expr(Arc::new(expr)),
        }))
    }

    /// The gate of an EXISTS or, with an operand, of an IN.
    fn gate(
        &mut self,
        subquery: &ast::Query,
        operand: Option<&ast::Expr>,
        negated: bool,
    ) -> Outcome<Option<Draft>> {
        let around = self.env;
        let context = Context { outer: Some(&around), ..self.context };
        let Some((select, table)) = simple(context, subquery) else { return Ok(None) };
        if subquery.limit_clause.is_some() || subquery.fetch.is_some() {
            return Ok(None);
        }
        let at = Place::start(select.select_token.0.span);
        let context = Context { at, ..context };
        refuse_clauses(select, at)?;
        let from = from::read(context, &select.from, at)?;
        let env = Env { scope: &from.scope, outer: Some(&around) };
        let items = list::read(context, env, select, at)?;
        let mut pending = Pending::default();
        let mut binder =
            Binder { context, env, pending: &mut pending, no_aggregates: None, aliases: &[], at };
        let list = list::bind(&mut binder, &items.items, Form::Subquery)?;
        if !pending.aggregates.is_empty() || !pending.applies.is_empty() {
            return Ok(None);
        }
        let mut tests = Tests::new(context, env, &items.aliases, true);
        let draft = match &select.selection {
            Some(condition) => match tests.draft(condition)? {
                Some(draft) => draft,
                None => return Ok(None),
            },
            None => Draft::Always(true),
        };
        let mut correlation = std::mem::take(&mut tests.correlation);
        if let Some(operand) = operand {
            let [(_, member)] = list.outputs.as_slice() else { return Ok(None) };
            let Some(operand) = self.bind(operand)? else { return Ok(None) };
            let Some((Expr::Column(outer), Expr::Column(inner))) =
                Conjunct::equality(&operand, member, at).equal
            else {
                return Ok(None);
            };
            if !matches!(Slot::of(inner), Slot::From(_)) || Uses::of(&member.expr).outer {
                return Ok(None);
            }
            correlation.push((inner, Expr::Column(outer)));
        }
        let mut columns = Vec::with_capacity(correlation.len());
        let mut partition = Vec::with_capacity(correlation.len());
        for (inner, outer) in correlation {
            match outer {
                Expr::Column(slot) if matches!(Slot::of(slot), Slot::From(_)) => columns.push(slot),
                _ => return Ok(None),
            }
            partition.push(inner);
        }
        if columns.is_empty() {
            return Ok(None);
        }
        if matches!(draft, Draft::Always(false)) {
            return Ok(Some(Draft::Always(negated)));
        }
        let (input, constants, children) = scan(context, table, partition, draft);
        let order = context.planner.schema.table(table).primary_key_spec().clone();
        let child = LevelPlan { table, input, order, related: Vec::new() };
        let extent = Extent { limit: Some(1), ..Extent::default() };
        let binding = Arc::new(Binding { constants, extent, children });
        let body = Box::new(GateBody { edge: Edge { columns, child, private: false }, binding });
        Ok(Some(Draft::Gate { body, negated }))
    }
}

fn without_parentheses(expr: &ast::Expr) -> &ast::Expr {
    match expr {
        ast::Expr::Nested(inner) => without_parentheses(inner),
        other => other,
    }
}

/// Whether there is a subquery where it could be a gate.
fn has_gate(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Nested(inner) => has_gate(inner),
        ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } => has_gate(expr),
        ast::Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            has_gate(left) || has_gate(right)
        }
        ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => true,
        _ => false,
    }
}
