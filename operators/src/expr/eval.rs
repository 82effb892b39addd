//! The value of an expression for a row.

use std::cmp::Ordering;

use super::datum::Datum;
use super::{BinaryOp, Collation, Expr, Function, MatchKind, UnaryOp, builtin, pattern};
use crate::key::{Direction, KeyBuffer, encode_raw};
use crate::row::Row;
use crate::value::Value;

impl Expr {
    /// The value for a row. Of a text that is not UTF-8 (a cast blob, say) and where SQLite
    /// raises an error it is null. A column or a constant as the whole expression is given as it
    /// is; otherwise there are no booleans and no JSON.
    ///
    /// # Panics
    ///
    /// If the row has fewer columns than the expression reads.
    pub fn eval(&self, row: &Row) -> Value {
        match self {
            Expr::Column(column) => row.get(*column).to_owned(),
            Expr::Literal(value) => value.clone(),
            other => other.datum(row).into_value(),
        }
    }

    /// The value for a row as a condition: `None` where it is null. Numbers other than 0 are
    /// true, and so is what begins like one. Comparisons of columns and constants do not
    /// allocate.
    ///
    /// # Panics
    ///
    /// As [`eval`](Expr::eval).
    pub fn truth(&self, row: &Row) -> Option<bool> {
        match self {
            Expr::Compare { op, left, right, collation } => {
                let order = left.datum(row).compare(&right.datum(row), *collation)?;
                Some(op.holds(order))
            }
            Expr::Is { left, right, negated, collation } => {
                Some(same(&left.datum(row), &right.datum(row), *collation) != *negated)
            }
            Expr::And(all) => first(all, row, false),
            Expr::Or(any) => first(any, row, true),
            Expr::Not(operand) => operand.truth(row).map(|truth| !truth),
            Expr::In { operand, list, negated, collation } => {
                let found = member(&operand.datum(row), list, row, *collation)?;
                Some(found != *negated)
            }
            Expr::Match { kind, operand, pattern, escape, negated } => {
                let escape = escape.as_ref().map(|escape| escape.datum(row));
                let (text, pattern) = (operand.datum(row), pattern.datum(row));
                Some(matches(*kind, &text, &pattern, escape.as_ref())? != *negated)
            }
            other => other.datum(row).truth(),
        }
    }

    /// Whether it is true for a row; not where it is null.
    ///
    /// # Panics
    ///
    /// As [`eval`](Expr::eval).
    #[inline]
    pub fn holds(&self, row: &Row) -> bool {
        self.truth(row) == Some(true)
    }

    /// Appends the value for a row as a key: of two values by which expressions are compared under
    /// a collation, the lesser has the lesser key, and equal ones have equal keys. Null comes
    /// before all.
    pub(crate) fn write_key(&self, row: &Row, collation: Collation, key: &mut KeyBuffer) {
        let datum = match self.datum(row) {
            Datum::Text(text) => Datum::Text(collation.fold(text)),
            other => other,
        };
        encode_raw(key, datum.raw(), Direction::Asc);
    }

    pub(super) fn datum<'a>(&'a self, row: &'a Row) -> Datum<'a> {
        match self {
            Expr::Column(column) => row.get_raw(*column).into(),
            Expr::Literal(value) => value.as_ref().raw().into(),
            Expr::Unary { op, operand } => unary(*op, operand.datum(row)),
            Expr::Binary { op, left, right } => binary(*op, left.datum(row), right.datum(row)),
            Expr::Compare { .. }
            | Expr::Is { .. }
            | Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::In { .. }
            | Expr::Match { .. } => self.truth(row).into(),
            Expr::Case { whens, otherwise } => {
                let when = whens.iter().find(|(condition, _)| condition.holds(row));
                match when.map(|(_, value)| value).or(otherwise.as_deref()) {
                    Some(value) => value.datum(row),
                    None => Datum::Null,
                }
            }
            Expr::Cast { operand, to } => operand.datum(row).cast(*to),
            Expr::Affinity { operand, affinity } => operand.datum(row).with_affinity(*affinity),
            Expr::Fold { operand, collation } => match operand.datum(row) {
                Datum::Text(text) => Datum::Text(collation.fold(text)),
                other => other,
            },
            Expr::Call { function, arguments } => match function {
                Function::Builtin(builtin) => {
                    builtin::call(*builtin, Collation::Binary, arguments, row)
                }
                Function::Collated(builtin, collation) => {
                    builtin::call(*builtin, *collation, arguments, row)
                }
                Function::Host(host) => {
                    let mut values = Vec::with_capacity(arguments.len());
                    for argument in arguments {
                        let datum = argument.datum(row);
                        let null = datum.is_null();
                        let value = datum.into_value();
                        if value.is_null() && !null {
                            // A text that no value can hold.
                            return Datum::Null;
                        }
                        values.push(value);
                    }
                    owned(host.call(&values))
                }
            },
        }
    }
}

/// The three-valued AND (for `decisive` false) or OR (for true).
fn first(parts: &[Expr], row: &Row, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match part.truth(row) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// Equality where null equals null.
pub(super) fn same(left: &Datum<'_>, right: &Datum<'_>, collation: Collation) -> bool {
    match left.compare(right, collation) {
        Some(order) => order.is_eq(),
        None => left.is_null() && right.is_null(),
    }
}

fn member(operand: &Datum<'_>, list: &[Expr], row: &Row, collation: Collation) -> Option<bool> {
    let mut found = Some(false);
    for member in list {
        match operand.compare(&member.datum(row), collation) {
            Some(Ordering::Equal) => return Some(true),
            Some(_) => {}
            None => found = None,
        }
    }
    found
}

fn matches(
    kind: MatchKind,
    text: &Datum<'_>,
    pattern: &Datum<'_>,
    escape: Option<&Datum<'_>>,
) -> Option<bool> {
    let escape = match escape {
        Some(escape) => Some(pattern::escape_char(&escape.to_text()?)?),
        None => None,
    };
    let (text, pattern) = (text.to_text()?, pattern.to_text()?);
    (pattern.len() <= pattern::PATTERN_BYTES_MAX)
        .then(|| pattern::matches(kind, &text, &pattern, escape))
}

fn unary(op: UnaryOp, operand: Datum<'_>) -> Datum<'_> {
    match op {
        UnaryOp::Plus => operand,
        UnaryOp::BitNot if operand.is_null() => Datum::Null,
        UnaryOp::BitNot => Datum::Int(!operand.to_integer()),
        UnaryOp::Negate => arithmetic(BinaryOp::Subtract, &Datum::Int(0), &operand),
    }
}

fn binary<'a>(op: BinaryOp, left: Datum<'a>, right: Datum<'a>) -> Datum<'a> {
    match op {
        BinaryOp::Concat => match (left.into_text(), right.into_text()) {
            (Some(left), Some(right)) => {
                let mut text = left.into_owned();
                text.extend_from_slice(&right);
                Datum::text(text)
            }
            _ => Datum::Null,
        },
        BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
            if left.is_null() || right.is_null() {
                return Datum::Null;
            }
            let (left, right) = (left.to_integer(), right.to_integer());
            Datum::Int(match op {
                BinaryOp::BitAnd => left & right,
                BinaryOp::BitOr => left | right,
                BinaryOp::ShiftLeft => shift_left(left, right),
                _ => shift_left(left, right.saturating_neg()),
            })
        }
        _ => arithmetic(op, &left, &right),
    }
}

/// Shifts left, or right by a negative count, which keeps the sign.
fn shift_left(value: i64, count: i64) -> i64 {
    match count {
        64.. => 0,
        0..64 => value << count,
        -63..0 => value >> -count,
        _ => value >> 63,
    }
}

fn arithmetic(op: BinaryOp, left: &Datum<'_>, right: &Datum<'_>) -> Datum<'static> {
    let (a, b) = match (left.to_number(), right.to_number()) {
        (Datum::Null, _) | (_, Datum::Null) => return Datum::Null,
        (Datum::Int(a), Datum::Int(b)) => {
            let exact = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Subtract => a.checked_sub(b),
                BinaryOp::Multiply => a.checked_mul(b),
                _ if b == 0 => return Datum::Null,
                BinaryOp::Divide => a.checked_div(b),
                _ => Some(a.wrapping_rem(b)),
            };
            match exact {
                Some(value) => return Datum::Int(value),
                // What overflows is done again with doubles.
                None => (left.to_double(), right.to_double()),
            }
        }
        _ => (left.to_double(), right.to_double()),
    };
    match op {
        BinaryOp::Add => Datum::float(a + b),
        BinaryOp::Subtract => Datum::float(a - b),
        BinaryOp::Multiply => Datum::float(a * b),
        BinaryOp::Divide if b == 0.0 => Datum::Null,
        BinaryOp::Divide => Datum::float(a / b),
        _ => match right.to_integer() {
            0 => Datum::Null,
            divisor => Datum::Float(left.to_integer().wrapping_rem(divisor) as f64),
        },
    }
}

/// A value of a function as SQLite would hand it on.
fn owned(value: Value) -> Datum<'static> {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(value) => Datum::Int(value.into()),
        Value::Int(value) => Datum::Int(value),
        Value::Float(value) => Datum::float(value),
        Value::Text(text) | Value::Json(text) => Datum::text(text.as_bytes()),
        Value::Blob(bytes) => Datum::Blob(bytes.to_vec().into()),
    }
}
