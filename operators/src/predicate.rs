//! Predicates: tests of one row.
//!
//! They are two-valued: a null operand makes every test but `Is` false, the negated ones too.
//! Values of different kinds are never equal and have no order.

use std::cmp::Ordering;

use crate::delta::ColumnSet;
use crate::like::LikePattern;
use crate::row::Row;
use crate::value::{Value, ValueRef};

/// A comparison.
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
    /// The comparison that holds for two values of one kind where this does not.
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

    /// The comparison with its sides exchanged.
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

    #[inline]
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            CompareOp::Eq => ordering.is_eq(),
            CompareOp::Ne => ordering.is_ne(),
            CompareOp::Lt => ordering.is_lt(),
            CompareOp::Le => ordering.is_le(),
            CompareOp::Gt => ordering.is_gt(),
            CompareOp::Ge => ordering.is_ge(),
        }
    }
}

/// One side of a test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The value of a column.
    Column(usize),
    /// A constant.
    Literal(Value),
}

impl Operand {
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

/// A set of constants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValueSet(Box<[Value]>);

impl ValueSet {
    /// The set of these values; nulls match nothing.
    pub fn new(mut values: Vec<Value>) -> ValueSet {
        values.sort();
        values.dedup();
        ValueSet(values.into())
    }

    /// Whether a value is in the set. Cost: O(log n).
    pub fn contains(&self, value: ValueRef<'_>) -> bool {
        self.0.binary_search_by(|other| other.as_ref().cmp(&value)).is_ok()
    }

    /// The values in order.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A test of one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Whether two values compare in some way; false where either is null.
    Compare {
        /// The left side.
        left: Operand,
        /// The comparison.
        op: CompareOp,
        /// The right side.
        right: Operand,
    },
    /// Whether two values are the same, null being the same as null.
    Is {
        /// The left side.
        left: Operand,
        /// The right side.
        right: Operand,
        /// IS NOT.
        negated: bool,
    },
    /// Whether a value is in a set; false for null, also where negated.
    In {
        /// The value.
        operand: Operand,
        /// The set.
        set: ValueSet,
        /// NOT IN.
        negated: bool,
    },
    /// Whether a text matches a pattern; false for anything else, also where negated.
    Like {
        /// The text.
        operand: Operand,
        /// The pattern.
        pattern: LikePattern,
        /// NOT LIKE.
        negated: bool,
    },
}

impl Predicate {
    /// Whether a row passes.
    #[inline]
    pub fn matches(&self, row: &Row) -> bool {
        match self {
            Predicate::Compare { left: Operand::Column(column), op, right: Operand::Literal(text) }
                if matches!(text, Value::Text(_)) =>
            {
                compare_text(row, *column, *op, text.as_ref())
            }
            Predicate::Compare { left, op, right } => {
                let (left, right) = (left.value(row), right.value(row));
                if left.is_null() || right.is_null() {
                    return false;
                }
                if left.kind() != right.kind() {
                    return *op == CompareOp::Ne;
                }
                op.holds(left.cmp(&right))
            }
            Predicate::Is { left, right, negated } => {
                (left.value(row) == right.value(row)) != *negated
            }
            Predicate::In { operand, set, negated } => {
                let value = operand.value(row);
                !value.is_null() && set.contains(value) != *negated
            }
            Predicate::Like { operand, pattern, negated } => match operand.value(row) {
                ValueRef::Text(text) => pattern.matches(text) != *negated,
                _ => false,
            },
        }
    }

    /// The columns that the test reads.
    pub fn columns(&self) -> ColumnSet {
        match self {
            Predicate::Compare { left, right, .. } | Predicate::Is { left, right, .. } => {
                left.column().into_iter().chain(right.column()).collect()
            }
            Predicate::In { operand, .. } | Predicate::Like { operand, .. } => {
                operand.column().into_iter().collect()
            }
        }
    }
}

/// The order of text is that of its bytes, so it need not be decoded.
#[inline]
fn compare_text(row: &Row, column: usize, op: CompareOp, literal: ValueRef<'_>) -> bool {
    let ValueRef::Text(literal) = literal else { return false };
    match row.text_bytes(column) {
        Some(text) => op.holds(text.cmp(literal.as_bytes())),
        None => op == CompareOp::Ne && !row.is_null(column),
    }
}
