//! Conditions evaluated in three values: true, false and unknown.
//!
//! The engine carries NOT down to the operators and knows two values. Here NOT stays where it is,
//! a comparison with null is unknown, and what is unknown at the top counts as false.

use std::cmp::Ordering;

use penstock::Value;

use super::evaluate::Naive;
use super::query::{Cond, Op, Right, Sub};
use super::values::{like, order};

impl Naive<'_> {
    /// Whether a row satisfies all of the conditions.
    pub(crate) fn passes(&self, row: &[Value], conditions: &[Cond]) -> bool {
        conditions.iter().all(|condition| self.holds(row, condition) == Some(true))
    }

    fn holds(&self, row: &[Value], condition: &Cond) -> Option<bool> {
        match condition {
            Cond::And(all) => fold(all.iter().map(|each| self.holds(row, each)), false),
            Cond::Or(any) => fold(any.iter().map(|each| self.holds(row, each)), true),
            Cond::Not(inner) => self.holds(row, inner).map(|holds| !holds),
            Cond::Exists { sub, negated } => Some(self.exists(row, sub) != *negated),
            Cond::Constant { left, op, right } => self.compare(left, *op, right, row),
            Cond::Compare { column, op, right } => self.compare(&row[*column], *op, right, row),
        }
    }

    fn exists(&self, row: &[Value], sub: &Sub) -> bool {
        sub.body.limit != Some(0) && !self.reached(row, sub).is_empty()
    }

    /// A comparison; unknown where an operand is null and the operator is not IS.
    fn compare(&self, left: &Value, op: Op, right: &Right, row: &[Value]) -> Option<bool> {
        if self.nulls_are_values && left.is_null() && matches!(op, Op::Ne | Op::NotIn) {
            return Some(true);
        }
        let right = match right {
            Right::List(values) => {
                let found = values.iter().any(|value| order(left, value).is_eq());
                return (!left.is_null()).then_some(found == (op == Op::In));
            }
            Right::Value(value) => value,
            Right::Column(column) => &row[*column],
        };
        let compared = order(left, right);
        match op {
            Op::Is => return Some(compared.is_eq()),
            Op::IsNot => return Some(compared.is_ne()),
            _ if left.is_null() || right.is_null() => return None,
            _ => {}
        }
        Some(match op {
            Op::Eq => compared == Ordering::Equal,
            Op::Ne => compared != Ordering::Equal,
            Op::Lt => compared == Ordering::Less,
            Op::Le => compared != Ordering::Greater,
            Op::Gt => compared == Ordering::Greater,
            Op::Ge => compared != Ordering::Less,
            Op::Like => matches(left, right, false),
            Op::NotLike => !matches(left, right, false),
            Op::ILike => matches(left, right, true),
            Op::NotILike => !matches(left, right, true),
            Op::Is | Op::IsNot | Op::In | Op::NotIn => unreachable!("decided above"),
        })
    }

    /// What conditions without a row can say: whether a list of conditions, all of which must
    /// hold, is the same for every row because of the constants in it.
    pub(crate) fn constant_all(&self, conditions: &[Cond]) -> Option<bool> {
        fold(conditions.iter().map(|each| self.constant(each, false)), false)
    }

    /// The same for one condition, or for its opposite.
    pub(crate) fn constant(&self, condition: &Cond, negate: bool) -> Option<bool> {
        match condition {
            Cond::And(all) => fold(all.iter().map(|each| self.constant(each, negate)), negate),
            Cond::Or(any) => fold(any.iter().map(|each| self.constant(each, negate)), !negate),
            Cond::Not(inner) => self.constant(inner, !negate),
            Cond::Exists { sub, negated } => {
                let hidden = sub.hops[..sub.hops.len() - 1].iter().map(|hop| &hop.filters);
                let mut filters = hidden.chain([&sub.body.filters]);
                let never = sub.body.limit == Some(0)
                    || filters.any(|filters| self.constant_all(filters) == Some(false));
                never.then_some(*negated != negate)
            }
            Cond::Constant { left, op, right } => {
                let holds = self.compare(left, *op, right, &[]);
                Some(holds.is_some_and(|holds| holds != negate))
            }
            Cond::Compare { op, right, .. } => match right {
                Right::Value(Value::Null) if !matches!(op, Op::Is | Op::IsNot) => Some(false),
                Right::List(values) if values.is_empty() && (*op == Op::In) != negate => {
                    Some(false)
                }
                _ => None,
            },
        }
    }
}

fn matches(left: &Value, right: &Value, ignore_case: bool) -> bool {
    match (left, right) {
        (Value::Text(text), Value::Text(pattern)) => like(text, pattern, ignore_case),
        _ => false,
    }
}

/// Three-valued AND (`decisive` false) or OR (`decisive` true).
fn fold(parts: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match part {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}
