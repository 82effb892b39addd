//! Tests of a single row.
//!
//! Logic is two-valued: a test with a null operand is false, its negated form too, except for
//! [`Predicate::Is`] and within [`Predicate::Expr`]. Values of different kinds are never equal and have no order among each
//! other; integers and doubles are one kind.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::delta::ColumnSet;
use crate::expr::Expr;
use crate::like::LikePattern;
use crate::row::Row;
use crate::value::{RawValue, Value, ValueRef};

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl CompareOp {
    /// The operator that holds for two values of one kind where this one does not.
    #[must_use]
    pub fn negated(self) -> CompareOp {
        match self {
            CompareOp::Eq => CompareOp::Ne,
            CompareOp::Ne => CompareOp::Eq,
            CompareOp::Lt => CompareOp::Ge,
            CompareOp::Le => CompareOp::Gt,
            CompareOp::Gt => CompareOp::Le,
            CompareOp::Ge => CompareOp::Lt,
        }
    }

    /// The operator that means the same with the sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> CompareOp {
        match self {
            CompareOp::Eq | CompareOp::Ne => self,
            CompareOp::Lt => CompareOp::Gt,
            CompareOp::Le => CompareOp::Ge,
            CompareOp::Gt => CompareOp::Lt,
            CompareOp::Ge => CompareOp::Le,
        }
    }

    /// Whether it holds for two values in that order.
    #[inline]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            CompareOp::Eq => order.is_eq(),
            CompareOp::Ne => order.is_ne(),
            CompareOp::Lt => order.is_lt(),
            CompareOp::Le => order.is_le(),
            CompareOp::Gt => order.is_gt(),
            CompareOp::Ge => order.is_ge(),
        }
    }
}

/// One side of a test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The row's value in a column.
    Column(usize),
    /// A constant.
    Literal(Value),
}

impl Operand {
    #[inline]
    fn raw<'a>(&'a self, row: &'a Row) -> RawValue<'a> {
        match self {
            Operand::Column(column) => row.get_raw(*column),
            Operand::Literal(value) => value.as_ref().raw(),
        }
    }

    #[inline]
    fn value<'a>(&'a self, row: &'a Row) -> ValueRef<'a> {
        match self {
            Operand::Column(column) => row.get(*column),
            Operand::Literal(value) => value.as_ref(),
        }
    }

    fn column(&self) -> Option<usize> {
        match self {
            Operand::Column(column) => Some(*column),
            Operand::Literal(_) => None,
        }
    }
}

/// The values of an IN, sorted and without repeats. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueSet(Arc<[Value]>);

impl ValueSet {
    /// The set of these values. Nulls, which equal nothing, are left out. O(n log n).
    pub fn new(mut values: Vec<Value>) -> ValueSet {
        values.retain(|value| !value.is_null());
        values.sort_unstable();
        values.dedup();
        ValueSet(values.into())
    }

    /// The values in order.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some value of the set equals this one. O(log n).
    pub fn contains(&self, value: ValueRef<'_>) -> bool {
        self.contains_raw(value.raw())
    }

    #[inline]
    fn contains_raw(&self, value: RawValue<'_>) -> bool {
        self.0.binary_search_by(|member| member.as_ref().raw().total_order(value)).is_ok()
    }
}

/// A test of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// A comparison. Of values of different kinds only [`CompareOp::Ne`] holds.
    Compare {
        /// The left side.
        left: Operand,
        /// The operator.
        op: CompareOp,
        /// The right side.
        right: Operand,
    },
    /// Equality where null equals null.
    Is {
        /// The left side.
        left: Operand,
        /// The right side.
        right: Operand,
        /// IS NOT.
        negated: bool,
    },
    /// Membership in a set of constants.
    In {
        /// What is looked for.
        operand: Operand,
        /// The constants.
        set: ValueSet,
        /// NOT IN.
        negated: bool,
    },
    /// Whether a text matches a pattern. False, also where negated, for what is not text.
    Like {
        /// The text.
        operand: Operand,
        /// The pattern.
        pattern: LikePattern,
        /// NOT LIKE.
        negated: bool,
    },
    /// Whether an expression is true; unlike in the other tests logic is three-valued within it,
    /// and values of different kinds have the order that SQLite gives them.
    Expr(Arc<Expr>),
}

impl Predicate {
    /// Whether the row passes. No allocation, but for what an expression computes.
    ///
    /// # Panics
    ///
    /// If the row has fewer columns than the test reads.
    #[inline]
    pub fn matches(&self, row: &Row) -> bool {
        match self {
            Predicate::Compare { left, op, right } => compare(left.raw(row), *op, right.raw(row)),
            Predicate::Is { left, right, negated } => {
                let equal = left.raw(row).total_order(right.raw(row)).is_eq();
                equal != *negated
            }
            Predicate::In { operand, set, negated } => match operand.raw(row) {
                RawValue::Null => false,
                value => set.contains_raw(value) != *negated,
            },
            Predicate::Like { operand, pattern, negated } => match operand.value(row) {
                ValueRef::Text(text) => pattern.matches(text) != *negated,
                _ => false,
            },
            Predicate::Expr(expr) => expr.holds(row),
        }
    }

    /// The columns that the test reads.
    pub fn columns(&self) -> ColumnSet {
        let (left, right) = match self {
            Predicate::Compare { left, right, .. } | Predicate::Is { left, right, .. } => {
                (left, Some(right))
            }
            Predicate::In { operand, .. } | Predicate::Like { operand, .. } => (operand, None),
            Predicate::Expr(expr) => return expr.columns(),
        };
        left.column().into_iter().chain(right.and_then(Operand::column)).collect()
    }
}

#[inline]
fn compare(left: RawValue<'_>, op: CompareOp, right: RawValue<'_>) -> bool {
    match left.compare(right) {
        Some(order) => op.holds(order),
        None => {
            let null = matches!(left, RawValue::Null) || matches!(right, RawValue::Null);
            op == CompareOp::Ne && !null
        }
    }
}
