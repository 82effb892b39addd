//! Expressions that are the same for every row.

use penstock_operators::expr::Expr;
use penstock_operators::row::Row;
use penstock_operators::value::{ColumnType, Value};

use super::slot::Uses;

/// The expression as a literal, if it is the same for every row.
pub(super) fn fold(expr: Expr) -> Expr {
    match value(&expr) {
        Some(value) => Expr::Literal(value),
        None => expr,
    }
}

/// The value of an expression that is the same for every row.
pub(super) fn value(expr: &Expr) -> Option<Value> {
    if let Expr::Literal(value) = expr {
        return Some(value.clone());
    }
    Uses::of(expr).is_constant().then(|| expr.eval(&Row::new(&[])))
}

/// A constant as a column of a type holds it, for look-ups by key.
pub(super) fn stored(value: Value, column_type: ColumnType) -> Value {
    match (column_type, &value) {
        (ColumnType::Boolean, Value::Int(_) | Value::Float(_)) if value == Value::Int(0) => {
            Value::Bool(false)
        }
        (ColumnType::Boolean, Value::Int(_) | Value::Float(_)) if value == Value::Int(1) => {
            Value::Bool(true)
        }
        _ => value,
    }
}
