//! Conditions cut at their ANDs, with what can be looked up by key told from what has to be tested.

use penstock_operators::expr::{Collation, Expr};
use penstock_operators::predicate::CompareOp;
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast;
use sqlparser::ast::BinaryOperator;

use super::apply::Apply;
use super::bind::Binder;
use super::bound::{Bound, Sides, plain, sides};
use super::constant;
use super::error::{Outcome, Place};
use super::slot::{Slot, Uses, for_each_slot};

/// One of several conditions that all have to be true.
#[derive(Clone, Debug)]
pub(super) struct Conjunct {
    pub(super) expr: Expr,
    /// The sides of an equality, made such that they are equal in SQL exactly where their encoded
    /// keys are equal and neither is null.
    pub(super) equal: Option<(Expr, Expr)>,
    pub(super) place: Place,
}

/// The operands of a chain of ANDs, in order.
pub(super) fn split(expr: &ast::Expr) -> Vec<&ast::Expr> {
    let mut parts = Vec::new();
    let mut rest = vec![expr];
    while let Some(expr) = rest.pop() {
        match expr {
            ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                rest.push(right);
                rest.push(left);
            }
            ast::Expr::Nested(inner) => rest.push(inner),
            other => parts.push(other),
        }
    }
    parts
}

impl Binder<'_> {
    /// The conjuncts of a condition.
    pub(super) fn conjuncts(&mut self, expr: &ast::Expr) -> Outcome<Vec<Conjunct>> {
        split(expr).into_iter().map(|part| self.conjunct(part)).collect()
    }

    fn conjunct(&mut self, expr: &ast::Expr) -> Outcome<Conjunct> {
        let place = self.place(expr);
        let bound = match expr {
            ast::Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let (left, right) = (self.bind(left)?, self.bind(right)?);
                return Ok(Conjunct::equality(&left, &right, place));
            }
            ast::Expr::InSubquery { expr, subquery, negated: false } => {
                self.in_subquery_truth(expr, subquery, place)?
            }
            other => self.bind(other)?.expr,
        };
        Ok(Conjunct { expr: bound, equal: None, place })
    }
}

impl Conjunct {
    pub(super) fn equality(left: &Bound, right: &Bound, place: Place) -> Conjunct {
        let Sides { left: first, right: second, collation } = sides(left, right);
        let types = [left.traits.column_type, right.traits.column_type];
        let expr = Expr::Compare {
            op: CompareOp::Eq,
            left: Box::new(first.clone()),
            right: Box::new(second.clone()),
            collation,
        };
        let constants = [&first, &second].map(|side| matches!(side, Expr::Literal(_)));
        let equal = (
            key_side(first, types[0], types[1], constants[1], collation),
            key_side(second, types[1], types[0], constants[0], collation),
        );
        Conjunct { expr, equal: Some(equal), place }
    }

    /// A column that has to equal a constant, with the constant as the column holds it.
    pub(super) fn constant(&self) -> Option<(usize, Value)> {
        let (left, right) = self.equal.as_ref()?;
        match (left, right) {
            (Expr::Column(slot), Expr::Literal(value))
            | (Expr::Literal(value), Expr::Column(slot))
                if !value.is_null() =>
            {
                Some((*slot, value.clone()))
            }
            _ => None,
        }
    }

    /// Calls with the expressions that it may be decided by.
    pub(super) fn for_each_expr(&self, visit: &mut dyn FnMut(&Expr)) {
        visit(&self.expr);
        if let Some((left, right)) = &self.equal {
            visit(left);
            visit(right);
        }
    }

    /// What it uses, with what the subqueries in it use.
    pub(super) fn uses(&self, applies: &[Apply]) -> Uses {
        deep_uses(&self.expr, applies)
    }
}

/// What an expression uses, with what the subqueries in it use.
pub(super) fn deep_uses(expr: &Expr, applies: &[Apply]) -> Uses {
    let mut uses = Uses::of(expr);
    for_each_slot(expr, &mut |slot| {
        let Slot::Subquery(number) = Slot::of(slot) else { return };
        let apply = applies.iter().find(|apply| apply.provides(number).is_some());
        for (outer, _) in apply.iter().flat_map(|apply| &apply.on) {
            let within = deep_uses(outer, applies);
            uses.outer |= within.outer;
            uses.aggregate |= within.aggregate;
        }
    });
    uses
}

/// One side of an equality as a key. A boolean compared with what is none is a number, JSON
/// compared with what is none is text; a constant becomes what the other side's column holds.
pub(super) fn key_side(
    expr: Expr,
    own: ColumnType,
    other: ColumnType,
    with_constant: bool,
    collation: Collation,
) -> Expr {
    let expr = match expr {
        Expr::Literal(value) => Expr::Literal(constant::stored(value, other)),
        expr if own == ColumnType::Boolean && with_constant => expr,
        expr if matches!(own, ColumnType::Boolean | ColumnType::Json) && own != other => {
            plain(expr)
        }
        expr => expr,
    };
    match collation {
        Collation::Binary => expr,
        collation => constant::fold(Expr::Fold { operand: Box::new(expr), collation }),
    }
}
