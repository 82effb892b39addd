//! Bound expressions: what they compute, and what SQL wants to know of them besides.

use penstock_operators::expr::{Affinity, Collation, Expr};
use penstock_operators::predicate::CompareOp;
use penstock_operators::value::{ColumnType, Value};

use super::slot::Slot;

/// What SQL knows of a column or an expression besides its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// The type of its values where that is certain, otherwise [`ColumnType::Any`].
    pub(super) column_type: ColumnType,
    /// Whether it may be null.
    pub(super) nullable: bool,
    /// The affinity of a column or a cast; other expressions have none.
    pub(super) affinity: Option<Affinity>,
    /// The collation of a column, or the one stated.
    pub(super) collation: Option<Collation>,
    /// Whether the collation is one stated by COLLATE, which goes before those of columns.
    pub(super) explicit: bool,
}

/// An expression with its traits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) expr: Expr,
    pub(super) traits: Traits,
}

impl Traits {
    /// Those of an expression of a type.
    pub(super) fn of(column_type: ColumnType, nullable: bool) -> Traits {
        Traits { column_type, nullable, affinity: None, collation: None, explicit: false }
    }

    /// How its texts are ordered and grouped.
    pub(super) fn collation(&self) -> Collation {
        self.collation.unwrap_or_default()
    }
}

impl Bound {
    pub(super) fn new(expr: Expr, column_type: ColumnType, nullable: bool) -> Bound {
        Bound { expr, traits: Traits::of(column_type, nullable) }
    }

    /// A constant. Booleans are integers in SQL, and JSON is text.
    pub(super) fn literal(value: Value) -> Bound {
        let value = match value {
            Value::Bool(value) => Value::Int(value.into()),
            Value::Json(text) => Value::Text(text),
            other => other,
        };
        let column_type = match &value {
            Value::Int(_) => ColumnType::Integer,
            Value::Float(_) => ColumnType::Real,
            Value::Text(_) => ColumnType::Text,
            Value::Blob(_) => ColumnType::Blob,
            _ => ColumnType::Any,
        };
        let nullable = value.is_null();
        Bound::new(Expr::Literal(value), column_type, nullable)
    }

    pub(super) fn slot(slot: Slot, traits: Traits) -> Bound {
        Bound { expr: Expr::Column(slot.number()), traits }
    }

    /// The truth of a condition: an integer.
    pub(super) fn truth(expr: Expr, nullable: bool) -> Bound {
        Bound::new(expr, ColumnType::Integer, nullable)
    }

    /// A value that is equal and sorts by its encoded key as the expression does in SQL.
    pub(super) fn key(self) -> Expr {
        let Bound { expr, traits } = self;
        let expr = if traits.column_type == ColumnType::Json { plain(expr) } else { expr };
        match traits.collation() {
            Collation::Binary => expr,
            collation => Expr::Fold { operand: Box::new(expr), collation },
        }
    }
}

/// The expression as an operand: booleans as integers, JSON as text.
pub(super) fn plain(expr: Expr) -> Expr {
    use penstock_operators::expr::UnaryOp;
    Expr::Unary { op: UnaryOp::Plus, operand: Box::new(expr) }
}

pub(super) fn null() -> Expr {
    Expr::Literal(Value::Null)
}

pub(super) fn integer(value: i64) -> Expr {
    Expr::Literal(Value::Int(value))
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

/// `expr IS NULL`, or `IS NOT NULL`.
pub(super) fn is_null(expr: Expr, negated: bool) -> Expr {
    let (left, right) = (Box::new(expr), Box::new(null()));
    Expr::Is { left, right, negated, collation: Collation::Binary }
}

/// A conjunction; of one condition the condition.
pub(super) fn all(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) }
}

/// The value where a condition is true, otherwise another.
pub(super) fn case(condition: Expr, value: Expr, otherwise: Expr) -> Expr {
    Expr::Case { whens: vec![(condition, value)], otherwise: Some(Box::new(otherwise)) }
}

/// Two sides as they are compared, with the collation by which they are.
pub(super) struct Sides {
    pub(super) left: Expr,
    pub(super) right: Expr,
    pub(super) collation: Collation,
}

/// Makes two sides ready to be compared: SQLite's rules of affinity and collation.
pub(super) fn sides(left: &Bound, right: &Bound) -> Sides {
    let collation = if left.traits.explicit {
        left.traits.collation
    } else if right.traits.explicit {
        right.traits.collation
    } else {
        left.traits.collation.or(right.traits.collation)
    };
    let affinity = comparison_affinity(left.traits.affinity, right.traits.affinity);
    Sides {
        left: converted(left, affinity),
        right: converted(right, affinity),
        collation: collation.unwrap_or_default(),
    }
}

pub(super) fn compare(op: CompareOp, left: &Bound, right: &Bound) -> Bound {
    let nullable = left.traits.nullable || right.traits.nullable;
    let Sides { left, right, collation } = sides(left, right);
    let (left, right) = (Box::new(left), Box::new(right));
    Bound::truth(Expr::Compare { op, left, right, collation }, nullable)
}

pub(super) fn is(left: &Bound, right: &Bound, negated: bool) -> Bound {
    let Sides { left, right, collation } = sides(left, right);
    let (left, right) = (Box::new(left), Box::new(right));
    Bound::truth(Expr::Is { left, right, negated, collation }, false)
}

/// The affinity that a comparison applies to its sides.
pub(super) fn comparison_affinity(
    left: Option<Affinity>,
    right: Option<Affinity>,
) -> Option<Affinity> {
    match (left, right) {
        (Some(left), Some(right)) => {
            (is_numeric(left) || is_numeric(right)).then_some(Affinity::Numeric)
        }
        (one, other) => match one.or(other) {
            Some(Affinity::Blob) | None => None,
            Some(Affinity::Text) => Some(Affinity::Text),
            Some(_) => Some(Affinity::Numeric),
        },
    }
}

pub(super) fn is_numeric(affinity: Affinity) -> bool {
    matches!(affinity, Affinity::Numeric | Affinity::Integer | Affinity::Real)
}

/// An expression with an affinity applied, where that could change it.
pub(super) fn converted(bound: &Bound, affinity: Option<Affinity>) -> Expr {
    let expr = bound.expr.clone();
    let Some(affinity) = affinity else { return expr };
    let keeps = match affinity {
        Affinity::Blob => true,
        Affinity::Text => bound.traits.affinity == Some(Affinity::Text),
        _ => bound.traits.affinity.is_some_and(is_numeric),
    };
    if keeps {
        return expr;
    }
    let converted = Expr::Affinity { operand: Box::new(expr), affinity };
    match &bound.expr {
        Expr::Literal(_) => super::constant::fold(converted),
        _ => converted,
    }
}
