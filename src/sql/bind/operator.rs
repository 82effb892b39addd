//! Operators with one and two operands, and the constructs that are refused.

use penstock_operators::expr::{BinaryOp, Expr, MatchKind, UnaryOp};
use penstock_operators::predicate::CompareOp;
use penstock_operators::value::{ColumnType, Value};
use sqlparser::ast;
use sqlparser::ast::BinaryOperator as Sign;

use super::super::bound::{Bound, compare, not};
use super::super::error::{Outcome, Place};
use super::Binder;
use super::literal::number;

impl Binder<'_> {
    pub(super) fn unary(
        &mut self,
        op: ast::UnaryOperator,
        operand: &ast::Expr,
        place: Place,
    ) -> Outcome<Bound> {
        if op == ast::UnaryOperator::Minus
            && let ast::Expr::Value(value) = operand
            && let ast::Value::Number(digits, _) = &value.value
        {
            return Ok(Bound::literal(number(digits, true)));
        }
        let bound = self.bind(operand)?;
        let nullable = bound.traits.nullable;
        let op = match op {
            ast::UnaryOperator::Not => return Ok(Bound::truth(not(bound.expr), nullable)),
            ast::UnaryOperator::Minus => UnaryOp::Negate,
            ast::UnaryOperator::Plus => {
                // It takes away the affinity, but not the collation.
                let mut plain = bound.clone();
                plain.traits.affinity = None;
                plain.traits.column_type = super::common_type([bound.traits.column_type]);
                plain.expr = Expr::Unary { op: UnaryOp::Plus, operand: Box::new(bound.expr) };
                return Ok(plain);
            }
            ast::UnaryOperator::BitwiseNot => UnaryOp::BitNot,
            other => return place.refuse(format!("{other} is not an operator of SQLite")),
        };
        let column_type = if op == UnaryOp::BitNot { ColumnType::Integer } else { ColumnType::Any };
        let mut result =
            Bound::new(Expr::Unary { op, operand: Box::new(bound.expr) }, column_type, nullable);
        if bound.traits.explicit {
            (result.traits.collation, result.traits.explicit) = (bound.traits.collation, true);
        }
        Ok(result)
    }

    /// Operators with two operands. Their chains, which nest to the left, may be long.
    pub(super) fn binary(
        &mut self,
        left: &ast::Expr,
        op: &Sign,
        right: &ast::Expr,
        place: Place,
    ) -> Outcome<Bound> {
        let mut chain = vec![(op, right)];
        let mut first = left;
        while let ast::Expr::BinaryOp { left, op, right } = first
            && !matches!(op, Sign::And | Sign::Or)
            && !is_special(chain[chain.len() - 1].0)
        {
            chain.push((op, right));
            first = left;
        }
        let Some((op, right)) = chain.pop() else { return self.bind(first) };
        let mut bound = self.pair(first, op, right, place)?;
        for (op, right) in chain.into_iter().rev() {
            let right = self.bind(right)?;
            bound = operation(bound, op, right, place)?;
        }
        Ok(bound)
    }

    fn pair(
        &mut self,
        left: &ast::Expr,
        op: &Sign,
        right: &ast::Expr,
        place: Place,
    ) -> Outcome<Bound> {
        match op {
            Sign::And | Sign::Or => self.logic(left, op, right),
            Sign::Glob => self.pattern(MatchKind::Glob, left, right, None, false),
            Sign::Arrow => self.scalar_function("->", &[left, right], place),
            Sign::LongArrow => self.scalar_function("->>", &[left, right], place),
            _ => {
                let (left, right) = (self.bind(left)?, self.bind(right)?);
                operation(left, op, right, place)
            }
        }
    }

    /// AND and OR, whose chains may be long: they nest to the left.
    fn logic(&mut self, left: &ast::Expr, op: &Sign, right: &ast::Expr) -> Outcome<Bound> {
        let mut operands = vec![right];
        let mut rest = left;
        while let ast::Expr::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            operands.push(right);
            rest = left;
        }
        operands.push(rest);
        let mut parts = Vec::with_capacity(operands.len());
        let mut nullable = false;
        for operand in operands.into_iter().rev() {
            let bound = self.bind(operand)?;
            nullable |= bound.traits.nullable;
            parts.push(bound.expr);
        }
        let expr = if *op == Sign::And { Expr::And(parts) } else { Expr::Or(parts) };
        Ok(Bound::truth(expr, nullable))
    }

    /// The error of a construct that is not supported.
    pub(super) fn refused(&self, expr: &ast::Expr, place: Place) -> Outcome<Bound> {
        let problem = match expr {
            ast::Expr::Tuple(_) => "row values are not supported; compare the columns one by one",
            ast::Expr::ILike { .. } => {
                "ILIKE is not of SQLite; its LIKE ignores the case of ASCII letters"
            }
            ast::Expr::Like { .. } => "LIKE ANY is not of SQLite; combine several LIKE with OR",
            ast::Expr::SimilarTo { .. } | ast::Expr::RLike { .. } => {
                "regular expressions are not supported in live queries; use LIKE or GLOB"
            }
            ast::Expr::Extract { .. } => "EXTRACT is not of SQLite; use strftime",
            ast::Expr::Position { .. } => "POSITION is not of SQLite; use instr",
            ast::Expr::Overlay { .. } => "OVERLAY is not of SQLite; use substr and ||",
            ast::Expr::Trim { .. } => "TRIM(… FROM …) is not of SQLite; use trim, ltrim or rtrim",
            ast::Expr::Convert { .. } | ast::Expr::Cast { .. } => {
                "conversions are written CAST(value AS type)"
            }
            ast::Expr::TypedString(_) => {
                "typed literals are not of SQLite; write the text alone, as in '2026-01-31'"
            }
            ast::Expr::Interval(_) => {
                "INTERVAL is not of SQLite; use the modifiers of date functions, as in '+1 day'"
            }
            ast::Expr::AnyOp { .. } | ast::Expr::AllOp { .. } => {
                "ANY and ALL are not of SQLite; use IN, EXISTS, or min and max in a subquery"
            }
            ast::Expr::Array(_) => "array literals are not supported; use IN with a list",
            ast::Expr::IsUnknown(_) | ast::Expr::IsNotUnknown(_) => {
                "IS UNKNOWN is not of SQLite; use IS NULL"
            }
            _ => return place.refuse(format!("{expr} is not an expression of SQLite")),
        };
        place.refuse(problem)
    }
}

/// Whether an operator is more than an operation on two bound operands.
fn is_special(op: &Sign) -> bool {
    matches!(op, Sign::And | Sign::Or | Sign::Glob | Sign::Arrow | Sign::LongArrow)
}

/// A comparison, or an operation on numbers, bits or texts.
fn operation(left: Bound, op: &Sign, right: Bound, place: Place) -> Outcome<Bound> {
    let comparison = match op {
        Sign::Eq => Some(CompareOp::Eq),
        Sign::NotEq => Some(CompareOp::Ne),
        Sign::Lt => Some(CompareOp::Lt),
        Sign::LtEq => Some(CompareOp::Le),
        Sign::Gt => Some(CompareOp::Gt),
        Sign::GtEq => Some(CompareOp::Ge),
        _ => None,
    };
    if let Some(op) = comparison {
        return Ok(compare(op, &left, &right));
    }
    let (op, column_type) = match op {
        Sign::Plus => (BinaryOp::Add, ColumnType::Any),
        Sign::Minus => (BinaryOp::Subtract, ColumnType::Any),
        Sign::Multiply => (BinaryOp::Multiply, ColumnType::Any),
        Sign::Divide => (BinaryOp::Divide, ColumnType::Any),
        Sign::Modulo => (BinaryOp::Remainder, ColumnType::Any),
        Sign::StringConcat => (BinaryOp::Concat, ColumnType::Text),
        Sign::BitwiseAnd => (BinaryOp::BitAnd, ColumnType::Integer),
        Sign::BitwiseOr => (BinaryOp::BitOr, ColumnType::Integer),
        Sign::PGBitwiseShiftLeft => (BinaryOp::ShiftLeft, ColumnType::Integer),
        Sign::PGBitwiseShiftRight => (BinaryOp::ShiftRight, ColumnType::Integer),
        Sign::Match | Sign::Regexp => {
            return place
                .refuse(format!("{op} is not supported in live queries; use LIKE or GLOB"));
        }
        other => return place.refuse(format!("{other} is not an operator of SQLite")),
    };
    // Numbers may overflow and divisors be zero, so arithmetic may be null in any case.
    let nullable = column_type == ColumnType::Any || left.traits.nullable || right.traits.nullable;
    let stated = [&left, &right].into_iter().find(|side| side.traits.explicit);
    let stated = stated.map(|side| side.traits.collation);
    let expr = Expr::Binary { op, left: Box::new(left.expr), right: Box::new(right.expr) };
    let mut bound = Bound::new(expr, column_type, nullable);
    if let Some(collation) = stated {
        (bound.traits.collation, bound.traits.explicit) = (collation, true);
    }
    Ok(bound)
}

/// A literal that stands for a place in the SELECT list, as in `ORDER BY 2`.
pub(in crate::sql) fn ordinal(expr: &ast::Expr) -> Option<i64> {
    match expr {
        ast::Expr::Nested(inner) => ordinal(inner),
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(digits, _) => match number(digits, false) {
                Value::Int(ordinal) => Some(ordinal),
                _ => None,
            },
            _ => None,
        },
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Plus, expr } => ordinal(expr),
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => ordinal(expr).map(|n| -n),
        _ => None,
    }
}
