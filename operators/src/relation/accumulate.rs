//! Accumulators: what an aggregate function keeps of the rows of one group.
//!
//! An accumulator is changed by rows that come and by rows that go alike, and forgets nothing that
//! it would need to take a row away again: the least value of a group comes from an ordered
//! multiset, and sums of doubles are exact.
//!
//! Cost: O(log n) per row for `min`, `max`, `group_concat` and for distinct values, O(1) for the
//! rest; a result is O(1), and O(group) for `group_concat`.

use std::collections::BTreeSet;

use super::bag::{Bag, Ordered};
use super::exact::ExactSum;
use super::numeric::{Number, is_true, number};
use super::plan::{AggregateCall, AggregateFunction};
use crate::expr::{Affinity, Collation, Expr};
use crate::key::{Direction, Key, KeyBuffer, encode_raw};
use crate::row::{Piece, Row};
use crate::value::{RawValue, Value, ValueRef};

/// What one function keeps of one group.
#[derive(Clone, Debug)]
pub(crate) enum Accumulator {
    Count(i64),
    Sum(Sum),
    /// Values by their keys; each as a row of one column.
    Values(Values),
    /// The same, and the sum of one of each.
    Distinct(Box<(Values, Sum)>),
}

type Values = Ordered<Bag>;

impl Accumulator {
    /// That of a group without rows.
    pub(crate) fn new(call: &AggregateCall) -> Accumulator {
        use AggregateFunction::{Any, Average, Count, GroupConcat, Max, Min, Sum as SumOf, Total};
        match (&call.function, call.distinct) {
            (Count, true) if call.column.is_some() => Accumulator::Values(Values::default()),
            (Count, _) => Accumulator::Count(0),
            (SumOf | Total | Average, false) => Accumulator::Sum(Sum::default()),
            (SumOf | Total | Average, true) => Accumulator::Distinct(Box::default()),
            (Min | Max | GroupConcat { .. } | Any, _) => Accumulator::Values(Values::default()),
        }
    }

    /// Takes in a row, so many times; takes it away where `count` is negative.
    pub(crate) fn add(&mut self, call: &AggregateCall, row: &Row, count: i64) {
        if call.filter.is_some_and(|filter| !is_true(row.get_raw(filter))) {
            return;
        }
        let Some(column) = call.column else {
            if let Accumulator::Count(rows) = self {
                *rows += count;
            }
            return;
        };
        let value = row.get_raw(column);
        if matches!(value, RawValue::Null) {
            return;
        }
        match self {
            Accumulator::Count(rows) => *rows += count,
            Accumulator::Sum(sum) => sum.add(value, count),
            Accumulator::Values(values) => {
                let (key, kept) = entry(call, row, column);
                values.change(&key, |bag| {
                    bag.add(&kept, count);
                    !bag.is_empty()
                });
            }
            Accumulator::Distinct(state) => {
                let (values, sum) = &mut **state;
                let (key, kept) = entry(call, row, column);
                values.change(&key, |bag| {
                    let before = bag.first().cloned();
                    bag.add(&kept, count);
                    let after = bag.first();
                    if before.as_ref() != after {
                        before.iter().for_each(|row| sum.add(row.get_raw(0), -1));
                        after.iter().for_each(|row| sum.add(row.get_raw(0), 1));
                    }
                    !bag.is_empty()
                });
            }
        }
    }

    /// The value of the function.
    pub(crate) fn value(&self, call: &AggregateCall) -> Value {
        match self {
            Accumulator::Count(rows) => Value::Int(*rows),
            Accumulator::Sum(sum) => sum.value(&call.function),
            Accumulator::Distinct(state) => state.1.value(&call.function),
            Accumulator::Values(values) => match &call.function {
                AggregateFunction::Count => Value::Int(values.len() as i64),
                AggregateFunction::GroupConcat { separator, .. } => {
                    concatenated(values, call, separator)
                }
                AggregateFunction::Max => value_of(values.iter().next_back()),
                _ => value_of(values.iter().next()),
            },
        }
    }

    /// Bytes beyond the accumulator itself.
    pub(crate) fn bytes(&self) -> usize {
        let values = |values: &Values| {
            values.bytes(|bag| {
                bag.bytes() + bag.iter().map(|(row, _)| row.heap_bytes()).sum::<usize>()
            })
        };
        match self {
            Accumulator::Count(_) => 0,
            Accumulator::Sum(sum) => sum.bytes(),
            Accumulator::Values(kept) => values(kept),
            Accumulator::Distinct(state) => {
                size_of::<(Values, Sum)>() + values(&state.0) + state.1.bytes()
            }
        }
    }
}

fn value_of(entry: Option<(&Key, &Bag)>) -> Value {
    entry.and_then(|(_, bag)| bag.first()).map_or(Value::Null, |row| row.get(0).to_owned())
}

/// The key under which a value is kept, and the value as it is kept.
fn entry(call: &AggregateCall, row: &Row, column: usize) -> (Key, Row) {
    let mut key = KeyBuffer::new();
    let value = row.get_raw(column);
    let kept = match call.function {
        AggregateFunction::Any => {
            encode_raw(&mut key, value, Direction::Asc);
            return (Key::from_slice(&key), row.project(&[column]));
        }
        AggregateFunction::GroupConcat { ref order, .. } => {
            for (column, direction) in order {
                encode_raw(&mut key, operand(row.get_raw(*column)), *direction);
            }
            encode_raw(&mut key, operand(value), Direction::Asc);
            row.get(column)
        }
        _ => {
            encode_folded(&mut key, operand(value), call.collation);
            row.get(column)
        }
    };
    let kept = match kept {
        ValueRef::Bool(value) => ValueRef::Int(i64::from(value)),
        ValueRef::Json(text) => ValueRef::Text(text),
        other => other,
    };
    (Key::from_slice(&key), Row::assemble(1, |_| Piece::Value(kept)))
}

/// A value as functions take it: booleans are integers, and JSON is text.
fn operand(value: RawValue<'_>) -> RawValue<'_> {
    match value {
        RawValue::Bool(value) => RawValue::Int(i64::from(value)),
        RawValue::Json(text) => RawValue::Text(text),
        other => other,
    }
}

/// Appends the encoding of a value as a collation sees it.
fn encode_folded(key: &mut KeyBuffer, value: RawValue<'_>, collation: Collation) {
    match (value, collation) {
        (RawValue::Text(text), Collation::NoCase) => {
            let lower = text.to_ascii_lowercase();
            encode_raw(key, RawValue::Text(&lower), Direction::Asc);
        }
        (RawValue::Text(text), Collation::RightTrim) => {
            let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            encode_raw(key, RawValue::Text(&text[..end]), Direction::Asc);
        }
        (value, _) => encode_raw(key, value, Direction::Asc),
    }
}

/// The values as text, put together. Of values that are equal only the first counts where the
/// call says distinct.
fn concatenated(values: &Values, call: &AggregateCall, separator: &str) -> Value {
    let as_text = Expr::Cast { operand: Box::new(Expr::Column(0)), to: Affinity::Text };
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    let mut text: Option<String> = None;
    for (row, count) in values.iter().flat_map(|(_, bag)| bag.iter()) {
        let times = match call.distinct {
            false => count,
            true => {
                let mut key = KeyBuffer::new();
                encode_folded(&mut key, row.get_raw(0), call.collation);
                i64::from(seen.insert(Key::from_slice(&key)))
            }
        };
        let value = as_text.eval(row);
        for _ in 0..times {
            match &mut text {
                None => text = Some(value.as_str().unwrap_or_default().to_owned()),
                Some(text) => {
                    text.push_str(separator);
                    text.push_str(value.as_str().unwrap_or_default());
                }
            }
        }
    }
    text.map_or(Value::Null, Value::from)
}

/// A sum of integers and doubles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    whole: Whole,
    /// How many numbers there are.
    count: i64,
    /// How many of them are doubles.
    reals: i64,
    /// Their sum; only there while there are any.
    exact: Option<Box<ExactSum>>,
}

/// An integer of 128 bits that is aligned like one of 64.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    high: i64,
    low: u64,
}

impl Whole {
    fn get(self) -> i128 {
        i128::from(self.high) << 64 | i128::from(self.low)
    }

    fn add(&mut self, value: i128) {
        let sum = self.get() + value;
        *self = Whole { high: (sum >> 64) as i64, low: sum as u64 };
    }
}

impl Sum {
    fn add(&mut self, value: RawValue<'_>, times: i64) {
        let Some(number) = number(value) else { return };
        self.count += times;
        match number {
            Number::Int(value) => self.whole.add(i128::from(value) * i128::from(times)),
            Number::Real(value) => {
                self.reals += times;
                let exact = self.exact.get_or_insert_default();
                exact.add(value, times);
                if self.reals == 0 && **exact == ExactSum::default() {
                    self.exact = None;
                }
            }
        }
    }

    fn as_double(&self) -> f64 {
        self.exact.as_ref().map_or(self.whole.get() as f64, |exact| exact.total(self.whole.get()))
    }

    fn value(&self, function: &AggregateFunction) -> Value {
        let double = |value: f64| if value.is_nan() { Value::Null } else { Value::Float(value) };
        match function {
            AggregateFunction::Total => double(self.as_double()),
            _ if self.count <= 0 => Value::Null,
            AggregateFunction::Average => double(self.as_double() / self.count as f64),
            _ if self.reals > 0 => double(self.as_double()),
            _ => i64::try_from(self.whole.get()).map_or(Value::Null, Value::Int),
        }
    }

    fn bytes(&self) -> usize {
        self.exact.as_ref().map_or(0, |_| size_of::<ExactSum>())
    }
}
