//! Covers: from a level's condition to intervals of which a row must lie in one to pass.
//!
//! Of several conditions that must all hold the one that looks most selective is taken; of several
//! of which one must hold, all. What is left out is tested by the level itself, so a cover may
//! hold more rows than the condition, never fewer.

use crate::delta::ColumnSet;
use crate::expr::{Collation, Expr};
use crate::key::{self, Direction, Key, KeyBuffer, encode};
use crate::plan::Condition;
use crate::predicate::{CompareOp, Operand, Predicate};
use crate::row::Row;
use crate::value::{Value, ValueRef};

use super::intervals::{Interval, after};

/// What of a row is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    /// The value in a column as it is.
    Column(usize),
    /// The value of an expression as SQL compares it.
    Computed(Expr, Collation),
}

impl Reading {
    /// Appends the encoded value.
    pub(super) fn write(&self, row: &Row, key: &mut KeyBuffer) {
        match self {
            Reading::Column(column) => encode(key, row.get(*column), Direction::Asc),
            Reading::Computed(expr, collation) => expr.write_key(row, *collation, key),
        }
    }

    /// The columns that it is computed from.
    pub(super) fn columns(&self) -> ColumnSet {
        match self {
            Reading::Column(column) => [*column].into_iter().collect(),
            Reading::Computed(expr, _) => expr.columns(),
        }
    }
}

/// Intervals of which a row must lie in one.
pub(super) type Cover = Vec<(Reading, Interval)>;

/// How many of the rows an interval seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Breadth {
    Point,
    Bounded,
    OneSided,
}

/// The cover of a condition, or `None` where any row may pass.
pub(super) fn cover(condition: &Condition) -> Option<Cover> {
    match condition {
        Condition::Always(true) | Condition::Gate { .. } => None,
        Condition::Always(false) => Some(Cover::new()),
        Condition::Test(predicate) => of_predicate(predicate),
        Condition::All(parts) => all(parts.iter().map(cover)),
        Condition::Any(parts) => any(parts.iter().map(cover)),
    }
}

/// The values of a column among which those of passing rows are, where the condition bounds them.
pub(crate) fn bounds(condition: &Condition, column: usize) -> Option<Interval> {
    match condition {
        Condition::Test(predicate) => match of_predicate(predicate)?.as_slice() {
            [(Reading::Column(found), interval)] if *found == column => Some(interval.clone()),
            _ => None,
        },
        Condition::All(parts) => {
            parts.iter().filter_map(|part| bounds(part, column)).reduce(Interval::intersection)
        }
        _ => None,
    }
}

/// The encoded values of a column of which passing rows have one, where the condition lists them.
pub(crate) fn listed(condition: &Condition, column: usize) -> Option<Vec<Key>> {
    match condition {
        Condition::Test(predicate) => of_predicate(predicate)?
            .into_iter()
            .map(|(reading, interval)| {
                let is_listed = reading == Reading::Column(column) && interval.is_point();
                is_listed.then_some(interval.lower)
            })
            .collect(),
        Condition::All(parts) => {
            parts.iter().filter_map(|part| listed(part, column)).min_by_key(Vec::len)
        }
        _ => None,
    }
}

fn of_predicate(predicate: &Predicate) -> Option<Cover> {
    match predicate {
        Predicate::Compare { left, op, right } => {
            let (column, op, literal) = match (left, right) {
                (Operand::Column(column), Operand::Literal(literal)) => (column, *op, literal),
                (Operand::Literal(literal), Operand::Column(column)) => {
                    (column, op.mirrored(), literal)
                }
                _ => return None,
            };
            let mut key = KeyBuffer::new();
            encode(&mut key, literal.as_ref(), Direction::Asc);
            // Values of other kinds have no order with the constant.
            let (from, to) = key::kind_bounds(&key);
            compared(Reading::Column(*column), op, &key, from, to)
        }
        Predicate::Is { left, right, negated: false } => match (left, right) {
            (Operand::Column(column), Operand::Literal(literal))
            | (Operand::Literal(literal), Operand::Column(column)) => {
                Some(points(&Reading::Column(*column), [literal.as_ref()]))
            }
            _ => None,
        },
        Predicate::In { operand: Operand::Column(column), set, negated: false } => {
            Some(points(&Reading::Column(*column), set.values().iter().map(Value::as_ref)))
        }
        Predicate::Expr(expr) => of_expr(expr),
        _ => None,
    }
}

fn of_expr(expr: &Expr) -> Option<Cover> {
    match expr {
        Expr::Compare { op, left, right, collation } => {
            let (operand, op, constant) = match (is_constant(left), is_constant(right)) {
                (false, true) => (left, *op, right),
                (true, false) => (right, op.mirrored(), left),
                _ => return None,
            };
            let mut key = KeyBuffer::new();
            constant.write_key(&Row::new(&[]), *collation, &mut key);
            let reading = Reading::Computed((**operand).clone(), *collation);
            compared(reading, op, &key, key::FIRST_NON_NULL, key::BEHIND_ALL)
        }
        Expr::Is { left, right, negated: false, collation } => {
            let (operand, constant) = match (is_constant(left), is_constant(right)) {
                (false, true) => (left, right),
                (true, false) => (right, left),
                _ => return None,
            };
            Some(members(operand, std::slice::from_ref(constant), *collation))
        }
        Expr::In { operand, list, negated: false, collation }
            if !is_constant(operand) && list.iter().all(is_constant) =>
        {
            Some(members(operand, list, *collation))
        }
        Expr::And(parts) => all(parts.iter().map(of_expr)),
        Expr::Or(parts) => any(parts.iter().map(of_expr)),
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    expr.columns().is_empty()
}

/// The cover of a comparison with an encoded constant, among values whose encodings begin with
/// `from` up to `to`.
fn compared(reading: Reading, op: CompareOp, key: &[u8], from: u8, to: u8) -> Option<Cover> {
    if key::is_null(key) {
        return Some(Cover::new());
    }
    let (from, to) = (key::Key::from_slice(&[from]), key::Key::from_slice(&[to]));
    let at = key::Key::from_slice(key);
    let interval = match op {
        CompareOp::Eq => Interval::point(key),
        CompareOp::Ne => return None,
        CompareOp::Lt => Interval { lower: from, upper: at },
        CompareOp::Le => Interval { lower: from, upper: after(key) },
        CompareOp::Gt => Interval { lower: after(key), upper: to },
        CompareOp::Ge => Interval { lower: at, upper: to },
    };
    Some(vec![(reading, interval)])
}

fn points<'a>(reading: &Reading, values: impl IntoIterator<Item = ValueRef<'a>>) -> Cover {
    let mut key = KeyBuffer::new();
    let point = |value| {
        key.clear();
        encode(&mut key, value, Direction::Asc);
        (reading.clone(), Interval::point(&key))
    };
    values.into_iter().map(point).collect()
}

fn members(operand: &Expr, list: &[Expr], collation: Collation) -> Cover {
    let row = Row::new(&[]);
    let mut key = KeyBuffer::new();
    let point = |member: &Expr| {
        key.clear();
        member.write_key(&row, collation, &mut key);
        (Reading::Computed(operand.clone(), collation), Interval::point(&key))
    };
    list.iter().map(point).collect()
}

/// The best cover of conditions that must all hold. Bounds of one reading are taken together.
fn all(parts: impl Iterator<Item = Option<Cover>>) -> Option<Cover> {
    let mut covers: Vec<Cover> = Vec::new();
    for part in parts.flatten() {
        let [(reading, interval)] = part.as_slice() else {
            covers.push(part);
            continue;
        };
        let known = covers.iter_mut().find_map(|cover| match cover.as_mut_slice() {
            [(other, known)] if other == reading => Some(known),
            _ => None,
        });
        match known {
            Some(known) => *known = known.clone().intersection(interval.clone()),
            None => covers.push(part),
        }
    }
    for cover in &mut covers {
        cover.retain(|(_, interval)| !interval.is_empty());
    }
    covers.into_iter().min_by_key(|cover| (breadth(cover), cover.len()))
}

/// The cover of conditions of which one must hold.
fn any(parts: impl Iterator<Item = Option<Cover>>) -> Option<Cover> {
    let mut together = Cover::new();
    for part in parts {
        together.extend(part?);
    }
    Some(together)
}

/// The breadth of the broadest interval.
pub(super) fn breadth(cover: &Cover) -> Breadth {
    let each = cover.iter().map(|(_, interval)| {
        let open = |bound: &[u8]| bound.len() == 1;
        if interval.is_point() {
            Breadth::Point
        } else if open(&interval.lower) || open(&interval.upper) {
            Breadth::OneSided
        } else {
            Breadth::Bounded
        }
    });
    each.max().unwrap_or(Breadth::Point)
}
