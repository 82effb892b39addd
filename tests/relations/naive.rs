//! Relations evaluated from their meaning: nested loops over plain lists, nothing shared and
//! nothing kept.

use std::cmp::Ordering;

use penstock::Value;
use penstock::operators::expr::{Collation, Expr};
use penstock::operators::key::Direction;
use penstock::operators::predicate::CompareOp;
use penstock::operators::relation::plan::{AggregateCall, AggregateFunction, JoinKind, Relation};

/// A row as the tests write it.
pub(crate) type Tuple = Vec<Value>;

/// The rows of each table.
pub(crate) type Data = [Vec<Tuple>];

/// All rows of a relation, in any order.
pub(crate) fn evaluate(data: &Data, relation: &Relation) -> Vec<Tuple> {
    match relation {
        Relation::Scan { table, equal } => {
            let rows = data[table.0 as usize].iter();
            rows.filter(|row| equal.iter().all(|(column, value)| row[*column] == *value))
                .cloned()
                .collect()
        }
        Relation::Rows(rows) => rows.clone(),
        Relation::Map { input, columns } => {
            let rows = evaluate(data, input).into_iter();
            rows.map(|row| columns.iter().map(|column| compute(column, &row)).collect()).collect()
        }
        Relation::Filter { input, condition } => {
            let mut rows = evaluate(data, input);
            rows.retain(|row| holds(condition, row));
            rows
        }
        Relation::Join { kind, left, right, right_width, on, residual, .. } => {
            let right = evaluate(data, right);
            let mut rows = Vec::new();
            for one in evaluate(data, left) {
                let mut matched = false;
                for other in &right {
                    let equal =
                        |(a, b): &(usize, usize)| !one[*a].is_null() && one[*a] == other[*b];
                    let pair: Tuple = one.iter().chain(other).cloned().collect();
                    if on.iter().all(equal) && residual.iter().all(|test| holds(test, &pair)) {
                        matched = true;
                        rows.push(pair);
                    }
                }
                if !matched && *kind == JoinKind::Left {
                    let nulls = std::iter::repeat_n(Value::Null, *right_width);
                    rows.push(one.into_iter().chain(nulls).collect());
                }
            }
            rows
        }
        Relation::Aggregate { input, group, functions } => {
            let rows = evaluate(data, input);
            let mut groups: Vec<(Tuple, Vec<Tuple>)> = Vec::new();
            if group.is_empty() {
                groups.push((Tuple::new(), Vec::new()));
            }
            for row in rows {
                let key: Tuple = group.iter().map(|column| row[*column].clone()).collect();
                match groups.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, rows)) => rows.push(row),
                    None => groups.push((key, vec![row])),
                }
            }
            let mut out = Vec::new();
            for (mut key, rows) in groups {
                key.extend(functions.iter().map(|call| aggregate(call, &rows)));
                out.push(key);
            }
            out
        }
        Relation::Distinct { input } => {
            let mut rows: Vec<Tuple> = Vec::new();
            for row in evaluate(data, input) {
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
            rows
        }
        Relation::Union { inputs } => {
            inputs.iter().flat_map(|input| evaluate(data, input)).collect()
        }
        Relation::Top { input, group, order, offset, limit } => {
            let mut rows = evaluate(data, input);
            rows.sort_by(|a, b| ordered(order, a, b).then_with(|| a.cmp(b)));
            let mut kept: Vec<Tuple> = Vec::new();
            let mut seen: Vec<(Tuple, usize)> = Vec::new();
            for row in rows {
                let key: Tuple = group.iter().map(|column| row[*column].clone()).collect();
                let rank = match seen.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, rank)) => rank,
                    None => {
                        seen.push((key, 0));
                        &mut seen.last_mut().expect("just put there").1
                    }
                };
                if *rank >= *offset && limit.is_none_or(|limit| *rank < offset + limit) {
                    kept.push(row);
                }
                *rank += 1;
            }
            kept
        }
    }
}

/// The order of two rows by some columns.
pub(crate) fn ordered(order: &[(usize, Direction)], a: &Tuple, b: &Tuple) -> Ordering {
    for (column, direction) in order {
        let by = a[*column].cmp(&b[*column]);
        let by = if *direction == Direction::Desc { by.reverse() } else { by };
        if by.is_ne() {
            return by;
        }
    }
    Ordering::Equal
}

fn holds(condition: &Expr, row: &Tuple) -> bool {
    compute(condition, row) == Value::Int(1)
}

/// The few expressions that the tests use.
fn compute(expression: &Expr, row: &Tuple) -> Value {
    match expression {
        Expr::Column(column) => row[*column].clone(),
        Expr::Literal(value) => value.clone(),
        Expr::Compare { op, left, right, collation: Collation::Binary } => {
            let (left, right) = (compute(left, row), compute(right, row));
            if left.is_null() || right.is_null() {
                return Value::Null;
            }
            let order = left.cmp(&right);
            Value::Int(i64::from(match op {
                CompareOp::Eq => order.is_eq(),
                CompareOp::Ne => order.is_ne(),
                CompareOp::Lt => order.is_lt(),
                CompareOp::Le => order.is_le(),
                CompareOp::Gt => order.is_gt(),
                CompareOp::Ge => order.is_ge(),
            }))
        }
        other => panic!("the tests do not make {other:?}"),
    }
}

fn folded(value: &Value, collation: Collation) -> Value {
    match (value, collation) {
        (Value::Text(text), Collation::NoCase) => Value::from(text.to_ascii_lowercase()),
        (Value::Text(text), Collation::RightTrim) => Value::from(text.trim_end_matches(' ')),
        (value, _) => value.clone(),
    }
}

fn aggregate(call: &AggregateCall, rows: &[Tuple]) -> Value {
    let passes = |row: &&Tuple| call.filter.is_none_or(|filter| number(&row[filter]).0 != 0);
    let Some(column) = call.column else {
        return Value::Int(rows.iter().filter(passes).count() as i64);
    };
    let present = |row: &&Tuple| !row[column].is_null();
    let mut rows: Vec<&Tuple> = rows.iter().filter(passes).filter(present).collect();
    if let AggregateFunction::GroupConcat { order, .. } = &call.function {
        rows.sort_by(|a, b| ordered(order, a, b).then_with(|| a[column].cmp(&b[column])));
    }
    let mut values: Vec<&Value> = rows.iter().map(|row| &row[column]).collect();
    if call.distinct {
        let mut seen: Vec<Value> = Vec::new();
        values.retain(|value| {
            let folded = folded(value, call.collation);
            let fresh = !seen.contains(&folded);
            if fresh {
                seen.push(folded);
            }
            fresh
        });
    }
    let quarters: i64 = values.iter().map(|value| number(value).0).sum();
    let real = values.iter().any(|value| number(value).1);
    let double = |quarters: i64| quarters as f64 / 4.0;
    match &call.function {
        AggregateFunction::Count => Value::Int(values.len() as i64),
        AggregateFunction::Total => Value::Float(double(quarters)),
        _ if values.is_empty() => Value::Null,
        AggregateFunction::Sum if real => Value::Float(double(quarters)),
        AggregateFunction::Sum => Value::Int(quarters / 4),
        AggregateFunction::Average => Value::Float(double(quarters) / values.len() as f64),
        AggregateFunction::Min => least(values.into_iter(), call.collation, false),
        AggregateFunction::Max => least(values.into_iter(), call.collation, true),
        AggregateFunction::Any => least(values.into_iter(), Collation::Binary, false),
        AggregateFunction::GroupConcat { separator, .. } => {
            let texts: Vec<String> = values.iter().map(|value| text(value)).collect();
            Value::from(texts.join(separator))
        }
    }
}

/// The least value, or the greatest, as the collation sees it; of those that are equal to it the
/// least.
fn least<'v>(values: impl Iterator<Item = &'v Value>, collation: Collation, most: bool) -> Value {
    let pairs = values.map(|value| (folded(value, collation), value.clone()));
    let by = |a: &(Value, Value), b: &(Value, Value)| {
        let order = if most { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
        order.then_with(|| a.1.cmp(&b.1))
    };
    pairs.min_by(by).map(|(_, value)| value).unwrap_or_default()
}

/// A value as a number of quarters, and whether it makes a sum real. The tests have no smaller
/// fractions, so that sums of doubles are exact here too.
fn number(value: &Value) -> (i64, bool) {
    match value {
        Value::Null => (0, false),
        Value::Bool(value) => (4 * i64::from(*value), false),
        Value::Int(value) => (4 * value, false),
        Value::Float(value) => ((value * 4.0) as i64, true),
        Value::Text(text) => {
            let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
            (4 * digits.parse::<i64>().unwrap_or(0), digits.len() < text.trim_end().len())
        }
        other => panic!("the tests do not make {other:?}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => text.to_string(),
        other => panic!("the tests do not make {other:?}"),
    }
}
